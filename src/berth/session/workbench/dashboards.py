"""NVIDIA's dashboards (jupyterlab-nvdashboard): the machine for every session, GPUs only its own.

Upstream shows every GPU that the driver names, and loses the machine's panels, too, where the driver's
library is there and does not work. Here the library is asked first, once; what it cannot answer counts as no
GPU, with a sentence.
"""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOG: Final = logging.getLogger(__name__)
PACKAGE: Final = "jupyterlab_nvdashboard"
_NONE: Final = frozenset({"", "NoDevFiles", "-1", "void"})
"""What stands in CUDA_VISIBLE_DEVICES where there are none."""

_SLICED: Final = (
    "This session has slices of a GPU (MIG), of which the driver does not tell how busy they are: "
    "there are no GPU dashboards."
)
_SILENT: Final = "The GPU driver of this node does not answer ({}): there are no GPU dashboards."


class Gpus:
    """The GPUs of this session that can be watched: handles of NVML, or a sentence why there are none."""

    def __init__(self, nvml: Any, environ: Mapping[str, str]) -> None:  # noqa: ANN401 - an untyped module
        """Ask the driver's library, if the session has GPUs."""
        self.handles: list[Any] = []
        self.problem = ""
        wanted = environ.get("CUDA_VISIBLE_DEVICES", "")
        if wanted in _NONE:
            return
        try:
            nvml.nvmlInit()
            self.handles = _handles(nvml, wanted.split(","))
            if any(_sliced(nvml, handle) for handle in self.handles) or wanted.startswith("MIG-"):
                self.handles = []
                self.problem = _SLICED
        except (nvml.NVMLError, IndexError, ValueError) as error:
            self.handles = []
            self.problem = _SILENT.format(error)

    def install(self, nvml: Any) -> None:  # noqa: ANN401 - an untyped module
        """Have the dashboards see these GPUs and no others; with none, a missing library, which they know."""

        def missing() -> None:
            raise nvml.NVMLError(nvml.NVML_ERROR_LIBRARY_NOT_FOUND)

        nvml.nvmlInit = (lambda: None) if self.handles else missing
        nvml.nvmlDeviceGetCount = lambda: len(self.handles)
        nvml.nvmlDeviceGetHandleByIndex = self.handles.__getitem__


def _handles(nvml: Any, visible: list[str]) -> list[Any]:  # noqa: ANN401 - an untyped module
    """Give the handles of the devices that are visible.

    Where Slurm confines devices, the driver names only the job's, and the numbers count from 0 among them.
    """
    if visible[0].startswith(("GPU-", "MIG-")):
        return [nvml.nvmlDeviceGetHandleByUUID(name) for name in visible]
    count = nvml.nvmlDeviceGetCount()
    numbers = range(count) if count == len(visible) else [int(number) for number in visible]
    return [nvml.nvmlDeviceGetHandleByIndex(number) for number in numbers]


def _sliced(nvml: Any, handle: Any) -> bool:  # noqa: ANN401 - an untyped module
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:  # a GPU that cannot be sliced
        return False
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def prepare(environ: Mapping[str, str]) -> tuple[Gpus, Callable[[Any], None]]:
    """Import the dashboards; give the GPUs that they show, and what adds their handlers to a server.

    Takes some tenths of a second: for a thread. If the import fails for something that the driver says, it is
    repeated without GPUs.
    """
    nvml = importlib.import_module("pynvml")
    gpus = Gpus(nvml, environ)
    try:
        gpus.install(nvml)
        module = importlib.import_module(PACKAGE)
    except Exception as error:  # noqa: BLE001 - whatever a driver makes of it: the machine's panels stay
        _LOG.warning("the GPU dashboards cannot be shown: %s", error)
        gpus.handles = []
        gpus.problem = _SILENT.format(error)
        gpus.install(nvml)
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        module = importlib.import_module(PACKAGE)
    _guard(importlib.import_module(f"{PACKAGE}.apps"))
    add: Callable[[Any], None] = module._load_jupyter_server_extension  # noqa: SLF001 - Jupyter's own name
    return gpus, add


def _guard(apps: Any) -> None:  # noqa: ANN401 - an untyped module
    """Have a panel whose figures cannot be had closed with one line in the log, not one a second."""
    for module in (apps.cpu, apps.gpu):
        for name, handler in vars(module).items():
            if name.endswith("WebSocketHandler") and "send_data" in vars(handler):
                handler.send_data = _guarded(name, handler.send_data)


def _guarded(name: str, send: Callable[[Any], None]) -> Callable[[Any], None]:
    def send_data(self: Any) -> None:  # noqa: ANN401 - a handler of theirs
        try:
            send(self)
        except Exception as error:  # noqa: BLE001 - whatever a driver says of one figure
            _LOG.warning("%s has no figures: %s", name, error)
            self.close()

    return send_data
