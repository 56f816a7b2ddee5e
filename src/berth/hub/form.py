"""Renders the form: server-side, complete without JavaScript, everything escaped by the template engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from berth.hub import availability
from berth.hub.options import LABELS, Offer
from berth.hub.text import Text, say

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
_templates.globals["say"] = say


def render(  # noqa: PLR0913 - one fact each
    service: Service,
    offer: Offer,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    last_end: str,
    *,
    base_url: str,
    estimate: Text | str = "",
) -> str:
    """Return the HTML inside the form.

    `values` are chosen at first, `problems` are shown at their fields, `last_end` says why the user's last
    session ended and `estimate` when Slurm would start what was asked about (empty: nothing to say).
    """
    now = time.time()
    table = availability.table(service.collector.snapshot, values.get("reservation") or None)
    return _templates.get_template("form.html").render(
        labels=LABELS,
        offer=offer,
        missing=offer.missing,
        values=values,
        problems=problems,
        last_end=last_end,
        base_url=base_url,
        estimate=estimate,
        table=table,
        age=availability.age(table.age_seconds(now)),
        most=availability.most,
        now=now,
        links=service.form.links,
    )
