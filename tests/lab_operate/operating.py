"""The operator: root on the hub's host with the command `berth`, and an admin at the hub."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.visitor import Visitor
from tests.lab.waiting import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine

BERTH = "/opt/berth-hub/venv/bin/berth"
SETTINGS = "/etc/berth/hub.yml"


def berth(login: Machine, *argv: str) -> str:
    """Run a command of the operator's that has to succeed."""
    return login.run(BERTH, *argv)


def refused(login: Machine, *argv: str, user: str = "root") -> str:
    """Run one that has to fail with a sentence and nothing else."""
    result = login.attempt(BERTH, *argv, user=user)
    assert result.rc == 1, result
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return str(result.stderr).strip()


def document(login: Machine, *argv: str) -> Any:
    """Return the JSON that a command prints."""
    return json.loads(berth(login, *argv))


def restart(login: Machine, visitor: Visitor) -> None:
    """Restart the hub, which ends no session."""
    login.run("systemctl", "restart", "berth-hub")
    until(lambda: hub_answers(visitor), "a hub that answers", HUB_SECONDS)


@contextmanager
def admin(login: Machine, context: ssl.SSLContext, name: str) -> Iterator[Visitor]:
    """Have a user who is an admin of the hub, and take that back afterwards."""
    kept = login.shell(f"cp -p {SETTINGS} {SETTINGS}.kept && cat {SETTINGS}")
    assert "\nadmin_users: []" in kept
    with Visitor(name, context) as visitor:
        try:
            login.shell(f"sed -i 's/^admin_users: .*/admin_users: [{name}]/' {SETTINGS}")
            visitor.log_in()
            restart(login, visitor)
            visitor.log_in()
            yield visitor
            # Which JupyterHub keeps in its database, whatever the settings say later.
            visitor.hub("PATCH", f"users/{name}", json={"admin": False}).raise_for_status()
        finally:
            login.shell(f"mv {SETTINGS}.kept {SETTINGS}")
            restart(login, visitor)
