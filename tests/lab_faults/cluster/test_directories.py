"""A directory service or a home that hangs holds up nobody but whom it concerns, and they read why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.lab import pages
from tests.lab.hub import kill_hub
from tests.lab.sessions import SMALL, running, said
from tests.lab.test_availability import PATH
from tests.lab.waiting import until
from tests.lab_faults.hung import hung

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

SERVICES = "/etc/nsswitch.conf"
DIRECTORY = "/var/lib/lab-directory"
CONFIGURATION = "/etc/hesiod.conf"
BACK_SECONDS = 20.0


def others_are_served(visitor: Visitor) -> None:
    """Pages that need nothing of what hangs are there."""
    for path in ("/hub/home", PATH):
        answer = visitor.http.get(path, timeout=5)
        assert answer.status_code == 200, said(answer)


@contextmanager
def directory_service(hub: Machine) -> Iterator[None]:
    """Groups that the host also looks for in a directory service (Hesiod), configured in DIRECTORY."""
    hub.shell(f"mkdir -p {DIRECTORY}; ln -s {DIRECTORY}/hesiod.conf {CONFIGURATION}")
    hub.run("cp", "-p", SERVICES, f"{SERVICES}.lab")
    try:
        hub.run("sed", "-i", "s/^group:.*/group: files hesiod/", SERVICES)
        yield
    finally:
        hub.run("mv", f"{SERVICES}.lab", SERVICES)
        hub.run("rm", "-r", CONFIGURATION, DIRECTORY)


def test_a_directory_service_that_hangs_holds_up_only_who_is_looked_up(
    login: Machine, alice: Visitor, bob: Visitor
) -> None:
    kill_hub(login, alice)  # the new one knows nobody's groups
    with directory_service(login):
        with hung(login, DIRECTORY, service="berth-hub"), ThreadPoolExecutor(1) as thread:
            form = thread.submit(alice.form_page)
            others_are_served(bob)
            assert not form.done(), said(form.result())
            assert form.result().status_code == 503
            assert "does not get the answers that the form needs" in pages.text(form.result())
            others_are_served(bob)
        until(lambda: alice.form_page().status_code == 200, "a form", BACK_SECONDS)


def test_a_home_that_hangs_refuses_the_start_and_holds_up_nobody_else(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    known = slurm.known("alice")
    with hung(login, "/home/alice"):
        alice.submit_form(**SMALL)
        until(lambda: login.attempt("pgrep", "-u", "alice").stdout, "a look at the home that hangs", 10)
        others_are_served(bob)
        assert (alice.server() or {}).get("pending") == "spawn", "the home did not hang"
        until(lambda: alice.server() is None, "an answer", BACK_SECONDS)
        assert "home directory does not answer at the moment, so nothing was started" in alice.last_words()
        assert login.attempt("pgrep", "-u", "alice").stdout == ""
        assert slurm.known("alice") == known
    with running(slurm, alice):
        pass
