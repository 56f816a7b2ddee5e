"""Associations: who may charge which account with which limits, as ``sacctmgr`` tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from berth.slurm.answers import qos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.slurm.answers.qos import Limits

COLUMNS = (
    "user,account,partition,defaultqos,qos,parentname,"
    "maxwall,maxtres,maxtrespernode,grptres,maxjobs,maxsubmit"
)
"""The columns of ``sacctmgr show assoc`` that :func:`parse_associations` reads."""


@dataclass(frozen=True)
class Association:
    """One user's right to use an account, in every partition unless one is named."""

    user: str
    account: str
    partition: str | None
    is_default: bool
    """Whether it is the account that jobs without one are charged to."""
    qos: tuple[str, ...] = ()
    """QOS that its jobs may have."""
    default_qos: str = ""
    """QOS of a job that asks for none; empty where Slurm decides."""
    above: tuple[str, ...] = ()
    """The accounts above its own, the nearest first."""
    limits: Limits = field(default_factory=dict)
    """Its limits; those of groups are the lowest of its own and of the accounts above."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Its account and those above: rules for accounts hold for what is below, too."""
        return (self.account, *self.above)


def parse_associations(associations: str, default_accounts: str) -> list[Association]:
    """Read the two answers of sacctmgr (see :class:`berth.slurm.answers.client.Commands`).

    *associations* holds lines of :data:`COLUMNS`, *default_accounts* lines ``user|account``. Lines without a
    user describe an account: they say what is above it, and what a group of accounts may have together.

    Raises:
        SlurmValueError: a line has not that many fields, or no limit where one should be.
    """
    defaults = dict(qos.rows(default_accounts, 2))
    found = qos.rows(associations, len(COLUMNS.split(",")))
    tree = {row[1]: row for row in found if not row[0]}
    return [_association(row, tree, defaults.get(row[0])) for row in found if row[0]]


def _association(row: list[str], tree: dict[str, list[str]], default_account: str | None) -> Association:
    user, account, partition, default_qos, names = row[:5]
    lineage = list(_lineage(account, tree))
    limits = _limits(row)
    for name in lineage:
        for key, limit in qos.resources(qos.GROUP, tree[name][9] if name in tree else ""):
            limits[key] = min(limit, limits.get(key, limit))
    return Association(
        user=user,
        account=account,
        partition=partition or None,
        is_default=default_account == account,
        qos=tuple(name for name in names.split(",") if name),
        default_qos=default_qos,
        above=tuple(lineage[1:]),
        limits=limits,
    )


def _limits(row: list[str]) -> dict[tuple[str, str], int]:
    wall, job, node, group, jobs, submit = row[6:]
    limits = dict(
        [*qos.resources(qos.JOB, job), *qos.resources(qos.NODE, node), *qos.resources(qos.GROUP, group)]
    )
    return (
        limits | qos.wall_limit(wall) | qos.count_limit(qos.JOBS, jobs) | qos.count_limit(qos.SUBMIT, submit)
    )


def _lineage(account: str, tree: dict[str, list[str]]) -> Iterator[str]:
    """Yield an account and those above; a circle, which Slurm does not make, ends."""
    seen: set[str] = set()
    while account and account not in seen:
        seen.add(account)
        yield account
        account = tree[account][5] if account in tree else ""
