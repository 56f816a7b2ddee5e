"""What reaches sbatch is one of the choices, whatever was sent."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.helper.client import Resources
from berth.hub.collector.snapshot import Part
from berth.hub.form import offer, options
from berth.hub.texts import words
from berth.slurm.answers.records import Controller
from berth.slurm.free.capacity import Room
from tests.unit.hub.factories import FORM, NOW, PARTITION, RELEASE, node, reservation, snapshot

if TYPE_CHECKING:
    from berth.releases.catalogue import Release


def offer_for(name: str, **changes: Any) -> options.Offer:
    person = offer.Person(name, ("users",))
    return offer.compute(person, snapshot(**changes), FORM, (RELEASE,), NOW)


def values(own: options.Offer, field: str) -> list[str]:
    return [choice.value for choice in own.choices[field]]


def test_defaults_alone_are_a_valid_choice() -> None:
    chosen = offer_for("alice").validate({})
    assert chosen.account == "proj_a"
    assert (chosen.cores, chosen.memory_mib, chosen.minutes) == (1, 1000, 60)
    assert (chosen.gpus, chosen.gpu_type) == (1, "a100")
    assert chosen.reservation is None
    assert chosen.release is RELEASE


def test_slurm_is_asked_for_exactly_what_was_chosen() -> None:
    chosen = offer_for("alice").validate({"cores": "2", "memory": "4000M", "time": "00:30:00"})
    assert chosen.resources == Resources("proj_a", None, 2, 4000, 1, "a100", 30)
    # What sbatch gets and what the page looks for room for are the same.
    assert Room(node(), 4, 2, 4000, {"a100": 1}).fits(chosen)
    assert not Room(node(), 4, 1, 4000, {"a100": 1}).fits(chosen)


def test_the_rule_on_the_form_is_the_partitions_own() -> None:
    for shared_by, said in ((5, "Up to 5 users may share a core"), (3, "Up to 3 users"), (1, "yours alone")):
        own = offer_for("alice", partition=replace(PARTITION, oversubscribe=shared_by))
        assert said in str(own.hints["cores"])


def test_without_accounting_everybody_may_start_and_no_account_is_charged() -> None:
    controller = Controller(accounting=False, associations=False, private_jobs=False)
    for name in ("alice", "carol"):
        own = offer_for(name, controller=controller, associations=())
        assert own.missing is None
        assert list(own.choices) == list(options.LABELS)
        assert [str(choice.text) for choice in own.choices["account"]] == ["None: accounting is inactive"]
        assert "Accounting is inactive" in str(own.hints["account"])
        assert own.validate({}).account is None
    with pytest.raises(options.OptionsError) as caught:
        own.validate({"account": "proj_a"})
    assert set(caught.value.problems) == {"account"}


def test_without_accounting_reservations_for_users_and_groups_can_be_used() -> None:
    controller = Controller(accounting=False, associations=False, private_jobs=False)
    given = (
        reservation(name="users", users=("alice",), accounts=()),
        reservation(name="groups", groups=("users",), accounts=()),
        reservation(name="others", users=("bob",), accounts=()),
        reservation(name="accounts", accounts=("proj_a",)),
    )
    own = offer_for("alice", controller=controller, associations=(), reservations=given)
    assert values(own, "reservation") == ["", "groups", "users"]


def test_an_account_is_needed_only_where_slurm_enforces_it() -> None:
    enforced = Controller(accounting=True, associations=True, private_jobs=False)
    assert "no Slurm account" in str(offer_for("carol", controller=enforced).missing)
    free = replace(enforced, associations=False)
    own = offer_for("carol", controller=free)
    assert own.validate({}).account is None
    assert "recorded without one" in str(own.hints["account"])
    assert offer_for("alice", controller=free).validate({}).account == "proj_a"


def test_the_default_account_comes_first() -> None:
    assert values(offer_for("alice"), "account") == ["proj_a", "proj_b"]


def test_choices_end_where_the_nodes_and_the_partition_end() -> None:
    own = offer_for("alice")
    assert values(own, "cores") == ["1", "2", "4"]
    assert values(own, "memory") == ["500M", "1000M", "4000M"]
    assert values(own, "gpus") == ["0", "a100:1", "a100:2"]
    assert values(own, "time") == ["00:30:00", "01:00:00", "08:00:00"]


def test_untyped_gpus_are_offered_without_a_type() -> None:
    untyped = [("0", "No GPU"), (":1", "1 GPU"), (":2", "2 GPUs")]
    own = offer_for("alice", nodes=(node(gpus={"": 2}),))
    assert [(choice.value, str(choice.text)) for choice in own.choices["gpus"]] == untyped
    chosen = own.validate({"gpus": ":2"})
    assert (chosen.gpus, chosen.gpu_type) == (2, None)


def test_every_type_on_a_node_is_offered_up_to_the_most_that_one_node_has() -> None:
    """Counts are compared as numbers, and types in several nodes are offered once."""
    nodes = (
        node(name="n1", gpus={"h200": 8, "1g.5gb": 2}),
        node(name="n2", gpus={"h200": 16}),
        node(name="n3", gpus={"": 1}),
        node(name="n4", gpus={}),
    )
    own = offer_for("alice", nodes=nodes)
    wanted = [n for n in FORM.gpus.choices if n > 0]
    expected = ["0", *(f":{n}" for n in wanted if n <= 1)]
    expected += [f"1g.5gb:{n}" for n in wanted if n <= 2] + [f"h200:{n}" for n in wanted]
    assert values(own, "gpus") == expected
    chosen = own.validate({"gpus": "1g.5gb:2"})
    assert (chosen.gpus, chosen.gpu_type) == (2, "1g.5gb")


def test_a_reservation_is_offered_only_to_who_may_use_it() -> None:
    assert values(offer_for("bob"), "reservation") == ["", "course"]
    assert values(offer_for("bob", reservations=(reservation(accounts=("other",)),)), "reservation") == [""]
    with pytest.raises(options.OptionsError, match="Slurm reservation"):
        offer_for("carol").validate({"reservation": "course"})


def test_a_future_reservation_shows_its_start() -> None:
    own = offer_for("bob", reservations=(reservation(start=int(NOW) + 7200, end=int(NOW) + 9000),))
    moment = words.moment(NOW + 7200, NOW)
    assert str(own.choices["reservation"][1].text) == f"course (starts at {moment}, in 2 hours)"


def test_a_past_reservation_is_not_offered() -> None:
    own = offer_for("bob", reservations=(reservation(start=1, end=int(NOW) - 1),))
    assert values(own, "reservation") == [""]


def test_a_user_without_account_gets_a_sentence_and_no_session() -> None:
    own = offer_for("carol")
    assert "no Slurm account" in str(own.missing)
    with pytest.raises(options.OptionsError, match="no Slurm account"):
        own.validate({})


def test_before_slurm_has_answered_nobody_is_told_to_have_no_account() -> None:
    own = offer_for("alice", accounts_part=Part(), associations=())
    assert "Slurm has not answered yet" in str(own.missing)
    with pytest.raises(options.OptionsError, match="not answered yet"):
        own.validate({})


def test_every_wrong_field_has_its_own_sentence() -> None:
    with pytest.raises(options.OptionsError) as caught:
        offer_for("alice").validate({"cores": "3", "memory": "9T", "surprise": "x"})
    assert set(caught.value.problems) == {"cores", "memory", "surprise"}
    assert (
        str(caught.value.problems["cores"])
        == "Number of cores: “3” is not one of the choices. The highest is 4."
    )


@pytest.mark.parametrize(
    "hostile", ["1\n", "1\u2028", " 1", "--wrap=id", "\uff11", "1;id", "$(id)", "+1", "1_0"]
)
def test_lookalikes_of_a_choice_are_refused(hostile: str) -> None:
    with pytest.raises(options.OptionsError):
        offer_for("alice").validate({"cores": hostile})


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1", "a100:1"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(options.LABELS)) | st.text(), _ANYTHING, max_size=9))
def test_no_value_but_an_offered_one_passes(raw: dict[str, Any]) -> None:
    own = offer_for("alice")
    allowed = set(raw) <= set(options.LABELS) and all(raw[name] in values(own, name) for name in raw)
    if allowed:
        assert str(own.validate(raw).cores) in values(own, "cores")
        return
    with pytest.raises(options.OptionsError) as caught:
        own.validate(raw)
    assert caught.value.problems
    assert all(str(sentence).isprintable() for sentence in caught.value.problems.values())


def test_a_repeated_field_is_refused() -> None:
    raw = options.single_values({"cores": ["1", "2"], "account": ["proj_a"]})
    with pytest.raises(options.OptionsError) as caught:
        offer_for("alice").validate(raw)
    assert set(caught.value.problems) == {"cores"}


# --- releases ---------------------------------------------------------------------------------------------


def with_releases(*releases: Release, now: float = NOW) -> options.Offer:
    person = offer.Person("alice", ("users",))
    return offer.compute(person, snapshot(), FORM, releases, now)


HIDDEN = replace(RELEASE, name="2026.12rc1", hidden=True)
TODAY = words.day(NOW)
YESTERDAY = TODAY - dt.timedelta(days=1)
ENDED = replace(RELEASE, name="2024.04", ends=YESTERDAY)
ENDING = replace(RELEASE, name="2026.05", ends=TODAY)


def test_releases_that_are_hidden_or_have_ended_are_not_offered() -> None:
    own = with_releases(HIDDEN, RELEASE, ENDING, ENDED)
    assert values(own, "release") == ["2026.11", "2026.05"]
    assert own.defaults["release"] == "2026.11"
    assert own.validate({"release": "2026.05"}).release is ENDING, "its last day counts"


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (HIDDEN, "Backend environment: 2026.12rc1 is not offered at the moment. Choose another."),
        (
            ENDED,
            f"Backend environment: sessions could start with 2024.04 until {YESTERDAY}. Choose another.",
        ),
        (replace(RELEASE, name="2020.01"), "Backend environment: “2020.01” is not one of the choices."),
    ],
)
def test_releases_that_are_not_offered_are_refused_with_a_reason(release: Release, said: str) -> None:
    with pytest.raises(options.OptionsError) as refused:
        with_releases(HIDDEN, RELEASE, ENDED).validate({"release": release.name})
    assert {name: str(sentence) for name, sentence in refused.value.problems.items()} == {"release": said}


def test_a_release_ends_with_its_last_day() -> None:
    last = time.mktime((*TODAY.timetuple()[:3], 23, 59, 59, 0, 0, -1))
    assert values(with_releases(ENDING, now=last), "release") == ["2026.05"]
    over = with_releases(ENDING, now=last + 1)
    assert values(over, "release") == []
    assert str(over.missing).startswith("No release is offered at the moment")
    assert str(with_releases().missing).startswith("No release is installed yet")


def test_the_end_of_a_release_stands_beside_its_name() -> None:
    own = with_releases(ENDING)
    assert str(own.text("release", "2026.05")) == f"2026.05, until {TODAY} (Python 3.13)"


def test_the_menu_names_some_environments_and_counts_the_others() -> None:
    (first,) = RELEASE.environments
    many = tuple(replace(first, name=f"e{n}", display_name=f"Kernel {n}") for n in range(5))
    own = with_releases(replace(RELEASE, environments=many))
    assert str(own.text("release", "2026.11")) == "2026.11 (Kernel 0, Kernel 1, Kernel 2 and 2 more)"
