"""Wheels of the large environments: Dask, Ray, TensorFlow, Transformers, MDAnalysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.recipes.wheels import converted
from tests.releases.channel.work import pins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.package import Package
    from tests.releases.channel.work import Work


def packages(work: Work) -> Iterator[Package]:
    """Yield a package for each wheel of the lock `full` that is not among the small ones."""
    small = list(pins("small"))
    yield from converted(work, [pin for pin in pins("full") if pin not in small])
