"""The operator's commands against the hub's own handlers: what they print, and what they refuse."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from berth.__main__ import GROUPS, main
from tests.contract.project import ROOT
from tests.unit.hub.factories import FORM, HUB
from tests.unit.hub.test_sessions_pages import ADMIN, ends, serving
from tests.unit.hub.website import Website

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from berth.hub.session.spawner import BerthSpawner
    from tests.unit.hub.conftest import Stage

    Run = Callable[..., Awaitable[tuple[int, str, str]]]

__all__ = ["serving"]


@pytest.fixture
async def site(stage: Stage) -> AsyncIterator[Website]:
    made = Website(stage)
    made.scopes = ADMIN
    yield made
    made.server.stop()


@pytest.fixture
def run(site: Website, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as root does on the hub's host; its status, output and errors."""
    directory = tmp_path / "etc"
    directory.mkdir()
    port = int(site.url.rpartition(":")[2])
    hub = HUB.model_dump(mode="json") | {"hub_port": port}
    (directory / "hub.yml").write_text(yaml.safe_dump(hub), encoding="utf-8")
    (directory / "form.yml").write_text(yaml.safe_dump(FORM.model_dump(mode="json")), encoding="utf-8")
    (directory / "operator.env").write_text("BERTH_OPERATOR_TOKEN=0123456789abcdef\n", encoding="utf-8")

    def command(group: str, *argv: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main([group, "--settings", str(directory), *argv])
        return int(ended.value.code or 0)

    async def run(*argv: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(command, *argv)
        out, err = capsys.readouterr()
        return status, out, err

    return run


async def test_sessions_are_listed_in_squeue_s_manner_and_as_json(run: Run, serving: BerthSpawner) -> None:
    assert serving.record is not None
    status, out, err = await run("sessions")
    assert (status, "Slurm does not answer" in err) == (0, False)
    head, line = out.splitlines()
    assert head.split()[:4] == ["USER", "JOBID", "STATE", "NODELIST"]
    assert line.split() == [
        *("alice", "7", "RUNNING", "gpu2", "a100:1", "1", "1000", "MiB", "2026.11", "lab", "00:07:00"),
        "01:01:00",
    ]
    assert head.index("NODELIST") == line.index("gpu2")
    document = json.loads((await run("sessions", "--json"))[1])
    assert [item["job_id"] for item in document["sessions"]] == [7]


async def test_ending_needs_names_or_all_and_words(
    run: Run,
    stage: Stage,
    serving: BerthSpawner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = ends(stage, monkeypatch)
    assert serving.active
    for argv, said in [
        (("stop", "--message", "x"), "Name the sessions to end, or give --all."),
        (("stop", "alice", "--all", "--message", "x"), "Name the sessions to end, or give --all."),
        (("stop", "bob", "--message", "x"), "There is no session of bob; none was ended."),
    ]:
        assert await run("sessions", *argv) == (1, "", f"berth sessions: {said}\n")
    status, _, err = await run("sessions", "stop", "alice")
    assert (status, "--message" in err) == (2, True)
    assert ended == []
    assert await run("sessions", "stop", "alice", "--message", "Power.") == (0, "alice: being stopped\n", "")
    assert ended == ["alice"]
    assert (await run("sessions", "stop", "--all", "--message", "x"))[1] == "There are no sessions.\n"


async def test_an_announcement_is_made_listed_and_removed(run: Run) -> None:
    argv = (
        "announce",
        "New GPUs.",
        "--it",
        "GPU nuove.",
        "--level",
        "warning",
        "--until",
        "2999-01-01T00:00Z",
    )
    status, out, _ = await run(*argv)
    assert status == 0
    name = out.split()[0]
    assert out == (
        f"{name}  warning  from now to 2999-01-01T00:00:00Z\n    en  New GPUs.\n    it  GPU nuove.\n"
    )
    assert await run("announce", "--list") == (0, out, "")
    assert await run("announce", "--remove", name) == (0, "", "")
    assert (await run("announce", "--list"))[1] == ""
    assert (await run("announce", "--remove", "../x"))[0] == 1
    assert (await run("announce"))[2] == "berth announce: Give a text, --list, or --remove ID.\n"
    assert "is not a time; write" in (await run("announce", "x", "--until", "soon"))[2]


async def test_a_maintenance_is_set_said_and_ended(run: Run) -> None:
    off = (0, "No maintenance: sessions start.\n", "")
    assert await run("maintenance", "status") == off
    until = ("--until", "2999-01-01T00:00Z", "--message", "New disks.")
    status, out, _ = await run("maintenance", "on", *until)
    assert (status, out.splitlines()[0]) == (0, "on: no new sessions start")
    assert out.endswith(" until 2999-01-01T00:00:00Z\n    en  New disks.\n")
    status, out, _ = await run("maintenance", "on", "--from", "2998-12-31T00:00Z", *until)
    assert (status, out.splitlines()[0]) == (0, "planned: sessions start until it begins")
    assert json.loads((await run("maintenance", "status", "--json"))[1])["active"] is False
    assert await run("maintenance", "off") == off


async def test_who_has_no_right_and_a_hub_that_is_away_are_said(run: Run, site: Website) -> None:
    site.scopes = {"servers"}
    status, out, err = await run("maintenance", "off")
    assert (status, out) == (1, "")
    assert err.startswith("berth maintenance: The hub refuses: ")
    site.server.stop()
    status, _, err = await run("sessions")
    assert status == 1
    assert "The hub does not answer at http://127.0.0.1:" in err


async def test_an_operator_who_is_not_root_brings_an_address_and_a_token(
    site: Website, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n", encoding="utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def command(*argv: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["berth", "sessions", *argv])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    good = await asyncio.to_thread(command, "--hub", site.url + "/", "--token-file", str(token))
    assert good[0] == 0
    for argv, said in [
        (("--settings", str(tmp_path)), "Run this as root on the hub's host"),
        (("--hub", site.url), "Give --hub and --token-file together."),
        (("--hub", "file:///etc/passwd", "--token-file", str(token)), "is not an address"),
        (("--hub", site.url, "--token-file", str(tmp_path / "none")), "No such file"),
    ]:
        code, out, err = await asyncio.to_thread(command, *argv)
        assert (code, out) == (1, "")
        assert said in err


PAGES = ("running-sessions", "announcements", "maintenance")
EXAMPLES = [
    line
    for page in PAGES
    for block in re.findall(
        r"^```sh\n(.*?)^```",
        (ROOT / f"docs/operate/{page}.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    for line in block.splitlines()
    if line.startswith("berth ")
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_the_documentation_shows_can_be_typed(example: str) -> None:
    _, group, *argv = shlex.split(example, comments=True)
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(GROUPS[group].module).register(parser)
    parser.parse_args(argv)


def test_every_page_shows_something() -> None:
    assert len(EXAMPLES) > len(PAGES)
