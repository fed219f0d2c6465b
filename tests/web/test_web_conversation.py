"""Two people in two browsers: writing, receipts, changing, finding, files. Everything real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web import samples
from tests.web.people import WAIT_S, Person, command

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.timeout(120)]
Friends = tuple[Person, Person]


def test_a_message_is_seen_and_marked_read(friends: Friends) -> None:
    alice, bob = friends
    alice.say("good morning")
    bob.sees("good morning")
    alice.marks("good morning", "read")
    bob.say("and to you")
    alice.sees("and to you")


def test_formatting_is_shown_and_html_is_text(friends: Friends) -> None:
    alice, bob = friends
    alice.say("**bold** *soft* `code` ~~gone~~ ||secret|| <b>plain</b> https://example.org/a_b.")
    bob.sees("plain")
    bubble = bob.page.locator(".bubble", has_text="plain").last
    assert bubble.locator("strong").inner_text() == "bold"
    assert bubble.locator("em").inner_text() == "soft"
    assert bubble.locator("a").get_attribute("href") == "https://example.org/a_b"
    assert bubble.locator("a").get_attribute("rel") == "noopener noreferrer nofollow"
    assert "<b>plain</b>" in bubble.inner_text()
    bubble.get_by_role("button", name="Hidden text").click()
    assert bubble.locator(".spoiler.open").inner_text() == "secret"


def test_reply_react_edit_and_delete(friends: Friends) -> None:
    alice, bob = friends
    alice.say("shall we meet")
    bob.sees("shall we meet")
    bob.menu("shall we meet", "Reply")
    bob.say("at noon")
    alice.sees("at noon")
    assert "shall we meet" in alice.page.locator(".bubble", has_text="at noon").last.locator(".quote").inner_text()

    message = alice.page.locator(".message", has_text="at noon").last
    message.hover()
    message.get_by_role("button", name="React").click()
    alice.page.get_by_role("button", name="🎉").click()
    bob.page.locator(".message", has_text="at noon").last.locator(".reaction").wait_for()

    bob.menu("at noon", "Edit")
    bob.say("at one")
    alice.sees("at one")
    alice.page.locator(".bubble", has_text="at one").last.get_by_text("edited").wait_for()

    bob.menu("at one", "Delete")
    bob.page.get_by_role("button", name="Delete for everyone").click()
    alice.page.locator(".bubble", has_text="Deleted message").last.wait_for()


def test_typing_is_shown(friends: Friends) -> None:
    alice, bob = friends
    alice.page.locator(".composer textarea").press_sequentially("hm")
    bob.page.locator(".chat-head", has_text="writes…").wait_for()
    alice.page.locator(".composer textarea").fill("")


def test_a_draft_is_kept(friends: Friends) -> None:
    alice, _ = friends
    alice.page.locator(".composer textarea").fill("not yet said")
    alice.page.locator(".row", has_text="not yet said").wait_for()
    alice.page.reload()
    alice.open("Bob")
    assert alice.page.locator(".composer textarea").input_value() == "not yet said"
    alice.page.locator(".composer textarea").fill("")
    alice.page.locator(".row", has_text="not yet said").wait_for(state="detached")


def test_files_arrive_and_pictures_are_shown_without_what_the_camera_wrote(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    picture = tmp_path / "beach.jpg"
    picture.write_bytes(samples.jpeg_with_place(alice.page))
    (tmp_path / "notes.txt").write_text("plain text")
    alice.page.locator("input[type=file]").first.set_input_files([picture, tmp_path / "notes.txt"])
    alice.say("two files")
    bob.sees("two files")
    bubble = bob.page.locator(".bubble", has_text="two files").last
    bubble.locator(".picture img").wait_for()
    bubble.locator(".picture").click()
    bob.page.locator(".viewer img").wait_for()
    bob.page.keyboard.press("Escape")
    bob.page.locator(".viewer").wait_for(state="detached")
    with bob.page.expect_download() as download:
        bubble.locator(".file", has_text="notes.txt").click()
    assert Path(download.value.path()).read_text() == "plain text"
    (sent,) = [row for row in command(bob.profile, "read", "Alice", "--limit", "50") if row["text"] == "two files"]
    command(bob.profile, "save", sent["id"], "--to", str(tmp_path / "got.jpg"))
    got = (tmp_path / "got.jpg").read_bytes()
    assert b"Exif" in picture.read_bytes()
    assert b"Exif" not in got
    assert b"SECRETPLACE" not in got


def test_search_finds_and_goes_there(friends: Friends) -> None:
    alice, bob = friends
    alice.say("the needle is here")
    bob.sees("the needle")
    bob.page.keyboard.press("Control+k")
    bob.page.keyboard.type("needle")
    bob.page.locator(".row.hit", has_text="needle").first.click()
    bob.page.locator(".message.flash", has_text="needle").wait_for()
    bob.page.get_by_role("searchbox", name="Search", exact=True).fill("")
    bob.more("Search in this conversation")
    bob.page.get_by_role("searchbox", name="Search in this conversation").fill("needle")
    bob.page.locator("mark", has_text="needle").wait_for()
    bob.page.keyboard.press("Escape")


def test_the_title_counts_what_is_unread(friends: Friends) -> None:
    alice, bob = friends
    bob.page.keyboard.press("Escape")
    bob.page.locator(".welcome").wait_for()
    alice.say("are you there")
    expect(bob.page).to_have_title("(1) Roost", timeout=WAIT_S * 1000)
    bob.page.locator(".row .unread", has_text="1").wait_for()
    bob.open("Alice")
    expect(bob.page).to_have_title("Roost", timeout=WAIT_S * 1000)
    bob.page.locator(".unread-line").wait_for()


def test_the_route_says_who_sees_what(friends: Friends) -> None:
    alice, _ = friends
    alice.page.get_by_role("button", name="Route and privacy").click()
    panel = alice.page.get_by_role("complementary", name="Route and privacy")
    panel.get_by_role("heading", name="Through one relay").wait_for()
    assert [row.split("\n")[0] for row in panel.locator(".hop").all_inner_texts()] == [
        "You",
        "The relay you both use",
        "Bob",
    ]
    relay = panel.locator(".parties li", has_text="The relay you both use")
    assert "what you write" in relay.locator(".hidden").inner_text()
    assert "that the two of you talk at all" in relay.locator(".sees").inner_text()
    alice.page.keyboard.press("Escape")


def test_safety_numbers_are_the_same(friends: Friends) -> None:
    numbers = []
    for person in friends:
        person.more("Compare safety numbers")
        person.page.locator(".safety span").nth(11).wait_for()
        numbers.append(re.sub(r"\s", "", person.page.locator(".safety").inner_text()))
        person.page.get_by_role("button", name="They are the same").click()
        person.page.locator(".chat-name .verified").wait_for()
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == 60
