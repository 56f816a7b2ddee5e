"""A site whose programs answer what real ones have answered; a test changes what it is about."""

from __future__ import annotations

import grp
import json
import pwd
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from berth.doctor import commands
from berth.doctor.commands import Answer, NotRunError
from berth.doctor.site import Options, Site
from berth.slurm.answers.commands import Commands
from berth.slurm.errors import SlurmError, SlurmUnavailable
from tests.unit.hub.factories import FORM, HUB
from tests.unit.slurm import recorded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from berth.doctor.model import Finding

CONFIG = recorded.text("24.11", "config.txt")
NODES = recorded.text("24.11", "nodes.json")
PARTITION = (
    recorded.text("22.05", "partitions.txt").splitlines()[0].replace("Nodes=cpu1,gpu[1-3]", "Nodes=gpu[1-2]")
)
INVENTORY = {
    "partition": "interactive",
    "nodes": [
        {
            "name": name,
            "cpus": 4,
            "memory": "4000M",
            "gpus": [{"type": "a100", "count": 2, "files": "/dev/nvidia[0-1]"}],
        }
        for name in ("gpu1", "gpu2")
    ],
    "shared_by": 5,
    "max_time": "08:00:00",
    "default_time": "00:30:00",
    "limits": {},
    "limits_qos": "berth_interactive",
    "confinement": {"ConstrainCores": False, "ConstrainDevices": True},
}
Answers = dict[str, str | SlurmError | None]
SOMEBODY = pwd.getpwuid(65534)


@dataclass
class Slurm(Site):
    """A site whose Slurm answers by words in the query; None: it does not answer."""

    answers: dict[str, str | SlurmError | None] = field(default_factory=dict)

    @property
    def commands(self) -> Commands:
        return Commands("/usr/bin", (24, 11))

    def ask(self, argv: list[str]) -> str:
        query = " ".join(argv)
        for words, answer in self.answers.items():
            if words in query:
                if isinstance(answer, SlurmError):
                    raise answer
                if answer is None:
                    raise SlurmUnavailable(f"{query}: Unable to contact slurm controller (connect failure)")
                return answer
        message = f"a query that no test answers: {query}"
        raise AssertionError(message)


def site(etc: Path, answers: Answers | None = None, **options: Any) -> Slurm:
    """A site with settings in *etc* and a Slurm that is well."""
    well: Answers = {
        "show config": CONFIG,
        "show partition": PARTITION,
        "show node": NODES,
        "show cluster": "lab\n",
        "show user": "None\n",
        "show qos": "cpu=32,gres/gpu=3|||DenyOnLimit\n",
    }
    return Slurm(Options(etc=etc, **options), {}, well | (answers or {}))


def settings(etc: Path, form: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write the settings of a hub whose places are below *etc*."""
    hub = HUB.model_dump(mode="json")
    hub |= {"state_dir": str(etc / "state"), "helper_socket": str(etc / "run" / "helper.sock")} | changes
    hub["session"] = hub["session"] | {"root": str(etc / "shared")}
    offered = FORM.model_dump(mode="json") | (form or {})
    helper = {
        "peer_user": SOMEBODY.pw_name,
        "allowed_group": grp.getgrgid(0).gr_name,
        "min_uid": 1000,
        "partition": hub["slurm"]["partition"],
        "slurm_bin_dir": hub["slurm"]["bin_dir"],
        "layers_dir": str(etc / "shared" / "layers"),
        "password_attempts": 5,
        "password_window_seconds": 300,
        "password_state_dir": str(etc / "attempts"),
        "submit_timeout_seconds": 30,
        "extend_up_to_minutes": 0,
        "pam_service": "login",
        "log_format": "text",
    }
    files = {
        "hub.yml": (yaml.safe_dump(hub), 0o640),
        "form.yml": (yaml.safe_dump(offered), 0o644),
        "helper.json": (json.dumps(helper), 0o600),
        "proxy.env": ("CONFIGPROXY_AUTH_TOKEN=x", 0o600),
        "metrics.env": ("BERTH_METRICS_TOKEN=x", 0o600),
        "operator.env": ("BERTH_OPERATOR_TOKEN=x", 0o600),
        "nginx.conf": ("", 0o644),
    }
    for name, (text, mode) in files.items():
        (etc / name).write_text(text, encoding="utf-8")
        (etc / name).chmod(mode)


def rewrite(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@dataclass
class Programs:
    """Stands for `commands.run`: answers by words of the command line, which begins with the user."""

    answers: dict[str, Answer | NotRunError | str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float = 0.0,  # noqa: ARG002 - as commands.run has it
        given: str = "",
        user: pwd.struct_passwd | None = None,
    ) -> Answer:
        line = f"{user.pw_name if user else 'root'}: {' '.join(argv)} {given}"
        self.seen.append(line)
        for words, answer in self.answers.items():
            if words in line:
                if isinstance(answer, NotRunError):
                    raise answer
                return Answer(0, answer, "") if isinstance(answer, str) else answer
        message = f"a program that no test answers: {line}"
        raise AssertionError(message)


def programs(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> Programs:
    """Have programs answer: the keywords are words of the command line, `_` for a blank."""
    made = Programs({words.replace("_", " "): answer for words, answer in answers.items()})
    monkeypatch.setattr(commands, "run", made.run)
    return made


def said(findings: Sequence[Finding]) -> str:
    """All findings in one text, a line for each: status, text, fix."""
    return "\n".join(f"{finding.status}: {finding.text} | {finding.fix}" for finding in findings)
