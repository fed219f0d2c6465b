"""A profile's own matters: first run with a picture, locking, passphrase, relays, space, notifications, several."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web import samples
from tests.web.people import WAIT_S, Person, Stage, command, roost

pytestmark = pytest.mark.timeout(150)
WAIT_MS = WAIT_S * 1000
SECRET = "correct horse"

# Chromium without a window shows no notifications: what would be shown is written down.
NOTIFIED = """
window.shownNotifications = [];
window.Notification = class {
  static permission = "default";
  static async requestPermission() { return (this.permission = "granted"); }
  constructor(title, options) {
    window.shownNotifications.push([title, options.body]);
    window.lastNotification = this;
  }
  close() {}
};
"""


def _choose_picture(page: Page, path: Path) -> None:
    page.get_by_test_id("picture").set_input_files(path)
    page.get_by_role("slider", name="Nearer").wait_for()
    page.get_by_role("slider", name="Nearer").press("End")
    page.get_by_role("img", name="Your picture. The arrow keys move it.").press("ArrowRight")
    page.get_by_role("button", name="Use it").click()
    page.get_by_role("button", name="Use it").wait_for(state="detached")


def _create(page: Page, name: str, relay: str, passphrase: str = "") -> None:
    page.get_by_label("Your name").fill(name)
    if passphrase:
        page.get_by_label("Passphrase", exact=True).last.fill(passphrase)
        page.get_by_label("Once more").fill(passphrase)
    else:
        page.get_by_text("Nothing but my user account").click()
    page.get_by_label("Link of the relay").fill(relay)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="Add the first person").wait_for()


def _unlock(page: Page, passphrase: str) -> None:
    page.get_by_label("Passphrase").fill(passphrase)
    page.get_by_role("button", name="Unlock").click()


@pytest.fixture(scope="module")
def gina(stage: Stage) -> Person:
    """Gina made her profile in the app, with a picture and a passphrase."""
    person = stage.window("Gina", *stage.host("gina"), init=NOTIFIED)
    page = person.page
    started = time.monotonic()
    page.get_by_role("button", name="Start", exact=True).wait_for()
    picture = stage.folder / "gina.jpg"
    picture.write_bytes(samples.jpeg_with_place(page))
    _choose_picture(page, picture)
    page.get_by_role("img", name="Your picture").wait_for()
    _create(page, "Gina", stage.relay, SECRET)
    assert time.monotonic() - started < 60
    return person


@pytest.fixture(scope="module")
def hal(stage: Stage, gina: Person) -> Iterator[Person]:
    """Hal, Gina's contact, with a window of his own."""
    profile = stage.profile("Hal")
    link = command(gina.profile, "invite")[0]["link"]
    with roost("--profile", str(profile), "--no-browser") as ready:
        person = stage.window("Hal", profile, ready["url"])
        command(profile, "add", link)
        gina.page.locator(".request", has_text="Hal").get_by_role("button", name="Accept").click()
        gina.page.locator(".composer textarea").wait_for()
        gina.say("hello Hal")
        person.open("Gina")
        person.sees("hello Hal")
        yield person


def _painted(page: Page, selector: str) -> None:
    """Wait until the picture is there and was drawn."""
    page.wait_for_function("selector => document.querySelector(selector)?.naturalWidth > 0", arg=selector)


def test_the_first_run_keeps_the_picture(gina: Person, hal: Person) -> None:
    _painted(gina.page, ".me img")
    _painted(hal.page, ".row .avatar img")
    size = gina.page.evaluate("() => document.querySelector('.me img').naturalWidth")
    assert size == 320
    assert gina.complaints == []
    assert gina.foreign == []


def test_another_picture_name_and_status(gina: Person, hal: Person, tmp_path: Path) -> None:
    before = gina.page.locator(".me img").get_attribute("src")
    (tmp_path / "new.png").write_bytes(samples.png(900, 500))
    gina.settings("Profile")
    _choose_picture(gina.page, tmp_path / "new.png")
    gina.told("Saved")
    gina.page.get_by_label("Your name").fill("Gina B.")
    gina.page.get_by_label("Status").fill("at the lake")
    gina.page.get_by_role("button", name="Save").click()
    hal.page.locator("button.row .row-name", has_text="Gina B.").wait_for()
    hal.page.locator(".chat-head", has_text="at the lake").wait_for()
    expect(gina.page.locator(".me img")).not_to_have_attribute("src", before or "")
    (tmp_path / "no.jpg").write_bytes(b"this is no picture")
    gina.page.get_by_test_id("picture").set_input_files(tmp_path / "no.jpg")
    gina.page.get_by_role("alert").filter(has_text="not a picture").wait_for()
    gina.page.get_by_role("button", name="Cancel").click()
    gina.page.get_by_label("Your name").fill("Gina")
    gina.page.get_by_role("button", name="Save").click()
    hal.page.locator("button.row .row-name", has_text="Gina B.").wait_for(state="detached")
    gina.close()


def test_notifications_say_as_much_as_was_chosen(gina: Person, hal: Person) -> None:
    page = gina.page
    page.keyboard.press("Escape")
    page.locator(".welcome").wait_for()
    expected = {
        "Say only that something came": ["Roost", "New message"],
        "Show who writes": ["Hal", "New message"],
        "Show the message too": ["Hal", "the secret plan"],
    }
    for choice, shown in expected.items():
        gina.settings("Notifications")
        window = page.get_by_role("radiogroup", name="While a Roost window is open")
        window.get_by_text(choice).click()
        expect(window.get_by_role("radio", name=choice)).to_be_checked()
        gina.close()
        page.evaluate("() => { window.shownNotifications = []; }")
        hal.say("the secret plan")
        page.wait_for_function("() => window.shownNotifications.length > 0")
        assert page.evaluate("() => window.shownNotifications") == [shown]
    page.evaluate("() => window.lastNotification.onclick()")
    page.locator(".chat-name", has_text="Hal").wait_for()
    gina.sees("the secret plan")
    page.keyboard.press("Escape")
    gina.settings("Notifications")
    page.get_by_role("radiogroup", name="While a Roost window is open").get_by_text("Off", exact=True).click()
    closed = page.get_by_role("radiogroup", name="While none is open")
    expect(closed.get_by_role("radio", name="Say only that something came")).to_be_checked()
    gina.close()
    page.evaluate("() => { window.shownNotifications = []; }")
    hal.say("unheard")
    page.locator("button.row", has_text="unheard").wait_for()
    expect(page).to_have_title("(1) Roost", timeout=WAIT_MS)
    assert page.evaluate("() => window.shownNotifications") == []
    gina.open("Hal")
    expect(page).to_have_title("Roost", timeout=WAIT_MS)


def test_a_request_is_told_of_while_nobody_looks(gina: Person, stage: Stage) -> None:
    page = gina.page
    gina.settings("Notifications")
    page.get_by_role("radiogroup", name="While a Roost window is open").get_by_text("Show who writes").click()
    gina.close()
    page.evaluate("() => { window.shownNotifications = []; document.hasFocus = () => false; }")
    jo = stage.profile("Jo")
    command(jo, "add", command(gina.profile, "invite")[0]["link"])
    page.wait_for_function("() => window.shownNotifications.length > 0")
    assert page.evaluate("() => window.shownNotifications") == [["Roost", "Jo asks to become a contact"]]
    page.evaluate("() => { delete document.hasFocus; }")
    page.locator(".request", has_text="Jo").get_by_role("button", name="Decline").click()
    page.locator(".request").wait_for(state="detached")


def test_a_device_that_is_not_linked_yet_and_one_that_was_removed_say_so(hal: Person, stage: Stage) -> None:
    folder = stage.folder / "laptop"
    words = ("--relay", stage.relay, "--name", "laptop", "--no-passphrase")
    code = command(folder, "device", "link", *words)[0]["code"]
    with roost("--profile", str(folder), "--no-browser") as ready:
        laptop = stage.window("Laptop", folder, ready["url"])
        notice = laptop.page.locator(".connection")
        notice.filter(has_text="not part of your account yet").wait_for()
        laptop.complaints.clear()  # Chromium reports what was refused
        device = command(hal.profile, "device", "link", "--confirm", code)[0]["device"]
        notice.wait_for(state="detached")
        laptop.page.locator("button.row", has_text="Gina").wait_for()
        command(hal.profile, "device", "remove", device)
        notice.filter(has_text="This device was removed from your account").wait_for()
        laptop.page.reload()
        notice.filter(has_text="can still be read and exported").wait_for()
        assert laptop.complaints == []
        laptop.page.context.close()


def test_relays(gina: Person, hal: Person, stage: Stage) -> None:
    page = gina.page
    with roost("relay", "--data", str(stage.folder / "second"), "--listen", "127.0.0.1:0") as ready:
        gina.settings("Relays")
        page.get_by_label("Link of a relay or an onion network").fill("no link at all")
        page.get_by_role("button", name="Add the relay").click()
        page.locator(".toast.error").first.wait_for()
        page.get_by_label("Link of a relay or an onion network").fill(ready["link"])
        page.get_by_role("button", name="Add the relay").click()
        row = page.get_by_role("listitem").filter(has_text=ready["listen"])
        row.get_by_text("connected").wait_for()
        row.get_by_role("button", name="Leave").click()
        page.get_by_role("dialog", name="Leave").get_by_role("button", name="Cancel").click()
        assert row.count() == 1
        row.get_by_role("button", name="Leave").click()
        page.get_by_role("dialog", name="Leave").get_by_role("button", name="Leave").click()
        row.wait_for(state="detached")
        gina.close()
    gina.say("still here")
    hal.sees("still here")
    gina.complaints.clear()  # Chromium reports the refused link


def test_space_is_shown_and_made_free(gina: Person, hal: Person, tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"\x01" * 400_000)
    account = command(gina.profile, "whoami")[0]["account"]
    command(hal.profile, "send", account, "a file", "--file", str(tmp_path / "large.bin"), "--wait", "delivered")
    gina.sees("a file")
    page = gina.page
    files = gina.profile / "files"
    page.wait_for_timeout(200)
    gina.settings("Storage")
    row = page.get_by_role("listitem").filter(has_text="Hal")
    row.get_by_text("1 files").wait_for()
    assert sum(path.stat().st_size for path in files.iterdir()) >= 400_000
    row.get_by_role("button", name="Clean up: Hal").click()
    page.get_by_role("menuitem", name="Delete files").click()
    page.get_by_role("dialog", name="Delete files").get_by_role("button", name="Delete files").click()
    gina.told("made free")
    row.get_by_text("0 files").wait_for()
    assert sum(path.stat().st_size for path in files.iterdir()) == 0
    row.get_by_role("button", name="Clean up: Hal").click()
    page.get_by_role("menuitem", name="Delete all messages").click()
    page.get_by_role("dialog", name="Delete all messages").get_by_role("button", name="Delete all messages").click()
    row.get_by_text("0 messages").wait_for()
    gina.close()
    assert page.locator(".history .bubble").count() == 0
    hal.sees("a file")


def test_about(gina: Person) -> None:
    from roost import __version__

    gina.settings("About")
    panel = gina.page.get_by_role("tabpanel")
    panel.get_by_text(f"Version {__version__}").wait_for()
    assert "AGPL-3.0-or-later" in panel.inner_text()
    gina.close()


def test_the_passphrase_is_changed(gina: Person) -> None:
    page = gina.page
    gina.settings("Privacy")
    page.get_by_label("The passphrase so far").fill("wrong")
    page.get_by_label("New passphrase").fill("battery staple")
    page.get_by_role("button", name="Change it").click()
    page.locator(".toast.error").first.wait_for()
    page.get_by_label("The passphrase so far").fill(SECRET)
    page.get_by_role("button", name="Change it").click()
    gina.told("Saved")
    gina.close()
    page.keyboard.press("Control+l")
    page.get_by_role("heading", name="Roost is locked").wait_for()
    _unlock(page, SECRET)
    page.get_by_role("alert").wait_for()
    _unlock(page, "battery staple")
    gina.open("Hal")


def test_it_locks_by_itself(gina: Person) -> None:
    """After five minutes without a sign of anybody; what one does starts them anew."""
    page = gina.page
    gina.settings("Privacy")
    page.get_by_role("radiogroup", name="Lock by itself after").get_by_text("5 minutes", exact=True).click()
    gina.close()
    page.clock.install()
    page.reload()
    gina.open("Hal")
    page.clock.fast_forward("04:00")
    page.keyboard.press("Shift")
    page.clock.fast_forward("04:00")
    assert page.get_by_role("heading", name="Roost is locked").count() == 0
    page.clock.fast_forward("02:00")
    page.get_by_role("heading", name="Roost is locked").wait_for()
    page.clock.resume()
    _unlock(page, "battery staple")
    gina.open("Hal")
    gina.settings("Privacy")
    page.get_by_role("radiogroup", name="Lock by itself after").get_by_text("never").click()
    gina.close()


def test_the_connection_is_told_as_it_is(stage: Stage, hal: Person) -> None:
    """A relay that is away, what waits for it on both sides, its coming back, and an agent that ended."""
    folder, profile = stage.folder / "ivys-relay", stage.folder / "ivy"
    with contextlib.ExitStack() as relay:
        ready = relay.enter_context(roost("relay", "--data", str(folder), "--listen", "127.0.0.1:0"))
        command(profile, "init", "--name", "Ivy", "--relay", ready["link"], "--no-passphrase")
        command(hal.profile, "add", command(profile, "invite")[0]["link"])
        command(profile, "accept", command(profile, "requests")[0]["id"])
        with roost("--profile", str(profile), "--no-browser") as app:
            ivy = stage.window("Ivy", profile, app["url"])
            bar = ivy.page.locator(".connection")
            ivy.open("Hal")
            hal.open("Ivy")
            ivy.say("all is well")
            hal.sees("all is well")
            assert bar.count() == 0
            relay.close()
            bar.filter(has_text=f"No connection to {ready['listen']}").wait_for()
            ivy.say("waits here")
            bar.filter(has_text="1 message waits").wait_for()
            ivy.page.locator(".presence", has_text="1 message waits for a connection").wait_for()
            hal.say("waits there")
            hal.page.locator(".presence", has_text="1 message waits for Ivy's relay").wait_for()
            with roost("relay", "--data", str(folder), "--listen", ready["listen"]):
                bar.wait_for(state="detached", timeout=2 * WAIT_MS)  # a pause between attempts may be over only then
                hal.sees("waits here")
                ivy.sees("waits there")
                command(profile, "relays", "add", stage.relay)
            bar.filter(has_text=f"No connection to {ready['listen']}").wait_for()  # also while another one is there
            states = command(profile, "status")[0]["relays"]
            assert sorted(row["reachable"] for row in states) == [False, True]
        bar.filter(has_text="Roost is not running").wait_for()


def test_profiles_side_by_side(gina: Person, hal: Person, stage: Stage) -> None:
    """A second profile beside the first: made, gone to and fro, messages arriving in both, this one locked."""
    page = gina.page
    first = page.url.split("#")[0]
    page.keyboard.press("Control+o")
    switcher = page.get_by_role("dialog", name="Profiles")
    switcher.get_by_role("button", name="Another profile").click()
    page.get_by_role("heading", name="Welcome to Roost").wait_for()
    assert page.url != first
    page.get_by_role("button", name="Other profiles").wait_for()
    _create(page, "Gina at work", stage.relay)
    assert command(gina.profile.with_name("gina-2"), "whoami")[0]["name"] == "Gina at work"

    hal.open("Gina")
    hal.say("for the first profile")
    page.get_by_role("button", name="Profiles: you are Gina at work").click()
    other = switcher.get_by_role("button").filter(has_text="Open").filter(has_text="unread")
    other.wait_for()
    other.click()
    gina.open("Hal")
    gina.sees("for the first profile")
    assert page.url.split("#")[0] == first

    page.keyboard.press("Control+o")
    switcher.get_by_role("button", name="Lock this one").click()
    page.get_by_role("heading", name="Roost is locked").wait_for()
    page.get_by_role("button", name="Other profiles").click()
    switcher.get_by_role("button").filter(has_text="Gina at work").click()
    page.get_by_role("heading", name="Add the first person").wait_for()
    page.keyboard.press("Control+o")
    switcher.get_by_role("button").filter(has_text="Locked").click()
    _unlock(page, "battery staple")
    gina.open("Hal")
    assert gina.foreign == [] or all(url.startswith("http://127.0.0.1:") for url in gina.foreign)
