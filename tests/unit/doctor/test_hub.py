"""Each finding about the hub's own host."""

from __future__ import annotations

import http.server
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from berth.doctor import clocks, database, disks, facts, hub, munge, node, sandbox, versions
from berth.doctor.commands import Answer, NotRunError
from berth.doctor.disks import Room
from berth.doctor.model import NotApplicableError, Status
from tests.unit.doctor import places
from tests.unit.doctor.places import programs, said, site
from tests.unit.hub.factories import HUB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNIT = "NRestarts={restarts}\nId={name}\nActiveState={state}\nUnitFileState={boot}\n"


def units(**changed: str) -> str:
    values = {"state": "active", "boot": "enabled", "restarts": "0"}
    first, *others = hub.UNITS
    blocks = [UNIT.format(name=first, **(values | changed))]
    return "\n".join([*blocks, *(UNIT.format(name=name, **values) for name in others)])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (units(), "ok: berth-helper.socket, berth-proxy.service"),
        (units(state="failed"), "failure: berth-helper.socket is failed | look at journalctl -u"),
        (
            units(boot="disabled"),
            "failure: berth-helper.socket does not start at boot (disabled) | systemctl enable",
        ),
        (units(restarts="7"), "warning: berth-helper.socket was restarted 7 times"),
        ("", "failure: berth-web.service is unknown"),
    ],
)
def test_services(answer: str, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, systemctl_show=answer)
    assert sentence in said(hub.services(site(etc)))


def test_settings_and_who_may_read_them(etc: Path) -> None:
    assert said(hub.settings(site(etc))).startswith("ok: ")
    (etc / "proxy.env").chmod(0o644)
    assert f"failure: {etc}/proxy.env has mode 0644" in said(hub.settings(site(etc)))
    assert f"chmod 0600 {etc}/proxy.env" in said(hub.settings(site(etc)))
    (etc / "proxy.env").unlink()
    assert f"{etc}/proxy.env: No such file or directory | run playbooks/hub.yml" in said(
        hub.settings(site(etc))
    )
    (etc / "hub.yml").write_text("pubic_url: x\n", encoding="utf-8")
    assert "pubic_url" in said(hub.settings(site(etc)))
    with pytest.raises(NotApplicableError, match=r"see the check hub\.settings"):
        hub.answers(site(etc))


@pytest.fixture
def answering() -> Iterator[http.server.HTTPServer]:
    """A server that says 200 to one path, and 503 to all others."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/hub/health" else 503)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()


def test_whether_hub_and_proxy_answer(tmp_path: Path, answering: http.server.HTTPServer) -> None:
    port = answering.server_port
    places.settings(tmp_path, hub_port=port, proxy_bind_url=f"http://127.0.0.1:{port}")
    assert said(hub.answers(site(tmp_path))) == "ok: the hub answers, directly and through the proxy | "
    places.settings(tmp_path, hub_port=port, proxy_bind_url=f"http://127.0.0.1:{port}/elsewhere")
    assert "the hub through the proxy answers" in said(hub.answers(site(tmp_path)))
    assert "with status 503" in said(hub.answers(site(tmp_path)))
    answering.server_close()
    places.settings(tmp_path, hub_port=port, proxy_bind_url=f"http://127.0.0.1:{port}")
    answering.shutdown()
    assert "failure: the hub does not answer" in said(hub.answers(site(tmp_path)))


HUB_UNIT = (
    "CapabilityBoundingSet=\nAmbientCapabilities=\nUser=nobody\nProtectSystem=strict\nNoNewPrivileges=yes\n"
)
HELPER_UNIT = HUB_UNIT.replace("User=nobody", "User=").replace(
    "BoundingSet=", "BoundingSet=cap_dac_override cap_kill cap_setgid cap_setuid cap_audit_write"
)


@pytest.mark.parametrize(
    ("check", "old", "new", "sentence"),
    [
        (sandbox.hub, "", "", "ok: "),
        (sandbox.hub, "User=nobody", "User=", "runs as root, not as nobody"),
        (sandbox.hub, "BoundingSet=", "BoundingSet=cap_sys_admin", "may have the capabilities cap_sys_admin"),
        (sandbox.hub, "NoNewPrivileges=yes", "NoNewPrivileges=no", "may gain privileges"),
        (sandbox.hub, "strict", "no", "may write to the system (ProtectSystem=no)"),
        (sandbox.helper, "", "", "ok: "),
        (sandbox.helper, "cap_setuid", "cap_sys_admin", "lacks cap_setuid: it cannot become the user"),
        (sandbox.helper, "cap_kill", "cap_sys_admin", "may have cap_sys_admin, which it does not need"),
        (sandbox.helper, "Capabilities=", "Capabilities=cap_kill", "is given the capabilities cap_kill"),
    ],
)
def test_what_systemd_lets_the_services_do(  # noqa: PLR0913, PLR0917 - a case, and what it needs
    check: Any, old: str, new: str, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = HUB_UNIT if check is sandbox.hub else HELPER_UNIT
    programs(monkeypatch, systemctl_show=unit.replace(old, new) if old else unit)
    assert sentence in said(check(site(etc)))


@pytest.fixture
def stored(etc: Path) -> Path:
    """A database with JupyterHub's revision, of the hub's user."""
    path = etc / "state" / "hub.sqlite"
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (database.head(),))
    connection.close()
    return path


def test_the_database(stored: Path, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = site(etc)
    monkeypatch.setattr(places.Slurm, "hub_user", __import__("pwd").getpwuid(stored.stat().st_uid))
    assert said(database.database(ours)).startswith(f"ok: {stored} is whole")
    with sqlite3.connect(stored) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'old'")
    connection.close()
    assert f"has revision old, JupyterHub needs {database.head()}" in said(database.database(ours))
    stored.write_bytes(b"broken" * 1000)
    assert "cannot be read: file is not a database" in said(database.database(ours))
    stored.parent.chmod(0o755)
    assert "has mode 0755: others see the hub's state" in said(database.database(ours))
    stored.unlink()
    assert "there is no" in said(database.database(ours))


def test_a_database_that_the_hub_cannot_write(stored: Path, etc: Path) -> None:
    if stored.stat().st_uid == places.SOMEBODY.pw_uid:
        pytest.fail("these tests run as the user that stands for the hub")
    assert "cannot write it" in said(database.database(site(etc)))


MUNGED = "STATUS:          {}\nENCODE_HOST:     login (198.18.0.10)\nUID:             root (0)\n"


@pytest.mark.parametrize(
    ("made", "taken", "sentence"),
    [
        ("MUNGE:x:", MUNGED.format("Success (0)"), "ok: munge makes a credential and takes it"),
        (
            Answer(6, "", 'munge: Error: Failed to access "/run/munge/munge.socket.2": No such file'),
            "",
            "failure: munge makes no credential: munge: Error: Failed to access",
        ),
        (NotRunError("munge cannot be run: No such file or directory"), "", "munge makes no credential"),
        ("MUNGE:x:", Answer(15, MUNGED.format("Invalid credential (15)"), "x"), "Invalid credential"),
    ],
)
def test_munge_on_one_host(
    made: Any, taken: Any, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = programs(monkeypatch)
    answering.answers = {" unmunge": taken, " munge": made}
    assert sentence in said(munge.local(site(etc)))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("Success (0)", "ok: munge takes a credential of login: the same key"),
        ("Expired credential (15)", "made: Expired credential | set both hosts' clocks"),
        ("Rewound credential (16)", "made: Rewound credential | set both hosts' clocks"),
        ("Invalid credential (14)", "made: Invalid credential | copy /etc/munge/munge.key"),
    ],
)
def test_munge_across_two(status: str, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, unmunge=Answer(0, MUNGED.format(status), ""))
    assert sentence in said(munge.across(site(etc, against={"munge": "MUNGE:x:", "host": "login"})))
    with pytest.raises(NotApplicableError, match="made no credential"):
        munge.across(site(etc, against={"munge": ""}))


@pytest.mark.parametrize(
    ("theirs", "before", "after", "ahead"),
    [
        (100, 100.2, 100.4, 0.0),
        (100, 100.9, 101.2, 0.0),
        (100, 99.5, 100.1, 0.0),
        (100, 105.0, 105.1, 4.0),
        (100, 30.0, 30.5, -69.5),
    ],
)
def test_how_far_a_clock_is_ahead(theirs: float, before: float, after: float, ahead: float) -> None:
    assert clocks.offset(theirs, before, after) == ahead


def test_clocks_are_judged(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding.status for finding in clocks.judged_offset(1.5)] == [Status.OK]
    assert "warning: this node's clock is 4 seconds ahead of the hub's host" in said(
        clocks.judged_offset(4.0)
    )
    assert "failure: this node's clock is 70 seconds behind the hub's host" in said(
        clocks.judged_offset(-69.5)
    )
    programs(monkeypatch, virt=Answer(1, "none", ""), timedatectl="no\n")
    assert "warning: no time service" in said(clocks.host(site(etc)))
    programs(monkeypatch, virt=Answer(1, "none", ""), timedatectl="yes\n")
    assert "ok: a time service" in said(clocks.host(site(etc)))
    programs(monkeypatch, virt=Answer(0, "docker", ""))
    with pytest.raises(NotApplicableError, match="a container"):
        clocks.host(site(etc))


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        (Room(50_000, 0.05, 0.9), ""),
        (Room(500, 0.5, 0.9), ""),
        (Room(5_000, 0.05, 0.9), "warning: /x, for logs, has 5000 MiB (5%) left | make room"),
        (Room(100, 0.01, 0.9), "failure: /x, for logs, has 100 MiB (1%) left"),
        (Room(50_000, 0.5, 0.03), "warning: /x, for logs, has 3% of its inodes left"),
        (Room(50_000, 0.5, 0.001), "failure: /x, for logs, has 0% of its inodes left"),
    ],
)
def test_room_on_disks(left: Room, sentence: str, tmp_path: Path) -> None:
    path = type(tmp_path)("/x")
    found = said(list(disks.judged_room(path, "for logs", left)))
    assert sentence in found
    assert bool(found) is bool(sentence)


def test_every_place_is_looked_at_and_one_that_is_gone_is_told(etc: Path) -> None:
    (etc / "shared").mkdir()
    text = said(disks.space(site(etc)))
    assert f"failure: {etc}/state, the hub's state: No such file or directory" in text
    (etc / "state").mkdir()
    assert str(etc / "state") in said(disks.space(site(etc)))


def test_the_berth_of_layers(etc: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layers" / "1"
    (layer / ".berth").mkdir(parents=True)
    (layer / ".berth" / "wheel").write_text("abc", encoding="utf-8")
    told = {"berth": "abc", "layers": [str(layer)]}
    assert said(versions.berth(site(etc, against=told, node=True))).startswith("ok: ")
    text = said(versions.berth(site(etc, against=told | {"berth": "def"}, node=True)))
    assert f"warning: the layer {layer} has another Berth than the hub | run playbooks/session.yml" in text
    with pytest.raises(NotApplicableError):
        versions.berth(site(etc, against=told | {"berth": ""}, node=True))


def test_what_the_hub_says_of_itself(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs(monkeypatch, munge="MUNGE:x:\n")
    found = facts.gather(site(etc))
    assert found["munge"] == "MUNGE:x:"
    assert (found["slurm"], found["session_hub_url"]) == ("24.11.5", HUB.session_hub_url)
    # a credential stands for who made it: never for root
    assert [line.split(":")[0] for line in made.seen] == [places.SOMEBODY.pw_name]
    assert "--restrict-uid=0" in made.seen[0]
    programs(monkeypatch, munge=NotRunError("munge cannot be run"))
    assert facts.gather(site(etc, {"show config": None})) | {"munge": "", "slurm": ""} == facts.gather(
        site(etc, {"show config": None})
    )


SLURMD = "Slurmd PID               = 80\nLast slurmctld msg time  = {}\nVersion                  = 24.11.5\n"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (SLURMD.format("2026-11-27T07:33:53"), "ok: slurmd answers, and heard of slurmctld at 2026-11-27T07"),
        (SLURMD.format("NONE"), "failure: slurmd has not heard of slurmctld since it started"),
        (
            Answer(1, "", "slurm_load_slurmd_status: Connection refused"),
            "failure: slurmd does not answer: slurm_load_slurmd_status: Connection refused",
        ),
    ],
)
def test_slurmd(answer: Any, sentence: str, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, scontrol_show_slurmd=answer)
    assert sentence in said(node.slurmd(site(etc)))


def test_the_layer_and_the_place_of_sockets(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = tmp_path / "layers" / "1"
    told = {"layers": [str(layer)]}
    ours = site(etc, against=told, node=True)
    assert "is not here: sessions end at once" in said(node.layer(ours))
    (layer / "bin").mkdir(parents=True)
    (layer / "bin" / "berth-session").touch()
    programs(monkeypatch, bin_python=Answer(1, "", "ModuleNotFoundError: x"))
    monkeypatch.setattr(
        "berth.doctor.commands.run", places.Programs({"/bin/python": Answer(1, "", "No module x")}).run
    )
    assert f"failure: {layer} does not run on this node: No module x" in said(node.layer(ours))
    (layer / "etc").mkdir()
    place = tmp_path / "sockets"
    (layer / "etc" / "session.json").write_text(f'{{"runtime_dir": "{place}"}}', encoding="utf-8")
    assert f"warning: {place}: No such file or directory: sessions take /tmp" in said(node.runtime(ours))
    place.mkdir()
    programs(monkeypatch, stat="ext2/ext3\n")
    place.chmod(0o755)
    assert f"failure: {place} has mode 0755" in said(node.runtime(ours))
    place.chmod(0o1777)
    assert said(node.runtime(ours)).startswith("ok: ")
    programs(monkeypatch, stat="nfs\n")
    assert f"failure: {place} is on nfs" in said(node.runtime(ours))
