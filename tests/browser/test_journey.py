"""The whole story, in a browser: log in, ask for a GPU, run a notebook, leave, come back, stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.window import window
from tests.lab.cluster import CLUSTER, OPEN_TYPE
from tests.lab.releases import newest_python
from tests.lab.sessions import ended, session_jobs
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LAB_SECONDS = 90.0
CELL_SECONDS = 60.0
CELLS = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell"
NOTEBOOK = "berth-journey.ipynb"
WHERE = """import os, socket
print("node", socket.gethostname(), "with GPU", os.environ["CUDA_VISIBLE_DEVICES"])
remembered = 6 * 7"""
CHOICES = {
    "Slurm reservation": "None",
    "Slurm account": "proj_a",
    "Number of cores": "2",
    "Memory": "1 GiB",
    "GPU configuration": f"1 {OPEN_TYPE} GPU",
    "Time": "30 minutes",
    "User interface": "JupyterLab",
}


def test_from_the_login_to_a_notebook_on_a_gpu_and_back_and_to_the_end(slurm: Slurm, alice: Visitor) -> None:
    try:
        with window() as first:
            fill_in_the_form(first)
            first.see(".jp-Launcher", seconds=LAB_SECONDS)
            (job_id,) = session_jobs(slurm, "alice")
            node = slurm.job(job_id)["NodeList"]
            open_a_notebook(first)
            assert run_cell(first, WHERE) == f"node {node} with GPU 0"
            save_as(first, NOTEBOOK)
            first.picture("notebook")
            change_layout(first, alice)

        assert session_jobs(slurm, "alice") == [job_id], "closing the browser ended the session"
        with window() as second:
            come_back(second)
            assert session_jobs(slurm, "alice") == [job_id]
            assert run_cell(second, "print(remembered)") == "42"
            second.picture("back")
            stop_from_the_file_menu(second)
            until(lambda: slurm.queue("alice") == [], "an empty queue", 30)
            until(lambda: slurm.free_gpus(node) == gpus_of(node), "a free GPU", 30)
            second.picture("stopped")
        assert slurm.accounted(job_id, "State").startswith("CANCELLED")
    finally:
        ended(slurm, alice)
        slurm.login.shell(f"rm -f /home/alice/{NOTEBOOK} /home/alice/Untitled*.ipynb")


def gpus_of(name: str) -> dict[str, int]:
    """The GPUs of a node by type."""
    (node,) = [node for node in CLUSTER if node.name == name]
    return {kind: len(paths) for kind, paths in node.devices.items()}


def fill_in_the_form(browser: Window) -> None:
    """From the bare URL through login and form until Start was pressed."""
    browser.open("/")
    browser.see("#login_submit")
    browser.picture("login")
    browser.log_in("alice")
    browser.see("button", "Start")
    for label, choice in CHOICES.items():
        browser.choose(label, choice)
    browser.whole_picture("form")
    browser.figure("form", whole=True)
    browser.see("button", "Start").click()


def open_a_notebook(browser: Window) -> None:
    """Open a notebook of the release's kernel from the launcher."""
    browser.picture("launcher")
    browser.figure("launcher")
    browser.see('.jp-LauncherCard[data-category="Notebook"]', "Python").click()
    browser.see(".jp-NotebookPanel .jp-Cell .cm-content")
    wait_for_kernel(browser)


def wait_for_kernel(browser: Window) -> None:
    """Wait until the status bar says that the notebook's kernel is there and has nothing to do."""
    browser.see(".jp-StatusBar-TextItem", f"{newest_python()} | Idle", seconds=CELL_SECONDS)


def run_cell(browser: Window, code: str) -> str:
    """Type code into the last cell, run it, and return what it printed."""
    cells = browser.all(CELLS)
    cells[-1].find_element(By.CSS_SELECTOR, ".cm-content").click()
    browser.driver.switch_to.active_element.send_keys(code, Keys.SHIFT, Keys.ENTER)
    browser.until(lambda: len(browser.all(CELLS)) > len(cells), "a new cell below", CELL_SECONDS)
    wait_for_kernel(browser)
    cell = browser.all(CELLS)[len(cells) - 1]

    def printed() -> str:
        return " ".join(item.text for item in cell.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output"))

    return browser.until(printed, "what the cell printed", CELL_SECONDS).strip()


def save_as(browser: Window, name: str) -> None:
    """Save the new notebook; JupyterLab asks once for its name."""
    browser.driver.switch_to.active_element.send_keys(Keys.CONTROL, "s")
    typed = browser.see(".jp-Dialog input")
    typed.send_keys(Keys.CONTROL, "a")
    typed.send_keys(name)
    browser.see(".jp-Dialog button", "Rename").click()
    browser.see(".lm-TabBar-tabLabel", name)


def change_layout(browser: Window, visitor: Visitor) -> None:
    """Hide the sidebar: at such a change JupyterLab stores what is open where. Wait for that."""
    browser.driver.switch_to.active_element.send_keys(Keys.CONTROL, "b")
    visitor.open_session()
    path = f"/user/{visitor.name}/lab/api/workspaces/default"

    def stored() -> bool:
        layout = visitor.http.get(path).json()["data"].get("layout-restorer:data", {})
        return f"notebook:{NOTEBOOK}" in json.dumps(layout)

    until(stored, "a stored layout", CELL_SECONDS)


def come_back(browser: Window) -> None:
    """The bare URL in a new browser: login, and at once the same session with its notebook."""
    browser.open("/")
    browser.log_in("alice")
    browser.see(".jp-NotebookPanel .jp-Cell", seconds=LAB_SECONDS)
    browser.see(".lm-TabBar-tabLabel", NOTEBOOK)
    assert browser.path.startswith("/user/alice/lab")
    wait_for_kernel(browser)


def stop_from_the_file_menu(browser: Window) -> None:
    """File > Hub Control Panel > Stop my server."""
    lab_window = browser.driver.current_window_handle
    browser.see(".lm-MenuBar-itemLabel", "File").click()
    browser.see('.lm-Menu-item[data-command="hub:control-panel"]').click()
    others = until(
        lambda: [name for name in browser.driver.window_handles if name != lab_window],
        "the control panel in a window of its own",
        20,
    )
    browser.driver.switch_to.window(others[0])
    button = browser.see("#stop")
    assert button.text.lower() == "stop my server"
    browser.picture("control-panel")
    browser.figure("home")
    button.click()
    browser.until(lambda: not browser.all("#stop"), "a control panel without Stop", 60)
