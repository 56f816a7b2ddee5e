from __future__ import annotations

import sys

import pytest

from tests.releases.kernels.lab_kernels.interpreter import Interpreter, InterpreterGoneError

# Runs what it is told, as the real ones do; the mark stands in the second line.
LOOP = """
import sys
state = {"sys": sys}
while True:
    code, mark = sys.stdin.readline(), sys.stdin.readline().strip()
    exec(code, state)
    print(f"\\n{mark} ok", flush=True)
    print(f"\\n{mark}", file=sys.stderr, flush=True)
"""


class Cells:
    """An interpreter, and what it showed."""

    def __init__(self) -> None:
        self.interpreter = Interpreter([sys.executable, "-u", "-c", LOOP])
        self.shown = {"stdout": "", "stderr": ""}

    def run(self, code: str) -> str:
        self.shown = {"stdout": "", "stderr": ""}

        def show(stream: str, text: str) -> None:
            self.shown[stream] += text

        return self.interpreter.run(lambda mark: f"{code}\n{mark}\n".encode(), show)


@pytest.fixture(name="cells")
def _cells() -> Cells:
    return Cells()


def test_a_cell_s_output_ends_before_the_mark(cells: Cells) -> None:
    assert cells.run("print('out'); print('err', file=sys.stderr)") == "ok"
    assert cells.shown == {"stdout": "out\n", "stderr": "err\n"}


def test_what_a_cell_defines_is_there_for_the_next(cells: Cells) -> None:
    cells.run("x = 41")
    cells.run("print(x + 1, end='')")
    assert cells.shown["stdout"] == "42"


def test_output_that_looks_like_a_beginning_mark_is_shown(cells: Cells) -> None:
    cells.run("sys.stdout.write('a\\n\\n'); sys.stdout.flush()")
    assert cells.shown["stdout"] == "a\n\n"


def test_much_output_on_both_does_not_block(cells: Cells) -> None:
    cells.run("print('o' * 300_000); print('e' * 300_000, file=sys.stderr)")
    assert [len(text) for text in cells.shown.values()] == [300_001, 300_001]


def test_an_interpreter_that_ends_is_told_and_started_anew(cells: Cells) -> None:
    with pytest.raises(InterpreterGoneError):
        cells.run("print('last words', flush=True); raise SystemExit")
    assert cells.shown["stdout"].startswith("last words")
    assert cells.run("print('again')") == "ok"
    cells.interpreter.stop()
