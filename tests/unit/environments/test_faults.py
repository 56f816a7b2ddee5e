"""What keeps a kernel from starting is said before it dies, with what helps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from berth.environments import context, own
from berth.environments.faults import Releases, fault, warning

LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


class Kernels:
    """A home with kernels in it, and a place with releases."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.releases = Releases(root / "releases", frozenset({"2026.11"}))

    def kernel(self, *argv: str) -> own.Kernel:
        place = own.directory(self.home) / "mine"
        place.mkdir(parents=True, exist_ok=True)
        document = {"argv": list(argv), "display_name": "My kernel", "language": "python"}
        (place / "kernel.json").write_text(json.dumps(document), encoding="utf-8")
        return own.read(place)

    def broken(self, text: str) -> own.Kernel:
        self.kernel("x")
        (own.directory(self.home) / "mine" / "kernel.json").write_text(text, encoding="utf-8")
        return own.read(own.directory(self.home) / "mine")

    def python(self, place: str = "home/.conda/envs/mine", *, ipykernel: bool = True) -> str:
        """An environment; its Python is the one of the tests."""
        prefix = self.root / place
        packages = prefix / "lib/python3.11/site-packages"
        packages.mkdir(parents=True)
        (prefix / "bin").mkdir()
        (prefix / "bin/python").symlink_to(sys.executable)
        if ipykernel:
            (packages / "ipykernel_launcher.py").touch()
        return str(prefix / "bin/python")

    def wrapper(self, text: str, mode: int = 0o755) -> str:
        path = self.root / "home/wrapper.sh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        path.chmod(mode)
        return str(path)

    def shell(self, behind: str) -> str:
        """A shell called sh that is a link to another one."""
        program, link = self.root / behind, self.root / "sh"
        program.write_bytes(b"\x7fELF")
        program.chmod(0o755)
        link.unlink(missing_ok=True)
        link.symlink_to(program)
        return str(link)

    def fault(self, *argv: str) -> str:
        return fault(self.kernel(*argv), self.releases) or ""

    def warning(self, *argv: str) -> str:
        return warning(self.kernel(*argv), self.releases) or ""


@pytest.fixture
def kernels(tmp_path: Path) -> Kernels:
    return Kernels(tmp_path)


GOOD = '#!/bin/bash\nmodule load gcc\nexec "$@"\n'


def test_a_kernel_as_the_guide_makes_it_is_well(kernels: Kernels) -> None:
    python = kernels.python()
    assert kernels.fault(python, *LAUNCH) == ""
    assert kernels.fault(kernels.wrapper(GOOD), python, *LAUNCH) == ""
    assert warning(kernels.kernel(python, *LAUNCH), kernels.releases) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must be an object"),
        ('{"argv": []}', '"argv", a list of strings'),
        ('{"argv": ["a", 1]}', '"argv", a list of strings'),
    ],
)
def test_a_file_that_describes_no_kernel(kernels: Kernels, text: str, sentence: str) -> None:
    kernel = kernels.broken(text)
    assert kernel.name == kernel.display_name == "mine"
    assert sentence in (fault(kernel, kernels.releases) or "")


@pytest.mark.parametrize("path", ["$HOME/.conda/envs/x/bin/python", "~/x/bin/python", "bin/python"])
def test_a_path_that_is_not_written_out(kernels: Kernels, path: str) -> None:
    assert "must be written as a full path" in kernels.fault(path, *LAUNCH)


def test_a_command_that_there_is_not(kernels: Kernels) -> None:
    assert "there is no command 'no-such-python'" in kernels.fault("no-such-python", *LAUNCH)
    assert kernels.fault("sh", "-c", "exit") == ""


def test_an_environment_that_was_removed(kernels: Kernels) -> None:
    gone = str(kernels.root / "home/.conda/envs/gone/bin/python")
    assert f"{gone} is gone: the environment was removed or moved" in kernels.fault(gone, *LAUNCH)
    assert f"{gone} is gone" in kernels.fault(kernels.wrapper(GOOD), gone, *LAUNCH)


def test_an_interpreter_of_a_retired_release(kernels: Kernels) -> None:
    gone = kernels.root / "releases/2024.04/python-0123/bin/python"
    assert "belonged to release 2024.04, which is retired" in kernels.fault(str(gone), *LAUNCH)
    link = kernels.root / "home/venv/bin/python"
    link.parent.mkdir(parents=True)
    link.symlink_to(gone)
    assert "belonged to release 2024.04, which is retired" in kernels.fault(str(link), *LAUNCH)
    link.unlink()
    link.symlink_to(kernels.root / "elsewhere/python")
    assert "elsewhere/python, which is gone" in kernels.fault(str(link), *LAUNCH)


def test_a_kernel_on_a_retired_release_whose_files_are_still_there_is_warned_of(kernels: Kernels) -> None:
    target = kernels.root / "releases/2024.04/python-0123/bin/python"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"\x7fELF")
    target.chmod(0o755)
    kernel = kernels.kernel(str(target), *LAUNCH)
    assert "runs on release 2024.04, which is retired" in (warning(kernel, kernels.releases) or "")
    installed = Releases(kernels.releases.root, frozenset({"2024.04"}))
    assert warning(kernel, installed) is None


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        (GOOD, 0o644, "is not executable; chmod +x"),
        (GOOD.replace("\n", "\r\n"), 0o755, "has the line ends of Windows"),
        (GOOD.replace("/bin/bash", "/bin/no-such-shell"), 0o755, "is to be run by /bin/no-such-shell"),
        (GOOD.removeprefix("#!/bin/bash\n"), 0o755, "must begin with the line #!/bin/bash"),
        (GOOD.replace('exec "$@"', "# exec"), 0o755, 'its last line must be exec "$@"'),
    ],
)
def test_a_wrapper_that_does_not_do(kernels: Kernels, text: str, mode: int, sentence: str) -> None:
    assert sentence in kernels.fault(kernels.wrapper(text, mode), kernels.python(), *LAUNCH)


@pytest.mark.parametrize("head", ["#!{}", "#! {} -e", "#!/usr/bin/env sh"])
@pytest.mark.parametrize("behind", ["dash", "busybox"])
def test_a_wrapper_that_loads_modules_under_a_shell_without_them_is_warned_of(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch, head: str, behind: str
) -> None:
    shell = kernels.shell(behind)
    monkeypatch.setenv("PATH", str(kernels.root), prepend=":")
    wrapper = kernels.wrapper(GOOD.replace("#!/bin/bash", head.format(shell)))
    sentence = f"{wrapper} has no command module under {shell}: begin with #!/bin/bash"
    assert kernels.warning(wrapper, kernels.python(), *LAUNCH) == sentence


def test_a_shell_with_modules_is_not_warned_of(kernels: Kernels) -> None:
    python = kernels.python()
    assert kernels.warning(kernels.wrapper(GOOD), python, *LAUNCH) == ""
    # Where sh is bash, as on RHEL, it takes the function from the environment.
    bash = GOOD.replace("/bin/bash", kernels.shell("bash"))
    assert kernels.warning(kernels.wrapper(bash), python, *LAUNCH) == ""
    dash = GOOD.replace("/bin/bash", kernels.shell("dash"))
    assert kernels.warning(kernels.wrapper(dash), python, *LAUNCH) != ""
    for harmless in ("# module load gcc", ". /etc/profile.d/lmod.sh\nmodule load gcc", "modules=none"):
        wrapper = kernels.wrapper(dash.replace("module load gcc", harmless))
        assert kernels.warning(wrapper, python, *LAUNCH) == "", harmless


def test_wrappers_and_programs_of_other_kinds_are_left_alone(kernels: Kernels) -> None:
    script = kernels.root / "home/bin/kernel.py"
    script.parent.mkdir(parents=True)
    script.write_text("import sys", encoding="utf-8")
    assert kernels.fault(sys.executable, str(script), "-f", "{connection_file}") == ""
    own = kernels.wrapper('#!/bin/sh\nexec python3 "$1" -f "$3"\n')
    assert kernels.fault(own, str(script), "-f", "{connection_file}") == ""
    # Of a wrapper that names no interpreter nothing is known, and nothing is guessed.
    assert kernels.fault(kernels.wrapper("exec sleep 1\n"), "-f", "{connection_file}") == ""
    python_script = kernels.wrapper(f"#!{sys.executable}\nimport my_kernel\n")
    assert kernels.fault(python_script, "-f", "{connection_file}") == ""


def test_a_program_before_the_interpreter_is_no_wrapper(kernels: Kernels) -> None:
    assert kernels.fault("/usr/bin/env", kernels.python(), *LAUNCH) == ""


def test_a_directory_is_no_program(kernels: Kernels) -> None:
    assert "is a directory" in kernels.fault(str(kernels.root), *LAUNCH)


def test_a_missing_ipykernel(kernels: Kernels) -> None:
    python = kernels.python(ipykernel=False)
    asked = [python, "-m", "ipykernel_nowhere", "-f", "{connection_file}"]
    prefix = Path(python).parents[1]
    assert f"ipykernel is missing in {prefix}; conda install -p {prefix} ipykernel" in kernels.fault(*asked)
    # In a listing nobody is asked: that may take a second for each.
    assert fault(kernels.kernel(*asked), kernels.releases, ask=False) is None


def test_ipykernel_at_an_unusual_place_is_found_by_asking(kernels: Kernels) -> None:
    assert kernels.fault(kernels.python(ipykernel=False), "-m", "json.tool", "{connection_file}") == ""


def test_an_interpreter_that_does_not_run(kernels: Kernels) -> None:
    python = Path(kernels.python(ipykernel=False))
    python.unlink()
    python.write_text("#!/bin/sh\necho 'libpython3.11.so: cannot open' >&2\nexit 127\n", encoding="utf-8")
    python.chmod(0o755)
    assert "does not work: libpython3.11.so: cannot open" in kernels.fault(str(python), *LAUNCH)


def test_an_environment_that_was_moved_is_warned_of(kernels: Kernels) -> None:
    python = kernels.python()
    script = Path(python).with_name("pip")
    script.write_text(f"#!{kernels.root}/home/.conda/envs/before/bin/python\n", encoding="utf-8")
    assert "was moved from" in (warning(kernels.kernel(python, *LAUNCH), kernels.releases) or "")
    script.write_text(f"#!{python}\n", encoding="utf-8")
    assert warning(kernels.kernel(python, *LAUNCH), kernels.releases) is None


def test_all_kernels_are_found_and_what_is_none_is_not(kernels: Kernels) -> None:
    assert own.find(kernels.home) == []
    kernels.kernel("x")
    (own.directory(kernels.home) / "empty").mkdir()
    (own.directory(kernels.home) / ".berth-half").mkdir()
    (own.directory(kernels.home) / ".berth-half" / "kernel.json").touch()
    assert [kernel.name for kernel in own.find(kernels.home)] == ["mine"]


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ("OSError: [Errno 122] Disk quota exceeded: '/home/alice/.conda'", True),
        ("[Errno 28] Auf dem Gerät ist kein Speicherplatz mehr verfügbar", True),
        ("critical libmamba filesystem error: cannot copy: No space left on device", True),
        ("sqlite3.OperationalError: database or disk is full", True),
        ("PackagesNotFoundError: [Errno 2] no-such-package", False),
        ("[Errno 280] something else", False),
    ],
)
def test_a_used_up_quota_is_told_from_other_failures(said: str, full: bool) -> None:  # noqa: FBT001
    assert context.out_of_room(said) is full
