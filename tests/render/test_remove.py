"""What the roles bring, the role `remove` takes away: no file, directory or user of theirs is forgotten."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.render.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.render.conftest import Site

HOST = {"example": "hub.example.org", "lab": "login"}
DEBIAN = {
    "ansible_facts": {"os_family": "Debian", "distribution_major_version": "13", "service_mgr": "systemd"}
}
WRITTEN = re.compile(r"^\s*(?:- )?(?:path|dest|home|directory|creates): \"?(/[\w./@-]+)", re.MULTILINE)
"""Paths that tasks and variables of roles name literally."""
OTHERS = ("slurm_cluster", "slurm_interactive", "slurm_qos", "remove")
"""Roles whose files stay: those of Slurm."""
NOT_OURS = ("/sys", "/etc/slurm", "/dev", "/home", "/usr/bin", "/usr/sbin", "/opt/berth/x")


class Removal:
    """The role's lists on one host."""

    def __init__(self, site: Site, host: str) -> None:
        def value(expression: str) -> list[str]:
            found = site.value("remove", expression, host, **DEBIAN)
            assert isinstance(found, list), expression
            return [str(item) for item in found]

        self.places = value("__remove_places")
        self.named = re.compile(str(site.value("remove", "__remove_named", host, **DEBIAN)))
        self.trees = [
            *value("__remove_directories"),
            *value("__remove_shared"),
            *value("[__remove_etc, __remove_hub_config]"),
            *value("__remove_trust.paths"),
        ]

    def covers(self, path: str) -> bool:
        """Whether a path goes: in a tree that goes, or by its name in a place where names decide."""
        found = PurePosixPath(path)
        if any(found.is_relative_to(tree) for tree in self.trees):
            return True
        above = [found, *found.parents]
        return any(str(item.parent) in self.places and self.named.fullmatch(item.name) for item in above)


@pytest.fixture(params=["lab"])
def removal(site: Callable[[str], Site], request: pytest.FixtureRequest) -> Removal:
    return Removal(site(f"inventories/{request.param}"), HOST[request.param])


def test_every_file_of_the_hub_goes(removal: Removal, site: Callable[[str], Site]) -> None:
    lab = site("inventories/lab")
    files = lab.value("hub", "__hub_files | map(attribute='path')", "login", **DEBIAN)
    more = lab.value(
        "hub",
        "[__hub_venv, __hub_proxy_dir, __hub_etc_dir, __hub_helper_socket, __hub_web_dir, __hub_proof,"
        " __hub_settings.state_dir, __hub_helper_settings.password_state_dir]"
        " + [hub_catalogue_dir, hub_guide_dir]",
        "login",
        **DEBIAN,
    )
    assert isinstance(files, list)
    assert isinstance(more, list)
    assert len(files) > 10
    assert [path for path in [*files, *more] if not removal.covers(str(path))] == []


def test_what_sessions_and_releases_need_goes(removal: Removal, site: Callable[[str], Site]) -> None:
    lab = site("inventories/lab")
    paths = [
        lab.value("session", "__session_layer", "login", **DEBIAN),
        lab.value("session", "__session_etc", "login", **DEBIAN),
        lab.value("session", "__session_trust.directory ~ '/berth-hub.crt'", "gpu1", **DEBIAN),
        lab.value("releases", "releases_root", "login"),
        lab.value("releases", "releases_tool_dir", "login"),
        lab.value("hub_tls", "__hub_tls_dir", "login"),
        lab.value("hub_tls", "hub_tls_ca_published", "login"),
    ]
    assert [path for path in paths if not removal.covers(str(path))] == []


def literal_paths() -> list[tuple[str, str]]:
    found = []
    for file in sorted((ROOT / "roles").rglob("*.yml")):
        role = file.relative_to(ROOT / "roles").parts[0]
        if role not in OTHERS and file.parent.name in {"tasks", "vars", "handlers"}:
            found += [
                (str(file.relative_to(ROOT)), path) for path in WRITTEN.findall(file.read_text("utf-8"))
            ]
    return [(file, path) for file, path in found if not path.startswith(NOT_OURS)]


def test_every_path_that_a_role_names_literally_goes(removal: Removal) -> None:
    found = literal_paths()
    assert ("roles/hub/vars/main.yml", "/etc/pam.d/berth") in found
    assert [(file, path) for file, path in found if not removal.covers(path)] == []


def test_units_keep_no_directory_that_stays(removal: Removal) -> None:
    kinds = {"StateDirectory": "/var/lib", "CacheDirectory": "/var/cache", "LogsDirectory": "/var/log",
             "RuntimeDirectory": "/run"}  # fmt: skip
    pattern = re.compile(rf"^({'|'.join(kinds)})=(\S+)$", re.MULTILINE)
    found = [
        f"{kinds[kind]}/{name}"
        for unit in (ROOT / "roles/hub/templates").glob("berth-*.j2")
        for kind, name in pattern.findall(unit.read_text(encoding="utf-8"))
    ]
    assert "/var/lib/berth-hub" in found
    assert [path for path in found if not removal.covers(path)] == []


def test_the_hub_s_user_goes_and_no_other_user_is_made(site: Callable[[str], Site]) -> None:
    lab = site("inventories/lab")
    assert lab.value("remove", "__remove_user", "login") == lab.value("hub", "__hub_user", "login")
    makers = [
        file.relative_to(ROOT / "roles").parts[0]
        for file in (ROOT / "roles").rglob("tasks/*.yml")
        if re.search(r"ansible\.builtin\.(user|group):", file.read_text(encoding="utf-8"))
    ]
    assert set(makers) <= {"hub", "remove", "slurm_cluster"}


@pytest.mark.parametrize(
    "path",
    ["/etc/slurm/slurm.conf", "/etc/systemd/system/slurmctld.service.d/berth.conf", "/home/alice/.berth",
     "/etc/pam.d/sshd", "/opt/berth/bench", "/opt/other", "/var/lib/berthold", "/etc/nginx/nginx.conf"],
)  # fmt: skip
def test_what_is_not_berth_s_stays(removal: Removal, path: str) -> None:
    assert not removal.covers(path)


def test_certificates_and_secrets_of_the_site_are_kept(site: Callable[[str], Site]) -> None:
    certificate = "/etc/berth/tls/site.crt"
    kept = site("inventories/lab").value(
        "remove",
        "remove_keep",
        "login",
        hub_tls_certificate=certificate,
        site_environment={"NETRC": "/etc/berth/netrc"},
    )
    assert isinstance(kept, list)
    assert {certificate, "/etc/berth/netrc"} <= set(kept)
