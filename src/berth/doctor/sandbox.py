"""What systemd lets the services do: the hub nothing, the helper what it needs and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from berth.doctor import commands
from berth.doctor.model import Finding, failure, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

NEEDED: Final = frozenset({"cap_setuid", "cap_setgid"})
ALLOWED: Final = NEEDED | {"cap_kill", "cap_dac_override", "cap_audit_write"}
HELPER: Final = "berth-helper@doctor.service"
_PROPERTIES: Final = "Id,User,NoNewPrivileges,CapabilityBoundingSet,ProtectSystem,AmbientCapabilities"
_FIX: Final = "take drop-in files out (systemctl cat {}), then run playbooks/hub.yml"


def hub(site: Site) -> list[Finding]:
    """Look whether the hub runs as its user, without any privilege and on a system that it cannot write."""
    unit = "berth-hub.service"
    found = _properties(unit)
    name = site.helper.peer_user
    problems: list[str] = []
    if found.get("User") != name:
        problems.append(f"runs as {found.get('User') or 'root'}, not as {name}")
    if found.get("CapabilityBoundingSet"):
        problems.append(f"may have the capabilities {found['CapabilityBoundingSet']}")
    problems += _confined(found)
    failures = [failure(f"{unit} {problem}", _FIX.format(unit)) for problem in problems]
    return judged(failures, f"the hub runs as {name}, without privileges, on a read-only system")


def helper(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Look whether the helper has the capabilities that it needs, and no others."""
    found = _properties(HELPER)
    held = frozenset(found.get("CapabilityBoundingSet", "").split())
    problems = []
    if lacking := NEEDED - held:
        problems.append(f"lacks {', '.join(sorted(lacking))}: it cannot become the user")
    if superfluous := held - ALLOWED:
        problems.append(f"may have {', '.join(sorted(superfluous))}, which it does not need")
    problems += _confined(found)
    unit = "berth-helper@.service"
    failures = [failure(f"{unit} {problem}", _FIX.format(unit)) for problem in problems]
    return judged(failures, f"the helper is confined to {', '.join(sorted(held))}")


def _confined(found: dict[str, str]) -> Iterator[str]:
    if found.get("NoNewPrivileges") != "yes":
        yield "may gain privileges (NoNewPrivileges is not yes)"
    if found.get("ProtectSystem") != "strict":
        yield f"may write to the system (ProtectSystem={found.get('ProtectSystem', '')})"
    if found.get("AmbientCapabilities"):
        yield f"is given the capabilities {found['AmbientCapabilities']}"


def _properties(unit: str) -> dict[str, str]:
    answer = commands.run(["systemctl", "show", f"--property={_PROPERTIES}", unit])
    return dict(line.split("=", 1) for line in answer.output.splitlines() if "=" in line)
