"""What a wheel asks for, in conda's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from email.message import Message

# Names that are others on conda-forge, where a user or a spec of ours writes them.
NAMES = {
    "huggingface-hub": "huggingface_hub",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "msgpack": "msgpack-python",
    "ruamel-yaml": "ruamel.yaml",
    "tensorflow-cpu": "tensorflow",
    "torch": "pytorch",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}
# Markers are answered for the channel's own Python, whatever runs the builder.
ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.2",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def conda_name(name: str) -> str:
    """The name that a package of PyPI has in the channel."""
    canonical = canonicalize_name(name)
    return NAMES.get(canonical, canonical)


def conda_spec(requirement: Requirement) -> str:
    """A requirement as conda's solver reads it: name and versions."""
    versions = ",".join(sorted(str(part).replace("===", "==") for part in requirement.specifier))
    return f"{conda_name(requirement.name)} {versions}".strip()


def depends(
    metadata: Message, others: Mapping[str, Message], extras: Iterable[str] = (), dropped: Iterable[str] = ()
) -> Iterator[str]:
    """Yield what a wheel's metadata ask for on the channel's Python.

    Conda has no extras: what one of another wheel (`others`, by canonical name) adds is asked for directly.
    """
    for text in metadata.get_all("Requires-Dist") or []:
        requirement = Requirement(text)
        if requirement.name in dropped or not _applies(requirement, extras):
            continue
        yield conda_spec(requirement)
        if requirement.extras:
            other = others[canonicalize_name(requirement.name)]
            yield from depends(other, others, requirement.extras, dropped)


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    if requirement.marker is None:
        # What holds without extras was already asked for by the wheel itself.
        return not extras
    chosen = [requirement.marker.evaluate({**ENVIRONMENT, "extra": extra}) for extra in extras or [""]]
    return any(chosen) and not (extras and requirement.marker.evaluate({**ENVIRONMENT, "extra": ""}))
