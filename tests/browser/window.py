"""A headless browser, used as a person would: by labels, texts and keys; and what it shows, as pictures."""

from __future__ import annotations

import base64
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By

from tests.lab.machines import LOGIN, RESULTS, Machine, lab
from tests.lab.waiting import TooLateError, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from selenium.webdriver.remote.webelement import WebElement

_Result = TypeVar("_Result")

SEE_SECONDS = 30.0
WIDTH, HEIGHT = 1280, 860
PICTURES = RESULTS / "browser"
FIGURES = PICTURES / "guide"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",  # else a click may come while the page still scrolls
    f"--window-size={WIDTH},{HEIGHT}",
)
FOREIGN = """
return performance.getEntriesByType("resource").map(entry => new URL(entry.name, location))
    .filter(url => url.host && url.host !== location.host).map(url => url.href);
"""
TWO_FRAMES = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
KEY_DIGEST = """
openssl x509 -in /etc/berth/tls/hub.crt -noout -pubkey |
openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64
"""


class Window:
    """One browser window on the hub."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Use a driver that was just started."""
        self.driver = driver

    def open(self, path: str) -> None:
        """Open a path of the service."""
        self.driver.get(lab().url + path)

    @property
    def path(self) -> str:
        """Where the window is, from the slash on."""
        return self.driver.current_url.removeprefix(lab().url)

    @property
    def text(self) -> str:
        """All text that the page shows."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def all(self, css: str) -> list[WebElement]:
        """Every element that can be seen now."""
        return [found for found in self.driver.find_elements(By.CSS_SELECTOR, css) if shown(found)]

    def see(self, css: str, text: str = "", seconds: float = SEE_SECONDS) -> WebElement:
        """Wait until an element with that text can be seen."""

        def found() -> list[WebElement]:
            self._try_again()
            return [item for item in self.all(css) if text in words(item)]

        return self.until(found, f"{css} {text!r}", seconds)[0]

    def until(self, probe: Callable[[], _Result], what: str, seconds: float = SEE_SECONDS) -> _Result:
        """Wait for something to become true; keep a picture when it does not."""
        try:
            return until(probe, what, seconds)
        except TooLateError as error:
            self.picture("not-seen")
            message = f"{error} at {self.path}, which says: {self.text[:500]}"
            raise TooLateError(message) from error

    def _try_again(self) -> None:
        """Load the page again if containers that came or went on this machine cut it off."""
        broken = self.driver.find_elements(By.CSS_SELECTOR, "body.neterror")
        if broken and "ERR_NETWORK_CHANGED" in words(broken[0]):
            self.driver.refresh()

    def field(self, label: str) -> WebElement:
        """The input or menu that belongs to a visible label."""
        (found,) = [item for item in self.all("label") if item.text.strip().rstrip(":") == label]
        return self.driver.find_element(By.ID, str(found.get_attribute("for")))

    def choose(self, label: str, choice: str) -> None:
        """Choose an entry of a menu by what it says."""
        menu = self.field(label)
        options = [item for item in menu.find_elements(By.TAG_NAME, "option") if item.text == choice]
        assert len(options) == 1, f"{label} offers {menu.text.splitlines()}, not {choice!r}"
        options[0].click()

    def log_in(self, user: str, password: str | None = None) -> None:
        """Fill in the login form and send it; with the user's own password unless another one is given."""
        self.see("#login_submit")
        self.field("Username").clear()
        self.field("Username").send_keys(user)
        self.field("Password").send_keys(password or lab().passwords()[user])
        self.see("#login_submit").click()

    def script(self, source: str, *arguments: Any) -> Any:
        """Run JavaScript in the page and return its value."""
        return self.driver.execute_script(source, *arguments)

    def foreign(self) -> list[str]:
        """What the page has asked of others than the service."""
        found: list[str] = self.script(FOREIGN)
        return found

    def picture(self, name: str) -> None:
        """Keep what the window shows as build/test-results/browser/NAME.png."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def figure(self, name: str, *, whole: bool = False) -> None:
        """Keep what the window shows, or all of the page, for the users' guide (`make screenshots`)."""
        height = self.script("return document.body.scrollHeight") if whole else HEIGHT
        with self.screen(WIDTH, height):
            self._settle()
            options = {"format": "webp", "quality": 80}
            taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        place = FIGURES / f"{name}.webp"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(base64.b64decode(taken))

    def _settle(self) -> None:
        """Let the page draw itself for a screen that has just changed: two frames."""
        self.driver.execute_async_script(TWO_FRAMES)

    def whole_picture(self, name: str) -> None:
        """Keep the whole page, below the window's edge too."""
        size = self.script("return [innerWidth, Math.max(innerHeight, document.body.scrollHeight)]")
        with self.screen(*size):
            self.picture(name)

    def prefer(self, theme: str) -> None:
        """Be a browser whose reader has chosen light or dark for all pages."""
        preference = {"name": "prefers-color-scheme", "value": theme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})

    @contextmanager
    def screen(self, width: int, height: int) -> Iterator[None]:
        """Look through a screen of another size, such as a telephone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def shown(element: WebElement) -> bool:
    """Whether it can be seen; what the page replaced meanwhile cannot."""
    try:
        return element.is_displayed()
    except StaleElementReferenceException:
        return False


def words(element: WebElement) -> str:
    """The text of an element; empty when the page replaced it meanwhile."""
    try:
        return element.text
    except StaleElementReferenceException:
        return ""


@contextmanager
def window(language: str = "en", *, scripts: bool = True) -> Iterator[Window]:
    """Start a browser without any history; it trusts the lab's certificate by its key and no other.

    Its user reads `language`, and may have forbidden scripts.
    """
    digest = Machine(LOGIN).shell(KEY_DIGEST)
    with tempfile.TemporaryDirectory(prefix="berth-browser-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.add_argument(f"--ignore-certificate-errors-spki-list={digest}")
        allowed = {} if scripts else {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", {"intl.accept_languages": language, **allowed})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService("/usr/bin/chromedriver")
        driver = webdriver.Chrome(options, service)
        try:
            yield Window(driver)
        finally:
            driver.quit()
