"""The hub: addresses, ports, certificate and paths that make no sense, alone or together."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from berth.inventory.mistakes import Mistake, listed
from berth.inventory.nodes import sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.inventory.site import View

_TOP = 65535
# Lowest and highest value; the unprivileged services cannot have the lower ports.
_RANGES = {
    "hub_https_port": (1, _TOP),
    "hub_http_port": (0, _TOP),
    "hub_api_https_port": (1, _TOP),
    "hub_port": (1024, _TOP),
    "hub_proxy_port": (1024, _TOP),
    "hub_proxy_api_port": (1024, _TOP),
    "hub_min_uid": (1, 2**32 - 2),
    "hub_password_attempts": (1, 1000),
    "hub_password_window_seconds": (1, 86400),
    "hub_slurm_interval_seconds": (1, 300),
    "hub_slurm_timeout_seconds": (1, 300),
    "hub_submit_timeout_seconds": (1, 3600),
    "hub_boot_timeout_seconds": (10, 86400),
    "hub_queue_timeout_seconds": (60, 2**31 - 1),
    "hub_history_days": (0, 3650),
    "hub_usage_months": (0, 24),
    "hub_web_connections": (1, 10**6),
    "hub_hsts_seconds": (0, 2**31 - 1),
    "session_kernel_oom_score_adj": (0, 1000),
    "session_refused_minutes": (1, 10080),
    "session_logs_kept": (1, 10000),
    "session_log_days": (0, 3650),
    "session_idle_minutes": (0, 10080),
}
_PORTS = [name for name in _RANGES if name.endswith("_port")]
# What nginx and the session's shell read: pattern, and what to write.
_TEXTS = {
    "hub_upload_limit": ("[0-9]+[kKmMgG]?", "Write digits and k, m or g, such as 512m"),
    "hub_idle_timeout": ("[0-9]+(ms|[smhdwMy])?", "Write digits and s, m, h or d, such as 1h"),
    "hub_catalogue_dir": ("|/[^/]+/.+", "Write the whole path of a directory of its own, or nothing"),
    "hub_guide_dir": ("|/[^/]+/.+", "Write the whole path of a directory of its own, or nothing"),
    "hub_session_umask": ("[0-7]{3,4}", 'Write it in quotes: "0022"'),
    "hub_partition": ("[A-Za-z0-9_.-]+", "Write the partition's name"),
    "slurm_interactive_partition": ("[A-Za-z0-9_.-]+", "Write letters, digits and . _ -"),
}
_FIRST_PORT = 1024
_DATABASE = re.compile(r"(postgresql\+psycopg://([^:@/]*@)?[^@/]*/[^/?]+(\?.*)?)?")


def ranges(view: View) -> Iterator[Mistake]:
    """Find numbers that are too small or too large, and texts that cannot be read."""
    for name, (low, high) in _RANGES.items():
        number = view.value(name)
        if isinstance(number, int) and not low <= number <= high:
            yield view.mistake((name,), f"{name} is {number}", f"Write a number from {low} to {high}")
    for name, (pattern, fix) in _TEXTS.items():
        text = view.value(name)
        if isinstance(text, str) and re.fullmatch(pattern, text) is None:
            yield view.mistake((name,), f"{name} is {text!r}", fix)


def ports(view: View) -> Iterator[Mistake]:
    """Find two listeners on one port."""
    taken: dict[int, str] = {}
    for name in _PORTS:
        port = view.number(name)
        if port and port in taken:
            given = name if view.given(name) else taken[port]
            problem = f"{taken[port]} and {name} are both {port}"
            yield view.mistake((given,), problem, "Give each listener a port of its own")
        taken.setdefault(port, name)


def session_ports(view: View) -> Iterator[Mistake]:
    """Find a range of ports that is none, or that is too small for the sessions of a node."""
    name = "hub_session_ports"
    ends = view.entries(name)
    fix = "Write the first and the last port, such as [40000, 49999]"
    if [type(end) for end in ends] != [int, int]:
        yield view.mistake((name,), f"{name} is not two numbers", fix)
        return
    first, last = (int(str(end)) for end in ends)
    if not _FIRST_PORT <= first <= last <= _TOP:
        yield view.mistake((name,), f"{name} is not a range from {_FIRST_PORT} to {_TOP}", fix)
        return
    count, shared = last - first + 1, view.number("slurm_interactive_shared_by")
    for size in sizes(view):
        # At least a MiB each: memory is never shared.
        most = min(size.cpus * shared, size.memory)
        if count < most:
            problem = f"{name} has {count} ports, but {size.name} can run {most} sessions"
            yield view.mistake(
                (name,), problem, f"Write a range of {most} ports or more, and open it in the firewall"
            )
            return


def urls(view: View) -> Iterator[Mistake]:
    """Find URLs that browsers or sessions could not use."""
    for name in ("hub_public_url", "hub_session_url"):
        url = view.value(name)
        if not isinstance(url, str):
            continue  # its shape is reported
        parts = urlsplit(url)
        if parts.scheme != "https":
            fix = f"Write https://{parts.netloc or 'name'}"
            yield view.mistake((name,), f"{name} is {url!r}, which is not an https URL", fix)
        elif not parts.netloc or not _port_fits(parts.netloc):
            yield view.mistake(
                (name,), f"{name} is {url!r}, which names no host", "Write https://name or https://name:port"
            )
        elif url != f"https://{parts.netloc}":
            yield view.mistake(
                (name,), f"{name} is {url!r}, with something after the name", f"Write https://{parts.netloc}"
            )


def session_url(view: View) -> Iterator[Mistake]:
    """Find that sessions would reach the wrong listener, or a certificate for other names."""
    url = view.text("hub_session_url")
    parts = urlsplit(url)
    if parts.scheme != "https" or not _port_fits(parts.netloc):
        return  # reported
    api, public = view.number("hub_api_https_port"), view.number("hub_https_port")
    if (parts.port or 443) == public != api:
        problem = f"hub_session_url is {url}, the users' port: the nodes' port is {api} (hub_api_https_port)"
        yield view.mistake(("hub_session_url",), problem, f"Write https://{parts.hostname}:{api}")
    names = [str(name).lower() for name in view.entries("hub_tls_names")]
    if not view.text("hub_tls_certificate") and parts.hostname not in names:
        path = ("hub_session_url",) if view.given("hub_session_url") else ("hub_tls_names",)
        problem = (
            f"the certificate that is made here is not for {parts.hostname}, the host of hub_session_url"
        )
        yield view.mistake(path, problem, f"Add {parts.hostname} to hub_tls_names")


def networks(view: View) -> Iterator[Mistake]:
    """Find entries of the hub's allow lists that are no address, or that let everybody in."""
    name = "hub_api_allow"
    if not view.entries(name):
        yield view.mistake(
            (name,), f"{name} is empty: no session could report", "Write the compute nodes' network"
        )
    yield from _networks(view, name, "the compute nodes")
    yield from _networks(view, "hub_metrics_allow", "the Prometheus")


def _networks(view: View, name: str, who: str) -> Iterator[Mistake]:
    for number, entry in enumerate(view.entries(name)):
        if not isinstance(entry, str):
            continue  # its shape is reported
        path = (name, number)
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            fix = f"Write addresses or networks of {who}, such as 192.0.2.0/24"
            yield view.mistake(path, f"{name}: {entry!r} is neither an address nor a network", fix)
            continue
        if network.prefixlen == 0:
            yield view.mistake(path, f"{name}: {entry} is everybody", f"Write the network of {who} alone")
        elif str(network.network_address) not in entry.lower() and "/" in entry and network.version == 4:  # noqa: PLR2004
            yield view.mistake(path, f"{name}: {entry} is an address inside a network", f"Write {network}")


def listeners(view: View) -> Iterator[Mistake]:
    """Find addresses that nginx could not listen on."""
    name = "hub_listen"
    for number, entry in enumerate(view.entries(name)):
        if entry == "*" or not isinstance(entry, str):
            continue
        bare = entry[1:-1] if entry.startswith("[") and entry.endswith("]") else entry
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            yield view.mistake(
                (name, number), f"{name}: {entry!r} is no address", 'Write "*", an address, or "[::]"'
            )
            continue
        if (address.version == 6) != (bare != entry):  # noqa: PLR2004 - IPv6
            fix = f'Write "[{bare}]"' if bare == entry else f'Write "{bare}"'
            yield view.mistake(
                (name, number), f"{name}: brackets belong around IPv6 addresses, {entry} is wrong", fix
            )


def database(view: View) -> Iterator[Mistake]:
    """Find a database that is named wrongly, or with its password, which is not repeated."""
    name = "hub_database_url"
    if _DATABASE.fullmatch(view.text(name)) is None:
        fix = "Write postgresql+psycopg://USER@HOST/DATABASE; the password belongs into hub_database_password"
        yield view.mistake((name,), f"{name} names no PostgreSQL, or a password too", fix)


def certificate(view: View) -> Iterator[Mistake]:
    """Find a certificate without its key, or the key alone."""
    pair = ("hub_tls_certificate", "hub_tls_key")
    given = [name for name in pair if view.text(name)]
    if len(given) == 1:
        missing = next(name for name in pair if name not in given)
        fix = f"Set {missing} too, or neither to have a certificate made"
        yield view.mistake((given[0],), f"{given[0]} is set, but {missing} is not", fix)


def shared_directory(view: View) -> Iterator[Mistake]:
    """Find roles that look for the same things at different places of the shared file system."""
    root = view.text("session_root").rstrip("/")
    if not root.startswith("/"):
        return  # reported
    wanted = {
        "hub_session_root": root,
        "releases_root": f"{root}/releases",
        "releases_layers_dir": f"{root}/layers",
    }
    wrong = [name for name, path in wanted.items() if view.text(name).rstrip("/") != path]
    for name in wrong:
        path = (name,) if view.given(name) else ("session_root",)
        problem = f"{name} is {view.text(name)}, but session_root is {root}"
        yield view.mistake(
            path, problem, f"Set {name}: {wanted[name]}, or leave {listed(['session_root', *wanted])} alone"
        )


def _port_fits(netloc: str) -> bool:
    """Tell whether host and port can be taken apart."""
    try:
        parts = urlsplit(f"https://{netloc}")
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
