"""The operator's pages say what is so: links, ports, defaults, quoted texts, and commands that tests run."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.contract.project import ROLES, ROOT, load
from tests.lab.blocks import PAGES, RUNNERS, Block, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK = re.compile(r"\]\((?P<path>[^)#:]+)(?:#[^)]*)?\)")
VARIABLE = re.compile(r"`([a-z]\w+)`")
PORTS = re.compile(r"_ports?$")
"""Names of variables that are ports."""
BESIDES = {"hub_listen", "hub_api_allow", "hub_public_url", "hub_session_url"}
"""Further ones that decide who reaches what."""
TEXTS = ROOT / "src/berth/hub/texts/en"
SOURCES = ROOT / "src/berth"
all_pages = pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda path: str(path.name))


@cache
def defaults() -> dict[str, Any]:
    """The defaults of all roles."""
    found: dict[str, Any] = {}
    for role in ROLES:
        path = role / "defaults/main.yml"
        found |= (load(path) or {}) if path.exists() else {}
    return found


def rows(page: str, *columns: str) -> Iterator[dict[str, str]]:
    """The rows of all tables of a page that have these columns."""
    names: list[str] = []
    for line in (PAGES / page).read_text(encoding="utf-8").splitlines():
        cells = (
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] if line.startswith("|") else []
        )
        if not cells:
            names = []
        elif not names:
            names = cells
        elif set(columns) <= set(names) and not set(line) <= set("|- "):
            assert len(cells) == len(names), line
            yield dict(zip(names, cells, strict=True))


# --- links ------------------------------------------------------------------------------------------------


@all_pages
def test_links_lead_somewhere(page: Path) -> None:
    links = [found["path"] for found in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_index_once() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    linked = [found["path"] for found in LINK.finditer(index)]
    assert sorted(linked) == sorted(path.name for path in PAGES.glob("*.md") if path.name != "README.md")


# --- network ----------------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A default as the page writes it."""
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def test_the_ports_of_the_network_page_are_the_roles_defaults() -> None:
    found = {
        names[0]: row["port"]
        for row in rows("network.md", "variable", "port")
        if (names := VARIABLE.findall(row["variable"]))
    }
    assert len(found) > 5
    assert found == {name: written(defaults()[name]) for name in found}


def test_the_other_defaults_of_the_network_page_are_the_roles() -> None:
    found = {
        VARIABLE.findall(row["variable"])[0]: row["default"]
        for row in rows("network.md", "variable", "default")
    }
    assert set(found) >= BESIDES
    wanted = {name: defaults().get(name, "required") for name in found}
    plain = {name: text for name, text in found.items() if "{{" not in text}
    read = {
        name: text if text == "required" else yaml.safe_load(text.strip("`")) for name, text in plain.items()
    }
    assert read == {name: wanted[name] for name in read}
    assert {name: text.strip("`") for name, text in found.items() if "{{" in text} == {
        name: value for name, value in wanted.items() if "{{" in str(value)
    }


def test_the_network_page_names_every_port_there_is() -> None:
    named = set(VARIABLE.findall((PAGES / "network.md").read_text(encoding="utf-8")))
    ports = {name for name in defaults() if PORTS.search(name)}
    assert {"hub_https_port", "hub_session_ports"} <= ports
    assert (ports | BESIDES) - named == set()


def test_every_protocol_and_opener_is_filled_in() -> None:
    for row in rows("network.md", "from", "to", "variable"):
        assert all(row.values()), row


# --- symptoms ---------------------------------------------------------------------------------------------


@cache
def texts() -> str:
    """Everything that the hub says in English, and what it writes into the journal."""
    said: list[str] = []
    for path in sorted(TEXTS.glob("*.yml")):
        for entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).values():
            said += [entry] if isinstance(entry, str) else list(entry.values())
    said += [path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.py"))]
    return "\n".join(re.sub(r"\{\w+\}|%d|%s", "…", " ".join(text.split())) for text in said)


def test_the_texts_that_are_quoted_are_those_that_users_read() -> None:
    quoted = [
        quote
        for row in rows("what-to-do-when.md", "what is seen")
        for quote in re.findall(r"“([^”]+)”", row["what is seen"])
    ]
    # What users tell in their own words begins small.
    ours = [re.sub(r"\b7\b", "…", quote) for quote in quoted if not quote.startswith("a ")]
    assert len(ours) > 20
    assert [quote for quote in ours if quote not in texts()] == []


def test_every_symptom_has_something_to_look_at() -> None:
    found = list(rows("what-to-do-when.md", "what is seen", "look at", "cause", "what to do"))
    assert len(found) > 25
    assert [row["what is seen"] for row in found if not row["look at"]] == []


# --- commands ---------------------------------------------------------------------------------------------


def test_a_marked_block_names_who_runs_it() -> None:
    """A runner of tests/lab_operate/test_pages.py, or a module of tests that names the page."""
    lost = [str(block) for block in blocks() if block.runner and not _is_run(block)]
    assert lost == []


def _is_run(block: Block) -> bool:
    if block.runner in RUNNERS:
        return True
    module = ROOT / block.runner
    return module.is_file() and f"docs/operate/{block.page}" in module.read_text(encoding="utf-8")


def test_the_lab_runs_every_marked_block() -> None:
    """The test there takes its blocks from the same function and leaves none out."""
    text = (ROOT / "tests/lab_operate/test_pages.py").read_text(encoding="utf-8")
    assert "MARKED = [block for block in blocks() if block.runner in RUNNERS]" in text
    assert '@pytest.mark.parametrize("block", MARKED' in text
    assert "skip" not in text
    marked = [block for block in blocks() if block.runner in RUNNERS]
    assert {block.runner for block in marked} == set(RUNNERS)


def test_every_page_with_figures_says_how_they_were_measured() -> None:
    marked = [block for block in blocks() if block.page == "capacity.md" and block.runner in RUNNERS]
    assert len(marked) >= 5


@pytest.mark.parametrize("block", [block for block in blocks() if block.runner == "site"], ids=str)
def test_what_is_run_on_the_controller_changes_nothing(block: Block) -> None:
    playbooks = re.findall(r"playbooks/(\w+)\.yml(.*)", block.script)
    assert playbooks
    assert [name for name, options in playbooks if name != "validate" and "--check" not in options] == []
