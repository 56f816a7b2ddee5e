"""A session's log can be shown to somebody else."""

from __future__ import annotations

import logging

import pytest

from berth.session import logs


def written(message: str, *arguments: object) -> str | None:
    record = logging.LogRecord("tornado.general", logging.WARNING, "", 0, message, arguments, None)
    return record.getMessage() if logs.cleaned(record) else None


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        (
            "%d %s: %s",
            (404, "GET /user/alice/api/contents/x?token=hunter2&a=1 (198.18.0.1)", "No such file: x"),
            "404 GET /user/alice/api/contents/x?[secret] (198.18.0.1): No such file: x",
        ),
        (
            "Uncaught exception %s\n%r",
            ("GET /user/alice/lab?code=hunter2 (::1)", {"uri": "/user/alice/lab?code=hunter2"}),
            "Uncaught exception GET /user/alice/lab?[secret] (::1)\n{'uri': '/user/alice/lab?[secret]'}",
        ),
        ("Setting new xsrf cookie for %r %r", (b"hunter2", {}), None),
        ("Is 100 % right? Yes.", (), "Is 100 % right? Yes."),
    ],
)
def test_neither_queries_nor_cookies_are_written(
    message: str, arguments: tuple[object, ...], expected: str | None
) -> None:
    assert written(message, *arguments) == expected
