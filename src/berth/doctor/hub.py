"""The hub itself: settings, services, and whether each part answers."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Final

from berth.doctor import commands, web
from berth.doctor.model import Finding, failure, judged, warning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from berth.doctor.site import Site

UNITS: Final = ("berth-helper.socket", "berth-proxy.service", "berth-hub.service", "berth-web.service")
# What nobody but root (and the group, where a digit of it is 0) may have on each file.
_FORBIDDEN: Final = {
    "hub.yml": 0o027,
    "form.yml": 0o022,
    "helper.json": 0o077,
    "proxy.env": 0o077,
    "metrics.env": 0o077,
    "operator.env": 0o077,
    "nginx.conf": 0o022,
}
_OFTEN: Final = 3
PLAYBOOK: Final = "run playbooks/hub.yml"


def settings(site: Site) -> list[Finding]:
    """Read the settings as the hub does, and look who else may read or write them."""
    from berth.hub.settings import SettingsError, load  # noqa: PLC0415 - only the hub's host has it

    etc = site.options.etc
    try:
        load(etc)
    except SettingsError as error:
        return [failure(line, f"{PLAYBOOK}; it writes this file") for line in str(error).splitlines()]
    paths = {etc / name: bits for name, bits in _FORBIDDEN.items()}
    problems = (problem for path, bits in paths.items() for problem in modes(path, bits))
    return judged(problems, f"the settings in {etc} are valid and nobody else may change them")


def modes(path: Path, forbidden: int) -> Iterator[Finding]:
    """Say who owns a file that root shall own, and which of the *forbidden* mode bits it has."""
    try:
        found = path.stat()
    except OSError as error:
        yield failure(f"{path}: {error.strerror}", PLAYBOOK)
        return
    if found.st_uid != 0:
        yield failure(f"{path} belongs to uid {found.st_uid}, not to root", f"chown root {path}")
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        fix = f"chmod {mode & ~forbidden:04o} {path}"
        yield failure(f"{path} has mode {mode:04o}, which gives others too much", fix)


def services(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Ask systemd whether the units run, start at boot, and do not die again and again."""
    wanted = "Id,ActiveState,UnitFileState,NRestarts"
    answer = commands.run(["systemctl", "show", f"--property={wanted}", *UNITS])
    return judged(_units(answer.output), f"{', '.join(UNITS)} run and start at boot")


def _units(text: str) -> Iterator[Finding]:
    found = [dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE)) for block in text.split("\n\n")]
    units = {unit["Id"]: unit for unit in found if "Id" in unit}
    for name in UNITS:
        unit = units.get(name, {})
        if (state := unit.get("ActiveState", "unknown")) != "active":
            fix = f"look at journalctl -u {name}, then systemctl start {name}"
            yield failure(f"{name} is {state}", fix)
        if (state := unit.get("UnitFileState", "unknown")) != "enabled":
            yield failure(f"{name} does not start at boot ({state})", f"systemctl enable {name}")
        if (restarts := int(unit.get("NRestarts") or 0)) > _OFTEN:
            fix = f"look at journalctl -u {name}"
            yield warning(f"{name} was restarted {restarts} times by systemd since it was started", fix)


def answers(site: Site) -> list[Finding]:
    """Ask the hub directly, then through the proxy."""
    direct = f"http://127.0.0.1:{site.hub.hub_port}/hub/health"
    through = f"{site.hub.proxy_bind_url}/hub/health"
    problems = [
        *_answers(direct, "the hub", "berth-hub"),
        *_answers(through, "the hub through the proxy", "berth-proxy"),
    ]
    return judged(problems, "the hub answers, directly and through the proxy")


def _answers(url: str, what: str, unit: str) -> Iterator[Finding]:
    fix = f"look at journalctl -u {unit}"
    try:
        status = web.get(url).status
    except web.WebError as error:
        yield failure(f"{what} does not answer: {error}", fix)
    else:
        if status != 200:  # noqa: PLR2004 - HTTP's own number
            yield failure(f"{what} answers {url} with status {status}", fix)
