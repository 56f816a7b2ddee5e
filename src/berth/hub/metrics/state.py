"""Figures of what is now: read from what the hub knows anyway, whenever Prometheus asks for them."""

from __future__ import annotations

import time
from collections import Counter
from itertools import product
from math import inf
from typing import TYPE_CHECKING, Final

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from berth.hub.metrics.figures import KINDS, PREFIX
from berth.hub.session.state import READY, STOPPING, SUBMITTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from berth.hub.collector.snapshot import Snapshot
    from berth.hub.service import Followed, Service

STATES: Final = ("submitting", "pending", "booting", "running", "stopping")
"""Where a session can stand."""
NO_TYPE: Final = "gpu"
"""What a GPU without a type is called: as Slurm calls the resource."""


def expose(service: Service, registry: CollectorRegistry = REGISTRY) -> None:
    """Have the figures of a hub among those of a registry."""
    registry.register(HubState(service))


class HubState(Collector):
    """The figures of one hub. Costs a few microseconds for each session; asks Slurm nothing."""

    def __init__(self, service: Service) -> None:
        """Read from what all spawners share."""
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: what is registered is not to be read yet."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return all of them."""
        snapshot = self._service.collector.snapshot
        yield self._sessions(snapshot)
        yield _gpus(snapshot)
        yield _ages(snapshot, time.time())

    def _sessions(self, snapshot: Snapshot) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            f"{PREFIX}_sessions", "Sessions by their state", labels=["state", "release", "interface"]
        )
        releases = [item.name for item in self._service.installed_last()] or [
            ""
        ]  # sums shall be 0, not absent
        interfaces = [item.name for item in self._service.form.interfaces]
        found = Counter(dict.fromkeys(product(STATES, releases, interfaces), 0))
        for item in list(self._service.followed.values()):
            asked = item.record.asked
            labels = (state(item, snapshot), str(asked.get("release", "")), str(asked.get("interface", "")))
            found[labels] += 1
        for labels, count in found.items():
            family.add_metric(labels, count)
        return family


def state(item: Followed, snapshot: Snapshot) -> str:
    """Return which of `STATES` a session is in."""
    record = item.record
    if item.abandoned or record.phase == STOPPING:
        return "stopping"
    if record.phase == READY:
        return "running"
    if record.phase == SUBMITTING:
        return "submitting"
    job = snapshot.job(record.job_id, record.job_name, item.user)
    return "booting" if job is not None and not job.pending else "pending"


def _gpus(snapshot: Snapshot) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        f"{PREFIX}_gpus",
        "GPUs of the partition by type: allocated, idle, out of service",
        labels=["type", "state"],
    )
    for kind, total in sorted(snapshot.gpu_totals.items()):
        for name, value in (
            ("allocated", total.allocated),
            ("idle", total.idle),
            ("unavailable", total.unavailable),
        ):
            family.add_metric((kind or NO_TYPE, name), value)
    return family


def _ages(snapshot: Snapshot, now: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        f"{PREFIX}_slurm_snapshot_age_seconds",
        "Seconds since Slurm was asked what the hub shows; infinite until it has answered once",
        labels=["kind"],
    )
    for part, kind in KINDS.items():
        asked_at = getattr(snapshot, part).asked_at
        family.add_metric((kind,), max(0.0, now - asked_at) if asked_at else inf)
    return family
