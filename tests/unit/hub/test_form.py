"""The form as its user sees it: limits, defaults, what was refused or changed, where to get help."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup, Tag
from jupyterhub.handlers.pages import SpawnHandler

from berth.hub import footer
from berth.hub.form.formspawner import BadOptions, LinkOnlyFillsError
from berth.hub.form.options import LABELS
from berth.hub.handlers.spawn import SpawnPage
from berth.hub.session.history import PastSession
from berth.hub.session.state import SessionRecord
from berth.hub.settings import FormSettings, Links
from berth.hub.texts import text, words
from berth.slurm.answers import qos
from berth.slurm.answers.records import Association, Qos
from tests.unit.hub import shelves
from tests.unit.hub.factories import FORM, NOW, PARTITION, RELEASE, job, node, reservation
from tests.unit.hub.test_rules import CONTROLLER

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage


async def shown(stage: Stage) -> BeautifulSoup:
    return BeautifulSoup(await stage.spawner.get_options_form(), "html.parser")


def tell(stage: Stage, **changes: Any) -> None:
    stage.collector.snapshot = replace(stage.collector.snapshot, controller=CONTROLLER, **changes)


def at(page: BeautifulSoup, identity: str) -> str:
    found = page.find(id=identity)
    assert isinstance(found, Tag), identity
    return found.get_text(" ", strip=True)


def chosen(page: BeautifulSoup, name: str) -> str:
    (found,) = page.select(f"#berth-{name} option[selected]")
    return str(found["value"])


async def test_every_field_shows_its_rule_its_limit_and_its_default(stage: Stage) -> None:
    page = await shown(stage)
    assert [menu["name"] for menu in page.find_all("select")] == list(LABELS)
    hints = {name: at(page, f"berth-{name}-hint") for name in LABELS}
    assert hints["cores"] == (
        "Up to 5 users may share a core when the system is full. At most 4 with these choices. Default: 1."
    )
    assert "At most 4000 MiB with these choices. Default: 1000 MiB." in hints["memory"]
    assert "At most 2 with these choices. Default: 1 a100 GPU." in hints["gpus"]
    assert "GPUs are yours alone" in hints["gpus"]
    assert "At most 8 hours with these choices. Default: 1 hour." in hints["time"]
    assert "Default: proj_a." in hints["account"]
    assert "Default: None." in hints["reservation"]
    assert "Default: 2026.11 (Python 3.13)." in hints["release"]


async def test_limits_are_those_beside_the_other_choices(stage: Stage) -> None:
    small = node(name="gpu2", cpus=2, memory_mib=1000, gpus={"h100": 1})
    tell(stage, nodes=(stage.collector.snapshot.nodes[0], small))
    with pytest.raises(BadOptions):
        await stage.spawner.run_options_from_form({"gpus": ["h100:1"], "cores": ["4"], "memory": ["1000M"]})
    page = await shown(stage)
    assert "At most 2 with these choices." in at(page, "berth-cores-hint")
    assert "At most 2 with these choices." in at(page, "berth-gpus-hint")


async def test_what_was_refused_is_said_at_its_field_and_stays_as_it_was_sent(stage: Stage) -> None:
    tell(stage, reservations=(reservation(nodes=("gpu2",)),))
    sent = {"reservation": ["course"], "account": ["proj_a"], "time": ["08:00:00"], "cores": ["2"]}
    with pytest.raises(BadOptions):
        await stage.spawner.run_options_from_form(sent)
    page = await shown(stage)
    assert {name: chosen(page, name) for name in sent} == {name: values[0] for name, values in sent.items()}
    wrong = page.select("select[aria-invalid=true]")
    assert [menu["name"] for menu in wrong] == ["account", "time"]
    for menu in wrong:
        described = str(menu["aria-describedby"]).split()
        assert described[0] == f"berth-{menu['name']}-problem"
        assert all(page.find(id=name) for name in described)
    assert "is not for proj_a" in at(page, "berth-account-problem")
    assert "lasts no longer" in at(page, "berth-time-problem")


async def test_limits_beside_a_refused_choice_are_those_without_it(stage: Stage) -> None:
    tell(stage, nodes=(node(cpus=2), node(name="cpu1", gpus={})))
    with pytest.raises(BadOptions):
        await stage.spawner.run_options_from_form({"gpus": ["a100:1"], "cores": ["4"]})
    page = await shown(stage)
    assert "At most 2 with these choices." in at(page, "berth-cores-hint")
    assert "At most 4000 MiB with these choices." in at(page, "berth-memory-hint")


async def test_the_last_choice_comes_again_and_what_is_gone_is_said(stage: Stage) -> None:
    stage.spawner.orm_spawner.user_options = {
        "cores": "2",
        "gpus": "v100:4",
        "memory": "4000M",
        "prologue": "x",
    }
    tell(stage, nodes=(node(memory_mib=1000),))
    page = await shown(stage)
    assert {name: chosen(page, name) for name in ("cores", "gpus", "memory")} == {
        "cores": "2",
        "gpus": "a100:1",
        "memory": "1000M",
    }
    assert at(page, "berth-gpus-note") == (
        "GPU configuration: your last choice, “v100:4”, is no longer offered. Chosen instead: 1 a100 GPU."
    )
    assert "“4000M”, is no longer offered" in at(page, "berth-memory-note")
    assert at(page, "berth-cores-note") == ""


async def test_what_a_link_asks_for_in_vain_is_said_at_its_field(stage: Stage) -> None:
    with pytest.raises(LinkOnlyFillsError):
        stage.spawner.options_from_query({"cores": ["64"], "memory": ["500M"]})
    page = await shown(stage)
    assert chosen(page, "memory") == "500M"
    assert at(page, "berth-cores-note") == (
        "Number of cores: “64” is not one of the choices. The highest is 4. Chosen instead: 1."
    )


async def test_a_last_choice_that_cannot_be_had_together_any_more_is_lowered(stage: Stage) -> None:
    stage.spawner.orm_spawner.user_options = {"cores": "4", "gpus": "a100:2"}
    tell(stage, nodes=(node(cpus=1), node(name="cpu1", gpus={})))
    page = await shown(stage)
    assert (chosen(page, "gpus"), chosen(page, "cores")) == ("a100:2", "1")
    assert at(page, "berth-cores-note") == (
        "Number of cores: at most 1; no node with 2 a100 GPUs has more. Ask for less. Chosen instead: 1."
    )


async def test_what_makes_a_session_wait_stands_at_its_field(stage: Stage) -> None:
    limits = {("user", "gres/gpu"): 3, ("user", "jobs"): 1}
    running = job(state="RUNNING", nodes=("gpu1",), gpus={"a100": 2})
    tell(stage, qos={"normal": Qos("normal", limits=limits)}, jobs={7: running})
    page = await shown(stage)
    assert "uses 2 of the 3 GPUs" in at(page, "berth-gpus-waits")
    assert "1 session or job running" in at(page, "berth-waits")


async def test_a_full_queue_stands_at_the_account_before_anything_is_sent(stage: Stage) -> None:
    tell(stage, qos={"normal": Qos("normal", limits={("user", "submit"): 1})}, jobs={7: job()})
    note = at(await shown(stage), "berth-account-note")
    assert note.startswith("You have 1 job in Slurm's queue")
    assert "Chosen instead" not in note


async def test_the_page_has_the_rules_as_data_for_its_script(stage: Stage) -> None:
    row = Association("alice", "proj_a", None, is_default=True, limits={("job", "gres/gpu:a100"): 1})
    tell(stage, associations=(row,), reservations=(reservation(accounts=("proj_a",)),))
    page = await shown(stage)
    place = page.find(id="berth-form")
    assert isinstance(place, Tag)
    rules = json.loads(str(place["data-rules"]))
    assert rules["shapes"] == [
        {"cores": 4, "memory": 4000, "gpus": {"a100": 2}, "reservations": ["course"]},
    ]
    assert rules["accounts"]["proj_a"]["gpus"] == {"a100": 1}
    assert rules["accounts"]["proj_a"]["time"] == {"most": 480, "text": "8 hours"}
    assert rules["defaults"]["gpus"] == "a100:1"
    assert rules["reservations"]["course"]["time"] == {"most": 60, "text": "1 hour"}
    assert page.select_one("#berth-memory option[value='1000M']")["data-amount"] == "1000"  # type: ignore[index]


async def test_the_script_has_the_words_of_the_page_for_every_limit_of_memory(stage: Stage) -> None:
    row = Association("alice", "proj_a", None, is_default=True, limits={("job", "mem"): 20_000})
    nodes = (node(memory_mib=257_000), node(name="small", gpus={}, memory_mib=500))
    tell(stage, nodes=nodes, associations=(row,))
    page = await shown(stage)
    place = page.find(id="berth-form")
    assert isinstance(place, Tag)
    sizes = json.loads(str(place["data-rules"]))["sizes"]
    assert sizes == {"0": "0 MiB", "500": "500 MiB", "20000": "19 GiB", "257000": "250 GiB"}
    assert f"At most {sizes['20000']} with these choices." in at(page, "berth-memory-hint")


def test_a_size_is_never_said_to_be_more_than_it_is() -> None:
    assert [words.size(size) for size in (257_000, 20_479, 20_480, 4000)] == [
        "250.9 GiB",
        "19.9 GiB",
        "20 GiB",
        "4000 MiB",
    ]


async def test_a_user_who_may_start_nothing_gets_a_sentence_and_no_form(stage: Stage) -> None:
    site = Links(help="https://help.example.org/?job={job_id}")
    stage.service.form = FORM.model_copy(update={"links": site})
    tell(stage, partition=replace(PARTITION, deny_accounts=("proj_a", "proj_b")))
    page = await shown(stage)
    assert page.find_all(["select", "button"]) == []
    assert "None of your Slurm accounts" in page.get_text()
    assert page.select("a")[0]["href"] == "https://help.example.org/?job="


async def test_what_is_inside_each_release_stands_under_the_menu_with_the_way_to_all_of_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = shelves.release("2026.05", "2026-05-18", ends=dt.date(2099, 1, 31))
    hidden = shelves.release("2026.12rc1", hidden=True)
    monkeypatch.setattr(stage.service, "releases", lambda: (hidden, RELEASE, ending))
    page = await shown(stage)
    (inside,) = page.select(".berth-inside")
    assert inside.name == "details"
    assert [(item.name, item.get_text(strip=True)) for item in inside.select("dt, dd")] == [
        ("dt", "2026.11"),
        ("dd", "Python 3.13: python 3.13.5"),
        ("dt", "2026.05 (until 2099-01-31)"),
        ("dd", "Python 3.13: python 3.13.5, numpy 2.1.3"),
        ("dd", "R 4.3: r-base 4.3.3"),
    ]
    assert [link["href"] for link in page.select(".berth-inside + p a")] == ["/hub/berth/releases"]
    menu = [option.get_text() for option in page.select("#berth-release option")]
    assert menu == ["2026.11 (Python 3.13)", "2026.05, until 2099-01-31 (Python 3.13, R 4.3)"]


async def test_a_release_that_was_chosen_last_and_has_ended_is_said_to_be_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.spawner.orm_spawner.user_options = {"release": "2024.04"}
    ended = shelves.release("2024.04", "2024-04-22", ends=dt.date(2024, 12, 31))
    monkeypatch.setattr(stage.service, "releases", lambda: (RELEASE, ended))
    page = await shown(stage)
    assert chosen(page, "release") == "2026.11"
    assert "“2024.04”, is no longer offered" in at(page, "berth-release-note")
    with pytest.raises(BadOptions) as caught:
        await stage.spawner.checked({"release": "2024.04"})
    assert "until 2024-12-31" in str(caught.value.error.problems["release"])


TOO_MUCH: dict[str, dict[str, Any]] = {
    "cores": {"default": 64, "choices": [64]},
    "memory": {"default": "1T", "choices": ["1T"]},
    "gpus": {"default": 8, "choices": [8]},
    "time": {"default": "2-00:00:00", "choices": ["2-00:00:00"]},
}
"""Choices that no node has, or that the partition does not allow."""
EMPTY = [names for count in range(1, 6) for names in combinations([*TOO_MUCH, "release"], count)]


@pytest.mark.parametrize("empty", EMPTY, ids="-".join)
async def test_with_any_menus_empty_page_and_options_say_the_same_sentence(
    stage: Stage, empty: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "release" in empty:
        monkeypatch.setattr(stage.service, "releases", tuple)
    own = {name: field for name, field in TOO_MUCH.items() if name in empty}
    stage.service.form = FormSettings.model_validate(FORM.model_dump() | own)
    page = await shown(stage)
    assert page.find_all(["select", "button"]) == []
    sentence = at(page, "berth-missing")
    first = "release" if "release" in empty else next(name for name in LABELS if name in empty)
    assert "No release" in sentence if first == "release" else f"“spawner_form_{first}”" in sentence
    for raw in ({}, {"cores": "1", "gpus": "a100:1"}):
        with pytest.raises(BadOptions) as caught:
            await stage.spawner.checked(raw)
        assert str(caught.value.error.problems["account"]) == sentence


async def test_a_partition_without_gpus_where_one_must_be_chosen_gets_a_sentence(stage: Stage) -> None:
    gpus = {"gpus": {"default": 1, "choices": [1, 2]}}
    stage.service.form = FormSettings.model_validate(FORM.model_dump() | gpus)
    tell(stage, nodes=(node(gpus={}),))
    assert "“spawner_form_gpus”" in at(await shown(stage), "berth-missing")


@pytest.mark.parametrize(("reader", "own"), [("alice", True), ("root", False)])
async def test_who_reads_somebody_elses_form_gets_no_advice_about_the_own_accounts(
    stage: Stage, reader: str, monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> None:
    async def logged_in(self: SpawnHandler) -> None:
        self._jupyterhub_user = SimpleNamespace(name=reader)

    monkeypatch.setattr(SpawnHandler, "prepare", logged_in)
    await SpawnPage.__new__(SpawnPage).prepare()
    page = await shown(stage)
    assert [page.find(id=f"berth-{name}") is not None for name in ("advice", "estimate")] == [own, own]
    live = page.find(id="berth-live")
    assert isinstance(live, Tag)
    assert live["data-reservation"] == ("berth-reservation" if own else "")
    assert page.select_one("#berth-form select")


async def test_the_form_is_in_the_language_of_the_reader(stage: Stage) -> None:
    token = text.language.set("it")
    try:
        page = await shown(stage)
    finally:
        text.language.reset(token)
    assert page.find("label", string="Numero di core")
    assert "Al massimo 8 ore con queste scelte. Predefinito: 1 ora." in at(page, "berth-time-hint")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0 minutes"),
        (1, "1 minute"),
        (90, "1 hour 30 minutes"),
        (1440, "1 day"),
        (2885, "2 days 5 minutes"),
    ],
)
def test_times_are_said_in_words(minutes: int, said: str) -> None:
    assert str(words.duration(minutes)) == said


@pytest.mark.parametrize(
    ("mebibytes", "said"), [(500, "500 MiB"), (2048, "2 GiB"), (4000, "4000 MiB"), (515_000, "502 GiB")]
)
def test_limits_of_memory_are_said_in_the_unit_that_people_ask_in(mebibytes: int, said: str) -> None:
    assert words.shown("memory", mebibytes) == said


async def test_what_is_said_beside_start_counts_what_the_user_runs_already(stage: Stage) -> None:
    limit = {"normal": Qos("normal", limits={(qos.USER, qos.GPU): 2})}
    running = job(state="RUNNING", nodes=("gpu1",), gpus={"a100": 2})
    tell(stage, qos=limit, jobs={7: replace(running, user="bob")})
    assert "uses" not in at(await shown(stage), "berth-advice")
    tell(stage, qos=limit, jobs={7: running})
    assert "uses 2 of the 2 GPUs" in at(await shown(stage), "berth-advice")


def test_links_at_the_foot_know_the_session_that_help_is_asked_about(stage: Stage) -> None:
    site = Links.model_validate(
        {
            "help": "https://help.example.org/new?job={job_id}&why={reason}",
            "more": [{"title": "News", "url": "https://news.example.org"}],
        }
    )

    def urls() -> list[str]:
        return [link.url for link in footer.links(site, stage.user)]

    assert urls() == ["https://help.example.org/new?job=&why=", "https://news.example.org"]
    assert [link.url for link in footer.links(site, None)] == urls()
    stage.spawner.job_id = "7"
    stage.collector.publish(job(reason="QOS&Max"))
    assert urls()[0] == "https://help.example.org/new?job=7&why=QOS%26Max"
    stage.collector.publish()
    ended = PastSession(SessionRecord("0" * 32, 1, NOW, job_id=8), job(job_id=8, state="NODE_FAIL"), NOW)
    stage.service.history.put(stage.spawner.owner, ended)
    assert urls()[0] == "https://help.example.org/new?job=8&why=NODE_FAIL"


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "//example.org", "/help", "mailto:", "https:///x", "https://a b", "data:x,y"],
)
def test_a_link_leads_to_a_page_or_a_mailbox(url: str) -> None:
    for links in ({"help": url}, {"terms": url}, {"more": [{"title": "x", "url": url}]}):
        with pytest.raises(ValueError, match="is not an address"):
            Links.model_validate(links)
    assert Links(terms="mailto:support@example.org").terms
