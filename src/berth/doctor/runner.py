"""Runs checks one after the other. Whatever one does, the others are run: its failure is a finding, too."""

from __future__ import annotations

import importlib
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from berth.doctor.commands import NotRunError
from berth.doctor.model import Finding, NotApplicableError, Result, Status, failure
from berth.slurm.errors import SlurmError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from berth.doctor.model import Check
    from berth.doctor.site import Site


def run(checks: Iterable[Check], site: Site) -> Iterator[Result]:
    """Run each check and give its findings as they come. Nothing that a check does raises here."""
    for check in checks:
        for finding in _within(check, site):
            yield Result(check.name, finding)


def _within(check: Check, site: Site) -> list[Finding]:
    """Give the findings of one check; one that does not end in time is left behind.

    A dead network file system holds whoever looks at it, and cannot be told to let go.
    """
    found: list[Finding] = []
    thread = threading.Thread(target=lambda: found.extend(_findings(check, site)), daemon=True)
    thread.start()
    thread.join(check.seconds)
    if thread.is_alive():
        return [
            failure(
                f"{check.about}: not known, the check did not end within {check.seconds:g} seconds",
                "look for a file system or a service that does not answer",
            )
        ]
    return found


def _findings(check: Check, site: Site) -> list[Finding]:
    try:
        module = importlib.import_module(f"berth.doctor.{check.module}")
        found = list(getattr(module, check.function)(site))
    except NotApplicableError as reason:
        return [Finding(Status.NOT_APPLICABLE, str(reason))]
    except NotRunError as error:
        return [failure(f"{check.about}: {error}", "have that program installed and its service running")]
    except SlurmError as error:
        return [Finding(Status.NOT_APPLICABLE, f"{check.about}: Slurm cannot be asked: {error}")]
    except Exception as error:  # noqa: BLE001 - a broken check is a finding, and the others go on
        return [failure(f"{check.about}: the check itself broke: {_where(error)}", "report this as a bug")]
    return found or [failure(f"{check.about}: the check found nothing at all", "report this as a bug")]


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
