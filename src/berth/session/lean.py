"""Imports that the single-user server names but does not use when it starts: put off.

JupyterHub's single-user extension shares modules with the hub and so imports the hub's database
layer and pages; JupyterLab imports HTTP clients for an extension manager that is switched off. Half
of a session's start-up went there.

During the one import a module of `PUT_OFF` is replaced by an empty one; afterwards that is
forgotten, so that whoever imports it gets the real module, and the empty one hands every attribute
through from the real module, loaded then. The names of `PUT_OFF` are only compared with (`except`,
`isinstance`), so that an empty class does; those of `CALLED` are functions, which a function stands for. Any
other use during the import is an error.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PUT_OFF: Final[dict[str, tuple[str, ...]]] = {
    "aiohttp": (),
    "jupyterlab.extensions.pypi": ("PyPIExtensionManager",),
    "jupyterhub.handlers": (),
    "jupyterhub.handlers.pages": ("HealthCheckHandler",),
    "jupyterhub.orm": (),
    "jupyterhub.roles": (),
    "requests": (),
    "sqlalchemy": (),
    "sqlalchemy.exc": ("SQLAlchemyError",),
}
"""Modules, and the names of theirs that are taken from them at import and compared with later."""
CALLED: Final = {"jupyterhub.httpclient": ("fetch",)}
"""The same, for coroutine functions that are called later."""


class _PutOff(ModuleType):
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the real module has
        if name.startswith("__") or sys.modules.get(self.__name__) is self:
            raise AttributeError(f"{self.__name__}.{name} is needed earlier than berth.session.lean says")
        return getattr(importlib.import_module(self.__name__), name)


def _later(module: str, name: str) -> Any:  # noqa: ANN401 - stands for a coroutine function of any kind
    async def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        return await getattr(importlib.import_module(module), name)(*arguments, **named)

    return call


@contextmanager
def imports() -> Iterator[None]:
    """Import the single-user server inside this."""
    placed = [name for name in (*PUT_OFF, *CALLED) if name not in sys.modules]
    for name in placed:
        module = _PutOff(name)
        for attribute in PUT_OFF.get(name, ()):
            setattr(module, attribute, type(attribute, (Exception,), {}))
        for attribute in CALLED.get(name, ()):
            setattr(module, attribute, _later(name, attribute))
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]
