"""Between people, beyond talking: adding and verifying by camera, introductions, blocking, arranging, the floor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web import samples
from tests.web.people import WAIT_S, Person, Stage, command, launch, roost

pytestmark = pytest.mark.timeout(150)
Friends = tuple[Person, Person]
WAIT_MS = WAIT_S * 1000


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees."""
    path = tmp_path_factory.mktemp("camera") / "screen.y4m"
    path.write_bytes(samples.film(["10", "01"]))
    return path


@pytest.fixture(scope="module")
def camera(browser: Browser, film: Path) -> Iterator[Browser]:
    with_camera = launch(browser.browser_type, film)
    yield with_camera
    with_camera.close()


@pytest.fixture(scope="module")
def carol(stage: Stage, alice_and_bob: Friends, camera: Browser, film: Path) -> Iterator[Person]:
    """Carol, who has a camera, and became Alice's contact by scanning her invitation off her screen."""
    alice, _ = alice_and_bob
    alice.page.get_by_role("button", name="Add a person").first.click()
    alice.page.get_by_role("button", name="Make the invitation").click()
    film.write_bytes(samples.film(samples.modules_shown(alice.page)))
    link = alice.page.get_by_test_id("invitation").inner_text()
    alice.close()

    profile = stage.profile("Carol")
    with roost("--profile", str(profile), "--no-browser") as ready:
        carol = stage.window("Carol", profile, ready["url"], browser=camera)
        carol.page.get_by_role("button", name="Add a person").first.click()
        carol.page.get_by_role("tab", name="Scan").click()
        expect(carol.page.get_by_label("Invitation link")).to_have_value(link, timeout=WAIT_MS)
        carol.page.get_by_role("button", name="Ask to become contacts").click()
        alice.page.locator(".request", has_text="Carol").get_by_role("button", name="Accept").click()
        carol.page.locator(".row", has_text="Alice").wait_for()
        carol.open("Alice")
        alice.page.locator(".chat-name", has_text="Carol").wait_for()
        alice.say("hello Carol")
        carol.sees("hello Carol")
        yield carol


def test_scanning_what_is_no_invitation(carol: Person, film: Path) -> None:
    film.write_bytes(samples.film(command_qr("https://example.org/")))
    carol.page.get_by_role("button", name="Add a person").first.click()
    carol.page.get_by_role("tab", name="Scan").click()
    carol.page.get_by_role("alert").filter(has_text="not an invitation").wait_for()
    carol.close()
    assert carol.complaints == []
    assert carol.foreign == []


def command_qr(text: str) -> list[str]:
    import segno

    code = segno.make_qr(text, error="m")
    rows = ["0000" + "".join("1" if cell else "0" for cell in row) + "0000" for row in code.matrix]
    return ["0" * len(rows[0])] * 4 + rows + ["0" * len(rows[0])] * 4


def test_safety_numbers_by_camera(carol: Person, alice_and_bob: Friends, film: Path) -> None:
    """A wrong code warns; the one on the other's screen verifies."""
    alice, bob = alice_and_bob
    bob.open("Alice")
    bob.more("Compare safety numbers")
    film.write_bytes(samples.film(samples.modules_shown(bob.page)))
    bob.close()
    carol.open("Alice")
    carol.more("Compare safety numbers")
    carol.page.get_by_role("button", name="Scan their code").click()
    carol.page.get_by_role("alert").filter(has_text="These numbers differ").wait_for()
    carol.page.get_by_role("button", name="Back").last.click()
    assert carol.page.locator(".chat-name .verified").count() == 0

    alice.open("Carol")
    alice.more("Compare safety numbers")
    film.write_bytes(samples.film(samples.modules_shown(alice.page)))
    alice.close()
    carol.page.get_by_role("button", name="Scan their code").click()
    carol.told("Alice is verified")
    carol.page.locator(".chat-name .verified").wait_for()
    assert command(carol.profile, "contacts")[0]["verified"] is True


def test_a_code_in_a_picture(carol: Person, tmp_path: Path) -> None:
    """Without a camera a picture of the code does."""
    link = "roost:" + "A" * 60
    picture = tmp_path / "code.png"
    picture.write_bytes(samples.picture_of(command_qr(link)))
    carol.page.get_by_role("button", name="Add a person").first.click()
    carol.page.get_by_role("tab", name="Scan").click()
    carol.page.get_by_test_id("qr-picture").set_input_files(picture)
    expect(carol.page.get_by_label("Invitation link")).to_have_value(link, timeout=WAIT_MS)
    carol.close()


def test_rename(friends: Friends) -> None:
    alice, bob = friends
    alice.open("Bob")
    alice.more("Rename")
    field = alice.page.get_by_role("dialog").get_by_label("Name")
    field.fill("Bob from the lake")
    alice.page.keyboard.press("Enter")
    alice.page.locator(".chat-name", has_text="Bob from the lake").wait_for()
    alice.page.locator("button.row", has_text="Bob from the lake").wait_for()
    assert "Bob from the lake" not in bob.page.locator("body").inner_text()
    alice.more("Rename")
    alice.page.get_by_role("dialog").get_by_label("Name").fill("")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator(".chat-name bdi")).to_have_text("Bob", timeout=WAIT_MS)


def _introduce(alice: Person, first: str, second: str) -> None:
    alice.open(first)
    alice.more("Introduce to somebody")
    alice.page.get_by_role("dialog").get_by_role("button", name=second).click()
    alice.told("were told about each other")


def test_introduction_declined_and_followed(alice_and_bob: Friends, carol: Person) -> None:
    alice, bob = alice_and_bob
    _introduce(alice, "Bob", "Carol")
    asked = carol.page.locator(".request", has_text="Alice would like you to meet Bob")
    asked.get_by_role("button", name="No, thanks").click()
    asked.wait_for(state="detached")
    assert bob.page.locator(".request").count() == 0

    _introduce(alice, "Bob", "Carol")
    asked.get_by_role("button", name="Yes, please").click()
    asked.wait_for(state="detached")
    bob.page.locator(".request", has_text="Carol").get_by_role("button", name="Accept").click()
    bob.page.locator(".chat-name", has_text="Carol").wait_for()
    bob.say("Alice says hello")
    carol.open("Bob")
    carol.sees("Alice says hello")
    bob.open("Alice")
    alice.open("Bob")


def test_blocking_asks_first_and_is_taken_back_in_the_settings(friends: Friends) -> None:
    alice, bob = friends
    alice.open("Bob")
    alice.more("Block")
    alice.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert command(alice.profile, "contacts")[0]["state"] == "accepted"
    alice.more("Block")
    alice.page.get_by_role("dialog").get_by_role("button", name="Block").click()
    alice.page.get_by_text("You blocked Bob").wait_for()
    bob.say("do you hear me")
    alice.settings("Privacy")
    blocked = alice.page.get_by_role("list", name="Blocked people")
    blocked.get_by_role("button", name="Unblock").click()
    alice.page.get_by_role("dialog", name="Unblock").get_by_role("button", name="Unblock").click()
    alice.page.get_by_text("Nobody is blocked").wait_for()
    alice.close()
    alice.page.locator(".composer textarea").wait_for()
    alice.say("now I do")
    bob.sees("now I do")
    alice.sees("do you hear me")


def test_pin_mute_and_archive(friends: Friends, carol: Person) -> None:
    alice, bob = friends
    bob.page.keyboard.press("Escape")
    alice.open("Carol")
    alice.more("Pin")
    names = alice.page.locator("button.row .row-name")
    expect(names.first).to_have_text("Carol", timeout=WAIT_MS)
    bob.open("Alice")
    bob.say("I write last")
    alice.page.locator("button.row", has_text="I write last").wait_for()
    expect(names.first).to_have_text("Carol")
    alice.more("Unpin")
    expect(names.first).to_have_text("Bob", timeout=WAIT_MS)

    alice.open("Bob")
    alice.more("Mute")
    alice.page.locator("button.row", has_text="Bob").get_by_title("Muted").wait_for()
    alice.open("Carol")
    bob.say("nobody counts me")
    alice.page.locator("button.row", has_text="Bob").locator(".unread.muted").wait_for()
    assert alice.page.title() == "Roost"
    alice.open("Bob")
    alice.more("Unmute")
    alice.page.locator("button.row", has_text="Bob").get_by_title("Muted").wait_for(state="detached")

    alice.more("Archive")
    expect(names).to_have_text(["Carol"], timeout=WAIT_MS)
    alice.page.get_by_role("button", name="Menu", exact=True).click()
    alice.page.get_by_role("menuitem", name="Archive", exact=True).click()
    expect(names).to_have_text(["Bob"], timeout=WAIT_MS)
    alice.open("Bob")
    alice.more("Bring back from the archive")
    expect(names).to_have_count(2, timeout=WAIT_MS)


def test_export(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    alice.open("Bob")
    alice.say("worth keeping")
    bob.sees("worth keeping")
    alice.more("Export")
    folder = alice.page.get_by_role("dialog").get_by_label("Folder")
    expect(folder).to_have_value(re.compile(r"^/.+Roost-Bob-\d{4}-\d\d-\d\d-\d{4}$"), timeout=WAIT_MS)
    folder.fill(str(tmp_path / "kept"))
    alice.page.get_by_role("dialog").get_by_role("button", name="Export").click()
    alice.told("written to")
    assert "worth keeping" in (tmp_path / "kept" / "messages.jsonl").read_text()


def test_the_floor_of_a_conversation(friends: Friends, stage: Stage) -> None:
    """Two relays or none: what would pass through one waits, visibly, and goes when one relay is allowed again."""
    alice, bob = friends
    page = alice.page
    alice.open("Bob")
    page.get_by_role("button", name="Route and privacy").click()
    panel = page.get_by_role("complementary", name="Route and privacy")
    expect(panel.get_by_role("radio", name="Only through an onion network")).to_be_disabled()
    panel.get_by_text("Add an onion network in the settings first").wait_for()
    panel.get_by_text("Only through two relays").click()
    panel.get_by_text("Messages wait: you and Bob use the same relay").wait_for()
    alice.say("by two relays only")
    page.locator(".presence", has_text="the way is not private enough").wait_for()
    alice.marks("by two relays only", "queued")

    bob.open("Alice")
    bob.page.get_by_role("button", name="Route and privacy").click()
    theirs = bob.page.get_by_role("complementary", name="Route and privacy")
    theirs.get_by_text("Alice asks for a stricter way").wait_for()
    bob.page.keyboard.press("Escape")

    panel.get_by_role("button", name="Choose another relay").click()
    page.get_by_role("tab", name="Relays and networks", selected=True).wait_for()
    alice.close()
    panel.get_by_text("Whatever way there is").click()
    bob.sees("by two relays only")
    panel.get_by_role("button", name="Close").click()
