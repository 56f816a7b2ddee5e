"""The GPU dashboards: the machine for every session, and GPUs only the session's own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.cluster import OPEN_NODE, OPEN_TYPE
from tests.lab.machines import Machine
from tests.lab.notebook import connect
from tests.lab.sessions import running
from tests.lab.waiting import until
from tests.lab_workbench import nvml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.window import Window
    from tests.lab.slurm import Slurm
    from tests.lab.visitor import Visitor

LAB_SECONDS = 90.0
MACHINE = "Machine Resources"
GPUS = [
    "GPU Memory",
    "GPU Utilization",
    "GPU Resources",
    MACHINE,
    "PCIe Throughput",
    *["NVLink Throughput"] * 2,
]
FIGURES_SECONDS = 15.0
NODE = Machine(OPEN_NODE.name)


@pytest.fixture(scope="module", autouse=True)
def _driver(login: Machine) -> Iterator[None]:
    with nvml.driver(login):
        yield


def figures(visitor: Visitor, panel: str) -> dict[str, Any]:
    """What a panel is sent next."""
    socket = connect(visitor, f"/user/{visitor.name}/nvdashboard/{panel}")
    try:
        deadline = time.monotonic() + FIGURES_SECONDS
        while time.monotonic() < deadline:
            socket.settimeout(FIGURES_SECONDS)
            found: dict[str, Any] = json.loads(socket.recv())
            if "status" not in found:
                return found
        pytest.fail(f"{panel} sends no figures")
    finally:
        socket.close()


def panels(browser: Window) -> list[str]:
    """Open the dashboards' list as alice; what it offers."""
    browser.open("/hub/login?next=%2Fuser%2Falice%2Flab%3Freset")
    browser.log_in("alice")
    browser.see(".jp-Launcher", seconds=LAB_SECONDS)
    browser.see(".jp-SideBar.jp-mod-left .lm-TabBar-tab[title='GPU Dashboards']").click()
    browser.see(".gpu-dashboard-button", MACHINE)
    return [item.text.strip() for item in browser.all(".gpu-dashboard-button")]


def test_a_session_without_gpus_has_the_machine_s_panel(
    slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with running(slurm, alice):
        assert panels(browser) == [MACHINE]
        browser.see(".gpu-dashboard-button", MACHINE).click()
        browser.see(".recharts-surface")
        browser.picture("machine-resources")
        assert figures(alice, "cpu_resource")["memory_usage"] > 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_session_with_gpus_sees_its_own_and_how_busy_they_are(
    slurm: Slurm, alice: Visitor, browser: Window, count: int
) -> None:
    nvml.busy(NODE, (77, 1024), (5, 2048))
    with running(slurm, alice, gpus=f"{OPEN_TYPE}:{count}"):
        assert panels(browser) == GPUS
        assert figures(alice, "gpu_utilization") == {"gpu_utilization": [77, 5][:count]}
        nvml.busy(NODE, (64, 1024), (41, 2048))
        assert figures(alice, "gpu_utilization") == {"gpu_utilization": [64, 41][:count]}
        used = figures(alice, "gpu_usage")["memory_usage"]
        assert used == [1024 << 20, 2048 << 20][:count]
        browser.see(".gpu-dashboard-button", "GPU Utilization").click()
        browser.see(".recharts-bar-rectangle")
        browser.figure("dashboards")


def test_a_driver_that_does_not_answer_is_told_and_leaves_the_machine_s_panel(
    slurm: Slurm, alice: Visitor, browser: Window
) -> None:
    with nvml.broken(NODE), running(slurm, alice, gpus=f"{OPEN_TYPE}:1"):
        until(lambda: status(alice)["gpus"] is not None, "dashboards", 30)
        assert "Driver Not Loaded" in status(alice)["gpus"]["problem"]
        assert panels(browser) == [MACHINE]
        browser.picture("driver-away")
        assert figures(alice, "cpu_resource")["memory_usage"] > 0


def status(visitor: Visitor) -> dict[str, Any]:
    """What the session says of itself."""
    answer = visitor.http.get(f"/user/{visitor.name}/berth/api/status").raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
