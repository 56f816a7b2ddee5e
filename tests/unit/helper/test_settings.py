from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from berth.helper.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "helper.json"


def test_settings_are_read_as_they_were_written(path: Path, settings: Settings) -> None:
    path.write_text(json.dumps(dataclasses.asdict(settings)))
    assert load(path) == settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_uid", 0),
        ("min_uid", True),
        ("min_uid", "1000"),
        ("submit_timeout_seconds", -1),
        ("password_attempts", 0),
        ("extend_up_to_minutes", -1),
        ("extend_up_to_minutes", None),
        ("extend_up_to_minutes", True),
        ("peer_user", ""),
        ("peer_user", None),
        ("pam_service", ""),
        ("partition", 5),
        ("layers_dir", "opt/berth/layers"),
        ("slurm_bin_dir", ""),
        ("password_state_dir", None),
        ("allowed_group", 100),
        ("log_format", "xml"),
        ("surprise", "x"),
    ],
)
def test_odd_values_and_unknown_keys_are_refused(
    path: Path, settings: Settings, key: str, value: object
) -> None:
    path.write_text(json.dumps({**dataclasses.asdict(settings), key: value}))
    with pytest.raises(SettingsError, match=str(path)):
        load(path)


def test_extensions_can_be_off(path: Path, settings: Settings) -> None:
    path.write_text(json.dumps({**dataclasses.asdict(settings), "extend_up_to_minutes": 0}))
    assert load(path).extend_up_to_minutes == 0


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Settings)])
def test_no_key_has_a_silent_default(path: Path, settings: Settings, key: str) -> None:
    values = dataclasses.asdict(settings)
    del values[key]
    path.write_text(json.dumps(values))
    with pytest.raises(SettingsError, match=key):
        load(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{"])
def test_another_document_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingsError, match=str(path)):
        load(path)


def test_a_missing_file_is_refused(path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(path)
