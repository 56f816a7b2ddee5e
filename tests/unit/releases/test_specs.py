"""The specs that are shipped can be read, and ask for what a solver understands: conda-forge is far."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rattler

from berth.releases import spec

if TYPE_CHECKING:
    from berth.releases.spec import ReleaseSpec

SPECS = Path(__file__).parents[3] / "releases"
NAMES = sorted(path.parent.name for path in SPECS.glob("*/release.yml"))


@pytest.fixture(params=NAMES)
def release(request: pytest.FixtureRequest) -> ReleaseSpec:
    return spec.load(SPECS, request.param)


def asked(conda: tuple[str, ...], pip: tuple[str, ...]) -> set[str]:
    names = {rattler.MatchSpec(text).name.normalized for text in conda}
    return names | {re.split(r"[\[=<>!~ ]", text)[0] for text in pip}


def test_every_spec_names_a_package_and_a_channel_of_the_release(release: ReleaseSpec) -> None:
    for conda, pip in release.requests().values():
        assert len(asked(conda, pip)) == len(conda) + len(pip)
        named = {text.partition("::")[0] for text in conda if "::" in text}
        assert named <= set(release.channels)


def test_what_the_launcher_and_the_catalogue_name_is_asked_for(release: ReleaseSpec) -> None:
    for environment in release.environments:
        there = asked(environment.conda, environment.pip)
        shown = set(re.findall(r"{(.+?)}", environment.display_name))
        # what RAPIDS is made of comes with it
        assert (shown | set(environment.packages)) - there <= {"cudf", "cuml", "cugraph"}, environment.name


def test_python_s_environments_have_the_kernel_that_berth_starts(release: ReleaseSpec) -> None:
    for environment in release.environments:
        if environment.language == "python":
            assert {"python", "ipykernel"} <= asked(environment.conda, environment.pip), environment.name
