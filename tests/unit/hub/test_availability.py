"""The table for people, programs and streams."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup

from berth.hub.collector.snapshot import Part, Snapshot
from berth.hub.form import availability, offer
from berth.hub.form import page as form
from berth.hub.form.availability import Documents
from berth.hub.service import Service
from berth.hub.texts import text
from berth.slurm.free import openings
from berth.slurm.free.openings import Cell
from tests.unit.hub.factories import FORM, HUB, NOW, RELEASE, job, node, reservation, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping


def counted(first: Mapping[str, Any] = MappingProxyType({}), **more: Any) -> Snapshot:
    nodes = (
        node(**first),
        node(name="gpu2", alloc_memory_mib=900),
        node(name="gpu3", gpus={"": 1}, memory_mib=40960),
        node(name="cpu1", gpus={}),
    )
    seen = snapshot(nodes=nodes, **more)
    free = openings.count(nodes, tuple(seen.jobs.values()), seen.reservations, shared_by=5, now=NOW)
    return replace(seen, openings=free)


def document(seen: Snapshot, reservation_: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(availability.table(seen, reservation_).to_dict(NOW + 7)))
    return found


def test_programs_get_figures_by_column_and_none_where_no_node_has_so_many() -> None:
    found = document(counted(reservations=()))
    assert (found["columns"], found["age_seconds"], found["error"]) == ([0, 1, 2], 7, "")
    assert (found["asked_at"], found["reservation"], found["notice"]) == (NOW, None, "")
    assert {row["gpu_type"]: (row["nodes"], row["cores"], row["memory_mib"]) for row in found["rows"]} == {
        "": ([0, 1, None], [0, 4, None], [0, 40960, None]),
        "a100": ([0, 0, 2], [0, 0, 4], [0, 0, 4000]),
        None: ([1, None, None], [4, None, None], [4000, None, None]),
    }


def test_scripts_get_the_same_in_words() -> None:
    found = document(counted())
    assert found["headings"] == ["0 free", "1 free", "2 free"]
    assert {row["title"]: row["details"] for row in found["rows"]} == {
        "GPU": ["", "up to 4 cores, 40 GiB", ""],
        "a100": ["nothing available", "", "up to 4 cores, 4000 MiB"],
        "Nodes without GPU": ["up to 4 cores, 4000 MiB", "", ""],
    }


def test_jobs_that_wait_for_room_are_counted_where_they_wait() -> None:
    seen = counted(jobs={1: job(job_id=1), 2: job(job_id=2, reservation="course"), 3: job(job_id=3)})
    assert [document(seen, name)["waiting"] for name in (None, "course")] == [2, 1]


def test_in_a_reservation_its_own_nodes_are_shown_and_the_caption_says_so() -> None:
    found = document(counted(), "course")
    assert [(row["gpu_type"], row["nodes"]) for row in found["rows"]] == [("a100", [0, 0, 1])]
    assert "“course”" in found["caption"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, ""),
        (Cell(0, 0, 0), ""),
        (Cell(3, 0, 0), "nothing available"),
        (Cell(3, 1, 3072), "up to 1 core, 3 GiB"),
        (Cell(3, 2, 3071), "up to 2 cores, 3071 MiB"),
        (Cell(3, 2, 300 * 1024 + 1), "up to 2 cores, 300 GiB"),
    ],
)
def test_a_cell_in_words(cell: Cell | None, said: str) -> None:
    assert str(availability.most(cell)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7300, "2 hours ago"),
    ],
)
def test_an_age_in_words(seconds: int, said: str) -> None:
    assert str(availability.age(seconds)) == said


def test_before_the_first_answer_and_after_the_last_a_notice_says_so() -> None:
    nothing = document(Snapshot())
    assert (nothing["rows"], nothing["age_seconds"]) == ([], 0)
    assert "has not answered yet" in nothing["notice"]
    silent = document(counted(jobs_part=Part(NOW - 100, "Unable to contact slurm controller")))
    assert (silent["age_seconds"], silent["error"]) == (107, "Unable to contact slurm controller")
    assert "last known figures" in silent["notice"]


def test_fifty_readers_cost_one_rendering_for_each_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str | None] = []
    real = availability.table

    def table(seen: Snapshot, reservation_: str | None = None) -> availability.Table:
        made.append(reservation_)
        return real(seen, reservation_)

    monkeypatch.setattr(availability, "table", table)
    documents, first, second = Documents(), counted(), counted()
    for seen in (first, second):
        assert len({documents.get(seen, None) for _ in range(50)}) == 1
    assert made == [None, None]
    documents.get(second, "course")
    assert made == [None, None, "course"]


def test_each_reader_gets_their_language() -> None:
    documents, seen = Documents(), counted()
    english = documents.get(seen, None)
    token = text.language.set("it")
    try:
        assert "Nodi senza GPU" in documents.get(seen, None)
    finally:
        text.language.reset(token)
    assert documents.get(seen, None) == english


def page(seen: Snapshot, *, for_admin: bool = False, **chosen: str) -> BeautifulSoup:
    service = Service(HUB, FORM)
    service.collector.snapshot = seen
    own = offer.compute(offer.Person("alice"), seen, FORM, (RELEASE,), NOW)
    values, _ = own.clean(chosen)
    return BeautifulSoup(form.render(service, own, form.Page(values, own=not for_admin)), "html.parser")


def test_the_page_shows_the_table_without_any_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 130)
    table = page(counted()).select_one("#berth-table")
    assert table is not None
    rows = [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table("tr")]
    assert rows == [
        ["GPU type", "0 free", "1 free", "2 free"],
        ["GPU", "0", "1 up to 4 cores, 40 GiB", "–"],  # noqa: RUF001 - as it is shown
        ["a100", "1 nothing available", "0", "1 up to 4 cores, 4000 MiB"],
        ["Nodes without GPU", "1 up to 4 cores, 4000 MiB", "–", "–"],  # noqa: RUF001
    ]
    assert "Counted 2 minutes ago." in table.caption.get_text()  # type: ignore[union-attr]
    assert [cell["scope"] for cell in table.select("th")] == ["col"] * 4 + ["row"] * 3


def beside_start(found: BeautifulSoup) -> tuple[str, list[str]]:
    """What the page says beside Start, and the smaller requests under it."""
    said = found.select_one("#berth-advice")
    smaller = [item.get_text(strip=True) for item in found.select("#berth-suggestions li")]
    return ("" if said is None else said.get_text(strip=True), smaller)


def test_the_page_says_whether_its_choice_can_start_now_without_any_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    seen = counted(reservations=())
    assert beside_start(page(seen)) == ("Can start now.", [])
    asked: dict[str, Any] = {"gpus": "a100:2", "memory": "4000M"}
    busy = counted(reservations=(), first={"gpus_used": {"a100": 1}})
    assert beside_start(page(busy, **asked)) == (
        "Cannot start now, as no node has that much free. The request would wait in the queue.",
        [
            "GPU configuration: 1 a100 GPU instead of 2 a100 GPUs",
            "GPU configuration: 1 GPU instead of 2 a100 GPUs",
            "Memory: 1000 MiB instead of 4000 MiB",
        ],
    )
    assert beside_start(page(busy, for_admin=True, **asked)) == ("", [])


def test_the_page_says_nothing_beside_start_of_what_cannot_be_had_together() -> None:
    assert beside_start(page(counted(), gpus=":1", reservation="course")) == ("", [])


def test_the_page_shows_the_nodes_of_the_chosen_reservation() -> None:
    seen = counted(reservations=(reservation(end=int(NOW) + 10**9),))
    table = page(seen, reservation="course").select_one("#berth-table")
    assert table is not None
    assert "“course”" in table.get_text()
    assert [row.th.get_text() for row in table.select("tbody tr")] == ["a100"]  # type: ignore[union-attr]


def test_a_page_without_figures_hides_the_table_and_says_why() -> None:
    found = page(Snapshot())
    table, notice = found.select_one("#berth-table"), found.select_one("#berth-notice")
    assert table is not None
    assert table.has_attr("hidden")
    assert notice is not None
    assert "has not answered yet" in notice.get_text()
