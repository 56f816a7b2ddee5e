"""The report is repeated until the hub takes it; only a hub that keeps denying ends a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from berth.session.report import LONGEST_DELAY, Outcome, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 600.0


class Hub:
    """Answers from a script, the last one for ever, on a clock that only sleeping moves."""

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now = 0.0
        self.slept: list[float] = []

    def send(self) -> Callable[[], Awaitable[int]]:
        async def attempt() -> int:
            self.asked += 1
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, int):
                return answer
            raise answer

        return attempt

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def outcome(self) -> Outcome:
        return await report(self.send(), PATIENCE, clock=lambda: self.now, sleep=self.sleep)


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_one_acknowledged_report_is_enough(status: int) -> None:
    hub = Hub(status)
    assert await hub.outcome() is Outcome.ACKNOWLEDGED
    assert (hub.asked, hub.slept) == (1, [])


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError, TimeoutError, ValueError, 500, 502, 503, 302, 400]
)
async def test_a_hub_in_trouble_is_waited_for_without_limit(trouble: int | type[Exception]) -> None:
    hub = Hub(*[trouble] * 1000, 204)
    assert await hub.outcome() is Outcome.ACKNOWLEDGED
    assert hub.now > 10 * PATIENCE


async def test_the_second_try_comes_at_once_and_later_ones_do_not_press() -> None:
    hub = Hub(*[503] * 20, 204)
    await hub.outcome()
    assert hub.slept[0] < 0.3
    assert all(seconds <= LONGEST_DELAY * 1.2 for seconds in hub.slept)
    assert min(hub.slept[-5:]) >= LONGEST_DELAY * 0.8


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_hub_that_keeps_denying_to_know_the_session_ends_it(status: int) -> None:
    hub = Hub(status)
    assert await hub.outcome() is Outcome.REFUSED
    assert PATIENCE <= hub.now < PATIENCE + 2 * LONGEST_DELAY


async def test_a_denial_while_the_hub_restarts_ends_nothing() -> None:
    denials = [404] * 30
    hub = Hub(*denials, ConnectionRefusedError, *denials, 502, *denials, 204)
    assert await hub.outcome() is Outcome.ACKNOWLEDGED
    assert hub.now > PATIENCE


async def test_a_token_in_an_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    class TellingError(Exception):
        def __str__(self) -> str:
            return "Authorization: token secret"

    await Hub(TellingError, 204).outcome()
    assert "TellingError" in caplog.text
    assert "secret" not in caplog.text
