"""The collector's child process: the only place that runs Slurm's query commands for the hub.

It asks for everybody at once, parses the documents outside the hub's event loop, and hands over a reduced
`Snapshot`. Run as `python -I -m berth.hub.collect PARTITION BIN_DIR INTERVAL TIMEOUT`, with `Watch`
objects on standard input and snapshots on standard output (see `berth.hub.pipe`).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from berth.hub import pipe
from berth.hub.ends import Ends
from berth.hub.pace import Kind
from berth.hub.snapshot import Part, Snapshot, Watch
from berth.slurm import client, openings, records

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WAKE_INTERVAL = 1.0
"""Seconds between two rounds that were asked for by a wake-up."""
SLOW_SECONDS = 1.0
"""An answer that took longer is handed over at once, the others at the end of their round."""
ACCOUNTS_INTERVAL = 60.0
"""Seconds between two readings of associations and QOS, which change rarely."""

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
        """Nothing was asked yet: everything is due."""
        self._queue = Kind(self.interval)
        self._lookup = Kind(0.0)
        self._nodes = Kind(self.interval)
        self._accounts = Kind(ACCOUNTS_INTERVAL)
        self._ends = Ends(self.timeout)
        self._connected: client.Commands | None = None

    async def _json(self, argv: list[str]) -> dict[str, Any]:
        return client.decode(await client.run(argv, self.timeout))

    async def _commands(self) -> client.Commands:
        """Return the commands for the installed version, which is asked for once."""
        if self._connected is None:
            self._connected = await client.connect(self.bin_dir, self.timeout)
        return self._connected

    async def _ask_queue(self) -> None:
        commands = await self._commands()
        asked_at = time.time()
        document = await self._json(commands.jobs(self.partition))
        jobs = {job.job_id: job for job in records.parse_jobs(document)}
        self.snapshot = replace(self.snapshot, jobs=jobs, jobs_part=Part(asked_at))

    async def _ask_ends(self) -> None:
        commands = await self._commands()
        asked_at = time.time()
        # Whether there is accounting seldom changes: after the first time it is asked for with the accounts.
        controller = self.snapshot.controller or await self._ask_controller()
        await self._ends.ask(commands, controller, self.watch, self.snapshot.jobs)
        self.snapshot = replace(
            self.snapshot,
            ended=self._ends.jobs,
            forgotten=self._ends.forgotten,
            ends_part=Part(asked_at),
        )

    async def _ask_controller(self) -> records.Controller:
        commands = await self._commands()
        controller = records.parse_controller(await client.run(commands.controller(), self.timeout))
        self.snapshot = replace(self.snapshot, controller=controller)
        return controller

    async def _ask_nodes(self) -> None:
        commands = await self._commands()
        asked_at = time.time()
        nodes = records.parse_nodes(await self._json(commands.nodes()))
        partitions = records.parse_partitions(await self._json(commands.partition(self.partition)))
        reservations = records.parse_reservations(await self._json(commands.reservations()))
        self.snapshot = replace(
            self.snapshot,
            nodes=tuple(node for node in nodes if self.partition in node.partitions),
            partition=next((item for item in partitions if item.name == self.partition), None),
            reservations=tuple(reservations),
            nodes_part=Part(asked_at),
        )

    async def _ask_accounts(self) -> None:
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
        self.snapshot = replace(
            self.snapshot,
            associations=tuple(associations),
            qos={item.name: item for item in qos},
            accounts_part=Part(asked_at),
        )

    async def round(
        self, *, woken: bool, hand_over: Callable[[Snapshot], Awaitable[None]] | None = None
    ) -> bool:
        """Ask what is due (the queue at once when woken); return whether anything was asked.

        An answer that took long is handed over before the next question: nobody shall wait for all of them.
        """
        kinds: tuple[tuple[Kind, str, Callable[[], Awaitable[None]], bool], ...] = (
            (self._queue, "jobs_part", self._ask_queue, woken),
            # What the queue does not list is looked up after it, by a question with a pace of its own.
            (self._lookup, "ends_part", self._ask_ends, False),
            (self._nodes, "nodes_part", self._ask_nodes, False),
            (self._accounts, "accounts_part", self._ask_accounts, False),
        )
        asked = handed = False
        for kind, part, ask, forced in kinds:
            started = time.monotonic()
            if (not forced and started < kind.due_at) or (kind is self._lookup and not asked):
                continue
            asked = True
            await self._attempt(kind, part, ask)
            self._count()
            handed = hand_over is not None and time.monotonic() - started > SLOW_SECONDS
            if hand_over is not None and handed:
                await hand_over(self.snapshot)
        if asked and not handed and hand_over is not None:
            await hand_over(self.snapshot)
        return asked

    async def _attempt(self, kind: Kind, part: str, ask: Callable[[], Awaitable[None]]) -> None:
        started = time.monotonic()
        try:
            await ask()
        except Exception as error:  # an answer nobody thought of is none, and must not end the collector
            if not isinstance(error, client.SlurmError):
                log.exception("An answer of Slurm cannot be used.")
            unanswered = replace(getattr(self.snapshot, part), error=str(error) or type(error).__name__)
            self.snapshot = replace(self.snapshot, **{part: unanswered})
            kind.finished(started, time.monotonic(), failed=True)
        else:
            kind.finished(started, time.monotonic(), failed=False)

    def _count(self) -> None:
        state = self.snapshot
        free = openings.count(
            state.nodes,
            tuple(state.jobs.values()),
            state.reservations,
            shared_by=state.shared_by,
            now=time.time(),
        )
        self.snapshot = replace(state, openings=free)

    @property
    def next_due(self) -> float:
        """Monotonic time at which the next question is due."""
        return min(self._queue.due_at, self._nodes.due_at, self._accounts.due_at)


async def _serve(collector: Collector, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    woken = asyncio.Event()

    async def listen() -> None:
        while True:
            message = await pipe.receive(reader)
            if isinstance(message, Watch):
                collector.watch = message
            else:
                woken.set()

    async def beat() -> None:
        while True:
            pipe.send(writer, pipe.BEAT)
            await asyncio.sleep(pipe.BEAT_SECONDS)

    async def hand_over(snapshot: Snapshot) -> None:
        pipe.send(writer, snapshot)
        await writer.drain()

    listener, beating = asyncio.create_task(listen()), asyncio.create_task(beat())
    while not listener.done():
        started = time.monotonic()
        was_woken = woken.is_set()
        woken.clear()
        await collector.round(woken=was_woken, hand_over=hand_over)
        pause = asyncio.create_task(_until_due(collector, woken, started + WAKE_INTERVAL))
        await asyncio.wait({pause, listener}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
    beating.cancel()


async def _until_due(collector: Collector, woken: asyncio.Event, not_before: float) -> None:
    """Return when a question is due, or when woken, but then not within a second of the last round."""
    try:
        await asyncio.wait_for(woken.wait(), max(0.0, collector.next_due - time.monotonic()))
    except TimeoutError:
        return
    await asyncio.sleep(max(0.0, not_before - time.monotonic()))


async def _main(arguments: list[str]) -> None:
    partition, bin_dir, interval, timeout = arguments
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
