from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.shards import plan
from tests.shards.plan import PlanError, Proof, Shard

if TYPE_CHECKING:
    from pathlib import Path

EVERY = {
    name: Shard(name, "something", "test", name, inputs=inputs)
    for name, inputs in {
        "core": (".",),
        "docs": ("docs",),
        "roles": ("roles",),
        "source": ("src",),
    }.items()
}


def proved(*names: str) -> dict[str, Proof]:
    return {name: Proof("abc1234", plan.digest(EVERY[name])) for name in names}


def names(found: list[Shard]) -> list[str]:
    return [shard.name for shard in found]


def test_the_shards_of_the_repository_can_be_read_and_the_core_comes_first() -> None:
    every = plan.shards()
    assert next(iter(every)) == "core"
    for shard in every.values():
        assert (plan.ROOT / "molecule" / shard.scenario / "molecule.yml").exists()
        assert all((plan.ROOT / path).exists() for path in shard.inputs)


def test_the_first_shard_always_runs_and_the_others_once_they_were_proved_and_changed_since() -> None:
    assert names(plan.due(EVERY, {}, 0)) == ["core"]
    old = {name: Proof("abc1234", "0") for name in ("docs", "source")}
    assert names(plan.due(EVERY, old, 0)) == ["core", "docs", "source"]


@pytest.mark.parametrize(("turn", "one"), [(0, "docs"), (1, "roles"), (2, "source"), (3, "docs")])
def test_of_what_is_proved_one_shard_runs_in_turn(turn: int, one: str) -> None:
    assert names(plan.due(EVERY, proved(*EVERY), turn)) == ["core", one]


def test_a_shard_whose_inputs_changed_is_due_beside_the_one_in_turn() -> None:
    known = {**proved("docs", "roles"), "source": Proof("abc1234", "0")}
    assert names(plan.due(EVERY, known, 1)) == ["core", "roles", "source"]


def test_a_changed_file_changes_the_digest_of_those_shards_only_that_it_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    monkeypatch.setattr(plan, "PROOFS", tmp_path / "proofs.yml")
    plan._git("init", "--quiet")
    for name in ("docs", "roles"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1", encoding="utf-8")
    before = {name: plan.digest(EVERY[name]) for name in ("core", "docs", "roles")}
    (tmp_path / "roles" / "file").write_text("2", encoding="utf-8")
    after = {name: plan.digest(EVERY[name]) for name in ("core", "docs", "roles")}
    assert {name for name in before if before[name] != after[name]} == {"core", "roles"}


def test_what_was_proved_is_written_down_and_no_input_of_any_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "ROOT", tmp_path)
    monkeypatch.setattr(plan, "PROOFS", tmp_path / "proofs.yml")
    plan._git("init", "--quiet")
    before = plan.digest(EVERY["core"])
    plan.keep("roles", Proof("abc1234", "1"))
    plan.keep("core", Proof("abc1234", "2"))
    assert plan.proofs() == {"core": Proof("abc1234", "2"), "roles": Proof("abc1234", "1")}
    assert plan.digest(EVERY["core"]) == before


def test_a_shard_on_the_lab_of_a_scenario_that_no_shard_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "shards.yml"
    written.write_text("one: {proves: it, lab: test, scenario: one, onto: two}\n", encoding="utf-8")
    monkeypatch.setattr(plan, "SHARDS", written)
    with pytest.raises(PlanError, match="one: `onto` names a scenario"):
        plan.shards()
