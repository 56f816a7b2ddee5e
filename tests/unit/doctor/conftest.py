from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.doctor import places

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Settings of a hub that is well."""
    places.settings(tmp_path)
    return tmp_path
