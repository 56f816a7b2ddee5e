"""The index says what the site wants, and what it names is there, as it was built."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from berth.releases import catalogue, keep, report
from berth.releases.errors import ReleaseError
from berth.releases.settings import Wanted
from tests.unit.releases.conftest import ENVIRONMENT, LAYER, NAME, PYTHON, ROOT, R
from tests.unit.releases.test_build import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.releases.conftest import Site

NEXT = "2027.05"


@pytest.fixture
def two(site: Site) -> Site:
    """A site with two releases, both published."""
    site.write(NEXT)
    site.lock(NEXT)
    site.want(NEXT, NAME)
    site.apply()
    return site


def test_the_index_names_what_the_release_holds(site: Site) -> None:
    site.apply()
    (release,) = catalogue.load(site.root / "index.json")
    assert (release.name, release.date, release.layer) == (NAME, dt.date(2026, 11, 16), LAYER)
    assert [(item.name, item.kernel, item.language) for item in release.environments] == [
        ("python", "python3", "python"),
        ("dask", "dask", "python"),
        ("r", "ir", "R"),
    ]
    assert release.environments[1].packages == {"dask": "2024.4"}
    assert release.conda == str(site.prefix("conda"))
    contents = catalogue.load_contents(release.contents)
    assert [package.name for package in contents.environments["dask"]] == [
        "dask",
        "ipykernel",
        "numpy",
        "python",
    ]
    assert {package.channel for package in contents.environments["dask"]} == {"conda-forge"}
    assert contents.environments["dask"][0].bytes > 0
    assert contents.conda is not None


def test_adding_and_retiring_touch_no_other_release(two: Site) -> None:
    before = {path: path.lstat().st_mtime_ns for path in (two.root / NAME).rglob("*")}
    two.want(NAME)
    assert two.apply().built == ()
    assert [release.name for release in catalogue.load(two.root / "index.json")] == [NAME]
    two.want(NAME, NEXT)
    assert two.apply().built == (), "going back builds nothing"
    assert {path: path.lstat().st_mtime_ns for path in (two.root / NAME).rglob("*")} == before


def test_hidden_ended_and_patched_are_what_the_site_says(two: Site) -> None:
    (two.settings.layers_dir / "4.6-2" / "bin").mkdir(parents=True)
    (two.settings.layers_dir / "4.6-2" / "bin" / "berth-session").touch()
    two.want(Wanted(NEXT, hidden=True), Wanted(NAME, layer="4.6-2", ends=dt.date(2027, 6, 30)))
    assert two.apply().changed
    first, second = catalogue.load(two.root / "index.json")
    assert (first.hidden, first.ends, first.layer) == (True, None, LAYER)
    assert (second.hidden, second.ends, second.layer) == (False, dt.date(2027, 6, 30), "4.6-2")


def test_a_layer_that_is_not_there_is_not_published(site: Site) -> None:
    site.want(Wanted(NAME, layer="9.9"))
    with pytest.raises(ReleaseError, match=r"its layer 9\.9 is not in"):
        site.apply()
    assert not (site.root / "index.json").exists()


def test_users_conda_is_told_of_the_channels_and_of_the_mirror_that_serves_them(site: Site) -> None:
    channels = {**site.settings.channels, "conda-forge": site.settings.channels["conda-forge"]}
    channels |= {"bioconda": "https://mirror.example.org/bioconda/", "ours": "https://mirror.example.org/x"}
    site.want(
        NAME, channels=channels, conda_channels=("ours", "conda-forge"), conda_settings={"solver": "classic"}
    )
    site.apply()
    path = site.prefix("conda") / ".condarc"
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {
        "channels": ["ours", "conda-forge"],
        "pkgs_dirs": ["~/.conda/pkgs"],
        "custom_channels": {"bioconda": "https://mirror.example.org"},
        "custom_multichannels": {
            "ours": ["https://mirror.example.org/x"],
            "conda-forge": [site.channel.as_uri()],
        },
        "solver": "classic",
    }
    assert path.stat().st_mode & 0o777 == 0o644
    site.want(NAME, conda_channels=("conda-forge",))
    assert site.apply().changed, "it is the site's own affair, and no part of what never changes"
    assert list(keep.verify(site.root, [])) == []


def _write(site: Site) -> None:
    path = site.prefix("dask") / "lib" / "new.py"
    path.write_text("x", encoding="utf-8")


def _remove(site: Site) -> None:
    (site.prefix("r") / "lib/R/data.txt").unlink()


def _change(site: Site) -> None:
    (site.prefix("python") / "bin/numpy").write_text("x", encoding="utf-8")


def _open(site: Site) -> None:
    (site.prefix("python") / "bin/numpy").chmod(0o777)


def _relink(site: Site) -> None:
    path = site.prefix("r") / "lib/R/link"
    path.unlink()
    path.symlink_to("/tmp/x")  # noqa: S108 - no file


def _kernel(site: Site) -> None:
    (path,) = (site.root / NAME).glob("kernels-*/share/jupyter/kernels/ir/start")
    path.write_text("#!/bin/sh\n", encoding="utf-8")


def _list(site: Site) -> None:
    (path,) = (site.root / NAME).glob("contents-*.json")
    path.write_text("{}", encoding="utf-8")


def _list_more(site: Site) -> None:
    (path,) = (site.root / NAME).glob("contents-*.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"2.0"', '"2.9"'), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_write, "lib/new.py: does not belong to the release"),
        (_remove, "lib/R/data.txt: is missing"),
        (
            _change,
            "bin/numpy: is 0755 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881, was 0755 ",
        ),
        (_open, "bin/numpy: is 0777 "),
        (_relink, "lib/R/link: is -> /tmp/x, was -> data.txt"),
        (_kernel, "is not what was published"),
        (_list, "the list of packages"),
        (_list_more, "is not the list of what the environments hold"),
    ],
)
def test_verify_names_what_is_not_as_it_was_built(
    site: Site, harm: Callable[[Site], None], sentence: str
) -> None:
    site.apply()
    done = site.run("verify", "--root", str(site.root))
    assert (done.returncode, done.stdout) == (0, "every file is as it was noted when it was built\n")
    harm(site)
    done = site.run("verify", "--root", str(site.root), NAME)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert sentence in done.stdout


def test_what_cannot_be_verified_is_said(site: Site) -> None:
    done = site.run("verify", "--root", str(site.root))
    assert done.returncode == 1
    assert "cannot read the release index" in done.stderr
    site.apply()
    assert "there is no release '1999.01'" in site.run("verify", "--root", str(site.root), "1999.01").stderr


def test_a_published_release_is_not_removed_and_a_retired_one_is(two: Site) -> None:
    with pytest.raises(ReleaseError, match="is published: take it out of releases_published"):
        keep.retire(two.root, NAME, check=False)
    two.want(NEXT)
    two.apply()
    store = two.root / ".packages"
    used = {path.name for path in store.glob("files/*/*")}
    assert keep.retire(two.root, NAME, check=True)
    assert (two.root / NAME).is_dir()
    assert keep.retire(two.root, NAME, check=False)
    assert not (two.root / NAME).exists()
    assert list(keep.verify(two.root, [])) == []
    assert {path.name for path in store.glob("files/*/*")} < used, "what only it used is gone from the disk"
    assert not keep.retire(two.root, NAME, check=False)
    with pytest.raises(ReleaseError, match="must be letters"):
        keep.retire(two.root, "../layers", check=False)


DAMAGED = ("{", "", '{"version": 1, "releases": []}')


@pytest.mark.parametrize("text", DAMAGED, ids=["cut", "empty", "another format"])
def test_nothing_is_published_removed_or_listed_while_the_index_cannot_be_read(site: Site, text: str) -> None:
    site.apply()
    (site.root / "index.json").write_text(text, encoding="utf-8")
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    before = tree(site.root)
    sentence = r"index\.json cannot be read; restore it, or move it away if nothing is published: "
    for check in (True, False):
        with pytest.raises(ReleaseError, match=sentence):
            site.apply(check=check)
    with pytest.raises(ReleaseError, match=sentence):
        keep.retire(site.root, NAME, check=False)
    done = site.run("list", "--root", str(site.root))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(sentence, done.stderr)
    assert done.stderr.count("\n") == 1
    assert tree(site.root) == before


def test_the_list_shows_size_state_and_what_is_inside(two: Site) -> None:
    two.want(Wanted(NEXT, ends=dt.date(2020, 1, 1)))
    two.apply()
    done = two.run("list", "--root", str(two.root))
    head, first, second = (line.split() for line in done.stdout.splitlines())
    assert head == ["NAME", "DATE", "LAYER", "STATE", "ENDS", "SIZE", "FILES", "ENVIRONMENTS"]
    assert first[:5] == [NEXT, "2026-11-16", LAYER, "ended", "2020-01-01"]
    assert first[-3:] == ["python", "dask", "r"]
    assert second == [NAME, "-", "-", "retired", "-", "-", "-", "-"]
    rows = json.loads(two.run("list", "--root", str(two.root), "--json").stdout)
    assert rows == list(report.rows(two.root))


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, None), (999, "999 B"), (1_500, "2 kB"), (999_000_000, "999 MB"), (12_345_678_901, "12.3 GB")],
)
def test_a_size_is_written_as_people_read_it(count: int | None, said: str | None) -> None:
    assert report.size(count) == said


def test_a_release_that_is_named_wrongly_is_answered_with_those_that_are_there(site: Site) -> None:
    site.want("2026.12")
    with pytest.raises(ReleaseError, match=r"there is no release 2026\.12 in .*there is: 2026\.11"):
        site.apply()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "python",
            PYTHON.replace("[python, numpy]", "[python, scipy]"),
            "packages names scipy, which the lock",
        ),
        ("r", R.replace("{r-base}", "{r}"), "display_name names r, which the lock does not hold"),
    ],
)
def test_a_spec_that_names_what_is_not_locked_is_refused(
    site: Site, name: str, text: str, sentence: str
) -> None:
    site.write(**{name: text})
    with pytest.raises(ReleaseError, match=sentence):
        site.apply()


def test_settings_come_with_the_specs_as_the_role_packs_them(site: Site) -> None:
    settings = json.loads(site.settings_file().read_text(encoding="utf-8"))
    specs = settings.pop("specs_dir")
    pack = [sys.executable, str(ROOT / "roles/releases/files/pack.py"), specs]
    packed = [
        subprocess.run(pack, input=json.dumps(settings), check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert packed[0] == packed[1]
    done = subprocess.run(
        site.command("build", "--settings", "-", "--json"),
        input=packed[0],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["changed"]
    assert answer["report"][1].startswith(NAME)
    assert [release.name for release in catalogue.load(site.root / "index.json")] == [NAME]


def test_specs_that_would_leave_their_directory_or_are_no_archive_are_refused(
    site: Site, tmp_path: Path
) -> None:
    settings = json.loads(site.settings_file().read_text(encoding="utf-8"))
    del settings["specs_dir"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../outside", "")
        archive.writestr("/outside", "")
    for packed in (buffer.getvalue(), b"no archive"):
        path = site.settings_file()
        document = {**settings, "specs": base64.b64encode(packed).decode()}
        path.write_text(json.dumps(document), encoding="utf-8")
        done = subprocess.run(
            site.command("build", "--settings", str(path)),
            env={**ENVIRONMENT, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") == 1
    assert not Path("/outside").exists()
    assert not (tmp_path / "outside").exists()


def test_settings_that_speak_of_a_release_that_is_not_published_are_refused(site: Site) -> None:
    path = site.settings_file()
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**settings, "hidden": ["2026.12"]}), encoding="utf-8")
    done = site.run("build", "--settings", str(path))
    assert done.returncode == 1
    assert "2026.12: hidden, ends, layers and environments speak of published ones" in done.stderr
