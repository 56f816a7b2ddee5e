from __future__ import annotations

import json
import os
import sys
import time
import types
from typing import TYPE_CHECKING

import pytest

from berth.doctor import cli, registry, report, runner
from berth.doctor.commands import NotRunError
from berth.doctor.model import (
    Check,
    Finding,
    NotApplicableError,
    Result,
    Scope,
    Status,
    failure,
    ok,
    warning,
)
from berth.doctor.site import Site
from berth.slurm.errors import SlurmUnavailable

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

MODULE = "berth.doctor.made_for_a_test"


def _broken(_: Site) -> list[Finding]:
    raise ZeroDivisionError("by a test")


def _not_run(_: Site) -> list[Finding]:
    raise NotRunError("munge cannot be run: No such file or directory")


def _nothing_to_look_at(_: Site) -> list[Finding]:
    raise NotApplicableError("there is nothing")


def _away(_: Site) -> list[Finding]:
    raise SlurmUnavailable("no slurmctld")


def _slow(_: Site) -> list[Finding]:
    time.sleep(5)
    return [ok("late")]


FUNCTIONS = {
    "broken": _broken,
    "not_run": _not_run,
    "nothing": _nothing_to_look_at,
    "away": _away,
    "slow": _slow,
    "silent": lambda _: [],
    "well": lambda _: [ok("fine")],
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    module = types.ModuleType(MODULE)
    for name, function in FUNCTIONS.items():
        setattr(module, name, function)
    monkeypatch.setitem(sys.modules, MODULE, module)
    checks = [
        Check(f"test.{name}", frozenset({Scope.HUB}), "made_for_a_test", name, f"the {name} one", 0.3)
        for name in FUNCTIONS
    ]
    return [*checks, Check("test.missing", frozenset({Scope.HUB}), "nowhere", "x", "the missing one")]


def test_whatever_one_check_does_the_others_are_run(made: list[Check]) -> None:
    found = {result.check: result.finding for result in runner.run(made, Site())}
    assert list(found) == [check.name for check in made]
    assert {name: str(finding.status) for name, finding in found.items()} == {
        "test.broken": "failure",
        "test.not_run": "failure",
        "test.nothing": "not applicable",
        "test.away": "not applicable",
        "test.slow": "failure",
        "test.silent": "failure",
        "test.well": "ok",
        "test.missing": "failure",
    }
    assert "ZeroDivisionError: by a test (test_runner.py:" in found["test.broken"].text
    assert "did not end within 0.3 seconds" in found["test.slow"].text
    assert "munge cannot be run" in found["test.not_run"].text
    assert "no slurmctld" in found["test.away"].text
    assert "No module named 'berth.doctor.nowhere'" in found["test.missing"].text


def test_every_check_of_the_registry_is_there_and_named_once() -> None:
    names = [check.name for check in registry.CHECKS]
    assert len(set(names)) == len(names)
    for check in registry.CHECKS:
        module = __import__(f"berth.doctor.{check.module}", fromlist=[check.function])
        assert callable(getattr(module, check.function)), check.name


def test_checks_are_chosen_by_scope_name_and_area() -> None:
    node = [check.name for check in registry.of(Scope.NODE)]
    assert "node.slurmd" in node
    assert "munge.local" in node
    assert "hub.database" not in node
    assert [check.name for check in registry.of(Scope.NODE, ["munge"])] == ["munge.local", "munge.hub"]
    assert [check.name for check in registry.of(Scope.HUB, ["munge.local"])] == ["munge.local"]


FOUND = [
    Result("a.well", ok("all is well")),
    Result("b.so-so", warning("it is\n  so-so", "look at it")),
    Result("c.bad", failure("it is bad.", "mend it")),
    Result("d.none", Finding(Status.NOT_APPLICABLE, "there is none")),
]


def test_a_finding_is_one_line_with_the_fix_in_it() -> None:
    assert [report.line(result) for result in FOUND] == [
        "ok      a.well               all is well.",
        "WARNING b.so-so              it is so-so. Fix: look at it.",
        "FAILURE c.bad                it is bad. Fix: mend it.",
        "-       d.none               there is none.",
    ]
    assert report.summary(FOUND) == "4 findings: 1 well, 1 warning, 1 failure, 1 not applicable"


def test_only_a_failure_fails() -> None:
    assert report.failed(FOUND)
    assert not report.failed([FOUND[0], FOUND[1], FOUND[3]])


def test_programs_get_the_same_as_people() -> None:
    document = json.loads(report.document(FOUND, "hub1"))
    assert (document["host"], document["ok"]) == ("hub1", False)
    assert document["findings"][2] == {
        "check": "c.bad",
        "status": "failure",
        "text": "it is bad.",
        "fix": "mend it",
        "line": report.line(FOUND[2]),
    }


def options(*words: str) -> argparse.Namespace:
    import argparse  # noqa: PLC0415 - its name is needed for types above

    parser = argparse.ArgumentParser()
    cli.register(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "mung"], "--only mung: there is no such check or area"),
        (["--given", "/nowhere"], "--given /nowhere cannot be read"),
        ([], "hub.yml: run it on the hub's host, or here with --node"),
    ],
)
def test_what_cannot_be_done_is_said_and_ends_with_1(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cli.run(options("--etc", str(tmp_path), *words)) == 1
    assert sentence in capsys.readouterr().err


def test_nobody_but_root_is_let_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.run(options("--node")) == 1
    assert "run it as root" in capsys.readouterr().err


def test_what_is_given_must_be_what_the_playbook_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "given").write_text('{"hub": {}, "password": "x"}', encoding="utf-8")
    assert cli.run(options("--job", "--given", str(tmp_path / "given"))) == 1
    assert "must be a JSON object with hub and inventory only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("finding", "status"), [(ok("x"), 0), (warning("x", "y"), 0), (failure("x", "y"), 1)]
)
def test_the_exit_code_is_1_where_something_fails(
    finding: Finding, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "run", lambda _checks, _site: iter([Result("a.b", finding)]))
    assert cli.run(options("--job")) == status
    assert report.line(Result("a.b", finding)) in capsys.readouterr().out
    assert cli.run(options("--job", "--json")) == status
    assert json.loads(capsys.readouterr().out)["ok"] is (status == 0)
