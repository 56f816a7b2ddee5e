"""The commands of the users' guide, read from the page that users read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.lab import pages

if TYPE_CHECKING:
    from tests.lab.visitor import Visitor

PATH = "/hub/berth/guide"
PROCEED = "Proceed ([y]/n)?"
# What a command asks its user, by how it begins.
QUESTIONS = {
    "conda create": [PROCEED],
    "conda install": [PROCEED],
    "conda remove": [PROCEED, "(y/[n])?"],
    "jupyter kernelspec uninstall": ["[y/N]:"],
    "berth env remove": ["[y/N]"],
}
PLACES = re.compile(r"\b(?:NAME|PACKAGE|MODULE)\b")


def blocks(visitor: Visitor, group: str, **chosen: str) -> list[dict[str, list[str]]]:
    """The blocks of a group: of each its lines, with what is chosen in them, and what each of them asks."""
    page = pages.parse(visitor.http.get(PATH).raise_for_status())
    found = page.select(f"pre.berth-run[data-group={group}]")
    assert found, f"the guide has no commands of {group}"
    return [
        {PLACES.sub(lambda place: chosen[place[0]], line): _questions(line) for line in lines}
        for lines in ([*block.get_text().strip().splitlines()] for block in found)
    ]


def groups(visitor: Visitor) -> set[str]:
    """The groups of commands that the guide has."""
    page = pages.parse(visitor.http.get(PATH).raise_for_status())
    return {str(block["data-group"]) for block in page.select("pre.berth-run")}


def _questions(line: str) -> list[str]:
    return next((asks for begin, asks in QUESTIONS.items() if line.startswith(begin)), [])
