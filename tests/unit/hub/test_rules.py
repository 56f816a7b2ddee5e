"""What can be had together: node shapes, limits of accounts, reservations; and what is chosen instead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from berth.hub.form import offer, options
from berth.hub.texts import text
from berth.slurm.answers.records import Association, Controller, Qos
from tests.unit.hub.factories import FORM, NOW, PARTITION, RELEASE, job, node, reservation, snapshot

if TYPE_CHECKING:
    from berth.hub.collector.snapshot import Snapshot

CONTROLLER = Controller(accounting=True, associations=True, private_jobs=False, limits=True)
MIXED = (
    node(name="n1", cpus=4, memory_mib=4000, gpus={"a100": 2}),
    node(name="n2", cpus=2, memory_mib=1000, gpus={"h100": 8}),
    node(name="n3", cpus=64, memory_mib=500, gpus={}),
)


def state(**changes: Any) -> Snapshot:
    return snapshot(**{"controller": CONTROLLER, "nodes": MIXED, **changes})


def offer_of(state: Snapshot, name: str = "alice", groups: tuple[str, ...] = ("users",)) -> options.Offer:
    return offer.compute(offer.Person(name, groups), state, FORM, (RELEASE,), NOW)


def problems(own: options.Offer, **raw: str) -> dict[str, str]:
    try:
        own.validate(raw)
    except options.OptionsError as error:
        return {name: str(sentence) for name, sentence in error.problems.items()}
    return {}


def limited(*qos: Qos, **changes: Any) -> Snapshot:
    return state(qos={item.name: item for item in qos}, **changes)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"gpus": "h100:8", "memory": "1000M"}, {}),
        ({"gpus": "h100:8", "cores": "4"}, {"cores": "at most 2; no node with 8 h100 GPUs has more"}),
        (
            {"gpus": "h100:1", "memory": "4000M"},
            {"memory": "at most 1000 MiB; no node with 1 h100 GPU has more"},
        ),
        ({"gpus": "0", "cores": "64", "memory": "500M"}, {}),
        ({"gpus": "0", "cores": "64"}, {"memory": "at most 500 MiB; no node with 64 cores has more"}),
        (
            {"gpus": "h100:8", "cores": "64", "memory": "4000M"},
            {"cores": "at most 2", "memory": "at most 1000 MiB; no node with 8 h100 GPUs"},
        ),
    ],
)
def test_cores_and_memory_follow_the_nodes_with_the_chosen_gpus(
    raw: dict[str, str], said: dict[str, str]
) -> None:
    found = problems(offer_of(state()), **raw)
    assert set(found) == set(said)
    assert all(sentence in found[name] for name, sentence in said.items())


def test_a_reservation_leaves_its_nodes_its_accounts_and_its_time() -> None:
    held = reservation(nodes=("n2",), accounts=("proj_b",), end=int(NOW) + 45 * 60)
    own = offer_of(state(reservations=(held,)))
    fine = {"reservation": "course", "account": "proj_b", "gpus": "h100:1", "time": "00:30:00"}
    assert problems(own, **fine) == {}
    found = problems(own, **{**fine, "account": "proj_a", "gpus": "a100:1", "time": "08:00:00"})
    assert found == {
        "account": "Slurm account: the reservation “course” is not for proj_a. "
        "Choose proj_b, or no reservation.",
        "gpus": "GPU configuration: no node of the reservation “course” has 1 a100 GPU. Choose others.",
        "time": "Time: at most 45 minutes; the reservation “course” lasts no longer. Ask for less.",
    }


def test_a_reservation_that_flexes_bounds_nothing() -> None:
    held = reservation(nodes=("n2",), accounts=(), end=int(NOW) + 60, flags=("FLEX",))
    own = offer_of(state(reservations=(held,)))
    assert problems(own, reservation="course", gpus="a100:1", time="08:00:00") == {}


def test_a_reservation_is_offered_only_with_an_account_that_it_is_for() -> None:
    denying = reservation(name="denying", accounts=("-proj_a", "-proj_b"))
    above = reservation(name="above", accounts=("root",), nodes=("n1",))
    tree = Association("alice", "proj_a", None, is_default=True, above=("root",))
    own = offer_of(state(reservations=(denying, above), associations=(tree,)))
    assert [choice.value for choice in own.choices["reservation"]] == ["", "above"]


def test_a_reservation_to_come_makes_its_sessions_wait() -> None:
    held = reservation(start=int(NOW) + 2 * 86400 + 3660, end=int(NOW) + 3 * 86400)
    rule = offer_of(state(reservations=(held,))).rules.reservations["course"]
    assert str(rule.note) == "The reservation starts in 2 days 1 hour: the session waits until then."


@pytest.mark.parametrize(
    ("limits", "raw", "said"),
    [
        ({("user", "gres/gpu"): 1}, {"gpus": "a100:2"}, {"gpus": "“a100:2” is not one of the choices"}),
        ({("job", "wall"): 60}, {"time": "08:00:00"}, {"time": "“08:00:00” is not one of the choices"}),
        ({("node", "cpu"): 2}, {"cores": "4"}, {"cores": "“4” is not one of the choices"}),
        ({("group", "mem"): 600}, {"memory": "1000M"}, {"memory": "“1000M” is not one of the choices"}),
        ({("least", "gres/gpu"): 1}, {"gpus": "0"}, {"gpus": "“0” is not one of the choices"}),
    ],
)
def test_what_no_account_may_have_is_no_choice(
    limits: dict[tuple[str, str], int], raw: dict[str, str], said: dict[str, str]
) -> None:
    found = problems(offer_of(limited(Qos("normal", limits=limits))), **raw)
    assert all(sentence in found[name] for name, sentence in said.items())


def test_what_one_account_may_not_have_is_refused_for_it_alone() -> None:
    small = {("job", "wall"): 30, ("job", "gres/gpu:a100"): 1, ("job", "cpu"): 1, ("least", "mem"): 1000}
    rows = (
        Association("alice", "proj_a", None, is_default=True, qos=("small",)),
        Association("alice", "proj_b", None, is_default=False, qos=("normal",)),
    )
    own = offer_of(limited(Qos("small", limits=small), associations=rows))
    asked = {"gpus": "a100:2", "cores": "2", "memory": "500M", "time": "01:00:00"}
    assert problems(own, account="proj_b", **asked) == {}
    assert {
        name: sentence.partition(";")[0]
        for name, sentence in problems(own, account="proj_a", **asked).items()
    } == {
        "gpus": "GPU configuration: at most 1",
        "cores": "Number of cores: at most 1",
        "memory": "Memory: at least 1000 MiB",
        "time": "Time: at most 30 minutes",
    }


def test_limits_that_make_a_session_wait_are_hints() -> None:
    limits = {("user", "gres/gpu"): 3, ("user", "cpu"): 8, ("user", "mem"): 4096, ("user", "jobs"): 1}
    running = job(state="RUNNING", nodes=("n1",), cpus=2, memory_mib=1024, gpus={"a100": 2})
    found = limited(
        Qos("normal", limits=limits), jobs={7: running, 8: job(job_id=8, user="bob", state="RUNNING")}
    )
    notes = {name: str(note) for name, note in offer_of(found).rules.accounts["proj_a"].notes.items()}
    assert set(notes) == {"", "cores", "memory", "gpus"}
    assert notes["gpus"] == (
        "What you have running uses 2 of the 3 GPUs that you may have at a time: more than 1 must wait."
    )
    assert "1 GiB of the 4 GiB" in notes["memory"]
    assert "1 session or job running" in notes[""]
    assert problems(offer_of(found), gpus="a100:2") == {}
    assert offer_of(found, "bob").rules.accounts["proj_b"].notes.keys() == {"", "cores", "memory", "gpus"}


def test_a_full_queue_is_found_before_slurm_refuses() -> None:
    full = limited(Qos("normal", limits={("user", "submit"): 1}), jobs={7: job()})
    assert "1 job in Slurm's queue" in problems(offer_of(full))["account"]
    assert problems(offer_of(replace(full, jobs={}))) == {}


def test_a_field_without_any_choice_is_said_and_there_is_no_form() -> None:
    shortest = limited(Qos("normal", limits={("job", "wall"): 10}))
    missing = str(offer_of(shortest).missing)
    assert missing.startswith("Time: nothing can be chosen at the moment")
    assert "smaller choices to “spawner_form_time”" in missing
    assert "nothing can be chosen" in problems(offer_of(shortest))["account"]


def test_limits_of_jobs_may_be_those_of_one_account() -> None:
    row = Association(
        "alice", "proj_a", None, is_default=True, qos=("normal",), limits={("user", "submit"): 1}
    )
    assert problems(offer_of(limited(associations=(row,), jobs={7: job(account="proj_b")}))) == {}
    assert set(problems(offer_of(limited(associations=(row,), jobs={7: job()})))) == {"account"}


@pytest.mark.parametrize(
    ("partition", "said"),
    [
        ({"deny_accounts": ("proj_a", "proj_b")}, "None of your Slurm accounts (proj_a, proj_b) may use"),
        ({"allow_groups": ("staff",)}, "open to the members of these groups only: staff"),
        ({"allow_qos": ("long",)}, "None of your Slurm accounts"),
    ],
)
def test_a_partition_that_refuses_somebody_is_said_before(partition: dict[str, Any], said: str) -> None:
    own = offer_of(state(partition=replace(PARTITION, **partition)))
    assert said in str(own.missing)
    assert said in problems(own)["account"]


@pytest.mark.parametrize(
    "partition", [{"allow_accounts": ("proj_b",)}, {"deny_accounts": ("proj_a",)}, {"deny_qos": ("short",)}]
)
def test_accounts_that_the_partition_refuses_are_not_offered(partition: dict[str, Any]) -> None:
    rows = (
        Association("alice", "proj_a", None, is_default=True, default_qos="short"),
        Association("alice", "proj_b", None, is_default=False, default_qos="normal"),
    )
    own = offer_of(state(associations=rows, partition=replace(PARTITION, **partition)))
    assert [choice.value for choice in own.choices["account"]] == ["proj_b"]


def test_accounts_below_one_that_is_listed_may_use_the_partition_since_slurm_knows_trees() -> None:
    row = Association("alice", "sub", None, is_default=True, above=("proj_b", "root"))
    listing = replace(PARTITION, allow_accounts=("proj_b",))
    assert offer_of(state(associations=(row,), partition=listing)).missing is None
    old = replace(CONTROLLER, version=(22, 5))
    assert offer_of(state(associations=(row,), partition=listing, controller=old)).missing is not None


def test_a_right_for_the_partition_goes_before_one_for_all() -> None:
    rows = (
        Association("alice", "proj_a", None, is_default=True, limits={("job", "wall"): 30}),
        Association("alice", "proj_a", "interactive", is_default=True, limits={("job", "wall"): 60}),
        Association("alice", "proj_a", "batch", is_default=True, limits={("job", "wall"): 10}),
    )
    own = offer_of(limited(associations=rows))
    assert [choice.value for choice in own.choices["time"]] == ["00:30:00", "01:00:00"]


def test_defaults_can_be_had_together() -> None:
    nodes = (node(name="n1", cpus=1, memory_mib=500, gpus={"a100": 2}), node(name="n2", gpus={}))
    own = offer_of(state(nodes=nodes))
    assert own.defaults["gpus"] == "a100:1"
    assert own.defaults["memory"] == "500M"
    assert problems(own) == {}


def test_what_cannot_be_had_falls_back_to_what_can_with_a_word_about_it() -> None:
    own = offer_of(state())
    values, _ = own.clean({"gpus": "h100:8", "cores": "64", "memory": "4000M"})
    settled, changed = own.settled(values)
    assert (settled["gpus"], settled["cores"], settled["memory"]) == ("h100:8", "1", "1000M")
    assert set(changed) == {"cores", "memory"}
    assert own.rules.problems(settled) == {}


def test_partitions_bound_what_one_job_gets_of_a_node() -> None:
    own = offer_of(state(partition=replace(PARTITION, max_cores_per_node=1, max_memory_per_node=600)))
    assert [choice.value for choice in own.choices["cores"]] == ["1"]
    assert [choice.value for choice in own.choices["memory"]] == ["500M"]


def test_sentences_are_in_the_language_of_the_reader() -> None:
    own = offer_of(state())
    token = text.language.set("it")
    try:
        assert problems(own, gpus="h100:8", cores="4")["cores"] == (
            "Numero di core: al massimo 2; nessun nodo con 8 GPU h100 ne ha di più. Chiedere di meno."
        )
    finally:
        text.language.reset(token)
    with pytest.raises(options.OptionsError) as caught:
        own.validate({"gpus": "h100:8", "cores": "4"})
    token = text.language.set("it")
    try:
        assert "no node with 8 h100 GPUs" in str(caught.value)
        assert "nessun nodo" in caught.value.jupyterhub_message
    finally:
        text.language.reset(token)
