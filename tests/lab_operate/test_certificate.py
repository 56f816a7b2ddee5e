"""A certificate is renewed, Berth's own or the site's, and no connection is closed for it."""

from __future__ import annotations

import hashlib
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import lab
from tests.lab.notebook import Kernel
from tests.lab.playbooks import attempt, play
from tests.lab.sessions import Session, running
from tests.lab.test_restart import Traffic
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

TLS, SITE = "/etc/berth/tls", "/etc/ssl/berth-test"
SITE_FILES = {
    "hub_tls_certificate": f"{SITE}/hub.crt",
    "hub_tls_key": f"{SITE}/hub.key",
    "hub_tls_ca": f"{TLS}/ca.crt",
}
# $1 directory, $2 days: a key and a certificate of the CA that the nodes trust.
ISSUE = f"""
mkdir -p "$1" && cd "$1"
openssl ecparam -name prime256v1 -genkey -noout -out new.key
openssl req -new -key new.key -subj /CN=login -out new.csr
printf 'subjectAltName=DNS:login,DNS:localhost,IP:127.0.0.1\\n' > new.ext
openssl x509 -req -in new.csr -CA {TLS}/ca.crt -CAkey {TLS}/ca.key \\
    -days "$2" -extfile new.ext -out new.crt
mv new.key hub.key; mv new.crt hub.crt; rm new.csr new.ext; chmod 600 hub.key
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    with running(slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    with Kernel.start(session.visitor) as kernel:
        yield kernel


def issue(login: Machine, directory: str, days: int) -> str:
    """Put a new certificate there; return its fingerprint."""
    login.run("sh", "-euc", ISSUE, "issue", directory, str(days))
    return fingerprint(login.run("cat", f"{directory}/hub.crt"))


def fingerprint(text: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()


def served(context: ssl.SSLContext) -> str:
    """The fingerprint of the certificate that a new visitor gets, who trusts the CA."""
    with (
        socket.create_connection(("127.0.0.1", lab().port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        return hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()


def test_a_certificate_of_berth_s_own_is_renewed_in_time_by_any_run(
    login: Machine, context: ssl.SSLContext, session: Session, kernel: Kernel
) -> None:
    web = login.property("berth-web", "MainPID")
    old = issue(login, TLS, 30)
    login.run("systemctl", "reload", "berth-web")
    until(lambda: served(context) == old, "the certificate that ends soon", 10)
    traffic = Traffic(session.visitor)
    with kernel.attended():
        play("hub")
        until(lambda: served(context) != old, "the new certificate", 10)
    assert set(traffic.finish()) == {200}
    assert kernel.run("print('open')") == "open"
    assert served(context) == fingerprint(login.run("cat", f"{TLS}/hub.crt"))
    login.run("openssl", "x509", "-in", f"{TLS}/hub.crt", "-noout", "-checkend", str(300 * 86400))
    assert login.property("berth-web", "MainPID") == web
    assert set(play("hub").changes.values()) == {0}


@pytest.fixture
def own(login: Machine) -> Iterator[str]:
    """The site's own certificate in use; Berth's again afterwards."""
    first = issue(login, SITE, 90)
    try:
        play("hub", SITE_FILES)
        yield first
    finally:
        play("hub")
        login.run("rm", "-rf", SITE)


def test_a_certificate_of_the_site_s_is_taken_up_when_it_fits_its_key(
    login: Machine, context: ssl.SSLContext, own: str, kernel: Kernel
) -> None:
    kernel.reconnect()
    until(lambda: served(context) == own, "the site's certificate", 10)
    web = login.property("berth-web", "MainPID")
    renewed = issue(login, SITE, 90)
    assert served(context) == own, "it is taken up by a reload only"
    with kernel.attended():
        play("hub", SITE_FILES)
    until(lambda: served(context) == renewed, "the renewed certificate", 10)
    login.shell(f"cp {TLS}/hub.key {SITE}/hub.key; touch {SITE}/hub.crt")
    with kernel.attended():
        answer = attempt("hub", SITE_FILES)
    assert answer.status != 0
    assert "key values mismatch" in answer.said
    assert served(context) == renewed
    assert login.property("berth-web", "MainPID") == web
    assert kernel.run("print('open')") == "open", "the websocket was closed"
