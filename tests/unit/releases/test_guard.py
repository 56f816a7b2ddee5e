"""What has been published never changes, in the index or out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from berth.releases import catalogue, keep
from berth.releases.errors import ReleaseError
from tests.unit.releases.conftest import DASK, NAME, PYTHON, RELEASE, R
from tests.unit.releases.test_build import tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.releases.conftest import Site

NEXT = "2027.05"


@pytest.fixture
def retired(site: Site) -> Site:
    """A site that has taken a release out of its list, wants it again, and has another lock of it."""
    site.apply()
    site.write(NEXT)
    site.lock(NEXT)
    site.want(NEXT)
    site.apply()
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    site.want(NEXT, NAME)
    return site


def test_a_retired_release_does_not_come_back_with_another_lock(retired: Site) -> None:
    before = tree(retired.root)
    for check in (True, False):
        with pytest.raises(
            ReleaseError,
            match=rf"release {NAME} was published with another lock of python, .*: put the old lock back, or "
            rf"`berth release retire {NAME}` first, or choose a new name",
        ):
            retired.apply(check=check)
    assert tree(retired.root) == before


def test_a_retired_release_comes_back_with_its_lock_or_after_its_files_are_gone(retired: Site) -> None:
    with_another = (retired.settings.specs_dir / NAME / "python.lock.json").read_bytes()
    retired.write()
    retired.lock(NAME, "python")
    assert retired.apply().built == ()
    retired.want(NEXT)
    retired.apply()
    assert keep.retire(retired.root, NAME, check=False)
    retired.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    (retired.settings.specs_dir / NAME / "python.lock.json").write_bytes(with_another)
    retired.want(NEXT, NAME)
    assert len(retired.apply().built) == 4


def test_an_environment_that_a_site_left_out_does_not_come_back_with_another_lock(site: Site) -> None:
    site.apply()
    (wanted,) = site.settings.releases
    site.want(replace(wanted, environments=("r",)))
    site.apply()
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    site.want(wanted)
    with pytest.raises(ReleaseError, match="was published with another lock of python"):
        site.apply()


def test_what_was_built_and_never_published_may_be_locked_anew(site: Site) -> None:
    layers = site.settings.layers_dir
    site.want(NAME, layers_dir=site.place / "none")
    with pytest.raises(ReleaseError, match="its layer"):
        site.apply()
    assert site.prefix("python").is_dir()
    site.write(python=PYTHON.replace("numpy <2.1", "numpy"))
    site.lock(NAME, "python")
    site.want(NAME, layers_dir=layers)
    assert len(site.apply().built) == 1


def test_a_release_that_is_not_fit_for_the_index_does_not_count_as_published(site: Site) -> None:
    site.write(r=R.replace("packages: [r-base]", "packages: [scipy]"))
    with pytest.raises(ReleaseError, match="packages names scipy"):
        site.apply()
    assert list((site.root / NAME).glob("contents-*")) == []


def _another_date(site: Site) -> str:
    site.write(release=RELEASE.replace("2026-11-16", "2026-12-01"))
    return "its date was 2026-11-16 and is 2026-12-01 now"


def _without_an_environment(site: Site) -> str:
    site.write(release=RELEASE.replace("[python, dask, r]", "[python, r]"))
    return r"the environment dask is not in release\.yml any more"


def _without_conda(site: Site) -> str:
    site.write(release=RELEASE.replace("conda: [conda]", "conda: []"))
    return "it had a conda of its own and has none now"


def _another_kernel(site: Site) -> str:
    site.write(python=PYTHON.replace("kernel: python3", "kernel: python"))
    return "kernel of python was python3 and is python now"


def _another_language(site: Site) -> str:
    site.write(r=R.replace("language: R", "language: julia"))
    return "language of r was R and is julia now"


@pytest.mark.parametrize(
    "change", [_another_date, _without_an_environment, _without_conda, _another_kernel, _another_language]
)
def test_what_a_published_release_is_cannot_be_changed(site: Site, change: Callable[[Site], str]) -> None:
    site.apply()
    before = tree(site.root)
    said = change(site)
    for check in (True, False):
        with pytest.raises(ReleaseError, match=f"never changes; but {said}: make a new release"):
            site.apply(check=check)
    assert tree(site.root) == before


def test_what_a_published_release_is_called_and_how_it_looks_can_be_changed(site: Site) -> None:
    site.apply()
    site.write(
        python=PYTHON.replace("Python {python}", "Our Python") + "    modules: [gcc/14]\n    logo: p.svg\n",
        dask=DASK.replace("packages: [dask]", "packages: [dask, numpy]"),
        release=RELEASE.replace("[python, dask, r]", "[r, dask, python]"),
    )
    (site.settings.specs_dir / NAME / "p.svg").write_text("<svg/>", encoding="utf-8")
    assert site.apply().built == ()
    r, dask, python = catalogue.load(site.root / "index.json")[0].environments
    assert (r.name, set(dask.packages), python.display_name) == ("r", {"dask", "numpy"}, "Our Python")
    assert list(keep.verify(site.root, [])) == []
