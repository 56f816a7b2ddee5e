"""Reading the hub's pages: forms, their fields with labels, tables, and plain text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup, Tag

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Field:
    """One menu of a form."""

    name: str
    label: str
    chosen: str
    choices: tuple[str, ...]
    hint: str


@dataclass(frozen=True)
class Form:
    """One form of a page: where it goes, its hidden values, its menus."""

    action: str
    hidden: dict[str, str]
    fields: dict[str, Field]
    buttons: tuple[str, ...]

    def label(self, label: str) -> Field:
        """The field that people know under a label."""
        found = [field for field in self.fields.values() if field.label == label]
        assert len(found) == 1, f"the form has {[field.label for field in self.fields.values()]}, not {label}"
        return found[0]


def parse(response: httpx.Response) -> BeautifulSoup:
    """The page as a tree."""
    return BeautifulSoup(response.text, "html.parser")


def text(response: httpx.Response) -> str:
    """What the page says in its main part (or at all), white space folded."""
    page = parse(response)
    return " ".join((page.find("main") or page).get_text(" ").split())


def form(response: httpx.Response, identity: str = "") -> Form:
    """The form of that id, or the only one beside those at the foot of every page."""
    page = parse(response)
    found = [
        item
        for item in page.find_all("form")
        if (item.get("id") == identity if identity else item.find_parent("footer") is None)
    ]
    assert len(found) == 1, f"{len(found)} forms at {response.url}"
    tree = found[0]
    hidden = {str(item["name"]): str(item.get("value", "")) for item in tree.select("input[type=hidden]")}
    menus = [_field(page, menu) for menu in tree.find_all("select")]
    buttons = tuple(item.get_text(strip=True) for item in tree.select("button[type=submit]"))
    return Form(str(tree.get("action", "")), hidden, {menu.name: menu for menu in menus}, buttons)


def _field(page: BeautifulSoup, menu: Tag) -> Field:
    labels = page.select(f'label[for="{menu["id"]}"]')
    options = menu.find_all("option")
    chosen = [str(option["value"]) for option in options if option.has_attr("selected")]
    described = str(menu.get("aria-describedby", "")).split()
    hints = [found.get_text(" ", strip=True) for name in described if (found := page.find(id=name))]
    return Field(
        name=str(menu["name"]),
        label=" ".join(label.get_text(strip=True) for label in labels),
        chosen=chosen[0] if chosen else str(options[0]["value"]) if options else "",
        choices=tuple(str(option["value"]) for option in options),
        hint=" ".join(hints),
    )


def table(response: httpx.Response, identity: str) -> list[list[str]]:
    """The cells of a table, row by row, its head first."""
    found = parse(response).find(id=identity)
    assert isinstance(found, Tag), f"no table {identity} at {response.url}"
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])]
        for row in found.find_all("tr")
    ]
