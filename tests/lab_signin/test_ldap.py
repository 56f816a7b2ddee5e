"""Users of a real directory, known by sssd: passwords, groups, expiry, and jobs that run as them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.machines import NODES, Machine
from tests.lab.sessions import running
from tests.lab.visitor import Visitor
from tests.lab.waiting import until
from tests.lab_signin.signin import configure, secrets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine as Login
    from tests.lab.slurm import Slurm

ACCOUNT_SECONDS = 90.0


@pytest.fixture(autouse=True, scope="module")
def _directory(login: Login) -> Iterator[None]:
    """The hub lets in members of a group of the directory; one of them has an account in Slurm."""
    configure("ldap")
    login.run("sacctmgr", "-i", "add", "user", "dora", "account=proj_b")
    yield
    login.run("sacctmgr", "-i", "delete", "user", "dora")


@pytest.fixture
def dora(context: ssl.SSLContext) -> Iterator[Visitor]:
    """A user of the directory, logged in with her password there."""
    with Visitor("dora", context) as visitor:
        page = visitor.log_in(secrets()["dora"])
        assert page.status_code == 200, pages.text(page)
        assert page.url.path == "/hub/spawn"
        yield visitor


def refusal(name: str, password: str, context: ssl.SSLContext) -> str:
    """What the login page says to somebody who cannot come in."""
    with Visitor(name, context) as visitor:
        page = visitor.log_in(password)
        found = pages.parse(page).select_one(".login_error")
        assert found is not None, pages.text(page)
        assert visitor.http.get("/hub/home").url.path == "/hub/login"
        return found.get_text(" ", strip=True)


def test_nobody_has_the_directory_s_users_in_files(login: Login) -> None:
    assert login.attempt("grep", "-c", "dora", "/etc/passwd").stdout.strip() == "0"
    for name in NODES:
        assert Machine(name).run("id", "-u", "dora") == "3001"


def test_a_user_of_the_directory_has_a_session_that_runs_as_them_with_their_groups(
    dora: Visitor, slurm: Slurm
) -> None:
    def accounts() -> tuple[str, ...]:
        form = pages.form(dora.form_page(), "spawn_form")
        return form.label("Slurm account").choices if form.fields else ()

    until(lambda: accounts() == ("proj_b",), "an account of dora's in the form", ACCOUNT_SECONDS)
    with running(slurm, dora, account="proj_b") as session:
        assert session.job["UserId"] == "dora(3001)"
        assert session.job["Account"] == "proj_b"
        pid = session.server_pid()
        assert session.node.run("stat", "-c", "%U", f"/proc/{pid}") == "dora"
        groups = session.node.run("grep", "^Groups:", f"/proc/{pid}/status").split()[1:]
        assert {"3100", "3102"} <= set(groups)


def test_a_user_of_the_directory_submits_from_a_shell(login: Login, slurm: Slurm) -> None:
    argv = ["sbatch", "--parsable", "--partition=interactive", "--account=proj_b", "--mem=100M", "--time=5"]
    # Docker itself knows no users but those in files.
    shell = ("runuser", "-u", "dora", "--")
    job_id = int(login.run(*shell, *argv, "--chdir=/tmp", "--output=/dev/null", "--wrap=true"))
    slurm.wait_for(job_id, "COMPLETED")


def test_a_wrong_password_is_refused_by_the_directory(context: ssl.SSLContext) -> None:
    assert "password" in refusal("dora", "not-it", context).lower()


def test_the_right_password_is_not_enough_outside_the_group(context: ssl.SSLContext) -> None:
    said = refusal("ed", secrets()["ed"], context)
    assert (
        said
        == "The password is right, but this account may not use the service. Ask user support for access."
    )


def test_an_account_that_has_expired_in_the_directory_is_refused_with_the_reason(
    context: ssl.SSLContext,
) -> None:
    said = refusal("fay", secrets()["fay"], context)
    assert said.startswith("The password is right, but the system does not let this account in:")
    assert "expired" in said


def test_members_of_the_operators_group_are_admins_and_others_are_not(
    dora: Visitor, context: ssl.SSLContext
) -> None:
    assert dora.http.get("/hub/admin").status_code == 200
    configure("ldap", hub_admin_groups=["staff"])
    with Visitor("dora", context) as visitor:
        visitor.log_in(secrets()["dora"])
        assert visitor.http.get("/hub/admin").status_code == 403
