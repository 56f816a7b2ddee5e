"""The bashrc of a session's terminals with real condas: the chosen release's wins, the user's files stay."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.environments.conftest import NEW, OLD, Site

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
SECONDS = 60.0
FACTS = {
    "prefix": "$CONDA_PREFIX",
    "conda": "$CONDA_EXE",
    "path": "$PATH",
    "prompt": "$PS1",
    "python": "$(command -v python)",
    "level": "$CONDA_SHLVL",
    "kind": "$(type -t conda)",
    "work": "${WORK-}",
}


class Terminal:
    """An interactive bash on a terminal of its own, as a session starts it."""

    def __init__(self, site: Site, environ: dict[str, str]) -> None:
        self.process, self.master = _spawned(["/bin/bash", "--rcfile", str(site.bashrc)], environ)
        self.count = 0

    def run(self, command: str) -> str:
        self.count += 1
        mark = f"mark-{self.count}"
        os.write(self.master, f"echo {mark[:2]}''{mark[2:]}; {command}; echo end-''{mark}\n".encode())
        seen, deadline = "", time.monotonic() + SECONDS
        while f"end-{mark}\n" not in seen.replace("\r", ""):
            assert time.monotonic() < deadline, seen
            if select.select([self.master], [], [], 1)[0]:
                seen += os.read(self.master, 65536).decode(errors="replace")
        lines = seen.replace("\r", "").split(f"\n{mark}\n")[-1]
        return lines.split(f"end-{mark}")[0].strip()

    def facts(self) -> dict[str, str]:
        shown = self.run("; ".join(f'printf "%s<%s>\\n" {name} "{value}"' for name, value in FACTS.items()))
        return dict(re.findall(r"^(\w+)<(.*)>$", shown, re.MULTILINE))

    def close(self) -> None:
        os.close(self.master)
        self.process.kill()
        self.process.wait()


def _spawned(command: list[str], environ: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave, env=environ, cwd="/"
        )
    finally:
        os.close(slave)
    return process, master


def opened(site: Site, home: Path, release: str = NEW, **more: str) -> dict[str, str]:
    """The facts of a fresh terminal."""
    terminal = Terminal(site, {**site.environ(home, release), **more})
    try:
        return terminal.facts()
    finally:
        terminal.close()


def conda_of(site: Site, release: str) -> dict[str, str]:
    base = site.conda(release)
    return {"prefix": str(base), "conda": f"{base}/bin/conda", "python": f"{base}/bin/python"}


@pytest.fixture(scope="session")
def block(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `conda init bash` writes into ~/.bashrc in a terminal of the older release."""
    home = tmp_path_factory.mktemp("home")
    terminal = Terminal(site, site.environ(home, OLD))
    try:
        terminal.run("conda init bash")
    finally:
        terminal.close()
    text = (home / ".bashrc").read_text(encoding="utf-8")
    assert f"{site.conda(OLD)}/bin/conda' 'shell.bash' 'hook'" in text
    return text


def test_the_release_s_conda_is_active(site: Site, home: Path) -> None:
    facts = opened(site, home)
    assert {name: facts[name] for name in ("prefix", "conda", "python")} == conda_of(site, NEW)
    assert facts["kind"] == "function"
    assert facts["prompt"].startswith("(base) ")
    assert facts["path"].split(":")[-1] == str(site.root / "tools")


def test_the_user_s_own_prompt_follows_conda_s(site: Site, home: Path) -> None:
    (home / ".bashrc").write_text("PS1='mine> '\n", encoding="utf-8")
    assert opened(site, home)["prompt"] == "(base) mine> "


def test_conda_init_under_one_release_leaves_the_terminal_of_another_alone(
    site: Site, home: Path, block: str
) -> None:
    bashrc = home / ".bashrc"
    bashrc.write_text(block, encoding="utf-8")
    for release in (NEW, OLD):
        facts = opened(site, home, release)
        assert {name: facts[name] for name in ("prefix", "conda", "python")} == conda_of(site, release)
        assert facts["level"] == "1"
        others = [str(site.conda(other)) for other in (OLD, NEW) if other != release]
        assert not [part for part in facts["path"].split(":") if part.startswith(tuple(others))]
    assert bashrc.read_text(encoding="utf-8") == block


@pytest.mark.parametrize("line", ["conda activate", "conda activate base", ". {old}/bin/activate"])
def test_the_base_of_another_conda_is_not_left_active(site: Site, home: Path, block: str, line: str) -> None:
    (home / ".bashrc").write_text(f"{block}\n{line.format(old=site.conda(OLD))}\n", encoding="utf-8")
    facts = opened(site, home)
    assert {name: facts[name] for name in ("prefix", "conda", "python")} == conda_of(site, NEW)
    assert str(site.conda(OLD)) not in facts["path"]


@pytest.mark.parametrize("directory", ["bin", "condabin"])
def test_programs_of_another_conda_on_the_path_come_off_it(site: Site, home: Path, directory: str) -> None:
    (home / ".bashrc").write_text(
        f"export PATH={site.conda(OLD)}/{directory}:~/bin:$PATH\n", encoding="utf-8"
    )
    facts = opened(site, home)
    assert str(site.conda(OLD)) not in facts["path"]
    assert str(home / "bin") in facts["path"].split(":")
    assert facts["python"] == conda_of(site, NEW)["python"]


def test_an_environment_that_the_user_activates_stays_active(site: Site, home: Path, block: str) -> None:
    (home / ".bashrc").write_text(f"{block}\nconda activate mine\n", encoding="utf-8")
    prefix = home / ".conda" / "envs" / "mine"
    conda = str(site.conda(OLD) / "bin" / "conda")
    subprocess.run(
        [conda, "create", "-qy", "-n", "mine", "python"],
        check=True,
        env=site.environ(home),
        capture_output=True,
    )
    terminal = Terminal(site, site.environ(home))
    try:
        facts = terminal.facts()
        assert (facts["prefix"], facts["conda"]) == (str(prefix), conda_of(site, NEW)["conda"])
        assert facts["python"] == str(prefix / "bin" / "python")
        assert facts["prompt"].startswith("(mine) ")
        assert terminal.run("conda deactivate; echo $CONDA_PREFIX") == str(site.conda(NEW))
    finally:
        terminal.close()


def test_a_release_that_was_removed_leaves_its_block_without_effect(
    site: Site, home: Path, block: str
) -> None:
    text = block.replace(str(site.conda(OLD)), "/opt/berth/releases/gone/conda")
    (home / ".bashrc").write_text(text, encoding="utf-8")
    facts = opened(site, home)
    assert {name: facts[name] for name in ("prefix", "conda", "python")} == conda_of(site, NEW)


@pytest.mark.parametrize("conda", ["", "/opt/berth/no-such-release/conda"])
def test_a_release_without_conda_gives_a_plain_terminal(site: Site, home: Path, conda: str) -> None:
    facts = opened(site, home, BERTH_CONDA=conda)
    assert (facts["prefix"], facts["kind"], facts["level"]) == ("", "", "")
    assert not facts["prompt"].startswith("(")


def test_the_work_area_is_the_session_s_whatever_a_login_says(site: Site, home: Path) -> None:
    (home / ".bashrc").write_text('echo "read: $WORK"\n', encoding="utf-8")
    assert opened(site, home, WORK="/work/proj_b")["work"] == "/work/proj_b"


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "dash"])
def test_another_shell_starts_with_the_release_s_conda_on_its_path(
    site: Site, home: Path, shell: str
) -> None:
    program = shutil.which(shell)
    if program is None:
        # Any program that runs commands does: what is tested is the way there.
        program = str(home / shell)
        (home / shell).symlink_to("/bin/sh")
    command = ["/bin/bash", "--norc", "-c", '. "$1"; exec "$2"', "terminal", str(site.bashrc), program]
    shown = subprocess.run(
        command,
        env=site.environ(home),
        input="echo prefix $CONDA_PREFIX; command -v python conda\n",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    ).stdout
    base = site.conda(NEW)
    assert f"prefix {base}" in shown
    assert f"{base}/bin/python" in shown


def test_every_line_of_the_guide_works(site: Site, home: Path) -> None:
    terminal = Terminal(site, site.environ(home))
    kernel = home / ".local/share/jupyter/kernels/mine"
    lines = [
        "source $CONDA_PREFIX/etc/profile.d/conda.sh",
        "conda init bash",
        "conda create --yes --quiet -n mine ipykernel -c conda-forge --override-channels",
        "conda activate mine",
        "conda install --yes --quiet pytz -c conda-forge --override-channels",
        'python -m ipykernel install --user --name mine --display-name "My Python"',
    ]
    try:
        for line in lines:
            shown = terminal.run(f"{line} >{home}/said 2>&1; echo status $?")
            assert shown.endswith("status 0"), (line, (home / "said").read_text(encoding="utf-8"))
        assert (kernel / "kernel.json").is_file()
        assert terminal.run("echo $CONDA_PREFIX") == str(home / ".conda/envs/mine")
        assert str(kernel) in terminal.run("jupyter kernelspec list")
    finally:
        terminal.close()
    terminal = Terminal(site, site.environ(home, OLD))  # the next session, of another release
    try:
        for line in [
            "source $CONDA_PREFIX/etc/profile.d/conda.sh",
            "conda remove --yes --quiet --name mine --all",
            "jupyter kernelspec uninstall -f mine",
        ]:
            shown = terminal.run(f"{line} >{home}/said 2>&1; echo status $?")
            assert shown.endswith("status 0"), (line, (home / "said").read_text(encoding="utf-8"))
    finally:
        terminal.close()
    assert not kernel.exists()
    assert not (home / ".conda/envs/mine").exists()
