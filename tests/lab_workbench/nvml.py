"""A stand-in for the GPU driver's library on the lab's nodes, for as long as a test needs it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.cluster import CLUSTER
from tests.lab.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("nvml.c")
PLACE = "/etc/lab-nvml"
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
WRITE = "import sys; open('/tmp/nvml.c', 'w').write(sys.argv[1]); print(0)"
BUILT = "/opt/berth/lab-libnvidia-ml.so.1"
"""On the file system that all nodes share."""


@contextmanager
def driver(login: Machine) -> Iterator[None]:
    """The library on every node with GPUs: each names those that its caller may open."""
    login.python(WRITE, SOURCE.read_text(encoding="utf-8"))
    login.run("gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", BUILT, "/tmp/nvml.c")  # noqa: S108
    nodes = [node for node in CLUSTER if node.devices]
    try:
        for node in nodes:
            paths = "\n".join(path for kind in node.devices.values() for path in kind)
            machine = Machine(node.name)
            machine.shell(f"mkdir -p {PLACE}; cp {BUILT} {LIBRARY}")
            machine.shell(f"cat > {PLACE}/devices <<'END'\n{paths}\nEND")
        yield
    finally:
        for node in nodes:
            Machine(node.name).run("rm", "-rf", PLACE, LIBRARY)
        login.run("rm", "-f", BUILT, "/tmp/nvml.c")  # noqa: S108


def busy(node: Machine, *gpus: tuple[int, int]) -> None:
    """Set how busy the GPUs of a node are: percent and MiB, in their order."""
    lines = "\n".join(f"{number} {percent} {used}" for number, (percent, used) in enumerate(gpus))
    node.shell(f"cat > {PLACE}/state <<'END'\n{lines}\nEND")


@contextmanager
def broken(node: Machine, code: int = 9) -> Iterator[None]:
    """A library whose driver is not loaded."""
    node.shell(f"echo {code} > {PLACE}/error")
    try:
        yield
    finally:
        node.run("rm", "-f", f"{PLACE}/error")
