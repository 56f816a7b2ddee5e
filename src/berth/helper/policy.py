"""Who may ask, and on whose behalf: the hub only, for ordinary users only."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from berth.helper.settings import Settings

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_NOBODY = 65534


class NotPermittedError(Exception):
    """The helper will not act; the message is a sentence that can be shown."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """An ordinary account, with every group that a login would give it."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


def check_peer(connection: socket.socket, settings: Settings) -> None:
    """Raise `NotPermittedError` unless the process that connected runs as the hub's user."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    try:
        expected = pwd.getpwnam(settings.peer_user).pw_uid
    except KeyError:
        expected = None
    if uid != expected:
        raise NotPermittedError(f"Only {settings.peer_user} may ask the helper, not uid {uid}.")


def find_user(name: str, settings: Settings) -> User:
    """Look up an ordinary account; root, accounts of the system and unknown names are one and the same no."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        entry = None
    if entry is None or not _ordinary(entry, name, settings):
        raise NotPermittedError("There is no such user of this service.")
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir, entry.pw_shell)


def _ordinary(entry: pwd.struct_passwd, name: str, settings: Settings) -> bool:
    # A directory may answer to ALICE with alice; one account must not have many names (and many limits).
    known_so = entry.pw_name == name
    # Services may have high uids (Debian's slurm: 64030), but they have no shell.
    shell = entry.pw_shell.rpartition("/")[2]
    by_number = entry.pw_uid >= settings.min_uid and entry.pw_uid not in {0, _NOBODY}
    return known_so and by_number and shell not in {"nologin", "false"}


def check_group(user: User, settings: Settings) -> None:
    """Raise `NotPermittedError` unless the user is in the site's group for this service, if it has one."""
    if not settings.allowed_group:
        return
    try:
        allowed = grp.getgrnam(settings.allowed_group).gr_gid
    except KeyError:
        allowed = None
    if allowed not in user.groups:
        raise NotPermittedError(
            f"The account {user.name} is not a member of the group {settings.allowed_group}."
        )


def permitted_user(name: str, settings: Settings) -> User:
    """Give the account on whose behalf the helper may act, or raise `NotPermittedError`."""
    user = find_user(name, settings)
    check_group(user, settings)
    return user
