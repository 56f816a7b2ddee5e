"""VS Code in a session: in its user's hands only, with the release's conda, as long as the session lasts."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.lab.releases import ordered, python_prefix
from tests.lab.sessions import ended, listeners, running
from tests.lab.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.machines import Machine
    from tests.lab.sessions import Session
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

WORKBENCH = ".monaco-workbench .part.editor"
CODE_SECONDS = 90.0
TERMINAL_SECONDS = 60.0
WATCHED_SECONDS = 20.0
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.fixture(scope="module")
def session(slurm: Slurm, alice: Visitor, login: Machine) -> Iterator[Session]:
    """A session of alice's in whose home VS Code was never started."""
    login.run("rm", "-rf", "/home/alice/.local/share/code-server", "/home/alice/seen")
    try:
        with running(slurm, alice, memory="2G") as session:
            yield session
    finally:
        login.run("rm", "-rf", "/home/alice/.local/share/code-server", "/home/alice/seen")


def opened(browser: Window) -> None:
    """Open VS Code as alice."""
    browser.open("/hub/login?next=%2Fuser%2Falice%2Fcode%2F")
    browser.log_in("alice")
    browser.see(WORKBENCH, seconds=CODE_SECONDS)


def servers(node: Machine) -> list[str]:
    """The processes of alice's that serve it."""
    found = node.attempt("pgrep", "-u", "alice", "-f", "code-server/out/node/entry.js")
    return str(found.stdout).split()


def test_it_is_not_started_before_somebody_opens_it(session: Session) -> None:
    assert servers(session.node) == []


def test_its_card_opens_it_in_a_tab_of_its_own(session: Session, browser: Window) -> None:
    browser.open("/hub/login?next=%2Fuser%2Falice%2Flab%3Freset")
    browser.log_in("alice")
    browser.see(".jp-LauncherCard", "Visual Studio Code", CODE_SECONDS).click()
    browser.until(lambda: len(browser.driver.window_handles) == 2, "another tab")
    browser.driver.switch_to.window(browser.driver.window_handles[1])
    browser.see(WORKBENCH, seconds=CODE_SECONDS)
    assert browser.path.startswith("/user/alice/code/")
    browser.picture("code")
    assert servers(session.node)


def test_nobody_else_on_the_node_reaches_it(session: Session, browser: Window) -> None:
    opened(browser)
    node = session.node
    uid = node.run("id", "-u", "alice")
    rows = listeners(node, uid)
    assert [row for row in rows if '"node"' in row] == []
    (socket,) = node.shell("ls /tmp/berth-session-*/code.sock").split()
    assert node.run("stat", "-c", "%a %U", socket) == "600 alice"
    refused = node.attempt("python3", "-c", CONNECT, socket, user="bob")
    assert refused.rc != 0
    assert "Permission denied" in refused.stderr
    assert node.attempt("python3", "-c", CONNECT, socket, user="alice").rc == 0


def test_who_is_not_logged_in_is_sent_to_the_login(session: Session, browser: Window) -> None:
    assert session.job_id
    browser.open("/user/alice/code/")
    browser.see("#login_submit")


def test_its_terminal_has_the_release_s_conda_and_modules(session: Session, browser: Window) -> None:
    opened(browser)
    keys = ActionChains(browser.driver)
    keys.key_down(Keys.CONTROL).send_keys("`").key_up(Keys.CONTROL).perform()
    browser.see(".terminal-wrapper .xterm", seconds=TERMINAL_SECONDS)
    time.sleep(3)  # its shell has no mark by which to see that it is ready
    typed = "echo $CONDA_PREFIX:$(type -t conda):$SHELL > ~/seen.new && mv ~/seen.new ~/seen"
    browser.driver.find_element(By.CSS_SELECTOR, ".xterm-helper-textarea").send_keys(typed, Keys.ENTER)
    node = session.node
    until(lambda: node.attempt("test", "-e", "/home/alice/seen").rc == 0, "a command run", TERMINAL_SECONDS)
    assert node.run("cat", "/home/alice/seen") == f"{ordered()[-1]['conda']}:function:/bin/bash"
    browser.figure("code")


def test_its_settings_are_the_user_s_but_the_release_s_python(session: Session, browser: Window) -> None:
    opened(browser)
    place = "/home/alice/.local/share/code-server"
    machine = json.loads(session.node.run("cat", f"{place}/Machine/settings.json"))
    assert machine["python.defaultInterpreterPath"] == f"{python_prefix(ordered()[-1]['name'])}/bin/python"
    own = json.loads(session.node.run("cat", f"{place}/User/settings.json"))
    assert own["telemetry.telemetryLevel"] == "off"


def test_nothing_leaves_the_cluster_when_it_is_opened(session: Session, browser: Window) -> None:
    opened(browser)
    node, outside = session.node, set()
    uid = node.run("id", "-u", "alice")
    inside = ("127.", "198.18.", "[::1]", "[::ffff:198.18.", "0.0.0.0:*", "[::]:*", "*")
    deadline = time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < deadline:
        for row in node.run("ss", "-H", "-t", "-u", "-a", "-n", "-e").splitlines():
            if f" uid:{uid} " in f"{row} " and not row.split()[5].startswith(inside):
                outside.add(row.split()[5])
        time.sleep(0.5)
    assert outside == set()
    assert browser.foreign() == []


def test_it_ends_with_the_session(session: Session, browser: Window, slurm: Slurm) -> None:
    opened(browser)
    assert servers(session.node)
    ended(slurm, session.visitor)
    until(lambda: servers(session.node) == [], "no process of it", 40)


def test_as_interface_of_the_form_it_opens_at_once(slurm: Slurm, alice: Visitor, browser: Window) -> None:
    try:
        browser.open("/hub/login?next=%2Fhub%2Fspawn")
        browser.log_in("alice")
        browser.choose("User interface", "Visual Studio Code")
        browser.choose("GPU configuration", "No GPU")
        browser.see("button", "Start").click()
        browser.see(WORKBENCH, seconds=CODE_SECONDS)
        assert browser.path.startswith("/user/alice/code/")
    finally:
        ended(slurm, alice)
