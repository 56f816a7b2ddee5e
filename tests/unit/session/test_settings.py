"""The layer's settings are what the role writes, or the session says what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from berth.session import settings
from berth.session.errors import SessionError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "profile": "/opt/berth/etc/profile.sh",
    "runtime_dir": "/tmp",  # noqa: S108
    "extensions": ["jupyterlab"],
    "kernel_oom_score_adj": 500,
    "refused_minutes": 10,
    "logs_kept": 20,
    "log_days": 90,
    "idle_minutes": 0,
    "work": "/work/{account}/{user}",
    "scratch": "",
    "links": True,
}


def load(path: Path, document: object) -> settings.Settings:
    path = path / "session.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return settings.load(path)


def test_settings_are_read(tmp_path: Path) -> None:
    read = load(tmp_path, GOOD)
    assert read.extensions == ("jupyterlab",)
    assert read.kernel_oom_score_adj == 500


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "must be a mapping with exactly"),
        ({**GOOD, "more": 1}, "must be a mapping with exactly"),
        ({"profile": "/x"}, "must be a mapping with exactly"),
        ({**GOOD, "refused_minutes": "10"}, "refused_minutes must be a int"),
        ({**GOOD, "refused_minutes": True}, "refused_minutes must be a int"),
        ({**GOOD, "extensions": "jupyterlab"}, "extensions must be a list"),
        ({**GOOD, "extensions": [1]}, "extensions must be names"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, document: object, sentence: str) -> None:
    with pytest.raises(SessionError, match=sentence):
        load(tmp_path, document)


def test_missing_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"cannot read the layer's settings .*none\.json"):
        settings.load(tmp_path / "none.json")
