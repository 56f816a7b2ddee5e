"""Settings, an ordinary user and stand-ins for Slurm's programs.

The stand-ins prove only what the helper hands to a program: arguments, environment, identity. What Slurm
makes of it is proved in the lab.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import sys
import tempfile
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.helper import policy
from berth.helper.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = """#!/bin/sh
here=$(dirname "$0")
cat /proc/$$/environ > "$here/seen/environment"
printf '%s\\0' "$0" "$@" > "$here/seen/argv"
{ id -u; id -g; id -G; pwd; umask; cut -d' ' -f1,6 /proc/$$/stat; cat; } > "$here/seen/who"
ls /proc/$$/fd > "$here/seen/descriptors"
"""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a stand-in was given."""

    argv: list[str]
    environment: dict[str, str]
    uid: int
    gid: int
    groups: set[int]
    directory: str
    umask: int
    leads_session: bool
    stdin: str
    descriptors: set[str]


class Programs:
    """A directory of stand-ins that every user may run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "seen").mkdir()
        directory.chmod(0o755)
        (directory / "seen").chmod(0o777)

    def write(self, name: str, body: str) -> None:
        program = self.directory / name
        program.write_text(RECORD + body)
        program.chmod(0o755)

    def seen(self) -> Seen:
        files = {path.name: path.read_text() for path in (self.directory / "seen").iterdir()}
        who = files["who"].splitlines()
        pid, session = who[5].split()
        return Seen(
            argv=files["argv"].split("\0")[:-1],
            environment=dict(line.split("=", 1) for line in files["environment"].split("\0")[:-1]),
            uid=int(who[0]),
            gid=int(who[1]),
            groups={int(gid) for gid in who[2].split()},
            directory=who[3],
            umask=int(who[4], 8),
            leads_session=pid == session,
            stdin="\n".join(who[6:]),
            descriptors=set(files["descriptors"].split()),
        )

    @property
    def ran(self) -> bool:
        return any((self.directory / "seen").iterdir())


@pytest.fixture
def programs() -> Iterator[Programs]:
    with tempfile.TemporaryDirectory(prefix="p-") as directory:
        yield Programs(Path(directory))


@pytest.fixture
def ordinary() -> str:
    """Name an account that is not root: the one that runs the tests, or (for root) the first with a shell."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    return next(
        entry.pw_name
        for entry in pwd.getpwall()
        if entry.pw_uid not in {0, 65534} and not entry.pw_shell.endswith(("/nologin", "/false"))
    )


@pytest.fixture
def settings(tmp_path: Path, programs: Programs) -> Settings:
    attempts = tmp_path / "attempts"
    attempts.mkdir(mode=0o700)
    return Settings(
        peer_user=pwd.getpwuid(os.geteuid()).pw_name,
        allowed_group=None,
        min_uid=1,
        partition="interactive",
        slurm_bin_dir=str(programs.directory),
        layers_dir="/opt/berth/layers",
        password_attempts=3,
        password_window_seconds=60,
        password_state_dir=str(attempts),
        submit_timeout_seconds=20,
        extend_up_to_minutes=480,
        pam_service="berth",
        log_format="text",
    )


@pytest.fixture
def user(ordinary: str, settings: Settings) -> policy.User:
    return policy.find_user(ordinary, settings)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user: run the tests as root to prove it"
)


class PAMError(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Pam(types.ModuleType):
    """Stands in for pamela: everybody's password is "right"; accounts in `expired` may not log in."""

    PAMError = PAMError

    def __init__(self) -> None:
        super().__init__("pamela")
        self.tried: list[str] = []
        self.expired: set[str] = set()

    def authenticate(
        self, username: str, password: str, service: str, *, resetcred: int, check: bool
    ) -> None:
        assert (service, resetcred, check) == ("berth", 0, False)
        self.tried.append(username)
        if password != "right":
            raise PAMError("Authentication failure")

    def check_account(self, username: str, service: str) -> None:
        assert service == "berth"
        if username in self.expired:
            raise PAMError("User account has expired")


@pytest.fixture
def pam(monkeypatch: pytest.MonkeyPatch) -> Pam:
    module = Pam()
    monkeypatch.setitem(sys.modules, "pamela", module)
    return module
