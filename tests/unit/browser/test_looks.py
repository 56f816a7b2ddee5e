from __future__ import annotations

import pytest

from tests.browser import looks


@pytest.mark.parametrize(
    "shown",
    [
        "Nodi senza GPU\t1\t–\t–",  # noqa: RUF001 - as the page shows it
        "Account Slurm",
        "GPU",
        "a100\t0\t2",
        "2 a100 GPU",
    ],
)
def test_a_line_whose_words_are_the_same_in_both_languages_is_not_english(shown: str) -> None:
    assert looks.english(shown) == []


@pytest.mark.parametrize(
    ("shown", "english"),
    [
        ("Nodes without GPU\t1", ["Nodes without GPU"]),
        ("Home\nAvailable resources\nDisponibilità", ["Available resources"]),
        ("Tempo\tYour session has ended; its GPU is free.", ["Your session has ended; its GPU is free."]),
        ("Time:", ["Time:"]),
    ],
)
def test_a_text_of_the_catalogue_that_is_shown_in_english_is_found(shown: str, english: list[str]) -> None:
    assert looks.english(shown) == english
