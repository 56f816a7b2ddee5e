"""Valid requests, to be sent as they are or spoilt in one place."""

from __future__ import annotations

from typing import Any

RESOURCES: dict[str, Any] = {
    "account": "proj_a",
    "reservation": "course",
    "cores": 2,
    "memory_mib": 4000,
    "gpus": 1,
    "gpu_type": "a100",
    "minutes": 90,
}
JOB_NAME = "berth-" + "0123456789abcdef" * 2


def valid(user: str) -> list[dict[str, Any]]:
    return [
        {"verb": "check-password", "user": user, "password": "pass word"},
        {
            "verb": "submit",
            "user": user,
            "job_name": JOB_NAME,
            "layer": "4.6-1",
            "resources": dict(RESOURCES),
            "environment": {"JUPYTERHUB_API_TOKEN": "a secret", "BERTH_PORT_RANGE": "40000-49999"},
        },
        {"verb": "cancel", "user": user, "job_id": 12},
        {"verb": "estimate", "user": user, "resources": dict(RESOURCES)},
        {"verb": "check-account", "user": user},
        {"verb": "extend", "user": user, "job_id": 12, "job_name": JOB_NAME, "minutes": 240},
    ]
