"""A whole session against a stand-in hub: what it serves, what it keeps to itself, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.unit.session.conftest import PATIENCE, Layer, Session, started, until
from tests.unit.session.standin import TOKEN, Running, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session(layer: Layer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session that serves and that the hub knows."""
    own = layer.home / ".local/share/jupyter/kernels"
    for name in ("mine", "python3"):
        (own / name).mkdir(parents=True)
        spec = {"argv": [sys.executable, "-m", "mine"], "display_name": f"my {name}", "language": "python"}
        (own / name / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    hub = Running()
    try:
        with started(layer, hub, tmp_path_factory.mktemp("session") / "output") as session:
            until(hub.hub.ready.is_set, session)
            yield session
    finally:
        hub.stop()


class Kernel:
    """A kernel of the session, spoken to over its own connection file."""

    def __init__(self, session: Session, name: str = "python3") -> None:
        body = json.dumps({"name": name}).encode()
        status, text, _ = session.get("api/kernels", method="POST", data=body)
        assert status == 201, text
        self.id = json.loads(text)["id"]
        file = f"kernel-{self.id}.json"
        (self.file,) = [place / file for place in session.private if (place / file).is_file()]
        self.client = BlockingKernelClient(connection_file=str(self.file))
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.hb_channel.time_to_dead = PATIENCE  # a busy machine is not a dead kernel
        self.client.wait_for_ready(timeout=PATIENCE)

    def value(self, expression: str) -> Any:
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        code = f"import json; print(json.dumps({expression}))"
        reply = self.client.execute_interactive(code, timeout=PATIENCE, output_hook=collect)
        assert reply["content"]["status"] == "ok", reply
        return json.loads("".join(printed))


@pytest.fixture(scope="module")
def kernel(session: Session) -> Iterator[Kernel]:
    kernel = Kernel(session)
    yield kernel
    kernel.client.stop_channels()


@pytest.fixture(scope="module")
def variables(kernel: Kernel) -> dict[str, str]:
    """The environment that a kernel sees."""
    found: dict[str, str] = kernel.value("dict(__import__('os').environ)")
    return found


def test_the_report_names_the_port_and_carries_the_session_s_token(session: Session) -> None:
    first = session.reports[0]
    assert first["token"] == f"token {TOKEN}"
    assert first["body"] == {"port": session.port(), "ready": True}
    assert 40000 <= session.port() <= 49999


def test_the_hub_s_probe_is_answered_with_the_hub_s_version(session: Session) -> None:
    status, _, headers = session.get("api", token=None)
    assert status == 200
    assert headers["X-JupyterHub-Version"]


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize("path", ["lab", "api/contents", "api/kernels", "api/terminals"])
def test_nothing_is_served_to_whom_the_hub_does_not_know(
    session: Session, path: str, token: str | None
) -> None:
    status, text, headers = session.get(path, token=token)
    assert status in {302, 403}
    if status == 302:
        assert headers["Location"].startswith("/hub/api/oauth2/authorize?")
    assert "JupyterLab" not in text


def test_the_page_of_the_user_leads_to_the_hub_and_does_not_hold_the_session_s_token(
    session: Session,
) -> None:
    status, text, _ = session.get("lab")
    assert status == 200
    start = text.index('id="jupyter-config-data"')
    config = json.loads(text[text.index("{", start) : text.index("</script>", start)])
    assert config["hubPrefix"] == "/hub/"  # what File > Hub Control Panel opens
    assert config["hubUser"] == "alice"
    assert config["extensionManager"]["can_install"] is False
    assert config["news"] == {"disabled": True}
    assert TOKEN not in text


def test_the_token_is_in_no_argument_no_log_and_no_file(session: Session) -> None:
    server = psutil.Process(session.process.pid)
    for process in (server, *server.children(recursive=True)):
        assert TOKEN not in " ".join(process.cmdline())
    assert "the hub knows that this session serves" in session.log
    assert TOKEN not in session.log
    places = [*session.private, session.layer.home]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_kernels_see_neither_the_token_nor_variables_of_the_job(variables: dict[str, str]) -> None:
    assert TOKEN not in variables.values()
    assert [name for name in variables if name.startswith(("SLURM", "SBATCH", "JPY_API"))] == []
    assert "JUPYTERHUB_API_TOKEN" not in variables
    assert variables["CUDA_VISIBLE_DEVICES"] == "0"
    assert variables["BERTH_JOB_ID"] == "4711"
    assert variables["PATH"].startswith("/usr/local/bin:/usr/bin:/bin")


def test_kernels_get_the_site_s_environment(session: Session, variables: dict[str, str]) -> None:
    assert variables["WORK"] == "/work/alice"
    assert variables["SPACED"] == "a  b"
    assert "LANG" not in variables
    assert variables["BASH_ENV"] == str(session.layer.etc / "profile.sh")
    assert "this goes to the log" in session.log


def test_a_script_of_the_user_has_the_site_s_environment(kernel: Kernel) -> None:
    command = ["env", "-u", "WORK", "bash", "-c", "echo $WORK"]
    output = f"__import__('subprocess').run({command!r}, capture_output=True, text=True).stdout"
    assert kernel.value(output).split() == ["this", "goes", "to", "the", "log", "/work/alice"]


def test_a_kernel_is_killed_before_the_server_when_memory_ends(session: Session, kernel: Kernel) -> None:
    own = Path(f"/proc/{session.process.pid}/oom_score_adj").read_text(encoding="utf-8")
    assert kernel.value("open('/proc/self/oom_score_adj').read()").strip() == "500"
    assert int(own) < 500


def listening(process: psutil.Process) -> list[tuple[str, int]]:
    return [
        (connection.laddr.ip, connection.laddr.port)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]


def test_the_server_listens_on_the_reported_port_only(session: Session) -> None:
    assert listening(psutil.Process(session.process.pid)) == [("0.0.0.0", session.port())]  # noqa: S104


def test_no_channel_of_a_kernel_listens_on_a_port(session: Session, kernel: Kernel) -> None:
    assert json.loads(kernel.file.read_text(encoding="utf-8"))["transport"] == "ipc"
    children = psutil.Process(session.process.pid).children(recursive=True)
    found = [place for process in children for place in listening(process)]
    # ipykernel's own pipe for the output of forked processes: it takes only messages that begin with
    # sixteen random bytes that the kernel chose.
    assert len(found) <= 1
    assert all(address == "127.0.0.1" for address, _ in found)


def test_only_the_user_reaches_the_kernels_sockets(session: Session, kernel: Kernel) -> None:
    (private,) = session.private
    assert private.stat().st_mode & 0o777 == 0o700
    sockets = [path for path in private.iterdir() if path.is_socket() and kernel.id in path.name]
    assert len(sockets) >= 4
    assert max(len(os.fsencode(path)) for path in sockets) < 108


def test_the_kernels_are_the_release_s_and_the_user_s_own(session: Session, kernel: Kernel) -> None:
    _, text, _ = session.get("api/kernelspecs")
    specs = json.loads(text)["kernelspecs"]
    names = {name: item["spec"]["display_name"] for name, item in specs.items()}
    assert names == {"python3": "Python of the release", "mine": "my mine"}
    assert kernel.value("__import__('sys').prefix") != str(session.layer.prefix)


def test_only_the_extensions_of_the_layer_s_settings_are_loaded(session: Session) -> None:
    loaded = {
        line.split("|")[0].split()[-1] for line in session.log.splitlines() if "successfully loaded" in line
    }
    assert loaded == {"berth.session.server", "jupyterlab", "jupyter_server_terminals"}


@pytest.mark.parametrize(
    "name", [".jupyter/jupyter_server_config.py", ".ipython/profile_default/startup/x.py"]
)
def test_the_user_s_files_do_not_shape_the_server(
    layer: Layer, hub: Running, tmp_path: Path, name: str
) -> None:
    trap = layer.home / name
    trap.parent.mkdir(parents=True, exist_ok=True)
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n", encoding="utf-8")
    packages = layer.home / ".local/lib/python3.11/site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "usercustomize.py").write_text(trap.read_text(encoding="utf-8"), encoding="utf-8")
    (layer.home / "tornado.py").write_text("raise SystemExit('the home is on sys.path')", encoding="utf-8")
    try:
        with started(layer, hub, tmp_path / "output", PYTHONPATH=str(layer.home)) as session:
            until(hub.hub.ready.is_set, session)
    finally:
        trap.unlink()
        (layer.home / "tornado.py").unlink()
    assert not (tmp_path / "sprung").exists()


def test_a_session_ends_cleanly_and_at_once_when_its_job_is_asked_to_end(
    layer: Layer, hub: Running, tmp_path: Path
) -> None:
    with started(layer, hub, tmp_path / "output") as session:
        until(hub.hub.ready.is_set, session)
        kernel = Kernel(session)
        kernel.client.stop_channels()
        children = psutil.Process(session.process.pid).children(recursive=True)
        assert children
        before = set(session.private)
        asked = time.monotonic()
        os.killpg(session.process.pid, signal.SIGTERM)
        assert session.process.wait(30) == 0
        assert time.monotonic() - asked < 20
        assert psutil.wait_procs(children, timeout=5)[1] == []
        assert len(before - set(session.private)) == 1


def test_a_session_that_is_ended_while_it_loads_leaves_nothing(
    layer: Layer, hub: Running, tmp_path: Path
) -> None:
    with started(layer, hub, tmp_path / "output") as session:
        before = set(session.private)
        until(lambda: bool(set(session.private) - before), session)
        session.process.send_signal(signal.SIGTERM)
        assert session.process.wait(30) in {0, 143, -signal.SIGTERM}
        assert set(session.private) <= before


SIGNALLED = """
import importlib, os, signal, sys
from berth.session import __main__ as session
module, name = sys.argv[1].split(".")
module = importlib.import_module(module)
function = getattr(module, name)
def signalled(*given, **named):
    os.kill(os.getpid(), signal.SIGTERM)
    value = function(*given, **named)
    os.kill(os.getpid(), signal.SIGTERM)
    return value
setattr(module, name, signalled)
os._exit(session.main())
"""


@pytest.mark.parametrize("function", ["tempfile.mkdtemp", "fcntl.flock", "shutil.rmtree", "os.close"])
def test_a_signal_that_comes_while_the_directory_is_made_or_removed_leaves_nothing(
    layer: Layer, hub: Running, tmp_path: Path, function: str
) -> None:
    before = set(layer.etc.parent.glob("berth-session-*"))
    ended = subprocess.run(
        [layer.python, "-I", "-c", SIGNALLED, function],
        env=environment(hub.url, str(layer.index), str(tmp_path / "no-home")) | {"BERTH_RELEASE": "none"},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert set(layer.etc.parent.glob("berth-session-*")) == before


def test_a_signal_that_comes_while_a_line_is_logged_ends_the_session(
    layer: Layer, hub: Running, tmp_path: Path
) -> None:
    # Of signals that come in quick succession, some meet the server within the log of the one before.
    with started(layer, hub, tmp_path / "output") as session:
        until(hub.hub.ready.is_set, session)
        for _ in range(300):
            session.process.send_signal(signal.SIGTERM)
        assert session.process.wait(30) == 0
    assert "reentrant call" not in session.log


def test_a_session_waits_for_a_hub_that_restarts(layer: Layer, hub: Running, tmp_path: Path) -> None:
    hub.hub.statuses[:] = [502, 503, 404, 500]
    with started(layer, hub, tmp_path / "output") as session:
        until(hub.hub.ready.is_set, session)
        assert len(session.reports) == 5
        assert len({report["body"]["port"] for report in session.reports}) == 1
        assert session.get("api")[0] == 200


def test_a_session_that_the_hub_denies_to_know_ends_by_itself(
    layer: Layer, hub: Running, tmp_path: Path
) -> None:
    hub.hub.statuses[:] = [403] * 50
    layer.settings(refused_minutes=0)
    try:
        with started(layer, hub, tmp_path / "output") as session:
            assert session.process.wait(PATIENCE) == 3
    finally:
        layer.settings()
    assert "the hub has denied to know this session" in session.log


def test_a_home_that_cannot_be_written_keeps_no_session_from_starting(
    layer: Layer, hub: Running, tmp_path: Path
) -> None:
    with started(layer, hub, tmp_path / "output", HOME="/proc/no-such-home") as session:
        until(hub.hub.ready.is_set, session)
        assert session.get("lab")[0] == 200
        logs = [path for place in session.private for path in place.glob("session-*.log")]
        assert any("the home cannot be written" in path.read_text(encoding="utf-8") for path in logs)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"JUPYTERHUB_API_TOKEN": ""}, "lacks JUPYTERHUB_API_TOKEN"),
        ({"BERTH_PORT_RANGE": "0-1"}, "BERTH_PORT_RANGE must be two ports"),
        ({"BERTH_RELEASE": "1999.01"}, "there is no release '1999.01'"),
        ({"BERTH_RELEASES_INDEX": "/proc/none.json"}, "cannot read the release index"),
    ],
)
def test_a_session_that_cannot_start_says_why_and_ends(
    layer: Layer, hub: Running, tmp_path: Path, changed: dict[str, str], sentence: str
) -> None:
    before = len(session_log(layer))
    with started(layer, hub, tmp_path / "output", **changed) as session:
        assert session.process.wait(PATIENCE) == 1
        said = session.output.read_text(encoding="utf-8") + session_log(layer)[before:]
    assert sentence in said
    assert TOKEN not in said


def session_log(layer: Layer) -> str:
    path = layer.home / ".berth/log/session-4711.log"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
