"""The examples of docs/operate/rest.md, run as they are written there; and what a refusal says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab.machines import LOGIN, ROOT, Machine, lab
from tests.lab.sessions import ended, session_jobs
from tests.lab.visitor import CA
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

PAGE = ROOT / "docs/operate/rest.md"
SECONDS = 120


def example(heading: str) -> str:
    """The example under a heading of the page."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}\n```.*?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


@pytest.fixture
def environment(alice: Visitor, tmp_path: Path) -> dict[str, str]:
    """What the examples find in the environment, and the lab's CA where curl and Python look for it."""
    assert shutil.which("curl"), "install curl: the examples of the documentation are run as they are written"
    wanted = {"note": "rest", "expires_in": 600, "scopes": ["servers!user", "access:servers!user"]}
    token = alice.hub("POST", "users/alice/tokens", json=wanted).raise_for_status().json()["token"]
    bundle = tmp_path / "ca.pem"
    bundle.write_text(Machine(LOGIN).run("cat", CA), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept |= {"CURL_CA_BUNDLE": str(bundle), "SSL_CERT_FILE": str(bundle)}
    return kept | {"HUB": lab().url, "NAME": "alice", "TOKEN": str(token)}


@pytest.fixture(autouse=True)
def _nothing_left(slurm: Slurm, alice: Visitor) -> Iterator[None]:
    yield
    ended(slurm, alice)


@pytest.mark.parametrize(
    ("heading", "command"), [("With curl", ["sh", "-c"]), ("With Python", [sys.executable, "-I", "-c"])]
)
def test_an_example_starts_follows_uses_and_stops_a_session(
    slurm: Slurm, alice: Visitor, environment: dict[str, str], heading: str, command: list[str]
) -> None:
    before = slurm.known("alice")
    done = subprocess.run(
        [*command, example(heading)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Your session is ready." in done.stdout, done.stdout
    assert "started" in done.stdout, "the status of the Jupyter server"
    (number,) = slurm.known("alice") - before
    until(lambda: session_jobs(slurm, "alice") == [], "no session of alice", 30)
    until(lambda: alice.server() is None, "a hub that knows", 30)
    assert slurm.state(number) in {"CANCELLED", "COMPLETED"}


def test_an_example_that_is_refused_says_why_and_fails(slurm: Slurm, environment: dict[str, str]) -> None:
    before = slurm.known("alice")
    for heading, command in (("With curl", ["sh", "-c"]), ("With Python", [sys.executable, "-I", "-c"])):
        script = example(heading).replace('"cores": "1"', '"cores": "4096"')
        done = subprocess.run(
            [*command, script], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode != 0
        documented = re.search(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        assert documented is not None
        said = (done.stdout + done.stderr).strip()
        assert json.loads(said[said.index("{") : said.rindex("}") + 1]) == json.loads(documented[1])
    assert slurm.known("alice") == before


def test_sentences_come_in_the_language_that_is_asked_for_and_the_journal_has_english(
    alice: Visitor, login: Machine
) -> None:
    since = login.run("date", "--utc", "+%Y-%m-%d %H:%M:%S UTC")
    answer = alice.hub("POST", "users/alice/server", json={"cores": "9"}, headers={"Accept-Language": "it"})
    assert answer.status_code == 400
    sentence = "Numero di core: «9» non è tra le scelte disponibili. La più alta è 4."
    assert answer.json()["problems"] == {"cores": sentence}
    journal = login.journal(since, "berth-hub")
    assert "Number of cores: “9” is not one of the choices." in journal
    assert "non è tra le scelte" not in journal
