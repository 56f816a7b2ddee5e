"""The session's orders: read whole or refused by name, and cleaned up for the children."""

from __future__ import annotations

import pytest

from berth.session import assignment
from berth.session.errors import SessionError
from tests.unit.session.standin import JOB_NAME, TOKEN, environment


def orders() -> dict[str, str]:
    return environment("https://login:8444", "/opt/berth/releases/index.json", "/home/alice")


def test_the_orders_are_read() -> None:
    read = assignment.read(orders())
    assert (read.user, read.job_id, read.release) == ("alice", "4711", "2026.11")
    assert read.ports == range(40000, 50000)
    assert f"berth-{read.session}" == JOB_NAME
    assert read.report_url == "https://login:8444/hub/api/berth/session"


def test_the_orders_do_not_print_their_token() -> None:
    read = assignment.read(orders())
    assert read.token == TOKEN
    assert TOKEN not in repr(read)
    assert TOKEN not in str([read])


@pytest.mark.parametrize("name", ["JUPYTERHUB_API_TOKEN", "BERTH_REPORT_URL", "SLURM_JOB_ID", "HOME"])
def test_what_is_missing_is_named(name: str) -> None:
    incomplete = orders()
    del incomplete[name]
    with pytest.raises(SessionError, match=name):
        assignment.read(incomplete)


@pytest.mark.parametrize("text", ["40000", "49999-40000", "0-10", "40000-70000", "a-b", "-1-5", "1-2-3"])
def test_a_range_of_ports_is_two_ports_in_order(text: str) -> None:
    with pytest.raises(SessionError, match="BERTH_PORT_RANGE must be two ports"):
        assignment.read({**orders(), "BERTH_PORT_RANGE": text})


def test_children_keep_devices_and_the_job_s_number_and_lose_the_rest() -> None:
    variables = {
        **orders(),
        "JPY_API_TOKEN": TOKEN,
        "SLURM_CONF": "/etc/slurm/slurm.conf",
        "SLURMD_NODENAME": "gpu1",
        "SRUN_DEBUG": "3",
        "PMIX_RANK": "0",
        "GPU_DEVICE_ORDINAL": "0",
    }
    assignment.scrub(variables)
    assert variables["BERTH_JOB_ID"] == "4711"
    assert variables["CUDA_VISIBLE_DEVICES"] == variables["GPU_DEVICE_ORDINAL"] == "0"
    assert variables["HOME"] == "/home/alice"
    assert TOKEN not in variables.values()
    assert [name for name in variables if name.startswith(("SLURM", "SBATCH", "SRUN", "PMI"))] == []
