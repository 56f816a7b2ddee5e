from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from berth.inventory import check, form, releases, roles
from berth.inventory.mistakes import Mistake, in_order, nearest
from berth.inventory.site import Host, Site, Unknown, View

ROOT = Path(__file__).resolve().parents[3]
ROLES = roles.load(ROOT)
NODE = {"name": "gpu1", "cpus": 16, "memory": "64G"}


def site(*hosts: tuple[str, str, dict[str, Any]]) -> Site:
    """A site of (name, group, variables), without places."""
    groups: dict[str, tuple[str, ...]] = {"all": tuple(name for name, _, _ in hosts)}
    for name, group, _ in hosts:
        groups[group] = (*groups.get(group, ()), name)
    return Site(
        directory="inventories/site",
        hosts_file="inventories/site/hosts.yml",
        hosts={name: Host(name, values, {}) for name, _, values in hosts},
        groups=groups,
        roles=ROLES,
    )


def view(**values: Any) -> View:
    made = site(("hub.example.org", "hub", values))
    return View(made, made.hosts["hub.example.org"])


def said(mistakes: Any) -> list[str]:
    return [str(mistake) for mistake in mistakes]


def test_roles_are_known_with_the_groups_that_the_playbooks_apply_them_to() -> None:
    assert ROLES["spawner_form"].groups == ("hub",)
    assert ROLES["session"].groups == ("hub", "interactive_nodes")
    assert ROLES["python_env"].groups == (), "only other roles apply it"
    assert ROLES["hub"].home("inventories/site") == "inventories/site/group_vars/hub/hub.yml"
    assert ROLES["session"].home("inventories/site") == "inventories/site/group_vars/all/session.yml"


@pytest.mark.parametrize(
    "name", [name for role in ROLES.values() for name, option in role.options.items() if "default" in option]
)
def test_every_default_of_a_role_can_be_computed_but_those_of_the_system(name: str) -> None:
    default = next(role.options[name]["default"] for role in ROLES.values() if name in role.options)
    if "{{ __" in str(default):
        with pytest.raises(Unknown):
            view().value(name)
        return
    assert "{{" not in str(view().value(name))


def test_defaults_follow_the_host_and_the_variables_that_they_name() -> None:
    found = view(hub_api_https_port=9444, session_root="/srv")
    assert found.text("hub_session_url") == "https://hub.example.org:9444"
    assert found.text("session_hub_ca") == "/srv/etc/hub-ca.crt"
    assert found.entries("hub_tls_names") == ["hub.example.org", "127.0.0.1"]


@pytest.mark.parametrize(
    ("getter", "value"),
    [("text", 5), ("number", True), ("number", "5"), ("flag", 1), ("entries", "a"), ("mapping", ["a"])],
)
def test_a_value_of_another_type_is_unknown_to_the_checks_that_need_it(getter: str, value: object) -> None:
    with pytest.raises(Unknown):
        getattr(view(hub_partition=value), getter)("hub_partition")


def test_a_mistake_without_a_line_names_the_file_where_the_variable_belongs() -> None:
    mistakes = said(check.mistakes(site(("web", "hub", {"hub_api_allow": "192.0.2.0/24"}))))
    assert (
        "inventories/site/group_vars/hub/hub.yml: hub_api_allow is the text '192.0.2.0/24', not a list. "
        "Write a list: [192.0.2.0/24]." in mistakes
    )


def test_mistakes_are_told_once_and_in_the_order_of_their_lines() -> None:
    late, early, file = (
        Mistake("a.yml:10", "x", "y"),
        Mistake("a.yml:9", "x", "y"),
        Mistake("a.yml", "x", "y"),
    )
    assert in_order([late, early, late, file]) == [file, early, late]


def test_names_that_differ_in_their_numbers_are_no_misspellings_of_each_other() -> None:
    assert nearest("gpu3", ["gpu1", "gpu2"]) is None
    assert nearest("2026.12", ["2026.11"]) is None
    assert nearest("memmory", ["memory", "name"]) == "memory"


def test_hosts_with_the_same_variables_are_checked_once() -> None:
    nodes = [NODE]
    hosts = [
        (f"gpu{number}", "interactive_nodes", {"slurm_interactive_nodes": nodes}) for number in range(300)
    ]
    made = site(*hosts)
    assert len(list(check._different(made, made.hosts.values()))) == 1


def test_a_site_with_slurm_needs_neither_a_database_nor_the_cluster_s_variables() -> None:
    values = {"slurm_interactive_existing": True, "slurm_interactive_nodes": [NODE]}
    mistakes = said(check.mistakes(site(("gpu1", "interactive_nodes", values))))
    assert not [line for line in mistakes if "slurm_database" in line or "slurm_cluster" in line]
    assert [line for line in mistakes if "slurm_controller" in line]


@pytest.mark.parametrize(
    "address", ["https://berth:s3cr3t@m.example.org/x", "https://m.example.org/t/s3cr3t/x"]
)
def test_an_address_of_packages_with_a_secret_is_told_without_it(address: str) -> None:
    values = {"releases_channels": {"conda-forge": address}, "releases_pip_index": address}
    found = said(releases.addresses(view(**values)))
    assert [line.partition(" holds a password")[0].rpartition(": releases")[2] for line in found] == [
        "_channels: conda-forge",
        "_pip_index",
    ]
    assert "s3cr3t" not in str(found)
    clean = {"releases_channels": {"conda-forge": "https://m.example.org/@x/t"}, "releases_pip_index": ""}
    assert said(releases.addresses(view(**clean))) == []


RELEASE = "{date: 2026-11-16, layer: 4.6-1, channels: [conda-forge], environments: [r]}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("date: [", "cannot be read: "),
        (
            "layer: 4.6-1",
            "release.yml lacks channels, date, environments. Correct it as docs/develop/releases.md",
        ),
        (RELEASE.replace("[r]", "[rust]"), "rust.yml cannot be read: "),
        (RELEASE, "there is no lock of r. Make what is missing with `berth release lock 1.0`, and commit"),
    ],
)
def test_a_release_that_cannot_be_built_is_told_at_its_own_file(
    tmp_path: Path, text: str, sentence: str
) -> None:
    release = tmp_path / "1.0"
    release.mkdir()
    (release / "release.yml").write_text(text, encoding="utf-8")
    (release / "r.yml").write_text(
        "{display_name: R, language: R, kernel: ir, conda: [r-base]}", encoding="utf-8"
    )
    found = said(releases.published(view(releases_published=["1.0"], releases_specs_dir=str(tmp_path))))
    assert len(found) == 1
    assert found[0].startswith(f"{release}/release.yml: ")
    assert sentence in found[0]


def test_the_releases_of_this_repository_lack_nothing_but_locks() -> None:
    for directory in (ROOT / "releases").glob("*/"):
        for line in said(releases.published(view(releases_published=[directory.name]))):
            assert "there is no lock of " in line


def test_choices_above_the_limits_of_one_user_are_told() -> None:
    limits = {"cores_per_user": 4, "memory_per_user": "16G", "gpus_per_user": 2, "max_time": "04:00:00"}
    found = list(form.limits(view(slurm_interactive_limits=limits)))
    assert [mistake.problem for mistake in found] == [
        "spawner_form_cores offers 8, but a user may have 4 (slurm_interactive_limits.cores_per_user)",
        "spawner_form_memory offers 32G, but a user may have 16G (slurm_interactive_limits.memory_per_user)",
        "spawner_form_time offers 08:00:00, but a user may have 04:00:00 (slurm_interactive_limits.max_time)",
    ]
    assert found[0].fix == "Take 8 out, or raise the limit"


def test_a_cluster_without_accounting_needs_no_database() -> None:
    values = {"slurm_cluster_accounting": "disabled", "slurm_interactive_nodes": [NODE]}
    mistakes = said(check.mistakes(site(("gpu1", "interactive_nodes", values))))
    assert not [line for line in mistakes if "group slurm_database" in line]
