from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.project import PLAYBOOKS, ROLES, ROOT, load, short, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORDER = ("validate", "install", "configure", "service")
by_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))


def read(role: Path, name: str) -> dict[str, Any]:
    path = role / name
    return (load(path) or {}) if path.exists() else {}


def options(role: Path) -> dict[str, dict[str, Any]]:
    spec = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]
    return spec.get("options", {})  # type: ignore[no-any-return]


def task_files(role: Path) -> Iterator[Path]:
    for folder in ("tasks", "handlers"):
        yield from sorted((role / folder).rglob("*.yml"))


def imported(entry: dict[str, Any]) -> str | None:
    """The file of tasks that a task imports or includes, without its suffix."""
    for module in ("import_tasks", "include_tasks"):
        value = entry.get(f"ansible.builtin.{module}")
        if value is not None:
            return str(value["file"] if isinstance(value, dict) else value).removesuffix(".yml")
    return None


def roles_used(path: Path) -> Iterator[str]:
    """The roles that a playbook or a file of tasks applies."""
    for play in load(path) or []:
        for role in play.get("roles", []):
            yield role if isinstance(role, str) else role["role"]
    for task in tasks(path):
        for module in ("import_role", "include_role"):
            arguments = task.get(f"ansible.builtin.{module}")
            if arguments:
                yield str(arguments["name"])


@by_role
def test_defaults_and_required_options_are_the_documented_ones(role: Path) -> None:
    spec = options(role)
    required = {name for name, option in spec.items() if option.get("required")}
    defaults = set(read(role, "defaults/main.yml"))
    assert not defaults & required, "a required variable has no default"
    assert defaults | required == set(spec)


@by_role
def test_a_documented_default_is_the_default(role: Path) -> None:
    defaults = read(role, "defaults/main.yml")
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert documented == {name: defaults.get(name) for name in documented}


@by_role
def test_every_option_has_a_type_and_a_description(role: Path) -> None:
    poor = [name for name, option in options(role).items() if not {"type", "description"} <= set(option)]
    assert poor == []


@by_role
def test_every_default_has_a_comment_and_every_required_variable_is_named(role: Path) -> None:
    path = role / "defaults/main.yml"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[a-z_]\w*:", line) and not before.startswith("#")
    ]
    assert bare == []
    text = "\n".join(lines)
    required = [name for name, option in options(role).items() if option.get("required")]
    assert [name for name in required if not re.search(rf"^# ?{name}:", text, re.MULTILINE)] == []


@by_role
def test_public_variables_carry_the_name_of_the_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@by_role
def test_internal_variables_carry_two_underscores_and_the_name_of_the_role(role: Path) -> None:
    names = [name for path in sorted((role / "vars").glob("*.yml")) for name in load(path) or {}]
    # What a role gives back to the one that applies it is public, and its README says so.
    readme = role / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    results = set(re.findall(rf"`({role.name}_\w+)\b", text))
    for path in task_files(role):
        for task in tasks(path):
            names += [task["register"]] if "register" in task else []
            names += [key for key in task.get("ansible.builtin.set_fact", {}) if key != "cacheable"]
            names += [task.get("loop_control", {}).get("loop_var", "item")]
    internal = re.compile(rf"item|__{role.name}_\w+")
    assert [name for name in names if not internal.fullmatch(name) and name not in results] == []


@by_role
def test_main_applies_the_steps_in_order_with_the_tag_of_the_role(role: Path) -> None:
    entries = list(tasks(role / "tasks/main.yml"))
    steps = [name for name in map(imported, entries) if name in ORDER]
    assert steps == sorted(steps, key=ORDER.index)
    assert [entry["name"] for entry in entries if role.name not in entry.get("tags", [])] == []


@by_role
def test_every_file_of_tasks_is_used(role: Path) -> None:
    files = {path.stem for path in (role / "tasks").glob("*.yml")} - {"main"}
    local = {name for path in task_files(role) for name in map(imported, tasks(path)) if name}
    elsewhere = {
        str(arguments["tasks_from"]).removesuffix(".yml")
        for path in [*PLAYBOOKS, *(path for other in ROLES for path in task_files(other))]
        for task in tasks(path)
        for module in ("import_role", "include_role")
        if (arguments := task.get(f"ansible.builtin.{module}"))
        and arguments["name"] == role.name
        and "tasks_from" in arguments
    }
    assert files - local - elsewhere == set()


@by_role
def test_a_role_names_no_group_of_the_inventory(role: Path) -> None:
    offenders = [
        f"{short(path)}: {line.strip()}"
        for path in role.rglob("*")
        if path.suffix in {".yml", ".j2"}
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bgroups(\[|\.)", line)
    ]
    assert offenders == []


@by_role
def test_a_role_explains_itself(role: Path) -> None:
    assert (role / "README.md").is_file()
    assert read(role, "meta/main.yml")["galaxy_info"]["description"]


@by_role
def test_every_role_is_applied_by_a_playbook_or_by_a_role_that_is(role: Path) -> None:
    used = {name for path in PLAYBOOKS for name in roles_used(path)}
    waiting = list(used)
    while waiting:
        path = ROOT / "roles" / waiting.pop()
        found = {name for file in task_files(path) for name in roles_used(file)}
        found |= {str(entry["role"]) for entry in read(path, "meta/main.yml").get("dependencies", [])}
        waiting += found - used
        used |= found
    assert role.name in used


@by_role
def test_tasks_are_named_with_a_subject_and_a_sentence(role: Path) -> None:
    files = [path for path in task_files(role) if path.name != "main.yml"]
    names = [str(task.get("name", task)) for path in files for task in tasks(path)]
    assert [name for name in names if not re.match(r"[A-Z][^|]* \| [A-Z]", name)] == []


@by_role
def test_no_task_ignores_its_failure(role: Path) -> None:
    offenders = [
        f"{short(path)}: {task['name']}"
        for path in task_files(role)
        for task in tasks(path)
        if task.get("ignore_errors") or task.get("ignore_unreachable")
    ]
    assert offenders == []
