"""After converging again: the service is back, and users find what they had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.sessions import running

if TYPE_CHECKING:
    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor


def test_a_session_starts_and_finds_its_user_s_files(slurm: Slurm, login: Machine, alice: Visitor) -> None:
    with running(slurm, alice):
        names = {item["name"] for item in alice.lab("GET", "contents").raise_for_status().json()["content"]}
        assert "kept-by-alice" in names
    assert login.run("cat", "/home/alice/kept-by-alice/notes")
