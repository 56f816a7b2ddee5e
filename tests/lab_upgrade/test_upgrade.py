"""A site that runs is upgraded from an earlier commit and rolled back; its sessions stay and can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab import pages
from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.machines import ROOT, lab
from tests.lab.notebook import Kernel
from tests.lab.playbooks import play
from tests.lab.sessions import Session, ended, running, session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

INSTALLED = "/opt/berth-hub/venv/.berth/wheel"
"""Names the content of the installed package."""
SECONDS = 60.0


def layer(checkout: Path) -> str:
    """The session layer that a checkout brings."""
    defaults = yaml.safe_load((checkout / "roles/session/defaults/main.yml").read_text(encoding="utf-8"))
    return str(defaults["session_version"])


def install(checkout: Path) -> None:
    """What an operator runs: the session layer first, then the releases that name it, then the hub."""
    play("session", checkout=checkout)
    # The lab's own releases are those of this checkout; a site names the layer in the same way.
    layers = dict.fromkeys(lab().variables["releases_published"], layer(checkout))
    play("releases", {"releases_layers": layers})
    play("hub", checkout=checkout)


@dataclass(frozen=True)
class Site:
    """The lab as a site with an earlier version, and that version's checkout."""

    login: Machine
    earlier: Path
    before: str
    today: str

    def upgrade(self) -> None:
        """Install this version."""
        install(ROOT)
        assert self.login.run("cat", INSTALLED) == self.today

    def roll_back(self) -> None:
        """Install the earlier one over it."""
        install(self.earlier)
        assert self.login.run("cat", INSTALLED) == self.before


@pytest.fixture(scope="module")
def site(login: Machine, earlier: Path) -> Iterator[Site]:
    """The site as the earlier commit makes it; as today's makes it afterwards."""
    today = login.run("cat", INSTALLED)
    try:
        install(earlier)
        before = login.run("cat", INSTALLED)
        assert before != today, "the earlier commit is the present one"
        yield Site(login, earlier, before, today)
    finally:
        play("session")
        play("releases")
        play("hub")


def lives(slurm: Slurm, session: Session, kernel: Kernel) -> None:
    """A session is the one that it was: for its user, for Slurm, for the hub, with its kernel."""
    visitor = session.visitor
    until(lambda: hub_answers(visitor), "a hub that answers", HUB_SECONDS)
    visitor.wait_ready()
    assert session_jobs(slurm, visitor.name) == [session.job_id]
    assert visitor.open_session().url.path.startswith(f"/user/{visitor.name}/lab")
    kernel.reconnect()
    assert kernel.run("print(here)") == "still"
    # Something that the server has not done before: whatever it loads for it has to be there.
    with Kernel.start(visitor) as another:
        assert another.run("print(6 * 7)") == "42"


def test_sessions_live_through_an_upgrade_and_a_roll_back(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor, site: Site
) -> None:
    with running(slurm, alice) as first, Kernel.start(alice) as kernel:
        kernel.run("here = 'still'")
        assert f"/layers/{layer(site.earlier)}/" in server_command(first)
        # A start that waits in the queue goes on, too: on a node that takes no job for the moment.
        login.run("scontrol", "update", "nodename=gpu2", "state=drain", "reason=upgrade")
        try:
            waiting = started_in_queue(slurm, bob)
            site.upgrade()
            lives(slurm, first, kernel)
            assert session_jobs(slurm, "bob") == [waiting]
        finally:
            login.run("scontrol", "update", "nodename=gpu2", "state=resume")
        bob.wait_ready(SECONDS)
        bob.open_session().raise_for_status()
        second = Session(bob, waiting, slurm.job(waiting))
        try:
            with Kernel.start(bob) as other:
                other.run("here = 'still'")
                site.roll_back()
                lives(slurm, first, kernel)
                lives(slurm, second, other)
                # The earlier hub ends and remembers what the later one started.
                bob.stop()
            until(lambda: slurm.queue("bob") == [], "the end of the job", SECONDS)
            assert str(waiting) in pages.text(bob.http.get("/hub/berth/history"))
        finally:
            ended(slurm, bob)
    assert alice.server() is None


def server_command(session: Session) -> str:
    """The command line of a session's server."""
    return session.node.run("ps", "-o", "args=", "-p", str(session.server_pid()))


def started_in_queue(slurm: Slurm, visitor: Visitor) -> int:
    """Start a session that cannot run yet; return its job id."""
    visitor.submit_form(
        reservation="course", account="proj_b", cores="1", memory="500M", gpus="0", time="00:30:00"
    )
    (job_id,) = until(lambda: session_jobs(slurm, visitor.name), "a queued session", SECONDS)
    assert slurm.state(job_id) == "PENDING"
    return job_id
