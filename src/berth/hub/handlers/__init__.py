"""The hub's own URLs."""

from __future__ import annotations

from typing import Any

from tornado.web import StaticFileHandler

from berth.hub.assets import DIRECTORY
from berth.hub.form.rest import ServerHandler
from berth.hub.handlers.advice import AdviceHandler, EstimateHandler
from berth.hub.handlers.availability import AvailabilityHandler, LogoutHandler
from berth.hub.handlers.extend import ExtendHandler, SessionExtendHandler
from berth.hub.handlers.guide import GuideHandler
from berth.hub.handlers.history import HistoryHandler
from berth.hub.handlers.operate import (
    AnnouncementHandler,
    AnnouncementsHandler,
    EndSessionsAPIHandler,
    MaintenanceHandler,
    SessionsAPIHandler,
)
from berth.hub.handlers.releases import CompareHandler, IndexHandler, ReleaseHandler
from berth.hub.handlers.report import SessionReportHandler
from berth.hub.handlers.sessions import EndSessionsHandler, SessionsHandler
from berth.hub.handlers.spawn import SpawnPage
from berth.hub.handlers.stop import StopHandler
from berth.hub.handlers.usage import UsageHandler
from berth.hub.texts.localized import LanguageHandler

HANDLERS: list[tuple[Any, ...]] = [
    (r"/api/berth/session", SessionReportHandler),
    (r"/api/berth/session/extend", SessionExtendHandler),
    (r"/api/berth/sessions", SessionsAPIHandler),
    (r"/api/berth/sessions/stop", EndSessionsAPIHandler),
    (r"/api/berth/announcements", AnnouncementsHandler),
    (r"/api/berth/announcements/(?P<name>[^/]+)", AnnouncementHandler),
    (r"/api/berth/maintenance", MaintenanceHandler),
    (r"/api/users/([^/]+)/server", ServerHandler),
    (r"/api/users/([^/]+)/servers/([^/]*)", ServerHandler),
    (r"/berth/api/availability", AvailabilityHandler),
    (r"/berth/api/advice", AdviceHandler),
    (r"/berth/estimate", EstimateHandler),
    (r"/berth/stop/(?P<user_name>[^/]+)", StopHandler),
    (r"/berth/extend/(?P<user_name>[^/]+)", ExtendHandler),
    (r"/berth/guide", GuideHandler),
    (r"/berth/sessions", SessionsHandler),
    (r"/berth/sessions/stop", EndSessionsHandler),
    (r"/berth/history", HistoryHandler),
    (r"/berth/releases", IndexHandler),
    (r"/berth/releases/(?P<name>[^/]+)", ReleaseHandler),
    (r"/berth/releases/(?P<new>[^/]+)/compare/(?P<old>[^/]+)", CompareHandler),
    (r"/berth/usage", UsageHandler),
    (r"/berth/language/(?P<code>[a-z]+)", LanguageHandler),
    (r"/berth/static/(.*)", StaticFileHandler, {"path": str(DIRECTORY)}),
    (r"/logout", LogoutHandler),
    (r"/spawn", SpawnPage),
    (r"/spawn/([^/]+)", SpawnPage),
]
"""Patterns below the hub's prefix, with their handlers."""
