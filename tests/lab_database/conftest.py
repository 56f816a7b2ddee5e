"""The lab, and a PostgreSQL on its login node."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.conftest import (  # noqa: F401 - fixtures are found by their names here
    _quiet_lab,
    alice,
    bob,
    context,
    login,
    pytest_runtest_makereport,
    slurm,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine

SETTINGS = "/etc/berth/hub.yml"


@dataclass
class Server:
    """The database server, and how the hub gets there."""

    login: Machine
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def variables(self) -> dict[str, Any]:
        """What the site's inventory says of it."""
        return {
            "hub_database_url": "postgresql+psycopg://berth@127.0.0.1/berth",
            "hub_database_password": self.password,
        }

    def ask(self, statement: str, database: str = "berth") -> str:
        """What the server answers to its administrator."""
        return self.login.run(
            *("runuser", "-u", "postgres", "--"), *("psql", "-AtX", "-d", database, "-c", statement)
        )

    def systemd(self, verb: str) -> None:
        """Start, stop or restart it."""
        self.login.run("systemctl", verb, "postgresql")

    def used(self) -> bool:
        """Whether the hub's own connections are there."""
        return self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'berth-hub'") != "0"


@pytest.fixture(scope="package")
def server(login: Machine) -> Iterator[Server]:  # noqa: F811
    """A server with a role and an empty database for the hub, which goes afterwards."""
    server = Server(login)
    server.ask(f"CREATE ROLE berth LOGIN PASSWORD '{server.password}'", "postgres")
    server.ask("CREATE DATABASE berth OWNER berth", "postgres")
    yield server
    server.ask("DROP DATABASE berth WITH (FORCE)", "postgres")
    server.ask("DROP ROLE berth", "postgres")
