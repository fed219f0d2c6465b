"""Pictures of what there is without a server, to be looked at: python -m tests.web.screenshots_direct OUTDIR

Light and dark, wide and narrow, English, German and mirrored; two people with real agents on a network of their own.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.web.apart import begin, carrier, scan_each_other, village
from tests.web.people import Person, command
from tests.web.screenshots import NARROW, WIDE, Album, set_preferences

LOOKS = {
    "light": (WIDE, {"theme": "light", "language": "en"}),
    "dark": (WIDE, {"theme": "dark", "language": "en"}),
    "narrow": (NARROW, {"theme": "light", "language": "en"}),
    "narrow-dark-de": (NARROW, {"theme": "dark", "language": "de"}),
    "german": (WIDE, {"theme": "light", "language": "de"}),
    "mirrored": (WIDE, {"theme": "light", "language": "ar-XB"}),
}


def _first_start(album: Album, person: Person) -> None:
    for name, size in (("light", WIDE), ("narrow", NARROW)):
        person.page.set_viewport_size(size)
        person.page.get_by_text("without any server").click()
        album.take(person, f"{name}-first-start")
    person.page.set_viewport_size(WIDE)
    person.page.reload()


def _settings(album: Album, alice: Person, look: str) -> None:
    page = alice.page
    page.keyboard.press("Control+,")
    for number, name in ((4, "relays"), (5, "carriers"), (6, "couriers")):
        page.get_by_role("tab").nth(number).click()
        album.take(alice, f"{look}-{name}")
        page.locator(".dialog-body").evaluate("body => body.scrollTo(0, body.scrollHeight)")
        if name != "relays":
            album.take(alice, f"{look}-{name}-end")
    page.keyboard.press("Escape")


def _adding(album: Album, alice: Person, look: str) -> None:
    page = alice.page
    page.keyboard.press("Control+Shift+A")
    page.get_by_role("tab").nth(2).click()
    page.locator(".pick-list button").first.wait_for()
    album.take(alice, f"{look}-nearby")
    page.locator(".stacked .button").click()
    page.locator(".notice").wait_for()
    album.take(alice, f"{look}-shown")
    page.locator(".pick-list button").first.click()
    album.take(alice, f"{look}-nearby-ask")
    page.keyboard.press("Escape")
    page.get_by_role("tab").nth(0).click()
    page.locator(".dialog .button.primary").first.click()
    page.locator(".qr").wait_for()
    album.take(alice, f"{look}-invitation")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def main(folder: Path) -> None:
    album = Album(folder)
    with tempfile.TemporaryDirectory() as temporary, village(Path(temporary)) as place:
        alice = place.window("Alice", *place.host("alice"), browser=place.eyes[0].browser)
        bob = place.window("Bob", *place.host("bob"), browser=place.eyes[1].browser)
        _first_start(album, alice)
        begin(alice)
        begin(bob)
        scan_each_other(place, alice, bob)
        alice.say("We need no server here")
        bob.sees("no server")
        command(alice.profile, "courier", "on")
        command(alice.profile, "carriers", "on", "bluetooth")
        bob.page.get_by_role("button", name="Add a person").first.click()
        bob.page.get_by_role("tab", name="Nearby").click()
        bob.page.get_by_role("button", name="Show myself").click()
        for look, (size, choices) in LOOKS.items():
            alice.page.set_viewport_size(size)
            set_preferences(alice, **choices)
            alice.open("Bob")
            alice.page.locator(".chat-who").click()
            album.take(alice, f"{look}-route")
            alice.page.locator(".chat-who").click() if size is WIDE else alice.page.keyboard.press("Escape")
            _settings(album, alice, look)
            _adding(album, alice, look)
        bob.close()
        bob.settings("Carriers")
        carrier(bob, "Local network").locator(".track").click()
        bob.page.get_by_role("button", name="Turn it off").wait_for()
        album.take(bob, "light-turn-off")
        bob.page.get_by_role("button", name="Turn it off").click()
        bob.close()
        album.take(bob, "light-carriers-off")
        alice.page.set_viewport_size(WIDE)
        set_preferences(alice, theme="light", language="en")
        alice.open("Bob")
        alice.page.get_by_text("Not in reach now").wait_for()
        alice.say("See you on Sunday")
        alice.page.locator(".chat-who").click()
        album.take(alice, "light-apart")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
