from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from berth.session.workbench import dashboards
from berth.session.workbench.dashboards import Gpus

if TYPE_CHECKING:
    from collections.abc import Iterator


class DriverError(Exception):
    """What the driver says."""


class Driver:
    """A driver's library with some GPUs, such as NVML."""

    NVMLError = DriverError
    NVML_DEVICE_MIG_ENABLE = 1
    NVML_ERROR_LIBRARY_NOT_FOUND = 12

    def __init__(self, count: int, *, loaded: bool = True, sliced: bool = False) -> None:
        self.count, self.loaded, self.sliced, self.asked = count, loaded, sliced, 0

    def nvmlInit(self) -> None:  # noqa: N802 - the library's name
        self.asked += 1
        if not self.loaded:
            raise DriverError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, number: int) -> str:  # noqa: N802
        if number >= self.count:
            raise DriverError("Invalid Argument")
        return f"gpu{number}"

    def nvmlDeviceGetHandleByUUID(self, name: str) -> str:  # noqa: N802
        return name

    def nvmlDeviceGetMigMode(self, _handle: str) -> tuple[int, int]:  # noqa: N802
        if self.sliced:
            return (1, 1)
        raise DriverError("Not Supported")


def seen(driver: Driver, visible: str | None) -> Gpus:
    return Gpus(driver, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})


@pytest.mark.parametrize("visible", [None, "", "NoDevFiles", "-1"])
def test_a_session_without_gpus_does_not_ask_the_driver(visible: str | None) -> None:
    driver = Driver(4)
    gpus = seen(driver, visible)
    assert (gpus.handles, gpus.problem, driver.asked) == ([], "", 0)


@pytest.mark.parametrize(
    ("count", "visible", "handles"),
    [
        (2, "0,1", ["gpu0", "gpu1"]),
        (1, "0", ["gpu0"]),
        (1, "3", ["gpu0"]),
        (4, "2,3", ["gpu2", "gpu3"]),
        (4, "GPU-a,GPU-b", ["GPU-a", "GPU-b"]),
    ],
    ids=["both", "one", "confined", "not confined", "by name"],
)
def test_only_the_job_s_own_gpus_are_watched(count: int, visible: str, handles: list[str]) -> None:
    driver = Driver(count)
    gpus = seen(driver, visible)
    assert gpus.handles == handles
    library: Any = SimpleNamespace(NVMLError=DriverError, NVML_ERROR_LIBRARY_NOT_FOUND=12)
    gpus.install(library)
    library.nvmlInit()
    assert library.nvmlDeviceGetCount() == len(handles)
    assert [library.nvmlDeviceGetHandleByIndex(n) for n in range(len(handles))] == handles


@pytest.mark.parametrize(
    ("driver", "visible", "said"),
    [
        (Driver(1, loaded=False), "0", "does not answer (Driver Not Loaded)"),
        (Driver(2), "5", "does not answer (Invalid Argument)"),
        (Driver(2), "all", "does not answer"),
        (Driver(1, sliced=True), "0", "slices of a GPU (MIG)"),
        (Driver(1), "MIG-1", "slices of a GPU (MIG)"),
    ],
)
def test_gpus_that_cannot_be_watched_are_told_in_a_sentence(driver: Driver, visible: str, said: str) -> None:
    gpus = seen(driver, visible)
    assert gpus.handles == []
    assert said in gpus.problem
    assert "there are no GPU dashboards" in gpus.problem
    library: Any = SimpleNamespace(NVMLError=DriverError, NVML_ERROR_LIBRARY_NOT_FOUND=12)
    gpus.install(library)
    with pytest.raises(DriverError):
        library.nvmlInit()


@pytest.fixture
def _fresh() -> Iterator[None]:
    """Modules as a session has them when it starts."""

    def forget() -> None:
        for name in list(sys.modules):
            if name.partition(".")[0] in {"pynvml", dashboards.PACKAGE}:
                del sys.modules[name]

    forget()
    yield
    forget()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("visible", ["", "0"])
def test_without_a_driver_the_machine_s_panels_are_there(visible: str) -> None:
    gpus, add = dashboards.prepare({"CUDA_VISIBLE_DEVICES": visible})
    assert gpus.handles == []
    assert bool(gpus.problem) is bool(visible)
    added: list[str] = []
    app = SimpleNamespace(
        settings={"base_url": "/user/alice/"},
        add_handlers=lambda _host, handlers: added.extend(entry[0] for entry in handlers),
    )
    add(SimpleNamespace(web_app=app, log=SimpleNamespace(info=print)))
    assert added == ["/user/alice/nvdashboard/cpu_resource", "/user/alice/nvdashboard/accelerators/check"]


@pytest.mark.usefixtures("_fresh")
def test_a_driver_that_breaks_while_the_dashboards_load_counts_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import pynvml  # noqa: PLC0415 - the fresh one

    driver = Driver(1)
    for name in ("nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"):
        monkeypatch.setattr(pynvml, name, getattr(driver, name))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetNvLinkVersion", lambda *_: 1 / 0)
    gpus, _ = dashboards.prepare({"CUDA_VISIBLE_DEVICES": "0"})
    assert gpus.handles == []
    assert "division by zero" in gpus.problem
    assert sys.modules[f"{dashboards.PACKAGE}.apps.gpu"].ngpus == 0


@pytest.mark.usefixtures("_fresh")
def test_a_panel_without_figures_is_closed_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    dashboards.prepare({})
    panel = sys.modules[f"{dashboards.PACKAGE}.apps.gpu"].GPUResourceWebSocketHandler
    closed: list[bool] = []
    panel.send_data(SimpleNamespace(close=lambda: closed.append(True)))
    assert closed == [True]
    assert "GPUResourceWebSocketHandler has no figures" in caplog.text
