"""More time for a running session: by the button at the hub and in Lab; refused where a limit says so."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.looks import look
from tests.lab import pages
from tests.lab.cluster import PARTITION
from tests.lab.machines import LOGIN, Machine
from tests.lab.sessions import running
from tests.lab.waiting import until
from tests.lab_operate.operating import SETTINGS, restart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.sessions import Session
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

HELPER = "/etc/berth/helper.json"
NOTICE = ".Toastify__toast"
LAB_SECONDS = 90.0
SECONDS = 20.0
ASK = "import json, socket, sys\nwith socket.socket(socket.AF_UNIX) as s:\n    s.settimeout(60)\n"
ASK += "    s.connect('/run/berth/helper.sock')\n    s.sendall(sys.argv[1].encode())\n"
ASK += "    s.shutdown(socket.SHUT_WR)\n    print(s.recv(65536).decode())\n"


@pytest.fixture(scope="module", autouse=True)
def _offered(login: Machine, alice: Visitor) -> Iterator[None]:
    """Offer one more hour, twice, up to three hours; as the role would write it."""
    login.shell(f"cp -p {SETTINGS} {SETTINGS}.kept && cp -p {HELPER} {HELPER}.kept")
    try:
        rule = "walltime_extension: {hours: 1, times: 2, most_hours: 3}"
        login.shell(f"sed -i 's/^walltime_extension: .*/{rule}/' {SETTINGS} && grep -q '^{rule}' {SETTINGS}")
        login.shell(f'sed -i \'s/"extend_up_to_minutes": 0/"extend_up_to_minutes": 180/\' {HELPER}')
        restart(login, alice)
        yield
    finally:
        login.shell(f"mv {SETTINGS}.kept {SETTINGS} && mv {HELPER}.kept {HELPER}")
        restart(login, alice)


def ask(**request: Any) -> dict[str, Any]:
    """Ask the helper as the hub's user does."""
    document = json.dumps({"verb": "extend", **request})
    answer: dict[str, Any] = Machine(LOGIN).python(ASK, document, user="berth-hub")
    return answer


def limit(slurm: Slurm, session: Session) -> str:
    """The job's time limit, as Slurm writes it."""
    return slurm.job(session.job_id)["TimeLimit"]


def extend(visitor: Visitor) -> Any:
    """Press the button of the home page."""
    page = visitor.http.get("/hub/home")
    (button,) = pages.parse(page).select("#extend")
    return visitor.http.post(str(button["formaction"]), data=pages.form(page).hidden)


def seen(visitor: Visitor) -> None:
    """Wait until the hub has seen what Slurm has now."""
    now = time.time()
    until(
        lambda: visitor.http.get("/hub/berth/api/availability").json()["asked_at"] > now,
        "the next look at Slurm",
        SECONDS,
    )


def test_the_button_gives_more_time_twice_and_then_is_gone(
    login: Machine, slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice) as session:
        assert limit(slurm, session) == "00:30:00"
        browser.open("/hub/login?next=%2Fhub%2Fhome")
        browser.log_in("alice")
        browser.see("#extend", "Ask for one more hour")
        look(browser, "home-extend")
        browser.see("#extend").click()
        browser.see(".berth-facts dd", "1 h 2")
        assert limit(slurm, session) == "01:30:00"
        assert extend(alice).status_code == 200
        assert limit(slurm, session) == "02:30:00"
        assert "Ask for one more hour" not in pages.text(alice.http.get("/hub/home"))
        refused = alice.call("POST", "/hub/berth/extend/alice")
        assert refused.status_code == 409
        assert "2 times, and this one was" in pages.text(refused)
        assert limit(slurm, session) == "02:30:00"
        assert "verb=extend user=alice ok=true" in login.journal("-3min", "berth-helper@*")


def test_nobody_else_can_ask(slurm: Slurm, alice: Visitor, bob: Visitor) -> None:
    with running(slurm, alice) as session:
        assert bob.call("POST", "/hub/berth/extend/alice").status_code in {403, 404}
        assert limit(slurm, session) == "00:30:00"


def test_limits_of_slurm_refuse_it_with_a_sentence(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    kept = login.run("scontrol", "show", "partition", PARTITION, "-o").split("MaxTime=")[1].split()[0]
    with running(slurm, alice) as session:
        try:
            login.run("scontrol", "update", f"PartitionName={PARTITION}", "MaxTime=60")
            seen(alice)
            assert "last 1 hour at most" in pages.text(alice.call("POST", "/hub/berth/extend/alice"))
        finally:
            login.run("scontrol", "update", f"PartitionName={PARTITION}", f"MaxTime={kept}")
        assert limit(slurm, session) == "00:30:00"


def test_a_maintenance_s_reservation_refuses_it(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 3600))
        zone = login.run("date", "+%z")
        assert zone == time.strftime("%z"), "the lab's clock shows another time than the tests'"
        options = (f"starttime={start}", "duration=60", "flags=maint,ignore_jobs", "user=root")
        node = session.job["NodeList"]
        login.run("scontrol", "create", "reservation", "reservationname=disks", f"nodes={node}", *options)
        try:
            seen(alice)
            assert "reserved for disks" in pages.text(alice.call("POST", "/hub/berth/extend/alice"))
        finally:
            login.run("scontrol", "delete", "reservationname=disks")
        assert limit(slurm, session) == "00:30:00"


def test_the_helper_leaves_every_other_job_alone(login: Machine, slurm: Slurm, alice: Visitor) -> None:
    with running(slurm, alice) as session:
        name = session.job["JobName"]
        good = {"user": "alice", "job_id": session.job_id, "job_name": name, "minutes": 60}
        other = slurm.submit("bob", "--time=10", script="sleep 300")
        try:
            cases: list[tuple[dict[str, Any], str]] = [
                ({"minutes": 181}, "not-permitted"),
                ({"user": "bob"}, "refused"),
                ({"user": "root"}, "not-permitted"),
                ({"job_name": "berth-" + "0" * 32}, "refused"),
                ({"job_id": other}, "refused"),
                ({"job_id": other, "user": "bob"}, "refused"),
                ({"job_id": 99999}, "not-run"),
            ]
            for changed, error in cases:
                assert ask(**{**good, **changed}).get("error") == error, changed
            assert limit(slurm, session) == "00:30:00"
            assert slurm.job(other)["TimeLimit"] == "00:10:00"
        finally:
            slurm.cancel(other)
        assert ask(**good) == {"ok": True}
        assert ask(**good) == {"ok": True}
        assert limit(slurm, session) == "01:00:00"
        login.shell(f'sed -i \'s/"extend_up_to_minutes": 180/"extend_up_to_minutes": 0/\' {HELPER}')
        try:
            assert ask(**{**good, "minutes": 1})["error"] == "not-permitted"
        finally:
            login.shell(f'sed -i \'s/"extend_up_to_minutes": 0/"extend_up_to_minutes": 180/\' {HELPER}')


def test_lab_s_warning_has_the_button(slurm: Slurm, alice: Visitor, browser: Window) -> None:
    with running(slurm, alice) as session:
        browser.open("/hub/login?next=%2Fuser%2Falice%2Flab%3Freset")
        browser.log_in("alice")
        browser.see(".jp-Launcher", seconds=LAB_SECONDS)
        browser.see(NOTICE, "This session ends in")
        browser.picture("extend-lab")
        browser.see(f"{NOTICE} button", "Ask for one more hour").click()
        browser.see(NOTICE, "This session ends in 1 h")
        browser.see(".berth-status", "1 h 2")
        assert limit(slurm, session) == "01:30:00"
