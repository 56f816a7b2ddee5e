"""Associations: who may charge which account, as ``sacctmgr`` tells."""

from __future__ import annotations

from dataclasses import dataclass

from berth.slurm.errors import SlurmValueError


@dataclass(frozen=True)
class Association:
    """One user's right to use an account, in every partition unless one is named."""

    user: str
    account: str
    partition: str | None
    is_default: bool
    """Whether it is the account that jobs without one are charged to."""
    qos: tuple[str, ...] = ()


def parse_associations(associations: str, default_accounts: str) -> list[Association]:
    """Read the two answers of sacctmgr (see :class:`berth.slurm.client.Commands`).

    *associations* holds lines ``user|account|partition|default QOS|QOS``, *default_accounts* lines
    ``user|account``. Lines without a user describe an account and are passed over.

    Raises:
        SlurmValueError: a line has not that many fields.
    """
    defaults = dict(_rows(default_accounts, 2))
    return [
        Association(
            user=user,
            account=account,
            partition=partition or None,
            is_default=defaults.get(user) == account,
            qos=tuple(name for name in qos.split(",") if name),
        )
        for user, account, partition, _, qos in _rows(associations, 5)
        if user
    ]


def _rows(text: str, fields: int) -> list[list[str]]:
    rows = [line.split("|") for line in text.splitlines() if line]
    for row in rows:
        if len(row) != fields:
            raise SlurmValueError(f"{'|'.join(row)[:80]!r} in sacctmgr's answer has not {fields} fields")
    return rows
