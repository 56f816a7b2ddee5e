from __future__ import annotations

import json
from typing import Any

import pytest

from berth.helper import protocol
from tests.unit.helper.requests import JOB_NAME, RESOURCES, valid


def parse(fields: object) -> protocol.Request:
    return protocol.parse(json.dumps(fields).encode())


def request(verb: str, **changes: object) -> dict[str, Any]:
    fields = next(fields for fields in valid("alice") if fields["verb"] == verb)
    return {**fields, **changes}


def test_every_verb_is_understood() -> None:
    password, submit, cancel, estimate, account, extend = map(parse, valid("alice"))
    assert password == protocol.CheckPassword("alice", "pass word")
    assert account == protocol.CheckAccount("alice")
    assert submit == protocol.Submit(
        "alice",
        JOB_NAME,
        "4.6-1",
        protocol.Resources(**RESOURCES),
        {"JUPYTERHUB_API_TOKEN": "a secret", "BERTH_PORT_RANGE": "40000-49999"},
    )
    assert cancel == protocol.Cancel("alice", 12)
    assert estimate == protocol.Estimate("alice", protocol.Resources(**RESOURCES))
    assert extend == protocol.Extend("alice", 12, JOB_NAME, 240)


def test_secrets_are_not_in_the_representation_of_a_request() -> None:
    shown = repr([parse(fields) for fields in valid("alice")])
    assert "pass word" not in shown
    assert "a secret" not in shown


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"submit"',
        b"{}",
        b'{"verb": null}',
        b'{"verb": ["submit"]}',
        b'{"verb": "shutdown"}',
        b"[" * 60000,
        b'{"verb": ' * 9000,
        b'{"verb": "cancel", "user": "alice", "job_id": ' + b"9" * 5000 + b"}",
        b'{"verb": "cancel", "user": "alice", "job_id": NaN}',
        b'{"verb": "cancel", "user": "alice", "job_id": 1, "job_id": 2}',
        b'{"verb": "cancel", "user": "alice", "job_id": 1} {}',
    ],
)
def test_anything_but_one_known_document_is_refused(document: bytes) -> None:
    with pytest.raises(protocol.BadRequestError, match=r"^[A-Z].*\.$"):
        protocol.parse(document)


@pytest.mark.parametrize("fields", valid("alice"), ids=lambda fields: fields["verb"])
def test_a_missing_key_and_an_unknown_key_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(protocol.BadRequestError, match="exactly these keys"):
        parse({**fields, "partition": "other"})
    for key in fields.keys() - {"verb"}:
        with pytest.raises(protocol.BadRequestError, match="exactly these keys"):
            parse({name: value for name, value in fields.items() if name != key})


@pytest.mark.parametrize(
    "user", ["alice", "Alice", "a", "_apt", "0x", "al.ice-2", "alice@site.org", "a" * 64]
)
def test_names_of_accounts_as_they_occur_are_accepted(user: str) -> None:
    assert parse(request("cancel", user=user)).user == user


@pytest.mark.parametrize(
    "user",
    [
        "",
        "-alice",
        "../alice",
        "al ice",
        "alice\n",
        "\nalice",
        "al\0ice",
        "alicé",
        "a" * 65,
        "alice:",
        None,
        1,
        True,
    ],
)
def test_other_names_are_refused(user: object) -> None:
    for verb in ("check-password", "check-account", "submit", "cancel", "estimate", "extend"):
        with pytest.raises(protocol.BadRequestError, match="'user'"):
            parse(request(verb, user=user))


@pytest.mark.parametrize("password", ["", "a\0b", "a" * 1025, None, 12, ["a"], "\ud800"])
def test_a_password_that_pam_would_read_differently_is_refused_and_not_repeated(password: object) -> None:
    with pytest.raises(protocol.BadRequestError) as caught:
        parse(request("check-password", password=password))
    assert str(caught.value) == "The value of 'password' is not permitted."


@pytest.mark.parametrize("password", [" ", "a\nb", "pässwörd", "p" * 1024, "\u2028"])
def test_a_password_may_hold_any_other_character(password: str) -> None:
    assert parse(request("check-password", password=password)) == protocol.CheckPassword("alice", password)


@pytest.mark.parametrize(
    "job_name",
    [
        "berth-",
        "berth-" + "0" * 31,
        "berth-" + "0" * 33,
        "berth-" + "G" * 32,
        JOB_NAME.upper(),
        JOB_NAME + "\n",
    ],
)
def test_a_job_name_is_the_prefix_and_the_nonce(job_name: str) -> None:
    with pytest.raises(protocol.BadRequestError, match="'job_name'"):
        parse(request("submit", job_name=job_name))


@pytest.mark.parametrize(
    "layer", ["", "..", ".", "a/b", "../../tmp", "-rf", "4.6 1", "4.6\n", "a" * 65, 4.6, None]
)
def test_a_layer_cannot_lead_out_of_its_directory(layer: object) -> None:
    with pytest.raises(protocol.BadRequestError, match="'layer'"):
        parse(request("submit", layer=layer))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cores", 0),
        ("cores", -1),
        ("cores", True),
        ("cores", 1.0),
        ("cores", "1"),
        ("cores", None),
        ("cores", 65536),
        ("memory_mib", 0),
        ("memory_mib", 2**30 + 1),
        ("gpus", -1),
        ("gpus", 1025),
        ("gpus", False),
        ("minutes", 0),
        ("minutes", 366 * 24 * 60 + 1),
        ("minutes", "UNLIMITED"),
        ("account", ""),
        ("account", "-A"),
        ("account", "a,b"),
        ("account", "a b"),
        ("account", "a\nb"),
        ("account", 1),
        ("reservation", "a,b"),
        ("reservation", "--wrap"),
        ("reservation", []),
        ("gpu_type", "a100:8"),
        ("gpu_type", "a100,license"),
        ("gpu_type", ""),
        ("gpu_type", {}),
    ],
)
@pytest.mark.parametrize("verb", ["submit", "estimate"])
def test_resources_have_exact_types_and_bounds(verb: str, key: str, value: object) -> None:
    with pytest.raises(protocol.BadRequestError, match=f"'{key}'"):
        parse(request(verb, resources={**RESOURCES, key: value}))


@pytest.mark.parametrize("resources", [None, [], "x", {}, {**RESOURCES, "nodelist": "gpu1"}])
def test_resources_have_exactly_their_keys(resources: object) -> None:
    with pytest.raises(protocol.BadRequestError, match="'resources'"):
        parse(request("submit", resources=resources))


@pytest.mark.parametrize("key", ["account", "reservation", "gpu_type"])
def test_what_is_optional_may_be_null(key: str) -> None:
    parsed = parse(request("estimate", resources={**RESOURCES, key: None}))
    assert isinstance(parsed, protocol.Estimate)
    assert getattr(parsed.resources, key) is None


@pytest.mark.parametrize("job_id", [0, -1, True, 1.0, "12", "12_1", None, 2**32])
def test_a_job_id_is_a_positive_number(job_id: object) -> None:
    with pytest.raises(protocol.BadRequestError, match="'job_id'"):
        parse(request("cancel", job_id=job_id))


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LD_PRELOAD",
        "SBATCH_PARTITION",
        "SLURM_CONF",
        "BERTH_",
        "BERTH_a",
        "XBERTH_A",
        "BERTH_A=B",
        "BERTH_A\n",
        "",
    ],
)
def test_only_the_hubs_own_variables_may_be_set(name: str) -> None:
    with pytest.raises(protocol.BadRequestError, match="JUPYTERHUB_"):
        parse(request("submit", environment={name: "1"}))


@pytest.mark.parametrize("value", ["a\0b", "a" * 8193, None, 1, True, {}, "\udc80"])
def test_a_variables_value_is_bounded_text_and_is_not_repeated(value: object) -> None:
    with pytest.raises(protocol.BadRequestError) as caught:
        parse(request("submit", environment={"JUPYTERHUB_API_TOKEN": value}))
    assert str(caught.value) == "The value of 'JUPYTERHUB_API_TOKEN' is not permitted."


@pytest.mark.parametrize("environment", [None, [], {f"BERTH_{n}": "" for n in range(129)}])
def test_the_environment_is_a_bounded_object(environment: object) -> None:
    with pytest.raises(protocol.BadRequestError, match="'environment'"):
        parse(request("submit", environment=environment))
