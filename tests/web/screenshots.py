"""Pictures of the main views, to be looked at: python -m tests.web.screenshots OUTDIR [groups]

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


def set_preferences(person: Person, **choices: str) -> None:
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


def _things(alice: Person, bob: Person, folder: Path) -> None:
    """A pin, several pictures, something spoken, formatting."""
    from PIL import Image

    hues = ((40, 90), (120, 160), (200, 250))
    for number, (first, last) in enumerate(hues):
        tones = Image.linear_gradient("L").rotate(90 * number)
        picture = Image.merge("RGB", [tones.point(lambda tone, to=to: tone * to // 255) for to in (first, last, 190)])
        picture.resize((1200, 900)).save(folder / f"shore {number}.jpg")
    bob.page.locator("input[type=file]").first.set_input_files([folder / f"shore {number}.jpg" for number in range(3)])
    bob.say("More of the **north shore**; the way back is ||a surprise||")
    alice.sees("north shore")
    bob.page.context.grant_permissions(["microphone"])
    bob.page.get_by_role("button", name="Record a voice note").click()
    bob.page.wait_for_timeout(2_500)
    bob.page.get_by_role("button", name="Send").click()
    alice.page.locator(".voice-note").wait_for()
    alice.menu("Timetable", "Pin for both")
    alice.page.locator(".pin-bar").wait_for()
    alice.page.locator(".album img").last.wait_for()


def _message_dialogs(album: Album, alice: Person) -> None:
    page = alice.page
    alice.menu("Timetable", "Details")
    album.take(alice, "light-details")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Emoji").click()
    page.get_by_role("searchbox", name="Search emoji").fill("sun")
    album.take(alice, "light-emoji")
    page.keyboard.press("Escape")
    page.locator(".picture").last.click()
    album.take(alice, "light-viewer")
    page.keyboard.press("Escape")


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
    for tab in ("Profile", "Notifications", "Relays", "Storage", "Keyboard", "About"):
        page.get_by_role("tab", name=tab).click()
        album.take(alice, f"light-settings-{tab.lower()}")
    alice.close()
    alice.more("Block")
    album.take(alice, "light-block")
    alice.close()
    page.keyboard.press("Control+o")
    page.get_by_role("dialog", name="Profiles").wait_for()
    album.take(alice, "light-profiles")
    alice.close()
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("tab", name="Scan").click()
    page.get_by_text("Hold the other person's code").wait_for()
    album.take(alice, "light-scan")
    alice.close()
    message = page.locator(".message", has_text="good bread").first
    message.hover()
    message.get_by_role("button", name="More").click()
    album.take(alice, "light-menu")
    page.keyboard.press("Escape")


def _introduction_and_floor(album: Album, alice: Person, bob: Person) -> None:
    """Two relays or none, while there is one; and somebody to meet."""
    command(alice.profile, "route", "Bob", "--floor", "federated")
    alice.say("Only for two relays")
    alice.page.locator(".presence", has_text="not private enough").wait_for()
    alice.page.keyboard.press("Control+i")
    alice.page.locator(".panel .notice").scroll_into_view_if_needed()
    album.take(alice, "light-floor")
    alice.page.keyboard.press("Control+i")
    command(alice.profile, "route", "Bob", "--floor", "central")
    bob.sees("Only for two relays")
    command(alice.profile, "introduce", "Noor", "Bob")
    command(alice.profile.with_name("noor"), "sync")
    bob.page.locator(".request", has_text="meet Noor").wait_for()
    album.take(bob, "light-introduction")


def shoot(album: Album, world: Stage) -> None:
    newcomer = world.window("Zoe", *world.host("zoe"), viewport=WIDE)
    newcomer.page.get_by_role("button", name="Start", exact=True).wait_for()
    album.take(newcomer, "first-run")
    (world.folder / "me.jpg").write_bytes(samples.jpeg(newcomer.page))
    newcomer.page.get_by_test_id("picture").set_input_files(world.folder / "me.jpg")
    newcomer.page.get_by_role("slider", name="Nearer").wait_for()
    album.take(newcomer, "first-run-picture")
    newcomer.page.get_by_role("button", name="Use it").click()
    newcomer.page.get_by_role("slider", name="Nearer").wait_for(state="detached")
    newcomer.page.set_viewport_size(NARROW)
    album.take(newcomer, "first-run-narrow")
    alice = world.person("Alice", viewport=WIDE)
    bob = world.person("Bob", viewport=WIDE)
    befriend(alice, bob)
    _talk(alice, bob, world.folder)
    _things(alice, bob, world.folder)
    _others(world, alice)
    for theme in ("light", "dark"):
        set_preferences(alice, theme=theme)
        _views(album, alice, theme)
    set_preferences(alice, theme="light", language="ar-XB")
    _views(album, alice, "mirrored")
    set_preferences(alice, language="de")
    _views(album, alice, "german")
    set_preferences(alice, language="en")
    alice.open("Bob")
    _dialogs(album, alice)
    _message_dialogs(album, alice)
    _introduction_and_floor(album, alice, bob)
    alice.page.set_viewport_size(NARROW)
    album.take(alice, "narrow-chat")
    alice.page.locator(".chat-head").get_by_role("button", name="Back").click()
    album.take(alice, "narrow-list")
    alice.page.locator("button.row").first.click()
    alice.page.get_by_role("button", name="Route and privacy").click()
    alice.page.locator(".panel .hops").wait_for()
    album.take(alice, "narrow-route")
    alice.page.get_by_role("button", name="Close").click()
    alice.settings("Notifications")
    album.take(alice, "narrow-settings")
    alice.close()


def main() -> None:
    from tests.web import screenshots_groups

    album = Album(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        with stage(Path(folder), browser) as world:
            if sys.argv[2:] != ["groups"]:
                shoot(album, world)
            screenshots_groups.shoot(album, world)
        browser.close()


if __name__ == "__main__":
    main()
