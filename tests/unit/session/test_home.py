"""What a session does in the home once it serves, as the layer's settings have it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from berth.session import home, links
from berth.session.links import Area

if TYPE_CHECKING:
    from pathlib import Path

    from berth.session.launch import Launch


@pytest.mark.parametrize(("wanted", "made"), [(True, ["work"]), (False, [])])
def test_links_to_the_areas_are_made_unless_the_site_has_switched_them_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: object, made: list[str]
) -> None:
    threads: list[Any] = []
    start = links.start
    monkeypatch.setattr(links, "start", lambda *given: threads.append(start(*given)))
    place, own = tmp_path / "work", tmp_path / "home"
    (place / "alice").mkdir(parents=True)
    own.mkdir()
    launch = SimpleNamespace(
        assignment=SimpleNamespace(home=own, user="alice", account="proj_a"),
        settings=SimpleNamespace(
            links=wanted, areas=(Area("work", f"{place}/{{user}}"),), kernel_oom_score_adj=0
        ),
        preparations={},
    )
    home.start(cast("Launch", launch))
    for thread in threads:
        thread.join(30)
    assert [item.name for item in own.iterdir()] == made
