"""Setting the hub's sign-in as an operator does, and signing in at the lab's provider as its people do."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab import pages
from tests.lab.machines import ROOT, lab

if TYPE_CHECKING:
    import httpx

    from tests.lab.visitor import Visitor

SCENARIO = ROOT / "molecule/signin"
PEOPLE: dict[str, Any] = yaml.safe_load((SCENARIO / "vars/people.yml").read_text(encoding="utf-8"))
NAME = "Lab identity"
"""What the hub calls the provider: vars/oidc.yml."""


def secrets() -> dict[str, str]:
    """The passwords of the people of directory and provider."""
    document: dict[str, str] = json.loads((lab().state_dir / "signin.json").read_text(encoding="utf-8"))
    return document


def configure(*files: str, **variables: Any) -> str:
    """Converge the hub with files of molecule/signin/vars and with variables; what Ansible printed."""
    more = [f"@{SCENARIO}/vars/{name}.yml" for name in ("people", *files)]
    words = [word for item in (*more, json.dumps(variables)) for word in ("-e", item)]
    tags = ["--tags", "hub_configure,spawner_form_configure"]
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    answer = subprocess.run(
        ["ansible-playbook", "-i", "inventories/lab", "playbooks/hub.yml", *tags, *words],
        cwd=ROOT,
        env={**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr
    assert secrets()["client"] not in answer.stdout
    return answer.stdout


def issuer() -> str:
    """The provider's address, for tests and hub alike."""
    (controller,) = [host for host in lab().variables["lab_nodes"] if host == "login"]
    network = lab().variables["lab_kinds"][lab().kind]["network"]
    return f"https://{network}.10:{PEOPLE['signin_port']}" if controller else ""


def provider_form(visitor: Visitor, path: str = "/hub/oauth_login") -> httpx.Response:
    """Follow the hub's button to the provider's login form."""
    page = visitor.http.get(path)
    assert str(page.url).startswith(f"{issuer()}/sign-in/"), (
        page.status_code,
        str(page.url),
        page.text[:500],
    )
    return page


def sign_in(visitor: Visitor, login: str, path: str = "/hub/oauth_login") -> httpx.Response:
    """Sign in at the provider as somebody; the hub's page behind it."""
    page = provider_form(visitor, path)
    return visitor.http.post(str(page.url), data={"login": login, "password": secrets()[login]})


def said(page: httpx.Response) -> str:
    """The sentence that refuses somebody."""
    found = pages.parse(page).select_one("#berth-refused")
    assert found is not None, (page.status_code, str(page.url), pages.text(page)[:800])
    return found.get_text(" ", strip=True)
