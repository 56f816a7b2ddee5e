"""From the click to the launcher that a user sees, what the first page loads, and how long a cell takes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.wait import WebDriverWait

from tests.bench import floor, page
from tests.bench.hub import FAILURES, Hub, Wish, reason
from tests.bench.stage import USERS, cancel_jobs
from tests.bench.start import FLOOR, check
from tests.bench.waiting import seconds_until
from tests.browser.window import window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from selenium.webdriver import Chrome

TITLE: Final = "From the click to the launcher in a browser"
NOTES: Final = f"""
- click to launcher: as above until the server answers; then a browser without any cache, logged in at the
  hub, opens `/user/NAME/lab?reset`, until a card of the launcher can be seen. {FLOOR}: the same with the
  server's own token.
- requests, MiB: what the browser loaded until nothing came for two seconds, by its own resource timing: as
  transferred, so compressed where the server compresses.
- first cell: from the click on the first kernel's card until the browser shows the result of `1+1`, typed
  once the status bar says that the kernel is idle; each
  with the kernel of its own installation, Berth with one of a release.
- The browser, the lab and all its servers share this machine's cores: much of a time is the browser's own.
"""
USER: Final = USERS[0]
CARD: Final = '.jp-LauncherCard[data-category="Notebook"]'
EDITOR: Final = ".jp-Notebook .jp-InputArea-editor .cm-content"
IDLE: Final = "//*[contains(@class, 'jp-StatusBar-TextItem') and contains(., '| Idle')]"
RESULT: Final = ".jp-OutputArea-executeResult"
LIMIT_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 2.0
KEEP_ALL: Final = "performance.setResourceTimingBufferSize(10000)"
LOADED: Final = """
const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
return [all.length, all.reduce((sum, item) => sum + item.transferSize, 0)];
"""


class Opened(NamedTuple):
    """What one opening gave."""

    launcher: float
    """Seconds."""
    requests: float
    mebibytes: float
    cell: float
    """Seconds."""


@dataclass
class Found:
    """What the rounds gave."""

    opened: list[Opened] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def of(self, name: str) -> list[float]:
        """One figure of all rounds."""
        return [getattr(item, name) for item in self.opened]


def measure(hubs: Sequence[Hub], rounds: int) -> str:
    """Open one session of each once a round, after one round that warms the caches of all servers."""
    timed: dict[str, Callable[[], Opened]] = {FLOOR: _floor}
    timed |= {hub.name: partial(_trial, hub) for hub in hubs}
    found = {name: Found() for name in timed}
    for number in range(rounds + 1):
        for name, trial in timed.items():
            said = _record(trial, found[name] if number else Found())
            print(f"{f'launcher {number}' if number else 'warm-up'}: {name}: {said}", flush=True)
    return report(found, rounds)


def _record(trial: Callable[[], Opened], found: Found) -> str:
    try:
        opened = trial()
    except (*FAILURES, WebDriverException) as error:
        found.failures.append(reason(error))
        return f"failed: {reason(error)}"
    found.opened.append(opened)
    return (
        f"{opened.launcher:.2f} s, {opened.requests:.0f} requests, {opened.mebibytes:.1f} MiB, "
        f"first cell {opened.cell:.2f} s"
    )


def _floor() -> Opened:
    with (
        _browser() as driver,
        httpx.Client(timeout=5, trust_env=False) as client,
        floor.started(USER) as (url, began),
    ):
        seconds_until(client, f"{url}/api", began)
        return _open(driver, f"{url}/lab?reset&token={floor.TOKEN}", began)


def _trial(hub: Hub) -> Opened:
    visitor = hub.visitor(USER)
    try:
        with _browser() as driver, ThreadPoolExecutor(1) as pool:
            for item in visitor.http.cookies.jar:
                cookie = {"name": item.name, "value": item.value, "path": item.path, "secure": item.secure}
                driver.execute_cdp_cmd("Network.setCookie", {**cookie, "url": hub.url})
            began = time.time()
            request = pool.submit(hub.request, USER, Wish())
            with httpx.Client(base_url=hub.url, verify=hub.trust, timeout=5, trust_env=False) as client:
                seconds_until(client, f"/user/{USER}/api", began, lambda: check(request))
            return _open(driver, f"{hub.url}/user/{USER}/lab?reset", began)
    finally:
        hub.stop([USER])
        cancel_jobs()


@contextmanager
def _browser() -> Iterator[Chrome]:
    with window() as opened:
        opened.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": KEEP_ALL})
        try:
            yield opened.driver
        except WebDriverException:
            opened.picture("bench-failed")
            raise


def _open(driver: Chrome, url: str, began: float) -> Opened:
    wait = WebDriverWait(driver, LIMIT_SECONDS, poll_frequency=0.02)
    driver.get(url)
    card = wait.until(expect.visibility_of_element_located((By.CSS_SELECTOR, CARD)))
    launcher = time.time() - began
    requests, size = _settled(driver)
    clicked = time.time()
    card.click()
    # Before the kernel is there, JupyterLab may run nothing and say nothing.
    wait.until(expect.visibility_of_element_located((By.XPATH, IDLE)))
    editor = wait.until(expect.visibility_of_element_located((By.CSS_SELECTOR, EDITOR)))
    editor.send_keys("1+1", Keys.SHIFT, Keys.ENTER)
    wait.until(expect.text_to_be_present_in_element((By.CSS_SELECTOR, RESULT), "2"))
    return Opened(launcher, requests, size / 2**20, time.time() - clicked)


def _settled(driver: Chrome) -> tuple[float, float]:
    """How much was loaded, in requests and bytes, once nothing more comes."""
    limit, before = time.monotonic() + LIMIT_SECONDS, None
    while (loaded := driver.execute_script(LOADED)) != before:
        if time.monotonic() > limit:
            raise TimeoutError("the page does not end to load")
        before = loaded
        time.sleep(QUIET_SECONDS)
    return loaded[0], loaded[1]


def report(found: dict[str, Found], rounds: int) -> str:
    """Make the section of the page."""
    head = (
        *("what", "click to launcher, s", "Berth / it", "requests", "MiB", "Berth / it"),
        *("first cell, s", "Berth / it", "failed"),
    )
    own = found["Berth"]

    def beside(it: Found, name: str) -> str:
        return "" if it is own else page.ratio(own.of(name), it.of(name))

    rows = [
        (
            name,
            *(page.spread(it.of("launcher"), 2), beside(it, "launcher")),
            page.spread(it.of("requests"), 0),
            *(page.spread(it.of("mebibytes"), 1), beside(it, "mebibytes")),
            *(page.spread(it.of("cell"), 2), beside(it, "cell")),
            f"{len(it.failures)} of {rounds}" if it.failures else "0",
        )
        for name, it in found.items()
    ]
    failures = [f"- {name} failed: {text}" for name, it in found.items() for text in sorted(set(it.failures))]
    return page.section(TITLE, rounds, [head, *rows], "\n".join([NOTES.strip(), *failures]))
