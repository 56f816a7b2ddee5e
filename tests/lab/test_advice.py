"""What is said beside Start, and Slurm's estimate, agree with what Slurm then does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.lab import pages
from tests.lab.circumstances import HELD, reserved, working
from tests.lab.cluster import CLUSTER, COURSE, OPEN_NODE, OPEN_TYPE, USERS_PER_CORE
from tests.lab.sessions import SMALL
from tests.lab.slurm import full_nodes, on
from tests.lab.test_availability import FOLLOW_SECONDS, current
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

ADVICE = "/hub/berth/api/advice"
ESTIMATE = "/hub/berth/estimate"
QUEUED_SECONDS = 30.0


def advised(visitor: Visitor, **asked: str) -> dict[str, Any]:
    """What is said beside Start."""
    answer = visitor.http.get(ADVICE, params={**SMALL, **asked})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def advised_soon(visitor: Visitor, *, now: bool, said: str = "", **asked: str) -> dict[str, Any]:
    """The same, once the hub has heard of what a test just did."""

    def agrees() -> dict[str, Any] | None:
        found = advised(visitor, **asked)
        return found if found["now"] is now and said in found["sentence"] else None

    found = until(agrees, f"advice: now is {now} {said}", FOLLOW_SECONDS)
    assert found is not None
    return found


def test_on_a_shared_node_a_session_gets_what_is_left_in_one_row_as_slurm_would_give_it(
    slurm: Slurm, alice: Visitor
) -> None:
    """Each core is shared, and each row has one core left: there are many, but no two for one session."""
    width = OPEN_NODE.cpus - 1
    jobs: list[int] = []
    with working(slurm, f"--cpus-per-task={width}", "--mem=100M", number=USERS_PER_CORE):
        try:
            found = advised_soon(alice, now=False, cores="2", **gpus())
            assert {"cores": "1"} in [item["values"] for item in found["suggestions"]]
            table = current(alice)["rows"]
            (cores,) = [row["cores"] for row in table if row["gpu_type"] == OPEN_TYPE]
            assert cores[len(OPEN_NODE.devices[OPEN_TYPE])] == 1
            shape = (*on(OPEN_NODE.name), f"--gres=gpu:{OPEN_TYPE}:1")
            jobs.append(slurm.submit("bob", *shape, "--cpus-per-task=2", script="sleep 60"))
            until(
                lambda: slurm.job(jobs[0])["Reason"] == "Resources", "two cores to wait for", QUEUED_SECONDS
            )
            slurm.cancel(jobs.pop())
            assert advised_soon(alice, now=True, cores="1", **gpus())["probably"] is False
            jobs.append(slurm.submit("bob", *shape, "--cpus-per-task=1", script="sleep 60"))
            slurm.wait_for(jobs[0], "RUNNING")
        finally:
            slurm.cancel(*jobs)


def gpus() -> dict[str, str]:
    """A choice that keeps a request on nodes of the open node's type."""
    return {"gpus": f"{OPEN_TYPE}:1"}


def test_a_session_in_a_reservation_can_start_for_its_users_only(
    slurm: Slurm, login: Machine, alice: Visitor, bob: Visitor
) -> None:
    with reserved(login, OPEN_NODE.name, "starttime=now", "duration=120", "users=alice"):
        until(lambda: offered(alice, reservation=HELD), "a reservation on offer", FOLLOW_SECONDS)
        assert advised(alice, reservation=HELD)["now"] is True
        assert not offered(bob, account="proj_b", reservation=HELD)
        job_id = slurm.submit("alice", f"--reservation={HELD}", script="sleep 60")
        try:
            slurm.wait_for(job_id, "RUNNING")
        finally:
            slurm.cancel(job_id)
    assert advised(bob, account="proj_b", reservation=COURSE)["now"] is True


def offered(visitor: Visitor, **asked: str) -> bool:
    """Whether the service takes such options at all."""
    answer = visitor.http.get(ADVICE, params={**SMALL, **asked})
    assert answer.status_code in {200, 400}, answer.text
    return answer.status_code == 200


def test_a_shorter_session_is_advised_before_maintenance_and_does_start(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    names = ",".join(node.name for node in CLUSTER)
    options = ("starttime=now+90minutes", "duration=60", "users=root")
    jobs: list[int] = []
    with reserved(login, names, *options, flags="maint,ignore_jobs,overlap"):
        try:
            found = advised_soon(alice, now=False, said="reserved for something else", time="02:00:00")
            assert found["suggestions"][0]["values"] == {"time": "01:00:00"}
            jobs = [slurm.submit("alice", f"--time={minutes}", script="sleep 60") for minutes in (120, 60)]
            slurm.wait_for(jobs[1], "RUNNING")
            assert slurm.state(jobs[0]) == "PENDING"
        finally:
            slurm.cancel(*jobs)


def test_with_full_nodes_nothing_can_start_and_slurm_estimates_when(slurm: Slurm, alice: Visitor) -> None:
    with full_nodes(slurm):
        found = advised_soon(alice, now=False, said="no node has that much free")
        assert found["suggestions"] == []
        estimate = estimated(alice)
        assert "Slurm expects to start this request on" in estimate["sentence"]
        asked = slurm.login.run(
            "sh", "-c", "sbatch --test-only -A proj_a -c1 --mem=500M --time=30 --wrap=: 2>&1", user="alice"
        )
        (start,) = re.findall(r"to start at (\S+) using", asked)
        told = slurm.login.run("date", "+%s", "-d", start)
        assert abs(estimate["start"] - int(told)) < 120
        assert estimate["shown_start"] in estimate["sentence"]


def test_for_a_reservation_to_come_the_estimate_is_its_start(
    slurm: Slurm, login: Machine, alice: Visitor
) -> None:
    with reserved(login, OPEN_NODE.name, "starttime=now+90minutes", "duration=60", "users=alice"):
        until(lambda: HELD in offered_reservations(alice), "a reservation on offer", 20)
        estimate = estimated(alice, reservation=HELD)
        (start,) = re.findall(r"StartTime=(\S+)", login.run("scontrol", "show", "reservation", HELD))
        assert estimate["start"] == int(login.run("date", "+%s", "-d", start))
        assert estimate["shown_start"] in estimate["sentence"]
        assert "Slurm expects to start this request on" in estimate["sentence"]
        # Without it there is room at once. Of this size an older answer may be kept: another is asked for.
        assert estimated(alice, cores="2")["sentence"] == "Slurm would start this request at once."
        # And that is what Slurm does with such a request.
        job_id = slurm.submit("alice", f"--reservation={HELD}", script=":")
        try:
            until(lambda: slurm.job(job_id)["Reason"] == "Reservation", "a job that waits for it", 20)
        finally:
            slurm.cancel(job_id)


def offered_reservations(visitor: Visitor) -> tuple[str, ...]:
    return pages.form(visitor.form_page(), "spawn_form").fields["reservation"].choices


def test_with_room_slurm_starts_at_once_as_advised(alice: Visitor) -> None:
    assert advised_soon(alice, now=True, time="01:00:00")["sentence"] == "Can start now."
    assert estimated(alice, time="01:00:00")["sentence"] == "Slurm would start this request at once."


def estimated(visitor: Visitor, **asked: str) -> dict[str, Any]:
    """What the button "When could it start?" gets."""
    answer = visitor.call("POST", ESTIMATE, data={**SMALL, **asked}, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_without_scripts_the_form_comes_back_with_the_estimate(slurm: Slurm, alice: Visitor) -> None:
    page = alice.form_page()
    form = pages.form(page, "spawn_form")
    button = pages.parse(page).select_one("#berth-estimate")
    assert button is not None
    values = {name: field.chosen for name, field in form.fields.items()} | dict(SMALL) | {"time": "02:00:00"}
    parts = {name: (None, value) for name, value in (form.hidden | values).items()}
    answer = alice.http.post(
        str(page.url.join(str(button["formaction"]))), files=parts, follow_redirects=False
    )
    again = alice.http.get(answer.headers["Location"])
    said = pages.parse(again).select_one("#berth-estimate-answer")
    assert said is not None
    assert said.get_text(strip=True) == "Slurm would start this request at once."
    assert pages.form(again, "spawn_form").fields["time"].chosen == "02:00:00"
    assert slurm.queue("alice") == []


def test_an_estimate_needs_the_token_of_the_form(alice: Visitor) -> None:
    assert alice.http.post(ESTIMATE, data=SMALL).status_code == 403
