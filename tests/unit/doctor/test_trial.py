"""The real job on every node, as far as it can be told without one; and what it looks at inside."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from berth.doctor import job, trial, versions
from berth.doctor.commands import Answer
from berth.doctor.model import NotApplicableError
from berth.helper import policy
from tests.unit.doctor import places
from tests.unit.doctor.places import programs, said, site
from tests.unit.slurm import recorded

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
WELL = json.dumps({"findings": [{"status": "ok", "text": "fine", "fix": ""}]})
ILL = json.dumps({"findings": [{"status": "failure", "text": "the home is full", "fix": "make room"}]})
NO_RESERVATIONS: places.Answers = {"show reservation": '{"reservations": []}'}


@pytest.fixture(autouse=True)
def _permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "permitted_user", lambda _name, _settings: None)
    monkeypatch.setattr(versions, "layers", lambda _root: [Path("/opt/berth/layers/1")])
    monkeypatch.setattr(trial, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(trial, "_APPEARS_SECONDS", 0.0)


def tried(
    etc: Path, answers: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[str, list[str]]:
    """Run it with programs that answer so; return what is said and the command lines."""
    made = programs(monkeypatch)
    usual = {"scancel": "", "rm -f": "", "squeue": "", "sbatch": "7\n"}
    made.answers = {**answers, **{words: text for words, text in usual.items() if words not in answers}}
    ours = site(etc, NO_RESERVATIONS, user=places.SOMEBODY.pw_name, **options)
    return said(trial.start(ours)), made.seen


def test_nobody_named_starts_nothing(etc: Path) -> None:
    with pytest.raises(NotApplicableError, match="doctor_session_user"):
        trial.start(site(etc))


def test_somebody_who_is_no_user_starts_nothing(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise policy.NotPermittedError("There is no such user of this service.")

    monkeypatch.setattr(policy, "permitted_user", refuse)
    assert "failure: root: There is no such user" in said(trial.start(site(etc, user="root")))


def test_a_job_for_each_node_in_service_that_looks_like_a_session(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, seen = tried(etc, {"cat ": WELL}, monkeypatch)
    assert text == "ok: a job of nobody found all that a session needs on gpu1, gpu2 | "
    submitted = [line for line in seen if "sbatch" in line]
    assert [word for line in submitted for word in line.split() if "nodelist" in word] == [
        "--nodelist=gpu1",
        "--nodelist=gpu2",
    ]
    assert all(line.startswith("nobody: ") for line in seen if "squeue" not in line)
    assert "/opt/berth/layers/1/bin/python -I -m berth doctor --job --json --hub-url" in submitted[0]
    assert any("scancel" in line for line in seen)
    assert any("rm -f" in line for line in seen)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"cat ": ILL}, "failure: node gpu1: the home is full | make room"),
        ({"cat ": ""}, "failure: node gpu1: job 7 gave no report: nothing reached the home"),
        ({"cat ": "berth: error: argument GROUP: invalid choice: 'doctor'"}, "gave no report: berth: error"),
        (
            {"sbatch": Answer(1, "", "sbatch: error: Batch job submission failed: Invalid account")},
            "failure: node gpu1: sbatch refuses: sbatch: error: Batch job submission failed: Invalid account",
        ),
        (
            {"squeue": "7 PENDING (Resources)\n"},
            "warning: node gpu1: job 7 did not end within 0 seconds: PENDING (Resources)",
        ),
        (
            {"squeue": Answer(1, "", "slurm_load_jobs error: Unable to contact slurm controller")},
            "failure: node gpu1: job 7 did not end within 0 seconds: not known",
        ),
        (
            {"squeue": Answer(1, "", "slurm_load_jobs error: Invalid job id specified"), "cat ": WELL},
            "ok: a job",
        ),
        ({"squeue": "7 RUNNING (None)\n"}, "failure: node gpu1: job 7 did not end within 0 seconds: RUNNING"),
    ],
)
def test_a_node_that_runs_no_session(
    answers: dict[str, Any], sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, seen = tried(etc, answers, monkeypatch, start_seconds=0)
    assert sentence in text
    # nothing is left behind
    submitted = "sbatch" not in answers
    assert any("scancel" in line for line in seen) is submitted
    assert any("rm -f" in line for line in seen) is submitted


def test_a_reservation_that_holds_the_node(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = recorded.document("24.11", "reservations")
    entry = held["reservations"][0] | {"name": "course", "node_list": "gpu2"}
    entry |= {
        "start_time": {"set": True, "infinite": False, "number": 1},
        "end_time": {"set": True, "infinite": False, "number": 4_000_000_000},
    }
    made = programs(monkeypatch)
    denied = Answer(
        1, "", "sbatch: error: Batch job submission failed: Access denied to requested reservation"
    )
    made.answers = {"--reservation=course": denied, "cat ": WELL, "scancel": "", "rm -f": "", "squeue": ""}
    made.answers["sbatch"] = "7\n"
    ours = site(
        etc, {"show reservation": json.dumps({"reservations": [entry]})}, user=places.SOMEBODY.pw_name
    )
    assert "not applicable: node gpu2 is held by the reservation course" in said(trial.start(ours))


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (
            "0::/system.slice/slurmstepd.scope/job_7/step_batch\n",
            ["system.slice/slurmstepd.scope/job_7/step_batch/memory.max", "memory.max"],
        ),
        (
            "9:memory:/slurm/uid_1/job_7\n8:cpu,cpuacct:/x\n",
            ["memory/slurm/uid_1/job_7/memory.limit_in_bytes", "memory/memory.limit_in_bytes"],
        ),
    ],
)
def test_where_the_limit_of_memory_stands(text: str, files: list[str], tmp_path: Path) -> None:
    found = [str(path.relative_to(tmp_path)) for path in job.limit_files(text, tmp_path)]
    assert [found[0], found[-1]] == files


def test_the_memory_of_a_job(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "memory.max"
    monkeypatch.setattr(job, "limit_files", lambda _text, _root: iter([tmp_path / "none", file]))
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "400")
    for limit, sentence in (
        ("419430400", "ok: the kernel limits this job to 400 MiB"),
        ("max", "failure: this job's memory has no limit"),
        ("9223372036854771712", "failure: this job's memory has no limit"),
        ("838860800", "failure: this job asked for 400 MiB and may use 800 MiB"),
    ):
        file.write_text(f"{limit}\n", encoding="ascii")
        assert sentence in said(job.memory(site(etc)))


def test_the_devices_of_a_job(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_GPUS", str(tmp_path / "nvidia[0-9]*"))
    with pytest.raises(NotApplicableError, match="no GPU"):
        job.devices(site(etc))
    (tmp_path / "nvidia0").touch()
    assert "failure: a job without GPUs can open" in said(job.devices(site(etc)))

    def forbid(*_: Any) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", forbid)
    assert "ok: none of the 1 GPUs can be opened" in said(job.devices(site(etc)))


def test_the_home_of_a_job(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert said(job.home(site(etc))) == f"ok: {tmp_path} can be written | "
    assert list(tmp_path.glob(".berth-doctor*")) == []
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "gone")
    assert "gone cannot be written on this node: No such file" in said(job.home(site(etc)))


def finding(status: str, line: str) -> dict[str, str]:
    return {"status": status, "line": line}


def test_the_report_of_all_hosts_ends_with_those_that_fail() -> None:
    report = runpy.run_path(str(ROOT / "roles/doctor/files/report.py"))["report"]

    def answer(*items: dict[str, str]) -> dict[str, str]:
        return {"stdout": json.dumps({"findings": items})}

    document = {
        "said": [
            {"host": "a", "hub": None, "node": answer(finding("failure", "FAILURE munge"))},
            {"host": "b", "hub": answer(finding("ok", "ok hub")), "node": None},
            {"host": "c", "hub": None, "node": {"stderr": "sh: no such file", "stdout": ""}},
            {"host": "d", "hub": None, "node": {"skipped": True}},
        ],
        "unreachable": ["e"],
    }
    made = report(document)
    assert made["lines"][:4] == ["b: 1 ok", "  ok hub", "a: 1 failure", "  FAILURE munge"]
    assert made["lines"][-2:] == [
        "e: cannot be reached, nothing is known of it",
        "hosts that are well: 1 of 5; something fails on a, c, d; not reached: e",
    ]
    assert made["failures"]["a"] == ["FAILURE munge"]
    assert "nobody could look: sh: no such file. Fix: run playbooks/hub.yml" in made["failures"]["c"][0]
    assert "the hub's host names no session layer" in made["failures"]["d"][0]
