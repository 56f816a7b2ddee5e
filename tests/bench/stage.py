"""What a benchmark does to the lab, and undoes: users, Berth's settings, the state of slurmctld.

A later run undoes it as well: one that was killed leaves nothing for ever.
"""

from __future__ import annotations

import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.lab.cluster import COURSE
from tests.lab.machines import LOGIN, NODES, ROOT, Machine, lab
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USERS: Final = tuple(f"bench{number:02}" for number in range(51))
"""The first one is who is timed alone."""
FIRST_UID: Final = 2900
MEMORY: Final = "250M"
"""What a session asks for where many run at a time: fifteen of them fit a node of the lab."""
KEPT: Final = "/root/berth-bench"
"""What was there before, on the login node; whatever lies there has to be put back."""
HUB_FILES: Final = ("/etc/berth/form.yml", "/etc/berth/hub.yml", "/var/lib/berth-hub")
STATES: Final = ("normal", "stopped", "dead")
"""Of slurmctld: it answers; it got SIGSTOP, so that its port is open and nobody answers; it does not run."""
ANSWER_SECONDS: Final = 60.0

ACCOUNT: Final[str] = next(
    item["Accounts"].split(",")[0]
    for item in lab().variables["slurm_cluster_reservations"]
    if item["ReservationName"] == COURSE
)
"""May use the nodes with and without a reservation."""


class InUseError(Exception):
    """Somebody works in the lab: a benchmark would disturb them, and they it."""


def login() -> Machine:
    """The machine of the hub and of slurmctld."""
    return Machine(LOGIN)


def write(machine: Machine, path: str, text: str) -> None:
    """Give a file on a machine another content; owner and mode stay."""
    command = ["docker", "exec", "-i", machine.container, "sh", "-euc", f"cat > '{path}'"]
    subprocess.run(command, input=text, text=True, check=True)


def refuse_if_in_use() -> None:
    """Raise InUseError while jobs of others than the benchmark are queued."""
    names = set(login().run("squeue", "-h", "-o", "%u").split()) - set(USERS)
    if names:
        raise InUseError(
            f"The lab is in use: stop the sessions and jobs of {', '.join(sorted(names))} first."
        )


def cancel_jobs() -> None:
    """End all jobs of the benchmark's users and wait until they have left the queue."""
    machine = login()

    def left() -> list[str]:
        rows = machine.run("squeue", "-h", "-o", "%A %u").splitlines()
        return [number for number, name in map(str.split, rows) if name in USERS]

    if jobs := left():
        machine.attempt("scancel", "--quiet", *jobs)
        until(lambda: not left(), "the end of the benchmark's jobs", ANSWER_SECONDS)


# --- users --------------------------------------------------------------------------------------------


@contextmanager
def users() -> Iterator[str]:
    """Have the benchmark's users on all machines and in accounting; gives the password of all of them."""
    password = secrets.token_urlsafe(16)
    _remove_users()
    try:
        _add_users(password)
        yield password
    finally:
        _remove_users()


def _add_users(password: str) -> None:
    group = lab().variables["lab_group"]["name"]
    rows = [f"{name} {FIRST_UID + number}" for number, name in enumerate(USERS)]
    add = (
        f'useradd --no-user-group --groups {group} --shell /bin/bash --uid "$uid" --key MAIL_DIR=/nonexistent'
    )
    loop = f"while read -r name uid; do {add} $1 \"$name\"; done <<'END'\n" + "\n".join(rows) + "\nEND\n"
    machine = login()
    machine.run("sh", "-euc", loop, "sh", "--create-home")  # the homes are shared
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: Machine(name).run("sh", "-euc", loop, "sh", "--no-create-home"), NODES))
    passwords = "".join(f"{name}:{password}\n" for name in USERS)
    subprocess.run(
        ["docker", "exec", "-i", machine.container, "chpasswd"], input=passwords, text=True, check=True
    )
    machine.run("sacctmgr", "-i", "add", "user", ",".join(USERS), f"account={ACCOUNT}")


def _remove_users() -> None:
    machine, present = login(), f"getent passwd {' '.join(USERS)} | cut -d: -f1"
    if not machine.attempt("sh", "-c", present).stdout:
        return
    cancel_jobs()
    machine.attempt("sacctmgr", "-i", "delete", "user", ",".join(USERS))
    # Processes that a job left would keep a user from being removed; slurmd ends them soon.
    remove = f'for name in $({present}); do userdel --force $1 "$name" 2>/dev/null; done'
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: Machine(name).attempt("sh", "-c", remove), NODES))
    machine.attempt("sh", "-c", remove, "sh", "--remove")


# --- Berth's hub --------------------------------------------------------------------------------------


@contextmanager
def berth_settings() -> Iterator[None]:
    """Let Berth ask Slurm as often as it does by default, and offer small sessions; put all back afterwards.

    The hub's database is put back, too: nothing of the benchmark's users stays in it.
    """
    machine = login()
    _put_back(machine)
    try:
        machine.run("systemctl", "stop", "berth-hub")
        copy = f"cp -a --parents {' '.join(HUB_FILES)} {KEPT}.new"
        machine.shell(f"rm -rf {KEPT}.new; mkdir {KEPT}.new; {copy}; mv {KEPT}.new {KEPT}")
        defaults = yaml.safe_load((ROOT / "roles/hub/defaults/main.yml").read_text(encoding="utf-8"))
        form, hub = (yaml.safe_load(machine.run("cat", path)) for path in HUB_FILES[:2])
        hub["slurm"]["interval_seconds"] = defaults["hub_slurm_interval_seconds"]
        form["memory"]["choices"] = [MEMORY, *form["memory"]["choices"]]
        _write_documents(machine, dict(zip(HUB_FILES[:2], (form, hub), strict=True)))
        machine.run("systemctl", "start", "berth-hub")
        yield
    finally:
        _put_back(machine)


def _write_documents(machine: Machine, documents: Mapping[str, Any]) -> None:
    for path, document in documents.items():
        write(machine, path, yaml.safe_dump(document, sort_keys=False))


def _put_back(machine: Machine) -> None:
    if machine.attempt("test", "-d", KEPT).rc == 0:
        machine.run("systemctl", "stop", "berth-hub")
        machine.shell(f"rm -rf {HUB_FILES[2]}; cp -a {KEPT}/. /; rm -rf {KEPT}")
    machine.run("systemctl", "start", "berth-hub")


# --- slurmctld ----------------------------------------------------------------------------------------


@contextmanager
def slurmctld(state: str) -> Iterator[None]:
    """Have slurmctld in one of STATES, and normal again afterwards, with nodes that work."""
    machine = login()
    ways = {
        "normal": [],
        "stopped": ["systemctl", "kill", "--signal=STOP", "slurmctld"],
        "dead": ["systemctl", "stop", "slurmctld"],
    }
    try:
        if ways[state]:
            machine.run(*ways[state])
        yield
    finally:
        if ways[state]:
            _revive(machine)


def _revive(machine: Machine) -> None:
    machine.attempt("systemctl", "kill", "--signal=CONT", "slurmctld")
    machine.run("systemctl", "start", "slurmctld")

    def works() -> bool:
        states = machine.attempt("timeout", "10", "sinfo", "-h", "-N", "-o", "%t").stdout.split()
        return bool(states) and set(states) <= {"idle", "mix", "alloc", "comp", "plnd", "resv"}

    until(works, "a working slurmctld with all its nodes", 2 * ANSWER_SECONDS)
