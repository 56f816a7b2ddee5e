"""One session from the click to the node and back, found by one word; and no secret in any log."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from tests.lab.hub import HUB_SECONDS, hub_answers
from tests.lab.machines import LOGIN, NODES, Machine, lab
from tests.lab.notebook import Kernel
from tests.lab.sessions import ended, running, started
from tests.lab.slurm import full_nodes
from tests.lab.visitor import Visitor
from tests.lab.waiting import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm

ENDED_SECONDS = 30.0
INTERVAL_SECONDS = 2
"""Of the lab's collector."""
LOOKS = 4
SECRET_LENGTH = 12
ORDER = ("request-accepted", "submitted", "reported", "ready", "stop-asked", "cancelled", "ended")


def moment(machine: Machine) -> str:
    """A time for `journalctl --since`."""
    return machine.run("date", "--utc", "+%Y-%m-%d %H:%M:%S.%6N UTC")


def events(machine: Machine, since: str, word: str) -> list[dict[str, str]]:
    """The fields of the lines of hub and helper that hold a word."""
    lines = machine.journal(since, "berth-hub", "berth-helper@*").splitlines()
    found = [line[line.index("level=") :] for line in lines if word in line and "level=" in line]
    return [dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line)) for line in found]


def test_one_word_tells_a_session_from_the_click_to_the_node(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    since = moment(login)
    with running(slurm, alice, interface="lab") as session:
        nonce = session.job["JobName"].removeprefix("berth-")
        log = login.run("cat", f"/home/alice/.berth/log/session-{session.job_id}.log", user="alice")
        node, job_id = session.node.name, str(session.job_id)

    def told() -> list[dict[str, str]]:
        found = events(login, since, nonce)
        return found if found[-1]["event"] == "ended" else []

    lines = until(told, "the end in the journal", ENDED_SECONDS)
    names = [line["event"] for line in lines]
    assert [name for name in names if name in ORDER] == list(ORDER)
    assert all(line["user"] == "alice" for line in lines)
    by_name = {line["event"]: line for line in lines}
    asked = by_name["request-accepted"]
    assert (asked["cores"], asked["account"], asked["interface"]) == ("1", "proj_a", "lab")
    assert (by_name["helper"]["verb"], by_name["helper"]["ok"]) == ("submit", "true")
    assert by_name["helper"]["job_id"] == by_name["submitted"]["job_id"] == job_id
    assert by_name["running"]["node"] == node
    phases = [float(by_name["ready"][f"{phase}_seconds"]) for phase in ("submit", "queue", "boot", "ready")]
    assert abs(sum(phases) - float(by_name["ready"]["seconds"])) < 0.01
    assert by_name["stop-asked"]["by"] == "alice"
    assert (by_name["ended"]["cause"], by_name["ended"]["node"]) == ("stopped", node)
    # What the helper was asked to cancel is found by the job.
    (cancelled,) = [
        line for line in events(login, since, f"job_id={job_id} ") if line.get("verb") == "cancel"
    ]
    assert cancelled["ok"] == "true"
    (started,) = [line for line in log.splitlines() if "event=session-starts" in line]
    assert f"session={nonce} user=alice job_id={job_id} node={node}" in started
    ended = login.run("cat", f"/home/alice/.berth/log/session-{job_id}.log", user="alice")
    assert f"event=session-ends session={nonce}" in ended


def test_what_a_job_waits_for_is_told_once_and_not_at_each_look(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    since = moment(login)
    with full_nodes(slurm):
        job_id = started(slurm, alice)
        nonce = slurm.job(job_id)["JobName"].removeprefix("berth-")

        def waiting() -> list[dict[str, str]]:
            return [line for line in events(login, since, nonce) if line["event"] == "waiting"]

        until(waiting, "a line about waiting", 30)
        time.sleep(LOOKS * INTERVAL_SECONDS)
        told = [(line["state"], line.get("reason")) for line in waiting()]
        assert {state for state, _ in told} == {"PENDING"}
        assert all(sooner != later for sooner, later in itertools.pairwise(told)), told
        ended(slurm, alice)
    until(
        lambda: "cause=withdrawn" in login.journal(since, "berth-hub"),
        "the end of a start that was taken back",
        ENDED_SECONDS,
    )


def test_refusals_are_told_with_who_and_what(login: Machine, alice: Visitor, context: ssl.SSLContext) -> None:
    since = moment(login)
    assert alice.hub("POST", "users/alice/server", json={"cores": "9"}).status_code == 400
    (refused,) = events(login, since, "event=request-refused")
    assert (refused["user"], refused["field"]) == ("alice", "cores")
    assert "is not one of the choices" in refused["msg"]
    with Visitor("alice", context) as stranger:
        stranger.log_in("not her password")
    (failed,) = events(login, since, "event=login-refused")
    assert (failed["user"], failed["reason"]) == ("alice", "wrong-password")
    assert failed["ip"]
    with Visitor("alice", context) as newcomer:
        assert newcomer.log_in().status_code == 200
    assert [line["user"] for line in events(login, since, "event=login ")] == ["alice"]
    # systemd took the levels over: `journalctl -p warning` has the one and not the other.
    warnings = login.run(
        "journalctl", "--no-pager", f"--since={since}", "--unit=berth-hub", "--priority=warning"
    )
    assert "event=login-refused" in warnings
    assert "event=login " not in warnings


def test_with_json_every_line_of_hub_and_helper_is_an_object(
    login: Machine, json_lines: str, context: ssl.SSLContext
) -> None:
    with Visitor("alice", context) as newcomer:
        assert newcomer.log_in().status_code == 200
        newcomer.http.get("/hub/nowhere")
    written = ("--output=cat", "_TRANSPORT=stdout", "--unit=berth-hub", "--unit=berth-helper@*")
    said = login.run("journalctl", "--no-pager", f"--since={json_lines}", *written)
    lines = [json.loads(line) for line in said.splitlines()]
    found = {line["event"]: line for line in lines if "event" in line}
    assert found["login"]["user"] == found["helper"]["user"] == "alice"
    assert found["request"]["status"] in range(200, 600)
    assert any("JupyterHub is now running" in line.get("msg", "") for line in lines)


@pytest.fixture
def json_lines(login: Machine, alice: Visitor) -> Iterator[str]:
    """Have hub and helper write JSON, as `hub_log_format: json` has them; since when."""
    files = ("/etc/berth/hub.yml", "/etc/berth/helper.json")
    for name in files:
        login.shell(
            f"cp -p {name} {name}.before && sed -i '/log_format/s/text/json/' {name} && grep json {name}"
        )
    try:
        login.run("systemctl", "stop", "berth-hub")
        since = moment(login)
        login.run("systemctl", "start", "berth-hub")
        until(lambda: hub_answers(alice), "a hub that writes JSON", HUB_SECONDS)
        yield since
    finally:
        for name in files:
            login.run("mv", f"{name}.before", name)
        login.run("systemctl", "restart", "berth-hub")
        until(lambda: hub_answers(alice), "a hub as it was", HUB_SECONDS)


def test_no_log_listing_or_record_holds_a_secret(
    slurm: Slurm, login: Machine, alice: Visitor, context: ssl.SSLContext
) -> None:
    since = moment(login)
    typed = {"a wrong password": secrets.token_hex(12), "a password as a name": secrets.token_hex(12)}
    sent = secrets.token_hex(12)
    with Visitor("alice", context) as stranger:
        stranger.log_in(typed["a wrong password"])
        stranger.name = typed["a password as a name"]
        stranger.log_in("x")
        known = dict(cookies(stranger))
    token = alice.token()
    for path in ("/hub/home", "/hub/api/users/bob", "/hub/nowhere", "/hub/api/users/alice"):
        alice.http.get(f"{path}?token={sent}&code={sent}", headers={"Authorization": f"token {sent}"})
    assert alice.hub("POST", "users/alice/server", json={"cores": "9"}).status_code == 400
    with running(slurm, alice, gpus="0") as session:
        environment = session.node.environment_of(session.server_pid())
        with Kernel.start(alice, "python3") as kernel:
            assert kernel.run("print(6 * 7)") == "42"
        alice.lab("GET", f"contents/nowhere?token={sent}")
        job_id = str(session.job_id)
        seen = {
            "scontrol show job": login.run("scontrol", "show", "job", "-d", job_id),
            "job script": login.run("scontrol", "write", "batch_script", job_id, "-"),
            "squeue": login.run("squeue", "-j", job_id, "-o", "%all"),
        }
        processes = {name: Machine(name).run("ps", "-e", "-ww", "-o", "args") for name in (LOGIN, *NODES)}
        known |= dict(cookies(alice))
    for name in ("-P -o ALL", "--env-vars", "--batch-script"):
        seen[f"sacct {name}"] = login.run("sacct", "-j", job_id, *name.split())
    seen |= {f"processes of {name}": text for name, text in processes.items()}
    seen |= {f"journal of {name}": Machine(name).journal(since) for name in (LOGIN, *NODES)}
    seen["session logs"] = login.shell("cat /home/alice/.berth/log/session-*.log")
    assert "event=session-starts" in seen["session logs"]
    assert "event=ready" in seen[f"journal of {LOGIN}"]
    assert "berth_web" in seen[f"journal of {LOGIN}"]
    known |= typed | {
        "what a link held": sent,
        "the session's token": environment["JUPYTERHUB_API_TOKEN"],
        "an API token": token,
        "the password of alice": lab().passwords()["alice"],
        "the token for metrics": login.run("cat", "/etc/berth/metrics.env").partition("=")[2],
        "the proxy's secret": login.run("cat", "/etc/berth/proxy.env").partition("=")[2],
    }
    assert min(map(len, known.values())) >= SECRET_LENGTH, known.keys()
    found = [
        (what, where) for what, secret in known.items() for where, text in seen.items() if secret in text
    ]
    assert found == []
    patterns = [argument for secret in known.values() for argument in ("-e", secret)]
    for name in (LOGIN, *NODES):
        written = Machine(name).attempt("grep", "-rlsaF", "--devices=skip", *patterns, "--", "/var/log")
        assert written.stdout == "", name


def cookies(visitor: Visitor) -> Iterator[tuple[str, str]]:
    """The cookies that prove who somebody is, by name and path."""
    for item in visitor.http.cookies.jar:
        if item.value and item.name != "berth-language":
            yield f"the cookie {item.name} of {visitor.name} at {item.path}", item.value.strip('"')
