from __future__ import annotations

import re

import pytest

from tests.contract.project import committed, short

# Written in two halves, so that this file passes its own test.
REGISTRIES = [
    f"{name}.{domain}"
    for name, domain in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb.debian", "org"),
        ("security.debian", "org"),
        ("galaxy.ansible", "com"),
        ("anaconda", "org"),
        ("registry-1.docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
    ]
]
MACHINE = ["/".join(("", *parts)) for parts in [("work", "main"), ("work", "shared"), ("tmp", "w", "")]]
SECRETS = [r"-----BEGIN [A-Z ]*PRIVATE KEY-----", r"\$6\$[^$\s]{4,16}\$[./\w]{86}"]


def holding(pattern: str) -> list[str]:
    """The committed files whose text holds a pattern."""
    return [
        short(path)
        for path in committed()
        if re.search(pattern, path.read_text(encoding="utf-8", errors="replace"), re.IGNORECASE)
    ]


def test_the_files_are_found_at_all() -> None:
    assert "tests/contract/test_hygiene.py" in {short(path) for path in committed()}


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_file_names_the_host_of_a_registry(host: str) -> None:
    assert holding(rf"\b{re.escape(host)}\b") == []


@pytest.mark.parametrize("path", MACHINE)
def test_no_file_names_a_path_of_somebody_s_machine(path: str) -> None:
    assert holding(re.escape(path)) == []


@pytest.mark.parametrize("pattern", SECRETS, ids=["private key", "password hash"])
def test_no_file_holds_a_secret(pattern: str) -> None:
    assert holding(pattern) == []


def test_no_file_is_huge() -> None:
    assert {short(path): size for path in committed() if (size := path.stat().st_size) > 1_000_000} == {}
