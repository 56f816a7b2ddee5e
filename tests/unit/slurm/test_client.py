from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.slurm.answers import associations, client, qos
from berth.slurm.answers.client import Commands, SlurmError, SlurmRefused, SlurmUnavailable
from berth.slurm.answers.commands import parse_version
from berth.slurm.errors import SlurmValueError
from tests.unit.slurm import recorded

if TYPE_CHECKING:
    from collections.abc import Callable

OLD = Commands("/opt/slurm/bin/", (22, 5))
NEW = Commands("/usr/bin", (24, 11))


def program(directory: Path, body: str, name: str = "scontrol") -> list[str]:
    """Write a stand-in for one of Slurm's programs and return its argument list."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(stat.S_IRWXU)
    return [str(path)]


def test_commands_name_the_program_by_its_path_and_take_no_shell() -> None:
    assert NEW.nodes() == ["/usr/bin/scontrol", "show", "node", "--json"]
    assert NEW.nodes("gpu[1-2]") == ["/usr/bin/scontrol", "show", "node", "gpu[1-2]", "--json"]
    assert NEW.partition("p") == ["/usr/bin/scontrol", "--all", "--oneliner", "show", "partition", "p"]
    assert NEW.reservations() == ["/usr/bin/scontrol", "--all", "show", "reservation", "--json"]
    assert NEW.jobs("p") == ["/usr/bin/squeue", "--all", "--states=all", "--partition=p", "--json"]
    assert Commands().nodes() == ["scontrol", "show", "node", "--json"]


def test_a_slurm_whose_scontrol_has_no_json_is_asked_otherwise() -> None:
    assert OLD.nodes("gpu1") == ["/opt/slurm/bin/sinfo", "--json"]
    assert OLD.partition("p") == ["/opt/slurm/bin/scontrol", "--all", "--oneliner", "show", "partition", "p"]
    assert OLD.reservations() == ["/opt/slurm/bin/scontrol", "--all", "--oneliner", "show", "reservation"]
    assert OLD.jobs("p")[-1] == "--json"


def test_accounting_is_asked_by_number_and_by_name_in_bounded_commands() -> None:
    assert NEW.accounting([], []) == []
    sacct = ["/usr/bin/sacct", "--allusers", "--json"]
    assert NEW.accounting([5, 6], ["berth-1"]) == [
        [*sacct, "--jobs=5,6"],
        [*sacct, "--starttime=now-7days", "--name=berth-1"],
    ]
    many = NEW.accounting(range(1, 451))
    assert [len(argv[-1].split(",")) for argv in many] == [200, 200, 50]


def test_the_associations_are_asked_in_the_form_that_the_parser_reads() -> None:
    assert NEW.associations()[-1] == f"format={associations.COLUMNS}"
    assert NEW.default_accounts()[-1] == "format=user,defaultaccount"
    assert NEW.qos()[-1] == f"format={qos.COLUMNS}"
    assert NEW.associations()[:3] == ["/usr/bin/sacctmgr", "--noheader", "--parsable2"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (recorded.text("22.05", "version.txt"), (22, 5)),
        (recorded.text("24.11", "version.txt"), (24, 11)),
        (recorded.text("26.05", "version.txt"), (26, 5)),
        ("slurm 23.02.7\n", (23, 2)),
        ("slurm 25.11.0-0rc1\n", (25, 11)),
    ],
)
def test_the_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "sinfo: error", "slurm", "slurm x.y"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(SlurmValueError, match="is not a version of Slurm"):
        parse_version(text)


async def test_connecting_finds_out_which_commands_to_use(tmp_path: Path) -> None:
    program(tmp_path, "[ $1 = --version ] && echo slurm-wlm 22.05.8", "sinfo")
    assert await client.connect(str(tmp_path), 5) == Commands(str(tmp_path), (22, 5))


async def test_what_a_program_prints_is_returned(tmp_path: Path) -> None:
    assert await client.run([*program(tmp_path, 'echo "$1 $#"'), "a b; $(c)"], 5) == "a b; $(c) 1\n"


async def test_settings_of_the_environment_do_not_change_the_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    monkeypatch.setenv("SLURM_CLUSTERS", "other")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm/slurm.conf")
    body = (
        'echo "${SQUEUE_FORMAT-unset} ${SLURM_CLUSTERS-unset} ${SLURM_CONF-unset} ${SLURM_TIME_FORMAT-unset}"'
    )
    assert await client.run(program(tmp_path, body), 5) == "unset unset /etc/slurm/slurm.conf %s\n"
    # sacct of 22.05 cannot read its own --starttime with that variable
    assert (await client.run(program(tmp_path, body, "sacct"), 5)).endswith(" unset\n")


@pytest.mark.parametrize(
    "complaint",
    [
        *sorted({recorded.text(version, "away.txt").strip() for version in recorded.VERSIONS[1:]}),
        "slurm_load_jobs error: Connection reset by peer",
        "slurm_load_node error: Socket timed out on send/recv operation",
        "sacct: error: Problem talking to the database: Connection refused",
        "",
    ],
)
async def test_a_failure_that_proves_nothing_is_told_apart_from_a_refusal(
    tmp_path: Path, complaint: str
) -> None:
    with pytest.raises(SlurmUnavailable) as caught:
        await client.run(program(tmp_path, f"echo '{complaint}' >&2; exit 1"), 5)
    assert complaint in str(caught.value)
    assert "scontrol" in str(caught.value)


@pytest.mark.parametrize(
    "complaint",
    [
        "slurm_load_jobs error: Invalid job id specified",
        "Partition nope not found",
        "scontrol: unrecognized option '--json'",
        "error: Access/permission denied",
    ],
)
async def test_a_clear_no_of_slurm_is_a_refusal(tmp_path: Path, complaint: str) -> None:
    argv = program(tmp_path, f'echo "{complaint}"; exit 1')
    with pytest.raises(SlurmRefused, match="scontrol: "):
        await client.run(argv, 5)


async def test_a_program_that_is_not_there_is_no_refusal(tmp_path: Path) -> None:
    with pytest.raises(SlurmUnavailable, match="cannot be run: No such file"):
        await client.run([str(tmp_path / "scontrol")], 5)


async def test_a_program_that_is_late_is_killed_with_its_children(tmp_path: Path) -> None:
    argv = program(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    started = time.monotonic()
    with pytest.raises(SlurmUnavailable, match=r"did not answer within 0\.5 seconds"):
        await client.run(argv, 0.5)
    assert time.monotonic() - started < 10
    await _gone(int((tmp_path / "child").read_text(encoding="utf-8")))


async def test_a_caller_that_is_cancelled_leaves_no_program_behind(tmp_path: Path) -> None:
    argv = program(tmp_path, f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60")
    task = asyncio.create_task(client.run(argv, 60))
    await _until((tmp_path / "pid").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(int((tmp_path / "pid").read_text(encoding="utf-8")))


async def _until(condition: Callable[[], bool]) -> None:
    """Wait ten seconds at most for something that another process does."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"{condition} never became true")


async def _gone(process: int) -> None:
    """Wait until the process has ended; a killed orphan stays a zombie until it is collected."""

    def ended() -> bool:
        try:
            text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        except (FileNotFoundError, ProcessLookupError):
            return True
        return text.rpartition(")")[2].split()[0] == "Z"

    await _until(ended)


@pytest.mark.parametrize("name", ["away-squeue.json", "away-nodes.json"])
def test_success_with_an_empty_list_and_errors_is_no_answer(name: str) -> None:
    text = recorded.text("22.05", name)
    assert '": [\n]' in text or '": []' in text, "Slurm 22.05 lists nothing and ends with success"
    with pytest.raises(SlurmUnavailable, match=r"Slurm answered with an error: .*Unspecified error"):
        client.decode(text)


@pytest.mark.parametrize("text", ["", " \n", '{"jobs": [', "Segmentation fault", "[]", '{"errors": "some"}'])
def test_what_is_no_whole_document_is_no_answer(text: str) -> None:
    with pytest.raises(SlurmUnavailable):
        client.decode(text)


@pytest.mark.parametrize("version", recorded.VERSIONS)
def test_a_document_cut_off_anywhere_is_no_answer(version: str) -> None:
    text = recorded.text(version, "nodes.json").strip()
    for length in range(1, len(text), 97):
        with pytest.raises(SlurmUnavailable):
            client.decode(text[:length])


@given(st.text() | st.text(alphabet='{}[]",:eros A=\n'))
def test_nothing_but_our_own_error_is_raised(text: str) -> None:
    try:
        document = client.decode(text)
    except SlurmError:
        return
    assert isinstance(document, dict)
