"""Ports of nodes that a firewall closes, between a hub and its sessions."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.cluster import OPEN_NODE
from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.machines import Machine
from tests.lab.notebook import Kernel
from tests.lab.sessions import running, session_jobs, started
from tests.lab.waiting import until
from tests.lab_faults import faults
from tests.lab_faults.faults import gone, kept, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

BLOCKED_SECONDS = 10.0
"""Longer than any session takes from its report on."""
TRIED_SECONDS = 15
"""How long the hub of the last test tries; two minutes, where nobody says otherwise."""
SETTINGS = "/etc/jupyterhub/jupyterhub_config.py"


def ports(hub: Machine) -> tuple[int, int]:
    """The range of ports that sessions take."""
    first, last = yaml.safe_load(hub.run("cat", "/etc/berth/hub.yml"))["session"]["port_range"]
    return first, last


@contextmanager
def closed_ports(node: Machine, hub: Machine) -> Iterator[None]:
    """A firewall that drops what sessions of a node answer the hub and the proxy, but nothing of Slurm."""
    first, last = ports(hub)
    # By ports of both ends: what the node opens itself may have one of the sessions' ports, too.
    ephemeral = "-".join(hub.run("cat", "/proc/sys/net/ipv4/ip_local_port_range").split())
    address = hub.run("hostname", "-i").split()[0]
    rule = ("to", address, "ipproto", "tcp", "sport", f"{first}-{last}", "dport", ephemeral, "blackhole")
    node.run("ip", "rule", "add", *rule)
    try:
        yield
    finally:
        node.run("ip", "rule", "delete", *rule)


def reported(login: Machine, slurm: Slurm, visitor: Visitor) -> int:
    """Start a session and wait for its report; return its job."""
    job_id = started(slurm, visitor)
    until(lambda: kept(login, visitor.name).session.get("port"), "a session that has reported", 30)
    return job_id


def test_a_session_that_has_reported_becomes_ready_when_its_port_is_opened(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with closed_ports(Machine(OPEN_NODE.name), login):
        job_id = reported(login, slurm, alice)
        time.sleep(BLOCKED_SECONDS)
        server = alice.server()
        assert server is not None
        assert (server["ready"], server["pending"]) == (False, "spawn")
    alice.wait_ready()
    settled(login, slurm, alice)
    assert session_jobs(slurm, "alice") == [job_id]
    assert alice.open_session().url.path.startswith("/user/alice/lab")


def test_a_start_that_cannot_be_reached_can_be_cancelled(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with closed_ports(Machine(OPEN_NODE.name), login):
        reported(login, slurm, alice)
        alice.press_stop()
        gone(login, slurm, alice)


def test_a_session_that_cannot_be_reached_any_more_stays_and_can_be_stopped(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with running(slurm, alice) as session, Kernel.start(alice) as kernel:
        kernel.run("here = 'still'")
        with closed_ports(session.node, login):
            time.sleep(BLOCKED_SECONDS)
            settled(login, slurm, alice, 5)
            assert session_jobs(slurm, "alice") == [session.job_id]
        # A new connection, as a browser makes it: the server gives up one whose pings nobody answers.
        assert Kernel(alice, kernel.id).run("print(here)") == "still"
        with closed_ports(session.node, login):
            alice.press_stop()
            gone(login, slurm, alice)


@pytest.fixture
def _impatient(login: Machine, alice: Visitor) -> Iterator[None]:
    """A hub that gives up soon what it cannot reach."""

    def restart() -> None:
        login.run("systemctl", "restart", "berth-hub")
        until(lambda: hub_answers(alice), "a hub that answers", HUB_SECONDS)

    login.run("cp", "-p", SETTINGS, f"{SETTINGS}.lab")
    login.shell(f"echo 'c.Spawner.http_timeout = {TRIED_SECONDS}' >> {SETTINGS}")
    restart()
    yield
    login.run("mv", f"{SETTINGS}.lab", SETTINGS)
    restart()


@pytest.mark.usefixtures("_impatient")
def test_who_cannot_be_reached_for_long_reads_which_ports_have_to_be_open(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    first, last = ports(login)
    with closed_ports(Machine(OPEN_NODE.name), login):
        job_id = reported(login, slurm, alice)
        port = kept(login, "alice").session["port"]
        until(lambda: alice.server() is None, "the end of the start", 3 * TRIED_SECONDS)
    place = f"The session of job {job_id} serves on {OPEN_NODE.name}, port {port},"
    assert f"{place} but this service cannot reach it there" in faults.told(alice)
    assert f"the ports {first} to {last} of the nodes" in faults.told(alice)
    gone(login, slurm, alice)
    until(lambda: slurm.accounted(job_id, "State").startswith("CANCELLED"), "its end in accounting", 20)
