"""Runs Slurm's query commands and decodes what they print."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from berth.slurm.answers import oneline
from berth.slurm.answers.commands import Commands, parse_version
from berth.slurm.answers.document import ONELINE
from berth.slurm.errors import SlurmError, SlurmRefused, SlurmUnavailable

__all__ = ["Commands", "SlurmError", "SlurmRefused", "SlurmUnavailable", "connect", "decode", "run"]

# What Slurm says when it has understood the question and its answer is no. All else proves nothing.
_REFUSALS = re.compile(
    r"Invalid (?:job id|partition|reservation|node name|user)|(?:Partition|Reservation|Node) \S+ not found"
    r"|Access/permission denied|unrecognized option|invalid option|Invalid entity",
    re.IGNORECASE,
)
# Users' and sites' settings of these commands' output; the answers must not depend on them.
_FOREIGN = ("SQUEUE_", "SINFO_", "SACCT_", "SCONTROL_", "SLURM_CLUSTERS", "SLURM_TIME_FORMAT")
_SETTINGS = {"LC_ALL": "C.UTF-8"}
# The text form of scontrol then holds Unix times. In 22.05, sacct could not read its own --starttime with it.
_SCONTROL_SETTINGS = {"SLURM_TIME_FORMAT": "%s"}
_MESSAGE_LENGTH = 500


async def connect(bin_dir: str, timeout: float) -> Commands:  # noqa: ASYNC109 - seconds for the program, not for us
    """Return the commands for the version of Slurm that is installed in *bin_dir*.

    Raises:
        SlurmUnavailable: the program did not run.
        SlurmValueError: it did not print a version of Slurm.
    """
    answer = await run(Commands(bin_dir).version_query(), timeout)
    return Commands(bin_dir, parse_version(answer))


async def run(argv: list[str], timeout: float) -> str:  # noqa: ASYNC109 - the program is killed, not only left
    """Run one query and return what it printed.

    After *timeout* seconds the program is killed with all that it started; so it is when the caller is
    cancelled.

    Raises:
        SlurmRefused: Slurm understood the question and said no.
        SlurmUnavailable: every other failure: time-out, no connection, no such program.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(argv),
            start_new_session=True,
        )
    except OSError as error:
        raise SlurmUnavailable(f"{argv[0]} cannot be run: {error.strerror or error}") from error
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), timeout)
    except TimeoutError as error:
        raise SlurmUnavailable(f"{_words(argv)} did not answer within {timeout:g} seconds") from error
    finally:
        await _end(process)
    if process.returncode != 0:
        raise _failure(argv, process.returncode, complaint + output)
    return output.decode(errors="replace")


def decode(answer: str) -> dict[str, Any]:
    """Return the document in *answer*: JSON, or the records of ``scontrol --oneliner``.

    Slurm 22.05 ends with success and an empty list when its controller is away; the errors that it lists
    are raised, so that nobody takes the empty list for an answer.

    Raises:
        SlurmUnavailable: the answer lists errors, is cut off, or is no document at all.
    """
    if not answer.strip():
        raise SlurmUnavailable("Slurm gave an empty answer")
    if not answer.lstrip().startswith("{"):
        try:
            return {ONELINE: oneline.parse(answer)}
        except SlurmError as error:
            raise SlurmUnavailable(f"Slurm gave an answer that is not a document: {error}") from error
    try:
        document: dict[str, Any] = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise SlurmUnavailable(f"Slurm gave a document that is not whole: {error}") from error
    errors = document.get("errors")
    if errors:
        raise SlurmUnavailable(f"Slurm answered with an error: {_described(errors)}")
    return document


def _described(errors: object) -> str:
    """Return the words of the first error in a document, without relying on its form."""
    first = errors[0] if isinstance(errors, list) else errors
    if isinstance(first, dict):
        found = [first.get("description"), first.get("error")]
        return ": ".join(str(words) for words in found if words)[:_MESSAGE_LENGTH]
    return str(first)[:_MESSAGE_LENGTH]


def _environment(argv: list[str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | _SETTINGS | (_SCONTROL_SETTINGS if Path(argv[0]).name == "scontrol" else {})


def _failure(argv: list[str], status: int | None, printed: bytes) -> SlurmError:
    """Return the error for a program that ended with a status other than 0."""
    words = " ".join(printed.decode(errors="replace").split())
    message = f"{_words(argv)}: {words[:_MESSAGE_LENGTH] or f'ended with status {status}'}"
    return SlurmRefused(message) if _REFUSALS.search(words) else SlurmUnavailable(message)


def _words(argv: list[str]) -> str:
    return " ".join([Path(argv[0]).name, *argv[1:]])[:120]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs of the program and its children, and collect its status."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
