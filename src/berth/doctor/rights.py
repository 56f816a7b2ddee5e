"""What Slurm tells the hub's user, and what its accounting would tell others of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from berth.doctor import commands
from berth.doctor.model import Finding, NotApplicableError, failure, ok, warning
from berth.slurm.answers.client import SlurmError

if TYPE_CHECKING:
    from berth.doctor.site import Site

_HIDING: Final = frozenset(
    {"all", "accounts", "jobs", "nodes", "partitions", "reservations", "usage", "users"}
)
_SEEING: Final = frozenset({"operator", "administrator"})


def environments(site: Site) -> list[Finding]:
    """Look whether the accounting keeps environments or scripts of jobs."""
    if not site.controller.accounting:
        raise NotApplicableError("Slurm does no accounting here, so nothing is kept")
    words = site.cluster.setting("AccountingStoreFlags").words()
    fix = (
        "take {0} out of AccountingStoreFlags and restart slurmctld; what was stored: docs/operate/doctor.md"
    )
    problems = []
    if "job_env" in words:
        text = "the accounting keeps the environment of every session, its token included (job_env)"
        problems.append(failure(text, fix.format("job_env")))
    if "job_script" in words:
        text = "the accounting keeps the script of every job (job_script); a session's holds no secret"
        problems.append(warning(text, fix.format("job_script")))
    return problems or [ok("the accounting keeps neither environments nor scripts of jobs")]


def private_data(site: Site) -> list[Finding]:
    """Look whether Slurm hides anything from the hub's user; compare what it and root are told of jobs."""
    hidden = sorted(site.cluster.setting("PrivateData").words() & _HIDING)
    name = site.hub_user.pw_name
    if hidden and not site.controller.accounting:
        text = (
            f"PrivateData hides {', '.join(hidden)} from {name}, and without slurmdbd there are no operators"
        )
        return [failure(text, "take these out of PrivateData, or set up slurmdbd")]
    if hidden and (level := _level(site, name)) not in _SEEING:
        text = f"PrivateData hides {', '.join(hidden)} from {name}, whose admin level is {level or 'none'}"
        return [failure(text, f"sacctmgr modify user {name} set adminlevel=operator")]
    if missing := _unseen(site):
        text = f"Slurm tells {name} nothing of {missing} jobs of the partition that root sees"
        return [failure(text, f"sacctmgr modify user {name} set adminlevel=operator")]
    why = f", though PrivateData hides {', '.join(hidden)} from others" if hidden else ""
    return [ok(f"Slurm tells {name} of everybody's jobs{why}")]


def _level(site: Site, name: str) -> str:
    program = f"{site.hub.slurm.bin_dir}/sacctmgr"
    query = [program, "--noheader", "--parsable2", "show", "user", name, "format=adminlevel"]
    try:
        return site.ask(query).strip().lower()
    except SlurmError:
        return "not known, as slurmdbd does not answer"


def _unseen(site: Site) -> int:
    """Count the jobs that root sees and the hub's user does not; jobs come and go between two looks."""
    program = f"{site.hub.slurm.bin_dir}/squeue"
    query = [program, "--all", "--noheader", f"--partition={site.hub.slurm.partition}", "--format=%A"]
    before = set(commands.run(query).output.split())
    seen = commands.run(query, user=site.hub_user)
    if seen.status != 0:
        raise commands.NotRunError(f"squeue as {site.hub_user.pw_name}: {seen.said}")
    after = set(commands.run(query).output.split())
    return len((before & after) - set(seen.output.split()))
