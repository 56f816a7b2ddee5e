"""Whatever is sent by form, REST or link: nothing but offered values reaches the helper, and thus sbatch."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyterhub.apihandlers.users import UserServerAPIHandler
from jupyterhub.spawner import SpawnException
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from berth.helper.client import SubmitResult, Verdict
from berth.hub.form.formspawner import BadOptions, LinkOnlyFillsError
from berth.hub.form.options import LABELS
from berth.hub.form.rest import ServerHandler
from tests.unit.hub.factories import FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from berth.hub.form.options import Offer
    from tests.unit.hub.conftest import Stage

EXAMPLES = 500
"""Each has up to a dozen hostile values."""
HEADERS = HTTPHeaders({"Host": "hub.example.org"})
CHOICES = {
    "reservation": ["", "course"],
    "account": ["proj_a", "proj_b"],
    "cores": ["1", "2", "4"],
    "memory": ["500M", "1000M", "4000M"],
    "gpus": ["0", "a100:1", "a100:2"],
    "time": ["00:30:00", "01:00:00", "08:00:00"],
    "release": ["2026.11"],
    "interface": ["lab"],
}
OFFERED = [value for values in CHOICES.values() for value in values]
ODD = [
    "\n",
    "\r",
    "\x00",
    "\x0b",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\ufeff",
    "\u00a0",
    "\ud800",
]
ODD += [
    "'",
    '"',
    "`",
    "\\",
    ";",
    "|",
    "&",
    "$(id)",
    "%n",
    "{0}",
    "<script>",
    "--uid=0",
    "-A root",
    ",license:1",
    "9" * 400,
]
spoilt = st.builds(
    lambda value, odd, before: odd + value if before else value + odd,
    st.sampled_from(OFFERED),
    st.sampled_from(ODD),
    st.booleans(),
)
texts = (
    spoilt | st.sampled_from(OFFERED) | st.text(max_size=8) | st.integers().map(str) | st.just("1" * 100_000)
)
names = st.sampled_from([*LABELS, "req_options", "batch_script", "_xsrf", "cores ", "__class__"]) | st.text(
    max_size=5
)
good = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in CHOICES.items()})
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
forms = st.builds(
    lambda fine, hostile: {name: [value] for name, value in fine.items()} | hostile,
    good,
    st.dictionaries(names, st.lists(texts | st.binary(max_size=3), min_size=1, max_size=3), max_size=3),
)
documents = st.builds(
    lambda fine, hostile: fine | hostile, good, st.dictionaries(names, json_values, max_size=3)
)
bodies = documents | st.builds(lambda inner: {"user_options": inner}, json_values | documents) | json_values
hostile = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Gate:
    """The user's spawner, with every way in, and the helper at its end."""

    def __init__(self, stage: Stage, loop: asyncio.AbstractEventLoop) -> None:
        self.stage, self.loop = stage, loop
        self.spawner = stage.begin()
        self.offer: Offer = self.run(stage.service.offer("alice"))
        stage.helper.answer = SubmitResult(Verdict.REFUSED, None, "no")
        self.refused = self.passed = 0

    def run(self, way: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(way)

    def start(self, chosen: Any) -> None:
        """Start with these options, as JupyterHub does; the helper refuses, so that nothing is left."""
        self.spawner.user_options = chosen
        with pytest.raises((BadOptions, SpawnException)) as caught:
            self.run(self.spawner.start())
        if isinstance(caught.value, BadOptions):
            self.refused += 1
            assert self.stage.helper.submitted == []
            assert all(str(sentence).isprintable() for sentence in caught.value.error.problems.values())
        else:
            self.passed += 1
            self.check(self.stage.helper.submitted.pop())

    def check(self, submitted: dict[str, Any]) -> None:
        """Everything that the helper got is a value that was offered."""
        asked = submitted["resources"]
        assert asked.account in CHOICES["account"]
        assert asked.reservation in {None, "course"}
        assert str(asked.cores) in CHOICES["cores"]
        assert f"{asked.memory_mib}M" in CHOICES["memory"]
        assert (asked.gpu_type, asked.gpus) in {(None, 0), ("a100", 1), ("a100", 2)}
        assert asked.minutes in {30, 60, 480}
        assert submitted["layer"] == "4.6-1"
        own = {name: value for name, value in submitted["env"].items() if name.startswith("BERTH_")}
        assert (own["BERTH_RELEASE"], own["BERTH_INTERFACE"]) == ("2026.11", "lab")
        assert submitted["env"]["JUPYTERHUB_DEFAULT_URL"] == FORM.interfaces[0].url


@pytest.fixture
def gate(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    loop = asyncio.new_event_loop()
    made = Gate(stage, loop)

    async def offer(_user: str) -> Offer:
        return made.offer

    monkeypatch.setattr(stage.service, "offer", offer)
    yield made
    loop.close()


@hostile
@given(form=forms)
def test_by_the_form(gate: Gate, form: dict[str, list[Any]]) -> None:
    try:
        chosen = gate.run(gate.spawner.run_options_from_form(form))
    except BadOptions:
        return
    assert all(value in CHOICES[name] for name, value in chosen.items())
    gate.start(chosen)


@hostile
@given(chosen=documents)
def test_by_what_was_stored_without_a_check(gate: Gate, chosen: dict[str, Any]) -> None:
    gate.start(chosen)


@pytest.fixture
def rest(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Coroutine[Any, Any, Any]]:
    """The part of JupyterHub's handler that reads the body and starts; returns the options that passed."""
    passed: list[Any] = []
    application = web.Application(**gate.stage.user.settings)

    async def spawned(
        _handler: Any, _user: Any, _name: str = "", _title: str = "", options: Any = None
    ) -> None:
        passed.append(options)

    monkeypatch.setattr(UserServerAPIHandler, "spawn_single_user", spawned)

    async def post(body: bytes) -> Any:
        line = RequestStartLine("POST", "/", "HTTP/1.1")
        request = HTTPServerRequest(start_line=line, headers=HEADERS, body=body, connection=Mock())
        handler = ServerHandler(application, request)
        handler.path_args = ["alice", ""]  # as tornado has it from the URL
        options = handler.get_server_json_body()["user_options"]
        await handler.spawn_single_user(gate.stage.user, options=options)
        return passed.pop()

    return post


@hostile
@given(body=bodies.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20))
def test_by_rest(gate: Gate, rest: Callable[[bytes], Coroutine[Any, Any, Any]], body: bytes) -> None:
    try:
        chosen = gate.run(rest(body))
    except web.HTTPError as error:
        refusal = error
    else:
        gate.start(chosen or {})
        assert gate.refused == 0
        return
    assert refusal.status_code == 400
    assert "\n" not in str(refusal)


@pytest.mark.parametrize(
    "body",
    [
        b'{"cores": "1", "cores": "2"}',
        b'{"user_options": {"cores": "1", "cores": "2"}}',
        b'{"user_options": {}, "cores": "1"}',
        b'{"display_name": "x", "cores": "1"}',
    ],
)
def test_keys_that_json_would_pass_over_are_refused(
    gate: Gate, rest: Callable[[bytes], Coroutine[Any, Any, Any]], body: bytes
) -> None:
    with pytest.raises(BadOptions) as caught:
        gate.run(rest(body))
    assert set(caught.value.error.problems) == {"cores"}


@settings(hostile, max_examples=EXAMPLES // 3)
@given(query=forms)
def test_by_a_link(gate: Gate, query: dict[str, list[Any]]) -> None:
    with pytest.raises(LinkOnlyFillsError):
        gate.spawner.options_from_query(query)
    page = gate.run(gate.spawner.get_options_form())
    assert "<script>" not in page
    assert page.count(" selected") == len(LABELS)
    assert gate.stage.helper.submitted == []
