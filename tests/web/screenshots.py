"""Pictures of the main views, to be looked at: python -m tests.web.screenshots OUTDIR

Light and dark, wide and narrow, English, German and mirrored; two people with real agents at a real relay.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.web import samples
from tests.web.people import Person, Stage, befriend, command, launch, stage

NARROW = {"width": 390, "height": 780}
WIDE = {"width": 1280, "height": 820}
TALK = (
    (1, "Are you still up for the lake on Saturday? ☀️"),
    (0, "Yes! Train at *9:12*, or is that too early?"),
    (1, "Perfect. I'll bring the **good** bread"),
    (0, "> the good bread\nNow you have to. Timetable: https://trains.example/lake"),
    (1, "🎉"),
)


def _talk(alice: Person, bob: Person, folder: Path) -> None:
    for who, text in TALK:
        speaker, listener = (bob, alice) if who else (alice, bob)
        speaker.say(text)
        listener.sees(text.split("\n")[-1].replace("*", "")[-12:])
    (folder / "lake.jpg").write_bytes(samples.jpeg(bob.page))
    bob.page.locator("input[type=file]").first.set_input_files(folder / "lake.jpg")
    bob.say("Last year, remember?")
    alice.sees("Last year")
    alice.page.locator(".picture img").wait_for()
    alice.menu("Last year", "Reply")
    alice.say("How could I forget. Bring a towel this time 😄")
    bob.sees("towel")
    message = bob.page.locator(".message", has_text="towel").last
    message.hover()
    message.get_by_role("button", name="React").click()
    bob.page.get_by_role("button", name="😂").click()
    alice.page.locator(".reaction").wait_for()


def _others(world: Stage, alice: Person) -> None:
    """More people in the list, and one who asks."""
    for name, text in (("Grandma", "Call me when you have time, dear"), ("Noor", "Sent you the notes"), ("Jonas", "")):
        profile = world.profile(name)
        link = command(alice.profile, "invite")[0]["link"]
        command(profile, "add", link, "--greeting", "We met at the library. It is Jonas from the chess club!")
        alice.page.locator(".request", has_text=name).wait_for()
        if text:
            alice.page.locator(".request", has_text=name).get_by_role("button", name="Accept").click()
            alice.page.locator(".chat-name", has_text=name).wait_for()
            command(profile, "send", command(alice.profile, "whoami")[0]["account"], text, "--wait", "delivered")
            alice.page.locator(".row", has_text=text[:12]).wait_for()
    alice.open("Noor")
    alice.page.locator(".composer textarea").fill("Thank you! I will read them")
    alice.open("Bob")


def _set(person: Person, **choices: str) -> None:
    """Preferences, as the settings would set them."""
    endpoint = person.profile / "agent.json"
    assert endpoint.exists()
    person.page.evaluate(
        """async choices => {
          const { token } = JSON.parse(localStorage.getItem("roost.session"));
          for (const [name, value] of Object.entries(choices)) {
            await fetch("/v1/set-preference", { method: "POST", body: JSON.stringify({ name, value }),
              headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` } });
          }
        }""",
        choices,
    )
    person.page.reload()
    person.page.locator("button.row").first.wait_for()


class Album:
    """Where the pictures go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, person: Person, name: str) -> None:
        person.page.mouse.move(0, 0)
        person.page.wait_for_timeout(500)
        person.page.screenshot(path=self._folder / f"{name}.png")
        print(self._folder / f"{name}.png", flush=True)


def _views(album: Album, alice: Person, look: str) -> None:
    page = alice.page
    alice.open("Bob")
    album.take(alice, f"{look}-chat")
    page.locator(".chat-who").click()
    album.take(alice, f"{look}-route")
    page.locator(".chat-who").click()


def _dialogs(album: Album, alice: Person) -> None:
    page = alice.page
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("button", name="Make the invitation").click()
    page.locator(".link-box").wait_for()
    album.take(alice, "light-invite")
    page.get_by_role("button", name="Close").click()
    alice.more("Compare safety numbers")
    album.take(alice, "light-verify")
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("Control+,")
    page.get_by_role("tab", name="Privacy").click()
    album.take(alice, "light-settings")
    page.get_by_role("button", name="Close").click()
    message = page.locator(".message", has_text="good bread").first
    message.hover()
    message.get_by_role("button", name="More").click()
    album.take(alice, "light-menu")
    page.keyboard.press("Escape")


def shoot(album: Album, world: Stage) -> None:
    newcomer = world.window("Zoe", *world.host("zoe"), viewport=WIDE)
    newcomer.page.get_by_role("button", name="Start", exact=True).wait_for()
    album.take(newcomer, "first-run")
    alice = world.person("Alice", viewport=WIDE)
    bob = world.person("Bob", viewport=WIDE)
    befriend(alice, bob)
    _talk(alice, bob, world.folder)
    _others(world, alice)
    for theme in ("light", "dark"):
        _set(alice, theme=theme)
        _views(album, alice, theme)
    _set(alice, theme="light", direction="rtl")
    _views(album, alice, "mirrored")
    _set(alice, direction="auto", language="de")
    _views(album, alice, "german")
    _set(alice, language="en")
    alice.open("Bob")
    _dialogs(album, alice)
    alice.page.set_viewport_size(NARROW)
    album.take(alice, "narrow-chat")
    alice.page.locator(".chat-head").get_by_role("button", name="Back").click()
    album.take(alice, "narrow-list")


def main() -> None:
    album = Album(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        with stage(Path(folder), browser) as world:
            shoot(album, world)
        browser.close()


if __name__ == "__main__":
    main()
