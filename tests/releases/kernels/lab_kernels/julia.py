"""Julia on a process of its own: `python -m lab_kernels.julia -f CONNECTION_FILE`, which Julia itself starts.

The other half is Julia's package in `kernels/julia/IJulia`.
"""

from __future__ import annotations

import base64
import signal
import sys
from pathlib import Path
from typing import Any

from .interpreter import Interpreter
from .kernel import CellError, InterpreterKernel, launch


class JuliaKernel(InterpreterKernel):
    """The kernel."""

    implementation = "julia-process"
    implementation_version = "1"
    banner = "Julia"
    language_info = {  # noqa: RUF012  # a trait of Kernel
        "name": "julia",
        "mimetype": "text/x-julia",
        "codemirror_mode": "julia",
        "file_extension": ".jl",
        "version": "1.5",
    }

    def __init__(self, **words: Any) -> None:
        """Prepare the interpreter."""
        super().__init__(**words)  # type: ignore[no-untyped-call]  # ipykernel has no types there
        julia = str(Path(sys.prefix) / "bin/julia")
        cells = "import IJulia; IJulia.run_cells()"
        self.interpreter = Interpreter([julia, "--startup-file=no", "--quiet", "-e", cells])

    def evaluate(self, code: str) -> str | None:
        """Run a cell; return what its last expression gives as Julia shows it."""

        def request(mark: str) -> bytes:
            data = code.encode()
            return f"{mark} {len(data)}\n".encode() + data

        status, _, encoded = self.interpreter.run(request, self.stream).partition(" ")
        text = base64.b64decode(encoded).decode(errors="replace")
        if status != "ok":
            raise CellError("JuliaError", text)
        return text or None


if __name__ == "__main__":
    # Julia, whose process this was, keeps SIGINT to a thread of its own.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    launch(JuliaKernel)
