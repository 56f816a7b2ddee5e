"""What the kernels share: cells go to an interpreter, its outputs to the front end."""

from __future__ import annotations

import logging
from typing import Any

from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

from .interpreter import Interpreter, InterpreterGoneError


class CellError(Exception):
    """A cell failed; name, and what the user reads."""

    def __init__(self, name: str, text: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.name = name


class InterpreterKernel(Kernel):
    """A kernel over an interpreter."""

    interpreter: Interpreter

    def evaluate(self, code: str) -> str | None:
        """Run a cell; return the text of its value, if it has one. Raises CellError."""
        raise NotImplementedError

    def stream(self, name: str, text: str) -> None:
        """Show output of the running cell."""
        self._publish("stream", {"name": name, "text": text})

    async def do_execute(
        self,
        code: str,
        silent: bool,  # noqa: FBT001  # Jupyter's own signature
        store_history: bool = True,  # noqa: FBT001, FBT002
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,  # noqa: FBT001, FBT002
        **_: Any,
    ) -> dict[str, Any]:
        """Run a cell and answer as Jupyter's protocol wants it."""
        del store_history, user_expressions, allow_stdin
        self._silent = silent
        try:
            value = self.evaluate(code) if code.strip() else None
        except KeyboardInterrupt:
            self.interpreter.stop()
            return self._failed("Interrupted", "The cell was stopped, and with it all that was defined.")
        except InterpreterGoneError:
            return self._failed("Ended", "The interpreter has ended, and with it all that was defined.")
        except CellError as error:
            return self._failed(error.name, str(error))
        if value:
            told = {"data": {"text/plain": value}, "metadata": {}, "execution_count": self.execution_count}
            self._publish("execute_result", told)
        return {
            "status": "ok",
            "execution_count": self.execution_count,
            "payload": [],
            "user_expressions": {},
        }

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:  # noqa: FBT001  # Jupyter's own signature
        """End the interpreter with the kernel."""
        self.interpreter.stop()
        return {"status": "ok", "restart": restart}

    def _failed(self, name: str, text: str) -> dict[str, Any]:
        told = {"ename": name, "evalue": text.splitlines()[-1] if text else "", "traceback": [text]}
        self._publish("error", told)
        logging.getLogger(__name__).info("%s: %s", name, told["evalue"])
        return {"status": "error", "execution_count": self.execution_count, **told}

    def _publish(self, kind: str, content: dict[str, Any]) -> None:
        if not self._silent:
            # ipykernel has no types there.
            self.send_response(self.iopub_socket, kind, content)  # type: ignore[no-untyped-call]


def launch(kernel: type[InterpreterKernel]) -> None:
    """Start a kernel, but without ipykernel's TCP port of loopback, for what forked children print."""
    # ipykernel has no setting for it: `berth.releases.kernels` replaces the same method in releases' Pythons.
    IOPubThread._setup_pipe_in = _no_pipe  # type: ignore[method-assign]
    IPKernelApp.launch_instance(kernel_class=kernel)


def _no_pipe(thread: IOPubThread) -> None:
    thread._pipe_flag = False
