"""After a minute without use kernels and terminals end, busy ones do not; then the session, saying why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.notebook import Kernel, Terminal
from tests.lab.sessions import started
from tests.lab.waiting import TooLateError, until
from tests.lab_signin.signin import playbook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

END_SECONDS = 150.0
"""A minute, two looks, and a slow machine."""
LAST_SECONDS = 240.0
SAID = "The session ended after 1 minute without activity, as is the rule here. Saved files are safe."


@pytest.fixture(autouse=True, scope="module")
def _a_minute() -> Iterator[None]:
    playbook("session", "--tags", "session_configure", session_idle_minutes=1)
    yield
    playbook("session", "--tags", "session_configure")


def test_what_nobody_uses_ends_and_what_is_busy_does_not(alice: Visitor, slurm: Slurm) -> None:
    job_id = started(slurm, alice)
    try:
        alice.wait_ready()
        alice.open_session().raise_for_status()
        idle, busy = Kernel.start(alice), Kernel.start(alice)
        idle.run("1")
        busy._send("import time; time.sleep(600)")
        quiet, working = Terminal(alice), Terminal(alice)
        working.run("{ sleep 600 & }")
        quiet.run("true")

        status = alice.call("GET", "/user/alice/berth/api/status").raise_for_status().json()
        assert status["idle"]["minutes"] == 1
        assert 0 <= status["idle"]["left"] <= 60

        def kernels() -> set[str]:
            return {item["id"] for item in alice.lab("GET", "kernels").raise_for_status().json()}

        def terminals() -> set[str]:
            return {item["name"] for item in alice.lab("GET", "terminals").raise_for_status().json()}

        until(lambda: idle.id not in kernels(), "the end of the idle kernel", END_SECONDS)
        until(lambda: quiet.name not in terminals(), "the end of the unused terminal", END_SECONDS)
        # As long again: neither what is busy nor the session with it ends.
        with pytest.raises(TooLateError):
            until(lambda: busy.id not in kernels(), "the end of the busy kernel", END_SECONDS / 2)
        assert working.name in terminals()
        assert slurm.state(job_id) == "RUNNING"

        for channel in (idle, busy, quiet, working):
            channel.socket.close()
        alice.lab("DELETE", f"kernels/{busy.id}")
        alice.lab("DELETE", f"terminals/{working.name}")
        slurm.wait_for(job_id, "COMPLETED", LAST_SECONDS)
        until(lambda: alice.server() is None, "the hub's notice of the end", END_SECONDS)
        assert SAID in pages.text(alice.form_page())
        assert SAID in pages.text(alice.http.get("/hub/berth/history"))
    finally:
        alice.stop()
        slurm.cancel(*slurm.queue("alice"))
