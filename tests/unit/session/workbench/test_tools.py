from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from berth.session.workbench import tools

if TYPE_CHECKING:
    from pathlib import Path

CODE: dict[str, Any] = {
    "title": "Code",
    "command": ["code", "--socket", "{socket}"],
    "environment": {"WHERE": "{home}"},
    "settings": {"{home}/machine.json": {"python": "{python}", "size": 3}},
    "defaults": {"{home}/user.json": {"theme": "light"}},
    "icon": "<svg/>",
    "start_seconds": 60,
}


def written(directory: Path, **changed: Any) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "code.json").write_text(json.dumps({**CODE, **changed}), encoding="utf-8")
    return directory


def places(home: Path) -> dict[str, str]:
    return {"home": str(home), "python": "/release/bin/python"}


def test_a_layer_without_tools_has_none(tmp_path: Path) -> None:
    assert tools.load(tmp_path / "none") == ()


def test_a_tool_is_one_file(tmp_path: Path) -> None:
    (found,) = tools.load(written(tmp_path / "tools"))
    assert (found.name, found.title, found.command) == ("code", "Code", ("code", "--socket", "{socket}"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"command": "code"}, "command must be a list"),
        ({"start_seconds": "60"}, "start_seconds must be a int"),
        ({"colour": "red"}, "must be a mapping with exactly title, command"),
    ],
)
def test_a_tool_that_is_wrong_is_told_with_its_file_and_leaves_the_others(
    tmp_path: Path, changed: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory = written(tmp_path / "tools")
    (directory / "code.json").rename(directory / "other.json")
    assert [tool.name for tool in tools.load(written(directory, **changed))] == ["other"]
    assert f"{directory / 'code.json'}" in caplog.text
    assert said in caplog.text


def test_only_known_places_are_filled_in() -> None:
    assert tools.fill('{"a": "{home}", "b": "{other}"}', {"home": "/h"}) == '{"a": "/h", "b": "{other}"}'


def test_settings_are_set_and_defaults_only_where_the_user_has_none(tmp_path: Path) -> None:
    (found,) = tools.load(written(tmp_path / "tools"))
    (tmp_path / "machine.json").write_text('{"python": "/old", "mine": 1}', encoding="utf-8")
    (tmp_path / "user.json").write_text('{"theme": "dark"}', encoding="utf-8")
    found.write_settings(places(tmp_path))
    machine = json.loads((tmp_path / "machine.json").read_text(encoding="utf-8"))
    assert machine == {"python": "/release/bin/python", "mine": 1, "size": 3}
    assert json.loads((tmp_path / "user.json").read_text(encoding="utf-8")) == {"theme": "dark"}


def test_settings_are_made_with_their_directories(tmp_path: Path) -> None:
    (found,) = tools.load(
        written(tmp_path / "tools", defaults={"{home}/a/b/user.json": {"theme": "{python}"}})
    )
    found.write_settings(places(tmp_path))
    made = tmp_path / "a/b/user.json"
    assert json.loads(made.read_text(encoding="utf-8")) == {"theme": "/release/bin/python"}
    assert [path.name for path in made.parent.iterdir()] == ["user.json"]


@pytest.mark.parametrize("kept", ["// a comment\n{}", "[1]"])
def test_a_file_that_cannot_be_read_stays_as_it_is(tmp_path: Path, kept: str) -> None:
    (found,) = tools.load(written(tmp_path / "tools"))
    (tmp_path / "machine.json").write_text(kept, encoding="utf-8")
    found.write_settings(places(tmp_path))
    assert (tmp_path / "machine.json").read_text(encoding="utf-8") == kept
    assert (tmp_path / "user.json").is_file()
