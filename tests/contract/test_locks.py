from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from tests.contract.project import PLAYBOOKS, ROOT, load, short

REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(path.with_suffix(".txt") for path in REQUIREMENTS.glob("*.in"))
PROXY = ROOT / "roles/hub/files/proxy"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)")


def entries(lock: Path) -> list[str]:
    """The requirements of a lock, one logical line each, without comments."""
    text = re.sub(r"\\\n", " ", lock.read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pins(lock: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock (more than one where Pythons differ)."""
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        match = PIN.match(entry)
        assert match, f"not pinned: {entry}"
        found.setdefault(match["name"], set()).add(match["version"])
    return found


def direct(name: str) -> set[str]:
    """The packages that an .in file names itself."""
    lines = (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return {re.split(r"[<>=~!\[ ]", line)[0] for line in lines if line and line[0] not in "#-"}


@pytest.mark.parametrize("lock", LOCKS, ids=short)
def test_every_line_of_a_lock_is_a_pin_with_a_hash(lock: Path) -> None:
    assert entries(lock)
    bad = [
        entry.split("--hash")[0]
        for entry in entries(lock)
        if not PIN.match(entry) or not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)
    ]
    assert bad == []


@pytest.mark.parametrize("lock", LOCKS, ids=short)
def test_a_lock_holds_what_its_source_names(lock: Path) -> None:
    assert {name.lower() for name in direct(lock.stem)} <= set(pins(lock))


@pytest.mark.parametrize("name", ["controller", "hub", "session"])
def test_development_uses_the_versions_that_are_deployed(name: str) -> None:
    development = pins(REQUIREMENTS / "dev.txt")
    deployed = pins(REQUIREMENTS / f"{name}.txt")
    differing = {
        package for package, versions in deployed.items() if development.get(package, versions) != versions
    }
    assert differing == set()
    assert name != "controller" or set(deployed) <= set(development)


def test_hub_and_session_speak_the_same_version() -> None:
    assert pins(REQUIREMENTS / "hub.txt")["jupyterhub"] == pins(REQUIREMENTS / "session.txt")["jupyterhub"]


@pytest.mark.parametrize("name", ["hub", "session"])
def test_the_slow_optional_format_check_stays_out(name: str) -> None:
    assert "rfc3987-syntax" not in pins(REQUIREMENTS / f"{name}.txt")


def test_a_plugin_that_breaks_testinfra_stays_out() -> None:
    assert [lock.name for lock in LOCKS if "pytest-ansible" in pins(lock)] == []


def test_every_direct_dependency_is_explained() -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    collections = {entry["name"] for entry in load(ROOT / "requirements.yml")["collections"]}
    node = set(json.loads((PROXY / "package.json").read_text(encoding="utf-8"))["dependencies"])
    names = {name for lock in LOCKS for name in direct(lock.stem)} | collections | node
    assert {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)} == set()


def installed_collection(name: str) -> str:
    """The version of a collection in the pinned `ansible` package (not in somebody's home)."""
    manifest = f"ansible_collections/{name.replace('.', '/')}/MANIFEST.json"
    path = Path(str(distribution("ansible").locate_file(manifest)))
    info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["collection_info"]
    return str(info["version"])


def test_sites_with_galaxy_get_the_collections_that_we_test() -> None:
    wanted = {entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]}
    assert wanted
    assert wanted == {name: installed_collection(name) for name in wanted}


def test_the_collections_named_are_those_used() -> None:
    named = {entry["name"] for entry in load(ROOT / "requirements.yml")["collections"]}
    files = [*PLAYBOOKS, *(ROOT / "roles").rglob("*.yml"), *(ROOT / "inventories").rglob("*.yml")]
    files += (ROOT / "molecule").rglob("*.yml")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    used = set(re.findall(r"\b((?:community|ansible|containers)\.(?!builtin\b)[a-z]+)\.[a-z_]+\b", text))
    assert used == named


def test_the_proxy_is_locked_with_integrity_and_names_no_registry() -> None:
    lock = json.loads((PROXY / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((PROXY / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    weak = [p for p, entry in packages.items() if not str(entry.get("integrity", "")).startswith("sha512-")]
    assert weak == []
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
