"""A slow directory service or a hung disk keeps nobody waiting for long."""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tornado import web

from berth.hub import service as service_module
from berth.hub.lookup import Lookup, NoAnswerError
from berth.hub.service import Service
from tests.unit.hub.factories import FORM, HUB, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Directory:
    """Counts what it is asked; answers while the gate is open."""

    open: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None

    def ask(self, key: str) -> str:
        self.asked.append(key)
        number = len(self.asked)
        self.open.wait()
        if self.error is not None:
            raise self.error
        return f"{key}{number}"


@pytest.fixture
def directory() -> Iterator[Directory]:
    made = Directory()
    made.open.set()
    yield made
    made.open.set()


async def test_an_answer_counts_for_a_while_then_it_is_asked_again(directory: Directory) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=60)
    assert [await lookup.ask(key) for key in ("a", "a", "b", "a")] == ["a1", "a1", "b2", "a1"]
    lookup.kept_seconds = 0
    assert await lookup.ask("a") == "a3"


async def test_those_who_ask_about_the_same_share_one_question(directory: Directory) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=0)
    directory.open.clear()
    asking = [asyncio.create_task(lookup.ask("a")) for _ in range(20)]
    await asyncio.sleep(0.01)
    directory.open.set()
    assert set(await asyncio.gather(*asking)) == {"a1"}
    assert directory.asked == ["a"]


async def test_while_a_question_hangs_the_last_known_answer_is_taken(directory: Directory) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=0, limit_seconds=0.05)
    await lookup.ask("a")
    directory.open.clear()
    assert await lookup.ask("a") == "a1"
    began = time.monotonic()
    assert [await lookup.ask("a") for _ in range(20)] == ["a1"] * 20
    assert time.monotonic() - began < 20 * 0.05
    assert directory.asked == ["a", "a"]
    directory.open.set()
    await asyncio.sleep(0.05)
    lookup.kept_seconds = 60
    assert await lookup.ask("a") == "a2"


async def test_what_was_never_known_is_said(directory: Directory) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=60, limit_seconds=0.01)
    directory.open.clear()
    with pytest.raises(NoAnswerError):
        await lookup.ask("a")


async def test_an_error_is_no_answer_and_is_asked_again(
    directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=60)
    directory.error = OSError("stale file handle")
    with pytest.raises(NoAnswerError):
        await lookup.ask("a")
    assert "groups cannot be looked up: stale file handle" in caplog.text
    directory.error = None
    assert await lookup.ask("a") == "a2"


async def test_one_who_leaves_does_not_end_the_question_of_the_others(directory: Directory) -> None:
    lookup = Lookup("groups", directory.ask, kept_seconds=60)
    directory.open.clear()
    left, stays = (asyncio.create_task(lookup.ask("a")) for _ in range(2))
    await asyncio.sleep(0.01)
    left.cancel()
    directory.open.set()
    assert await stays == "a1"


async def test_with_a_hung_directory_service_the_form_is_refused_with_a_sentence_and_threads_stay_free(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "group_names", directory.ask)
    service = Service(HUB, FORM)
    service.groups.limit_seconds = 0.05
    service.collector.snapshot = snapshot()
    directory.open.clear()
    asking = [service.offer(f"user{number}") for number in range(100)]
    for error in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(error, web.HTTPError)
        assert error.status_code == 503
        assert "Try again in a moment" in str(getattr(error, "jupyterhub_message", ""))
    assert await asyncio.wait_for(asyncio.to_thread(lambda: 1), 5) == 1


def test_the_groups_of_a_user_are_those_of_the_host_and_nobody_has_none() -> None:
    entry = pwd.getpwuid(os.getuid())
    gids = os.getgrouplist(entry.pw_name, entry.pw_gid)
    assert set(service_module.group_names(entry.pw_name)) == {grp.getgrgid(gid).gr_name for gid in gids}
    assert service_module.group_names("nobody-is-called-so") == ()
    assert service_module.group_names("--help") == ()
