"""Which accounts and reservations a user may use, and what Slurm's limits let their jobs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.hub.form.options import NO_ACCOUNT
from berth.hub.form.rules import AccountRules, ReservationRules
from berth.hub.texts import words
from berth.hub.texts.labels import RESOURCES
from berth.hub.texts.text import say
from berth.slurm.answers import qos
from berth.slurm.free import enforced as slurm_limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.texts.text import Text
    from berth.slurm.answers.records import Association, Job, Reservation
    from berth.slurm.free.enforced import Enforced, Use

Accounts = dict[str, "Association | None"]
"""Associations by account; `NO_ACCOUNT` where a job needs none."""


def accounts_of(user: str, snapshot: Snapshot) -> Accounts:
    """Return the accounts that sessions of `user` may be charged to, the default one first.

    Where Slurm asks for no account and the user has none, that is `NO_ACCOUNT` alone.
    """
    own = snapshot.associations_of(user)
    controller = snapshot.controller
    if not own and controller is not None and not controller.associations:
        return {NO_ACCOUNT: None}
    return {item.account: item for item in own if _admitted(item, snapshot)}


def _admitted(item: Association, snapshot: Snapshot) -> bool:
    """Tell whether the partition takes jobs of an association."""
    partition, controller = snapshot.partition, snapshot.controller
    if partition is None:
        return True
    trees = controller is None or controller.accounts_are_trees
    names = item.accounts if trees else (item.account,)
    return partition.admits_accounts(names) and partition.admits_qos(slurm_limits.job_qos(item))


def obstacle(user: str, groups: Collection[str], snapshot: Snapshot) -> Text | None:
    """Return a sentence when `user` can start nothing at all because of Slurm, else None."""
    if not snapshot.complete:
        return say("form.unanswered")
    if snapshot.partition is not None and not snapshot.partition.admits_groups(groups):
        return say("form.not_in_group", groups=", ".join(snapshot.partition.allow_groups))
    if accounts_of(user, snapshot):
        return None
    if own := snapshot.associations_of(user):
        return say("form.accounts_refused", accounts=", ".join(item.account for item in own))
    return say("form.no_account")


def account_rules(user: str, snapshot: Snapshot, association: Association | None) -> AccountRules:
    """Return what holds for the jobs of `user` that are charged to one account."""
    controller = snapshot.controller
    enforced = slurm_limits.enforced(
        association,
        snapshot.partition,
        snapshot.qos,
        limits=controller is not None and controller.limits,
    )
    own = [job for job in snapshot.jobs.values() if job.user == user]
    return AccountRules(enforced, _full(enforced, own, association), dict(_notes(enforced, own, association)))


def _counted(enforced: Enforced, what: str, jobs: Sequence[Job], association: Association | None) -> int:
    """Return how much of a limit is in use, as far as the jobs of the partition tell."""
    alone = what in enforced.by_account and association is not None
    counted = [job for job in jobs if association is None or not alone or job.account == association.account]
    return slurm_limits.used(counted, what)


def _full(enforced: Enforced, jobs: Sequence[Job], association: Association | None) -> Text | None:
    """Return a sentence when the user has as many jobs in the queue as Slurm takes."""
    most = enforced.limits.get((qos.USER, qos.SUBMIT))
    if most is None or _counted(enforced, qos.SUBMIT, jobs, association) < most:
        return None
    return say("form.queue_full", count=most)


def _notes(
    enforced: Enforced, jobs: Sequence[Job], association: Association | None
) -> Iterator[tuple[str, Text]]:
    """Yield what the user's running jobs leave of the limits that make a request wait."""
    most = enforced.limits.get((qos.USER, qos.JOBS))
    if most is not None and _counted(enforced, qos.JOBS, jobs, association) >= most:
        yield "", say("form.wait_jobs", count=most)
    for name, what in RESOURCES.items():
        use = enforced.use(jobs, what)
        if use is not None and use.used:
            yield name, _left(name, use)


def _left(name: str, use: Use) -> Text:
    used, most, left = use.used, use.most, use.left
    match name:
        case "memory":
            return say(
                "form.wait_memory", used=words.size(used), most=words.size(most), left=words.size(left)
            )
        case "gpus":
            return say("form.wait_gpus", used=used, most=most, left=left)
        case _:
            return say("form.wait_cores", used=used, most=most, left=left)


def reservation_rules(
    user: str,
    groups: Collection[str],
    snapshot: Snapshot,
    accounts: Mapping[str, Association | None],
    now: float,
) -> list[tuple[Reservation, ReservationRules]]:
    """Return the reservations that `user` may use now or later, those that begin first before the others."""
    partition = snapshot.partition.name if snapshot.partition is not None else None
    found = []
    for item in sorted(snapshot.reservations, key=lambda item: (item.start, item.name)):
        if item.end <= now or item.partition not in {None, "", partition} or not item.admits(user, groups):
            continue
        fitting = frozenset(
            name
            for name, own in accounts.items()
            if item.admits_account(own.accounts if own is not None else ())
        )
        if fitting:
            found.append((item, _reservation_rules(item, fitting, now)))
    return found


def _reservation_rules(item: Reservation, accounts: frozenset[str], now: float) -> ReservationRules:
    later = item.start > now
    return ReservationRules(
        accounts=accounts,
        minutes=item.minutes(now),
        nodes=None if item.flexible or not item.nodes else frozenset(item.nodes),
        note=say("form.wait_reservation", wait=words.until(item.start - now)) if later else None,
    )
