"""Everybody can use it: axe-core finds nothing serious; by keyboard alone; narrow, mirrored, in German."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web import samples
from tests.web.people import Person, Stage

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [pytest.mark.timeout(120)]
Friends = tuple[Person, Person]
ITEMS = ("Compare safety numbers", "Rename", "Introduce to somebody", "Export", "Block", "Disappearing messages")


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
    for tab in ("Profile", "Privacy", "Notifications", "Relays", "Storage", "Keyboard", "About"):
        page.get_by_role("tab", name=tab).click()
        problems[tab] = serious(alice)
    page.get_by_role("button", name="Close").click()
    problems["chat"] = serious(alice)
    page.get_by_role("button", name="Route and privacy").click()
    problems["route"] = serious(alice)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a person").click()
    problems["add"] = serious(alice)
    page.get_by_role("tab", name="Scan").click()
    page.get_by_text("Hold the other person's code").wait_for()
    problems["scan"] = serious(alice)
    page.get_by_role("tab", name="I have a link").click()
    problems["link"] = serious(alice)
    alice.close()
    for item in (
        "Compare safety numbers",
        "Rename",
        "Introduce to somebody",
        "Export",
        "Block",
        "Disappearing messages",
    ):
        alice.more(item)
        problems[item] = serious(alice)
        alice.close()
    page.keyboard.press("Control+o")
    page.get_by_role("dialog", name="Profiles").wait_for()
    problems["profiles"] = serious(alice)
    alice.close()
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


def test_axe_finds_nothing_serious_before_the_messenger(stage: Stage) -> None:
    """The first run, the cutting of a picture, and the locked page."""
    page = (ina := stage.window("Ina", *stage.host("ina"))).page
    page.get_by_role("button", name="Start", exact=True).wait_for()
    problems = {"first run": serious(ina)}
    picture = stage.folder / "ina.png"
    picture.write_bytes(samples.png(400, 300))
    page.get_by_test_id("picture").set_input_files(picture)
    page.get_by_role("slider", name="Nearer").wait_for()
    problems["picture"] = serious(ina)
    page.get_by_role("button", name="Use it").click()
    page.get_by_label("Your name").fill("Ina")
    page.get_by_label("Passphrase", exact=True).last.fill("secret")
    page.get_by_label("Once more").fill("secret")
    page.get_by_label("Link of the relay").fill(stage.relay)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="Add the first person").wait_for()
    problems["nobody yet"] = serious(ina)
    page.keyboard.press("Control+l")
    page.get_by_role("heading", name="Roost is locked").wait_for()
    problems["locked"] = serious(ina)
    assert "\n".join(f"{name}: {row}" for name, found in problems.items() for row in found) == ""


NAMELESS = """() => [...document.querySelectorAll(
    'button, a[href], input:not([hidden]), textarea, [role=button], [role=tab], [role=radio], [tabindex="0"]')]
  .filter(element => element.checkVisibility())
  .filter(element => {
    const labelled = (element.getAttribute('aria-labelledby') ?? '').split(' ').some(id => document.getElementById(id));
    const label = element.labels?.length > 0 || element.closest('label') !== null;
    return !(element.ariaLabel || labelled || label || element.textContent.trim() || element.title);
  }).map(element => element.outerHTML.slice(0, 120))"""


def test_everything_that_can_be_used_has_a_name(friends: Friends) -> None:
    alice, _ = friends
    page = alice.page
    found = page.evaluate(NAMELESS)
    page.get_by_role("button", name="Route and privacy").click()
    page.get_by_role("radiogroup", name="How private must the way be?").wait_for()
    found += page.evaluate(NAMELESS)
    page.keyboard.press("Escape")
    for tab in ("Profile", "Appearance", "Privacy", "Notifications", "Relays", "Storage", "Keyboard", "About"):
        alice.settings(tab)
        found += page.evaluate(NAMELESS)
        alice.close()
    assert found == []


def test_the_floor_is_chosen_by_keys(friends: Friends) -> None:
    """Tab reaches the choice, arrows move in it, what is not available is passed over, and names are read out."""
    alice, _ = friends
    page = alice.page
    page.keyboard.press("Control+i")
    group = page.get_by_role("radiogroup", name="How private must the way be?")
    first, second = group.get_by_role("radio").nth(0), group.get_by_role("radio").nth(1)
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(second).to_be_checked()
    page.keyboard.press("ArrowDown")
    expect(first).to_be_checked()
    page.keyboard.press("Control+i")
    group.wait_for(state="detached")


def test_zoomed_to_200_percent(friends: Friends) -> None:
    """What a window of 1280 × 800 shows at 200 %: half as many pixels, each twice as large. Nothing is cut off."""
    alice, _ = friends
    page = alice.page
    page.set_viewport_size({"width": 640, "height": 400})
    try:
        fits = "() => document.documentElement.scrollWidth <= window.innerWidth"
        page.locator(".composer textarea").wait_for()
        assert page.evaluate(fits)
        for tab in ("Profile", "Notifications", "Storage", "About"):
            alice.settings(tab)
            assert page.evaluate(fits)
            panel = page.get_by_role("tabpanel")
            panel.locator("> :last-child").scroll_into_view_if_needed()
            box = panel.locator("> :last-child").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 641
            alice.close()
        page.keyboard.press("Control+i")
        panel = page.get_by_role("complementary", name="Route and privacy")
        panel.get_by_text("Only through an onion network").scroll_into_view_if_needed()
        expect(panel.get_by_text("Only through an onion network")).to_be_in_viewport()
        page.keyboard.press("Control+i")
        small = page.evaluate(SMALL)
        assert small == []
    finally:
        page.set_viewport_size({"width": 1180, "height": 780})


SMALL = """() => [...document.querySelectorAll('button:not(.foot *)')].filter(element => element.checkVisibility())
  .map(element => [element.getBoundingClientRect(), element])
  .filter(([box]) => box.width > 0 && (box.width < 24 || box.height < 20))
  .map(([box, element]) => `${box.width} × ${box.height} ${element.className} ${element.ariaLabel}`)"""


def test_reduced_motion(friends: Friends) -> None:
    alice, _ = friends
    page = alice.page
    page.emulate_media(reduced_motion="reduce")
    try:
        moving = page.evaluate(MOVING)
        alice.settings("Privacy")
        moving += page.evaluate(MOVING)
        alice.close()
        assert moving == []
    finally:
        page.emulate_media(reduced_motion="no-preference")


MOVING = """() => [...document.querySelectorAll('*')].map(element => [getComputedStyle(element), element])
  .filter(([style]) => style.animationName !== 'none' || !/^(0s(, )?)+$/.test(style.transitionDuration))
  .map(([, element]) => element.className)"""


def test_a_language_from_the_right(friends: Friends) -> None:
    """In letters that run from the right: every view mirrored, nothing sticks out, codes and numbers still from the
    left."""
    alice, bob = friends
    page = alice.page
    _prefer(alice, "language", "ar-XB")
    try:
        page.wait_for_function("() => document.documentElement.dir === 'rtl'")
        assert page.locator("html").get_attribute("lang") == "ar"
        alice.open("Bob")
        alice.say("from left to right")
        bob.sees("from left to right")
        sidebar, main = page.locator(".sidebar").bounding_box(), page.locator(".main").bounding_box()
        assert sidebar is not None
        assert main is not None
        assert sidebar["x"] > main["x"]
        mine = page.locator(".message.mine .bubble", has_text="from left to right").last.bounding_box()
        assert mine is not None
        assert mine["x"] < main["x"] + main["width"] / 2
        for width in (1180, 360):
            page.set_viewport_size({"width": width, "height": 780})
            page.keyboard.press("Control+i")
            page.locator(".panel .hops").wait_for()
            assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
            assert page.evaluate(OUTSIDE) == []
            page.keyboard.press("Control+i")
            page.keyboard.press("Control+,")
            page.get_by_role("dialog").wait_for()
            assert page.evaluate(OUTSIDE) == []
            assert page.locator(".mono").first.evaluate("element => getComputedStyle(element).direction") == "ltr"
            page.keyboard.press("Escape")
            page.get_by_role("dialog").wait_for(state="detached")
        assert serious(alice) == []
    finally:
        page.set_viewport_size({"width": 1180, "height": 780})
        _prefer(alice, "language", "")


OUTSIDE = """() => [...document.querySelectorAll('button, h1, h2, h3, p, dt, dd, label')]
  .filter(element => element.checkVisibility() && !element.closest('[class*=visually-hidden], .tab-list, .history'))
  .map(element => [element.getBoundingClientRect(), element])
  .filter(([box]) => box.width > 0 && (box.left < -1 || box.right > window.innerWidth + 1))
  .map(([box, element]) => `${Math.round(box.left)}..${Math.round(box.right)} ${element.outerHTML.slice(0, 90)}`)"""


def _prefer(person: Person, name: str, value: str) -> None:
    person.page.evaluate(
        """async ([name, value]) => {
          const { token } = JSON.parse(localStorage.getItem("roost.session"));
          await fetch("/v1/set-preference", { method: "POST", body: JSON.stringify({ name, value }),
            headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` } });
        }""",
        [name, value],
    )
    person.page.reload()
    person.page.locator("button.row").first.wait_for()


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
