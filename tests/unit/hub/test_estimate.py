"""Slurm is asked seldom, one question at a time, and what it says becomes a sentence."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from berth.helper.client import EstimateResult, Resources, Verdict
from berth.hub.collector.snapshot import Part
from berth.hub.form import estimate, offer
from berth.hub.form.estimate import Estimate, Estimator
from tests.unit.hub.factories import FORM, NOW, RELEASE, reservation, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.hub.form.options import SessionOptions

TEXT = "Job 5 to start at {} using 1 processors on nodes gpu1 in partition interactive"
SEEN = snapshot()
CHOSEN: SessionOptions = offer.compute(offer.Person("alice"), SEEN, FORM, (RELEASE,), NOW).validate({})


@pytest.fixture
def _in_rome(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def planned(start: str) -> EstimateResult:
    return EstimateResult(Verdict.OK, TEXT.format(start))


@pytest.mark.usefixtures("_in_rome")
def test_a_start_is_told_with_the_zone_of_its_clock() -> None:
    found = estimate.read(planned("2027-07-15T20:00:00"), NOW)
    assert str(found.sentence).startswith("Slurm expects to start this request on 2027-07-15 20:00 CEST, if")
    assert found.to_dict()["start"] == 1815674400
    assert found.to_dict()["shown_start"] in found.to_dict()["sentence"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (planned("2000-01-01T00:00:00"), "would start this request at once"),
        (planned("Unknown"), "cannot tell at present"),
        (EstimateResult(Verdict.OK, "something else"), "cannot tell at present"),
        (
            EstimateResult(Verdict.OK, "lua: welcome; " + TEXT.format("2000-01-01T00:00:00")),
            "would start this request at once",
        ),
        (
            EstimateResult(
                Verdict.REFUSED, message="allocation failure: Requested node configuration is not available"
            ),
            "would refuse this request: Requested node configuration is not available",
        ),
        (
            EstimateResult(
                Verdict.REFUSED,
                message="QOSMaxGRESPerUser; allocation failure: Job violates accounting/QOS policy",
            ),
            "would refuse this request: The request asks for more GPUs than you may have",
        ),
        (EstimateResult(Verdict.REFUSED, message="invalid account"), "this request: invalid account"),
        (EstimateResult(Verdict.UNAVAILABLE, message="x"), "Slurm does not answer"),
        (EstimateResult(Verdict.UNAVAILABLE, message="x", error="not-run"), "Slurm does not answer"),
        (EstimateResult(Verdict.UNAVAILABLE, message="x", error="not-permitted"), "may not use this service"),
        (EstimateResult(Verdict.UNKNOWN, message="x"), "Slurm does not answer"),
    ],
)
def test_every_answer_becomes_a_sentence(answer: EstimateResult, said: str) -> None:
    assert said in str(estimate.read(answer, NOW).sentence)


@dataclass
class AskedHelper:
    """Counts the questions, and those that overlap; answers when the gate is open."""

    answer: EstimateResult = field(default_factory=lambda: planned("2000-01-01T00:00:00"))
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[str, Resources]] = field(default_factory=list)
    at_work: int = 0
    most: int = 0

    async def estimate(self, user: str, resources: Resources) -> EstimateResult:
        self.asked.append((user, resources))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.gate.wait()
        self.at_work -= 1
        return self.answer


def asking(**more: Any) -> tuple[Estimator, AskedHelper]:
    helper = AskedHelper(**more)
    helper.gate.set()
    return Estimator(helper), helper  # type: ignore[arg-type]


async def test_a_reservation_to_come_is_waited_for_and_slurm_is_not_asked() -> None:
    """`sbatch --test-only` of 24.11 answers "Invalid time specified" there, while sbatch queues the job."""
    estimator, helper = asking()
    begins = int(time.time()) + 7200
    seen = replace(SEEN, reservations=(reservation(name="course", start=begins, end=begins + 3600),))
    found = await estimator.ask("bob", replace(CHOSEN, reservation="course"), seen)
    assert found.start is not None
    assert found.start.timestamp() == begins
    assert found.shown_start in str(found.sentence)
    assert helper.asked == []


async def test_a_shape_is_asked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, helper = asking()
    first = await estimator.ask("alice", CHOSEN, SEEN)
    assert await estimator.ask("alice", CHOSEN, SEEN) == first
    assert helper.asked == [("alice", CHOSEN.resources)]
    await estimator.ask("alice", replace(CHOSEN, cores=2), SEEN)
    assert len(helper.asked) == 2
    monkeypatch.setattr(estimate, "KEPT_SECONDS", 0.0)
    await estimator.ask("alice", CHOSEN, SEEN)
    assert len(helper.asked) == 3


async def test_what_slurm_does_not_see_makes_no_other_shape() -> None:
    estimator, helper = asking()
    await estimator.ask("alice", CHOSEN, SEEN)
    await estimator.ask("alice", replace(CHOSEN, interface="code"), SEEN)
    assert len(helper.asked) == 1


@pytest.mark.parametrize(
    "answer", [planned("2000-01-01T00:00:00"), EstimateResult(Verdict.REFUSED, message="limit")]
)
async def test_an_answer_is_kept_for_the_user_whose_limits_made_it_only(answer: EstimateResult) -> None:
    estimator, helper = asking(answer=answer)
    for user in ("alice", "alice", "bob"):
        await estimator.ask(user, CHOSEN, SEEN)
    assert [user for user, _ in helper.asked] == ["alice", "bob"]


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.UNAVAILABLE])
async def test_a_failure_is_not_kept(verdict: Verdict) -> None:
    estimator, helper = asking(answer=EstimateResult(verdict, message="?"))
    for _ in range(2):
        await estimator.ask("alice", CHOSEN, SEEN)
    assert len(helper.asked) == 2


@pytest.mark.parametrize("part", ["jobs_part", "nodes_part"])
async def test_slurm_is_not_asked_while_it_does_not_answer(part: str) -> None:
    estimator, helper = asking()
    silent: dict[str, Any] = {part: Part(NOW, "Unable to contact slurm controller")}
    found = await estimator.ask("alice", CHOSEN, snapshot(**silent))
    assert "does not answer" in str(found.sentence)
    assert helper.asked == []


async def test_one_question_at_a_time() -> None:
    estimator, helper = asking()
    helper.gate.clear()
    tasks = [asyncio.create_task(estimator.ask(user, CHOSEN, SEEN)) for user in ("alice", "bob", "carol")]
    await asyncio.sleep(0.01)
    assert len(helper.asked) == 1
    helper.gate.set()
    assert all("at once" in str(found.sentence) for found in await asyncio.gather(*tasks))
    assert (len(helper.asked), helper.most) == (3, 1)


async def test_one_user_takes_one_place_in_the_line_so_that_others_get_theirs() -> None:
    estimator, helper = asking()
    helper.gate.clear()
    shapes = [replace(CHOSEN, cores=cores) for cores in range(1, 20)]
    flood = [asyncio.create_task(estimator.ask("alice", shape, SEEN)) for shape in shapes]
    other = asyncio.create_task(estimator.ask("bob", CHOSEN, SEEN))
    await asyncio.sleep(0.01)
    helper.gate.set()
    assert "at once" in str((await other).sentence)
    answered, *refused = [str(found.sentence) for found in await asyncio.gather(*flood)]
    assert "at once" in answered
    assert all("has not answered your last question" in sentence for sentence in refused)
    assert [user for user, _ in helper.asked] == ["alice", "bob"]
    assert "at once" in str((await estimator.ask("alice", shapes[1], SEEN)).sentence)


async def test_one_who_leaves_the_line_may_ask_again() -> None:
    estimator, helper = asking()
    helper.gate.clear()
    first = asyncio.create_task(estimator.ask("alice", CHOSEN, SEEN))
    left = asyncio.create_task(estimator.ask("bob", CHOSEN, SEEN))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    helper.gate.set()
    assert "at once" in str((await estimator.ask("bob", CHOSEN, SEEN)).sentence)
    await first


async def test_whoever_waits_too_long_in_the_line_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "LINE_SECONDS", 0.01)
    estimator, helper = asking()
    helper.gate.clear()
    first = asyncio.create_task(estimator.ask("alice", CHOSEN, SEEN))
    await asyncio.sleep(0)
    assert "Too many" in str((await estimator.ask("bob", replace(CHOSEN, cores=2), SEEN)).sentence)
    helper.gate.set()
    assert "at once" in str((await first).sentence)


async def test_a_slow_answer_keeps_the_line_closed_and_is_there_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimate, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(estimate, "LINE_SECONDS", 0.01)
    estimator, helper = asking()
    helper.gate.clear()
    assert "has not answered so far" in str((await estimator.ask("alice", CHOSEN, SEEN)).sentence)
    assert "Too many" in str((await estimator.ask("bob", CHOSEN, SEEN)).sentence)
    assert "your last question" in str(
        (await estimator.ask("alice", replace(CHOSEN, cores=2), SEEN)).sentence
    )
    helper.gate.set()
    await asyncio.sleep(0.01)
    found: Estimate = await estimator.ask("alice", CHOSEN, SEEN)
    assert "at once" in str(found.sentence)
    assert (len(helper.asked), helper.most) == (1, 1)


async def test_one_who_leaves_lets_no_second_question_overlap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimate, "LINE_SECONDS", 0.01)
    estimator, helper = asking()
    helper.gate.clear()
    left = asyncio.create_task(estimator.ask("alice", CHOSEN, SEEN))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    assert "Too many" in str((await estimator.ask("bob", replace(CHOSEN, cores=2), SEEN)).sentence)
    helper.gate.set()
    await asyncio.sleep(0.01)
    await estimator.ask("bob", replace(CHOSEN, cores=2), SEEN)
    assert helper.most == 1
