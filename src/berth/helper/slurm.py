"""Slurm's commands, run as the user (`extend`: as root) in a clean environment, and what their ends prove."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import subprocess
from typing import TYPE_CHECKING

from berth.helper import home
from berth.helper.policy import User
from berth.helper.protocol import Answer, Cancel, Estimate, Extend, Resources, Submit, failure, success
from berth.helper.refusals import AWAY, REFUSALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from berth.helper.settings import Settings

_MAX_MESSAGE = 2000
_ROOT = User("root", 0, 0, (0,), "/", "/bin/sh")
_PREFIX = re.compile(r"^(?:sbatch|scancel|squeue|scontrol): (?:(?:error|fatal): )?", re.MULTILINE)
_COMPLAINT = re.compile(r"^sbatch: (?:error|fatal): ", re.MULTILINE)
_SUBMISSION_FAILED = re.compile(r"^sbatch: error: Batch job submission failed: (.*)$", re.MULTILINE)
_TEST_FAILED = re.compile(r"^(?:sbatch: error: )?allocation failure: (.*)$", re.MULTILINE)
_NEVER_SENT = re.compile(
    # without a credential of munge nothing can be sent, without a configuration nobody knows where to
    r"auth_g_create: REQUEST_SUBMIT_BATCH_JOB has authentication error$"
    r"|^sbatch: (?:error|fatal): Could not establish a configuration source$",
    re.MULTILINE,
)
_JOB_ID = re.compile(r"([0-9]{1,10})(?:;\S+)?")
_NOT_CANCELLED = re.compile(
    r"Access/permission denied|Invalid job id specified|Job/step already completing or completed"
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Result:
    """How a command ended. Status None: it was killed for being late. It never ran: `_NotRunError`."""

    status: int | None
    stdout: str
    stderr: str

    @property
    def message(self) -> str:
        """What the command said, in one line without its prefixes and without control characters."""
        if self.status is None:
            return "Slurm did not answer in time."
        lines = (" ".join(line.split()) for line in _PREFIX.sub("", self.stderr).splitlines())
        text = "; ".join(filter(None, lines))
        text = "".join(character for character in text if character.isprintable())
        return text[:_MAX_MESSAGE] or f"The command ended with status {self.status} and said nothing."


class _NotRunError(Exception):
    """The command could not be started, so that nothing was done."""


def submit(user: User, request: Submit, settings: Settings) -> Answer:
    """Queue a session. Every error but "unknown" proves that nothing was queued; "refused" is Slurm's no."""
    if (problem := home.problem(user)) is not None:
        return problem
    script = f"{settings.layers_dir}/{request.layer}/bin/berth-session"
    argv = [
        *_sbatch(user, request.resources, settings),
        "--parsable",
        # With a list instead of ALL, Slurm would run the user's login shell on the node.
        "--export=ALL",
        f"--job-name={request.job_name}",
        script,
    ]
    try:
        result = _run(user, argv, request.environment, settings)
    except _NotRunError as error:
        return failure("not-run", str(error))
    if result.status == 0:
        job_id = _JOB_ID.fullmatch(result.stdout.strip().rpartition("\n")[2])
        if job_id:
            return success(job_id=int(job_id[1]))
    return failure(_error(result, _SUBMISSION_FAILED), result.message)


def _error(result: _Result, failed: re.Pattern[str]) -> str:
    """Say what the end of sbatch proves: "refused", "slurm-away" (nothing was kept), or "unknown"."""
    # 1 is sbatch's status for every error of its own. It prints the job id last, if there is one.
    if result.status != 1 or result.stdout.strip():
        return "unknown"
    if _NEVER_SENT.search(result.stderr):
        return "slurm-away"
    if reasons := failed.findall(result.stderr):
        reason = reasons[-1].strip()
        return "slurm-away" if reason in AWAY else "refused" if reason in REFUSALS else "unknown"
    # it gave up before it sent anything
    return "refused" if _COMPLAINT.search(result.stderr) else "unknown"


def estimate(user: User, request: Estimate, settings: Settings) -> Answer:
    """Ask when such a session would start; nothing is queued in any case."""
    argv = [*_sbatch(user, request.resources, settings), "--test-only", "--wrap=true"]
    try:
        result = _run(user, argv, {}, settings)
    except _NotRunError as error:
        return failure("not-run", str(error))
    if result.status == 0 and result.stderr.strip():
        return success(text=result.message)
    refused = _error(result, _TEST_FAILED) == "refused"
    return failure("refused" if refused else "unknown", result.message)


def cancel(user: User, request: Cancel, settings: Settings) -> Answer:
    """Cancel a job. As it is done as the user, Slurm itself protects everybody else's jobs."""
    try:
        result = _run(user, [f"{settings.slurm_bin_dir}/scancel", str(request.job_id)], {}, settings)
    except _NotRunError as error:
        return failure("not-run", str(error))
    if result.status == 0:
        return success()
    return failure("refused" if _NOT_CANCELLED.search(result.stderr) else "unknown", result.message)


def extend(user: User, request: Extend, settings: Settings) -> Answer:
    """Give a running session another time limit, as root: Slurm lets nobody raise that of an own job.

    Slurm itself says that the job is this user's, a session, and runs in the partition of sessions.
    """
    if request.minutes > settings.extend_up_to_minutes:
        return failure("not-permitted", f"No session may last {request.minutes} minutes by an extension.")
    directory, job = settings.slurm_bin_dir, str(request.job_id)
    session = f"{job} {user.uid} {settings.partition} RUNNING {request.job_name}"
    look = [f"{directory}/squeue", "--noheader", f"--jobs={job}", "--format=%i %U %P %T %j"]
    change = [f"{directory}/scontrol", "update", f"JobId={job}", f"TimeLimit={request.minutes}"]
    try:
        found = _run(user, look, {}, settings)
        if found.status != 0:
            return failure("not-run", found.message)
        if found.stdout.strip() != session:
            return failure("refused", f"Job {job} is no running session of {user.name}.")
        result = _run(_ROOT, change, {}, settings)
    except _NotRunError as error:
        return failure("not-run", str(error))
    if result.status == 0:
        return success()
    return failure("unknown" if result.status is None else "refused", result.message)


def _sbatch(user: User, resources: Resources, settings: Settings) -> list[str]:
    argv = [
        f"{settings.slurm_bin_dir}/sbatch",
        f"--partition={settings.partition}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={resources.cores}",
        f"--mem={resources.memory_mib}M",
        f"--time={resources.minutes}",
        "--no-requeue",
        "--output=/dev/null",  # a full or missing home must not keep a session from starting
        f"--chdir={user.home}",
        "--propagate=NONE",  # the limits of this service are not the user's
    ]
    if resources.gpus:
        kind = f"{resources.gpu_type}:" if resources.gpu_type else ""
        argv.append(f"--gres=gpu:{kind}{resources.gpus}")
    if resources.account:
        argv.append(f"--account={resources.account}")
    if resources.reservation:
        argv.append(f"--reservation={resources.reservation}")
    return argv


def _run(user: User, argv: list[str], extra: Mapping[str, str], settings: Settings) -> _Result:
    # The umask is this service's: sbatch hands it on to the job, so the site sets it there.
    clean = {
        "HOME": user.home,
        "USER": user.name,
        "LOGNAME": user.name,
        "SHELL": user.shell,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
    }
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env={**extra, **clean},
            start_new_session=True,
            extra_groups=user.groups,
            group=user.gid,
            user=user.uid,
        )
    except OSError as error:
        raise _NotRunError(f"{argv[0]} cannot be run: {error.strerror}.") from error
    with process:
        try:
            stdout, stderr = process.communicate(timeout=settings.submit_timeout_seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):  # without the right to kill it, the deadline ends us both
                process.kill()
            return _Result(None, "", "")
    return _Result(process.returncode, stdout, stderr)
