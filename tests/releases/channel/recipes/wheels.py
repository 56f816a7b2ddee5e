"""Wheels that every lab has: ipykernel, numpy, pandas, matplotlib in two versions, and what conda imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.wheel import convert
from tests.releases.channel.work import pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.releases.channel.package import Package
    from tests.releases.channel.work import Work


def packages(work: Work) -> Iterator[Package]:
    """Yield a package for each wheel of the locks `small` and `older`."""
    small = list(pins("small"))
    # One call takes one version of a package.
    yield from converted(work, small)
    yield from converted(work, [pin for pin in pins("older") if pin not in small])


def converted(work: Work, wanted: Iterable[str], dropped: Iterable[str] = ()) -> Iterator[Package]:
    """Download wheels and make packages of them."""
    wheels = work.wheels(*wanted)
    others = {wheel.name: wheel.metadata for wheel in wheels}
    for wheel in wheels:
        yield convert(wheel, others, dropped)
