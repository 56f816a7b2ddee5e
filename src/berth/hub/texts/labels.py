"""The fields of the form: how users know them, and how Slurm does."""

from __future__ import annotations

from typing import Final

from berth.hub.texts.text import say
from berth.slurm.answers import qos

LABELS: Final = {
    "reservation": say("form.label_reservation"),
    "account": say("form.label_account"),
    "cores": say("form.label_cores"),
    "memory": say("form.label_memory"),
    "gpus": say("form.label_gpus"),
    "time": say("form.label_time"),
    "release": say("form.label_release"),
    "interface": say("form.label_interface"),
}
"""The fields in the order of the form."""
RESOURCES: Final = {"cores": qos.CPU, "memory": qos.MEMORY, "gpus": qos.GPU}
"""The fields that ask for a resource which Slurm limits, and its name there."""
