"""A kernel whose program cannot be started is not published, whatever its language."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from berth.releases import catalogue, probe
from berth.releases.errors import ReleaseError
from tests.unit.releases import channel
from tests.unit.releases.channel import PLACEHOLDER, Link, Package
from tests.unit.releases.conftest import NAME, RELEASE, R

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.unit.releases.conftest import Site

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="a program is linked: install gcc")


def publish(site: Site, files: Mapping[str, str | bytes | Link], more: str = "") -> None:
    """Publish a release with a kernel that is this julia, started by our own command."""
    channel.make(site.channel, Package("julia", "1.9.4", files=files))
    site.write(
        release=RELEASE.replace("[python, dask, r]", "[r]").replace("conda: [conda]", "conda: []"),
        r=R.replace("r-base", "julia").replace("language: R", "language: julia") + more,
    )
    site.lock(NAME, "r")
    site.apply()


def published(site: Site) -> bool:
    return (site.root / "index.json").exists() and bool(catalogue.load(site.root / "index.json"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/nowhere/sh\n", "bin/julia: "),
        ('#!/bin/sh\nexec nowhere "$@"\n', "nowhere: not found"),
        ("#!/bin/sh\necho cannot >&2; exit 126\n", "cannot"),
    ],
)
def test_a_script_that_cannot_be_run_is_refused(site: Site, text: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=f"r-[0-9a-f]{{12}} has no kernel that works: .*{reason}"):
        publish(site, {"bin/julia": text})
    assert not published(site)


def test_a_script_is_run_with_its_environment_active(site: Site) -> None:
    files = {
        "bin/julia": '#!/bin/sh\n[ "$1" = --version ] && exec "$LANGUAGE_HOME/real"\n',
        "etc/conda/activate.d/home.sh": f"export LANGUAGE_HOME={PLACEHOLDER}/bin\n",
        "bin/real": "#!/bin/sh\nexit 0\n",
    }
    publish(site, files)
    assert published(site)


def test_a_program_that_does_not_know_the_question_is_published(site: Site) -> None:
    publish(site, {"bin/julia": "#!/bin/sh\nexit 2\n"})
    assert published(site)


def test_a_program_that_does_not_end_could_be_started(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_OTHER_SECONDS", 0.5)
    # It is never waited for: the probe's own patience ends it.
    publish(site, {"bin/julia": "#!/bin/sh\nsleep 600 & wait\n"})
    assert published(site)


def test_what_needs_modules_is_not_started_where_there_may_be_none(site: Site) -> None:
    publish(site, {"bin/julia": "#!/nowhere/sh\n"}, "    modules: [gcc/14]\n")
    assert published(site)


@needs_compiler
def test_a_program_without_one_of_its_libraries_is_refused(site: Site, tmp_path: Path) -> None:
    program, library = linked(tmp_path)
    with pytest.raises(ReleaseError, match=r"has no kernel that works: .*libours\.so => not found"):
        publish(site, {"bin/julia": program})
    assert not published(site)
    publish(site, {"bin/julia": program, "lib/libours.so": library})
    assert published(site)


@needs_compiler
def test_a_link_finds_the_libraries_of_the_program_that_it_leads_to(site: Site, tmp_path: Path) -> None:
    program, library = linked(tmp_path)
    files: dict[str, str | bytes | Link] = {
        "bin/julia": Link("own/bin/julia"),
        "bin/own/bin/julia": program,
        "bin/own/lib/libours.so": library,
    }
    publish(site, files)
    assert published(site)


def linked(place: Path) -> tuple[bytes, bytes]:
    """Link a program with a library that it looks for beside itself."""
    (place / "ours.c").write_text("int ours(void) { return 0; }\n", encoding="utf-8")
    (place / "main.c").write_text("int ours(void); int main(void) { return ours(); }\n", encoding="utf-8")
    for command in (
        ["cc", "-shared", "-fPIC", "-o", "libours.so", "ours.c"],
        ["cc", "-o", "program", "main.c", "-L.", "-lours", "-Wl,-rpath,$ORIGIN/../lib"],
    ):
        subprocess.run(command, cwd=place, check=True)
    return (place / "program").read_bytes(), (place / "libours.so").read_bytes()
