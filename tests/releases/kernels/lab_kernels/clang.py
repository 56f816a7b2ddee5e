"""C and C++ on clang-repl: `python -m lab_kernels.clang c|c++ -f CONNECTION_FILE`.

A cell that does not compile would spoil clang-repl for the cells after it. So the compiler looks at it first,
after the cells that ran.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from .interpreter import Interpreter
from .kernel import CellError, InterpreterKernel, launch

LLVM = Path(sys.prefix) / "lib/llvm-19"
STANDARDS = {"c": "c17", "c++": "c++20"}
SUFFIXES = {"c": ".c", "c++": ".cpp"}
# The interpreter says on stderr what it could not link.
UNLINKED = ("JIT session error", "error: Failed to materialize")


class ClangKernel(InterpreterKernel):
    """The kernel; its language is chosen before it is started."""

    implementation = "clang-repl"
    implementation_version = "19"
    language: ClassVar[str] = "c++"

    def __init__(self, **words: Any) -> None:
        """Prepare a place for cells."""
        super().__init__(**words)  # type: ignore[no-untyped-call]  # ipykernel has no types there
        self.banner = f"{self.language.upper()} on {self.implementation} {self.implementation_version}"
        mime = {"c": "text/x-csrc", "c++": "text/x-c++src"}[self.language]
        self.language_info = {
            "name": self.language,
            "mimetype": mime,
            "codemirror_mode": mime,
            "file_extension": SUFFIXES[self.language],
            "version": STANDARDS[self.language],
        }
        self._cells = Path(tempfile.mkdtemp(prefix="cells-"))
        self._ran: list[Path] = []
        self._options = [
            f"--sysroot={LLVM}/sysroot",
            f"-x{self.language}",
            f"-std={STANDARDS[self.language]}",
        ]
        command = [f"{LLVM}/bin/clang-repl", *(f"--Xcc={option}" for option in self._options)]
        self.interpreter = Interpreter(command, b"#include <stdio.h>\n")

    def evaluate(self, code: str) -> None:
        """Check a cell, then run it; values are not shown, what it prints is."""
        cell = self._cells / f"cell-{self.execution_count}{SUFFIXES[self.language]}"
        cell.write_text(f"{code}\n", encoding="utf-8")
        self._check(cell)
        told: list[str] = []

        def show(stream: str, text: str) -> None:
            told.append(text if stream == "stderr" else "")
            self.stream(stream, text)

        def request(mark: str) -> bytes:
            lines = [
                f'#include "{cell}"',
                f'printf("\\n{mark}\\n"); fflush(stdout); fprintf(stderr, "\\n{mark}\\n");',
            ]
            return "".join(f"{line}\n" for line in lines).encode()

        self.interpreter.run(request, show)
        if any(sign in "".join(told) for sign in UNLINKED):
            raise CellError("LinkError", "Something that this cell uses is declared but nowhere defined.")
        self._ran.append(cell)

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:  # noqa: FBT001  # Jupyter's own signature
        """Remove the cells, too."""
        for path in self._cells.iterdir():
            path.unlink()
        self._cells.rmdir()
        return await super().do_shutdown(restart)

    def _check(self, cell: Path) -> None:
        whole = self._cells / f"check{SUFFIXES[self.language]}"
        included = [f'#include "{path}"\n' for path in [*self._ran, cell]]
        whole.write_text("#include <stdio.h>\n" + "".join(included), encoding="utf-8")
        command = [
            f"{LLVM}/bin/clang",
            "-fsyntax-only",
            "-Xclang",
            "-fincremental-extensions",
            *self._options,
        ]
        done = subprocess.run([*command, str(whole)], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.replace(f"{cell}:", "").splitlines()
            raise CellError(
                "CompileError", "\n".join(x for x in lines if not x.startswith("In file included"))
            )
        if done.stderr:
            self.stream("stderr", done.stderr.replace(f"{cell}:", ""))


def main() -> None:
    """Start the kernel of the language that the first argument names."""
    ClangKernel.language = sys.argv.pop(1)
    launch(ClangKernel)


if __name__ == "__main__":
    main()
