"""The kernels of release 2026.11: a cell that uses what each is for, and how each asks the shell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Language:
    """How a language runs a command of the shell, so that it prints into the cell; and its suite."""

    name: str
    suite: str
    shell: str
    """A cell; `@` stands for the command, in which there are no quotes."""
    left_out: Mapping[str, list[str]]
    """What the suite does not look at, with its reasons: parts of a test have one each."""


# Of every language but Python.
_PLAIN = {
    "test_clear_output": ["No code clear output"],
    "test_history": ["No code execute result"],
    "test_inspect": ["No code inspect sample"],
    "test_pager": ["No code page something"],
}
_CLANG_REPL = {
    **_PLAIN,
    "test_completion": ["No completion samples"],
    "test_display_data": ["No code display data"],
    "test_execute_result": ["No code execute result"],
    "test_is_complete": ["Not testing is_complete"],
}
PYTHON = Language(
    "python",
    "Python",
    'import subprocess; print(subprocess.check_output("@", shell=True, text=True))',
    {"test_history": ["History range not supported"]},
)
R = Language(
    "R",
    "R",
    'cat(system("@", intern = TRUE), sep = "\\n")',
    {**_PLAIN, "test_execute_result": ["No code execute result"]},
)
C = Language("c", "C", '#include <stdlib.h>\nsystem("@");', _CLANG_REPL)
CPP = Language("c++", "Cpp", '#include <cstdlib>\nstd::system("@");', _CLANG_REPL)
JULIA = Language(
    "julia",
    "Julia",
    "run(`sh -c '@'`);",
    {
        **_PLAIN,
        "test_completion": ["No completion samples"],
        "test_display_data": ["No code display data"],
        "test_history": [
            "History tail not supported",
            "History range not supported",
            "No code history pattern",
        ],
        "test_is_complete": ["Not testing is_complete"],
    },
)


@dataclass(frozen=True)
class Kernel:
    """A kernel: its language, a cell, and what that prints."""

    language: Language
    cell: str
    printed: str


KERNELS = {
    "python3": Kernel(
        PYTHON,
        "import matplotlib, numpy, pandas, tabulate\nprint(int(pandas.Series(numpy.arange(4)).sum()))",
        "6",
    ),
    "dask": Kernel(
        PYTHON,
        "import dask.array as da\n"
        "from dask.distributed import Client\n"
        "with Client(processes=False, dashboard_address=None, n_workers=1, threads_per_worker=1):\n"
        "    print(int(da.arange(1000, chunks=100).sum().compute()))",
        "499500",
    ),
    "ray": Kernel(
        PYTHON,
        "import ray\n"
        "ray.init(num_cpus=1, include_dashboard=False, logging_level='error', log_to_driver=False,\n"
        "         object_store_memory=80 * 2**20)\n"
        "square = ray.remote(lambda x: x * x)\n"
        "print(sum(ray.get([square.remote(i) for i in range(4)])))\n"
        "ray.shutdown()",
        "14",
    ),
    "transformers": Kernel(
        PYTHON,
        "import torch\n"
        "from transformers import BertConfig, BertModel\n"
        "small = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,\n"
        "                   intermediate_size=8)\n"
        "print(tuple(BertModel(small)(torch.tensor([[1, 2, 3]])).last_hidden_state.shape))",
        "(1, 3, 8)",
    ),
    "mdanalysis": Kernel(
        PYTHON,
        "import MDAnalysis, numpy\n"
        "universe = MDAnalysis.Universe.empty(3, trajectory=True)\n"
        "universe.atoms.positions = numpy.arange(9).reshape(3, 3)\n"
        "print(universe.atoms.center_of_geometry().tolist())",
        "[3.0, 4.0, 5.0]",
    ),
    "pytorch": Kernel(
        PYTHON,
        "import torch\n"
        "x = torch.ones(3, requires_grad=True)\n"
        "(2 * x).sum().backward()\n"
        "print(x.grad.tolist())",
        "[2.0, 2.0, 2.0]",
    ),
    "tensorflow": Kernel(
        PYTHON,
        "import tensorflow as tf\n"
        "x = tf.Variable(3.0)\n"
        "with tf.GradientTape() as tape:\n"
        "    y = x * x\n"
        "print(float(tape.gradient(y, x)))",
        "6.0",
    ),
    "ir": Kernel(R, "cat(solve(matrix(c(2, 1, 1, 3), 2)))", "0.6 -0.2 -0.2 0.4"),
    "c": Kernel(C, 'int twice(int n) {\n  return 2 * n;\n}\nprintf("%d", twice(21));', "42"),
    "cpp": Kernel(
        CPP,
        "#include <iostream>\n#include <vector>\n"
        "std::vector<int> some{20, 21};\nsome.push_back(1);\n"
        "int sum = 0;\nfor (int one : some) sum += one;\nstd::cout << sum;",
        "42",
    ),
    "julia": Kernel(JULIA, "using LinearAlgebra\nprintln(det([1.0 2.0; 3.0 4.0]))", "-2.0"),
}
