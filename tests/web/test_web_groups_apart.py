"""Groups whose people are at two relays, asked in before they come, with the host of their log away or lying."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.apps.processes import Relay
from tests.web.people import WAIT_S, Person, Stage, befriend
from tests.web.test_web_groups import about, leave_panel, make, notes

pytestmark = pytest.mark.timeout(180)
CLUB = "Book club"


@pytest.fixture(scope="module")
def far(stage: Stage) -> Iterator[Relay]:
    """Alice's relay, which hosts her groups and can go away."""
    relay = Relay(stage.folder / "far").start()
    yield relay
    relay.close()


@pytest.fixture(scope="module")
def three(stage: Stage, far: Relay, browser: Browser) -> tuple[Person, Person, Person]:
    """Alice at her relay; Bob and Carol, contacts of hers, at another one."""
    near, stage.relay = stage.relay, far.link
    alice = stage.person("Alice")
    stage.relay = near
    bob, carol = stage.people("Bob", "Carol")
    for person in (bob, carol):
        befriend(alice, person)
    return alice, bob, carol


def invite(person: Person, *people: str) -> None:
    about(person).get_by_role("button", name="Add people").click()
    dialog = person.page.get_by_role("dialog", name="Add people")
    for name in people:
        dialog.get_by_role("checkbox", name=name).check()
    dialog.get_by_text("Ask them first").click()
    dialog.get_by_role("button", name="Send invitations").click()
    dialog.wait_for(state="detached")
    leave_panel(person)


def test_who_is_asked_first_joins_or_does_not(three: tuple[Person, Person, Person]) -> None:
    alice, bob, carol = three
    make(alice, CLUB)
    invite(alice, "Bob", "Carol")
    expect(alice.page.locator("button.row", has_text="Bob").locator(".row-last")).to_contain_text(CLUB)
    for person in (bob, carol):
        asked = person.page.locator(".sidebar .request", has_text="Alice invites you to the group Book club")
        asked.wait_for()
        assert person.page.locator("button.row", has_text=CLUB).first.locator(".row-name").inner_text() == "Alice"
    carol.page.locator(".sidebar .request").get_by_role("button", name="No, thanks").click()
    carol.page.locator(".sidebar .request").wait_for(state="detached")
    said = bob.page.locator(".message.theirs", has_text="You are invited to the group “Book club”")
    said.get_by_role("button", name="Join the group").click()
    alice.open(CLUB)
    notes(alice, "You added Bob")
    assert alice.page.locator(".note-line", has_text="Carol").count() == 0
    bob.page.locator(".sidebar .request").wait_for(state="detached")
    said.get_by_role("button", name="Join the group").wait_for(state="detached")
    bob.open(CLUB)
    notes(bob, "Alice added you")


def test_what_is_said_passes_two_relays(three: tuple[Person, Person, Person]) -> None:
    alice, bob, carol = three
    alice.say("hello over there")
    bob.sees("hello over there")
    bob.say("hello back")
    alice.sees("hello back")
    hops = about(bob).locator(".hops .hop")
    expect(hops).to_have_count(4)
    expect(hops.last).to_contain_text("The other members")
    leave_panel(bob)
    bob.menu("hello back", "Details")
    stations = bob.page.get_by_role("dialog").locator(".hops li")
    expect(stations).to_have_count(4)
    expect(stations.first).to_have_text("You")
    expect(stations.last).to_have_text(CLUB)
    bob.close()
    for person in (alice, bob, carol):
        assert person.complaints == []


def test_a_change_waits_for_the_relay_and_can_be_given_up(three: tuple[Person, Person, Person], far: Relay) -> None:
    alice, bob, _ = three
    far.stop()
    try:
        for title in ("Never read", "Reading circle"):
            about(alice).get_by_role("button", name="Name, picture, description").click()
            dialog = alice.page.get_by_role("dialog", name="Name, picture, description")
            dialog.get_by_label("Name of the group").fill(title)
            dialog.get_by_role("button", name="Save").click()
            dialog.wait_for(state="detached", timeout=WAIT_S * 1000)
            waiting = about(alice).locator(".card", has_text="The group's settings will change")
            waiting.wait_for()
            if title == "Never read":
                waiting.get_by_role("button", name="Give it up").click()
                waiting.wait_for(state="detached")
        leave_panel(alice)
        alice.say("are you there?")
        alice.marks("are you there?", "queued")
    finally:
        far.start()
    notes(bob, "Alice changed the name to “Reading circle”")
    bob.sees("are you there?")
    assert bob.page.locator(".note-line", has_text="Never read").count() == 0


def test_an_admin_takes_the_group_home(three: tuple[Person, Person, Person]) -> None:
    alice, bob, _ = three
    assert about(alice).get_by_role("button", name="Move to my relay").count() == 0
    about(alice).get_by_role("button", name="More about Bob").click()
    alice.page.get_by_role("menuitem", name="Make them an admin", exact=True).click()
    leave_panel(alice)
    about(bob).get_by_role("button", name="Move to my relay").click()
    bob.page.get_by_role("dialog").get_by_role("button", name="Move to my relay").click()
    expect(about(bob).locator(".hops .hop")).to_have_count(3, timeout=WAIT_S * 1000)
    leave_panel(bob)
    bob.say("the new place")
    alice.sees("the new place")


def test_an_admin_goes_on_in_a_new_group(three: tuple[Person, Person, Person]) -> None:
    """The relay lied, or so the window is told: what comes of the way out is real."""
    alice, bob, _ = three
    title = alice.page.locator(".chat-name bdi").inner_text()
    shown = {"as": ""}

    def otherwise(route: Route) -> None:
        answer = route.fetch()
        rows = [
            {**row, "group_state": shown["as"], "may_post": False} if row["name"] == title else row
            for row in answer.json()
        ]
        route.fulfill(response=answer, json=rows)

    alice.page.route("**/v1/conversations", otherwise)
    for shown["as"], says in (("lost", "If its relay is gone for good"), ("stopped", "its relay showed")):
        alice.page.reload()
        alice.page.locator("button.row", has_text=title).click()
        notice = about(alice).locator(".notice", has_text=says)
        notice.get_by_role("button", name="Go on in a new group").wait_for()
    notice.get_by_role("button", name="Go on in a new group").click()
    alice.page.unroute("**/v1/conversations")
    about(alice).locator(".notice").get_by_role("button", name="To the group that goes on").click()
    alice.page.locator(".composer textarea").wait_for()
    bob.page.locator("button.row", has_text=title).nth(1).wait_for()
    alice.say("we go on here")
    new = bob.page.locator("button.row", has_text="we go on here")
    new.click()
    bob.sees("we go on here")
