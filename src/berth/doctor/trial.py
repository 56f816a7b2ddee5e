"""A real, short job on every node as a user whom the site names: it looks at what a session would find."""

from __future__ import annotations

import contextlib
import json
import pwd
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from berth.doctor import commands, versions
from berth.doctor.model import Finding, NotApplicableError, Status, failure, ok, warning
from berth.helper import policy
from berth.slurm.answers import client
from berth.slurm.answers.records import parse_reservations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from berth.doctor.site import Site

_NAME: Final = "berth-doctor"
_MEMORY: Final = "400M"
_MINUTES: Final = 5
_POLL_SECONDS: Final = 2.0
_APPEARS_SECONDS: Final = 10.0
"""How long what a node wrote into the home may take to be seen here."""
_JOURNAL: Final = "start a session there by hand and look at journalctl -u slurmd on the node"


@dataclass
class _Job:
    """A job of one node. `number` is empty where it was refused, and `said` then says why."""

    node: str
    number: str
    said: str
    reservation: str


def start(site: Site) -> list[Finding]:
    """Start a job on every node that is in service, wait for all, and report what each found."""
    if not site.options.user:
        raise NotApplicableError(
            "nobody was named on whose behalf jobs may run: --user, or doctor_session_user"
        )
    try:
        policy.permitted_user(site.options.user, site.helper)
    except policy.NotPermittedError as error:
        return [failure(f"{site.options.user}: {error}", "name a user of the service")]
    layers = versions.layers(site.hub.session.root)
    nodes = [node.name for node in site.nodes if node.schedulable]
    if not layers or not nodes:
        raise NotApplicableError("there is no layer to start, or no node in service: see the checks before")
    user = pwd.getpwnam(site.options.user)
    jobs = [_submitted(site, node, user, layers[0]) for node in nodes]
    try:
        left = _waited_for(site, jobs)
        problems = [finding for job in jobs for finding in _judged(job, left, user, site)]
    finally:
        _cleared(site, jobs, user)
    tried = [job.node for job in jobs if job.number]
    if not tried or any(finding.status is not Status.NOT_APPLICABLE for finding in problems):
        return problems
    found = f"a job of {user.pw_name} found all that a session needs on {', '.join(tried)}"
    return [*problems, ok(found)]


def _submitted(site: Site, node: str, user: pwd.struct_passwd, layer: Path) -> _Job:
    reservation = _reservation(site, node)
    task = [str(layer / "bin" / "python"), "-I", "-m", "berth", "doctor", "--job", "--json"]
    task += ["--hub-url", site.hub.session_hub_url, "--layer", str(layer)]
    argv = [
        f"{site.hub.slurm.bin_dir}/sbatch",
        *("--parsable", f"--partition={site.hub.slurm.partition}", f"--nodelist={node}"),
        *("--nodes=1", "--ntasks=1", "--cpus-per-task=1", f"--mem={_MEMORY}", f"--time={_MINUTES}"),
        *("--no-requeue", f"--job-name={_NAME}", f"--chdir={user.pw_dir}", "--propagate=NONE"),
        f"--output={_output(user, '%j')}",
        *([f"--reservation={reservation}"] if reservation else []),
        f"--wrap=exec {shlex.join(task)}",
    ]
    answer = commands.run(argv, user=user, seconds=site.slurm_seconds)
    number = answer.output.strip().partition(";")[0]
    fine = answer.status == 0 and number.isdigit()
    return _Job(node, number if fine else "", answer.said, reservation)


def _output(user: pwd.struct_passwd, number: str) -> str:
    return f"{user.pw_dir}/.{_NAME}-{number}.json"


def _reservation(site: Site, node: str) -> str:
    """Return the reservation that holds a node now, empty for none."""
    answer = client.decode(site.ask(site.commands.reservations()))
    now = time.time()
    holding = [item.name for item in parse_reservations(answer) if node in item.nodes and item.active(now)]
    return holding[0] if holding else ""


def _waited_for(site: Site, jobs: list[_Job]) -> dict[str, str]:
    """Wait for the ends; return state and reason of each job that has not ended in time."""
    numbers = ",".join(job.number for job in jobs if job.number)
    deadline = time.monotonic() + site.options.start_seconds
    query = [f"{site.hub.slurm.bin_dir}/squeue", "--noheader", f"--jobs={numbers}", "--format=%A %T (%r)"]
    left = {job.number: "not known" for job in jobs if job.number}
    while left:
        answer = commands.run(query, seconds=site.slurm_seconds)
        # Without an answer nothing has ended; a job that Slurm has forgotten has.
        if answer.status == 0 or "Invalid job id" in answer.complaint:
            left = dict(line.split(" ", 1) for line in answer.output.splitlines() if " " in line)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    return left


def _judged(job: _Job, left: dict[str, str], user: pwd.struct_passwd, site: Site) -> Iterator[Finding]:
    if not job.number:
        if job.reservation:
            text = f"node {job.node} is held by the reservation {job.reservation}: {job.said}"
            yield Finding(Status.NOT_APPLICABLE, text)
        else:
            fix = f"have {user.pw_name} submit by hand, with the words of that message"
            yield failure(f"node {job.node}: sbatch refuses: {job.said}", fix)
    elif state := left.get(job.number):
        late = f"did not end within {site.options.start_seconds:g} seconds"
        text = f"node {job.node}: job {job.number} {late}: {state}"
        yield (
            warning(text, "ask again when the node has room")
            if "PENDING" in state
            else failure(text, _JOURNAL)
        )
    else:
        yield from _told(job, user)


def _told(job: _Job, user: pwd.struct_passwd) -> Iterator[Finding]:
    """Read what a job wrote, with the rights of its user."""
    deadline = time.monotonic() + _APPEARS_SECONDS
    read = ["cat", _output(user, job.number)]
    while not (text := commands.run(read, user=user).output.strip()) and time.monotonic() < deadline:
        time.sleep(1.0)
    try:
        document: dict[str, Any] = json.loads(text)
        found = document["findings"]
    except (ValueError, KeyError, TypeError):
        said = text[-200:] or "nothing reached the home"
        yield failure(f"node {job.node}: job {job.number} gave no report: {said}", _JOURNAL)
        return
    for item in found:
        status = Status(item["status"])
        if status in {Status.FAILURE, Status.WARNING}:
            yield Finding(status, f"node {job.node}: {item['text']}", item["fix"])


def _cleared(site: Site, jobs: list[_Job], user: pwd.struct_passwd) -> None:
    """Leave neither jobs nor files behind."""
    numbers = [job.number for job in jobs if job.number]
    if numbers:
        scancel = [f"{site.hub.slurm.bin_dir}/scancel", "--quiet", *numbers]
        for argv in (scancel, ["rm", "-f", *(_output(user, number) for number in numbers)]):
            with contextlib.suppress(commands.NotRunError):
                commands.run(argv, user=user)
