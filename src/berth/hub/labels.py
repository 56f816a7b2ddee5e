"""The fields of the form, and how users know them."""

from __future__ import annotations

from typing import Final

from berth.hub.text import say

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
