"""Everybody can use it: axe-core finds nothing serious; by keyboard alone; narrow, mirrored, in German."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.people import Person

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [pytest.mark.timeout(120)]
Friends = tuple[Person, Person]


def serious(person: Person) -> list[str]:
    """What axe-core calls serious or critical in the window as it is now."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed (make web)")
    session = person.page.context.new_cdp_session(person.page)
    session.send("Page.setBypassCSP", {"enabled": True})
    if not person.page.evaluate("() => 'axe' in window"):
        session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: list[dict[str, Any]] = person.page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{row['id']}: {row['nodes'][0]['html'][:120]} {row['nodes'][0]['failureSummary'][-120:]}"
        for row in found
        if row["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_serious(friends: Friends, theme: str) -> None:
    alice, _ = friends
    page = alice.page
    page.keyboard.press("Control+,")
    page.get_by_role("tab", name="Appearance").click()
    page.get_by_text(theme, exact=True).click()
    problems = {"appearance": serious(alice)}
    for tab in ("Profile", "Privacy", "Notifications", "Relays", "Storage", "Keyboard"):
        page.get_by_role("tab", name=tab).click()
        problems[tab] = serious(alice)
    page.get_by_role("button", name="Close").click()
    problems["chat"] = serious(alice)
    page.get_by_role("button", name="Route and privacy").click()
    problems["route"] = serious(alice)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a person").click()
    problems["add"] = serious(alice)
    page.get_by_role("button", name="Close").click()
    assert "\n".join(f"{name}: {row}" for name, found in problems.items() for row in found) == ""


def test_keyboard_alone(friends: Friends) -> None:
    """From the list to a sent message and its menu without a pointer."""
    alice, bob = friends
    page = alice.page
    page.keyboard.press("Escape")
    page.locator(".welcome").wait_for()
    page.locator("button.row").first.focus()
    page.keyboard.press("Enter")
    page.locator(".composer textarea").wait_for()
    page.wait_for_timeout(200)
    page.keyboard.type("typed by keys")
    page.keyboard.press("Enter")
    bob.sees("typed by keys")
    alice.marks("typed by keys", "sent, .marks.delivered, .marks.read")
    page.keyboard.press("ArrowUp")
    page.locator(".composer-above").wait_for()
    page.keyboard.press("End")
    page.keyboard.type(" alone")
    page.keyboard.press("Enter")
    bob.sees("typed by keys alone")


@pytest.mark.parametrize("mirrored", [False, True])
def test_narrow_windows(friends: Friends, mirrored: bool) -> None:
    """360 pixels: nothing sticks out, list and conversation take turns; mirrored too."""
    alice, _ = friends
    page = alice.page
    page.set_viewport_size({"width": 360, "height": 640})
    page.evaluate("rtl => { document.documentElement.dir = rtl ? 'rtl' : 'ltr'; }", mirrored)
    try:
        alice_fits = "() => document.documentElement.scrollWidth <= 360"
        assert page.evaluate(alice_fits)
        page.get_by_role("button", name="Back").click()
        page.locator("button.row").first.wait_for()
        assert page.evaluate(alice_fits)
        page.locator("button.row").first.click()
        page.get_by_role("button", name="Route and privacy").click()
        assert page.evaluate(alice_fits)
        page.get_by_role("button", name="Close").click()
    finally:
        page.evaluate("() => { document.documentElement.dir = 'ltr'; }")
        page.set_viewport_size({"width": 1180, "height": 780})


def test_in_german(friends: Friends) -> None:
    alice, _ = friends
    page = alice.page
    page.keyboard.press("Control+,")
    page.get_by_role("tab", name="Appearance").click()
    page.get_by_text("Deutsch").click()
    page.get_by_role("heading", name="Einstellungen").wait_for()
    assert page.locator("html").get_attribute("lang") == "de"
    page.get_by_text("English").click()
    page.get_by_role("heading", name="Settings").wait_for()
    page.get_by_role("button", name="Close").click()
