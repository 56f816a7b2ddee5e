from __future__ import annotations

import re
from pathlib import Path

from berth.doctor import registry

DOCS = Path(__file__).resolve().parents[3] / "docs/operate/doctor.md"


def test_every_check_is_documented_with_where_what_and_what_to_do() -> None:
    rows = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|(.*)\|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in rows] == [check.name for check in registry.CHECKS]
    for name, cells in rows:
        where, what, _, fix = [cell.strip() for cell in cells.split("|")]
        assert where, name
        assert what, name
        assert fix, name


def test_the_scopes_in_the_table_are_those_of_the_checks() -> None:
    rows = dict(
        re.findall(r"^\| `([a-z]+\.[a-z]+)` \| ([a-z]+)", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    for check in registry.CHECKS:
        scopes = {str(scope) for scope in check.scopes}
        assert rows[check.name] in (scopes if len(scopes) == 1 else {"all"}), check.name
