"""What is built is what the lock names: whole or not at all, shared, readable, and the same each time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.releases.conftest import Site


def test_smoke(site: Site) -> None:
    first = site.apply()
    assert first.changed
    assert len(first.built) == 4
    os.system(
        f"cd {site.root}; find . -not -path './.packages/*' | sort | head -100; cat index.json; cat 2026.11/kernels-*/share/jupyter/kernels/*/start; cat 2026.11/conda-*/.condarc; cat 2026.11/python-*/.berth.json"
    )
    assert not site.apply().changed
