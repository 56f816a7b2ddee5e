"""Either kind of modules, and the work and scratch areas, in kernels, terminals, scripts and wrappers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.lab import guide
from tests.lab.cluster import COURSE, COURSE_NODE, OPEN_NODE, OPEN_TYPE, PARTITION
from tests.lab.machines import Machine
from tests.lab.notebook import Kernel, Terminal
from tests.lab.sessions import Session, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

KINDS = {"lmod": OPEN_NODE.name, "environment-modules": COURSE_NODE.name}
"""The packages conflict, as they do on real nodes: each gets a node."""
PLACES = {"lmod": "/etc/lmod/modules", "environment-modules": "/etc/environment-modules/modules"}
SAYS = {"lmod": "Lua", "environment-modules": "Modules Release"}
MODULES = {
    "berth-lab": "#%Module1.0\nsetenv BERTH_LAB_MODULE loaded\n",
    "berth-lab-second": "#%Module1.0\nsetenv BERTH_LAB_SECOND loaded\n",
}
INSTALL = "export DEBIAN_FRONTEND=noninteractive; apt-get -q update >/dev/null; apt-get -qy install"
NAME = "wrapped"
OWN = f"/home/alice/.local/share/jupyter/kernels/{NAME}"
PYTHON = f"/home/alice/.conda/envs/{NAME}/bin/python"
KERNEL = {
    "argv": [
        f"{OWN}/wrapper.sh",
        PYTHON,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ],
    "display_name": NAME,
    "language": "python",
    "metadata": {"debugger": True},
}
"""The guide's kernel.json."""
GUIDE = """\
#!/bin/bash
### You can add here whatever bash commands you like, like for example, "module load" commands

module load berth-lab
module load berth-lab-second

### Remember the next line!
exec "$@"
"""
"""The guide's wrapper.sh."""
LOADED = "[__import__('os').environ.get(f'BERTH_LAB_{x}') for x in ('MODULE', 'SECOND')]"
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); print('null')"
ASK = "__import__('subprocess').run(['bash', '-c', {!r}], capture_output=True, text=True).stdout"
TERMINAL_SECONDS = 60.0
CONDA_SECONDS = 300.0


@contextmanager
def on(kind: str, slurm: Slurm, alice: Visitor) -> Iterator[Session]:
    """A session of alice's on the node with that kind of modules."""
    course = KINDS[kind] == COURSE_NODE.name
    # A GPU of the node's own type brings the session there.
    own = {"account": "proj_a", "gpus": f"{OPEN_TYPE}:1"}
    options = {"reservation": COURSE, "account": "proj_b"} if course else own
    # conda, which one test runs, needs more than a small session has.
    with running(slurm, alice, memory="2G", **options) as session:
        assert session.node.name == KINDS[kind]
        yield session


@pytest.fixture(scope="module", params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """A kind of modules, installed from the distribution's package for as long as it is tested."""
    name: str = request.param
    node = Machine(KINDS[name])
    node.shell(f"{INSTALL} {name}")
    try:
        node.run("mkdir", "-p", PLACES[name])
        for module, text in MODULES.items():
            node.python(WRITE, f"{PLACES[name]}/{module}", text)
        yield name
    finally:
        node.shell(f"cd {PLACES[name]} && rm -f {' '.join(MODULES)}; apt-get -qy purge --autoremove {name}")


@pytest.fixture(scope="module")
def areas() -> Iterator[None]:
    """The work and scratch areas of alice's on the shared volume."""
    places = "/home/work/proj_a/alice /home/work/proj_b/alice /home/scratch/alice"
    node = Machine(OPEN_NODE.name)
    node.shell(f"mkdir -p {places} && chown alice: {places}")
    yield
    node.shell("rm -rf /home/work /home/scratch; cd /home/alice; rm -f work work-proj_a work-proj_b scratch")


@pytest.fixture(scope="module")
def session(kind: str, areas: None, slurm: Slurm, alice: Visitor) -> Iterator[Session]:  # noqa: ARG001
    """A session where that kind is."""
    with on(kind, slurm, alice) as session:
        yield session


@pytest.fixture(scope="module")
def terminal(session: Session) -> Iterator[Terminal]:
    """A terminal of that session."""
    with Terminal(session.visitor) as terminal:
        yield terminal


def test_the_node_has_that_kind(kind: str, terminal: Terminal) -> None:
    assert SAYS[kind] in terminal.run("module --version 2>&1", TERMINAL_SECONDS)


def test_a_terminal_loads_and_unloads_modules(terminal: Terminal) -> None:
    # Through a pipe: Debian 12's Lmod pages what it writes to a terminal.
    assert "berth-lab" in terminal.run("module avail 2>&1 | cat", TERMINAL_SECONDS)
    command = (
        "module load berth-lab && echo $BERTH_LAB_MODULE; module unload berth-lab; echo [$BERTH_LAB_MODULE]"
    )
    assert terminal.run(command, TERMINAL_SECONDS).split() == ["loaded", "[]"]


def test_scripts_and_kernels_have_modules(session: Session, terminal: Terminal) -> None:
    script = "module load berth-lab && echo $BERTH_LAB_MODULE"
    assert terminal.run(f"bash -c '{script}'", TERMINAL_SECONDS) == "loaded"
    with Kernel.start(session.visitor) as kernel:
        assert kernel.value(ASK.format(script)).strip() == "loaded"


def test_a_wrapper_loads_modules_for_its_kernel(session: Session) -> None:
    visitor, node = session.visitor, session.node
    specs = visitor.lab("GET", "kernelspecs").raise_for_status().json()
    spec = next(iter(specs["kernelspecs"].values()))["spec"]
    document = {
        **spec,
        "argv": [f"{OWN}/wrapper.sh", *spec["argv"]],
        "display_name": "Wrapped",
        "metadata": {},
    }
    node.shell(f"mkdir -p {OWN}", user="alice")
    try:
        node.python(WRITE, f"{OWN}/kernel.json", json.dumps(document), user="alice")
        node.python(WRITE, f"{OWN}/wrapper.sh", GUIDE, user="alice")
        refused = visitor.lab("POST", "kernels", json={"name": NAME})
        assert refused.status_code == 500
        assert f"{OWN}/wrapper.sh is not executable; chmod +x" in " ".join(refused.json()["message"].split())
        node.run("chmod", "+x", f"{OWN}/wrapper.sh", user="alice")
        with Kernel.start(visitor, NAME) as kernel:
            assert kernel.value(LOADED) == ["loaded", "loaded"]
    finally:
        node.run("rm", "-r", OWN)


# One kind will do: what the wrapper makes of `module load` is seen above, for both.
@pytest.mark.parametrize("kind", sorted(KINDS)[:1], indirect=True)
def test_an_environment_of_one_s_own_gets_a_wrapper_like_that_of_the_guide(
    session: Session, terminal: Terminal
) -> None:
    visitor, node = session.visitor, session.node
    try:
        (block,) = guide.blocks(visitor, "module", NAME=NAME, MODULE="berth-lab")
        for line, asks in block.items():
            made = terminal.run(f"{line}; echo status $?", CONDA_SECONDS, asks)
            assert made.endswith("status 0"), made
        written = json.loads(node.run("cat", f"{OWN}/kernel.json"))
        # "Similar", says the guide: a newer ipykernel adds an option of Python's and what it can encrypt.
        written["argv"] = [word for word in written["argv"] if word != "-Xfrozen_modules=off"]
        written["metadata"].pop("supported_encryption", None)
        written.pop("kernel_protocol_version", None)
        assert written == KERNEL
        lines = node.run("cat", f"{OWN}/wrapper.sh").splitlines()
        commands = [line for line in lines[1:] if line and not line.startswith("#")]
        assert [lines[0], *commands] == ["#!/bin/bash", "module load berth-lab", 'exec "$@"']
        with Kernel.start(visitor, NAME) as kernel:
            assert kernel.value(LOADED) == ["loaded", None]
            assert kernel.value("__import__('sys').executable") == PYTHON
        # Now as somebody makes it who follows the guide by hand.
        node.python(WRITE, f"{OWN}/kernel.json", json.dumps(KERNEL), user="alice")
        node.python(WRITE, f"{OWN}/wrapper.sh", GUIDE, user="alice")
        with Kernel.start(visitor, NAME) as kernel:
            assert kernel.value(LOADED) == ["loaded", "loaded"]
            assert kernel.run("!echo $BERTH_LAB_SECOND") == "loaded"
        gone = terminal.run(f"berth env remove {NAME}; echo status $?", CONDA_SECONDS, ["[y/N]"])
        assert gone.endswith("status 0"), gone
        assert node.attempt("ls", OWN, f"/home/alice/.conda/envs/{NAME}").stdout == ""
    finally:
        node.run("rm", "-rf", OWN, "/home/alice/.conda", "/home/alice/.berth/environments")


def test_the_areas_are_those_of_the_account_and_linked_in_the_home(
    session: Session, terminal: Terminal
) -> None:
    account = session.job["Account"]
    place = f"/home/work/{account}/alice"
    assert terminal.run("echo $WORK $SCRATCH") == f"{place} /home/scratch/alice"
    with Kernel.start(session.visitor) as kernel:
        assert kernel.value("[__import__('os').environ[x] for x in ('WORK', 'SCRATCH')]") == [
            place,
            "/home/scratch/alice",
        ]
    links = {
        name: session.node.run("readlink", f"/home/alice/{name}") for name in ("work", f"work-{account}")
    }
    assert links == {"work": place, f"work-{account}": place}
    assert session.node.run("stat", "-c", "%U", "/home/alice/work") == "alice"
    listed = session.visitor.lab("GET", "contents/").raise_for_status().json()["content"]
    assert {"work", "scratch"} <= {item["name"] for item in listed}


def test_slurm_s_commands_work_as_on_a_login_node(session: Session, terminal: Terminal, slurm: Slurm) -> None:
    assert str(session.job_id) in terminal.run("squeue --me --noheader --format=%i")
    asked = f"-p {PARTITION} -A proj_a --mem=50M --time=1"
    # A step inside the session's own job would run here; a job of its own asks Slurm for the memory.
    printed = terminal.run(f"srun --quiet {asked} bash -c 'echo $SLURM_JOB_ID'", TERMINAL_SECONDS)
    own = int(printed.split()[-1])
    assert own != session.job_id
    assert slurm.job(own)["MinMemoryNode"] == "50M"
    submitted = int(terminal.run(f"sbatch --parsable {asked} --output=/dev/null --wrap=true").split()[-1])
    slurm.wait_for(submitted, "COMPLETED")
    assert slurm.job(submitted)["MinMemoryNode"] == "50M"
