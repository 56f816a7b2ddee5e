"""Renders the form: server-side, complete without JavaScript, everything escaped by the template engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from berth.hub import availability
from berth.hub.options import LABELS, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.hub.service import Service

_templates = Environment(
    loader=PackageLoader("berth.hub"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    service: Service,
    offer: Offer,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    last_end: str,
) -> str:
    """Return the HTML inside the form.

    `values` are chosen at first, `problems` are shown at their fields, `last_end` says why the user's last
    session ended (empty: nothing to say).
    """
    return _templates.get_template("form.html").render(
        labels=LABELS,
        offer=offer,
        missing=offer.missing,
        values=values,
        problems=problems,
        last_end=last_end,
        table=availability.table(service.collector.snapshot, time.time()),
        links=service.form.links,
    )
