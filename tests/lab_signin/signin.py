"""Setting the hub's sign-in as an operator does, and signing in at the lab's provider as its people do."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.lab import pages
from tests.lab.machines import ROOT, lab
from tests.lab.waiting import until

if TYPE_CHECKING:
    import httpx

    from tests.lab.machines import Machine
    from tests.lab.visitor import Visitor

SCENARIO = ROOT / "molecule/signin"
PEOPLE: dict[str, Any] = yaml.safe_load((SCENARIO / "vars/people.yml").read_text(encoding="utf-8"))
HUB_SECONDS = 60.0
NAME = "Lab identity"
"""What the hub calls the provider: vars/oidc.yml."""


def secrets() -> dict[str, str]:
    """The passwords of the people of directory and provider."""
    document: dict[str, str] = json.loads((lab().state_dir / "signin.json").read_text(encoding="utf-8"))
    return document


def configure(*files: str, **variables: Any) -> str:
    """Converge the hub with files of molecule/signin/vars and with variables; what Ansible printed."""
    more = [word for name in ("people", *files) for word in ("-e", f"@{SCENARIO}/vars/{name}.yml")]
    return playbook("hub", "--tags", "hub_configure,spawner_form_configure", *more, **variables)


def playbook(name: str, *options: str, **variables: Any) -> str:
    """Run a playbook of the site's with variables; what Ansible printed, without any secret in it."""
    # Molecule asks for colours, which would stand between the words.
    plain = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "LC_ALL": "C.UTF-8"}
    command = ["ansible-playbook", "--diff", "-i", "inventories/lab", f"playbooks/{name}.yml", *options]
    answer = subprocess.run(
        [*command, "-e", json.dumps(variables)],
        cwd=ROOT,
        env={**os.environ, **plain, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout[-6000:] + answer.stderr
    assert secrets()["client"] not in answer.stdout
    return answer.stdout


def restart_hub(login: Machine) -> None:
    """Have the hub begin anew, and wait until it answers."""
    login.run("systemctl", "restart", "berth-hub")
    script = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/hub/health', timeout=5)"
    until(lambda: login.attempt("python3", "-c", script).rc == 0, "an answer of the hub", HUB_SECONDS)


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
