"""Sign-in at a real OpenID provider: who comes in as which account, and why others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import axe
from tests.browser.window import Window, window
from tests.lab import pages
from tests.lab.visitor import Visitor
from tests.lab.waiting import until
from tests.lab_signin.signin import (
    NAME,
    configure,
    issuer,
    provider_form,
    restart_hub,
    said,
    secrets,
    sign_in,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

AWAY_SECONDS = 30.0
PROBE = ("openssl", "s_client", "-brief", "-connect", f"{urlsplit(issuer()).netloc}")


@pytest.fixture(autouse=True, scope="module")
def printed() -> str:
    """The hub signs in at the provider; what Ansible printed of that."""
    return configure("oidc")


@pytest.fixture
def visitor(context: ssl.SSLContext) -> Iterator[Visitor]:
    """A browser without cookies; whoever signs in with it."""
    with Visitor("alice", context) as newcomer:
        yield newcomer


def test_a_claim_is_the_account_and_a_session_runs_as_it(visitor: Visitor, slurm: Slurm) -> None:
    page = sign_in(visitor, "alice")
    assert page.status_code == 200, pages.text(page)
    assert pages.form(page, "spawn_form").label("Slurm account").choices == ("proj_a", "proj_b")
    visitor.submit_form()
    try:
        visitor.wait_ready()
        assert len(slurm.queue("alice")) == 1
        assert visitor.open_session().status_code == 200
    finally:
        visitor.stop()


def test_a_wrong_password_is_the_provider_s_business_and_signs_nobody_in(visitor: Visitor) -> None:
    page = provider_form(visitor)
    answer = visitor.http.post(str(page.url), data={"login": "alice", "password": "no"})
    assert answer.status_code == 401
    assert visitor.http.get("/hub/home").url.path == "/hub/login"


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        (
            "robert",
            f"{NAME} signed you in as robert, which is the account robert here, but the cluster has no",
        ),
        (
            "mallory",
            f"{NAME} signed you in as mallory, which is the account mallory here, but the cluster has no",
        ),
        (
            "toor",
            f"{NAME} signed you in as root, which is the account root here, but the cluster has no such",
        ),
        (
            "slurm",
            f"{NAME} signed you in as slurm, which is the account slurm here, but the cluster has no such",
        ),
    ],
)
def test_who_has_no_account_is_refused_with_the_identity_and_whom_to_ask(
    visitor: Visitor, person: str, sentence: str
) -> None:
    page = sign_in(visitor, person)
    assert page.status_code == 403
    assert said(page).startswith(sentence)
    assert "Ask user support" in said(page)
    assert visitor.http.get("/hub/home").url.path == "/hub/login"


def test_an_account_outside_the_group_is_refused_with_the_reason(visitor: Visitor, login: Machine) -> None:
    login.run("gpasswd", "--delete", "alice", "cluster")
    try:
        page = sign_in(visitor, "alice")
    finally:
        login.run("gpasswd", "--add", "alice", "cluster")
    assert page.status_code == 403
    assert "your account alice may not use the service" in said(page)


def test_an_expired_account_is_refused_with_the_system_s_reason(visitor: Visitor, login: Machine) -> None:
    login.run("chage", "--expiredate", "0", "alice")
    try:
        page = sign_in(visitor, "alice")
    finally:
        login.run("chage", "--expiredate", "-1", "alice")
    assert page.status_code == 403
    # The sentence is PAM's: Debian's stack says no more of an account in files.
    assert "the cluster does not let your account alice in: " in said(page)


def test_whom_the_provider_remembers_it_sends_again_without_asking(visitor: Visitor) -> None:
    sign_in(visitor, "mallory")
    assert said(visitor.http.get("/hub/oauth_login")).startswith(f"{NAME} signed you in as mallory")


def enter(browser: Window, login: str) -> None:
    """Fill in the provider's form."""
    browser.see("#enter")
    browser.field("Login").send_keys(login)
    browser.field("Passphrase").send_keys(secrets()[login])
    browser.see("#enter").click()


def test_somebody_else_can_sign_in_where_the_provider_remembers_the_first() -> None:
    with window() as browser:
        browser.open("/hub/oauth_login")
        enter(browser, "mallory")
        browser.see("#berth-refused", "signed you in as mallory")
        assert axe.violations(browser) == []
        browser.picture("signin-refused")
        browser.see("a", "Sign in as somebody else").click()
        enter(browser, "alice")
        browser.see("#spawn_form")


def test_a_link_is_followed_after_the_sign_in(visitor: Visitor) -> None:
    page = visitor.http.get("/hub/berth/history")
    button = pages.parse(page).select_one(".service-login a")
    assert button is not None
    assert NAME in button.get_text()
    assert sign_in(visitor, "alice", str(page.url.join(str(button["href"])))).url.path == "/hub/berth/history"


def test_what_goes_to_the_provider_is_for_this_browser_alone(visitor: Visitor) -> None:
    answer = visitor.http.get("/hub/oauth_login", follow_redirects=False)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["nonce"][0]) >= 43
    assert len(asked["code_challenge"][0]) >= 43
    assert asked["scope"] == ["openid profile"]
    assert secrets()["client"] not in answer.headers["Location"]


def test_an_answer_that_another_browser_asked_for_is_refused(
    visitor: Visitor, context: ssl.SSLContext
) -> None:
    page = provider_form(visitor)
    typed = {"login": "alice", "password": secrets()["alice"]}
    step = visitor.http.post(str(page.url), data=typed, follow_redirects=False)
    while not step.headers["Location"].startswith(
        visitor.http.base_url.join("/hub/oauth_callback").__str__()
    ):
        step = visitor.http.get(step.headers["Location"], follow_redirects=False)
    with Visitor("alice", context) as other:
        stolen = other.http.get(step.headers["Location"])
        assert stolen.status_code == 400
        assert "begun in another window" in said(stolen)
        assert other.http.get("/hub/home").url.path == "/hub/login"


def test_the_secret_is_root_s_alone_and_not_in_the_hub_s_processes(login: Machine) -> None:
    assert login.run("stat", "-c", "%U %a", "/etc/berth/oidc.env") == "root 600"
    holders = login.attempt(
        "grep", "-rlF", "--", secrets()["client"], "/etc", "/var/lib/berth-hub", "/opt/berth-hub"
    )
    assert holders.stdout.split() == ["/etc/berth/oidc.env"]
    workers = login.run("pgrep", "-u", "berth-hub", "-f", "collector").split()
    assert workers
    assert not any("BERTH_OIDC_CLIENT_SECRET" in login.environment_of(int(pid)) for pid in workers)


def test_while_the_provider_is_away_the_page_says_so_and_sessions_go_on(
    visitor: Visitor, login: Machine, context: ssl.SSLContext
) -> None:
    sign_in(visitor, "alice")
    login.run("systemctl", "stop", "lab-provider")
    try:
        restart_hub(login)
        with Visitor("alice", context) as late:
            page = late.http.get("/hub/oauth_login")
            assert page.status_code == 503
            assert said(page).startswith(f"{NAME} cannot be asked at the moment")
        assert visitor.http.get("/hub/home").url.path == "/hub/home"
    finally:
        login.run("systemctl", "start", "lab-provider")
        until(lambda: login.attempt(*PROBE).rc == 0, "an answer of the provider", AWAY_SECONDS)


def test_logging_out_goes_on_to_the_provider_s_log_out(visitor: Visitor) -> None:
    sign_in(visitor, "alice")
    answer = visitor.http.get("/hub/logout", follow_redirects=False)
    assert answer.headers["Location"].startswith(f"{issuer()}/session/end?")
    assert visitor.http.get("/hub/home", follow_redirects=False).is_redirect


def test_in_a_browser_from_the_button_to_the_form_and_back_out() -> None:
    with window() as browser:
        browser.open("/hub/spawn#gpus=1")
        browser.see(".service-login a", NAME).click()
        enter(browser, "alice")
        browser.see("#spawn_form")
        assert browser.path.startswith("/hub/spawn")
        assert str(browser.field("GPU configuration").get_attribute("value")).endswith(":1")
        browser.picture("signin-form")
        browser.open("/hub/logout")
        browser.see("button", "Yes, sign me out").click()
        browser.see(".service-login a", NAME)
        assert browser.path.startswith("/hub/login")


def test_a_pattern_makes_an_account_of_an_address_that_the_provider_has_verified(
    context: ssl.SSLContext,
) -> None:
    configure(
        "oidc",
        signin_mapping={
            "scopes": ["openid", "email"],
            "claim": "email",
            "pattern": "([a-z]+)@example\\.org",
        },
    )
    with Visitor("bob", context) as visitor:
        page = sign_in(visitor, "robert")
        assert page.status_code == 200, pages.text(page)
        assert pages.form(page, "spawn_form").label("Slurm account").choices == ("proj_b",)
    with Visitor("mallory", context) as visitor:
        page = sign_in(visitor, "mallory")
        assert said(page).startswith(f"{NAME} signed you in as mallory@elsewhere.example, but no account on")
    with Visitor("trudy", context) as visitor:
        page = sign_in(visitor, "trudy")
        assert page.status_code == 403
        assert said(page).startswith(f"{NAME} has not verified that the address alice@example.org is yours.")


def test_a_list_names_the_account_of_each_person_and_is_read_at_each_sign_in(
    context: ssl.SSLContext, login: Machine
) -> None:
    path = "/etc/berth/accounts"
    login.shell(f"printf '%s\\n' '# subject account' 'robert bob' > {path}")
    try:
        configure("oidc", signin_mapping={"claim": "sub", "accounts_file": path})
        with Visitor("bob", context) as visitor:
            assert sign_in(visitor, "robert").status_code == 200
        with Visitor("alice", context) as visitor:
            assert "no account on this cluster belongs to that" in said(sign_in(visitor, "alice"))
            login.shell(f"echo 'alice alice' >> {path}")
            assert visitor.http.get("/hub/oauth_login").status_code == 200
    finally:
        login.run("rm", path)
