"""Logging in: over TLS, with the cluster's accounts, and for nobody else."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.lab import pages
from tests.lab.cluster import CLUSTER, COURSE, GPU_TYPES
from tests.lab.machines import lab
from tests.lab.visitor import Visitor

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

LABELS = [
    "Slurm reservation",
    "Slurm account",
    "Number of cores",
    "Memory",
    "GPU configuration",
    "Time",
    "Backend environment",
    "User interface",
]


@pytest.fixture
def newcomer(context: ssl.SSLContext) -> Iterator[Visitor]:
    """A browser of alice's without any cookie."""
    with Visitor("alice", context) as visitor:
        yield visitor


def test_the_bare_url_leads_a_newcomer_to_the_login_form(newcomer: Visitor) -> None:
    page = newcomer.http.get("/")
    assert page.url.path == "/hub/login"
    assert "Sign in" in pages.text(page)


def test_a_right_password_leads_to_the_form_with_its_eight_fields(newcomer: Visitor) -> None:
    page = newcomer.log_in()
    assert page.status_code == 200
    form = pages.form(page, "spawn_form")
    assert [field.label for field in form.fields.values()] == LABELS
    assert form.buttons == ("Start", "When could it start?")


def test_the_form_offers_what_slurm_has_for_this_user(newcomer: Visitor, bob: Visitor) -> None:
    form = pages.form(newcomer.log_in(), "spawn_form")
    assert form.label("Slurm account").choices == ("proj_a", "proj_b")
    assert form.label("Slurm account").chosen == "proj_a"
    assert form.label("Slurm reservation").choices == ("", COURSE)
    gpus = [f"{kind}:{number + 1}" for kind, most in GPU_TYPES.items() for number in range(most)]
    assert form.label("GPU configuration").choices == ("0", *gpus)
    kind, _, count = form.label("GPU configuration").chosen.rpartition(":")
    fitting = [node for node in CLUSTER if len(node.devices.get(kind, ())) >= int(count)]
    most = max(node.cpus for node in fitting)
    assert f"At most {most} with these choices." in form.label("Number of cores").hint
    assert form.label("User interface").choices == ("lab", "code", "notebook")
    assert len(form.label("Backend environment").choices) >= 1
    assert pages.form(bob.form_page(), "spawn_form").label("Slurm account").choices == ("proj_b",)


def test_cookies_of_a_login_are_for_tls_and_not_for_scripts(newcomer: Visitor) -> None:
    newcomer.log_in()
    cookies = {cookie.name: cookie for cookie in newcomer.http.cookies.jar}
    session = cookies["jupyterhub-session-id"]
    login = cookies["jupyterhub-hub-login"]
    assert session.secure
    assert login.secure
    assert login.has_nonstandard_attr("HttpOnly")


def test_a_wrong_password_gets_the_form_again_with_a_sentence(context: ssl.SSLContext) -> None:
    with Visitor("bob", context) as visitor:
        page = visitor.log_in(secrets.token_hex(8))
        assert page.status_code in {200, 401, 403}
        assert page.url.path == "/hub/login"
        assert "password" in str(pages.parse(page).select_one(".login_error")).lower()
        assert visitor.http.get("/hub/home").url.path == "/hub/login"


def test_root_cannot_log_in_with_the_right_password(context: ssl.SSLContext, login: Machine) -> None:
    password = secrets.token_hex(12)
    with a_password_of_root(login, password), Visitor("root", context) as visitor:
        page = visitor.log_in(password)
        assert page.url.path == "/hub/login"
        assert pages.parse(page).select_one(".login_error")
        assert visitor.http.get("/hub/home").url.path == "/hub/login"


@contextmanager
def a_password_of_root(machine: Machine, password: str) -> Iterator[None]:
    """Give root a password that works, so that a refusal is Berth's own."""
    before = machine.run("getent", "shadow", "root").split(":")[1]
    machine.shell(f"echo root:{password} | chpasswd")
    try:
        yield
    finally:
        machine.run("usermod", "-p", before, "root")


def test_a_user_without_an_account_gets_a_sentence_and_no_form(carol: Visitor, slurm: Slurm) -> None:
    page = carol.form_page()
    assert page.status_code == 200
    assert "You have no Slurm account on this cluster" in pages.text(page)
    assert pages.parse(page).find_all("select") == []
    assert pages.form(page, "spawn_form").buttons == ()

    form = pages.form(page, "spawn_form")
    parts = {name: (None, value) for name, value in {**form.hidden, "cores": "1"}.items()}
    answer = carol.http.post(str(page.url.join(form.action)), files=parts)
    assert answer.status_code == 400, answer.text
    assert "You have no Slurm account on this cluster" in pages.text(answer)
    assert slurm.queue("carol") == []


def test_nothing_is_served_without_tls_and_browsers_are_told_so(context: ssl.SSLContext) -> None:
    with httpx.Client(verify=context, trust_env=False) as client:
        answer = client.get(f"{lab().url}/hub/login")
    assert int(answer.headers["Strict-Transport-Security"].partition("max-age=")[2]) >= 86400
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with pytest.raises(httpx.HTTPError), httpx.Client(trust_env=False) as client:
        client.get(lab().url.replace("https", "http")).raise_for_status()
