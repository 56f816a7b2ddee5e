"""The helper's settings: one JSON file that only root can write, read anew for every request."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from berth.journal import FORMATS

DEFAULT_PATH = Path("/etc/berth/helper.json")


class SettingsError(Exception):
    """The settings cannot be used; the message names the file and the key."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the site decides. Every key is required; times are in seconds."""

    peer_user: str
    """The only user whose processes may ask (the hub's)."""
    allowed_group: str | None
    """Members of this group may use the service; None or "" means every ordinary user."""
    min_uid: int
    """Accounts below this uid belong to the system and are never served."""
    partition: str
    """The partition of every session."""
    slurm_bin_dir: str
    """Where sbatch and scancel are."""
    layers_dir: str
    """Where the session layers are; root-owned, the same path on the nodes."""
    password_attempts: int
    """Wrong passwords that an account may have within the window."""
    password_window_seconds: int
    password_state_dir: str
    """Where attempts are counted; root's, mode 0700."""
    submit_timeout_seconds: int
    """How long one of Slurm's commands may take; more than Slurm's own MessageTimeout."""
    extend_up_to_minutes: int
    """How long a session may last in all that is given more time; 0: none is, whatever the hub asks."""
    pam_service: str
    log_format: str
    """How lines for the journal are written (see `berth.journal`)."""


def load(path: Path) -> Settings:
    """Read the settings, or raise `SettingsError`: unknown, missing and odd values are refused."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    names = {field.name for field in dataclasses.fields(Settings)}
    if not isinstance(values, dict) or set(values) != names:
        raise SettingsError(f"{path}: the keys must be exactly {', '.join(sorted(names))}.")
    for field in dataclasses.fields(Settings):
        if not _fits(field.name, str(field.type), values[field.name]):
            raise SettingsError(f"{path}: the value of {field.name!r} is not valid.")
    return Settings(**values)


def _fits(name: str, kind: str, value: object) -> bool:
    if kind == "int":
        return type(value) is int and value >= (0 if name == "extend_up_to_minutes" else 1)
    if kind == "str | None" and (value is None or value == ""):
        return True
    if name == "log_format":
        return value in FORMATS
    return isinstance(value, str) and (value.startswith("/") if name.endswith("_dir") else value != "")
