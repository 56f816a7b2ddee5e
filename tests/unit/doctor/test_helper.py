"""Each finding about the privileged helper, its socket and the certificate."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from berth.doctor import helper, tls
from berth.doctor.model import NotApplicableError
from tests.unit.doctor import places
from tests.unit.doctor.places import programs, rewrite, said, site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def well(tmp_path: Path) -> Path:
    """A helper that is well: Slurm's programs are there, too."""
    programs_dir = tmp_path / "slurm"
    programs_dir.mkdir()
    for name in ("sbatch", "scancel"):
        (programs_dir / name).touch()
    slurm = {"partition": "interactive", "bin_dir": str(programs_dir)}
    places.settings(tmp_path, slurm=slurm)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "ok: the helper serves nobody for members of root from uid 1000 on, in interactive"),
        ({"partition": "batch"}, "failure: the helper's partition is batch, the hub's is interactive"),
        ({"layers_dir": "/home/layers"}, "the helper's layers_dir is /home/layers"),
        ({"extend_up_to_minutes": 600}, "the helper's extend_up_to_minutes is 600, the hub's is 0"),
        ({"peer_user": "no-such-user"}, "failure: peer_user no-such-user does not exist"),
        ({"peer_user": "root"}, "failure: peer_user is root, who is root"),
        ({"min_uid": 100}, "warning: min_uid is 100: accounts of the system may log in"),
        ({"allowed_group": "no-such-group"}, "failure: the group no-such-group does not exist"),
        ({"pam_service": "no-such-service"}, "failure: /etc/pam.d/no-such-service is missing"),
        ({"slurm_bin_dir": "/nowhere"}, "failure: there is no /nowhere/sbatch"),
        ({"verbs": ["all"]}, "helper.json: the keys must be exactly"),
    ],
)
def test_what_the_helper_allows(changes: dict[str, Any], sentence: str, well: Path) -> None:
    rewrite(well / "helper.json", **changes)
    assert sentence in said(helper.policy(site(well)))


def test_nobody_else_may_read_or_write_what_the_helper_obeys(well: Path) -> None:
    (well / "helper.json").chmod(0o640)
    assert "helper.json has mode 0640" in said(helper.policy(site(well)))
    (well / "helper.json").chmod(0o600)
    (well / "shared" / "layers").mkdir(parents=True)
    (well / "shared" / "layers").chmod(0o777)
    assert "layers has mode 0777" in said(helper.policy(site(well)))


@pytest.fixture
def listening(etc: Path) -> Iterator[Path]:
    path = etc / "run" / "helper.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o660)
        yield path


def test_the_socket(listening: Path, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415 - to give the socket to another group
    import shutil  # noqa: PLC0415 - the same

    if os.geteuid() != 0:
        pytest.skip("only root can give the socket to the hub's group: run the tests as root to prove it")
    shutil.chown(listening, group=places.SOMEBODY.pw_gid)
    assert said(helper.sockets(site(etc))).startswith("ok: ")
    listening.chmod(0o666)
    assert "has mode 0666, not 0660 | systemctl restart berth-helper.socket" in said(
        helper.sockets(site(etc))
    )
    listening.chmod(0o660)
    shutil.chown(listening, user=places.SOMEBODY.pw_uid)
    assert "not to root and nobody's group" in said(helper.sockets(site(etc)))
    listening.parent.chmod(0o777)
    assert "run has mode 0777" in said(helper.sockets(site(etc)))
    listening.unlink()
    listening.touch()
    assert "is no socket" in said(helper.sockets(site(etc)))
    listening.unlink()
    assert "No such file or directory: nobody can log in" in said(helper.sockets(site(etc)))
    monkeypatch.undo()


STRANGER = {"ok": False, "error": "not-permitted", "message": "Only berth-hub may ask the helper, not uid 0."}
PEER = {"ok": False, "error": "not-permitted", "message": "There is no such user of this service."}


@pytest.mark.parametrize(
    ("stranger", "hub", "sentence"),
    [
        (STRANGER, PEER, "ok: the helper answers nobody only, and acts for root in no case"),
        (PEER, PEER, "failure: the helper answers root, who is not its peer"),
        (STRANGER, STRANGER, "failure: the helper gives the hub no proper answer"),
        (STRANGER, {"ok": True}, "failure: the helper gives the hub no proper answer: {'ok': True}"),
        (STRANGER, None, "failure: the helper gives the hub no proper answer"),
    ],
)
def test_whom_the_helper_answers(
    stranger: Any, hub: Any, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = programs(monkeypatch)
    made.answers = {"root: ": json.dumps(stranger), "nobody: ": json.dumps(hub)}
    assert sentence in said(helper.peer(site(etc)))
    # the question would do nothing for anybody
    assert all('"user": "root"' in line for line in made.seen)


def certificate(
    place: Path, *, days: float = 90, since: float = 1, names: str = "hub.example.org login"
) -> None:
    """Make a certificate and its key below *place*; addresses are told from names by their digits."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    listed: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(word)) if word[0].isdigit() else x509.DNSName(word)
        for word in names.split()
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=since))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(listed), critical=False)
        .sign(key, hashes.SHA256())
    )
    (place / "hub.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (place / "hub.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (place / "hub.key").chmod(0o600)


def served_by(etc: Path, port: int = 443) -> None:
    (etc / "nginx.conf").write_text(
        f"ssl_certificate {etc}/hub.crt;\nssl_certificate_key {etc}/hub.key;\n"
        f"server {{\n  listen *:80;\n}}\nserver {{\n  listen *:{port} ssl;\n}}\n",
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({}, "hub.crt is valid for 89 more days, and for hub.example.org, login"),
        ({"days": 10.5}, r"warning: ETC/hub.crt expires on .*, in 10 days | renew it as your site does"),
        ({"days": -0.5}, "failure: ETC/hub.crt expired on"),
        ({"since": -1}, "failure: ETC/hub.crt is not valid before"),
        ({"names": "login"}, "failure: ETC/hub.crt is not for hub.example.org but for login"),
        ({"names": "*.example.org login"}, "ok: "),
        ({"names": "*.org login"}, "is not for hub.example.org"),
        ({"names": "127.0.0.1"}, "is not for login but for 127.0.0.1"),
    ],
)
def test_the_certificate(made: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    urls: dict[str, Any] = {"public_url": "https://hub.example.org", "session_hub_url": "https://login:8444"}
    places.settings(tmp_path, **urls)
    served_by(tmp_path)
    certificate(tmp_path, **made)
    text = said(tls.certificate(site(tmp_path))).replace(str(tmp_path), "ETC")
    for part in sentence.split(".*"):
        assert part in text


def test_a_key_that_others_can_read_and_a_certificate_that_is_none(etc: Path) -> None:
    served_by(etc)
    certificate(etc)
    (etc / "hub.key").chmod(0o644)
    assert "hub.key has mode 0644" in said(tls.certificate(site(etc)))
    (etc / "hub.crt").write_text("none", encoding="utf-8")
    assert "hub.crt is no certificate" in said(tls.certificate(site(etc)))
    (etc / "nginx.conf").write_text("", encoding="utf-8")
    with pytest.raises(NotApplicableError, match="names no ssl_certificate"):
        tls.certificate(site(etc))


def test_the_certificate_that_is_served(etc: Path) -> None:
    certificate(etc)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(etc / "hub.crt", etc / "hub.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True):
                    pass

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        served_by(etc, port)
        assert f"ok: the web server shows this certificate on ports {port}" in said(tls.served(site(etc)))
        certificate(etc)
        text = said(tls.served(site(etc)))
        assert (
            f"failure: port {port} shows another certificate than the file holds | systemctl reload" in text
        )
    assert f"failure: no TLS at 127.0.0.1 port {port}" in said(tls.served(site(etc)))
    (etc / "nginx.conf").write_text(f"ssl_certificate {etc}/hub.crt;\n", encoding="utf-8")
    assert "nginx.conf has no listener with TLS" in said(tls.served(site(etc)))
