"""Options that nobody may have: by REST, by the form, by a link. Each gets a sentence, none gets a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab import pages
from tests.lab.cluster import GPU_TYPES, OPEN_TYPE
from tests.lab.sessions import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

BAD: dict[str, Any] = {
    "account of others": {"account": "root"},
    "account with a command": {"account": "proj_a; touch /tmp/berth-was-here"},
    "account with a substitution": {"account": "$(id)"},
    "account with an option": {"account": "proj_a --uid=0"},
    "account with a new line": {"account": "proj_a\n#SBATCH --nodes=2"},
    "account that is long": {"account": "a" * 5000},
    "reservation of nobody": {"reservation": "maintenance"},
    "reservation that is an option": {"reservation": "--uid=0"},
    "no cores": {"cores": "0"},
    "negative cores": {"cores": "-1"},
    "too many cores": {"cores": "4096"},
    "cores as an expression": {"cores": "1e1"},
    "memory that no node has": {"memory": "9999G"},
    "memory with an option": {"memory": "1G --exclusive"},
    **{f"too many {kind} GPUs": {"gpus": f"{kind}:{most + 1}"} for kind, most in GPU_TYPES.items()},
    "GPUs of another type": {"gpus": "mi300x:1"},
    "GPUs with another resource": {"gpus": f"{OPEN_TYPE}:1,license:1"},
    "time without an end": {"time": "UNLIMITED"},
    "time that is no choice": {"time": "60:00"},
    "release outside of the catalogue": {"release": "../../../home/alice"},
    "interface that is none": {"interface": "/etc/passwd"},
    "key that is none": {"prologue": "touch /tmp/berth-was-here"},
    "key of batchspawner": {"req_options": "--uid=0"},
    "markup": {"account": "<script>alert(1)</script>"},
    "control character": {"cores": "1\x00"},
}
BAD_BY_REST: dict[str, Any] = {
    "number instead of text": {"cores": 1},
    "list instead of text": {"account": ["proj_a", "root"]},
    "mapping instead of text": {"memory": {"value": "1G"}},
    "nothing": {"account": None},
}
SENTENCES = ("is not one of the choices", "is not an option of this service", "send one short text value")


@pytest.fixture(autouse=True)
def _no_job(slurm: Slurm, alice: Visitor) -> Iterator[None]:
    """No test here may give alice a job, not even one that ended at once."""
    before = slurm.known("alice")
    yield
    try:
        assert slurm.known("alice") <= before
        assert alice.server() is None
    finally:
        if slurm.queue("alice"):
            alice.stop()


@pytest.fixture(scope="module")
def token(alice: Visitor) -> str:
    return alice.token()


def refused(answer: httpx.Response) -> None:
    """The answer is a 400 that says what is wrong, in words; a page shows no markup of the sender's."""
    assert answer.status_code == 400, said(answer)
    assert any(sentence in answer.text for sentence in SENTENCES), said(answer)
    if answer.headers["Content-Type"].startswith("text/html"):
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize("options", [*BAD.values(), *BAD_BY_REST.values()], ids=[*BAD, *BAD_BY_REST])
def test_bad_options_by_rest_get_a_400_with_a_sentence(
    alice: Visitor, token: str, options: dict[str, Any]
) -> None:
    headers = {"Authorization": f"token {token}"}
    answer = alice.http.post("/hub/api/users/alice/server", json=options, headers=headers)
    refused(answer)
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("options", BAD.values(), ids=BAD)
def test_bad_options_by_the_form_get_a_400_and_the_form_again(
    alice: Visitor, options: dict[str, str]
) -> None:
    answer = alice.submit_form(**options)
    refused(answer)
    form = pages.form(answer, "spawn_form")
    assert form.buttons == ("Start", "When could it start?")
    for name in set(options) & set(form.fields):
        field = form.fields[name]
        assert "is not one of the choices" in field.hint or "short text" in field.hint, field


def test_a_field_that_is_sent_twice_is_refused(alice: Visitor) -> None:
    page = alice.form_page()
    form = pages.form(page, "spawn_form")
    sent = [*form.hidden.items(), ("cores", "1"), ("cores", "2")]
    parts = [(name, (None, value)) for name, value in sent]
    refused(alice.http.post(str(page.url.join(form.action)), files=parts))


@pytest.mark.parametrize("path", ["/hub/spawn", "/hub/spawn/alice"])
def test_a_link_fills_the_form_and_never_starts(alice: Visitor, path: str) -> None:
    page = alice.http.get(f"{path}?cores=2&account=proj_b&gpus={OPEN_TYPE}:1")
    form = pages.form(page, "spawn_form")
    assert form.label("Number of cores").chosen == "2"
    assert form.label("Slurm account").chosen == "proj_b"
    assert form.label("GPU configuration").chosen == f"{OPEN_TYPE}:1"
    assert "press Start" in pages.text(page)
    assert alice.server() is None


def test_a_link_with_bad_values_shows_the_form_without_them(alice: Visitor) -> None:
    page = alice.http.get("/hub/spawn", params={"cores": "4096", "account": "<script>alert(1)</script>"})
    form = pages.form(page, "spawn_form")
    assert form.label("Number of cores").chosen in form.label("Number of cores").choices
    assert "<script>alert" not in page.text


def test_a_form_without_its_token_is_refused(alice: Visitor) -> None:
    answer = alice.http.post("/hub/spawn", files={"cores": (None, "1")})
    assert answer.status_code == 403, said(answer)
