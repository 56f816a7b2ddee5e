"""What checks look at: asked for when the first check needs it, and asked once, failures too."""

from __future__ import annotations

import asyncio
import pwd
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from berth.doctor.model import NotApplicableError
from berth.helper import settings as helper_settings
from berth.slurm.answers import client
from berth.slurm.answers.controller import parse_controller
from berth.slurm.answers.document import records
from berth.slurm.answers.nodes import parse_nodes
from berth.slurm.answers.partitions import parse_partitions
from berth.slurm.existing.cluster import Cluster, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from berth.hub.settings import FormSettings, HubSettings
    from berth.slurm.answers.commands import Commands
    from berth.slurm.answers.controller import Controller
    from berth.slurm.answers.document import Record
    from berth.slurm.answers.nodes import Node
    from berth.slurm.answers.partitions import Partition

ETC: Final = Path("/etc/berth")
SLURM_SECONDS: Final = 30.0
"""How long one query of Slurm may take where no settings say it."""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Options:
    """What the command was told.

    `user`: on whose behalf jobs are started on all nodes; empty: none are. `start_seconds`: how long these
    may take. `inventory`: what the inventory says of the partition; None: nobody told. `against`: what the
    hub's host says of itself (`berth.doctor.facts`), for nodes; None as before. `hub_url`: where sessions ask
    the hub, for jobs. `layer`: the session layer.
    """

    etc: Path = ETC
    user: str = ""
    start_seconds: float = 180.0
    inventory: Mapping[str, Any] | None = None
    against: Mapping[str, Any] | None = None
    hub_url: str = ""
    layer: Path | None = None
    node: bool = False


@dataclass
class Site:
    """The site as this host sees it."""

    options: Options = field(default_factory=Options)
    _known: dict[str, tuple[Any, Exception | None]] = field(default_factory=dict)

    def _once(self, name: str, ask: Callable[[], _Value]) -> _Value:
        if name not in self._known:
            try:
                self._known[name] = (ask(), None)
            except Exception as error:  # noqa: BLE001 - kept and raised for everybody who asks
                self._known[name] = (None, error)
        value, failed = self._known[name]
        if failed is not None:
            raise failed
        return value  # type: ignore[no-any-return] # what ask() gave under this name

    @property
    def settings(self) -> tuple[HubSettings, FormSettings]:
        """The hub's settings and the form's; NotApplicableError where they cannot be used."""
        return self._once("settings", self._settings)

    def _settings(self) -> tuple[HubSettings, FormSettings]:
        from berth.hub import settings  # noqa: PLC0415 - nodes do not have what it needs

        try:
            return settings.load(self.options.etc)
        except settings.SettingsError as error:
            raise NotApplicableError(
                "the hub's settings cannot be used, see the check hub.settings"
            ) from error

    @property
    def hub(self) -> HubSettings:
        """The hub's settings."""
        return self.settings[0]

    @property
    def helper(self) -> helper_settings.Settings:
        """The privileged helper's settings."""
        try:
            return self._once("helper", lambda: helper_settings.load(self.options.etc / "helper.json"))
        except helper_settings.SettingsError as error:
            raise NotApplicableError(
                "the helper's settings cannot be used, see the check helper.policy"
            ) from error

    @property
    def hub_user(self) -> pwd.struct_passwd:
        """The account of the hub."""
        name = self.helper.peer_user
        try:
            return pwd.getpwnam(name)
        except KeyError as error:
            raise NotApplicableError(f"there is no user {name}, see the check helper.policy") from error

    @property
    def told(self) -> Mapping[str, Any]:
        """What the inventory says; NotApplicableError where nobody told."""
        if self.options.inventory is None:
            raise NotApplicableError("what the inventory says is known to playbooks/doctor.yml only")
        return self.options.inventory

    @property
    def against(self) -> Mapping[str, Any]:
        """What the hub's host says of itself; NotApplicableError where nobody told."""
        if self.options.against is None:
            raise NotApplicableError("what the hub's host says is known to playbooks/doctor.yml only")
        return self.options.against

    @property
    def layers(self) -> list[Path]:
        """The session layers of this host: those that the hub's host names, or the one that runs this."""
        if self.options.against is not None:
            return [Path(path) for path in self.options.against.get("layers", [])]
        own = self.options.layer or Path(sys.prefix)
        return [own] if (own / "bin" / "berth-session").is_file() else []

    @property
    def commands(self) -> Commands:
        """Slurm's queries; raises SlurmError where Slurm is not installed."""
        bin_dir = str(self.hub.slurm.bin_dir)
        return self._once("commands", lambda: asyncio.run(client.connect(bin_dir, self.slurm_seconds)))

    @property
    def slurm_seconds(self) -> float:
        """How long one query of Slurm may take."""
        return self.hub.slurm.timeout_seconds

    def ask(self, argv: list[str]) -> str:
        """Run a query of Slurm; raises SlurmError."""
        return self._once(f"ask {argv}", lambda: asyncio.run(client.run(argv, self.slurm_seconds)))

    @property
    def config(self) -> str:
        """The answer of `scontrol show config`."""
        return self.ask(self.commands.controller())

    @property
    def controller(self) -> Controller:
        """What it says of accounting and rights."""
        return parse_controller(self.config)

    @property
    def cluster(self) -> Cluster:
        """The parameters with which slurmctld runs."""
        return Cluster(settings_of(self.config), (), (), ())

    @property
    def partition(self) -> Partition:
        """The interactive partition; SlurmRefused or NotApplicableError where there is none."""
        query = self.commands.partition(self.hub.slurm.partition)
        found = parse_partitions(client.decode(self.ask(query)))
        if not found:
            raise NotApplicableError(f"there is no partition {self.hub.slurm.partition}")
        return found[0]

    @property
    def node_records(self) -> list[Record]:
        """Slurm's records of the partition's nodes."""
        names = set(self.partition.nodes)
        answer = client.decode(self.ask(self.commands.nodes()))
        return [record for record in records(answer, "nodes") if record.get("name") in names]

    @property
    def nodes(self) -> list[Node]:
        """The partition's nodes."""
        return parse_nodes({"nodes": self.node_records})
