"""A session layer made of the tests' own environment, and sessions that run in it as processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.session.standin import USER_TOKEN, Running, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 90.0
"""Seconds: a start takes one, unless the machine does a lot else."""

PROFILE = """
export WORK="/work/$USER" SPACED="a  b"
unset LANG
echo this goes to the log
"""


@dataclass(frozen=True)
class Layer:
    """A layer's prefix, with what role `session` writes into it, and a release beside it."""

    prefix: Path
    index: Path
    etc: Path
    home: Path

    @property
    def python(self) -> str:
        return str(self.prefix / "bin" / "python")

    def settings(self, **changed: object) -> None:
        document = {
            "profile": str(self.etc / "profile.sh"),
            "runtime_dir": str(self.etc.parent),
            "extensions": ["jupyterlab", "jupyter_server_terminals"],
            "kernel_oom_score_adj": 500,
            "refused_minutes": 10,
            "logs_kept": 20,
            "log_days": 90,
            "idle_minutes": 0,
            "work": "",
            "scratch": "",
            "links": True,
            **changed,
        }
        (self.prefix / "etc" / "session.json").write_text(json.dumps(document), encoding="utf-8")


@dataclass
class Session:
    """A wrapper that runs as its job would run it."""

    process: subprocess.Popen[bytes]
    layer: Layer
    output: Path
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def log(self) -> str:
        path = self.layer.home / ".berth" / "log" / "session-4711.log"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def private(self) -> list[Path]:
        return list(self.layer.etc.parent.glob("berth-session-*"))

    def port(self) -> int:
        port: int = self.reports[0]["body"]["port"]
        return port

    def get(self, path: str, token: str | None = USER_TOKEN, **options: Any) -> tuple[int, str, Any]:
        """Give the status, the text and the headers of an answer; redirects are not followed."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port()}/user/alice/{path}", **options)  # noqa: S310
        if token:
            request.add_header("Authorization", f"token {token}")
        opener = urllib.request.build_opener(_Stay)
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def stop(self) -> int:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # writes where its threads are
            self.process.wait(10)
            pytest.fail(f"the session does not end\n{self.log}\n{self.output.read_text()}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def until(what: Callable[[], bool], session: Session) -> None:
    """Wait for it; a session that ended meanwhile, or patience that did, is told with the log."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        ended = session.process.poll() is not None
        assert time.monotonic() < deadline, f"it takes too long\n{session.log}\n{session.output.read_text()}"
        assert not ended, f"the session ended\n{session.log}\n{session.output.read_text()}"
        time.sleep(0.05)


def make_layer(place: Path) -> Layer:
    """Make a layer whose packages are the ones that the tests run with."""
    prefix = place / "layer"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(prefix)}))
    paths = [str(ROOT / "src"), *site.getsitepackages()]
    (packages / "of-the-tests.pth").write_text("\n".join(paths), encoding="utf-8")
    (prefix / "share").mkdir()
    (prefix / "share" / "jupyter").symlink_to(Path(sys.prefix) / "share" / "jupyter")
    jupyter = prefix / "etc" / "jupyter"
    jupyter.mkdir(parents=True)
    # Tests may run as root; a session never does.
    allowed = {"ServerApp": {"allow_root": True}}
    (jupyter / "jupyter_server_config.json").write_text(json.dumps(allowed), encoding="utf-8")
    etc = place / "etc"
    etc.mkdir()
    (etc / "profile.sh").write_text(PROFILE, encoding="utf-8")
    home = place / "home"
    home.mkdir()
    layer = Layer(prefix, _release(place), etc, home)
    layer.settings()
    return layer


def _release(place: Path) -> Path:
    kernel = place / "release" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-s", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python of the release", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    python = {"name": "python", "display_name": "Python", "language": "python", "kernel": "python3"}
    release = {
        "name": "2026.11",
        "date": "2026-11-16",
        "layer": "4.6-1",
        "environments": [{**python, "prefix": "/opt/berth/python-0", "packages": {}}],
        "jupyter_path": str(place / "release"),
        "conda": None,
        "ends": None,
        "hidden": False,
        "bytes": 1,
        "files": 1,
        "contents": str(place / "contents.json"),
    }
    index = place / "index.json"
    index.write_text(json.dumps({"version": 2, "releases": [release]}), encoding="utf-8")
    return index


@contextlib.contextmanager
def started(layer: Layer, hub: Running, output: Path, **changed: str) -> Iterator[Session]:
    """Start a session as its job would; end it afterwards."""
    variables = {**environment(hub.url, str(layer.index), str(layer.home)), **changed}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [layer.python, "-I", "-m", "berth.session"],
            env=variables,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    session = Session(process, layer, output, hub.hub.reports)
    try:
        yield session
    finally:
        session.stop()


@pytest.fixture(scope="module")
def layer() -> Iterator[Layer]:
    # Unix sockets need a short path: the place where pytest keeps its directories may be a long one.
    with tempfile.TemporaryDirectory(prefix="s-") as place:
        yield make_layer(Path(place))


@pytest.fixture
def hub() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()
