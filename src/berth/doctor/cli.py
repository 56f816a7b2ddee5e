"""`berth doctor`: look at the hub's host, at a compute node, or at the inside of a job."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from berth.doctor import registry, report, runner
from berth.doctor.model import NotApplicableError, Scope
from berth.doctor.site import ETC, Options, Site

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from berth.doctor.model import Result

_GIVEN = frozenset({"hub", "inventory"})


class UsageError(Exception):
    """The command cannot do what it was told; the text says why, and what to do."""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--node", action="store_true", help="this is a compute node (default: the hub's host)")
    place.add_argument("--job", action="store_true", help="this is a job of the partition")
    place.add_argument(
        "--facts", action="store_true", help="print what nodes are compared with, a credential of munge in it"
    )
    parser.add_argument("--json", action="store_true", help="answer for programs")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECK",
        help="this check or area only (again for more)",
    )
    parser.add_argument("--user", default="", help="start a short job of this user's on every node")
    parser.add_argument(
        "--start-seconds",
        type=float,
        default=180.0,
        metavar="N",
        help="how long to wait for these (default: 180)",
    )
    parser.add_argument(
        "--given",
        metavar="FILE",
        help="what playbooks/doctor.yml knows: JSON with hub, inventory; - is stdin",
    )
    parser.add_argument("--etc", type=Path, default=ETC, metavar="DIR", help=f"the settings (default: {ETC})")
    parser.add_argument("--hub-url", default="", metavar="URL", help="how sessions reach the hub (for --job)")
    parser.add_argument("--layer", type=Path, metavar="DIR", help="the session layer (for --job)")


def run(options: argparse.Namespace) -> int:
    """Run the checks; return 0, or 1 where anything failed or the command could not be run."""
    scope = Scope.NODE if options.node else Scope.JOB if options.job else Scope.HUB
    try:
        site = Site(_options(options))
        _refuse(scope, options)
        if options.facts:
            return _facts(site)
        return _checks(scope, site, options)
    except UsageError as error:
        sys.stderr.write(f"berth doctor: {error}\n")
        return 1


def _options(options: argparse.Namespace) -> Options:
    given = _given(options.given)
    return Options(
        etc=options.etc,
        user=options.user,
        start_seconds=options.start_seconds,
        inventory=given.get("inventory"),
        against=given.get("hub"),
        hub_url=options.hub_url,
        layer=options.layer,
        node=options.node,
    )


def _given(place: str | None) -> Mapping[str, Any]:
    if place is None:
        return {}
    try:
        document = json.loads(sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--given {place} cannot be read: {error}") from error
    if not isinstance(document, dict) or not document.keys() <= _GIVEN:
        raise UsageError(f"--given {place} must be a JSON object with {' and '.join(sorted(_GIVEN))} only")
    return document


def _refuse(scope: Scope, options: argparse.Namespace) -> None:
    if unknown := sorted(set(options.only) - registry.known()):
        known = ", ".join(sorted(registry.known()))
        raise UsageError(f"--only {unknown[0]}: there is no such check or area; there are {known}")
    if scope is Scope.JOB:
        return
    if os.geteuid() != 0:
        raise UsageError("it looks at what only root may see: run it as root")
    if scope is Scope.HUB and not (options.etc / "hub.yml").exists():
        raise UsageError(f"there is no {options.etc}/hub.yml: run it on the hub's host, or here with --node")


def _facts(site: Site) -> int:
    from berth.doctor import facts  # noqa: PLC0415 - needed for this alone

    try:
        document = facts.gather(site)
    except NotApplicableError as error:
        raise UsageError(str(error)) from error
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


def _checks(scope: Scope, site: Site, options: argparse.Namespace) -> int:
    results: list[Result] = []
    for result in runner.run(registry.of(scope, options.only), site):
        results.append(result)
        if not options.json:
            sys.stdout.write(report.line(result) + "\n")
            sys.stdout.flush()
    end = report.document(results, socket.gethostname()) if options.json else report.summary(results)
    sys.stdout.write(f"{end}\n")
    return int(report.failed(results))
