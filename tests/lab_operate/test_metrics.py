"""The hub's metrics as an operator reads them: with the token, by curl and by a Prometheus with our rules."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.machines import ROOT, Machine, lab
from tests.lab.sessions import running
from tests.lab.waiting import until
from tests.lab_operate.prometheus import INSTALLED, Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

FILES = ROOT / "roles/hub/files/prometheus"
ADDRESS = "https://127.0.0.1/hub/metrics"
INTERVAL_SECONDS = 2
"""Of the lab's collector."""
ASK = """\
import json, ssl, sys, urllib.error, urllib.request
method, url, token = sys.argv[1:]
request = urllib.request.Request(url, method=method, headers={"Authorization": token} if token else {})
trust = ssl.create_default_context(cafile="/opt/berth/etc/hub-ca.crt")
try:
    answer = urllib.request.urlopen(request, timeout=10, context=trust)
    print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
"""


@pytest.fixture(scope="module")
def token(login: Machine) -> str:
    """What root alone reads on the hub's host."""
    return login.run("cat", "/etc/berth/metrics.env").partition("=")[2]


@pytest.fixture(scope="module")
def prometheus(login: Machine, token: str) -> Iterator[Prometheus]:
    """A Prometheus that scrapes the hub."""
    made = Prometheus.unpacked(login)
    try:
        made.start(token)
        yield made
    finally:
        made.stop()


def ask(machine: Machine, url: str, authorization: str = "", method: str = "GET") -> tuple[int, str]:
    """Status and body of an answer to a machine of the lab."""
    status, body = machine.python(ASK, method, url, authorization)
    return status, body


def metrics(login: Machine, token: str) -> str:
    """The figures as the hub gives them to whoever has the token."""
    status, body = ask(login, ADDRESS, f"Bearer {token}")
    assert status == 200, body
    return body


def value(text: str, name: str, **labels: str) -> float:
    """The sum of the series of a name that have these labels."""
    found = []
    for line in text.splitlines():
        series, _, number = line.rpartition(" ")
        known = dict(re.findall(r'(\w+)="([^"]*)"', series))
        if re.split(r"[{ ]", line)[0] == name and labels.items() <= known.items():
            found.append(float(number))
    assert found, f"no {name} {labels} in:\n{text}"
    return sum(found)


def test_nobody_reads_metrics_without_the_token_or_from_elsewhere(
    login: Machine, alice: Visitor, token: str
) -> None:
    assert login.run("stat", "-c", "%a %U", "/etc/berth/metrics.env") == "600 root"
    assert ask(login, ADDRESS)[0] == 403
    assert ask(login, ADDRESS, "Bearer " + "0" * 64)[0] == 403
    assert ask(login, ADDRESS, f"Bearer {token}")[0] == 200
    for path in ("/hub/metrics", "/hub/metrics/", "/hub/api/metrics", "//hub//metrics", "/hub/%6detrics"):
        answer = alice.http.get(f"{lab().url}{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403, path
        assert "berth_" not in answer.text
    node = Machine(OPEN_NODE.name)
    assert ask(node, "https://login:8444/hub/api/metrics", f"Bearer {token}")[0] == 404


def test_the_token_reads_metrics_and_nothing_else(login: Machine, token: str) -> None:
    hub = "https://127.0.0.1/hub/api"
    for path in ("users", "services", "users/alice", "proxy", "info", "groups"):
        assert ask(login, f"{hub}/{path}", f"token {token}")[0] in {403, 404}, path
    assert ask(login, f"{hub}/users/alice/server", f"token {token}", "POST")[0] in {403, 404}
    found = login.attempt("grep", "-rlsaF", "--", token, "/var/lib/berth-hub", "/var/log", "/opt/berth-hub")
    assert found.stdout == ""


def test_a_session_shows_in_the_figures_and_its_user_does_not(
    slurm: Slurm, login: Machine, alice: Visitor, token: str
) -> None:

    def unused() -> str:
        text = metrics(login, token)
        return "" if value(text, "berth_gpus", state="allocated", type=OPEN_TYPE) else text

    before = until(unused, "figures in which the last test's GPU is free again", 30)
    idle = value(before, "berth_gpus", state="idle", type=OPEN_TYPE)
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:1", interface="lab") as session:

        def seen() -> str:
            text = metrics(login, token)
            taken = value(text, "berth_gpus", state="idle", type=OPEN_TYPE) == idle - 1
            return text if taken and value(text, "berth_sessions", state="running") == 1 else ""

        during = until(seen, "a session and its GPU among the figures", 30)
        assert value(during, "berth_sessions", state="running", interface="lab") == 1
        for phase in ("submit", "queue", "boot", "ready"):
            name = "berth_start_phase_seconds_count"
            assert value(during, name, phase=phase) == value(before, name, phase=phase) + 1
        ours = "\n".join(line for line in during.splitlines() if line.startswith("berth_"))
        values = re.findall(r'(?<!le)="([^"]*)"', ours)
        assert not {"alice", str(session.job_id), session.node.name} & set(values)
        assert "alice" not in during
    ended = ("berth_sessions_ended_total", "stopped")
    wanted = value(before, ended[0], cause=ended[1]) + 1
    until(lambda: value(metrics(login, token), ended[0], cause=ended[1]) == wanted, "the end", 30)
    after = metrics(login, token)
    assert value(after, "berth_sessions", state="running") == 0
    assert value(after, "berth_slurm_snapshot_age_seconds", kind="jobs") < 30


def test_refusals_are_counted(login: Machine, alice: Visitor, token: str) -> None:
    before = metrics(login, token)
    assert alice.hub("POST", "users/alice/server", json={"cores": "9", "hunter2": "x"}).status_code == 400
    after = metrics(login, token)
    for field in ("cores", "other"):
        name = "berth_requests_refused_total"
        assert value(after, name, field=field) == value(before, name, field=field) + 1
    assert "hunter2" not in after


def test_reading_them_asks_slurm_nothing(login: Machine, token: str) -> None:
    name = "berth_slurm_query_seconds_count"
    started, first = time.monotonic(), value(metrics(login, token), name, kind="nodes")
    for _ in range(40):
        metrics(login, token)
    asked = value(metrics(login, token), name, kind="nodes") - first
    # The collector goes on at its own pace, whoever reads.
    assert asked <= (time.monotonic() - started) / INTERVAL_SECONDS + 2


def test_promtool_finds_nothing_to_say_about_the_figures(prometheus: Prometheus, token: str) -> None:
    path = prometheus.write("metrics", metrics(prometheus.login, token) + "\n")
    said = prometheus.login.attempt("sh", "-c", f"{path[:-8]}/usr/bin/promtool check metrics < {path}")
    assert said.rc in {0, 3}, said.stderr  # 3: remarks about names, of which JupyterHub's may have some
    lines = (said.stdout + said.stderr).splitlines()
    assert [line for line in lines if line.startswith("berth_")] == []


def test_rules_and_their_tests_pass_and_every_alert_is_seen_to_fire(prometheus: Prometheus) -> None:
    assert prometheus.promtool("check", "rules", f"{INSTALLED}/berth.rules.yml").rc == 0
    tests = yaml.safe_load((ROOT / "tests/prometheus/berth.rules.test.yml").read_text(encoding="utf-8"))
    tests["rule_files"] = [f"{INSTALLED}/berth.rules.yml"]
    said = prometheus.promtool("test", "rules", prometheus.write("test.yml", json.dumps(tests)))
    assert said.rc == 0, said.stdout + said.stderr
    rules = yaml.safe_load((FILES / "berth.rules.yml").read_text(encoding="utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == alerts


def test_a_prometheus_scrapes_the_hub_and_every_rule_and_panel_finds_its_figures(
    prometheus: Prometheus,
) -> None:
    scraped = 'count_over_time(up{job="berth"}[5m]) >= 4 and up{job="berth"} == 1'
    until(lambda: prometheus.query(scraped), "four scrapes of the hub", 60)

    def evaluated() -> bool:
        (group,) = prometheus.ask("rules")["groups"]
        return all(rule["health"] == "ok" for rule in group["rules"])

    until(evaluated, "every rule evaluated", 30)
    (group,) = prometheus.ask("rules")["groups"]
    assert [rule["name"] for rule in group["rules"] if rule["state"] == "firing"] == []
    dashboard = json.loads(prometheus.login.run("cat", f"{INSTALLED}/berth-dashboard.json"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert [expression for expression in asked if not prometheus.query(expression)] == []


def test_prometheus_notices_a_hub_that_is_away(prometheus: Prometheus) -> None:
    login = prometheus.login
    login.run("systemctl", "stop", "berth-hub")
    try:
        until(lambda: prometheus.query('up{job="berth"} == 0'), "a hub that is down", 30)
        until(lambda: prometheus.query('ALERTS{alertname="BerthDown"}'), "an alert that is pending", 30)
    finally:
        login.run("systemctl", "start", "berth-hub")
    until(lambda: prometheus.query('up{job="berth"} == 1'), "a hub that is up again", 60)
