"""What is built is what the lock names: whole or not at all, shared, readable, and the same each time."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from berth.releases import catalogue, keep, manifest
from berth.releases.errors import ReleaseError
from tests.unit.releases import channel
from tests.unit.releases.channel import pure
from tests.unit.releases.conftest import DASK, ENVIRONMENT, NAME, PYTHON, RELEASE

if TYPE_CHECKING:
    from tests.unit.releases.conftest import Site

NUMPY = f"lib/python{channel.MINOR}/site-packages/numpy/__init__.py"


def tree(place: Path) -> dict[str, str]:
    """Everything below a directory, by path: mode and digest, or where it links to."""
    return {path: said for path, said in manifest.survey(place).items() if not path.startswith(".packages/")}


def test_the_first_run_builds_and_the_second_says_that_nothing_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = site.apply()
    assert outcome.changed
    assert [Path(path).name.partition("-")[0] for path in outcome.built] == ["conda", "python", "dask", "r"]
    before = tree(site.root)

    # The second run is quick: it builds, starts, and measures nothing.
    for work in ("apply.build", "publish.probe", "store.measure"):
        monkeypatch.setattr(f"berth.releases.{work}", lambda *_, **__: pytest.fail("it did it again"))
    outcome = site.apply()

    assert (outcome.built, outcome.changed) == ((), False)
    assert tree(site.root) == before


def test_a_check_writes_nothing_and_says_what_a_run_would_do(site: Site) -> None:
    would = site.apply(check=True)
    assert would.changed
    assert list(site.root.iterdir()) == []
    assert site.apply().built == would.built
    assert not site.apply(check=True).changed


def test_an_environment_is_installed_where_it_stays_and_runs(site: Site) -> None:
    site.apply()
    prefix = site.prefix("python")
    said = subprocess.run([prefix / "bin" / "numpy"], check=True, capture_output=True, text=True).stdout
    assert said.strip() == str(prefix / NUMPY)


def test_conda_finds_the_packages_and_the_usual_place_of_their_channel(site: Site) -> None:
    site.apply()
    prefix = site.prefix("python")
    record = json.loads((prefix / "conda-meta" / "numpy-2.0-0.json").read_text(encoding="utf-8"))
    assert record["url"].endswith("/conda-forge/noarch/numpy-2.0-0.conda")
    assert record["url"].startswith("https://")
    assert str(site.place) not in json.dumps(record)
    history = (prefix / "conda-meta" / "history").read_text(encoding="utf-8")
    assert "# update specs: ['python', 'ipykernel', 'numpy <2.1']" in history


def test_every_user_can_read_everything_whatever_the_umask(site: Site) -> None:
    old = os.umask(0o077)
    try:
        done = site.run("build", "--settings", str(site.settings_file()))
    finally:
        os.umask(old)
    assert done.returncode == 0, done.stderr
    found = [site.root, *(site.root / NAME).rglob("*"), site.root / "index.json"]
    needed = {path: 0o555 if path.is_dir() else 0o444 for path in found if not path.is_symlink()}
    closed = [str(path) for path, mode in needed.items() if path.stat().st_mode & mode != mode]
    assert closed == []


def test_files_are_shared_between_environments_and_releases(site: Site) -> None:
    site.write("2027.05", dask=DASK.replace("dask]\n", "dask, numpy <2.1]\n", 1))
    site.lock("2027.05")
    site.want(NAME, "2027.05")
    site.apply()
    source = [
        site.prefix(name, release) / NUMPY for name, release in (("python", NAME), ("python", "2027.05"))
    ]
    source.append(site.prefix("dask", "2027.05") / NUMPY)
    compiled = [
        path.parent / "__pycache__" / f"__init__.cpython-{channel.MINOR.replace('.', '')}.pyc"
        for path in source
    ]
    for same in (source, compiled):
        assert len({path.stat().st_ino for path in same}) == 1, same
        assert same[0].stat().st_nlink >= len(same)
    # Not the same content (the prefix stands in it), so not the same file.
    assert (site.prefix("python") / "bin/numpy").stat().st_ino != (
        site.prefix("python", "2027.05") / "bin/numpy"
    ).stat().st_ino
    first, second = catalogue.load(site.root / "index.json")
    assert first.bytes > 0
    assert first.files == sum(len(manifest.read(Path(prefix)).files) for prefix in prefixes(first))
    assert second.files > 0


def prefixes(release: catalogue.Release) -> list[str]:
    return [item.prefix for item in release.environments] + ([release.conda] if release.conda else [])


def test_python_is_compiled_ahead_and_not_looked_at_again(site: Site) -> None:
    site.apply()
    prefix = site.prefix("python")
    (compiled,) = (prefix / NUMPY).parent.glob("__pycache__/*.pyc")
    assert compiled.read_bytes()[4] == 1  # by hash, which is not checked
    said = subprocess.run(
        [prefix / "bin/python", "-c", "import numpy; print(numpy.__loader__.get_code('numpy').co_filename)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said.strip() == str(prefix / NUMPY), "a traceback names the file where it is"


def test_two_builds_of_one_lock_give_the_same_tree(site: Site) -> None:
    site.apply()
    first = tree(site.root)
    shutil.rmtree(site.root)
    site.root.mkdir()
    site.apply()
    assert tree(site.root) == first


def test_a_mirror_with_other_content_is_refused(site: Site) -> None:
    channel.make(site.channel, pure("numpy", "2.0", "NAME = 'not what was locked'\n"))
    with pytest.raises(ReleaseError, match=r"numpy-2\.0-0\.conda is not the file that the lock names"):
        site.apply()
    assert not (site.root / "index.json").exists()


def test_a_file_that_somebody_changed_does_not_spread_to_the_next_release(site: Site) -> None:
    site.apply()
    changed = site.prefix("python") / NUMPY
    changed.write_text("NAME = 'changed'\n", encoding="utf-8")
    site.write("2027.05")
    site.lock("2027.05")
    site.want(NAME, "2027.05")
    site.apply()
    assert (site.prefix("python", "2027.05") / NUMPY).read_text(encoding="utf-8") == "NAME = 'numpy'\n"
    assert list(keep.verify(site.root, ["2027.05"])) == []


@pytest.mark.slow
def test_a_build_that_is_killed_at_any_instant_leaves_nothing_half_visible(site: Site) -> None:
    settings = str(site.settings_file())
    chance = random.Random(5)
    started = time.monotonic()
    assert site.run("build", "--settings", settings).returncode == 0
    lasts = time.monotonic() - started
    whole = {name: site.prefix(name).name for name in ("conda", "python", "dask", "r")}
    expected = tree(site.root)
    halves = 0
    for _ in range(5):
        shutil.rmtree(site.root)
        site.root.mkdir()
        for attempt in range(3):
            process = subprocess.Popen(
                site.command("build", "--settings", settings),
                env=ENVIRONMENT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            # Before it builds it takes its time, most of it where much goes on: the first is killed after.
            while attempt == 0 and process.poll() is None and not (site.root / NAME).exists():
                time.sleep(0.005)
            time.sleep((chance.uniform(0.3, 0.9) if attempt else chance.uniform(0, 0.3)) * lasts)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if (site.root / "index.json").exists():
                assert list(keep.verify(site.root, [])) == [], "what is published is whole"
            for prefix in (site.root / NAME / name for name in whole.values()):
                if manifest.finished(prefix):
                    assert manifest.differences(prefix) == [], "what is marked is whole"
                halves += prefix.exists() and not manifest.finished(prefix)
        assert site.run("build", "--settings", settings).returncode == 0
        assert tree(site.root) == expected
        assert list(keep.verify(site.root, [])) == []
    assert halves, "no run was killed while it built"


def started(site: Site, *before: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a build with a directory of its own for what is temporary."""
    scratch = site.place / "temporary"
    scratch.mkdir()
    process = subprocess.Popen(
        [*before, *site.command("build", "--settings", str(site.settings_file()))],
        env={**ENVIRONMENT, "TMPDIR": str(scratch)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return process, scratch


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_build_that_is_told_to_end_removes_its_scratch(site: Site, number: signal.Signals) -> None:
    process, scratch = started(site)
    wait_for(site.root / NAME, process)
    assert list(scratch.iterdir()) != []
    process.send_signal(number)
    said = process.communicate(timeout=60)
    assert (process.returncode, *said) == (130, "", "berth release: interrupted\n")
    assert list(scratch.iterdir()) == []
    assert not (site.root / "index.json").exists()
    site.apply()
    assert list(keep.verify(site.root, [])) == []


def test_a_build_under_nohup_outlives_its_terminal(site: Site) -> None:
    process, scratch = started(site, "nohup")
    wait_for(site.root / NAME, process)
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60)[0].splitlines()[-1] == "changed"
    assert (process.returncode, list(scratch.iterdir())) == (0, [])


def test_two_builds_never_run_at_once(site: Site) -> None:
    command = site.command("build", "--settings", str(site.settings_file()))
    both = [
        subprocess.Popen(command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(output.splitlines()[-1] for output, _ in said) == ["changed", "unchanged"]
    assert sum("waiting for it" in errors for _, errors in said) == 1


def test_a_published_release_with_another_lock_is_refused(site: Site) -> None:
    site.apply()
    before = tree(site.root)
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    for check in (True, False):
        with pytest.raises(
            ReleaseError, match=r"published with another lock of python, .* make a new release"
        ):
            site.apply(check=check)
    assert tree(site.root) == before


def test_a_lock_of_another_spec_is_refused(site: Site) -> None:
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    with pytest.raises(
        ReleaseError, match=r"python\.lock\.json was made from another spec .*release lock 2026"
    ):
        site.apply()


def test_what_an_older_version_of_the_tool_built_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.apply()
    before = tree(site.root)
    monkeypatch.setattr("berth.releases.build.FORMAT", 99)
    assert not site.apply().changed
    assert tree(site.root) == before


def test_a_site_may_build_some_environments_of_a_release_and_more_of_them_later(site: Site) -> None:
    (wanted,) = site.settings.releases
    site.want(replace(wanted, environments=("r",)))
    site.apply()
    assert [item.name for item in catalogue.load(site.root / "index.json")[0].environments] == ["r"]
    site.want(replace(wanted, environments=("dask", "r")))
    assert [Path(path).name.partition("-")[0] for path in site.apply().built] == ["dask"]
    assert [item.name for item in catalogue.load(site.root / "index.json")[0].environments] == ["dask", "r"]
    site.want(replace(wanted, environments=("rust",)))
    with pytest.raises(ReleaseError, match="no environment rust"):
        site.apply()


def test_a_release_needs_no_conda_of_its_own(site: Site) -> None:
    site.write(release=RELEASE.replace("conda: [conda]", "conda: []"))
    site.apply()
    (release,) = catalogue.load(site.root / "index.json")
    assert release.conda is None
    assert catalogue.load_contents(release.contents).conda is None
