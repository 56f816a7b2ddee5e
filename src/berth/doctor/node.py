"""A compute node as sessions find it: slurmd, the session layer, the place of sockets, the hub's API."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from berth.doctor import commands, web
from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.doctor.site import Site

_NETWORK: Final = frozenset({"nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb2", "ceph", "fuseblk"})
_IMPORT: Final = "import berth.session.server, sqlite3, ssl"
_SESSION: Final = "run playbooks/session.yml"
_OK: Final = 200
_FORBIDDEN: Final = 403


def slurmd(site: Site) -> list[Finding]:  # noqa: ARG001 - every check takes the site
    """Ask this node's slurmd."""
    answer = commands.run(["scontrol", "show", "slurmd"])
    if answer.status != 0:
        fix = "look at journalctl -u slurmd, then systemctl restart slurmd"
        return [failure(f"slurmd does not answer: {answer.said}", fix)]
    told = dict(line.split("=", 1) for line in answer.output.splitlines() if "=" in line)
    contact = {key.strip(): value.strip() for key, value in told.items()}.get("Last slurmctld msg time", "")
    if contact == "NONE":
        fix = "look at the network to the controller, and at munge"
        return [failure("slurmd has not heard of slurmctld since it started", fix)]
    return [ok(f"slurmd answers{f', and heard of slurmctld at {contact}' if contact else ''}")]


def layer(site: Site) -> list[Finding]:
    """Start the interpreter of every layer in use, with what a session needs."""
    found = site.layers
    if not found:
        raise NotApplicableError("no release names a layer, see the hub's check releases.index")
    problems = [problem for path in found for problem in _layer(path)]
    return judged(problems, f"{', '.join(map(str, found))} can start a session's server")


def _layer(path: Path) -> Iterator[Finding]:
    if not (path / "bin" / "berth-session").is_file():
        yield failure(
            f"{path} is not here: sessions end at once", f"mount {path.parent.parent}, or {_SESSION}"
        )
        return
    answer = commands.run([str(path / "bin" / "python"), "-I", "-c", _IMPORT], seconds=60.0)
    if answer.status != 0:
        yield failure(f"{path} does not run on this node: {answer.said[-200:]}", _SESSION)


def runtime(site: Site) -> list[Finding]:
    """Look whether sessions can make their private directories on this node's own disk."""
    place = next(iter(site.layers), None)
    if place is None:
        raise NotApplicableError("no release names a layer, see the hub's check releases.index")
    path = runtime_dir(place)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        fix = f"mkdir -m 1777 {path}, or correct session_runtime_dir"
        return [warning(f"{path}: {error.strerror}: sessions take /tmp instead", fix)]
    problems = []
    if not mode & stat.S_ISVTX or mode & 0o007 != 0o007:  # noqa: PLR2004 - bits of a mode
        text = f"{path} has mode {stat.S_IMODE(mode):04o}: users cannot have directories of their own there"
        problems.append(failure(text, f"chmod 1777 {path}"))
    kind = commands.run(["stat", "--file-system", "--format=%T", str(path)]).output.strip()
    if kind in _NETWORK:
        text = f"{path} is on {kind}: unix sockets and locks need a disk of the node's own"
        problems.append(failure(text, f"{_SESSION} with session_runtime_dir on a local disk"))
    return judged(problems, f"{path} takes the sessions' sockets ({kind})")


def runtime_dir(place: Path) -> Path:
    """Return the directory that the settings of a layer name, /tmp where they cannot be read."""
    try:
        return Path(json.loads((place / "etc" / "session.json").read_text(encoding="utf-8"))["runtime_dir"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path("/tmp")  # noqa: S108 - what sessions fall back to


def hub(site: Site) -> list[Finding]:
    """Ask the hub's API as sessions do: by its name, over TLS that this node trusts."""
    base = site.options.hub_url or str(site.against.get("session_hub_url", ""))
    if not base:
        raise NotApplicableError("the hub's address is not known")
    url = f"{base}/hub/api/"
    try:
        page = web.get(url, ssl.create_default_context())
    except ssl.SSLError as error:
        fix = f"{_SESSION}: it makes nodes trust the hub's CA; or have the hub's name in its certificate"
        return [failure(f"{url}: the certificate is not trusted: {error}", fix)]
    except web.WebError as error:
        fix = "look at berth-web on the hub's host, at the firewall, and at the name hub_session_url"
        return [failure(f"the hub cannot be reached: {error}", fix)]
    if page.status == _FORBIDDEN:
        fix = "have this node's address in hub_api_allow and run playbooks/hub.yml"
        return [failure(f"{url} is forbidden for this node", fix)]
    if page.status != _OK:
        return [failure(f"{url} answers with status {page.status}", "look at journalctl -u berth-hub")]
    return [ok(f"{base} answers this node, and its certificate is trusted")]
