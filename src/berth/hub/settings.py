"""The hub's and the form's settings, read from `/etc/berth/hub.yml` and `/etc/berth/form.yml`.

The files are data written by the roles `hub` and `spawner_form`. The models refuse unknown keys and
values out of range, so that a spelling mistake stops the start with a sentence instead of being ignored.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar
from urllib.parse import quote

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from berth.hub.form.policy import GroupLimits
from berth.hub.oidc.settings import OidcSettings
from berth.hub.operate.notices import Announcement
from berth.hub.session.allowance import Extension
from berth.hub.values import DatabaseUrl, Duration, OptionalUrl, Port, Size, Url


class SettingsError(Exception):
    """A settings file cannot be used; the text says which key and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_PLACES: Final = re.compile(r"\{job_id\}|\{reason\}")


class SlurmSettings(_Model):
    """How the collector asks Slurm."""

    partition: str = Field(min_length=1)
    """The interactive partition: the only one whose nodes and jobs are read."""
    bin_dir: Path = Path("/usr/bin")
    """Directory of squeue, scontrol, sacct, sacctmgr."""
    interval_seconds: float = Field(default=5.0, ge=1.0, le=300.0)
    """Seconds between two rounds of queries; the collector waits longer when Slurm is slow."""
    timeout_seconds: float = Field(default=30.0, ge=1.0, le=300.0)
    """Seconds until one query is given up."""


class SessionSettings(_Model):
    """What a session may use and how long its start may take."""

    root: Path = Path("/opt/berth")
    """Shared directory with `layers/`, `releases/` and `etc/`."""
    port_range: tuple[Port, Port] = (40000, 49999)
    """Ports that sessions listen on, both ends included: what the firewall must let the proxy reach."""
    boot_timeout_seconds: int = Field(default=180, ge=10)
    """Seconds from RUNNING until the session must have reported."""
    queue_timeout_seconds: int = Field(default=7 * 86400, ge=60)
    """Seconds that a request may wait in the queue; waiting long is not a failure."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.port_range[0] > self.port_range[1]:
            message = f"port_range: {self.port_range[0]} is above {self.port_range[1]}"
            raise ValueError(message)
        return self


class HubSettings(_Model):
    """`/etc/berth/hub.yml`."""

    public_url: str
    """The URL that users open."""
    hub_port: Port = 8081
    """Port of the hub on loopback."""
    proxy_bind_url: str = "http://127.0.0.1:8000"
    """Where configurable-http-proxy listens for nginx."""
    proxy_api_url: str = "http://127.0.0.1:8001"
    """Where configurable-http-proxy takes routes from the hub."""
    session_hub_url: str
    """How sessions reach the hub's API: the TLS listener that only compute nodes may open."""
    state_dir: Path = Path("/var/lib/berth-hub")
    """SQLite database and cookie secret."""
    database_url: DatabaseUrl = ""
    """PostgreSQL instead of that SQLite database, without a password."""
    helper_socket: Path = Path("/run/berth/helper.sock")
    """Socket of the privileged helper."""
    helper_timeout_seconds: float = Field(default=60.0, ge=1.0)
    """Seconds until its answer counts as lost: longer than it can live, so that its answer is heard."""
    admin_users: tuple[str, ...] = ()
    """Users with JupyterHub's admin page."""
    admin_groups: tuple[str, ...] = ()
    """Unix groups whose members have it too."""
    oidc: OidcSettings | None = None
    """The provider where users sign in; None: they log in with the cluster's password."""
    history_days: int = Field(default=30, ge=0, le=3650)
    """Days that a user's past sessions are kept; 0: none are."""
    usage_months: int = Field(default=3, ge=0, le=24)
    """Months, this one included, of which users see what their sessions used; 0: there is no such page."""
    log_format: Literal["text", "json"] = "text"
    """How lines for the journal are written (see `berth.journal`)."""
    announcements: tuple[Announcement, ...] = ()
    """What users shall know, beside what the command `berth announce` adds."""
    walltime_extension: Annotated[Extension | None, BeforeValidator(lambda given: given or None)] = None
    """Whether sessions can be given more time; empty: they cannot."""
    slurm: SlurmSettings
    session: SessionSettings = SessionSettings()

    @property
    def sqlite_file(self) -> Path:
        """Where the SQLite database is, if there is one."""
        return self.state_dir / "hub.sqlite"

    @property
    def db_url(self) -> str:
        """The database that is used, as SQLAlchemy names it."""
        return self.database_url or f"sqlite:///{self.sqlite_file}"


class _Field(_Model):
    """A field with a list of choices, one of them chosen at first."""

    @model_validator(mode="after")
    def _default_is_a_choice(self) -> Self:
        default, choices = self.__dict__["default"], self.__dict__["choices"]
        if default not in choices:
            message = f"the default {default!r} is not among the choices"
            raise ValueError(message)
        return self


class IntegerField(_Field):
    """A field with whole numbers to choose from."""

    default: int = Field(ge=0)
    choices: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)


class SizeField(_Field):
    """A field with sizes in Slurm's notation (`2000M`, `8G`)."""

    default: Size
    choices: tuple[Size, ...] = Field(min_length=1)


class TimeField(_Field):
    """A field with times in Slurm's notation (`08:00:00`, `1-00:00:00`)."""

    default: Duration
    choices: tuple[Duration, ...] = Field(min_length=1)


class Interface(_Model):
    """One entry of the menu "User interface"."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    url: str = Field(pattern=r"^/")
    """Path inside the session that this interface opens."""


class Link(_Model):
    """A link at the foot of every page."""

    title: str = Field(min_length=1)
    url: Url


class Links(_Model):
    """Links at the foot of every page; an empty one is not shown."""

    help: OptionalUrl = ""
    """May hold `{job_id}` and `{reason}`: what is known of the session that its user asks about."""
    terms: OptionalUrl = ""
    more: tuple[Link, ...] = ()

    def help_url(self, job_id: str = "", reason: str = "") -> str:
        """Return the address of the help; places are empty where there is no job."""
        values = {"{job_id}": quote(job_id, safe=""), "{reason}": quote(reason, safe="")}
        return _PLACES.sub(lambda place: values[place[0]], self.help)


class FormSettings(_Model):
    """`/etc/berth/form.yml`."""

    cores: IntegerField
    memory: SizeField
    gpus: IntegerField
    time: TimeField
    interfaces: tuple[Interface, ...] = Field(min_length=1)
    links: Links = Links()
    group_limits: tuple[GroupLimits, ...] = ()
    """What members of Unix groups may ask for."""


_AnyModel = TypeVar("_AnyModel", bound=BaseModel)


def _read(path: Path, model: type[_AnyModel]) -> _AnyModel:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        message = f"{path} cannot be read: {error}"
        raise SettingsError(message) from error
    try:
        return model.model_validate(document)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("\n".join(lines)) from error


def load(directory: Path) -> tuple[HubSettings, FormSettings]:
    """Read and validate both files of `directory`; raises SettingsError with a line for each problem."""
    return _read(directory / "hub.yml", HubSettings), _read(directory / "form.yml", FormSettings)
