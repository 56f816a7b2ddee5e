"""What a group lets its members ask for: in the form, by REST and by link, with a sentence for each field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab import pages
from tests.lab.visitor import Visitor
from tests.lab_signin.signin import configure, restart_hub

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm

LIMITS = [
    {
        "group": "students",
        "cores": 1,
        "memory": "500M",
        "gpus": 0,
        "time": "00:30:00",
        "releases": ["2026.11"],
    },
    {"group": "tutors", "cores": 2, "memory": "500M", "gpus": 0, "time": "01:00:00", "releases": ["2026.05"]},
]


@pytest.fixture(autouse=True, scope="module")
def _groups(login: Machine) -> Iterator[None]:
    """Alice is a student, bob a tutor and a student."""
    for name, members in (("students", "alice,bob"), ("tutors", "bob")):
        login.run("groupadd", "--force", name)
        login.run("gpasswd", "--members", members, name)
    try:
        configure(spawner_form_group_limits=LIMITS)
        yield
    finally:
        login.shell("groupdel students; groupdel tutors")


@pytest.fixture
def student(context: ssl.SSLContext) -> Iterator[Visitor]:
    with Visitor("alice", context) as visitor:
        visitor.log_in()
        yield visitor


def test_the_form_offers_what_the_group_may_have_and_says_so(student: Visitor) -> None:
    form = pages.form(student.form_page(), "spawn_form")
    assert form.label("Number of cores").choices == ("1",)
    assert form.label("Memory").choices == ("500M",)
    assert form.label("GPU configuration").choices == ("0",)
    assert form.label("Time").choices == ("00:30:00",)
    assert form.label("Backend environment").choices == ("2026.11",)
    assert "Members of students may have at most 1." in form.label("Number of cores").hint
    assert "At most 1 with these choices." in form.label("Number of cores").hint


def test_of_two_groups_the_more_generous_counts_field_by_field(context: ssl.SSLContext) -> None:
    with Visitor("bob", context) as visitor:
        visitor.log_in()
        form = pages.form(visitor.form_page(), "spawn_form")
        assert form.label("Number of cores").choices == ("1", "2")
        assert form.label("Memory").choices == ("500M",)
        assert form.label("Time").choices == ("00:30:00", "01:00:00")
        assert form.label("Backend environment").choices == ("2026.11", "2026.05")


def test_rest_refuses_what_is_above_with_a_sentence_for_each_field(student: Visitor, slurm: Slurm) -> None:
    wanted = {"cores": "4", "memory": "3G", "gpus": "a100:1", "time": "08:00:00", "release": "2026.05"}
    answer = student.hub("POST", "users/alice/server", json={"user_options": wanted})
    assert answer.status_code == 400
    problems = answer.json()["problems"]
    assert set(problems) == set(wanted)
    assert problems["cores"].startswith("Number of cores: at most 1 for members of students.")
    assert problems["memory"].startswith("Memory: at most 500 MiB for members of students.")
    assert problems["gpus"].startswith("GPU configuration: at most 0 for members of students.")
    assert problems["time"].startswith("Time: at most 30 minutes for members of students.")
    assert problems["release"].startswith(
        "Backend environment: 2026.05 is not offered to members of students."
    )
    assert slurm.queue("alice") == []


def test_a_link_fills_in_what_can_be_had_and_says_why(student: Visitor) -> None:
    page = student.form_page("?cores=4&gpus=a100:1")
    form = pages.form(page, "spawn_form")
    assert form.label("Number of cores").chosen == "1"
    assert "Number of cores: at most 1 for members of students." in pages.text(page)


def test_whoever_is_in_no_such_group_is_not_limited(context: ssl.SSLContext, login: Machine) -> None:
    login.run("gpasswd", "--members", "bob", "students")
    restart_hub(login)  # groups count for a minute
    with Visitor("alice", context) as visitor:
        assert visitor.log_in().status_code == 200
        form = pages.form(visitor.form_page(), "spawn_form")
        assert form.label("Number of cores").choices == ("1", "2", "4")
        assert form.label("Backend environment").choices == ("2026.11", "2026.05")
