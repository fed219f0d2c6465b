"""What one does with messages: how they look, pins, emoji, finding, details, forwarding, choosing several, timers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.people import WAIT_S, Person, Stage, command

pytestmark = [pytest.mark.usefixtures("quiet"), pytest.mark.timeout(120)]
Friends = tuple[Person, Person]
MARKUP = json.loads((Path(__file__).parents[1] / "vectors" / "markup.json").read_text(encoding="utf-8"))["cases"]


def told(person: Person, other: str, limit: int = 1) -> list[dict[str, Any]]:
    """The last messages as the command line has them."""
    return command(person.profile, "read", other, "--limit", str(limit), "--keep-unread")


# --- how they look ---------------------------------------------------------------------------------------------------


def test_marks_travel_as_spans_as_in_python(friends: Friends) -> None:
    """The browser and roost.messaging.formatting understand marks alike, and no mark travels."""
    alice, bob = friends
    cases = [case for case in MARKUP if len(case["typed"]) < 200 and case["text"].strip()]
    for case in cases:
        alice.page.locator(".composer textarea").fill(case["typed"])
        alice.page.keyboard.press("Enter")
    alice.say("all said")
    bob.sees("all said")
    heard = told(bob, "Alice", len(cases) + 1)[:-1]
    assert [(row["text"], row["spans"]) for row in heard] == [(case["text"], case["spans"]) for case in cases]


def test_formatting_by_keys_and_buttons_and_changed_again(friends: Friends) -> None:
    alice, bob = friends
    area = alice.page.locator(".composer textarea")
    area.fill("quite bold")
    area.evaluate("field => field.setSelectionRange(6, 10)")
    alice.page.keyboard.press("Control+b")
    assert area.input_value() == "quite **bold**"
    alice.page.get_by_role("toolbar", name="Formatting").get_by_role("button", name="Italic").click()
    assert area.input_value() == "quite ***bold***"
    alice.page.get_by_role("toolbar", name="Formatting").get_by_role("button", name="Italic").click()
    alice.page.keyboard.press("Enter")
    bubble = bob.page.locator(".bubble", has_text="quite bold").last
    assert bubble.locator("strong").inner_text() == "bold"
    alice.menu("quite bold", "Edit")
    assert area.input_value() == "quite **bold**"
    area.fill("> quite **bold**")
    alice.page.keyboard.press("Enter")
    bob.page.locator(".bubble blockquote strong", has_text="bold").last.wait_for()


def test_what_is_hidden_stays_hidden_in_lists_and_quotes(friends: Friends) -> None:
    alice, bob = friends
    alice.say("the end: ||the butler did it||")
    bob.sees("the end")
    row = bob.page.locator("button.row", has_text="the end")
    row.wait_for()
    assert "butler" not in row.inner_text()
    bob.menu("the end", "Reply")
    assert "butler" not in bob.page.locator(".composer-above").inner_text()
    bob.page.keyboard.press("Escape")


# --- pins, emoji ------------------------------------------------------------------------------------------------------


def test_either_pins_for_both_and_the_bar_leads_there(friends: Friends) -> None:
    alice, bob = friends
    alice.say("the door code is 4711")
    bob.sees("door code")
    bob.menu("door code", "Pin for both")
    for person in friends:
        person.page.locator(".pin-bar", has_text="door code").wait_for()
        person.page.locator(".message", has_text="door code").last.get_by_text("Pinned", exact=True).wait_for(
            state="attached"
        )
    alice.say("and the bell is broken")
    alice.marks("bell is broken", "sent, .marks.delivered, .marks.read")
    alice.menu("bell is broken", "Pin for both")
    bob.page.locator(".pin-bar", has_text="1/2").wait_for()
    bob.page.locator(".pin-shown").click()
    bob.page.locator(".message.flash", has_text="bell is broken").wait_for()
    bob.page.locator(".pin-shown", has_text="door code").click()
    bob.page.locator(".message.flash", has_text="door code").wait_for()
    alice.page.reload()
    alice.open("Bob")
    alice.page.locator(".pin-bar", has_text="bell is broken").get_by_role("button", name="Unpin").click()
    alice.page.locator(".pin-bar", has_text="door code").wait_for()
    bob.page.locator(".pin-bar", has_text="door code").get_by_role("button", name="Unpin").click()
    for person in friends:
        person.page.locator(".pin-bar").wait_for(state="detached")


def test_emoji_are_found_by_words(friends: Friends) -> None:
    alice, bob = friends
    page = alice.page
    page.get_by_role("button", name="Emoji").click()
    page.get_by_role("searchbox", name="Search emoji").fill("party pop")
    page.locator(".emoji-grid button", has_text="🎉").wait_for()
    page.keyboard.press("Enter")
    assert page.locator(".composer textarea").input_value() == "🎉"
    expect(page.locator(".composer textarea")).to_be_focused()
    page.keyboard.press("Enter")
    bob.sees("🎉")
    message = bob.page.locator(".message", has_text="🎉").last
    message.hover()
    message.get_by_role("button", name="React").click()
    bob.page.get_by_role("button", name="Animals and plants").click()
    bob.page.locator(".emoji-grid button", has_text="🦊").click()
    alice.page.locator(".message", has_text="🎉").last.locator(".reaction", has_text="🦊").wait_for()
    bob.page.get_by_role("button", name="Emoji").click()
    expect(bob.page.locator(".emoji-grid button").first).to_have_text("🦊")
    bob.page.keyboard.press("Escape")


# --- finding, dates, details ------------------------------------------------------------------------------------------


def test_finding_inside_a_conversation_steps_through_highlighted_hits(friends: Friends) -> None:
    alice, bob = friends
    for number in range(3):
        bob.say(f"heron number {number}")
        alice.sees(f"heron number {number}")
    alice.more("Search in this conversation")
    page = alice.page
    page.get_by_role("searchbox", name="Search in this conversation").fill("Heron")
    page.locator(".find-bar", has_text="1 of 3").wait_for()
    page.locator(".message.flash mark", has_text="heron").wait_for()
    assert page.locator(".message.flash").inner_text().count("number 2") == 1
    page.get_by_role("button", name="Older").click()
    page.locator(".message.flash", has_text="number 1").wait_for()
    page.keyboard.press("Enter")
    page.locator(".find-bar", has_text="3 of 3").wait_for()
    page.get_by_role("searchbox", name="Search in this conversation").fill("no such bird")
    page.locator(".find-bar", has_text="Nothing found").wait_for()
    page.keyboard.press("Escape")
    page.locator(".find-bar").wait_for(state="detached")


def test_details_tell_times_and_way_and_earlier_versions(friends: Friends) -> None:
    alice, bob = friends
    alice.say("at eight")
    bob.sees("at eight")
    alice.marks("at eight", "read")
    alice.menu("at eight", "Edit")
    alice.say("at nine")
    bob.sees("at nine")
    bob.page.locator(".message", has_text="at nine").last.get_by_role("button", name="edited").click()
    dialog = bob.page.get_by_role("dialog")
    dialog.locator(".old-text", has_text="at eight").wait_for()
    assert dialog.locator(".hops li").all_inner_texts()[::2] == ["Alice", "You"]
    bob.page.get_by_role("button", name="Close").click()
    alice.menu("at nine", "Details")
    dialog = alice.page.get_by_role("dialog")
    dialog.locator(".hops").wait_for()
    facts = dict(
        zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd:not(.way)").all_inner_texts(), strict=True)
    )
    assert facts["State"] == "Read"
    assert facts["Route"] == "Through one relay"
    assert {"Sent", "At the relay", "Delivered", "Read", "Changed"} <= set(facts)
    hops = dialog.locator(".hops li").all_inner_texts()
    assert (hops[0], hops[2]) == ("You", "Bob")
    assert hops[1].startswith("127.0.0.1:")
    alice.page.get_by_role("button", name="Close").click()


# --- forwarding, copying, choosing, deleting -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def carol(stage: Stage, alice_and_bob: Friends) -> str:
    """Somebody else whom Alice knows."""
    alice, _ = alice_and_bob
    profile = stage.profile("Carol")
    command(profile, "add", command(alice.profile, "invite")[0]["link"])
    alice.page.locator(".request", has_text="Carol").get_by_role("button", name="Accept").click()
    alice.page.locator(".chat-name", has_text="Carol").wait_for()
    alice.open("Bob")
    return str(profile)


def test_forwarding_says_that_it_was(friends: Friends, carol: str) -> None:
    alice, bob = friends
    bob.say("**news** for everybody")
    alice.sees("news for everybody")
    alice.menu("news for everybody", "Forward")
    alice.page.get_by_role("dialog").get_by_role("button", name="Carol").click()
    alice.open("Carol")
    bubble = alice.page.locator(".bubble", has_text="news for everybody").last
    bubble.locator(".forwarded").wait_for()
    assert bubble.locator("strong").inner_text() == "news"
    alice.open("Bob")
    (row,) = command(Path(carol), "read", "Alice", "--limit", "1")
    assert (row["text"], row["forwarded"]) == ("news for everybody", True)


def test_several_are_chosen_copied_forwarded_and_deleted(friends: Friends, carol: str) -> None:
    alice, bob = friends
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for text in ("first of three", "second of three", "third of three"):
        alice.say(text)
        bob.sees(text)
    alice.menu("second of three", "Copy")
    assert alice.page.evaluate("() => navigator.clipboard.readText()") == "second of three"
    alice.menu("first of three", "Select")
    bar = alice.page.get_by_role("toolbar", name="Selected messages")
    alice.page.get_by_role("checkbox", name="third of three").check()
    bar.get_by_text("2 selected").wait_for()
    bar.get_by_role("button", name="Copy").click()
    assert alice.page.evaluate("() => navigator.clipboard.readText()") == "first of three\nthird of three"
    bar.get_by_role("button", name="Forward").click()
    alice.page.get_by_role("dialog").get_by_role("button", name="Carol").click()
    alice.page.get_by_text("Forwarded to Carol").last.wait_for()  # the one before may still be there
    texts = [row["text"] for row in command(Path(carol), "read", "Alice", "--limit", "2")]
    assert texts == ["first of three", "third of three"]

    alice.menu("first of three", "Select")
    alice.page.get_by_role("checkbox", name="second of three").check()
    bar.get_by_role("button", name="Delete").click()
    alice.page.get_by_role("button", name="Delete for everyone").click()
    expect(bob.page.locator(".bubble", has_text="first of three")).to_have_count(0, timeout=WAIT_S * 1000)
    expect(bob.page.locator(".bubble", has_text="second of three")).to_have_count(0)

    bob.menu("third of three", "Delete")
    assert bob.page.get_by_role("button", name="Delete for everyone").count() == 0, "it is not Bob's"
    bob.page.get_by_role("button", name="Delete here").click()
    expect(bob.page.locator(".bubble", has_text="third of three")).to_have_count(0)
    alice.sees("third of three")


# --- disappearing ----------------------------------------------------------------------------------------------------


def test_disappearing_messages_go_on_both_sides(friends: Friends) -> None:
    alice, bob = friends
    alice.more("Disappearing messages")
    alice.page.get_by_text("30 seconds").click()
    alice.page.get_by_role("button", name="Done").click()
    for person in friends:
        person.page.locator(".chat-name .timed").wait_for()
    command(alice.profile, "timer", "Bob", "3s")
    alice.say("this tape destroys itself")
    bob.sees("destroys itself")
    for person in friends:
        expect(person.page.locator(".bubble", has_text="destroys itself")).to_have_count(0, timeout=WAIT_S * 1000)
    bob.more("Disappearing messages")
    bob.page.get_by_text("Off", exact=True).click()
    bob.page.get_by_role("button", name="Done").click()
    for person in friends:
        person.page.locator(".chat-name .timed").wait_for(state="detached")
