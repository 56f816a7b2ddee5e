"""What is said beside Start is what the snapshot proves, and what is suggested would start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.hub import settings
from berth.hub.collector.snapshot import Part, Snapshot
from berth.hub.form import advice, offer, smaller
from berth.hub.form.advice import Advice
from berth.hub.form.options import Offer, OptionsError
from berth.hub.texts import text
from berth.slurm.answers import qos
from berth.slurm.answers.records import Controller, Qos
from berth.slurm.free import openings
from tests.unit.hub.factories import FORM, NOW, PARTITION, RELEASE, job, node, reservation, snapshot

if TYPE_CHECKING:
    from berth.slurm.answers.records import Job, Node, Reservation

MENUS = FORM.model_copy(
    update={
        "cores": settings.IntegerField(default=1, choices=(1, 2, 4)),
        "memory": settings.SizeField(default="1000M", choices=("500M", "1000M", "2000M", "4000M")),
        "gpus": settings.IntegerField(default=1, choices=(0, 1, 2)),
        "time": settings.TimeField(default="01:00:00", choices=("00:30:00", "01:00:00", "08:00:00")),
    }
)


def cluster(nodes: tuple[Node, ...], *jobs: Job, held: tuple[Reservation, ...] = (), **more: Any) -> Snapshot:
    base = snapshot(nodes=nodes, jobs={item.job_id: item for item in jobs}, reservations=held, **more)
    free = openings.count(nodes, jobs, held, shared_by=base.shared_by, now=NOW)
    return replace(base, openings=free)


def offered(seen: Snapshot, user: str = "alice") -> Offer:
    return offer.compute(offer.Person(user, ("users",)), seen, MENUS, (RELEASE,), NOW)


def advised(seen: Snapshot, now: float = NOW, **asked: Any) -> Advice:
    return advice.advise("alice", offered(seen), asked, seen, now)


def suggested(found: Advice) -> list[dict[str, str]]:
    return [dict(item.values) for item in found.suggestions]


def running(number: int, name: str, **more: Any) -> Job:
    return job(**({"job_id": number, "state": "RUNNING", "nodes": (name,), "gpus": {}} | more))


BOTH = (node(), node(name="gpu2"))


def test_what_fits_on_a_node_can_start_now() -> None:
    found = advised(cluster(BOTH), gpus="a100:2", cores="4")
    assert found.now is True
    assert not found.probably
    assert found.to_dict() == {
        "now": True,
        "probably": False,
        "sentence": "Can start now.",
        "suggestions": [],
    }


def test_with_others_in_the_queue_it_can_probably_start() -> None:
    found = advised(
        cluster(BOTH, job(job_id=1), job(job_id=2, reason="Priority"), job(job_id=3, reason="Dependency"))
    )
    assert (found.now, found.probably) == (True, True)
    assert "2 requests are waiting" in str(found.sentence)


def test_jobs_that_wait_for_a_reservation_are_not_ahead_of_others() -> None:
    assert not advised(cluster(BOTH, job(reservation="course"))).probably


@pytest.mark.parametrize("part", ["jobs_part", "nodes_part"])
def test_while_slurm_does_not_answer_nothing_is_known(part: str) -> None:
    silent: dict[str, Any] = {part: Part(NOW, "Unable to contact slurm controller")}
    found = advised(cluster(BOTH, **silent))
    assert found.now is None
    assert found.suggestions == ()


def test_old_figures_say_nothing_about_now() -> None:
    assert advised(cluster(BOTH), now=NOW + advice.STALE_SECONDS).now is True
    assert advised(cluster(BOTH), now=NOW + advice.STALE_SECONDS + 1).now is None


@pytest.mark.parametrize("state", ["DOWN", "DRAIN", "INACTIVE"])
def test_a_partition_that_takes_no_jobs_starts_none(state: str) -> None:
    found = advised(cluster(BOTH, partition=replace(PARTITION, state=state)))
    assert found.now is False
    assert state in str(found.sentence)


def test_the_smallest_step_down_is_suggested_first_and_names_both_choices() -> None:
    taken = running(1, "gpu1", gpus={"a100": 1}, memory_mib=2000)
    found = advised(cluster((node(),), taken), gpus="a100:2", memory="2000M")
    assert found.now is False
    assert suggested(found) == [{"gpus": "a100:1"}]
    (said,) = found.to_dict()["suggestions"]
    assert said["text"] == "GPU configuration: 1 a100 GPU instead of 2 a100 GPUs"


def test_another_type_of_gpu_is_suggested_beside_fewer_of_the_same() -> None:
    nodes = (node(gpus_used={"a100": 1}), node(name="gpu2", gpus={"h100": 2}))
    found = advised(cluster(nodes), gpus="a100:2")
    assert suggested(found) == [{"gpus": "h100:2"}, {"gpus": "a100:1"}]


def test_less_memory_fewer_cores_or_fewer_gpus_each_where_that_is_enough() -> None:
    nodes = (
        node(name="gpu1", alloc_memory_mib=3000),
        node(name="gpu2", gpus_used={"a100": 1}),
        node(name="gpu3"),
    )
    busy = [running(n, "gpu3", cpus=3, memory_mib=0) for n in range(1, 6)]
    found = advised(cluster(nodes, *busy), gpus="a100:2", memory="2000M", cores="2")
    assert suggested(found) == [{"gpus": "a100:1"}, {"memory": "1000M"}, {"cores": "1"}]


def test_several_fields_change_where_one_is_not_enough() -> None:
    small = node(gpus={"a100": 1}, memory_mib=1500)
    large = node(name="gpu2", states=frozenset({"DOWN"}))
    assert suggested(advised(cluster((small, large)), gpus="a100:2", memory="4000M")) == [
        {"gpus": "a100:1", "memory": "1000M"}
    ]


def test_a_shorter_time_is_suggested_when_the_nodes_are_reserved_soon() -> None:
    soon = reservation(name="repair", nodes=("gpu1", "gpu2"), start=int(NOW) + 4000, accounts=("none",))
    found = advised(cluster(BOTH, held=(soon,)), time="08:00:00")
    assert found.now is False
    assert "reserved for something else" in str(found.sentence)
    assert suggested(found) == [{"time": "01:00:00"}]


def test_a_reserved_node_is_free_for_those_who_choose_the_reservation() -> None:
    seen = cluster((node(name="gpu2"),), held=(reservation(),))
    assert advised(seen).now is False
    assert advised(seen, reservation="course", account="proj_b", time="00:30:00").now is True


def test_a_reservation_that_has_not_begun_is_waited_for() -> None:
    later = reservation(start=int(NOW) + 600, end=int(NOW) + 9000)
    found = advised(cluster(BOTH, held=(later,)), reservation="course", account="proj_b")
    assert found.now is False
    assert "“course” has not begun" in str(found.sentence)
    assert found.suggestions == ()


def limited(what: str, most: int) -> dict[str, Any]:
    """Limits on all that a user runs at a time."""
    controller = Controller(accounting=True, associations=True, private_jobs=False, limits=True)
    return {"controller": controller, "qos": {"normal": Qos("normal", limits={(qos.USER, what): most})}}


@pytest.mark.parametrize(
    ("what", "most", "asked", "instead"),
    [
        (qos.GPU, 3, {"gpus": "a100:2"}, [{"gpus": "a100:1"}]),
        (qos.CPU, 5, {"cores": "4"}, [{"cores": "2"}]),
        (qos.MEMORY, 1600, {"memory": "1000M"}, [{"memory": "500M"}]),
        (qos.GPU, 4, {"gpus": "a100:2"}, None),
        (qos.JOBS, 1, {}, []),
        (qos.JOBS, 2, {}, None),
    ],
)
def test_limits_on_what_one_runs_already_are_told_and_kept_to(
    what: str, most: int, asked: dict[str, Any], instead: list[dict[str, str]] | None
) -> None:
    mine = running(1, "far", gpus={"a100": 2}, cpus=2, memory_mib=1000)
    others = running(2, "far", gpus={"a100": 2}, user="bob")
    found = advised(cluster(BOTH, mine, others, **limited(what, most)), **asked)
    assert found.now is (instead is None)
    assert suggested(found) == (instead or [])
    assert instead is None or "may" in str(found.sentence)


def test_where_nothing_is_free_nothing_is_suggested() -> None:
    full = node(alloc_memory_mib=4000)
    assert advised(cluster((full,))) == Advice(now=False, sentence=text.say("availability.full"))


def test_what_is_not_on_offer_is_refused_by_the_same_offer() -> None:
    with pytest.raises(OptionsError) as caught:
        advised(cluster(BOTH), cores="3", nodes="2")
    assert set(caught.value.problems) == {"cores", "nodes"}


def test_advice_is_given_in_the_language_of_the_request() -> None:
    token = text.language.set("it")
    try:
        assert advised(cluster(BOTH)).to_dict()["sentence"] == "Può iniziare subito."
    finally:
        text.language.reset(token)


NODES = st.builds(
    lambda cpus, memory, kinds, used: node(
        name="n",
        cpus=4,
        alloc_cpus=cpus,
        memory_mib=4000,
        alloc_memory_mib=memory,
        gpus=kinds,
        gpus_used=used,
    ),
    st.integers(0, 4),
    st.integers(0, 4000),
    st.sampled_from([{}, {"a100": 2}, {"h100": 1}, {"a100": 1, "h100": 2}]),
    st.sampled_from([{}, {"a100": 1}, {"h100": 1}]),
)


@given(st.lists(NODES, min_size=1, max_size=6), st.data())
def test_every_suggestion_is_on_offer_asks_for_less_and_would_start(
    nodes: list[Node], data: st.DataObject
) -> None:
    named = tuple(replace(item, name=f"n{number}") for number, item in enumerate(nodes))
    seen = cluster(
        (*named, node(name="away", states=frozenset({"DOWN"}))), partition=replace(PARTITION, oversubscribe=1)
    )
    own = offered(seen)
    fields = ("cores", "memory", "gpus", "time")
    asked = {name: data.draw(st.sampled_from([c.value for c in own.choices[name]])) for name in fields}
    found = advice.advise("alice", own, asked, seen, NOW)
    assert found.now is not None
    assert len(found.suggestions) <= smaller.MOST
    assert not (found.now and found.suggestions)
    for item in found.suggestions:
        assert item.values
        assert advice.advise("alice", own, asked | dict(item.values), seen, NOW).now is True
    nothing_less = {"cores": "1", "memory": "500M", "gpus": "0", "time": "00:30:00"}
    if not found.now and advice.advise("alice", own, nothing_less, seen, NOW).now:
        assert found.suggestions
