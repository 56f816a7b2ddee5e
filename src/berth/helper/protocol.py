"""What may be asked of the helper: parse one JSON document and refuse everything that is not exactly right.

Nothing here looks at the system. What leaves `parse` has the right types, lengths and characters; whether
the peer may ask it, and for whom, is for `policy` to say.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, NoReturn

MAX_BYTES = 65536
"""Upper bound of a request and of an answer, in bytes."""

_MAX_TEXT = 8192
_MAX_VARIABLES = 128
_MAX_MINUTES = 366 * 24 * 60
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_SLURM_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")
_GPU_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
_JOB_NAME = re.compile(r"berth-[0-9a-f]{32}")
_LAYER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"(?:JUPYTERHUB|BERTH)_[A-Z0-9_]{1,64}")
_PASSWORD = re.compile(r"[^\0]{1,1024}", re.DOTALL)
_VALUE = re.compile(rf"[^\0]{{0,{_MAX_TEXT}}}", re.DOTALL)


class BadRequestError(Exception):
    """The request is malformed; the message is a sentence that names the field and holds no secret."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """What a session asks of Slurm: memory in MiB for the whole node, time in minutes."""

    account: str | None
    reservation: str | None
    cores: int
    memory_mib: int
    gpus: int
    gpu_type: str | None
    minutes: int


@dataclasses.dataclass(frozen=True, slots=True)
class CheckPassword:
    """Ask whether this is the user's password and the account may use the service."""

    user: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class CheckAccount:
    """Ask whether the account may use the service; somebody else has found out that it is its owner."""

    user: str


@dataclasses.dataclass(frozen=True, slots=True)
class Submit:
    """Queue a session of this layer as the user."""

    user: str
    job_name: str
    layer: str
    resources: Resources
    environment: dict[str, str] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a job as the user."""

    user: str
    job_id: int


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """Ask Slurm when such a session would start, without queueing it."""

    user: str
    resources: Resources


@dataclasses.dataclass(frozen=True, slots=True)
class Extend:
    """Let the user's running session last `minutes` in all, from its start."""

    user: str
    job_id: int
    job_name: str
    minutes: int


Request = CheckPassword | CheckAccount | Submit | Cancel | Estimate | Extend
Answer = dict[str, object]


def success(**fields: object) -> Answer:
    """Make the answer of a request that was done."""
    return {"ok": True, **fields}


def failure(error: str, message: str) -> Answer:
    """Make the answer of a request that was not done, or (error "unknown") may not have been."""
    return {"ok": False, "error": error, "message": message}


def parse(document: bytes) -> Request:
    """Turn the bytes of a request into a checked one, or raise `BadRequestError`."""
    try:
        fields = json.loads(document.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request is not one JSON document in UTF-8.") from error
    verb = fields.get("verb") if isinstance(fields, dict) else None
    match verb:
        case "check-password":
            _keys("The request", fields, "verb", "user", "password")
            return CheckPassword(_text(fields, "user", _USER), _text(fields, "password", _PASSWORD))
        case "check-account":
            _keys("The request", fields, "verb", "user")
            return CheckAccount(_text(fields, "user", _USER))
        case "submit":
            _keys("The request", fields, "verb", "user", "job_name", "layer", "resources", "environment")
            return Submit(
                _text(fields, "user", _USER),
                _text(fields, "job_name", _JOB_NAME),
                _text(fields, "layer", _LAYER),
                _resources(fields["resources"]),
                _environment(fields["environment"]),
            )
        case "cancel":
            _keys("The request", fields, "verb", "user", "job_id")
            return Cancel(_text(fields, "user", _USER), _number(fields, "job_id", 1, 2**32 - 1))
        case "estimate":
            _keys("The request", fields, "verb", "user", "resources")
            return Estimate(_text(fields, "user", _USER), _resources(fields["resources"]))
        case "extend":
            _keys("The request", fields, "verb", "user", "job_id", "job_name", "minutes")
            return Extend(
                _text(fields, "user", _USER),
                _number(fields, "job_id", 1, 2**32 - 1),
                _text(fields, "job_name", _JOB_NAME),
                _number(fields, "minutes", 1, _MAX_MINUTES),
            )
        case _:
            raise BadRequestError("The request has no verb that the helper knows.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequestError("The request names a key twice.")
    return fields


def _no_constant(_: str) -> NoReturn:
    raise BadRequestError("The request holds a number that JSON does not know.")


def _keys(what: str, fields: Any, *expected: str) -> None:  # noqa: ANN401 (anything JSON may hold)
    if type(fields) is not dict or set(fields) != set(expected):
        raise BadRequestError(f"{what} must have exactly these keys: {', '.join(expected)}.")


def _text(fields: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = fields[key]
    if type(value) is not str or not pattern.fullmatch(value) or not _encodes(value):
        raise BadRequestError(f"The value of {key!r} is not permitted.")
    return value


def _encodes(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _optional(fields: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str | None:
    return None if fields[key] is None else _text(fields, key, pattern)


def _number(fields: dict[str, Any], key: str, least: int, most: int) -> int:
    value = fields[key]
    if type(value) is not int or not least <= value <= most:  # a bool is no number here
        raise BadRequestError(f"The value of {key!r} must be a whole number from {least} to {most}.")
    return value


def _resources(fields: Any) -> Resources:  # noqa: ANN401 (anything JSON may hold)
    _keys("'resources'", fields, *(field.name for field in dataclasses.fields(Resources)))
    return Resources(
        account=_optional(fields, "account", _SLURM_NAME),
        reservation=_optional(fields, "reservation", _SLURM_NAME),
        cores=_number(fields, "cores", 1, 65535),
        memory_mib=_number(fields, "memory_mib", 1, 2**30),
        gpus=_number(fields, "gpus", 0, 1024),
        gpu_type=_optional(fields, "gpu_type", _GPU_TYPE),
        minutes=_number(fields, "minutes", 1, _MAX_MINUTES),
    )


def _environment(fields: Any) -> dict[str, str]:  # noqa: ANN401 (anything JSON may hold)
    if type(fields) is not dict or len(fields) > _MAX_VARIABLES:
        raise BadRequestError(f"'environment' must be an object of at most {_MAX_VARIABLES} variables.")
    if not all(_VARIABLE.fullmatch(name) for name in fields):
        raise BadRequestError("'environment' may hold JUPYTERHUB_… and BERTH_… variables only.")
    return {name: _text(fields, name, _VALUE) for name in fields}
