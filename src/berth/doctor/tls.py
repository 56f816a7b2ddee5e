"""The hub's certificate: what it says, and whether it is what the web server shows."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from berth.doctor.hub import PLAYBOOK, modes
from berth.doctor.model import Finding, NotApplicableError, failure, judged, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import Certificate

    from berth.doctor.site import Site

WARN_DAYS: Final = 21
_SECONDS: Final = 10.0
_DIRECTIVE: Final = re.compile(r"^\s*(ssl_certificate|ssl_certificate_key|listen)\s+([^;]+);", re.MULTILINE)
_OWN: Final = "/etc/berth/tls/"


def certificate(site: Site) -> list[Finding]:
    """Look whether it is valid, for how long, and for the names that users and nodes open."""
    path, key = _path(site, "ssl_certificate"), _path(site, "ssl_certificate_key")
    try:
        found = _load(path)
    except (OSError, ValueError) as error:
        return [failure(f"{path} is no certificate: {error}", _renew(path))]
    names = {urlsplit(url).hostname or "" for url in (site.hub.public_url, site.hub.session_hub_url)}
    problems = [*_valid(found, path), *_named(found, sorted(names), path), *modes(key, 0o077)]
    days = (found.not_valid_after_utc - _now()).days
    return judged(problems, f"{path} is valid for {days} more days, and for {', '.join(sorted(names))}")


def served(site: Site) -> list[Finding]:
    """Shake hands with every TLS listener, and compare the certificate with the file."""
    expected = _load(_path(site, "ssl_certificate")).public_bytes(_der())
    addresses = [address for address, words in _listeners(site) if "ssl" in words]
    if not addresses:
        return [failure("nginx.conf has no listener with TLS", PLAYBOOK)]
    problems = []
    for host, port in addresses:
        try:
            shown = _shown(host, port)
        except OSError as error:
            text = f"no TLS at {host} port {port}: {error}"
            problems.append(failure(text, "look at journalctl -u berth-web"))
            continue
        if shown != expected:
            text = f"port {port} shows another certificate than the file holds"
            problems.append(failure(text, "systemctl reload berth-web"))
    ports = ", ".join(str(port) for _, port in addresses)
    return problems or [ok(f"the web server shows this certificate on ports {ports}")]


def _directives(site: Site) -> list[tuple[str, str]]:
    path = site.options.etc / "nginx.conf"
    try:
        return _DIRECTIVE.findall(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotApplicableError(f"{path}: {error.strerror}, see the check hub.settings") from error


def _path(site: Site, directive: str) -> Path:
    for name, value in _directives(site):
        if name == directive:
            return Path(value.strip())
    raise NotApplicableError(f"nginx.conf names no {directive}: run playbooks/hub.yml")


def _listeners(site: Site) -> Iterator[tuple[tuple[str, int], list[str]]]:
    for name, value in _directives(site):
        if name == "listen":
            address, *words = value.split()
            host, _, port = address.rpartition(":")
            known = {"*": "127.0.0.1", "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}  # noqa: S104
            yield (known.get(host, host.strip("[]")), int(port)), words


def _shown(host: str, port: int) -> bytes:
    # Whatever is shown is compared with the file, byte for byte; whom it convinces is another check.
    context = ssl._create_unverified_context()  # noqa: S323, SLF001
    with socket.create_connection((host, port), timeout=_SECONDS) as plain, context.wrap_socket(plain) as end:
        return end.getpeercert(binary_form=True) or b""


def _load(path: Path) -> Certificate:
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - only the hub's host has it

    return load_pem_x509_certificate(path.read_bytes())


def _der() -> Encoding:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    return serialization.Encoding.DER


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _valid(found: Certificate, path: Path) -> Iterator[Finding]:
    now, end = _now(), found.not_valid_after_utc
    if now < found.not_valid_before_utc:
        text = f"{path} is not valid before {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield failure(text, "look at this host's clock, or take the certificate that is valid")
    elif now > end:
        yield failure(f"{path} expired on {end:%Y-%m-%d}", _renew(path))
    elif end - now < dt.timedelta(days=WARN_DAYS):
        yield warning(f"{path} expires on {end:%Y-%m-%d}, in {(end - now).days} days", _renew(path))


def _named(found: Certificate, names: list[str], path: Path) -> Iterator[Finding]:
    from cryptography import x509  # noqa: PLC0415 - as above

    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        extension = x509.SubjectAlternativeName([])
    hosts = [host.lower() for host in extension.get_values_for_type(x509.DNSName)]
    addresses = {str(address) for address in extension.get_values_for_type(x509.IPAddress)}
    for name in names:
        if name not in addresses and not any(_fits(host, name) for host in hosts):
            listed = ", ".join([*hosts, *sorted(addresses)]) or "no name"
            text = f"{path} is not for {name} but for {listed}"
            yield failure(text, f"have {name} in the certificate, or correct the URL. {_renew(path)}")


def _fits(pattern: str, name: str) -> bool:
    """Tell whether a name of a certificate, perhaps with `*` for its first label, stands for a host's."""
    if _is_address(name):
        return False
    first, _, rest = name.lower().partition(".")
    return pattern in {name.lower(), f"*.{rest}" if first and rest else ""}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _renew(path: Path) -> str:
    if str(path).startswith(_OWN):
        return "run playbooks/session.yml, which makes it anew"
    return "renew it as your site does, then systemctl reload berth-web"
