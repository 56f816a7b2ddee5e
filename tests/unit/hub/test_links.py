from __future__ import annotations

import pytest

from berth.hub.links import help_link
from berth.hub.settings import Links


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", ""),
        ("https://help.example.org/", "https://help.example.org/"),
        (
            "https://help.example.org/new?job={job_id}&why={reason}",
            "https://help.example.org/new?job=7&why=a%26b%20c",
        ),
        ("mailto:help@example.org?subject=Job%20{job_id}", "mailto:help@example.org?subject=Job%207"),
        ("https://help.example.org/{other}/{}", "https://help.example.org/{other}/{}"),
    ],
)
def test_a_help_link_says_what_it_is_about(link: str, expected: str) -> None:
    assert help_link(Links(help=link), 7, "a&b c") == expected


def test_a_help_link_about_nothing_has_nothing_in_its_places() -> None:
    assert help_link(Links(help="https://h/?job={job_id}&why={reason}")) == "https://h/?job=&why="
