"""Pictures of what there is with an onion network, to be looked at: python -m tests.web.screenshots_onion OUTDIR

Light and dark, wide and narrow, English, German and mirrored; two people with real agents on a network of real nodes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.web.onion import become_contacts, begin, network, panel
from tests.web.people import Person, Stage, launch, roost
from tests.web.screenshots import NARROW, WIDE, Album, set_preferences
from tests.web.screenshots_direct import LOOKS


def _first_start(album: Album, place: Stage) -> None:
    zoe = place.window("Zoe", *place.host("zoe"), viewport=WIDE)
    for name, size in (("light", WIDE), ("narrow", NARROW)):
        zoe.page.set_viewport_size(size)
        zoe.page.get_by_text("In an onion network").click()
        field = zoe.page.get_by_label("Link of the onion network")
        field.fill(place.relay[:-2])
        field.scroll_into_view_if_needed()
        album.take(zoe, f"{name}-damaged")
        field.fill(place.relay)
        album.take(zoe, f"{name}-first-start")
    zoe.page.context.close()


def _route(album: Album, alice: Person, look: str) -> None:
    page = alice.page
    page.locator(".chat-who").click()
    page.locator(".stations").first.wait_for()
    album.take(alice, f"{look}-route")
    shown = page.locator(".panel")
    for number in range(1, 4):
        shown.evaluate("(panel, screens) => panel.scrollTo(0, screens * (panel.clientHeight - 60))", number)
        album.take(alice, f"{look}-route-{number}")
    page.keyboard.press("Control+i")


def _settings(album: Album, alice: Person, look: str) -> None:
    alice.page.keyboard.press("Control+,")
    alice.page.get_by_role("tab").nth(4).click()
    alice.page.locator(".lamp.on").first.wait_for()
    album.take(alice, f"{look}-networks")
    alice.page.keyboard.press("Escape")


def _a_relay_too(album: Album, place: Stage, alice: Person, bob: Person) -> None:
    """With a relay beside the network: which way first, leaving the network, and a floor that holds messages back."""
    with roost("relay", "--data", str(place.folder / "relay"), "--listen", "127.0.0.1:0") as relay:
        bob.settings("Relays and networks")
        bob.page.get_by_label("Link of a relay or an onion network").fill(relay["link"])
        bob.page.get_by_role("button", name="Add the relay").click()
        bob.page.get_by_text(relay["listen"]).wait_for()
        bob.close()
        shown = panel(alice)
        shown.get_by_role("radiogroup", name="Which way first?").scroll_into_view_if_needed()
        album.take(alice, "light-which-way")
        shown.get_by_text("Only through an onion network").click()
        bob.settings("Relays and networks")
        row = bob.page.get_by_role("listitem").filter(has_text="Onion network")
        row.get_by_role("button", name="Leave").click()
        album.take(bob, "light-leave")
        bob.page.get_by_role("dialog", name="Leave").get_by_role("button", name="Leave").click()
        row.wait_for(state="detached")
        bob.close()
        shown.locator(".notice").scroll_into_view_if_needed()
        alice.say("Not by a relay")
        album.take(alice, "light-held")


def main(folder: Path) -> None:
    album = Album(folder)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        with network(Path(temporary), browser) as place:
            _first_start(album, place)
            alice, bob = (place.window(name, *place.host(name.lower()), viewport=WIDE) for name in ("Alice", "Bob"))
            for person in (alice, bob):
                begin(person, place.relay)
            become_contacts(alice, bob)
            alice.say("Nobody knows where I am")
            bob.sees("Nobody knows")
            for look, (size, choices) in LOOKS.items():
                alice.page.set_viewport_size(size)
                set_preferences(alice, **choices)
                alice.open("Bob")
                _route(album, alice, look)
                _settings(album, alice, look)
            alice.page.set_viewport_size(WIDE)
            set_preferences(alice, theme="light", language="en")
            alice.open("Bob")
            _a_relay_too(album, place, alice, bob)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
