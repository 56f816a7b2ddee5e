"""The protocol's own suite (jupyter_kernel_test) for each kernel: `python suites.py KERNEL LANGUAGE SUITE`.

Runs beside the kernel, wherever that is; prints one JSON object: tests that passed, failed, or
were left out, wholly or in parts, because the kernel does not claim what they look at.
"""

from __future__ import annotations

import io
import json
import sys
import unittest
from typing import Any, ClassVar

from jupyter_kernel_test import KernelTests


class Python(KernelTests):
    """ipykernel; all environments of Python have it."""

    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    code_generate_error = "raise RuntimeError('told')"
    code_execute_result: ClassVar[list[dict[str, str]]] = [{"code": "6 * 7", "result": "42"}]
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>told</b>'))",
            "mime": "text/html",
        }
    ]
    completion_samples: ClassVar[list[dict[str, Any]]] = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples: ClassVar[list[str]] = ["1", "def f():\n    return 1\n\n"]
    incomplete_code_samples: ClassVar[list[str]] = ["print('''hello", "for i in range(3):"]
    invalid_code_samples: ClassVar[list[str]] = ["import = 7q"]
    code_page_something = "zip?"
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    code_history_pattern = "6*7"
    supported_history_operations = ("tail", "search")


class R(KernelTests):
    """IRkernel."""

    code_hello_world = 'cat("hello, world\\n")'
    code_stderr = 'message("told")'
    code_generate_error = 'stop("told")'
    # It sends values as display data, too.
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {"code": "6 * 7", "mime": "text/plain"},
        {"code": "plot(1:3)", "mime": "image/png"},
    ]
    completion_samples: ClassVar[list[dict[str, Any]]] = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples: ClassVar[list[str]] = ["1", "print('hello')", "f <- function(x) {\n  x*2\n}"]
    incomplete_code_samples: ClassVar[list[str]] = ["print('hello", "f <- function(x) {\n  x*2"]


class C(KernelTests):
    """clang-repl for C."""

    code_hello_world = 'printf("hello, world\\n");'
    code_stderr = 'fprintf(stderr, "told\\n");'
    code_generate_error = "int told = unknown;"


class Cpp(KernelTests):
    """clang-repl for C++."""

    code_hello_world = '#include <iostream>\nstd::cout << "hello, world" << std::endl;'
    code_stderr = '#include <iostream>\nstd::cerr << "told" << std::endl;'
    code_generate_error = "std::vector<int> told = unknown;"


class Julia(KernelTests):
    """Julia."""

    code_hello_world = 'println("hello, world")'
    code_stderr = 'println(stderr, "told")'
    code_generate_error = 'error("told")'
    code_execute_result: ClassVar[list[dict[str, str]]] = [{"code": "6 * 7", "result": "42"}]


def main(kernel: str, language: str, suite: str) -> None:
    """Run one suite on one kernel, and print how it went."""
    tests: type[KernelTests] = globals()[suite]
    tests.kernel_name, tests.language_name = kernel, language
    loaded = unittest.defaultTestLoader.loadTestsFromTestCase(tests)
    names = {_name(test) for test in loaded if isinstance(test, unittest.TestCase)}
    result = unittest.TextTestRunner(stream=io.StringIO()).run(loaded)
    failed = {_name(test): text for test, text in [*result.failures, *result.errors]}
    left_out: dict[str, list[str]] = {}
    for test, reason in result.skipped:
        left_out.setdefault(_name(test), []).append(reason)
    passed = sorted(names - set(failed) - set(left_out)) if result.testsRun else []
    print(json.dumps({"passed": passed, "failed": failed, "left_out": left_out}))  # noqa: T201  # the answer


def _name(test: unittest.TestCase) -> str:
    """The test's own name, also of one of its parts."""
    return str(test.id()).split(" ", maxsplit=1)[0].rsplit(".", 1)[-1]


if __name__ == "__main__":
    main(*sys.argv[1:])
