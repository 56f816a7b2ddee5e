"""Channels and indexes with a password, or behind a proxy: they work, and the secret is nowhere else."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from berth.releases import keep, settings, solve, spec
from berth.releases.errors import ReleaseError
from tests.unit.releases.conftest import NAME, PYTHON, RELEASE
from tests.unit.releases.test_lock import wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.releases.conftest import Site

SECRET = "s3cr3t-of-the-site"
BASIC = f"Basic {base64.b64encode(f'berth:{SECRET}'.encode()).decode()}"
ENTRIES = {
    "password": ({"BasicHTTP": {"username": "berth", "password": SECRET}}, BASIC),
    "bearer": ({"BearerToken": SECRET}, f"Bearer {SECRET}"),
    "token": ({"CondaToken": SECRET}, f"/t/{SECRET}/"),
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a directory to whoever names the secret; as a proxy, whatever host is asked for."""

    def __init__(self, server: Server, *arguments: Any) -> None:
        self.owner = server
        super().__init__(*arguments, directory=str(server.place))

    def do_GET(self) -> None:
        said = self.headers.get("Authorization") or self.path
        self.owner.asked.append(self.path)
        if self.owner.wants not in said:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="berth"')
            self.end_headers()
            return
        if self.path.startswith("http://"):
            self.path = "/" + self.path.split("/", 3)[3]
        self.path = self.path.removeprefix(f"/t/{SECRET}")
        super().do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()  # a body too many does no harm here

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is no log."""


@dataclass
class Server:
    """What a handler serves, what it wants to be told, and what it was asked for."""

    place: Path
    wants: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    made = Server(site.place)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, made))
    made.port = listener.server_port
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield made
    listener.shutdown()
    listener.server_close()
    thread.join()


def lock(site: Site, url: str, index: str = "") -> None:
    release = spec.load(site.settings.specs_dir, NAME)
    list(solve.solve(release, ["python"], {"conda-forge": url}, {}, index))


def build(site: Site, url: str, index: str = "") -> None:
    (wanted,) = site.settings.releases
    site.want(wanted, channels={"conda-forge": url}, pip_index=index)
    site.apply()
    assert list(keep.verify(site.root, [])) == []


def small(site: Site, **changed: str) -> None:
    site.write(release=RELEASE.replace("[conda]", "[]").replace("[python, dask, r]", "[python]"), **changed)


def places_of(secret: str, site: Site) -> str:
    """Files of the releases, the specs, the locks and the caches that hold a text."""
    found = [
        str(path) for path in (site.root, site.settings.specs_dir, site.place / "cache") if path.exists()
    ]
    return subprocess.run(
        ["grep", "-rla", secret, *found], capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_channel_with_a_password_or_token_in_rattler_s_file_is_locked_and_built(
    site: Site, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    entry, server.wants = ENTRIES[kind]
    file = site.place / "auth.json"
    file.write_text(json.dumps({"127.0.0.1": entry}), encoding="utf-8")
    monkeypatch.setenv("RATTLER_AUTH_FILE", str(file))
    small(site)
    lock(site, server.url("channel"))
    build(site, server.url("channel"))
    assert places_of(SECRET, site) == ""


def test_one_netrc_has_the_passwords_of_the_channel_and_of_the_index(
    site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.wants = BASIC
    file = site.place / "netrc"
    file.write_text(f"machine 127.0.0.1\nlogin berth\npassword {SECRET}\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    wheel(site.place / "index", "hugging", "1.0")
    small(site, python=PYTHON.replace("packages: [python, numpy]", "packages: [hugging]\n    pip: [hugging]"))
    lock(site, server.url("channel"), server.url("index"))
    build(site, server.url("channel"), server.url("index"))
    assert any(path.endswith(".whl") for path in server.asked)
    assert places_of(SECRET, site) == ""


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_wrong_password_is_told_without_it(
    site: Site, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    entry, server.wants = ENTRIES[kind][0], "another one"
    file = site.place / "auth.json"
    file.write_text(json.dumps({"127.0.0.1": entry}), encoding="utf-8")
    monkeypatch.setenv("RATTLER_AUTH_FILE", str(file))
    small(site)
    with pytest.raises(ReleaseError, match="401") as refused:
        lock(site, server.url("channel"))
    assert SECRET not in str(refused.value)


def test_a_proxy_of_the_environment_is_asked_for_packages(
    site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    wheel(site.place / "index", "hugging", "1.0")
    small(site, python=PYTHON.replace("packages: [python, numpy]", "packages: [hugging]\n    pip: [hugging]"))
    mirror = "http://mirror.example.org"
    lock(site, f"{mirror}/channel", f"{mirror}/index")
    server.asked.clear()
    build(site, f"{mirror}/channel", f"{mirror}/index")
    assert server.asked
    assert all(path.startswith(f"{mirror}/") for path in server.asked)
    assert {path.rpartition(".")[2] for path in server.asked} >= {"conda", "whl"}


def test_a_host_that_no_proxy_names_is_asked_directly(
    site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    small(site)
    lock(site, server.url("channel"))
    build(site, server.url("channel"))


WITH_SECRET = [
    f"https://berth:{SECRET}@mirror.example.org/conda-forge",
    f"https://m.example.org/t/{SECRET}/x",
]


@pytest.mark.parametrize("address", WITH_SECRET)
@pytest.mark.parametrize("option", ["--channel=conda-forge=", "--pip-index="])
def test_an_address_with_a_secret_is_refused_by_the_command_and_not_repeated(
    site: Site, option: str, address: str
) -> None:
    done = site.run("lock", NAME, "--specs", str(site.settings.specs_dir), f"{option}{address}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "holds a password or token" in done.stderr
    assert "RATTLER_AUTH_FILE" in done.stderr
    assert SECRET not in done.stderr


@pytest.mark.parametrize("address", WITH_SECRET)
@pytest.mark.parametrize("name", ["channels", "pip_index"])
def test_an_address_with_a_secret_is_refused_among_the_settings(site: Site, name: str, address: str) -> None:
    path = site.settings_file()
    document = json.loads(path.read_text(encoding="utf-8"))
    document[name] = {"conda-forge": address} if name == "channels" else address
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ReleaseError, match="holds a password or token") as refused:
        settings.load(str(path), site.place)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("key", ["conda", "pip"])
def test_a_spec_with_a_secret_is_refused_before_it_is_in_a_lock(site: Site, key: str) -> None:
    wanted = {"conda": f"{WITH_SECRET[0]}::numpy", "pip": f"hugging @ {WITH_SECRET[0]}/hugging.whl"}[key]
    text = PYTHON.replace("[python, ipykernel, numpy <2.1]", f'[python, "{wanted}"]')
    small(site, python=text if key == "conda" else f'{PYTHON}    pip: ["{wanted}"]\n')
    with pytest.raises(ReleaseError, match=rf"python\.yml: {key}\[\d\] holds a password") as refused:
        spec.load(site.settings.specs_dir, NAME)
    assert SECRET not in str(refused.value)


def test_an_address_without_a_secret_is_none(site: Site) -> None:
    path = site.settings_file()
    document = json.loads(path.read_text(encoding="utf-8"))
    for address in (
        "https://m.example.org/@team/conda-forge",
        "file:///srv/t/conda/forge",
        "https://m/at/x/y",
    ):
        document["channels"] = {"conda-forge": address}
        path.write_text(json.dumps(document), encoding="utf-8")
        assert settings.load(str(path), site.place).channels == {"conda-forge": address}
