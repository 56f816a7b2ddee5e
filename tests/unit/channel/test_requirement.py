from __future__ import annotations

from email.parser import Parser

import pytest

from tests.releases.channel.requirement import conda_name, depends


def told(*lines: str) -> list[str]:
    return list(depends(Parser().parsestr("".join(f"Requires-Dist: {line}\n" for line in lines)), {}))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("numpy", "numpy"),
        ("numpy>=1.2,<3", "numpy <3,>=1.2"),
        ("typing_extensions~=4.1", "typing_extensions ~=4.1"),
        ("torch===2.1", "pytorch ==2.1"),
        ("Ruamel.YAML", "ruamel.yaml"),
    ],
)
def test_a_requirement_reads_as_conda_wants_it(asked: str, expected: str) -> None:
    assert told(asked) == [expected]


@pytest.mark.parametrize(
    "marker",
    ["python_version < '3.11'", "sys_platform == 'win32'", "extra == 'test'", "platform_machine == 'arm64'"],
)
def test_what_is_for_others_is_not_asked_for(marker: str) -> None:
    assert told(f"numpy; {marker}") == []


def test_what_is_for_this_python_is_asked_for() -> None:
    assert told("numpy; python_version >= '3.11' and sys_platform == 'linux'") == ["numpy"]


def test_an_extra_of_another_wheel_is_asked_for_directly() -> None:
    asked = ["always", "extended; extra == 'full'", "tested; extra == 'test'"]
    other = Parser().parsestr("".join(f"Requires-Dist: {line}\n" for line in asked))
    wanted = Parser().parsestr("Requires-Dist: other[full]>=2\n")
    assert list(depends(wanted, {"other": other})) == ["other >=2", "extended"]


def test_names_of_the_channel_are_those_of_conda_forge() -> None:
    assert [conda_name(name) for name in ("Jupyter_Client", "tensorflow-cpu", "Zict")] == [
        "jupyter_client",
        "tensorflow",
        "zict",
    ]
