"""What groups let their members ask for: one set of rules for menus, limits, REST and links."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from berth.hub.form import offer, options, policy
from berth.hub.form.formspawner import fitting
from berth.hub.form.policy import GroupLimits
from berth.hub.service import NotKnown
from berth.slurm.answers.records import Controller, Qos
from tests.unit.hub.factories import FORM, NOW, PARTITION, RELEASE, snapshot

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage

STUDENTS = {"group": "students", "cores": 1, "memory": "1000M", "gpus": 0, "time": "00:30:00"}
OLDER = replace(RELEASE, name="2026.05")


def rules(*described: dict[str, Any]) -> tuple[GroupLimits, ...]:
    return tuple(GroupLimits.model_validate(item) for item in described)


def offered(*groups: str, limits: tuple[GroupLimits, ...], **changes: Any) -> options.Offer:
    form = FORM.model_copy(update={"group_limits": limits})
    person = offer.Person("alice", groups)
    return offer.compute(person, snapshot(**changes), form, (RELEASE, OLDER), NOW)


def values(own: options.Offer, name: str) -> list[str]:
    return [choice.value for choice in own.choices[name]]


def problems(own: options.Offer, **raw: str) -> dict[str, str]:
    try:
        own.validate(raw)
    except options.OptionsError as error:
        return {name: str(sentence) for name, sentence in error.problems.items()}
    return {}


def test_whoever_is_in_no_group_with_a_rule_is_not_limited() -> None:
    own, free = offered("users", limits=rules(STUDENTS)), offered("users", limits=())
    assert own.choices == free.choices
    assert own.rules.to_dict() == free.rules.to_dict()
    assert own.hints == free.hints


def test_menus_hold_what_the_group_may_have() -> None:
    own = offered("users", "students", limits=rules(STUDENTS))
    assert values(own, "cores") == ["1"]
    assert values(own, "memory") == ["500M", "1000M"]
    assert values(own, "gpus") == ["0"]
    assert values(own, "time") == ["00:30:00"]
    assert own.missing is None
    assert own.validate({}).gpus == 0, "the default of the form is one GPU"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cores", "2", "Number of cores: at most 1 for members of students."),
        ("memory", "4000M", "Memory: at most 1000 MiB for members of students."),
        ("gpus", "a100:1", "GPU configuration: at most 0 for members of students."),
        ("time", "08:00:00", "Time: at most 30 minutes for members of students."),
    ],
)
def test_what_is_above_is_refused_with_a_sentence_for_the_field(field: str, value: str, said: str) -> None:
    own = offered("students", limits=rules(STUDENTS))
    assert list(problems(own, **{field: value})) == [field]
    assert problems(own, **{field: value})[field].startswith(said)


def test_a_link_or_a_last_choice_above_is_filled_in_with_what_can_be_had() -> None:
    own = offered("students", limits=rules(STUDENTS))
    settled, notes = fitting(own, {"time": "08:00:00"}, {"gpus": "a100:2"})
    assert (settled["gpus"], settled["time"]) == ("0", "00:30:00")
    assert "at most 0 for members of students" in str(notes["gpus"])


def test_the_most_generous_of_a_user_s_groups_counts_field_by_field() -> None:
    limits = rules(STUDENTS, {"group": "course", "cores": 2, "memory": "500M", "time": "01:00:00"})
    own = offered("students", "course", limits=limits)
    assert values(own, "cores") == ["1", "2"]
    assert values(own, "memory") == ["500M", "1000M"]
    assert values(own, "time") == ["00:30:00", "01:00:00"]
    assert "a100:2" in values(own, "gpus"), "the course says nothing of GPUs: no limit"
    assert "members of students, course" in problems(own, cores="4")["cores"]


def test_releases_are_those_of_all_groups_together() -> None:
    limits = rules(
        {"group": "students", "releases": ["2026.05"]}, {"group": "course", "releases": ["2026.11"]}
    )
    assert values(offered("students", limits=limits), "release") == ["2026.05"]
    assert values(offered("students", "course", limits=limits), "release") == ["2026.11", "2026.05"]
    refused = problems(offered("students", limits=limits), release="2026.11")
    assert refused["release"].startswith(
        "Backend environment: 2026.11 is not offered to members of students."
    )


def test_a_group_without_any_release_gets_a_sentence_and_no_form() -> None:
    own = offered("students", limits=rules({"group": "students", "releases": ["2019.04"]}))
    assert own.missing is not None


def test_what_slurm_allows_less_of_stays_slurm_s() -> None:
    own = offered(
        "students",
        limits=rules({**STUDENTS, "cores": 64}),
        controller=Controller(accounting=True, associations=True, private_jobs=False, limits=True),
        partition=replace(PARTITION, qos="interactive"),
        qos={"interactive": Qos("interactive", frozenset(), {("job", "cpu"): 2})},
    )
    account = own.defaults["account"]
    assert own.rules.to_dict()["accounts"][account]["cores"] == 2


def test_the_page_gets_the_same_limits_for_its_script_and_says_them() -> None:
    own = offered("students", limits=rules(STUDENTS))
    data = own.rules.to_dict()["accounts"]["proj_a"]
    assert (data["cores"], data["memory"], data["gpus"][""], data["time"]["most"]) == (1, 1000, 0, 30)
    assert str(own.hints["cores"]).endswith("Members of students may have at most 1.")
    assert own.rules.most("cores", own.defaults) == 1


@pytest.mark.parametrize(
    "described",
    [
        {"cores": 1},
        {"group": ""},
        {"group": "a", "cores": 0},
        {"group": "a", "gpus": -1},
        {"group": "a", "memory": "much"},
        {"group": "a", "time": "UNLIMITED"},
        {"group": "a", "colour": 1},
    ],
    ids=str,
)
def test_rules_that_cannot_be_meant_are_refused(described: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rules(described)


async def test_while_nobody_says_who_is_in_which_group_nobody_gets_everything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_user: str) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(stage.service.groups, "ask", silent)
    assert (await stage.service.offer("alice")).missing is None
    stage.service.form = FORM.model_copy(update={"group_limits": rules(STUDENTS)})
    with pytest.raises(NotKnown) as caught:
        await stage.service.offer("alice")
    assert caught.value.status_code == 503


def test_an_empty_policy_allows_everything() -> None:
    none = policy.of(("users",), rules(STUDENTS))
    assert none.allows("cores", 10**6)
    assert none.shows("2026.11")
