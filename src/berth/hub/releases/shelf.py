"""The full lists of packages and the pages made of them: read and rendered in threads, and kept.

A list may be megabytes on a disk that hangs, and its page takes some milliseconds: neither may hold the
hub's loop. Both are made anew only when the file, the index or the day is another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from berth.hub.lookup import Lookup, NoAnswerError
from berth.hub.texts import text
from berth.releases import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from berth.releases.catalogue import Contents, Release

MAX_BYTES: Final = 64 * 1024 * 1024
"""No list of packages is that large; what is would fill the memory."""
LOOK_SECONDS: Final = 3.0
"""How long it is before a file that was replaced is seen."""
KEPT_PAGES: Final = 16


@dataclass
class Shelf:
    """What one hub keeps of the catalogue's pages."""

    _lists: Lookup[Contents] = field(init=False)
    _stamps: dict[str, tuple[tuple[int, ...], Contents]] = field(default_factory=dict)
    _pages: OrderedDict[tuple[Any, ...], tuple[tuple[object, ...], bytes]] = field(
        default_factory=OrderedDict
    )
    """Pages by what they show, the one used last at the end; with what their keys call by identity."""
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Make the threads, which start when they are needed."""
        self._lists = Lookup("contents of releases", self._read, LOOK_SECONDS)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pages of releases")

    async def contents(self, release: Release) -> Contents | None:
        """Return the full list of packages, None where it cannot be read; never waits for long."""
        try:
            return await self._lists.ask(release.contents)
        except NoAnswerError:
            return None

    def _read(self, path: str) -> Contents:
        try:
            status = Path(path).stat()
        except OSError as error:
            raise catalogue.CatalogueError(f"cannot read the list of packages {path}: {error}") from error
        if status.st_size > MAX_BYTES:
            raise catalogue.CatalogueError(f"the list of packages {path} is larger than {MAX_BYTES} bytes")
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._stamps.get(path)
        if known is None or known[0] != stamp:
            known = self._stamps[path] = (stamp, catalogue.load_contents(path))
        return known[1]

    async def page(
        self, make: Callable[[], str], values: tuple[Any, ...], made_of: tuple[object, ...]
    ) -> bytes:
        """Return the page that `make` makes, in the language of the request, as it is sent.

        It is the same page for the same `values`, language and objects that it is made of.
        """
        key = (text.language.get(), *values, *map(id, made_of))
        if key not in self._pages:
            context = copy_context()
            loop = asyncio.get_running_loop()
            page = await loop.run_in_executor(self._pool, context.run, lambda: make().encode())
            self._pages[key] = (made_of, page)
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)
        self._pages.move_to_end(key)
        return self._pages[key][1]
