"""Inputs for the promise that nothing but our own error is ever raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from berth.slurm.errors import SlurmValueError

if TYPE_CHECKING:
    from collections.abc import Callable


def anything(alphabet: str = "", *words: str) -> st.SearchStrategy[Any]:
    """Any plain data, with text that is near the notation: from *alphabet*, and of *words* joined."""
    near = st.text(alphabet=alphabet, max_size=40) if alphabet else st.nothing()
    joined = st.lists(st.sampled_from(words), max_size=12).map("".join) if words else st.nothing()
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=4)
    keys = st.sampled_from(words) if words else st.text(max_size=8)
    return st.recursive(
        plain | st.text(max_size=20) | near | joined,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(keys, inner, max_size=6)
            | st.dictionaries(st.none() | st.integers(), inner, max_size=2)
        ),
        max_leaves=8,
    )


def raises_only_our_error(function: Callable[..., object], *values: object) -> None:
    """Call *function*; it may return, or raise our error with a sentence, and nothing else."""
    try:
        function(*values)
    except SlurmValueError as error:
        sentence = str(error)
        assert sentence
