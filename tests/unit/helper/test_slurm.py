from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from berth.helper import slurm
from berth.helper.protocol import Answer, Cancel, Estimate, Resources, Submit
from berth.helper.refusals import AWAY
from tests.unit.helper.conftest import needs_root
from tests.unit.helper.requests import JOB_NAME, RESOURCES

if TYPE_CHECKING:
    from berth.helper.policy import User
    from berth.helper.settings import Settings
    from tests.unit.helper.conftest import Programs


class End(Protocol):
    """Sets how the next command ends; gives the list that will hold its arguments."""

    def __call__(self, status: int | None, stdout: str = "", stderr: str = "") -> list[list[str]]: ...


FAILED = "sbatch: error: Batch job submission failed"
NO_CREDENTIAL = "slurm_send_node_msg: auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error"
PLAIN = Resources(None, None, cores=1, memory_mib=1000, gpus=0, gpu_type=None, minutes=60)
FULL = Resources(**RESOURCES)
SECRET = {"JUPYTERHUB_API_TOKEN": "a secret\nof two lines", "BERTH_PORT_RANGE": "40000-49999"}


def request(resources: Resources = PLAIN) -> Submit:
    return Submit("alice", JOB_NAME, "4.6-1", resources, dict(SECRET))


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> End:
    """Let the next command end in a given way, without running anything."""

    def end(status: int | None, stdout: str = "", stderr: str = "") -> list[list[str]]:
        seen: list[list[str]] = []

        def run(_user: User, argv: list[str], *_: object) -> slurm._Result:
            seen.append(argv)
            return slurm._Result(status, stdout, stderr)

        monkeypatch.setattr(slurm, "_run", run)
        return seen

    return end


def test_a_session_is_asked_for_with_exactly_these_arguments(
    ends: End, user: User, settings: Settings
) -> None:
    (argv,) = [ends(0, "1\n"), slurm.submit(user, request(FULL), settings)][0]
    assert argv == [
        f"{settings.slurm_bin_dir}/sbatch",
        "--partition=interactive",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=2",
        "--mem=4000M",
        "--time=90",
        "--no-requeue",
        "--output=/dev/null",
        f"--chdir={user.home}",
        "--propagate=NONE",
        "--gres=gpu:a100:1",
        "--account=proj_a",
        "--reservation=course",
        "--parsable",
        "--export=ALL",
        f"--job-name={JOB_NAME}",
        "/opt/berth/layers/4.6-1/bin/berth-session",
    ]


@pytest.mark.parametrize(
    ("changes", "absent_or_present"),
    [
        ({"gpus": 0}, {"--gres": False}),
        ({"gpus": 2, "gpu_type": None}, {"--gres=gpu:2": True}),
        ({"account": None}, {"--account": False}),
        ({"reservation": None}, {"--reservation": False}),
    ],
)
def test_what_is_not_asked_for_is_not_mentioned(
    ends: End, user: User, settings: Settings, changes: dict[str, Any], absent_or_present: dict[str, bool]
) -> None:
    seen = ends(0, "1\n")
    slurm.submit(user, request(dataclasses.replace(FULL, **changes)), settings)
    for option, present in absent_or_present.items():
        assert any(argument.startswith(option) for argument in seen[0]) is present


@pytest.mark.parametrize(
    ("stdout", "job_id"),
    [("12\n", 12), ("12;cluster\n", 12), ("a plugin says hello\n4294967295\n", 4294967295)],
)
def test_a_queued_job_has_its_number(
    ends: End, user: User, settings: Settings, stdout: str, job_id: int
) -> None:
    ends(0, stdout, "sbatch: the plugin's remark\n")
    assert slurm.submit(user, request(), settings) == {"ok": True, "job_id": job_id}


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            f"{FAILED}: Invalid account or account/partition combination specified\n",
            "Batch job submission failed: Invalid account or account/partition combination specified",
        ),
        (
            f"sbatch: error: Ask for fewer cores.\n{FAILED}: Unspecified error\n",
            "Ask for fewer cores.; Batch job submission failed: Unspecified error",
        ),
        (
            "sbatch: error: Unable to open file /opt/berth/layers/4.6-1/bin/berth-session\n",
            "Unable to open file /opt/berth/layers/4.6-1/bin/berth-session",
        ),
    ],
)
def test_a_proved_refusal_is_told_in_slurms_words(
    ends: End, user: User, settings: Settings, stderr: str, message: str
) -> None:
    ends(1, "", stderr)
    assert slurm.submit(user, request(), settings) == {"ok": False, "error": "refused", "message": message}


MAYBE_QUEUED = [
    "Socket timed out on send/recv operation",
    "Zero Bytes were transmitted or received",
    "Unable to contact slurm controller (send failure)",
    "Unable to contact slurm controller (receive failure)",
    "Unable to contact slurm controller (shutdown failure)",
    "Unable to contact slurm controller",
    "Communication connection failure",
    "Communication shutdown failure",
    "Message send failure",
    "Message receive failure",
    "Unexpected message received",
    "Unexpected missing socket error",
    "Incompatible versions of client and server code",
    "Protocol authentication error",
    "Authentication credential expired",
    "Invalid authentication credential",
    "Insane message length",
    "Header lengths are longer than data received",
    "I/O stream version number error",
    "Operation now in progress",
    "Connection timed out establishing",
    "Connection timed out reading",
    "Connection timed out writing",
    "Connection rejected by handler",
    "Connection forced closed by quiesce timeout",
    "Kernel reported delayed socket error after successful write(), client side likely closed",
    "Process is shutting down and closing all communications",
    "Read would block",
    "Authentication failure",
    "No error",
    "A reason that only a later Slurm knows",
    "",
]


@pytest.mark.parametrize(
    "said",
    [
        *(f"{FAILED}: {reason}" for reason in sorted(AWAY)),
        f"sbatch: error: {NO_CREDENTIAL}\n{FAILED}: Protocol authentication error",
        "sbatch: fatal: Could not establish a configuration source",
    ],
)
def test_a_slurm_that_is_away_has_queued_nothing_and_refused_nothing(
    ends: End, user: User, settings: Settings, said: str
) -> None:
    ends(1, "", f"{said}\n")
    assert slurm.submit(user, request(), settings)["error"] == "slurm-away"


@pytest.mark.parametrize("reason", MAYBE_QUEUED + sorted({os.strerror(code) for code in errno.errorcode}))
def test_any_other_reason_may_hide_a_queued_job(
    ends: End, user: User, settings: Settings, reason: str
) -> None:
    ends(1, "", f"{FAILED}: {reason}\n")
    assert slurm.submit(user, request(), settings)["error"] == "unknown"


@pytest.mark.parametrize(
    "end",
    [
        (None, "", ""),
        (-9, "", f"{FAILED}: Invalid qos specification\n"),
        (127, "", "sbatch: error: Unable to open file x\n"),
        (1, "12\n", "sbatch: error: a plugin failed after the submission\n"),
        (1, "", ""),
        (1, "", "Segmentation fault\n"),
        (0, "", ""),
        (0, "Submitted batch job 12\n", ""),
        (0, "12\nmore\n", ""),
        (0, "-12\n", ""),
        (0, "12.5\n", ""),
    ],
)
def test_an_end_that_proves_nothing_is_unknown(
    ends: End, user: User, settings: Settings, end: tuple[int | None, str, str]
) -> None:
    ends(*end)
    answer = slurm.submit(user, request(), settings)
    assert (answer["ok"], answer["error"]) == (False, "unknown")
    assert answer["message"]


def test_a_message_is_one_bounded_line_without_control_characters(
    ends: End, user: User, settings: Settings
) -> None:
    ends(1, "", "sbatch: error: \x1b[31mred\x07\n" + "long " * 1000)
    message = str(slurm.submit(user, request(), settings)["message"])
    assert message.startswith("[31mred; long long")
    assert len(message) <= 2000
    assert message.isprintable()


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ((0, ""), True),
        ((1, "scancel: error: Kill job error on job id 12: Access/permission denied\n"), "refused"),
        ((1, "scancel: error: Kill job error on job id 12: Invalid job id specified\n"), "refused"),
        (
            (1, "scancel: error: Kill job error on job id 12: Socket timed out on send/recv operation\n"),
            "unknown",
        ),
        ((1, "scancel: error: Unable to contact slurm controller (connect failure)\n"), "unknown"),
        ((None, ""), "unknown"),
    ],
)
def test_a_cancellation_is_taken_refused_or_unknown(
    ends: End, user: User, settings: Settings, end: tuple[int | None, str], expected: object
) -> None:
    status, stderr = end
    seen = ends(status, stderr=stderr)
    answer = slurm.cancel(user, Cancel("alice", 12), settings)
    assert (answer["ok"] or answer["error"]) == expected
    assert seen == [[f"{settings.slurm_bin_dir}/scancel", "12"]]


def test_an_estimate_is_slurms_sentence(ends: End, user: User, settings: Settings) -> None:
    text = "Job 5 to start at 2026-11-22T20:00:00 using 1 processors on nodes gpu1 in partition interactive"
    seen = ends(0, "", f"sbatch: {text}\n")
    assert slurm.estimate(user, Estimate("alice", FULL), settings) == {"ok": True, "text": text}
    assert seen[0][-2:] == ["--test-only", "--wrap=true"]
    assert "--parsable" not in seen[0]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ((1, "allocation failure: Requested node configuration is not available\n"), "refused"),
        ((1, "sbatch: error: allocation failure: Invalid qos specification\n"), "refused"),
        ((1, "sbatch: error: Invalid --mem specification\n"), "refused"),
        ((1, "sbatch: fatal: Could not establish a configuration source\n"), "unknown"),
        ((1, "allocation failure: Unable to contact slurm controller (connect failure)\n"), "unknown"),
        ((1, "allocation failure: Slurm backup controller in standby mode\n"), "unknown"),
        ((1, "allocation failure: Rate limit exceeded, please retry later\n"), "unknown"),
        ((1, "allocation failure: Socket timed out on send/recv operation\n"), "unknown"),
        ((0, ""), "unknown"),
        ((None, ""), "unknown"),
        ((-15, ""), "unknown"),
    ],
)
def test_without_an_estimate_it_is_said_why(
    ends: End, user: User, settings: Settings, end: tuple[int | None, str], error: str
) -> None:
    status, stderr = end
    ends(status, stderr=stderr)
    answer = slurm.estimate(user, Estimate("alice", PLAIN), settings)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["message"]


def every_verb(user: User, settings: Settings) -> list[Answer]:
    return [
        slurm.submit(user, request(), settings),
        slurm.estimate(user, Estimate("alice", PLAIN), settings),
        slurm.cancel(user, Cancel("alice", 12), settings),
    ]


def test_a_command_that_cannot_be_run_did_nothing(user: User, settings: Settings) -> None:
    for answer in every_verb(user, settings):
        assert answer["error"] == "not-run"
        assert "cannot be run" in str(answer["message"])


@needs_root
def test_sbatch_gets_a_clean_environment_and_the_users_identity(
    user: User, settings: Settings, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SBATCH_PARTITION", "SLURM_CONF", "LD_PRELOAD", "BERTH_OTHER", "JUPYTERHUB_OTHER"):
        monkeypatch.setenv(name, "")
    programs.write("sbatch", "echo 12\n")
    several = dataclasses.replace(user, groups=(user.gid, 12345, 23456))
    before = os.umask(0o027)
    try:
        assert slurm.submit(several, request(), settings) == {"ok": True, "job_id": 12}
    finally:
        os.umask(before)
    seen = programs.seen()
    assert seen.environment == {
        "HOME": user.home,
        "USER": user.name,
        "LOGNAME": user.name,
        "SHELL": user.shell,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        **SECRET,
    }
    assert (seen.uid, seen.gid, seen.groups) == (user.uid, user.gid, {user.gid, 12345, 23456})
    assert (seen.directory, seen.umask, seen.stdin) == ("/", 0o027, "")
    assert seen.leads_session
    assert SECRET["JUPYTERHUB_API_TOKEN"] not in " ".join(seen.argv)


@needs_root
def test_nothing_of_the_helper_stays_open_in_the_command(
    user: User, settings: Settings, programs: Programs
) -> None:
    programs.write("scancel", "exit 0\n")
    left_open = os.dup2(2, 77, inheritable=True)
    try:
        assert slurm.cancel(user, Cancel("alice", 12), settings) == {"ok": True}
    finally:
        os.close(left_open)
    assert "77" not in programs.seen().descriptors


@needs_root
def test_a_late_command_is_killed_and_unknown(user: User, settings: Settings, programs: Programs) -> None:
    programs.write("sbatch", 'echo $$ > "$here/seen/pid"\nexec sleep 60\n')
    hurried = dataclasses.replace(settings, submit_timeout_seconds=1)
    started = time.monotonic()
    answer = slurm.submit(user, request(), hurried)
    assert time.monotonic() - started < 10
    assert answer == {"ok": False, "error": "unknown", "message": "Slurm did not answer in time."}
    pid = int((programs.directory / "seen" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_the_right_to_become_the_user_nothing_runs(
    user: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for answer in every_verb(user, settings):
        assert answer["error"] == "not-run"
        assert "Operation not permitted" in str(answer["message"])
