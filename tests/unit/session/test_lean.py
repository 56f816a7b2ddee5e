"""What the single-user server imports without using it is not loaded, and works when it is used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from berth.session import lean


def run(source: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_the_server_loads_without_the_hub_s_database_and_pages() -> None:
    source = """
import sys, berth.session.server
found = {name.partition(".")[0] for name in sys.modules}
print(sorted(found & {"sqlalchemy", "alembic", "mako", "requests", "IPython", "nbconvert", "aiohttp"}))
hub = {"jupyterhub.orm", "jupyterhub.handlers", "jupyterhub.httpclient"}
print(sorted(hub & set(sys.modules)))
"""
    assert run(source).splitlines() == ["[]", "[]"]


def test_what_is_called_later_is_the_real_function() -> None:
    source = """
import asyncio, berth.session.server
from jupyterhub.services import auth
try:
    asyncio.run(auth.fetch("http://127.0.0.1:9/"))
except Exception as error:
    print(type(error).__module__.partition(".")[0])
"""
    assert run(source) == "aiohttp"


def test_what_was_put_off_is_the_real_thing_when_it_is_used() -> None:
    source = """
import berth.session.server
from jupyterhub import scopes
print(scopes.orm.User.__module__, scopes.sa.inspect.__module__)
from sqlalchemy.exc import SQLAlchemyError
print(SQLAlchemyError.__module__, scopes.roles.get_default_roles.__module__)
"""
    assert run(source).split() == [
        "jupyterhub.orm",
        "sqlalchemy.inspection",
        "sqlalchemy.exc",
        "jupyterhub.roles",
    ]


def test_scopes_are_intersected_as_ever() -> None:
    source = """
import berth.session.server
from jupyterhub.scopes import _intersect_expanded_scopes as common
print(sorted(common({"access:servers!user=alice", "self"}, {"access:servers", "read:users!user=bob"})))
"""
    assert run(source) == "['access:servers!user=alice']"


def test_a_use_that_nobody_expected_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "requests", raising=False)
    with lean.imports():
        import requests  # noqa: PLC0415

        with pytest.raises(AttributeError, match=r"requests\.get is needed earlier"):
            _ = requests.get
    import requests as real  # noqa: PLC0415

    assert real.get.__module__ == requests.get.__module__ == "requests.api"
