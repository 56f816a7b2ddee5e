"""The collector's child process: the only place that runs Slurm's query commands for the hub.

It asks for everybody at once, parses the documents outside the hub's event loop, and hands over what each
answer changed. Run as `python -I -m berth.hub.collector.process` with PARTITION BIN_DIR INTERVAL TIMEOUT and
LOG_FORMAT, `Watch` objects on standard input and `Update` objects on standard output (see
`berth.hub.collector.pipe`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from berth import journal
from berth.hub.collector import pipe
from berth.hub.collector.ends import Ends
from berth.hub.collector.questions import Lane, Question
from berth.hub.collector.snapshot import Snapshot, Update, Watch
from berth.slurm.answers import client, records
from berth.slurm.free import openings, totals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from berth.slurm.free.openings import Openings

    HandOver = Callable[[Update], Awaitable[None]]

ACCOUNTS_INTERVAL: Final = 60.0
"""Seconds between two readings of associations and QOS, which change rarely."""
ENDS_RETRY_SECONDS: Final = 20.0
"""Seconds until accounting that did not answer is asked again for the ends of jobs."""

log = logging.getLogger("berth.collect")


@dataclass
class Collector:
    """Asks Slurm in rounds and keeps the last answer of each kind."""

    partition: str
    bin_dir: str
    interval: float
    timeout: float
    snapshot: Snapshot = field(default_factory=Snapshot)
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        """Nothing was asked yet: everything is due, the ends of jobs as soon as the queue is known."""
        self._queue = Question("jobs_part", self._ask_queue, self.interval, hurried=True)
        self._nodes = Question("nodes_part", self._ask_nodes, self.interval)
        self._ends = Question("ends_part", self._ask_ends, inf, retry=ENDS_RETRY_SECONDS, due_at=inf)
        self._accounts = Question("accounts_part", self._ask_accounts, ACCOUNTS_INTERVAL)
        self._controlled = Lane((self._queue, self._nodes))
        self._accounted = Lane((self._ends, self._accounts))
        self.lanes = (self._controlled, self._accounted)
        """What slurmctld answers, and what slurmdbd answers where there is accounting."""
        self._ended = Ends(self.timeout)
        self._connected: client.Commands | None = None

    def wake(self) -> None:
        """Have the queue asked for soon."""
        self._controlled.want(self._queue)

    async def _json(self, argv: list[str]) -> dict[str, Any]:
        return client.decode(await client.run(argv, self.timeout))

    async def _commands(self) -> client.Commands:
        """Return the commands for the installed version, which is asked for once."""
        if self._connected is None:
            self._connected = await client.connect(self.bin_dir, self.timeout)
        return self._connected

    async def _ask_queue(self) -> Update:
        commands = await self._commands()
        asked_at = time.time()
        document = await self._json(commands.jobs(self.partition))
        jobs = {job.job_id: job for job in records.parse_jobs(document)}
        free = _count(replace(self.snapshot, jobs=jobs))
        return Update("jobs_part", asked_at, fields={"jobs": jobs, "openings": free})

    async def _ask_ends(self) -> Update:
        # Not the time of this question: what it tells is told of the jobs that this look at the queue missed.
        asked_at, jobs = self.snapshot.jobs_part.asked_at, self.snapshot.jobs
        # Whether there is accounting seldom changes: it is asked for again with the accounts.
        controller = self.snapshot.controller or await self._ask_controller()
        absent = await self._ended.ask(await self._commands(), controller, self.watch, jobs)
        return Update(
            "ends_part",
            asked_at,
            fields={
                "controller": controller,
                "ended": self._ended.jobs,
                "forgotten": self._ended.forgotten,
                "absent": dict.fromkeys(absent, asked_at),
            },
        )

    async def _ask_controller(self) -> records.Controller:
        commands = await self._commands()
        return records.parse_controller(await client.run(commands.controller(), self.timeout))

    async def _ask_nodes(self) -> Update:
        commands = await self._commands()
        asked_at = time.time()
        nodes = records.parse_nodes(await self._json(commands.nodes()))
        partitions = records.parse_partitions(await self._json(commands.partition(self.partition)))
        reservations = records.parse_reservations(await self._json(commands.reservations()))
        fields: dict[str, Any] = {
            "nodes": tuple(node for node in nodes if self.partition in node.partitions),
            "partition": next((item for item in partitions if item.name == self.partition), None),
            "reservations": tuple(reservations),
        }
        fields["gpu_totals"] = totals.gpus(fields["nodes"])
        free = _count(replace(self.snapshot, **fields))
        return Update("nodes_part", asked_at, fields={**fields, "openings": free})

    async def _ask_accounts(self) -> Update:
        commands = await self._commands()
        asked_at = time.time()
        controller = await self._ask_controller()
        associations: list[records.Association] = []
        qos: list[records.Qos] = []
        if controller.accounting:
            rights = await client.run(commands.associations(), self.timeout)
            defaults = await client.run(commands.default_accounts(), self.timeout)
            associations = records.parse_associations(rights, defaults)
            qos = records.parse_qos(await client.run(commands.qos(), self.timeout))
        here = (None, self.partition)
        return Update(
            "accounts_part",
            asked_at,
            fields={
                "controller": controller,
                "associations": tuple(item for item in associations if item.partition in here),
                "qos": {item.name: item for item in qos},
            },
        )

    async def round(self, hand_over: HandOver | None = None) -> bool:
        """Ask what is due in every lane, one after the other; return whether anything was asked."""
        return any([await self.turn(lane, hand_over) for lane in self.lanes])

    async def turn(self, lane: Lane, hand_over: HandOver | None = None) -> bool:
        """Ask what is due in one lane; return whether anything was asked.

        Each answer is handed over before the next question: when Slurm is slow, nobody shall wait for all.
        """
        asked = False
        for question in lane.questions:
            if time.monotonic() < question.next_at:
                continue
            asked = True
            update = (await self._answer(question)).against(self.snapshot)
            self.snapshot = self.snapshot.updated(update)
            if question is self._queue and not update.error:
                self._accounted.want(self._ends)
            if hand_over is not None:
                await hand_over(update)
        return asked

    async def _answer(self, question: Question) -> Update:
        started = time.monotonic()
        question.wanted = False
        try:
            update = await question.ask()
        except Exception as error:  # an answer nobody thought of is none, and must not end the collector
            if not isinstance(error, client.SlurmError):
                log.exception("An answer of Slurm cannot be used.")
            update = Update(question.part, error=str(error) or type(error).__name__)
        question.finished(started, failed=bool(update.error))
        return replace(update, seconds=time.monotonic() - started)

    async def keep_asking(self, lane: Lane, hand_over: HandOver) -> None:
        """Ask the questions of one lane as they become due, until cancelled."""
        while True:
            await lane.until_due()
            await self.turn(lane, hand_over)


def _count(state: Snapshot) -> Openings:
    return openings.count(
        state.nodes,
        tuple(state.jobs.values()),
        state.reservations,
        shared_by=state.shared_by,
        now=time.time(),
    )


async def _serve(collector: Collector, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def listen() -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # the hub has ended
            while True:
                message = await pipe.receive(reader)
                if isinstance(message, Watch):
                    collector.watch = message
                else:
                    collector.wake()

    async def hand_over(update: Update) -> None:
        pipe.send(writer, update)
        await writer.drain()

    async def beat() -> None:
        while True:
            pipe.send(writer, pipe.BEAT)
            await asyncio.sleep(pipe.BEAT_SECONDS)

    tasks = [
        asyncio.create_task(work)
        for work in (listen(), beat(), *(collector.keep_asking(lane, hand_over) for lane in collector.lanes))
    ]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


async def _main(arguments: list[str]) -> None:
    partition, bin_dir, interval, timeout, log_format = arguments
    journal.configure("berth", log_format)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin,
        sys.stdout.buffer,
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    collector = Collector(partition, bin_dir, float(interval), float(timeout))
    await _serve(collector, reader, writer)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
