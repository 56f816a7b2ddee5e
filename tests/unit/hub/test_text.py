from __future__ import annotations

import ast
import re
import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from berth.hub.texts import text
from berth.hub.texts.text import Text, TextError, say
from tests.contract.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HUB = ROOT / "src/berth/hub"
IN_TEMPLATE = re.compile(r"""say\(\s*["']([a-z_]+\.[A-Za-z0-9_.]+)["']\s*[,)]""")
KEY = re.compile(r"[a-z_]+\.(?!(?:html|yml|js|css)$)[A-Za-z0-9_]+")
ENTRIES = {code: text._catalogue(code) for code in text.LANGUAGES}
AREAS = {path.stem for path in (HUB / "texts/en").iterdir()}


def used_keys() -> Iterator[str]:
    """Every string in the package that looks like the key of a text."""
    for path in HUB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = KEY.fullmatch(node.value)
                if found and node.value.partition(".")[0] in AREAS:
                    yield node.value
    for path in (HUB / "templates").iterdir():
        yield from IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))


def forms(entry: str | Mapping[str, str]) -> dict[str, str]:
    return {"other": entry} if isinstance(entry, str) else dict(entry)


def places(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name is not None}


def test_every_text_that_is_used_is_in_the_catalogue() -> None:
    assert {key for key in used_keys() if not text.has(key)} == set()


@pytest.mark.parametrize("code", [code for code in text.LANGUAGES if code != text.ENGLISH])
def test_a_language_has_every_text_with_the_same_places(code: str) -> None:
    english, other = ENTRIES[text.ENGLISH], ENTRIES[code]
    assert set(other) - set(english) == set(), "texts that English does not have"
    assert set(english) - set(other) == set(), "texts without a translation"
    for key, entry in other.items():
        wanted = set.union(*(places(words) for words in forms(english[key]).values()))
        found = set.union(*(places(words) for words in forms(entry).values()))
        assert found == wanted, key


@pytest.mark.parametrize("code", text.LANGUAGES)
def test_texts_are_words_or_two_forms_and_no_key_stands_twice(code: str) -> None:
    for path in (HUB / "texts" / code).iterdir():
        names = re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(names) == len(set(names)), path
        for name, entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            assert isinstance(entry, str) or set(entry) == {"one", "other"}, f"{path.stem}.{name}"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("it", "it"),
        ("it-IT,it;q=0.9,en;q=0.8", "it"),
        ("de-DE,de;q=0.9,it;q=0.5,en;q=0.4", "it"),
        ("en;q=0.5,it;q=0.7", "it"),
        ("it;q=0", "en"),
        ("xx;q=abc,*", "en"),
        ("," * 5000, "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_likes_best(header: str, expected: str) -> None:
    assert text.preferred(header) == expected


def test_a_text_without_an_entry_is_an_error() -> None:
    with pytest.raises(TextError, match=r"pages\.none"):
        str(say("pages.none"))


def test_a_text_that_was_kept_by_another_version_is_none() -> None:
    stored: list[Any] = [None, "words", {}, {"key": "pages.none", "values": {}}, []]
    assert [text.from_dict(item) for item in stored] == [None] * 5


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    entries: dict[str, dict[str, Any]] = {
        "en": {"a.b": "{n} of {what}", "a.c": {"one": "{count} core", "other": "{count} cores"}},
        "it": {"a.c": {"one": "{count} core", "other": "{count} core"}, "a.b": "{n} di {what}"},
    }
    monkeypatch.setattr(text, "_catalogue", lambda code: entries[code])


@pytest.mark.usefixtures("catalogue")
def test_a_text_is_shown_in_the_language_of_the_request_with_the_texts_inside_it() -> None:
    made = say("a.b", n=2, what=say("a.c", count=3))
    assert str(made) == "2 of 3 cores"
    token = text.language.set("it")
    try:
        assert str(made) == "2 di 3 core"
    finally:
        text.language.reset(token)
    assert text.from_dict(made.to_dict()) == made


@pytest.mark.usefixtures("catalogue")
def test_a_number_chooses_the_form() -> None:
    assert [str(say("a.c", count=n)) for n in (0, 1, 2)] == ["0 cores", "1 core", "2 cores"]


@pytest.mark.usefixtures("catalogue")
def test_a_text_with_a_value_missing_is_an_error() -> None:
    with pytest.raises(TextError, match="what"):
        str(Text("a.b", {"n": 1}))
