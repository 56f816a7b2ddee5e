"""What must be true of every page of ours, however its reader looks at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selenium.webdriver.common.keys import Keys

from berth.hub.texts import text
from tests.browser import axe
from tests.lab.waiting import until

if TYPE_CHECKING:
    from tests.browser.window import Window

NARROW = (360, 780)
THEMES = ("light", "dark")
SWITCH = "#dark-theme-toggle"
ROUNDS = 2
"""How often Tab may go through a page until all of it was seen."""
# Colours on their way from one theme to the other are neither theme's; spinners never end and do not count.
SETTLED = "return document.getAnimations().every(item => !(item instanceof CSSTransition))"
# A table may be scrolled in a region of its own; what is read only aloud has no place on the screen.
OVERFLOW = """
const edge = document.documentElement.clientWidth;
const cut = (item) => item !== document.body && getComputedStyle(item).overflowX !== "visible";
const inside = (item) => item !== null && (cut(item) || inside(item.parentElement));
return [...document.body.querySelectorAll("*")]
    .filter(item => item.checkVisibility({visibilityProperty: true}) && !inside(item.parentElement))
    .filter(item => item.getBoundingClientRect().right > edge + 1 || item.getBoundingClientRect().left < -1)
    .map(item => item.outerHTML.slice(0, 120));
"""
CONTROLS = """
return [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")]
    .filter(item => item.checkVisibility({visibilityProperty: true}))
    .filter(item => !item.disabled && item.type !== "hidden");
"""
FOCUS_SHOWS = """
const style = getComputedStyle(arguments[0]);
return arguments[0].matches(":focus-visible")
    && ((style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none");
"""
PLACE = re.compile(r"\{\w+\}")
AREAS = {key.partition(".")[0] for key in text._catalogue(text.ENGLISH)}
RAW = re.compile(rf"{PLACE.pattern}|\b(?:{'|'.join(sorted(AREAS))})\.[a-z]\w+")
"""A place without its value, or a key instead of its text."""


def switch_theme(browser: Window, theme: str) -> None:
    """Choose light or dark by the page's own switch; a page without one does as the browser prefers."""
    if not browser.all(SWITCH):
        browser.prefer(theme)
        return
    current = "return document.documentElement.getAttribute('data-bs-theme')"
    if browser.script(current) != theme:
        browser.see(SWITCH).click()
    until(lambda: browser.script(current) == theme, f"the {theme} theme", 5)
    until(lambda: browser.script(SETTLED), f"the colours of the {theme} theme", 5)


def look(browser: Window, name: str) -> None:
    """Look at a page as it is, in both themes, wide and on a small telephone."""
    for theme in reversed(THEMES):
        switch_theme(browser, theme)
        assert axe.violations(browser) == []
        browser.whole_picture(f"{name}-{theme}")
    assert RAW.findall(browser.text) == []
    with browser.screen(*NARROW):
        fits(browser)
        assert axe.violations(browser) == []
        browser.whole_picture(f"{name}-narrow")


def fits(browser: Window) -> None:
    """Check that nothing lies beyond the edge of the screen."""
    assert browser.script("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert browser.script(OVERFLOW) == []


def tab_through(browser: Window) -> None:
    """Press Tab through a page: every control has its turn, in the order of the page, and shows its focus."""
    controls = browser.script(CONTROLS)
    visited = []
    for _ in range(ROUNDS * len(controls) + ROUNDS):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.driver.switch_to.active_element
        if element.tag_name == "body":  # Tab went through the window's frame
            continue
        assert browser.script(FOCUS_SHOWS, element), element.get_attribute("outerHTML")
        visited.append(element)
        if len(visited) > len(controls):
            break
    first = visited.index(controls[0])
    assert visited[-1] == visited[0], "Tab does not come back to where it began"
    assert [*visited[first:-1], *visited[:first]] == controls


def english(shown: str) -> list[str]:
    """The lines and cells of a page that say in English what the catalogue has in Italian, too."""
    ours, theirs = _forms(text.ENGLISH), _forms("it")
    both = _words(*ours) & _words(*theirs)
    patterns = [_pattern(form) for form in ours - theirs if not _words(form) <= both]
    italian = [_pattern(form) for form in theirs if not PLACE.search(form) or not _words(form) <= both]
    return [
        line
        for line in map(str.strip, re.split(r"[\n\t]", shown))
        if any(pattern.search(line) for pattern in patterns)
        and not any(pattern.fullmatch(line) for pattern in italian)
    ]


def _words(*forms: str) -> set[str]:
    """The words of texts, without their places. Names, such as GPU, are the same in all languages."""
    return {word for form in forms for word in re.findall(r"[^\W\d_]+", PLACE.sub("", form))}


def _forms(language: str) -> set[str]:
    """The texts of a language that have words of their own, not only places for others."""
    entries = text._catalogue(language).values()
    forms = {form for entry in entries for form in (entry.values() if isinstance(entry, dict) else [entry])}
    return {form for form in forms if re.search("[A-Za-z]{3}", PLACE.sub("", form))}


def _pattern(form: str) -> re.Pattern[str]:
    """Find a text of the catalogue within others; a single word only where it stands alone in its line."""
    found = ".+".join(re.escape(part) for part in PLACE.split(form.strip()))
    return re.compile(found if " " in form.strip() else f"^{found}:?$")
