"""PyTorch for the CPU. PyPI has it for CUDA only: the CPU build has to lie on disk, where pip finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.releases.channel.recipes.wheels import converted
from tests.releases.channel.work import DownloadError, pins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.releases.channel.package import Package
    from tests.releases.channel.work import Work


def packages(work: Work) -> Iterator[Package]:
    """Yield `pytorch`."""
    try:
        yield from converted(work, pins("pytorch"))
    except DownloadError:
        raise DownloadError(
            "PyTorch's CPU build (torch 2.13.0+cpu for Python 3.11) is not on this machine, and PyPI has "
            "none: put the wheel into a directory and name that in PIP_FIND_LINKS."
        ) from None
