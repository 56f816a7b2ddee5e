"""Locks are solved once, are the same each time, and hold what the specs ask for."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from berth.releases import catalogue, changes, lock, manifest, solve, spec
from berth.releases.errors import ReleaseError
from tests.unit import disks
from tests.unit.releases import channel
from tests.unit.releases.channel import Package, pure
from tests.unit.releases.conftest import NAME, PYTHON, RELEASE, R

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.releases.conftest import Site


def text(site: Site, environment: str, name: str = NAME) -> str:
    path = site.settings.specs_dir / name / f"{environment}.lock.json"
    return path.read_text(encoding="utf-8")


def test_a_lock_names_every_package_with_its_hash_and_no_address(site: Site) -> None:
    found = lock.read(site.settings.specs_dir / NAME / "python.lock.json")
    assert [(entry.name, entry.version) for entry in found.conda if entry.name != "python"] == [
        ("ipykernel", "7.4.0"),
        ("numpy", "2.0"),
    ]
    numpy = found.conda[1]
    file = site.channel / numpy.subdir / numpy.file
    assert numpy.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (numpy.channel, numpy.size, numpy.license) == ("conda-forge", file.stat().st_size, "BSD-3-Clause")
    assert "://" not in text(site, "python")


def test_locking_again_changes_nothing_and_a_new_package_changes_one_lock(site: Site) -> None:
    assert site.lock() == {"conda": False, "python": False, "dask": False, "r": False}
    channel.make(site.channel, pure("dask", "2024.5", depends=("python", "numpy >=2")))
    assert site.lock() == {"conda": False, "python": False, "dask": True, "r": False}


def test_one_environment_can_be_locked_alone(site: Site) -> None:
    assert site.lock(NAME, "r") == {"r": False}
    with pytest.raises(ReleaseError, match="no environment rust"):
        site.lock(NAME, "rust")


def test_what_cannot_be_solved_is_told_with_the_reason(site: Site) -> None:
    site.write(python=PYTHON.replace("numpy <2.1", "numpy <1"))
    with pytest.raises(ReleaseError, match=r"2026\.11, python: cannot be solved: .*numpy"):
        site.lock()


def test_one_run_locks_what_it_can_and_tells_every_environment_that_it_cannot(site: Site) -> None:
    site.write(
        python=PYTHON.replace("numpy <2.1", "numpy <1"),
        dask=PYTHON.replace("kernel: python3", "kernel: dask").replace("packages: [", "packages: [scipy, "),
        r=R.replace("conda: [r-base]", "conda: [r-base, numpy]"),
    )
    before = text(site, "python"), text(site, "dask")
    done = solve.solve(spec.load(site.settings.specs_dir, NAME), (), site.channels, {}, "")
    locked = []
    with pytest.raises(ReleaseError) as told:  # noqa: PT012 - what comes before the end is part of it
        for path, changed in done:
            locked.append((path.name, changed))
    assert locked == [("conda.lock.json", False), ("r.lock.json", True)]
    assert (text(site, "python"), text(site, "dask")) == before
    first, *_, second, last = str(told.value).splitlines()
    assert first.startswith("2026.11, python: cannot be solved: ")
    assert second == "2026.11, dask: packages names scipy, which it will not hold"
    assert last == "not locked: 2 of 4"


def test_a_channel_that_cannot_be_read_is_told_once(site: Site) -> None:
    channels = {"conda-forge": (site.place / "nowhere").as_uri()}
    with pytest.raises(ReleaseError, match=r"^the channels conda-forge cannot be read: ") as told:
        list(solve.solve(spec.load(site.settings.specs_dir, NAME), (), channels, {}, ""))
    assert "python" not in str(told.value)


def test_locks_are_written_when_all_environments_have_been_tried(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.make(site.channel, pure("dask", "2024.5", depends=("python", "numpy >=2")))
    before = specs(site)
    solved = solve._solve

    def interrupted(release: spec.ReleaseSpec, name: str, *rest: Any) -> lock.Lock:
        if name == "r":
            raise KeyboardInterrupt
        return solved(release, name, *rest)

    monkeypatch.setattr(solve, "_solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.lock()
    assert specs(site) == before
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(site.place / "cache"))
    assert site.lock()["dask"]


def specs(site: Site) -> dict[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8") for path in (site.settings.specs_dir / NAME).iterdir()
    }


@pytest.mark.slow
@disks.needs_mount
def test_locks_for_which_there_is_no_room_stay_as_they_were(site: Site) -> None:
    place = site.place / "small"
    with disks.mounted(place, "300k") as small:
        shutil.copytree(site.settings.specs_dir, small, dirs_exist_ok=True)
        site.settings = replace(site.settings, specs_dir=small)
        channel.make(site.channel, pure("dask", "2024.5", depends=("python", "numpy >=2")))
        before = specs(site)
        filler = disks.fill(small)
        with pytest.raises(ReleaseError, match=r"locks of 2026\.11 cannot be written: No space left"):
            site.lock()
        assert specs(site) == before
        filler.unlink()
        assert site.lock() == {"conda": False, "python": False, "dask": True, "r": False}
        assert sorted(specs(site)) == sorted(before), "nothing is left beside them"


def test_a_spec_can_name_the_channel_that_gives_its_package_wherever_that_is(site: Site) -> None:
    other = site.place / "mirror" / "rapids"
    channel.make(other, pure("numpy", "1.9"), pure("cudf", "24.4", depends=("python", "numpy <2")))
    channels = site.channels | {"rapidsai": other.as_uri()}
    release = RELEASE.replace("[conda-forge]", "[conda-forge, rapidsai]")

    def lock_with(numpy: str) -> dict[str, str]:
        site.write(release=release, python=PYTHON.replace("numpy <2.1", f"{numpy}, cudf"))
        list(solve.solve(spec.load(site.settings.specs_dir, NAME), ["python"], channels, {}, ""))
        found = lock.read(site.settings.specs_dir / NAME / "python.lock.json")
        return {entry.name: entry.channel for entry in found.conda}

    with pytest.raises(ReleaseError, match="strict channel priority"):
        lock_with("numpy")
    found = lock_with('"rapidsai::numpy"')
    assert (found["numpy"], found["cudf"], found["ipykernel"]) == ("rapidsai", "rapidsai", "conda-forge")
    assert "://" not in text(site, "python")
    with pytest.raises(ReleaseError, match="nvidia::numpy names the channel nvidia; the release's"):
        lock_with('"nvidia::numpy"')


def test_the_nodes_are_taken_to_have_what_the_release_says(site: Site) -> None:
    channel.make(
        site.channel,
        pure("torch", "2.3", build="cpu_0"),
        pure("torch", "2.3", build="cuda_1", depends=("python", "__cuda >=12"), more={"build_number": 1}),
    )
    python = PYTHON.replace("numpy <2.1", "torch").replace("python, numpy]", "torch]")
    site.write(python=python)
    site.lock(NAME, "python")
    assert lock.read(site.settings.specs_dir / NAME / "python.lock.json").conda[-1].build == "cpu_0"
    site.write(python=python, release=RELEASE + '    virtual_packages: {__cuda: "12.4"}\n')
    site.lock(NAME, "python")
    found = lock.read(site.settings.specs_dir / NAME / "python.lock.json")
    assert found.conda[-1].build == "cuda_1"
    assert found.virtual == {"__cuda": "12.4", "__glibc": "2.28", "__linux": "4.18"}
    site.lock(NAME, "python", __cuda="11.8")
    assert lock.read(site.settings.specs_dir / NAME / "python.lock.json").conda[-1].build == "cpu_0"


def wheel(directory: Path, name: str, version: str, *needs: str) -> None:
    """Write a wheel into a directory that is a package index."""
    place = directory / name
    place.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n"
    metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(content)}\n"
        for path, content in files.items()
    ]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    links = [
        f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
        for path in sorted(place.glob("*.whl"))
    ]
    (place / "index.html").write_text("\n".join(links), encoding="utf-8")


@pytest.fixture
def with_pip(site: Site) -> Site:
    """A release whose environment takes a package from an index; what that needs is conda's."""
    index = site.place / "index"
    wheel(index, "hugging", "1.0", "numpy>=2", "helper")
    wheel(index, "hugging", "2.0", "numpy>=2.1", "helper")
    wheel(index, "helper", "3.0")
    site.write(
        release=RELEASE.replace("[python, dask, r]", "[python]"),
        python=PYTHON.replace("packages: [python, numpy]", "packages: [hugging]\n    pip: [hugging]"),
    )
    channel.make(site.channel, pure("numpy", "2.0.1", info="2.0.1+lab"))
    site.want(NAME, pip_index=index.as_uri())
    site.lock(NAME, "python")
    return site


def test_pip_takes_what_fits_to_conda_and_only_what_conda_lacks(with_pip: Site) -> None:
    found = lock.read(with_pip.settings.specs_dir / NAME / "python.lock.json")
    assert [(entry.name, entry.version) for entry in found.pip] == [("helper", "3.0"), ("hugging", "1.0")]
    assert all(len(entry.hashes) == 1 for entry in found.pip)


def test_pip_s_packages_are_installed_by_their_hashes_and_named_in_the_catalogue(with_pip: Site) -> None:
    with_pip.apply()
    python = with_pip.prefix("python") / "bin" / "python"
    said = subprocess.run(
        [python, "-c", "import hugging, helper; print(hugging.VERSION, helper.VERSION)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said == "1.0 3.0\n"
    (release,) = catalogue.load(with_pip.root / "index.json")
    assert release.environments[0].packages == {"hugging": "1.0"}
    packages = catalogue.load_contents(release.contents).environments["python"]
    (hugging,) = [package for package in packages if package.name == "hugging"]
    assert (hugging.channel, hugging.license) == ("pip", "MIT")
    assert hugging.bytes > 0


def test_two_builds_with_pip_s_packages_give_the_same_tree_too(with_pip: Site) -> None:
    with_pip.apply()
    prefix = with_pip.prefix("python")
    first = manifest.read(prefix)
    (prefix / manifest.NAME).unlink()
    with_pip.apply()
    assert manifest.read(prefix) == first


def test_an_index_with_another_file_is_refused(with_pip: Site) -> None:
    wheel(with_pip.place / "index", "hugging", "1.0", "helper")
    with pytest.raises(ReleaseError, match=r"uv install failed: .*[Hh]ash"):
        with_pip.apply()
    assert not (with_pip.root / "index.json").exists()


def test_what_changed_between_two_releases_is_told_by_environment(site: Site) -> None:
    channel.make(site.channel, pure("dask", "2024.5", depends=("python",)), Package("zlib", "1.3"))
    site.write(
        "2027.05",
        release=RELEASE.replace("[python, dask, r]", "[python, dask]"),
        python=PYTHON.replace("ipyk", "zlib, ipyk"),
    )
    site.lock("2027.05")
    specs = site.settings.specs_dir
    found = changes.compare(spec.load(specs, NAME), spec.load(specs, "2027.05"))
    assert list(found) == ["conda", "python", "dask", "r"]
    assert found["python"] == {"added": {"zlib": "1.3"}, "removed": {}, "changed": {}}
    assert found["dask"] == {
        "added": {},
        "removed": {"numpy": "2.1"},
        "changed": {"dask": ["2024.4", "2024.5"]},
    }
    assert found["r"]["removed"] == {"r-base": "4.3.3"}
    done = site.run("diff", NAME, "2027.05", "--specs", str(specs))
    assert "dask:\n  - numpy 2.1\n    dask 2024.4 -> 2024.5\n" in done.stdout
    assert "conda: no change\n" in done.stdout
    assert json.loads(site.run("diff", NAME, "2027.05", "--json", "--specs", str(specs)).stdout) == found


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"release": RELEASE + "    colour: red\n"}, r"release\.yml has unknown keys: colour"),
        (
            {"release": RELEASE.replace("date: 2026-11-16", "date: soon")},
            "date must be a date such as 2026-11-16",
        ),
        (
            {"release": RELEASE.replace('"4.6-1"', "4.6")},
            "layer must be non-empty text on one line, found 4.6",
        ),
        ({"release": RELEASE.replace("[conda-forge]", "[]")}, "channels must name at least one channel"),
        (
            {"release": RELEASE.replace("[python, dask, r]", "[conda]")},
            "the name conda is the release's own conda's",
        ),
        ({"release": RELEASE.replace("[python, dask, r]", "[r, r]")}, "names r more than once"),
        ({"release": RELEASE.replace("[python, dask, r]", "[rust]")}, r"rust\.yml cannot be read"),
        (
            {"release": RELEASE + "    virtual_packages: {cuda: '12'}\n"},
            "is written as __cuda=12.4, found 'cuda=12'",
        ),
        (
            {"release": RELEASE + "    virtual_packages: [__cuda]\n"},
            r"release\.yml: virtual_packages must be a mapping of names to versions, found list",
        ),
        (
            {"r": R.replace("kernel: ir", "kernel: python3")},
            "kernels of the environments names python3 more than",
        ),
        ({"r": R.replace("[r-base]", "[]", 1)}, r"r\.yml: conda must name at least one package"),
        ({"r": R + "    logo: r.svg\n"}, "there is no file r.svg beside it"),
        ({"r": R + "    logo: ../r.svg\n"}, "logo must be letters"),
        ({"r": R + "    pip: numpy\n"}, "pip must be a list, found str"),
        ({"r": "- R\n"}, r"r\.yml must be a mapping"),
    ],
)
def test_a_spec_that_is_wrong_is_refused_with_the_place(
    empty: Site, files: dict[str, str], sentence: str
) -> None:
    empty.write(**files)
    with pytest.raises(ReleaseError, match=sentence):
        spec.load(empty.settings.specs_dir, NAME)


def test_a_lock_that_is_not_there_says_how_it_is_made(empty: Site) -> None:
    empty.write()
    empty.want(NAME)
    with pytest.raises(
        ReleaseError, match=r"conda\.lock\.json is not there: make it with `berth release lock 2026"
    ):
        empty.apply()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"version": 1,', '"version": 9,', "version must be 1, found 9"),
        ('"sha256": "', '"sha256": "x', "sha256 is not what it should be"),
        ('"file": "', '"file": "../', "file is not what it should be"),
        ('"channel": "conda-forge"', '"channel": "https://x"', "channel must be letters"),
        ('"subdir": "', '"Subdir": "', "lacks subdir"),
        ('"size": ', '"size": -', r"not a lock: conda\[0\]\.size must be a whole number"),
        ('"__linux": "', '"__linux": "\\n', r"not a lock: virtual\.__linux must be non-empty text"),
        ("{", "", "cannot be read"),
    ],
)
def test_a_lock_that_is_wrong_is_refused(site: Site, old: str, new: str, sentence: str) -> None:
    path = site.settings.specs_dir / NAME / "python.lock.json"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReleaseError, match=sentence):
        lock.read(path)


def test_the_command_locks_and_says_what_it_wrote(empty: Site) -> None:
    empty.write()
    command = ["lock", NAME, "--specs", str(empty.settings.specs_dir)]
    done = empty.run(*command, "--channel", f"conda-forge={empty.channel.as_uri()}")
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(": ")[2] for line in done.stdout.splitlines()] == ["written"] * 4
    for option, sentence in (
        (["--channel", "conda-forge"], "--channel is written as NAME=URL, found conda-forge"),
        (["--virtual", "cuda"], "a virtual package is written as __cuda=12.4, found 'cuda'"),
    ):
        done = empty.run(*command, *option)
        assert (done.returncode, done.stdout) == (1, "")
        assert sentence in done.stderr
