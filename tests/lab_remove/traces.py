"""What a machine has of Berth, what it has of others, and playbooks run as by an admin.

A lab that is converged cannot be compared with what it was before. So a machine is searched for everything
that names Berth: files by their name, and settings by their text. What role `remove` leaves is listed here
one by one, with the reason; anything else is a trace.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.lab.machines import LOGIN, NODES, ROOT

if TYPE_CHECKING:
    from tests.lab.machines import Machine

HOSTS = (LOGIN, *NODES)
REMEMBERED = "/var/tmp/remove"  # noqa: S108 - a place on a machine of the lab
KEPT = (
    # Of the Slurm that Berth set up: it goes on as it was.
    r"/etc/systemd/system/slurm(ctld|dbd|d)\.service\.d/berth\.conf",
    r"/etc/slurm/.*",
    # The systems's own records: the journal, old copies of the account files, packages and their caches.
    r"/var/log/(journal|apt|dpkg|installer|alternatives).*",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
    r"/var/lib/(dpkg|apt|mysql|slurm|systemd|ucf|polkit-1)/.*",
    r"/var/cache/(apt|debconf|ldconfig|man)/.*",
    # Of users.
    r"/home/.*",
    # Of Ansible, which ran here.
    r"/root/\.ansible.*",
    # Of the lab itself and of its tests (playbooks/lab, tests/bench), not of the roles.
    r"/opt/berth(/bench.*)?",
    r"/srv/lab.*|/root/\.lab.*|/etc/lab.*|/etc/sssd/.*|/etc/systemd/system/lab-.*",
    # Private directories of services of an earlier boot, which systemd clears by itself at the next one.
    r"/var/tmp/systemd-private-.*",  # noqa: S108 - the same
    re.escape(REMEMBERED) + ".*",
)
"""Paths that may name Berth after the removal."""
_NAMED = """
find / \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -iname '*berth*' -print 2> /dev/null
grep -rIli berth /etc /usr/local /root /var/spool/cron 2> /dev/null || :
find /opt/berth /opt/berth-hub -mindepth 1 -maxdepth 1 2> /dev/null || :
"""
_OTHERS = """
import hashlib, json, os, sys
found = {}
for top in sys.argv[1:]:
    for folder, names, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if os.path.islink(path):
                digest = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            else:
                continue
            found[path] = [status.st_mode, status.st_uid, status.st_gid, digest]
print(json.dumps(found))
"""


def traces(machine: Machine) -> list[str]:
    """Paths on a machine that name Berth, by their name or in their text, and may not be there any more."""
    found = set(machine.shell(_NAMED).splitlines())
    kept = re.compile("|".join(f"(?:{pattern})" for pattern in KEPT))
    return sorted(path for path in found if not kept.fullmatch(path))


def files(machine: Machine, *directories: str) -> dict[str, list[Any]]:
    """Mode, owner, group and digest of every file below directories."""
    found: dict[str, list[Any]] = machine.python(_OTHERS, *directories)
    return found


def play(playbook: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the lab."""
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["ansible-playbook", "-i", "inventories/lab", f"playbooks/{playbook}.yml", *arguments],
        cwd=ROOT, env={**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def said(answer: subprocess.CompletedProcess[str]) -> str:
    """What a playbook printed, white space folded, because it breaks lines anywhere."""
    return re.sub(r"\s+", " ", answer.stdout + answer.stderr)
