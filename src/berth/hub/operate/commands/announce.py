"""`berth announce TEXT [--from …] [--until …]`, `berth announce --list`, `berth announce --remove ID`."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from berth.hub.operate import client, times
from berth.hub.texts.text import ENGLISH, LANGUAGES

if TYPE_CHECKING:
    import argparse

OTHERS = tuple(code for code in LANGUAGES if code != ENGLISH)


def register(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    client.register(parser)
    parser.add_argument("text", nargs="?", metavar="TEXT", help="one line, in English")
    languages(parser)
    parser.add_argument("--level", choices=("info", "warning"), default="info")
    parser.add_argument("--from", dest="start", metavar="TIME", help=f"{times.HELP}; at once otherwise")
    parser.add_argument("--until", metavar="TIME", help="until it is removed otherwise")
    parser.add_argument("--list", action="store_true", help="show what is or will be announced")
    parser.add_argument("--remove", metavar="ID", help="take an announcement back")
    parser.add_argument("--json", action="store_true", help="answer in JSON")


def languages(parser: argparse.ArgumentParser) -> None:
    """Add an option for the text in each of the other languages."""
    for code in OTHERS:
        parser.add_argument(f"--{code}", metavar="TEXT", help=f"the same in {LANGUAGES[code]}")


def texts(english: str, options: argparse.Namespace) -> dict[str, str]:
    """Return the text by language."""
    given = {code: getattr(options, code) for code in OTHERS}
    return {ENGLISH: english} | {code: words for code, words in given.items() if words is not None}


def moment(text: str | None) -> str | None:
    """Return a time as the API has it. Raises TimeError."""
    return None if text is None else times.parse(text, dt.datetime.now().astimezone()).isoformat()


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0, or 1 after a sentence."""
    if sum((options.text is not None, options.list, options.remove is not None)) != 1:
        return client.complain("announce", client.AskError("Give a text, --list, or --remove ID."))
    try:
        _work(client.of(options), options)
    except (client.AskError, times.TimeError) as error:
        return client.complain("announce", error)
    return 0


def _work(hub: client.Hub, options: argparse.Namespace) -> None:
    if options.remove is not None:
        hub.ask("DELETE", f"announcements/{quote(options.remove, safe='')}")
        return
    if options.list:
        _show(hub.ask("GET", "announcements")["announcements"], options)
        return
    wanted = {
        "text": texts(options.text, options),
        "level": options.level,
        "from": moment(options.start),
        "until": moment(options.until),
    }
    _show([hub.ask("POST", "announcements", wanted)], options)


def _show(found: list[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
        return
    for item in found:
        span = f"{item['from'] or 'now'} to {item['until'] or 'its removal'}"
        sys.stdout.write(f"{item['id']}  {item['level']}  from {span}\n")
        sys.stdout.writelines(f"    {code}  {words}\n" for code, words in item["text"].items())
