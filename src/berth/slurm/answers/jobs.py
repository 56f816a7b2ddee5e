"""Jobs, as ``squeue --json`` and ``scontrol show job --json`` list them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from berth.slurm.answers import document
from berth.slurm.errors import SlurmValueError
from berth.slurm.notation import gres, tres

# No state of Slurm: its controller has no such job any more, and no accounting remembers how it ended.
FORGOTTEN = "FORGOTTEN"
# The base states of a job that is over, whatever else is said of it. Nothing else proves an end.
ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"}
    | {"OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT", FORGOTTEN},
)
# States in which a job holds what it was given: processes may live, memory and GPUs are not free.
_ALIVE = frozenset(
    {"RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STAGE_OUT"}
    | {"RESIZING", "SIGNALING", "STOPPED", "POWER_UP_NODE"},
)
# Flags that say more than the base state beside them, the most telling first: a cancelled job that
# is COMPLETING still holds its node, a running one that is CONFIGURING has no process yet.
_TELLING = ("COMPLETING", "STAGE_OUT", "CONFIGURING")
# Slurm 22.05 writes a flag instead of the base state; a job that is requeued waits.
_REQUEUED = frozenset({"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
# The tasks of an array in Slurm's notation: "1-4", "1,3,5-9:2", with "%2" behind it for two at a time.
_TASKS = re.compile(r"(?P<first>[0-9]+)(?:-(?P<last>[0-9]+)(?::(?P<step>[1-9][0-9]*))?)?")


@dataclass(frozen=True)
class Job:
    """One job, array tasks that wait folded into one. Times are Unix seconds, ``None`` where not known."""

    job_id: int
    name: str
    user: str
    account: str
    partition: str
    state: str
    """Base state, or ``COMPLETING``, ``STAGE_OUT``, ``CONFIGURING`` where that is also said."""
    reason: str = ""
    """Why it waits or ended, in Slurm's word; empty for none."""
    nodes: tuple[str, ...] = ()
    cpus: int = 0
    """CPUs on all its nodes."""
    memory_mib: int = 0
    """Memory on each of its nodes."""
    gpus: dict[str, int] = field(default_factory=dict)
    """GPUs on all its nodes by type; ``""`` stands for no type."""
    submit_time: int | None = None
    start_time: int | None = None
    """When it started; while it waits, when Slurm expects to start it."""
    end_time: int | None = None
    """When it ended; while it runs, when its time limit ends it."""
    time_limit: int | None = None
    """Minutes; ``None`` for no limit."""
    restarts: int = 0
    exit_code: int | None = None
    signal: int | None = None
    reservation: str | None = None
    priority: int | None = None
    """What orders the queue: higher comes first; 0 for a job that is held."""
    tasks: int = 1
    """How many tasks that wait are folded into this one; 1 where Slurm does not spell them out."""
    peak_memory_mib: int | None = None
    """Most memory that one of its steps was seen to use; accounting alone knows it, as all that follows."""
    cpu_seconds: float | None = None
    """Time of CPUs that its processes used."""
    cancelled_by: str = ""
    """The user who cancelled it; empty where nobody did, or where it is not known."""
    usage_complete: bool = False
    """Whether all its steps are accounted for, so that the figures above are final."""

    @property
    def pending(self) -> bool:
        """Whether it waits for resources, a requeued one included."""
        return self.state == "PENDING" or self.state in _REQUEUED

    @property
    def running(self) -> bool:
        """Whether it is alive: it holds its resources, be it starting, suspended or completing."""
        return self.state in _ALIVE

    @property
    def ended(self) -> bool:
        """Whether Slurm says positively that it is over; a state that is not known is no end."""
        return self.state in ENDED

    @property
    def cancelled_by_user(self) -> bool:
        """Whether its own user cancelled it, as far as is known: only accounting says who did."""
        return self.state == "CANCELLED" and self.cancelled_by in {"", self.user}


def parse_jobs(answer: object) -> list[Job]:
    """Read jobs from the decoded answer. Slurm 22.05 lists every job there, ended ones too.

    Raises:
        SlurmValueError: the answer is not a list of jobs.
    """
    return [_job(record) for record in document.records(answer, "jobs")]


def job_id(record: document.Record) -> int:
    """Return the number of a job, which no record can be without."""
    found = document.number(record, "job_id")
    if not found:
        raise SlurmValueError("job_id: is missing in Slurm's answer")
    return found


def base_state(states: tuple[str, ...]) -> str:
    """Return the one word that tells most about a job (see :attr:`Job.state`)."""
    if not states or not states[0]:
        raise SlurmValueError("job_state: is missing in Slurm's answer")
    known = [state.upper() for state in states]
    return next((flag for flag in _TELLING if flag in known), known[0])


def exit_status(record: document.Record) -> tuple[int | None, int | None]:
    """Return exit code and signal; a wait status in 22.05's squeue, else a record of its own."""
    value = record.get("exit_code")
    if isinstance(value, int):
        return (None, value & 0x7F) if value & 0x7F else (value >> 8 & 0xFF, None)
    status = document.section(record, "exit_code")
    signal = document.section(status, "signal")
    number = document.number(signal, "id") or document.number(signal, "signal_id")
    return (None, number) if number else (document.number(status, "return_code"), None)


def _job(record: document.Record) -> Job:
    state = base_state(document.words(record, "job_state"))
    code, signal = exit_status(record)
    over = state in ENDED or state == "COMPLETING"
    reason = document.text(record, "state_reason")
    return Job(
        job_id=job_id(record),
        name=document.text(record, "name"),
        user=document.text(record, "user_name"),
        account=document.text(record, "account"),
        partition=document.text(record, "partition"),
        state=state,
        reason="" if reason == "None" else reason,
        nodes=document.hosts(record, "nodes"),
        cpus=document.number(record, "cpus") or 0,
        memory_mib=_memory(record),
        gpus=_gpus(record),
        submit_time=document.moment(record, "submit_time"),
        start_time=document.moment(record, "start_time"),
        end_time=document.moment(record, "end_time"),
        time_limit=document.number(record, "time_limit"),
        restarts=document.number(record, "restart_cnt") or 0,
        exit_code=code if over else None,
        signal=signal if over else None,
        reservation=document.text(record, "resv_name") or None,
        priority=document.number(record, "priority"),
        tasks=_tasks(document.text(record, "array_task_string")),
    )


def _tasks(text: str) -> int:
    """Count the tasks of an array that wait; squeue cuts a long list short, which then counts as one."""
    found = [_TASKS.fullmatch(part) for part in text.partition("%")[0].split(",")]
    ranges = [
        range(int(part["first"]), int(part["last"] or part["first"]) + 1, int(part["step"] or 1))
        for part in found
        if part is not None
    ]
    return max(1, sum(map(len, ranges))) if len(ranges) == len(found) else 1


def _node_count(record: document.Record) -> int:
    return max(1, document.number(record, "node_count") or 1)


def _memory(record: document.Record) -> int:
    """Return the memory on each node: asked per node, or per CPU, or else what Slurm accounts for."""
    nodes = _node_count(record)
    per_node = document.number(record, "memory_per_node")
    if per_node:  # 0 asks for all that the node has
        return per_node
    per_cpu = document.number(record, "memory_per_cpu")
    if per_cpu:
        return per_cpu * -(-(document.number(record, "cpus") or 0) // nodes)
    text = document.text(record, "tres_alloc_str") or document.text(record, "tres_req_str")
    return -(-tres.memory(text) // nodes)


def _gpus(record: document.Record) -> dict[str, int]:
    """Return the GPUs on all nodes.

    What was given is known exactly; what is asked stands in the TRES only if the site accounts for GPUs,
    else in the request itself.
    """
    given = [gres.gpu_counts(text) for text in document.words(record, "gres_detail")]
    for texts in (document.text(record, "tres_alloc_str"), document.text(record, "tres_req_str")):
        given = given or [counts for counts in [tres.gpus(texts)] if counts]
    if not given:
        per_node = gres.gpu_counts(document.text(record, "tres_per_node"))
        given = [per_node] * _node_count(record) if per_node else []
        given = given or [gres.gpu_counts(document.text(record, "tres_per_job"))]
    kinds = dict.fromkeys(kind for counts in given for kind in counts)
    return {kind: sum(counts.get(kind, 0) for counts in given) for kind in kinds}
