"""Where a new job could start: counted once for each snapshot, asked by many. Pure, as `capacity` is.

Of nodes that the same reservations hold, only those rooms are kept that no other room covers. That is a few
hundred at most, however many nodes there are, so that a question costs a fraction of a millisecond.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from berth.slurm.free import capacity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from berth.slurm.answers.jobs import Job
    from berth.slurm.answers.nodes import Node
    from berth.slurm.answers.reservations import Reservation
    from berth.slurm.free.capacity import Request, Room

# Why a job waits that would take what becomes free; any other one waits for something else.
_WAITS_FOR_ROOM = frozenset({"", "None", "Priority", "Resources"})


@dataclass(frozen=True)
class Cell:
    """Nodes with the same number of free GPUs, and the most that a session can get on one of them."""

    nodes: int
    cores: int
    memory_mib: int


@dataclass(frozen=True)
class GpuRow:
    """One row of the table of free GPUs."""

    gpu_type: str | None
    """``""`` for GPUs without a type, ``None`` for the nodes without a GPU."""
    total: int
    """Most GPUs of that type that a node has."""
    cells: dict[int, Cell]
    """By the number of free GPUs; a number that no node has is left out."""


@dataclass(frozen=True)
class Pool:
    """Nodes that take jobs and that the same reservations hold, now or later."""

    held_by: frozenset[str]
    """Names of the reservations that list the nodes."""
    claimed: str | None
    """The reservation that the nodes say they are in now, be it not listed yet."""
    rooms: tuple[Room, ...]

    def open_until(self, reservation: str | None, listed: Mapping[str, Reservation], now: float) -> float:
        """Return when a job in *reservation* (or none) must have ended here (Unix time); 0.0: closed now."""
        if self.claimed not in {None, reservation}:
            return 0.0
        if reservation is not None:
            own = listed.get(reservation)
            inside = own is not None and reservation in self.held_by and own.active(now)
            if not inside and not (own is not None and own.flexible):
                return 0.0
        end = inf  # not that of the own reservation: Slurm starts a job that lasts longer, and ends it then
        for name in self.held_by - {reservation}:
            other = listed[name]
            if other.active(now):
                return 0.0
            if other.start > now:
                end = min(end, other.start)
        return end


@dataclass(frozen=True)
class Openings:
    """What is free at the moment of one snapshot, for those in a reservation and for those in none."""

    tables: Mapping[str | None, tuple[GpuRow, ...]] = field(default_factory=dict)
    """Nodes by number of free GPUs for jobs without a reservation (``None``) and in each that has nodes."""
    pools: tuple[Pool, ...] = ()
    """With those rooms only that no other room of the pool covers."""
    ahead: Mapping[str | None, int] = field(default_factory=dict)
    """How many jobs wait for room, by their reservation."""
    listed: Mapping[str, Reservation] = field(default_factory=dict)
    """The reservations by name."""

    def rooms(self, reservation: str | None, now: float) -> Iterator[tuple[Room, float]]:
        """Give the rooms that are open to a job in *reservation*, each with the time when it closes."""
        for pool in self.pools:
            until = pool.open_until(reservation, self.listed, now)
            if until > now:
                for room in pool.rooms:
                    yield room, until

    def starts(self, request: Request, now: float) -> bool:
        """Tell whether some node has room for *request* now, as far as the snapshot tells.

        A job that would still run when a reservation of others begins must wait. It is a hint: limits of
        accounts and the order of the queue are for Slurm to judge.
        """
        end = inf if request.minutes is None else now + request.minutes * 60
        return any(
            end <= until and room.fits(request) for room, until in self.rooms(request.reservation, now)
        )


def count(
    nodes: Iterable[Node],
    jobs: Sequence[Job],
    reservations: Iterable[Reservation] = (),
    *,
    shared_by: int,
    now: float,
) -> Openings:
    """Count what is free; *shared_by* is the number of users per core.

    Nodes that take no job (see :attr:`berth.slurm.answers.nodes.Node.schedulable`) are left out altogether.
    """
    listed = {item.name: item for item in reservations}
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for item in listed.values():
        for name in item.nodes:
            holders[name].add(item.name)
    found: defaultdict[tuple[frozenset[str], str | None], list[Room]] = defaultdict(list)
    for room in capacity.rooms((node for node in nodes if node.schedulable), jobs, shared_by=shared_by):
        found[frozenset(holders[room.node.name]), room.node.reservation].append(room)
    pools = [Pool(*key, tuple(rooms)) for key, rooms in found.items()]
    return Openings(
        tables={name: _table(pools, name, listed, now) for name in (None, *_with_nodes(pools))},
        pools=tuple(Pool(pool.held_by, pool.claimed, _uncovered(pool.rooms)) for pool in pools),
        ahead=Counter(job.reservation for job in jobs if job.pending and job.reason in _WAITS_FOR_ROOM),
        listed=listed,
    )


def _with_nodes(pools: Iterable[Pool]) -> list[str]:
    return sorted({name for pool in pools for name in pool.held_by})


def _table(
    pools: Iterable[Pool], reservation: str | None, listed: Mapping[str, Reservation], now: float
) -> tuple[GpuRow, ...]:
    """Return the rows, sorted by type; in a reservation only its own nodes are counted.

    A node counts as one without anything free if a reservation keeps the job out, or if no core or no memory
    is left: its GPUs could not be had.
    """
    cells: defaultdict[str | None, dict[int, Cell]] = defaultdict(dict)
    total: Counter[str | None] = Counter()
    for pool in pools:
        if reservation is not None and reservation not in pool.held_by:
            continue
        is_open = pool.open_until(reservation, listed, now) > now
        for room in pool.rooms:
            usable = is_open and room.widest > 0 and room.memory_mib > 0
            cores, memory = (room.widest, room.memory_mib) if usable else (0, 0)
            for kind, count in room.gpus.items() or [(None, 0)]:
                free = count if usable else 0
                old = cells[kind].get(free, Cell(0, 0, 0))
                cells[kind][free] = Cell(old.nodes + 1, max(old.cores, cores), max(old.memory_mib, memory))
                total[kind] = max(total[kind], room.node.gpus.get(kind or "", 0))
    order = sorted(cells, key=lambda kind: (kind is None, kind or ""))
    return tuple(GpuRow(kind, total[kind], dict(sorted(cells[kind].items()))) for kind in order)


def _uncovered(rooms: Iterable[Room]) -> tuple[Room, ...]:
    """Leave out every room that another one covers."""
    largest: dict[tuple[tuple[tuple[str, int], ...], int], Room] = {}
    for room in rooms:  # most nodes are alike: of those that differ in memory only, one is left
        key = (tuple(sorted(room.gpus.items())), room.widest)
        if key not in largest or largest[key].memory_mib < room.memory_mib:
            largest[key] = room
    kept: list[Room] = []
    for room in sorted(largest.values(), key=_size, reverse=True):  # a room comes after those that cover it
        if not any(other.covers(room) for other in kept):
            kept.append(room)
    return tuple(kept)


def _size(room: Room) -> tuple[int, int, int]:
    return (room.widest, room.memory_mib, sum(room.gpus.values()))
