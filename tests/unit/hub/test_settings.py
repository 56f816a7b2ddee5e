"""Settings that cannot work stop the start with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from traitlets.config import Config

from berth.hub import config, settings
from berth.hub.app import BerthHub
from tests.unit.hub.factories import FORM, HUB

if TYPE_CHECKING:
    from pathlib import Path


def write(directory: Path, hub: dict[str, Any] | None = None, form: dict[str, Any] | None = None) -> Path:
    hub_document = HUB.model_dump(mode="json") | (hub or {})
    form_document = FORM.model_dump(mode="json") | (form or {})
    (directory / "hub.yml").write_text(yaml.safe_dump(hub_document), encoding="utf-8")
    (directory / "form.yml").write_text(yaml.safe_dump(form_document), encoding="utf-8")
    return directory


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    assert settings.load(write(tmp_path)) == (HUB, FORM)


@pytest.mark.parametrize(
    ("hub", "form", "said"),
    [
        ({"pubic_url": "x"}, {}, "pubic_url"),
        ({"hub_port": 80}, {}, "hub_port"),
        ({"session": {"port_range": [5000, 4000]}}, {}, "5000 is above 4000"),
        ({}, {"time": {"default": "UNLIMITED", "choices": ["UNLIMITED"]}}, "a session needs a limit"),
        ({}, {"time": {"default": "0", "choices": ["0"]}}, "a session needs a limit"),
        ({}, {"time": {"default": "01:00:00", "choices": ["02:00:00"]}}, "not among the choices"),
        ({}, {"memory": {"default": "lots", "choices": ["lots"]}}, "memory"),
        ({}, {"cores": {"default": 1, "choices": []}}, "cores.choices"),
        ({}, {"interfaces": [{"name": "lab", "title": "Lab", "url": "lab"}]}, "interfaces.0.url"),
        ({}, {"shared_by": 5}, "shared_by"),
        ({"database_url": "postgresql+psycopg://berth:x@db/berth"}, {}, "the password does not belong here"),
        (
            {"database_url": "postgresql+psycopg://berth@db/berth?password=x"},
            {},
            "the password does not belong",
        ),
        ({"database_url": "mysql://berth@db/berth"}, {}, "/database, or nothing for SQLite"),
        ({"database_url": "postgresql+psycopg://berth@db"}, {}, "/database, or nothing for SQLite"),
        ({"database_url": "db.example.org"}, {}, "/database, or nothing for SQLite"),
    ],
)
def test_a_wrong_value_is_named(
    tmp_path: Path, hub: dict[str, Any], form: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(settings.SettingsError, match=said):
        settings.load(write(tmp_path, hub, form))
    assert config.main([str(tmp_path)]) == 1
    assert said in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(settings.SettingsError, match=r"hub\.yml cannot be read"):
        settings.load(tmp_path)


def test_good_files_pass_the_check(tmp_path: Path) -> None:
    assert config.main([str(write(tmp_path))]) == 0


@pytest.mark.parametrize(
    ("hub", "said"),
    [
        ({"announcements": [{"text": "a\nb"}]}, "announcements.0.text"),
        ({"announcements": [{"text": "x", "until": "soon"}]}, "announcements.0.until"),
        ({"walltime_extension": {"hours": 2}}, "walltime_extension.most_hours"),
        ({"walltime_extension": {"hours": 0, "most_hours": 2}}, "walltime_extension.hours"),
    ],
)
def test_what_operators_set_is_checked_too(tmp_path: Path, hub: dict[str, Any], said: str) -> None:
    with pytest.raises(settings.SettingsError, match=said):
        settings.load(write(tmp_path, hub))


def test_nothing_given_is_nothing_offered(tmp_path: Path) -> None:
    hub, _ = settings.load(write(tmp_path, {"walltime_extension": {}, "announcements": []}))
    assert (hub.walltime_extension, hub.announcements) == (None, ())


def test_the_operator_s_commands_may_do_no_more_than_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in ("", "0123456789abcdef"):
        monkeypatch.setenv("BERTH_OPERATOR_TOKEN", token)
        c = Config()
        try:
            config.apply(c, write(tmp_path))
        finally:
            BerthHub.clear_instance()
        hub = BerthHub(config=c)
        roles = [(role["scopes"], role["services"]) for role in hub.load_roles]
        assert [service["api_token"] for service in hub.services] == ([token] if token else [])
        needed = ["admin-ui", "read:servers", "delete:servers"]
        assert roles == ([(needed, ["berth-operator"])] if token else [])
