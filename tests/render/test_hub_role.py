from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from berth.helper import settings as helper_settings
from berth.hub import settings as hub_settings
from tests.render.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.render.conftest import Site

LAB, EXAMPLE = "inventories/lab", "inventories/example"
HOSTS = {LAB: "login", EXAMPLE: "login.cluster.example.org"}
TEMPLATES = (
    "hub/berth",
    "hub/berth-helper.socket",
    "hub/berth-helper@.service",
    "hub/berth-hub.service",
    "hub/berth-proxy.service",
    "hub/berth-web.service",
    "hub/helper.json",
    "hub/hub.yml",
    "hub/nginx.conf",
    "hub/prometheus.yml",
    "spawner_form/form.yml",
)
UNITS = [name for name in TEMPLATES if name.endswith(".service")]
SANDBOX = {
    "KeyringMode=private",
    "LockPersonality=yes",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
}
inventories = pytest.mark.parametrize("inventory", [LAB, EXAMPLE])


def mapping(path: str) -> dict[str, Any]:
    """The variables of a role's file, as Ansible's templates."""
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415 - after the plugins are loaded

    found: dict[str, Any] = DataLoader().load_from_file(str(ROOT / "roles" / path), trusted_as_template=True)
    return found


def rendered(place: Site, template: str, **more: object) -> str:
    """Render on the hub's host, with what the role loads from other files than its own two."""
    release = str(more.pop("debian", "13"))
    host = HOSTS[f"inventories/{place.name}"]
    given = place._manager.get_vars(host=place._inventory.get_host(host))
    tls = {name: value for name, value in mapping("hub_tls/defaults/main.yml").items() if name not in given}
    return place.render(
        template,
        host,
        **tls,
        **mapping("hub_tls/vars/main.yml"),
        **mapping("hub/vars/Debian.yml"),
        ansible_facts={"distribution_major_version": release},
        role_path=str(ROOT / "roles/hub"),
        **more,
    )


@inventories
@pytest.mark.parametrize("template", TEMPLATES)
def test_the_files_of_the_hub_are_those_that_were_read_before(
    site: Callable[[str], Site],
    golden: Callable[[str, str], None],
    inventory: str,
    template: str,
) -> None:
    place = site(inventory)
    golden(f"{place.name}/hub/{template.partition('/')[2]}", rendered(place, template))


@inventories
def test_the_hub_accepts_its_settings_and_the_form(
    site: Callable[[str], Site], inventory: str, tmp_path: Path
) -> None:
    place = site(inventory)
    (tmp_path / "hub.yml").write_text(rendered(place, "hub/hub.yml"), encoding="utf-8")
    (tmp_path / "form.yml").write_text(rendered(place, "spawner_form/form.yml"), encoding="utf-8")
    hub, form = hub_settings.load(tmp_path)
    assert hub.public_url.startswith("https://")
    assert hub.session_hub_url.endswith(":8444")
    assert form.time.default in form.time.choices


@inventories
def test_the_helper_accepts_its_settings_and_agrees_with_the_hub(
    site: Callable[[str], Site], inventory: str, tmp_path: Path
) -> None:
    place = site(inventory)
    (tmp_path / "helper.json").write_text(rendered(place, "hub/helper.json"), encoding="utf-8")
    helper = helper_settings.load(tmp_path / "helper.json")
    hub = yaml.safe_load(rendered(place, "hub/hub.yml"))
    assert helper.partition == hub["slurm"]["partition"]
    assert helper.slurm_bin_dir == hub["slurm"]["bin_dir"]
    assert helper.layers_dir == f"{hub['session']['root']}/layers"
    assert f"User={helper.peer_user}\n" in rendered(place, "hub/berth-hub.service")
    assert f"ListenStream={hub['helper_socket']}\n" in rendered(place, "hub/berth-helper.socket")
    (limit,) = re.findall(
        r"^RuntimeMaxSec=(\d+)$", rendered(place, "hub/berth-helper@.service"), re.MULTILINE
    )
    assert int(limit) < hub["helper_timeout_seconds"], "the hub does not hear the helper out"


@pytest.mark.parametrize("template", UNITS)
def test_every_unit_is_sandboxed(site: Callable[[str], Site], template: str) -> None:
    lines = rendered(site(LAB), template).splitlines()
    assert SANDBOX - set(lines) == set()
    # DynamicUser= implies the strict kind.
    assert "ProtectSystem=strict" in lines or "DynamicUser=yes" in lines
    # The helper writes a test into the user's home, and where the site says that homes are only.
    homes = {"ProtectHome=no", "ReadWritePaths=-/home"} if "helper" in template else {"ProtectHome=yes"}
    assert homes - set(lines) == set()


@pytest.mark.parametrize("unit", ["hub", "proxy"])
def test_hub_and_proxy_have_no_capability(site: Callable[[str], Site], unit: str) -> None:
    text = rendered(site(LAB), f"hub/berth-{unit}.service")
    assert re.findall(r"^(?:Capability|Ambient).*", text, re.MULTILINE) == ["CapabilityBoundingSet="]
    assert not re.search(r"^User=root", text, re.MULTILINE)


def test_no_secret_stands_in_a_unit_or_a_setting(site: Callable[[str], Site]) -> None:
    for template in TEMPLATES:
        assert not re.search(r"TOKEN *=|password *=", rendered(site(LAB), template), re.IGNORECASE)


def test_the_password_of_the_database_stands_in_no_file_that_others_read(site: Callable[[str], Site]) -> None:
    given = {
        "hub_database_url": "postgresql+psycopg://berth@db/berth",
        "hub_database_password": "s3cret-word",
    }
    texts = [rendered(site(LAB), template, **given) for template in TEMPLATES]
    assert [text for text in texts if "s3cret-word" in text] == []
    assert any("database_url: postgresql+psycopg://berth@db/berth\n" in text for text in texts)


def test_the_api_for_the_nodes_is_open_to_the_named_addresses_only(site: Callable[[str], Site]) -> None:
    text = rendered(site(LAB), "hub/nginx.conf", hub_api_allow=["192.0.2.0/24", "2001:db8::/32"])
    server = text[text.index("listen *:8444 ssl;") :]
    rules = re.findall(r"\b(allow|deny) ([^;]+);", server)
    assert rules == [("allow", "192.0.2.0/24"), ("allow", "2001:db8::/32"), ("deny", "all")]
    assert set(re.findall(r"location (\S+) \{ (\S+)", server)) == {
        ("/", "return"),
        ("/hub/api/", "proxy_pass"),
        ("/hub/api/metrics", "return"),
    }


def test_metrics_are_open_to_the_named_addresses_only(site: Callable[[str], Site]) -> None:
    text = rendered(site(LAB), "hub/nginx.conf", hub_metrics_allow=["192.0.2.7", "2001:db8::/32"])
    public = text[text.index("listen *:443") : text.index("listen *:8444")]
    rules = re.findall(r"\b(allow|deny) ([^;]+);", public)
    assert rules == [("allow", "192.0.2.7"), ("allow", "2001:db8::/32"), ("deny", "all")]
    places = re.findall(r"location ~ (\S+) \{ (allow|proxy_pass|deny)", public)
    (closed, _), (hub, how) = places  # nginx takes the first that fits
    assert how == "proxy_pass"
    for path in ("/hub/metrics", "/hub/metrics/", "/hub/api/metrics"):
        assert re.search(closed, path)
        assert re.search(hub, path)
    assert not re.search(closed, "/hub/home")
    nobody = rendered(site(LAB), "hub/nginx.conf", hub_metrics_allow=[])
    assert "metrics/?$ { deny all; proxy_pass" in nobody
    assert "allow" not in nobody[: nobody.index("listen *:8444")]


def test_the_token_for_metrics_is_read_from_root_s_file_and_stands_nowhere(
    site: Callable[[str], Site],
) -> None:
    secret = "0123456789abcdef" * 2
    for template in TEMPLATES:
        assert secret not in rendered(site(LAB), template, hub_metrics_token=secret)
    unit = rendered(site(LAB), "hub/berth-hub.service")
    assert "EnvironmentFile=/etc/berth/metrics.env\n" in unit


@pytest.mark.parametrize("style", ["text", "json"])
def test_hub_and_helper_write_their_lines_alike(site: Callable[[str], Site], style: str) -> None:
    place = site(LAB)
    assert json.loads(rendered(place, "hub/helper.json", hub_log_format=style))["log_format"] == style
    assert yaml.safe_load(rendered(place, "hub/hub.yml", hub_log_format=style))["log_format"] == style


def test_the_example_for_prometheus_names_the_hub_and_its_token(site: Callable[[str], Site]) -> None:
    (job,) = yaml.safe_load(rendered(site(EXAMPLE), "hub/prometheus.yml"))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["jupyter.example.org"]}]
    assert "tls_config" not in job
    (own,) = yaml.safe_load(rendered(site(LAB), "hub/prometheus.yml"))["scrape_configs"]
    assert own["tls_config"] == {"ca_file": "/etc/prometheus/berth-ca.crt"}


@pytest.mark.parametrize(
    ("debian", "listen", "directive"), [("12", "listen *:443 ssl http2;", 0), ("13", "listen *:443 ssl;", 1)]
)
def test_http2_is_written_as_the_installed_nginx_reads_it(
    site: Callable[[str], Site], debian: str, listen: str, directive: int
) -> None:
    text = rendered(site(LAB), "hub/nginx.conf", debian=debian)
    assert listen in text
    assert text.count("http2 on;") == directive


def test_the_redirect_can_be_left_out_and_addresses_be_added(site: Callable[[str], Site]) -> None:
    text = rendered(site(LAB), "hub/nginx.conf", hub_http_port=0, hub_listen=["*", "[::]"])
    assert re.findall(r"listen ([^;]+);", text) == [
        "*:443 ssl",
        "[::]:443 ssl",
        "*:8444 ssl",
        "[::]:8444 ssl",
    ]


def test_idle_notebooks_and_large_ones_get_through(site: Callable[[str], Site]) -> None:
    text = rendered(site(LAB), "hub/nginx.conf", hub_idle_timeout="2h", hub_upload_limit="1g")
    assert "client_max_body_size 1g;" in text
    assert text.count("proxy_read_timeout 2h;") == text.count("proxy_send_timeout 2h;") == 1
    assert "proxy_buffering off;" in text
    assert "proxy_request_buffering off;" in text


def test_the_site_can_bring_its_own_pam_stack(site: Callable[[str], Site]) -> None:
    lines = ["auth required pam_sss.so", "account required pam_sss.so"]
    text = rendered(site(LAB), "hub/berth", hub_pam_lines=lines)
    assert [line for line in text.splitlines() if not line.startswith("#")] == lines


def test_a_wrong_setting_is_refused_and_not_ignored(site: Callable[[str], Site], tmp_path: Path) -> None:
    document = json.loads(rendered(site(LAB), "hub/helper.json", hub_password_attempts=0))
    (tmp_path / "helper.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(helper_settings.SettingsError, match="password_attempts"):
        helper_settings.load(tmp_path / "helper.json")
