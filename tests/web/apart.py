"""People with devices and no relay, on a network of the test's own: for the tests and the screenshots."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Locator, sync_playwright

from tests.network.direct.one_network import alone
from tests.web import samples
from tests.web.people import Person, Stage, launch


@dataclass
class Eyes:
    """A browser whose camera sees a film."""

    browser: Browser
    film: Path

    def see(self, other: Person) -> None:
        """The code on somebody's screen."""
        self.film.write_bytes(samples.film(samples.modules_shown(other.page)))


class Village(Stage):
    """Nobody runs a relay here."""

    def __init__(self, folder: Path, chromium: BrowserType, stack: contextlib.ExitStack) -> None:
        eyes = [self._eyes(folder, chromium, number, stack) for number in range(2)]
        super().__init__(folder, eyes[0].browser, "", stack)
        self.eyes = eyes

    @staticmethod
    def _eyes(folder: Path, chromium: BrowserType, number: int, stack: contextlib.ExitStack) -> Eyes:
        film = folder / f"seen-{number}.y4m"
        film.write_bytes(samples.film(["10", "01"]))
        browser = launch(chromium, film)
        stack.callback(browser.close)
        return Eyes(browser, film)


@contextlib.contextmanager
def village(folder: Path) -> Iterator[Village]:
    """A network on which nobody else is, with two browsers. Skips where there can be none."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone())
        playwright = stack.enter_context(sync_playwright())
        yield Village(folder, playwright.chromium, stack)


def begin(person: Person, relay: str = "") -> None:
    """The first start, on the local network alone; without any relay, or with one at home."""
    page = person.page
    page.get_by_label("Your name").fill(person.name)
    page.get_by_text("Nothing but my user account").click()
    if relay:
        page.get_by_label("Link of the relay").fill(relay)
        page.get_by_text("This relay stands at somebody's home").wait_for()
    else:
        page.get_by_text("without any server").click()
    page.get_by_role("group", name="How may devices meet?").get_by_text("Tor", exact=True).click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="Add the first person").wait_for()


def scan_each_other(village: Village, first: Person, second: Person) -> None:
    """Two people in one place become contacts."""
    for person in (first, second):
        person.page.get_by_role("button", name="Add a person").first.click()
        person.page.get_by_role("button", name="Make the invitation").click()
    village.eyes[0].see(second)
    village.eyes[1].see(first)
    first.page.get_by_role("button", name="Scan theirs").click()
    first.page.get_by_text("Now let them scan your code").wait_for()
    second.page.get_by_role("button", name="Scan theirs").click()
    for person, other in ((first, second), (second, first)):
        person.page.get_by_role("dialog").wait_for(state="detached")
        person.page.locator(".chat-name", has_text=other.name).wait_for()


def carrier(person: Person, name: str) -> Locator:
    """A carrier's card in the settings."""
    return person.page.get_by_role("region", name=name, exact=True)


def presence(person: Person) -> Locator:
    """What stands below the name of whom one talks with."""
    return person.page.locator(".presence")
