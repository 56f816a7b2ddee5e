"""Keep a generated password for each user in a JSON file: ``keep_passwords.py FILE USER...``.

Users that the file knows keep theirs. Prints ``changed`` when the file was written.
"""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path

# No letters that look alike: people copy these from a terminal.
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 16


def keep(path: Path, users: list[str]) -> bool:
    """Write *path* (mode 0600) so that it holds exactly *users*; return whether anything had to change."""
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    wanted = {user: known.get(user) or password() for user in users}
    if wanted == known:
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    new.replace(path)
    return True


def password() -> str:
    """Return a fresh random password."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


if __name__ == "__main__":
    if keep(Path(sys.argv[1]), sys.argv[2:]):
        print("changed")
