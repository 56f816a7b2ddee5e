"""A proxy that gives no answer ends no session, keeps none from ending, and gets its routes later."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from jupyterhub.proxy import ConfigurableHTTPProxy

from berth.hub import proxy
from berth.hub.proxy import PatientProxy
from tests.unit.hub.test_spawner import until

if TYPE_CHECKING:
    from tests.unit.hub.conftest import Stage


class Routes:
    """The routes of a proxy that may be away in several ways."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trouble: BaseException | None = None
        self.silent = False
        self.specs: set[str] = set()
        self.checked = 0

        async def add_route(_: object, spec: str, target: str, data: Any) -> None:
            assert target
            assert data
            await self._answer()
            self.specs.add(spec)

        async def delete_route(_: object, spec: str) -> None:
            await self._answer()
            self.specs.discard(spec)

        async def check_routes(_: object, users: Any, services: Any) -> None:
            assert services == {}
            await self._answer()
            self.checked += 1
            self.specs = {
                spawner.proxy_spec
                for user in users.values()
                for spawner in user.spawners.values()
                if spawner.ready
            }

        monkeypatch.setattr(ConfigurableHTTPProxy, "add_route", add_route)
        monkeypatch.setattr(ConfigurableHTTPProxy, "delete_route", delete_route)
        monkeypatch.setattr(ConfigurableHTTPProxy, "check_routes", check_routes)
        monkeypatch.setattr(proxy, "CHANGE_SECONDS", 0.05)
        monkeypatch.setattr(proxy, "RETRY_SECONDS", 0.01)

    async def _answer(self) -> None:
        if self.silent:
            await asyncio.sleep(0.2)
            raise TimeoutError
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Routes:
    return Routes(monkeypatch)


@pytest.fixture
def patient(stage: Stage, routes: Routes) -> PatientProxy:
    assert routes.specs == set()
    app = SimpleNamespace(users={1: stage.user}, _service_map={}, internal_ssl=False)
    return PatientProxy(auth_token="x", app=app, should_start=False)


async def until_checked(routes: Routes) -> None:
    async with asyncio.timeout(5):
        while not routes.checked:
            await asyncio.sleep(0.01)


async def test_a_proxy_that_answers_has_its_routes_at_once(
    stage: Stage, patient: PatientProxy, routes: Routes
) -> None:
    spawner = stage.begin()
    await patient.add_user(stage.user)
    assert routes.specs == {spawner.proxy_spec}
    await patient.delete_user(stage.user)
    assert routes.specs == set()
    assert routes.checked == 0


@pytest.mark.parametrize("trouble", [TimeoutError(), aiohttp.ClientConnectionError("refused"), None])
async def test_a_session_gets_its_route_when_the_proxy_is_back(
    stage: Stage, patient: PatientProxy, routes: Routes, trouble: BaseException | None
) -> None:
    spawner = stage.begin()
    routes.trouble, routes.silent = trouble, trouble is None
    await patient.add_user(stage.user)
    await asyncio.sleep(0.05)
    assert routes.specs == set()
    routes.trouble, routes.silent = None, False
    await until_checked(routes)
    assert routes.specs == {spawner.proxy_spec}


async def test_a_route_that_could_not_be_deleted_is_deleted_after_the_stop(
    stage: Stage, patient: PatientProxy, routes: Routes
) -> None:
    spawner = stage.begin()
    await patient.add_user(stage.user)
    routes.trouble = TimeoutError()
    spawner._stop_pending = True
    await patient.delete_user(stage.user)
    routes.trouble = None
    await asyncio.sleep(0.05)
    assert routes.checked == 0, "a comparison leaves alone what is being stopped"
    spawner.server = None
    spawner._stop_pending = False
    await until_checked(routes)
    assert routes.specs == set()


async def test_a_route_that_could_not_be_deleted_does_not_wait_for_the_next_session_to_serve(
    stage: Stage, patient: PatientProxy, routes: Routes
) -> None:
    old = stage.begin()
    await patient.add_user(stage.user)
    routes.trouble = TimeoutError()
    await patient.delete_user(stage.user)
    del stage.user.spawners[""]
    new = stage.begin()
    assert new is not old
    new._spawn_pending = True
    routes.trouble = None
    await until(lambda: not routes.specs)
    assert routes.checked == 0, "a comparison would leave alone what is being started"
    new._proxy_pending = True
    await patient.add_user(stage.user)
    await asyncio.sleep(0.05)
    assert routes.specs == {new.proxy_spec}
    new._spawn_pending = new._proxy_pending = False
    await until_checked(routes)
    assert routes.specs == {new.proxy_spec}


async def test_the_route_of_a_session_that_is_only_looked_at_is_not_deleted(
    stage: Stage, patient: PatientProxy, routes: Routes
) -> None:
    spawner = stage.begin()
    await patient.add_user(stage.user)
    routes.trouble = TimeoutError()
    await patient.add_user(stage.user)
    routes.trouble = None
    spawner._check_pending = True
    await asyncio.sleep(0.05)
    assert routes.specs == {spawner.proxy_spec}


async def test_an_error_nobody_thought_of_does_not_end_the_repair(
    stage: Stage, patient: PatientProxy, routes: Routes
) -> None:
    spawner = stage.begin()
    routes.trouble = TimeoutError()
    await patient.add_user(stage.user)
    routes.trouble = RuntimeError("alice is pending stop")
    await asyncio.sleep(0.05)
    routes.trouble = None
    await until_checked(routes)
    assert routes.specs == {spawner.proxy_spec}
