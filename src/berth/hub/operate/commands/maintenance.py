"""`berth maintenance on --until TIME --message TEXT`, `berth maintenance off`, `berth maintenance status`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from berth.hub.operate import client, times
from berth.hub.operate.commands import announce

if TYPE_CHECKING:
    import argparse


def register(parser: argparse.ArgumentParser) -> None:
    """Add the commands."""
    client.register(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    on = commands.add_parser("on", help="let no new sessions start until a time; it ends by itself")
    on.add_argument(
        "--from", dest="start", default="now", metavar="TIME", help=f"{times.HELP}; now otherwise"
    )
    on.add_argument("--until", required=True, metavar="TIME", help="when sessions start again")
    on.add_argument("--message", required=True, metavar="TEXT", help="one line for the users, in English")
    announce.languages(on)
    on.set_defaults(work=_on)
    commands.add_parser("off", help="let sessions start again now").set_defaults(work=_off)
    status = commands.add_parser("status", help="say what is set")
    status.add_argument("--json", action="store_true", help="answer in JSON")
    status.set_defaults(work=_status)


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    try:
        return int(options.work(client.of(options), options))
    except (client.AskError, times.TimeError) as error:
        return client.complain("maintenance", error)


def _on(hub: client.Hub, options: argparse.Namespace) -> int:
    span = {"from": announce.moment(options.start), "until": announce.moment(options.until)}
    hub.ask("PUT", "maintenance", {"text": announce.texts(options.message, options), **span})
    return _say(hub)


def _off(hub: client.Hub, _options: argparse.Namespace) -> int:
    hub.ask("DELETE", "maintenance")
    return _say(hub)


def _status(hub: client.Hub, options: argparse.Namespace) -> int:
    if options.json:
        sys.stdout.write(json.dumps(hub.ask("GET", "maintenance"), ensure_ascii=False, indent=1) + "\n")
        return 0
    return _say(hub)


def _say(hub: client.Hub) -> int:
    answer = hub.ask("GET", "maintenance")
    found = answer["maintenance"]
    if found is None:
        sys.stdout.write("No maintenance: sessions start.\n")
        return 0
    state = "on: no new sessions start" if answer["active"] else "planned: sessions start until it begins"
    sys.stdout.write(f"{state}\n    from {found['from']} until {found['until']}\n")
    sys.stdout.writelines(f"    {code}  {words}\n" for code, words in found["text"].items())
    return 0
