"""The privileged helper: what its file allows, who may reach its socket, and whom it answers."""

from __future__ import annotations

import grp
import json
import pwd
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.doctor import commands
from berth.doctor.hub import PLAYBOOK, modes
from berth.doctor.model import Finding, failure, judged, ok, warning
from berth.helper import settings as helper_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

_LOWEST_UID: Final = 1000
_SOCKET_MODE: Final = 0o660
# Asks one question on standard input; whoever runs it is the peer.
_ASK: Final = """
import socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(20)
    connection.connect(sys.argv[1])
    connection.sendall(sys.stdin.buffer.read())
    connection.shutdown(socket.SHUT_WR)
    while chunk := connection.recv(65536):
        sys.stdout.buffer.write(chunk)
"""
# Does nothing, whoever asks: nobody may ask for root.
_QUESTION: Final = json.dumps({"verb": "cancel", "user": "root", "job_id": 1})


def policy(site: Site) -> list[Finding]:
    """Compare the helper's settings with the hub's, and with what the system has."""
    path = site.options.etc / "helper.json"
    try:
        found = helper_settings.load(path)
    except helper_settings.SettingsError as error:
        return [failure(str(error), PLAYBOOK)]
    problems = [*modes(path, 0o077), *_agreement(site, found), *_accounts(found), *_places(found)]
    who = f"members of {found.allowed_group}" if found.allowed_group else "all users"
    well = f"the helper serves {found.peer_user} for {who} from uid {found.min_uid} on, in {found.partition}"
    return judged(problems, well)


def _agreement(site: Site, found: helper_settings.Settings) -> Iterator[Finding]:
    more = site.hub.walltime_extension
    expected: dict[str, str | int] = {
        "partition": site.hub.slurm.partition,
        "slurm_bin_dir": str(site.hub.slurm.bin_dir),
        "layers_dir": str(site.hub.session.root / "layers"),
        "extend_up_to_minutes": more.most_minutes if more else 0,
    }
    for key, value in expected.items():
        if getattr(found, key) != value:
            text = f"the helper's {key} is {getattr(found, key)}, the hub's is {value}"
            yield failure(text, PLAYBOOK)


def _accounts(found: helper_settings.Settings) -> Iterator[Finding]:
    try:
        if pwd.getpwnam(found.peer_user).pw_uid == 0:
            yield failure(f"peer_user is {found.peer_user}, who is root: the hub shall be nobody", PLAYBOOK)
    except KeyError:
        yield failure(f"peer_user {found.peer_user} does not exist: nobody may ask the helper", PLAYBOOK)
    if found.min_uid < _LOWEST_UID:
        text = f"min_uid is {found.min_uid}: accounts of the system may log in"
        yield warning(text, f"set hub_min_uid to {_LOWEST_UID} or more, and run playbooks/hub.yml")
    if found.allowed_group:
        try:
            grp.getgrnam(found.allowed_group)
        except KeyError:
            text = f"the group {found.allowed_group} does not exist: nobody can log in"
            yield failure(text, "make it, or correct hub_allowed_group and run playbooks/hub.yml")


def _places(found: helper_settings.Settings) -> Iterator[Finding]:
    if not (Path("/etc/pam.d") / found.pam_service).is_file():
        yield failure(f"/etc/pam.d/{found.pam_service} is missing: no password can be checked", PLAYBOOK)
    for name in ("sbatch", "scancel"):
        if not (Path(found.slurm_bin_dir) / name).is_file():
            fix = "correct hub_slurm_bin_dir and run playbooks/hub.yml"
            yield failure(f"there is no {found.slurm_bin_dir}/{name}", fix)
    for place in (Path(found.layers_dir), Path(found.password_state_dir)):
        if place.is_dir():  # the second is made by the first request
            yield from modes(place, 0o022)


def sockets(site: Site) -> list[Finding]:
    """Look whose the socket is, and that only the hub's group can open it."""
    path, user = site.hub.helper_socket, site.hub_user
    try:
        found = path.lstat()
    except OSError as error:
        fix = "systemctl restart berth-helper.socket"
        return [failure(f"{path}: {error.strerror}: nobody can log in or start anything", fix)]
    fix = "systemctl restart berth-helper.socket; if it comes back, run playbooks/hub.yml"
    problems = []
    if not stat.S_ISSOCK(found.st_mode):
        problems.append(failure(f"{path} is no socket", fix))
    if (found.st_uid, found.st_gid) != (0, user.pw_gid):
        who = f"uid {found.st_uid} and gid {found.st_gid}"
        problems.append(failure(f"{path} belongs to {who}, not to root and {user.pw_name}'s group", fix))
    if (mode := stat.S_IMODE(found.st_mode)) != _SOCKET_MODE:
        problems.append(failure(f"{path} has mode {mode:04o}, not {_SOCKET_MODE:04o}", fix))
    problems += modes(path.parent, 0o022)
    return judged(problems, f"{path} can be opened by root and the group of {user.pw_name} only")


def peer(site: Site) -> list[Finding]:
    """Ask the helper as root, whom it must not answer, and as the hub, whom it must not serve root."""
    path, user = site.hub.helper_socket, site.hub_user
    stranger, hub = _ask(path, None), _ask(path, user)
    problems = []
    if "Only " not in str(stranger.get("message")):
        problems.append(failure(f"the helper answers root, who is not its peer: {stranger}", PLAYBOOK))
    if hub.get("error") != "not-permitted" or "Only " in str(hub.get("message")):
        fix = "look at journalctl -u 'berth-helper@*'"
        problems.append(failure(f"the helper gives the hub no proper answer: {hub}", fix))
    return problems or [ok(f"the helper answers {user.pw_name} only, and acts for root in no case")]


def _ask(path: Path, user: pwd.struct_passwd | None) -> dict[str, Any]:
    argv = [sys.executable, "-I", "-c", _ASK, str(path)]
    answer = commands.run(argv, given=_QUESTION, user=user, seconds=30.0)
    try:
        document = json.loads(answer.output)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {"message": answer.said.rpartition("Error: ")[2]}
