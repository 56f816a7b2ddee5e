"""What an operator changes about published releases by variables: the form follows, sessions go on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import pages
from tests.lab.machines import LOGIN
from tests.lab.notebook import Kernel
from tests.lab.releases import INDEX, ordered
from tests.lab.sessions import running
from tests.lab.waiting import until
from tests.lab_releases.playing import play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.machines import Machine
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LAYERS = "/opt/berth/layers"
SEEN_SECONDS = 30.0
CHANGED, UNCHANGED = " changed=1 ", " changed=0 "


@dataclass(frozen=True)
class Site:
    """A lab with two releases, and the variables that make it what it is."""

    login: Machine
    reader: Visitor
    """Who looks at the form."""
    old: dict[str, Any]
    new: dict[str, Any]
    variables: dict[str, Any]

    def play(self, *options: str, **changed: Any) -> str:
        """Run the playbook with some variables changed; return the recap."""
        return play(LOGIN, {**self.variables, **changed}, *options)

    def sees(self, *releases: str) -> None:
        """Wait until the form offers exactly these releases, newest first."""

        def offered() -> tuple[str, ...]:
            form = pages.form(self.reader.form_page(), "spawn_form")
            return form.label("Backend environment").choices

        until(lambda: offered() == releases, f"a form with {releases}, not {offered()}", SEEN_SECONDS)

    def built(self) -> str:
        """When the files of both releases were made."""
        prefixes = [item["prefix"] for entry in (self.old, self.new) for item in entry["environments"]]
        return self.login.run("stat", "--format=%n %i %z", *(f"{prefix}/.berth.json" for prefix in prefixes))


@pytest.fixture(scope="module")
def site(login: Machine, bob: Visitor) -> Iterator[Site]:
    """The lab as it was converged; it is so afterwards, too."""
    releases = ordered()
    variables = {
        "releases_published": [entry["name"] for entry in reversed(releases)],
        "releases_environments": {
            entry["name"]: [item["name"] for item in entry["environments"]] for entry in releases
        },
    }
    found = Site(login, bob, releases[0], releases[-1], variables)
    before, built = login.run("cat", INDEX), found.built()
    try:
        yield found
    finally:
        found.play()
    assert login.run("cat", INDEX) == before
    assert found.built() == built, "something was built again"


@pytest.fixture(scope="module")
def kernel(site: Site, slurm: Slurm, alice: Visitor) -> Iterator[Kernel]:
    """A kernel of alice's session with the older release."""
    with running(slurm, alice, release=site.old["name"]), Kernel.start(alice) as found:
        yield found


@pytest.mark.parametrize("how", ["hidden", "retired"])
def test_a_release_leaves_the_form_and_comes_back_while_a_session_uses_it(
    site: Site, kernel: Kernel, how: str
) -> None:
    new, old = site.new["name"], site.old["name"]
    site.sees(new, old)
    changed: dict[str, Any] = {"releases_hidden": [old]}
    if how == "retired":
        kept = {new: site.variables["releases_environments"][new]}
        changed = {"releases_published": [new], "releases_environments": kept}
    assert CHANGED in site.play("--check", **changed)
    site.sees(new, old)
    assert CHANGED in site.play(**changed)
    assert UNCHANGED in site.play(**changed)
    site.sees(new)
    assert kernel.value("6 * 7") == 42
    with Kernel.start(kernel.visitor) as another:
        assert another.value("__import__('numpy').ones(2).sum()") == 2
    assert CHANGED in site.play()
    site.sees(new, old)


def test_the_last_day_of_a_release_is_shown_and_the_day_after_it_is_not_offered(site: Site) -> None:
    new, old = site.new["name"], site.old["name"]
    today = dt.datetime.now(tz=dt.UTC).date()
    last = today + dt.timedelta(days=30)
    site.play(releases_end={old: f"{last}"})
    until(lambda: f"{old}, until {last}" in pages.text(site.reader.form_page()), "the last day", SEEN_SECONDS)
    site.play(releases_end={old: f"{today - dt.timedelta(days=2)}"})
    site.sees(new)
    assert "No longer possible" in pages.text(site.reader.http.get(f"/hub/berth/releases/{old}"))
    site.play()
    site.sees(new, old)


def test_sessions_start_with_the_layer_that_a_release_is_given(
    site: Site, slurm: Slurm, bob: Visitor
) -> None:
    layer = f"{site.old['layer']}-patched"
    site.login.run("ln", "-s", site.old["layer"], f"{LAYERS}/{layer}")
    try:
        site.play(releases_layers={site.old["name"]: layer})
        page = f"/hub/berth/releases/{site.old['name']}"
        until(lambda: layer in pages.text(site.reader.http.get(page)), "the other layer", SEEN_SECONDS)
        with running(slurm, bob, account="proj_b", release=site.old["name"]) as session:
            assert session.job["Command"] == f"{LAYERS}/{layer}/bin/berth-session"
    finally:
        site.play()
        site.login.run("rm", f"{LAYERS}/{layer}")
