"""More time for a session that runs: asked for by its user, judged here, done by the privileged helper.

Root can give a job any time, whatever partition, QOS and reservation say: so all of that is looked at here,
and what no hub may pass is looked at again by the helper (`berth.helper.slurm.extend`).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from berth.helper.client import Verdict
from berth.hub.texts import words
from berth.hub.texts.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.form.options import Offer
    from berth.hub.service import Service
    from berth.hub.session.allowance import Extension
    from berth.hub.session.spawner import BerthSpawner
    from berth.hub.session.state import SessionRecord
    from berth.hub.settings import FormSettings
    from berth.hub.texts.text import Text
    from berth.slurm.answers.records import Job

SEEN_SECONDS: Final = 5.0
"""How long the answer waits for Slurm to show the new end."""
log = logging.getLogger("berth.extension")


def offered(rule: Extension | None, record: SessionRecord | None, job: Job | None) -> int | None:
    """Return the hours that a session can be given now, as far as that is seen at once; None: none."""
    if rule is None or record is None or job is None or job.state != "RUNNING" or not job.time_limit:
        return None
    fits = record.extensions < rule.times and job.time_limit + rule.minutes <= rule.most_minutes
    return rule.hours if fits else None


async def extend(service: Service, spawner: BerthSpawner) -> Text | None:
    """Give a session more time; return why it was refused, None where Slurm took it.

    Whatever is asked twice is the same: the helper gets the whole time, not what is added. Raises NotKnown.
    """
    rule, offer = service.hub.walltime_extension, await service.offer(spawner.user.name)
    record, job = spawner.record, spawner._job()  # noqa: SLF001 - the session's own module
    if rule is None:
        return say("extension.not_offered")
    if record is None or job is None or job.state != "RUNNING" or job.end_time is None:
        return say("extension.not_running")
    limits = _limits(rule, service.form, offer, job)
    reserved = _reserved(service.collector.snapshot, job, job.end_time + rule.minutes * 60)
    refused = _refused(rule, record, job, (*limits, *reserved))
    return refused or await _ask(service, spawner, record, job)


def _refused(
    rule: Extension, record: SessionRecord, job: Job, limits: Iterable[tuple[int, Text]]
) -> Text | None:
    if job.time_limit is None:
        return say("extension.unlimited")
    if record.extensions >= rule.times:
        return say("extension.often", count=rule.times)
    passed = (why for most, why in limits if job.time_limit + rule.minutes > most)
    why = next(passed, None)
    return None if why is None else say("extension.limit", hours=rule.hours, why=why)


async def _ask(service: Service, spawner: BerthSpawner, record: SessionRecord, job: Job) -> Text | None:
    """Have the helper do it, and wait until Slurm shows it."""
    rule = service.hub.walltime_extension
    wanted = (job.time_limit or 0) + (rule.minutes if rule is not None else 0)
    record.extensions += 1  # before the question: who asks twice at once does not get twice
    spawner._save()  # noqa: SLF001
    answer = await service.helper.extend(job.user, job.job_id, record.job_name, wanted)
    if answer.verdict in {Verdict.REFUSED, Verdict.UNAVAILABLE}:
        record.extensions -= 1
        spawner._save()  # noqa: SLF001
        log.warning("Job %d of %s gets no more time: %s", job.job_id, job.user, answer.message)
        return say("extension.refused")
    log.info("Job %d of %s: %d minutes in all (%s)", job.job_id, job.user, wanted, answer.verdict)
    until = time.monotonic() + SEEN_SECONDS
    while (left := until - time.monotonic()) > 0:
        found = spawner._job()  # noqa: SLF001
        if found is None or found.time_limit == wanted:
            break
        service.collector.wake()
        await service.collector.changed(left)
    return None if answer.verdict is Verdict.OK else say("extension.unknown")


def _limits(rule: Extension, form: FormSettings, offer: Offer, job: Job) -> Iterator[tuple[int, Text]]:
    """Yield the longest times in minutes, and what sets each."""
    yield rule.most_minutes, say("extension.most", most=words.duration(rule.most_minutes))
    longest = max(words.amount_of("time", choice) for choice in form.time.choices)
    yield longest, say("extension.form", most=words.duration(longest))
    account = offer.rules.accounts.get(job.account)
    enforced = (
        0 if account is None else account.enforced.minutes
    )  # 0: no session of this account may start now
    if enforced is not None:
        yield enforced, say("extension.slurm", most=words.duration(enforced))


def _reserved(snapshot: Snapshot, job: Job, end: int) -> Iterator[tuple[int, Text]]:
    """Yield a limit that is passed where a session would outlive its reservation or reach into another."""
    for item in snapshot.reservations:
        if item.name == job.reservation:
            if not item.flexible and item.end < end:
                yield 0, say("extension.reservation_ends", name=item.name)
        elif set(item.nodes) & set(job.nodes) and item.end > (job.end_time or 0) and item.start < end:
            yield 0, say("extension.reserved", name=item.name)
