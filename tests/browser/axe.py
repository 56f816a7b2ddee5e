"""axe-core: what a page would make hard for people who use it with assistive technology."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.lab.machines import ROOT

if TYPE_CHECKING:
    from tests.browser.window import Window

LIBRARY = ROOT / "build/browser/node_modules/axe-core/axe.min.js"
RUN = "const done = arguments[arguments.length - 1]; axe.run(document).then(found => done(found.violations));"


@cache
def _library() -> str:
    assert LIBRARY.exists(), "axe-core is missing: run `make browser`"
    return LIBRARY.read_text(encoding="utf-8")


def violations(window: Window) -> list[str]:
    """A line for each element of the page that breaks one of axe's rules."""
    window.script(_library())
    found: list[dict[str, Any]] = window.driver.execute_async_script(RUN)
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in found
        for node in rule["nodes"]
    ]
