"""From nothing to a conversation in the app alone: making profiles, inviting, accepting, blocking, locking."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.people import WAIT_S, Person, Stage, command

pytestmark = pytest.mark.timeout(150)


def _create(person: Person, name: str, *, passphrase: str = "", relay: str = "") -> None:
    page = person.page
    page.get_by_label("Your name").fill(name)
    if passphrase:
        page.get_by_label("Passphrase", exact=True).last.fill(passphrase)
        page.get_by_label("Once more").fill(passphrase)
    else:
        page.get_by_text("Nothing but my user account").click()
    if relay:
        page.get_by_label("Link of the relay").fill(relay)
    else:
        page.get_by_text("At a relay on this computer").click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="Add the first person").wait_for()


def test_from_nothing_to_a_conversation(stage: Stage) -> None:
    carol = stage.window("Carol", *stage.host("carol"))
    dave = stage.window("Dave", *stage.host("dave"))
    _create(carol, "Carol", passphrase="correct horse", relay=stage.relay)
    _create(dave, "Dave", relay=stage.relay)

    carol.page.get_by_role("button", name="Add a person").first.click()
    carol.page.get_by_role("button", name="Make the invitation").click()
    link = carol.page.get_by_test_id("invitation").inner_text()
    carol.page.get_by_role("img", name="QR code").wait_for()
    carol.page.get_by_role("button", name="Close").click()

    dave.page.get_by_role("button", name="Add a person").first.click()
    dave.page.get_by_role("tab", name="I have a link").click()
    dave.page.get_by_label("Invitation link").fill(link)
    dave.page.get_by_label("Greeting").fill("It is me, Dave")
    dave.page.get_by_role("button", name="Ask to become contacts").click()

    carol.page.get_by_text("It is me, Dave").wait_for()
    carol.page.get_by_role("button", name="Accept").click()
    carol.page.locator(".composer textarea").wait_for()
    carol.say("welcome")
    dave.open("Carol")
    dave.sees("welcome")
    carol.marks("welcome", "read")
    _lock_and_unlock(carol, dave)
    _block(carol, dave)
    assert carol.complaints == []
    assert dave.complaints == []
    assert carol.foreign == dave.foreign == []


def _lock_and_unlock(carol: Person, dave: Person) -> None:
    carol.page.keyboard.press("Control+l")
    carol.page.get_by_role("heading", name="Roost is locked").wait_for()
    dave.say("while you are away")
    carol.page.get_by_label("Passphrase").fill("wrong")
    carol.page.get_by_role("button", name="Unlock").click()
    carol.page.get_by_role("alert").wait_for()
    carol.page.get_by_label("Passphrase").fill("correct horse")
    carol.page.get_by_role("button", name="Unlock").click()
    carol.open("Dave")
    carol.sees("while you are away")
    carol.complaints.clear()  # Chromium reports the refused passphrase and the closed socket


def _block(carol: Person, dave: Person) -> None:
    carol.more("Block")
    carol.page.get_by_role("dialog").get_by_role("button", name="Block").click()
    carol.page.get_by_text("You blocked Dave").wait_for()
    carol.more("Unblock")
    carol.page.get_by_role("dialog").get_by_role("button", name="Unblock").click()
    carol.page.locator(".composer textarea").wait_for()
    del dave


def test_a_relay_on_this_computer(stage: Stage) -> None:
    erin = stage.window("Erin", *stage.host("erin"))
    _create(erin, "Erin")
    assert (stage.folder / "erin-relay").is_dir()
    assert erin.complaints == []


def test_an_address_works_once(stage: Stage) -> None:
    _, url = stage.host("frank")
    stage.window("Frank", stage.folder / "frank", url)
    second = stage.window("Somebody", stage.folder / "frank", url)
    expect(second.page.get_by_text("not connected to Roost any more")).to_be_visible(timeout=WAIT_S * 1000)
    assert "code" not in second.page.url


def test_roost_once_more_opens_the_app_of_the_agent_that_runs(stage: Stage) -> None:
    stage.profile("Grace")
    folder, first = stage.host("grace")
    second = command(folder, "--no-browser")[0]["url"]
    assert second.split("#")[0] == first.split("#")[0]
    assert second != first
    grace = stage.window("Grace", folder, second)
    grace.page.get_by_role("heading", name="Add the first person").wait_for()
