"""What the roles install and write on each system. Those of the RHEL family were rendered, not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.render import systems
from tests.render.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.render.conftest import Site

MIXED = "tests/render/inventories/mixed"
RHEL = [system for system in systems.SYSTEMS if not system.startswith("debian")]
PARTS = {"controller_enabled": "slurmctld", "database_enabled": "slurmdbd", "node_enabled": "slurmd"}


def known(role: str, system: str) -> dict[str, Any]:
    return {**systems.facts(system), **systems.called(role, system)}


def packages(place: Site, system: str, *parts: str) -> set[str]:
    enabled = {f"slurm_cluster_{part}": part in parts for part in PARTS}
    found: Any = place.value(
        "slurm_cluster", "__slurm_cluster_packages", "ctl", **known("slurm_cluster", system), **enabled
    )
    return set(found)


@pytest.mark.parametrize("system", RHEL)
def test_the_packages_of_epel_are_installed_where_they_are_wanted(
    site: Callable[[str], Site], system: str
) -> None:
    place = site(MIXED)
    always = {"munge", "openssl", "slurm"}
    assert packages(place, system) == always
    assert packages(place, system, "controller_enabled") == always | {"slurm-slurmctld"}
    assert packages(place, system, "database_enabled") == always | {"slurm-slurmdbd", "mariadb-server"}
    assert packages(place, system, "node_enabled") == always | {"slurm-slurmd"}


def test_debian_has_the_packages_that_it_had(site: Callable[[str], Site]) -> None:
    always = {"munge", "slurm-client"}
    assert packages(site(MIXED), "debian-13") == always
    everything = always | {"slurmctld", "slurmdbd", "mariadb-server", "slurmd"}
    assert packages(site(MIXED), "debian-13", *PARTS) == everything


@pytest.mark.parametrize(
    ("system", "epel", "crb"),
    [
        ("rhel-9", [], ["codeready-builder-for-rhel-9-x86_64-rpms"]),
        ("rhel-10", [], ["codeready-builder-for-rhel-10-x86_64-rpms"]),
        ("rocky-9", ["epel-release"], ["crb"]),
        ("almalinux-10", ["epel-release"], ["crb"]),
    ],
)
def test_the_repositories_have_the_names_of_the_system(
    site: Callable[[str], Site], system: str, epel: list[str], crb: list[str]
) -> None:
    place, variables = site(MIXED), known("slurm_cluster", system)
    assert place.value("slurm_cluster", "__slurm_cluster_repository_packages", "ctl", **variables) == epel
    assert place.value("slurm_cluster", "__slurm_cluster_repositories", "ctl", **variables) == crb


@pytest.mark.parametrize("system", ["rhel-9", "rhel-10"])
@pytest.mark.parametrize("name", ["slurm.conf", "slurmdbd.conf"])
def test_the_files_of_slurm_on_rhel_are_those_that_were_read_before(
    site: Callable[[str], Site], golden: Callable[[str, str], None], system: str, name: str
) -> None:
    text = site(MIXED).render(f"slurm_cluster/{name}", "ctl", **known("slurm_cluster", system))
    golden(f"{system}/{name}", text)


@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_a_system_has_a_name_for_everything(system: str) -> None:
    """No variable of one family is missing in another."""
    debian = systems.called("slurm_cluster", "debian-13")
    found = systems.called("slurm_cluster", system)
    assert set(debian) <= set(found)
    for name in ("__slurm_cluster_system", "__slurm_cluster_pid_files"):
        assert set(found[name]) == set(debian[name])
    assert set(found["__slurm_cluster_system"]["packages"]) == {"all", "controller", "database", "node"}


@pytest.mark.parametrize(
    ("system", "interpreter"),
    [
        ("debian-13", "/usr/bin/python3"),
        ("rhel-9", "/usr/bin/python3.12"),
        ("rocky-9", "/usr/bin/python3.12"),
        ("rhel-10", "/usr/bin/python3"),
        ("almalinux-10", "/usr/bin/python3"),
    ],
)
def test_environments_are_made_with_a_python_that_is_new_enough(
    site: Callable[[str], Site], system: str, interpreter: str
) -> None:
    """RHEL 9's own is 3.9, and the locks begin with 3.11."""
    place, variables = site(MIXED), systems.facts(system)
    assert place.value("python_env", "python_env_python", "ctl", **variables) == interpreter
    wanted = {interpreter.removeprefix("/usr/bin/")}
    more: Any = place.value("python_env", "__python_env_packages", "ctl", **variables)
    assert wanted <= set(more)
    node: Any = place.value("session", "session_node_packages + __session_python", "a001", **variables)
    assert wanted <= set(node)


@pytest.mark.parametrize("role", ["hub", "slurm_cluster"])
@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_roles_that_load_a_file_of_the_family_have_one(role: str, system: str) -> None:
    family = systems.facts(system)["ansible_facts"]["os_family"]
    assert (ROOT / "roles" / role / "vars" / f"{family}.yml").is_file()


@pytest.mark.parametrize("system", RHEL)
def test_the_nodes_of_rhel_keep_further_cas_in_their_own_place(
    site: Callable[[str], Site], system: str
) -> None:
    trust = site(MIXED).value("session", "__session_trust.directory", "a001", **systems.facts(system))
    assert trust == "/etc/pki/ca-trust/source/anchors"


@pytest.mark.parametrize(("system", "directive"), [("rocky-9", False), ("rhel-9", False), ("rhel-10", True)])
def test_http2_is_written_as_the_nginx_of_rhel_reads_it(
    site: Callable[[str], Site], system: str, *, directive: bool
) -> None:
    assert site(MIXED).value("hub", "__hub_web_http2_directive", "web", **known("hub", system)) is directive
