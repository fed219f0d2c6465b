"""A group of three with real agents and windows: made, talked in, changed, left. Bob and Carol are no contacts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.web import samples
from tests.web.people import WAIT_S, Person, Stage, befriend, command
from tests.web.test_web_access import serious
from tests.web.test_web_people import command_qr

pytestmark = pytest.mark.timeout(180)
Three = tuple[Person, Person, Person]
WAIT_MS = WAIT_S * 1000
TRIP = "Summer trip"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\u202e" + "Z\u0335\u0321\u0322\u0327\u0328" * 20


@pytest.fixture(scope="module")
def three(stage: Stage) -> Three:
    """Alice, and two contacts of hers in her group."""
    alice, bob, carol = stage.person("Alice"), stage.person("Bob"), stage.person("Carol")
    befriend(alice, bob)
    befriend(alice, carol)
    make(alice, TRIP, "Bob", "Carol")
    for person in (bob, carol):
        person.open(TRIP)
    return alice, bob, carol


@pytest.fixture(autouse=True)
def trip(three: Three) -> None:
    """Everybody looks at the group."""
    for person in three:
        if person.page.locator(".chat-name", has_text=TRIP).count() == 0:
            person.open(TRIP)


def make(person: Person, title: str, *people: str) -> None:
    page = person.page
    page.keyboard.press("Control+Shift+G")
    dialog = page.get_by_role("dialog", name="New group")
    dialog.get_by_label("Name of the group").fill(title)
    for name in people:
        dialog.get_by_role("checkbox", name=name).check()
    dialog.get_by_role("button", name="Make the group").click()
    dialog.wait_for(state="detached")
    page.locator(".chat-name", has_text=title[:20]).wait_for()


def about(person: Person) -> Locator:
    """What stands beside the conversation."""
    panel = person.page.get_by_role("complementary", name="About the group")
    if not panel.is_visible():
        person.page.locator(".chat-head").get_by_role("button", name="About the group", exact=True).click()
    panel.locator(".member").first.wait_for()
    return panel


def leave_panel(person: Person) -> None:
    person.page.get_by_role("complementary").get_by_role("button", name="Close").click()


def member(person: Person, name: str, item: str) -> None:
    """Choose something from a member's menu."""
    about(person).get_by_role("button", name=f"More about {name}").click()
    person.page.get_by_role("menuitem", name=item, exact=True).click()


def confirm(person: Person, button: str) -> None:
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_role("button", name=button, exact=True).click()
    dialog.wait_for(state="detached")


def notes(person: Person, text: str) -> None:
    """Wait for a line between the messages."""
    person.page.locator(".note-line", has_text=text).last.wait_for(timeout=WAIT_MS)


def test_made_and_talked_in(three: Three) -> None:
    alice, bob, carol = three
    notes(alice, "You made the group “Summer trip”")
    notes(alice, "You added Bob")
    for person in (bob, carol):
        notes(person, "Alice added you")
    alice.say("hello all")
    for person in (bob, carol):
        person.sees("hello all")
        expect(person.page.locator(".message.theirs .author").last).to_contain_text("Alice")
    carol.say("hello from Carol")
    bob.sees("hello from Carol")
    expect(bob.page.locator(".message", has_text="hello from Carol").locator(".author")).to_contain_text("Carol")
    alice.marks("hello all", "read")
    expect(alice.page.locator(".presence")).to_have_text("3 people")
    row = bob.page.locator("button.row", has_text=TRIP)
    expect(row.locator(".row-last")).to_contain_text("Carol: hello from Carol")
    assert alice.complaints == bob.complaints == carol.complaints == []


def test_the_way_of_what_is_said(three: Three) -> None:
    """Hop by hop to the other members, and what each party on the way can see and cannot."""
    _, bob, _ = three
    panel = about(bob)
    hops = panel.locator(".hops .hop")
    expect(hops).to_have_count(3)
    expect(hops.first).to_contain_text("You")
    expect(hops.last).to_contain_text("The other members")
    relay = panel.locator(".parties li", has_text="The relay that hosts it")
    expect(relay.locator(".facts-line.sees")).to_contain_text("how many devices write")
    expect(relay.locator(".facts-line.hidden")).to_contain_text("who is in it, its title, picture and roles")
    leave_panel(bob)


def test_several_type(three: Three) -> None:
    alice, bob, carol = three
    bob.page.locator(".composer textarea").press_sequentially("so")
    expect(alice.page.locator(".presence")).to_contain_text("Bob writes…")
    carol.page.locator(".composer textarea").press_sequentially("me")
    expect(alice.page.locator(".presence")).to_contain_text("write…")
    for person in (bob, carol):
        person.page.locator(".composer textarea").fill("")


def test_mentions(three: Three) -> None:
    """Chosen by keys from who is in it; whoever is meant sees it, also from outside."""
    alice, bob, carol = three
    alice.page.keyboard.press("Escape")
    alice.open("Bob")
    field = bob.page.locator(".composer textarea")
    field.press_sequentially("What does @c")
    people = bob.page.get_by_role("listbox", name="People to mention")
    expect(people.get_by_role("option")).to_have_text(["CCarol"])
    field.press("Escape")
    people.wait_for(state="detached")
    field.fill("")
    field.press_sequentially("Dear @")
    expect(people.get_by_role("option")).to_have_count(2)
    field.press("ArrowDown")
    field.press("ArrowUp")
    field.press("Enter")
    expect(field).to_have_value("Dear @Alice ")
    field.press_sequentially("come")
    field.press("Enter")
    carol.sees("Dear @Alice come")
    expect(carol.page.locator(".mention")).to_have_text("@Alice")
    assert carol.page.locator(".mention.meant").count() == 0
    expect(alice.page.locator("button.row", has_text=TRIP).get_by_title("You are meant")).to_be_visible()
    alice.open(TRIP)
    expect(alice.page.locator(".mention.meant")).to_have_text("@Alice")


def test_polls(three: Three) -> None:
    alice, bob, carol = three
    alice.more("New poll")
    dialog = alice.page.get_by_role("dialog", name="New poll")
    dialog.get_by_label("Question").fill("Lake or hills?")
    dialog.get_by_label("Answer 1").fill("Lake")
    dialog.get_by_label("Answer 2").fill("Hills")
    dialog.get_by_role("button", name="Ask").click()
    for person, choice in ((bob, "Lake"), (carol, "Hills"), (alice, "Lake")):
        poll = person.page.get_by_role("group", name="Lake or hills?")
        poll.get_by_role("button", name=choice).click()
        expect(poll.get_by_role("button", name=choice)).to_have_attribute("aria-pressed", "true")
    for person in three:
        poll = person.page.get_by_role("group", name="Lake or hills?")
        expect(poll).to_contain_text("3 people have voted")
        expect(poll.get_by_role("button", name="Lake").locator(".poll-count")).to_contain_text("2")
    carols = carol.page.get_by_role("group", name="Lake or hills?")
    carols.get_by_role("button", name="Lake").click()
    expect(carols.get_by_role("button", name="Hills")).to_have_attribute("aria-pressed", "false")
    alices = alice.page.get_by_role("group", name="Lake or hills?")
    expect(alices.get_by_role("button", name="Lake").locator(".poll-count")).to_contain_text("3")
    expect(alices.get_by_role("button", name="Lake")).to_contain_text("Carol")


def test_a_poll_between_two_with_several_answers(three: Three) -> None:
    alice, bob, _ = three
    for person, other in ((alice, "Bob"), (bob, "Alice")):
        person.open(other)
    bob.more("New poll")
    dialog = bob.page.get_by_role("dialog", name="New poll")
    dialog.get_by_label("Question").fill("What shall I bring?")
    for number, answer in enumerate(("Bread", "Cheese", "<i>Nothing</i>"), 1):
        dialog.get_by_role("textbox", name=f"Answer {number}").fill(answer)
    dialog.get_by_text("More than one answer").click()
    dialog.get_by_role("button", name="Ask").click()
    poll = alice.page.get_by_role("group", name="What shall I bring?")
    for answer in ("Bread", "Cheese"):
        poll.get_by_role("button", name=answer).click()
        expect(poll.get_by_role("button", name=answer)).to_have_attribute("aria-pressed", "true")
    poll.get_by_role("button", name="<i>Nothing</i>").wait_for()
    bobs = bob.page.get_by_role("group", name="What shall I bring?")
    expect(bobs.get_by_role("button", name="Cheese").locator(".poll-count")).to_contain_text("1")
    poll.get_by_role("button", name="Bread").click()
    expect(bobs.get_by_role("button", name="Bread").locator(".poll-count")).to_contain_text("0")
    expect(bobs).to_contain_text("1 person has voted")


def test_roles_rights_and_a_moderator(three: Three) -> None:
    alice, bob, carol = three
    carol.say("something rude")
    bob.sees("something rude")
    bob.menu("something rude", "Delete")
    assert bob.page.get_by_role("button", name="Delete for everyone").count() == 0
    bob.close()
    member(alice, "Bob", "Make them a moderator")
    notes(bob, "Alice changed your role: Moderator")
    leave_panel(alice)
    expect(about(bob)).to_contain_text("You are: Moderator")
    leave_panel(bob)
    bob.menu("something rude", "Delete")
    bob.page.get_by_role("button", name="Delete for everyone").click()
    for person in (alice, carol):
        person.page.locator(".bubble", has_text="Deleted message").last.wait_for()
    bob.menu("hello all", "Pin for all")
    expect(carol.page.locator(".pin-bar")).to_contain_text("hello all")
    assert carol.page.locator(".pin-bar").get_by_role("button", name="Unpin").count() == 0
    member(alice, "Carol", "Let them only read")
    leave_panel(alice)
    carol.page.locator(".composer-note", has_text="You can read here").wait_for()
    member(alice, "Carol", "Make them a member")
    leave_panel(alice)
    carol.page.locator(".composer textarea").wait_for()


def test_safety_numbers_of_members_who_are_no_contacts(three: Three) -> None:
    _, bob, carol = three
    numbers = []
    for person, other in ((bob, "Carol"), (carol, "Bob")):
        member(person, other, "Compare safety numbers")
        digits = person.page.get_by_role("group", name="Safety number")
        expect(digits.locator("span").first).to_have_text(re.compile(r"\d{5}"))
        numbers.append(digits.inner_text())
        if person is bob:
            person.close()
    assert numbers[0] == numbers[1]
    carol.page.get_by_role("dialog").get_by_role("button", name="They are the same").click()
    about(carol).locator(".member", has_text="Bob").get_by_title("Verified").wait_for()
    for person in (bob, carol):
        leave_panel(person)


def test_settings(three: Three) -> None:
    alice, bob, _ = three
    picture = alice.profile.parent / "group.png"
    picture.write_bytes(samples.png(500, 400))
    about(alice).get_by_role("button", name="Name, picture, description").click()
    dialog = alice.page.get_by_role("dialog", name="Name, picture, description")
    dialog.get_by_label("What it is about").fill("Two weeks, one tent")
    dialog.get_by_test_id("picture").set_input_files(picture)
    alice.page.get_by_role("button", name="Use it").click()
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    notes(bob, "Alice changed the description")
    notes(bob, "Alice changed the picture")
    bob.page.locator(".chat-head .avatar img").wait_for()
    about(alice).get_by_role("button", name="Who may do what").click()
    dialog = alice.page.get_by_role("dialog", name="Who may do what")
    dialog.get_by_label("Who may write?").select_option("Moderators and admins")
    dialog.get_by_label("What do newcomers see?").select_option("The last 20 messages")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    notes(bob, "Alice changed who may do what")
    three[2].page.locator(".composer-note").wait_for()
    about(alice).get_by_role("button", name="Who may do what").click()
    dialog.get_by_label("Who may write?").select_option("All members")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    three[2].page.locator(".composer textarea").wait_for()
    about(alice).get_by_role("button", name="Disappearing messages").click()
    alice.page.get_by_role("radio", name="1 day").check(force=True)
    alice.page.get_by_role("dialog").get_by_role("button", name="Done").click()
    notes(bob, "disappear, once read, after: 1 day")
    leave_panel(alice)
    assert alice.complaints == bob.complaints == []


def test_removed_and_back_by_the_link(three: Three) -> None:
    """Who is removed sees that, and nothing that is said later; who asks by the link is let in, or not."""
    alice, bob, carol = three
    code = alice.profile.parent / "link.png"
    member(alice, "Carol", "Remove from the group")
    confirm(alice, "Remove from the group")
    notes(bob, "Alice removed Carol")
    notes(carol, "Alice removed you")
    carol.page.locator(".composer-note", has_text="You were removed").wait_for()
    alice.say("a secret")
    bob.sees("a secret")
    about(alice).get_by_role("button", name="Invite by link").click()
    dialog = alice.page.get_by_role("dialog", name="Invite by link")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_test_id("invitation").inner_text()
    dialog.get_by_role("img", name="QR code").wait_for()
    alice.close()
    code.write_bytes(samples.picture_of(command_qr(link)))
    for answer in ("Decline", "Let in"):
        carol.page.get_by_role("button", name="Add a person").click()
        if answer == "Decline":
            carol.page.get_by_role("tab", name="I have a link").click()
            carol.page.get_by_label("Invitation link").fill(link)
        else:  # by the code, in a picture
            carol.page.get_by_role("tab", name="Scan").click()
            carol.page.get_by_test_id("qr-picture").set_input_files(code)
        carol.page.get_by_text("This link leads into a group").wait_for()
        carol.page.get_by_label("Greeting").fill("It was a mistake")
        carol.page.get_by_role("button", name="Join the group").click()
        request = alice.page.locator(".sidebar .request", has_text="Carol would like to join Summer trip")
        request.wait_for()
        expect(request).to_contain_text("It was a mistake")
        expect(alice.page.locator("button.row", has_text=TRIP).locator(".asking")).to_be_visible()
        bob.page.locator("button.row", has_text=TRIP).wait_for()
        request.get_by_role("button", name=answer).click()
        for person in (alice, bob):  # whoever may let people in sees that it was decided
            person.page.locator(".sidebar .request").wait_for(state="detached")
        carol.page.get_by_role("dialog").wait_for(state="detached")
    notes(bob, "Alice added Carol")
    carol.open(TRIP)
    alice.say("welcome back")
    carol.sees("welcome back")
    leave_panel(alice)


def test_banned_and_let_back(three: Three) -> None:
    alice, bob, carol = three
    member(alice, "Carol", "Ban")
    confirm(alice, "Ban")
    notes(bob, "Alice banned Carol")
    carol.page.locator(".composer-note", has_text="You were removed").wait_for()
    kept_out = about(alice).locator(".card", has_text="Kept out")
    kept_out.get_by_role("button", name="End the ban").click()
    kept_out.wait_for(state="detached")
    about(alice).get_by_role("button", name="Add people").click()
    dialog = alice.page.get_by_role("dialog", name="Add people")
    dialog.get_by_role("checkbox", name="Carol").check()
    dialog.get_by_role("button", name="Add people").click()
    dialog.wait_for(state="detached")
    notes(bob, "Alice added Carol")
    carol.page.locator(".composer textarea").wait_for()
    leave_panel(alice)


def test_hostile_titles_and_names(three: Three) -> None:
    """A title is a title, a name a name: nothing runs, nothing reaches beyond its line."""
    alice, bob, _ = three
    about(alice).get_by_role("button", name="Name, picture, description").click()
    dialog = alice.page.get_by_role("dialog")
    dialog.get_by_label("Name of the group").fill(f"{TRIP} {HOSTILE}"[:120])
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    notes(bob, "<img src=x")
    command(alice.profile, "about", "--name", "Alice <b onclick=alert(1)>")
    alice.say("by somebody strange")
    bob.sees("by somebody strange")
    for person in (alice, bob):
        assert person.page.title().endswith("Roost")
        shown = person.page.locator(".chat-name bdi").inner_text()
        assert "<img" in shown
        assert "\u202e" not in shown
        assert person.page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        assert person.page.locator("img[src='x']").count() == 0
        assert person.foreign == []
    command(alice.profile, "about", "--name", "Alice")
    about(alice).get_by_role("button", name="Name, picture, description").click()
    dialog.get_by_label("Name of the group").fill(TRIP)
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    leave_panel(alice)


def _each_view(alice: Person, look: Callable[[str], None]) -> None:
    page = alice.page
    look("group")
    about(alice)
    look("panel")
    for name in ("Add people", "Invite by link", "Name, picture, description", "Who may do what"):
        page.get_by_role("complementary").get_by_role("button", name=name).click()
        page.get_by_role("dialog").wait_for()
        look(name)
        alice.close()
    leave_panel(alice)
    alice.more("New poll")
    look("poll")
    alice.close()
    for name in ("New group", "New channel"):
        page.get_by_role("button", name="Menu", exact=True).click()
        page.get_by_role("menuitem", name=name).click()
        page.get_by_role("dialog", name=name).wait_for()
        look(name)
        alice.close()


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_and_narrow(three: Three, theme: str) -> None:
    """Nothing serious for axe, in light and dark; nothing wider than 360 pixels, mirrored too."""
    alice = three[0]
    alice.settings("Appearance")
    alice.page.get_by_text(theme, exact=True).click()
    alice.close()
    problems: list[str] = []
    _each_view(alice, lambda view: problems.extend(f"{view}: {row}" for row in serious(alice)))
    assert problems == []
    if theme == "Dark":
        alice.page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    alice.page.set_viewport_size({"width": 360, "height": 700})
    fits = "() => document.documentElement.scrollWidth <= window.innerWidth"
    narrow: list[str] = []
    look = lambda view: None if alice.page.evaluate(fits) else narrow.append(view)  # noqa: E731
    look("group")
    about(alice)
    look("panel")
    leave_panel(alice)
    alice.page.set_viewport_size({"width": 1180, "height": 780})
    alice.page.evaluate("() => { document.documentElement.dir = 'ltr'; }")
    assert narrow == []


def test_german(three: Three) -> None:
    """What changed is said in the person's language."""
    carol = three[2]
    carol.settings("Appearance")
    carol.page.get_by_role("radio", name="Deutsch").check(force=True)
    carol.page.get_by_role("dialog").get_by_role("button", name="Schließen").click()
    carol.page.locator(".note-line", has_text="Alice hat dich hinzugefügt").last.wait_for()
    carol.settings("Darstellung")
    carol.page.get_by_role("radio", name="English").check(force=True)
    carol.close()


def test_a_group_that_stopped(three: Three) -> None:
    """Its relay lied: what that means and what to do is said in plain words."""
    alice, bob, _ = three

    def stopped(route: Route) -> None:
        answer = route.fetch()
        rows = [
            {**row, "group_state": "stopped", "may_post": False} if row["name"] == TRIP else row
            for row in answer.json()
        ]
        route.fulfill(response=answer, json=rows)

    for person, button in ((alice, "Go on in a new group"), (bob, "Go on here all the same")):
        person.page.route("**/v1/conversations", stopped)
        person.page.reload()
        person.page.locator("button.row", has_text=TRIP).click()
        person.page.locator(".composer-note", has_text="This group has stopped").wait_for()
        notice = about(person).locator(".notice")
        expect(notice).to_contain_text("its relay showed different people different things")
        notice.get_by_role("button", name=button).wait_for()
        person.page.unroute("**/v1/conversations")
        person.page.reload()
        person.open(TRIP)


def test_leaving(three: Three) -> None:
    alice, bob, _ = three
    bob.more("Leave the group")
    confirm(bob, "Leave the group")
    notes(alice, "Bob left")
    bob.page.locator(".composer-note", has_text="You left this group").wait_for()
    alice.say("without Bob")
    three[2].sees("without Bob")
    assert bob.page.locator(".bubble", has_text="without Bob").count() == 0
    bob.more("Delete the group here")
    confirm(bob, "Delete the group here")
    bob.page.locator("button.row", has_text=TRIP).wait_for(state="detached")
