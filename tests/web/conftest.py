"""A browser for the tests of the web app; all are skipped where there is none, or where the app is not built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roost.apps.web.site import STATIC

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.web.people import Person, Stage


@pytest.fixture(scope="module")  # while it is open no other test of this process may have an event loop
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright", reason="playwright is not installed")
    from playwright.sync_api import sync_playwright

    from tests.web import people

    if people.CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    if not (STATIC / "index.html").exists():
        pytest.skip("the web app is not built (make web)")
    with sync_playwright() as playwright:
        browser = people.launch(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from tests.web import people

    folder: Path = tmp_path_factory.mktemp("web")
    with people.stage(folder, browser) as stage:
        yield stage


@pytest.fixture(scope="module")
def alice_and_bob(stage: Stage) -> tuple[Person, Person]:
    from tests.web import people

    alice, bob = stage.people("Alice", "Bob")
    people.befriend(alice, bob)
    return alice, bob


@pytest.fixture
def friends(alice_and_bob: tuple[Person, Person]) -> tuple[Person, Person]:
    """Alice and Bob, contacts, each with the other's conversation open."""
    alice, bob = alice_and_bob
    for person, other in ((alice, bob), (bob, alice)):
        if not person.page.locator(".composer textarea").is_visible():
            person.open(other.name)
    return alice, bob


@pytest.fixture
def quiet(alice_and_bob: tuple[Person, Person]) -> Iterator[None]:
    """No window complained, and none asked anybody but its own agent."""
    yield
    for person in alice_and_bob:
        assert person.complaints == []
        assert person.foreign == []
