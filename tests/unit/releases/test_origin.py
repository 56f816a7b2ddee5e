"""`berth release verify --specs`: what is installed is what the locks name, whatever stands beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from berth.releases import keep, manifest
from tests.unit.releases.conftest import NAME, PYTHON
from tests.unit.releases.test_build import NUMPY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.releases.conftest import Site

COMMAND = "bin/numpy"
"""A file that holds its prefix: its hash is another one than in the package."""


def differences(site: Site, specs: Path | None = None) -> list[str]:
    return list(keep.verify(site.root, [], specs or site.settings.specs_dir))


def rewrite(prefix: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = prefix / manifest.NAME
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_what_was_built_from_the_locks_is_found_to_be_so(site: Site) -> None:
    site.apply()
    assert differences(site) == []
    done = site.run("verify", "--root", str(site.root), "--specs", str(site.settings.specs_dir))
    said = "every file is as it was noted when it was built, and that is what the locks name\n"
    assert (done.returncode, done.stdout) == (0, said)


@pytest.mark.parametrize("path", [NUMPY, COMMAND])
def test_a_file_that_was_changed_together_with_its_line_in_the_manifest_is_named(
    site: Site, path: str
) -> None:
    site.apply()
    prefix = site.prefix("python")
    (prefix / path).write_text("NAME = 'changed'\n", encoding="utf-8")
    rewrite(prefix, lambda document: document["files"].update({path: manifest.describe(prefix / path)}))
    assert list(keep.verify(site.root, [])) == [], "nothing that the release has of its own tells it"
    assert differences(site) == [f"{prefix / path}: is not the file of its package"]


def test_a_file_that_was_removed_together_with_its_line_is_named(site: Site) -> None:
    site.apply()
    prefix = site.prefix("python")
    (prefix / NUMPY).unlink()
    rewrite(prefix, lambda document: document["files"].pop(NUMPY))
    assert differences(site) == [f"{prefix / NUMPY}: is not the file of its package"]


def test_an_environment_of_another_lock_is_named(site: Site) -> None:
    site.apply()
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    (line,) = differences(site)
    assert line.startswith(f"{site.prefix('python')}: was not built from ")
    assert line.endswith("/python.lock.json")


def test_packages_in_the_manifest_that_the_lock_does_not_name_are_told(site: Site) -> None:
    site.apply()
    prefix = site.prefix("python")
    rewrite(prefix, lambda document: document["packages"][0].update(version="9.9"))
    (path,) = (site.root / NAME).glob("contents-*.json")
    path.unlink()
    site.apply()  # writes the list of packages anew, from what the manifests say
    assert list(keep.verify(site.root, [])) == []
    assert differences(site) == [
        f"{prefix}: its list of packages is not that of its lock and of what is installed"
    ]


def test_a_release_without_spec_or_lock_is_told(site: Site) -> None:
    site.apply()
    assert len(differences(site, site.place)) == 1
    assert f"there is no release {NAME}" in differences(site, site.place)[0]
    (site.settings.specs_dir / NAME / "r.lock.json").unlink()
    (line,) = differences(site)
    assert "r.lock.json is not there" in line


def test_what_conda_noted_and_cannot_be_read_any_more_is_told(site: Site) -> None:
    site.apply()
    record = site.prefix("r") / "conda-meta" / "r-base-4.3.3-0.json"
    record.write_text("{", encoding="utf-8")
    said = differences(site)
    assert len(said) == 2
    assert said[1].startswith(f"{site.prefix('r')}: what is installed of its packages cannot be read: ")
