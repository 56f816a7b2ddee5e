"""What keeps the users of one node apart: how Slurm shares, what it confines, what it kills."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor import commands
from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok, warning
from berth.slurm.existing import settings as review
from berth.slurm.existing.cluster import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

_NEEDED: Final = {
    "ConstrainDevices": "every session could use the GPUs of all others on its node",
    "ConstrainRAMSpace": "one session could take the memory of all others on its node",
}
_BETTER: Final = {
    "ConstrainCores": "a session may use every core of its node",
    "ConstrainSwapSpace": "a session over its memory goes on in the swap space of a node that has some",
}
_CGROUP_FIX: Final = "write {}=yes in cgroup.conf on controller and nodes, and restart slurmd"
_PLACES: Final = (
    "/etc/slurm",
    "/run/slurm/conf",
    "/var/spool/slurmd/conf-cache",
    "/var/lib/slurm/slurmd/conf-cache",
)


def sharing(site: Site) -> list[Finding]:
    """Look at the parameters without which sessions cannot share nodes, or are not confined."""
    kinds = ["gpu"] if any(node.gpus for node in site.nodes) else []
    said = review.conflicts(site.cluster, kinds)
    failures = [failure(*_split(sentence)) for sentence in said]
    plugins = site.cluster.setting("TaskPlugin").value
    return judged(failures, f"sessions share nodes by cores and memory, confined by {plugins}")


def _split(sentence: str) -> tuple[str, str]:
    """Cut a sentence of the review: before the last semicolon what is wrong, after it what to do."""
    what, mark, fix = sentence.rpartition("; ")
    if mark:
        return what, fix.rstrip(".")
    return sentence, "change it in slurm.conf"


def controller(site: Site) -> list[Finding]:
    """Look at what slurmctld's cgroup.conf confines; nodes with files of their own are another check."""
    found = site.cluster
    if not found.setting("CgroupPlugin").value:
        raise NotApplicableError("this Slurm does not tell of its cgroup.conf")
    meant = _meant(site)

    def without(key: str) -> bool:
        return found.setting(key).value.lower() != "yes"

    problems = [
        failure(f"without {key} {why}", _CGROUP_FIX.format(key))
        for key, why in _NEEDED.items()
        if without(key)
    ]
    problems += [
        warning(f"without {key} {why}", _CGROUP_FIX.format(key))
        for key, why in _BETTER.items()
        if without(key) and key not in meant
    ]
    left_out = [key for key in _BETTER if without(key)]
    but = f"; {', '.join(left_out)} is off, as the inventory says" if left_out else ""
    return judged(problems, f"jobs are confined to their devices and their memory{but}")


def _meant(site: Site) -> set[str]:
    """Name what the inventory leaves out on purpose."""
    confinement = (site.options.inventory or {}).get("confinement", {})
    return {key for key in _BETTER if confinement.get(key) is False}


def node(site: Site) -> list[Finding]:
    """Read the cgroup.conf that this node's slurmd reads."""
    paths = [place / "cgroup.conf" for place in _configured()]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        fix = "run playbooks/slurm.yml, or have cgroup.conf beside the slurm.conf of this node"
        return [failure(f"there is no cgroup.conf in {', '.join(str(p.parent) for p in paths)}", fix)]
    text = path.read_text(encoding="utf-8", errors="replace")
    conflicts, hints = review.confinement({str(path): text}, str(path.parent), "")
    problems = [failure(*_split(sentence)) for sentence in conflicts]
    meant = _meant(site)
    hints = [sentence for sentence in hints if not any(f"{key}=" in sentence for key in meant)]
    problems += [warning(*_split(sentence)) for sentence in hints]
    but = f"; {', '.join(sorted(meant))} is off, as the inventory says" if meant else ""
    return judged(problems, f"{path} confines sessions to their devices and their memory{but}")


def _configured() -> Iterator[Path]:
    """Give the directories in which slurmd may have its configuration, the likeliest first."""
    answer = commands.run(["scontrol", "show", "config"])
    main = settings_of(answer.output).get("slurm_conf")
    seen = [Path(main.value).parent] if main and main.value else []
    yield from dict.fromkeys([*seen, *map(Path, _PLACES)])


def oom(site: Site) -> list[Finding]:
    """Look whether a kernel that runs out of memory would take the whole session with it."""
    words = {word.lower() for word in site.cluster.setting("TaskPluginParam").words()}
    if "oomkillstep" in words:
        text = "TaskPluginParam has OOMKillStep: a kernel that runs out of memory ends its whole session"
        return [warning(text, "take OOMKillStep out of TaskPluginParam and restart slurmd")]
    return [ok("a kernel that runs out of memory takes only itself (no OOMKillStep)")]
