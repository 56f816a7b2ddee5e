"""The hub's database: whose it is, whether it can be read, and which revision its schema has."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from berth.doctor.model import Finding, failure, ok

if TYPE_CHECKING:
    import pwd

    from berth.doctor.site import Site

_SECONDS = 10.0


def database(site: Site) -> list[Finding]:
    """Open it without writing, let SQLite look through it, compare its revision with JupyterHub's."""
    path = site.hub.state_dir / "hub.sqlite"
    if not path.is_file():
        return [failure(f"there is no {path}", "start the hub: systemctl start berth-hub")]
    if problems := [*_owned(site.hub.state_dir, site.hub_user), *_owned(path, site.hub_user)]:
        return problems
    try:
        found, damage = _read(path)
    except sqlite3.Error as error:
        return [failure(f"{path} cannot be read: {error}", _restore(path))]
    if damage != "ok":
        return [failure(f"{path} is damaged: {damage}", _restore(path))]
    wanted = head()
    if found != wanted:
        fix = (
            "stop the hub, copy the file, run playbooks/hub.yml and start it: JupyterHub says how to upgrade"
        )
        return [failure(f"{path} has revision {found or 'none'}, JupyterHub needs {wanted}", fix)]
    return [ok(f"{path} is whole and has JupyterHub's revision {wanted}")]


def head() -> str:
    """Return the revision of the schema that the installed JupyterHub has."""
    import jupyterhub  # noqa: PLC0415 - only the hub's host has these
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(str(Path(jupyterhub.__file__).parent / "alembic"))
    return scripts.get_heads()[0]


def _owned(path: Path, user: pwd.struct_passwd) -> list[Finding]:
    found = path.stat()
    if found.st_uid != user.pw_uid:
        text = f"{path} belongs to uid {found.st_uid}: the hub, {user.pw_name}, cannot write it"
        return [failure(text, f"chown {user.pw_name}: {path}, then restart berth-hub")]
    if (mode := stat.S_IMODE(found.st_mode)) & 0o077 and path.is_dir():
        return [failure(f"{path} has mode {mode:04o}: others see the hub's state", f"chmod 0700 {path}")]
    return []


def _read(path: Path) -> tuple[str, str]:
    """Return the revision, and `ok` or what is damaged."""
    address = f"{path.as_uri()}?mode=ro"  # never makes a file that would then be root's
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_SECONDS)) as connection:
        damage = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return (str(row[0]) if row else ""), damage


def _restore(path: Path) -> str:
    return (
        f"stop berth-hub, move {path} aside and restore your copy of it; without one, sessions run on unseen"
    )
