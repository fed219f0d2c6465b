"""Pictures of groups and channels, for tests/web/screenshots.py: `python -m tests.web.screenshots OUTDIR groups`."""

from __future__ import annotations

from tests.web import samples
from tests.web.people import Person, Stage, befriend, command
from tests.web.screenshots import NARROW, WIDE, Album, set_preferences
from tests.web.test_web_groups import about, make, member, notes

TRIP = "Lake weekend 🏕️"
TALK = (
    (0, "Who brings the tent?"),
    (1, "I have one, for four people. It *leaks* a little"),
    (2, "I bring my big one, and pancakes 🥞"),
    (2, "And the dog, if nobody minds"),
    (0, "Nobody minds the dog"),
)


def _made(album: Album, world: Stage, people: list[Person]) -> None:
    ann, ben, cleo = people
    page = ann.page
    picture = world.folder / "trip.jpg"
    picture.write_bytes(samples.jpeg(page))
    page.keyboard.press("Control+Shift+G")
    dialog = page.get_by_role("dialog", name="New group")
    dialog.get_by_label("Name of the group").fill(TRIP)
    dialog.get_by_test_id("picture").set_input_files(picture)
    page.get_by_role("slider", name="Nearer").wait_for()
    page.get_by_role("button", name="Use it").click()
    for name in ("Ben", "Cleo"):
        dialog.get_by_role("checkbox", name=name).check()
    album.take(ann, "light-group-new")
    dialog.get_by_role("button", name="Make the group").click()
    dialog.wait_for(state="detached")
    for person in (ben, cleo):
        person.open(TRIP)
    for who, text in TALK:
        people[who].say(text)
        ann.sees(text[:12])


def _poll_and_mention(ann: Person, ben: Person, cleo: Person) -> None:
    ann.more("New poll")
    dialog = ann.page.get_by_role("dialog", name="New poll")
    dialog.get_by_label("Question").fill("Which train?")
    for number, text in enumerate(("9:12, early", "10:12", "The night train to nowhere"), 1):
        dialog.get_by_role("textbox", name=f"Answer {number}").fill(text)
    dialog.get_by_role("button", name="Ask").click()
    for person, choice in ((ben, "10:12"), (cleo, "10:12"), (ann, "9:12, early")):
        person.page.get_by_role("button", name=choice).click()
    ann.page.locator(".poll-how", has_text="3 people").wait_for()
    ben.say("@Ann will you wake me up?")
    ann.page.locator(".mention.meant").wait_for()
    cleo.page.locator(".composer textarea").press_sequentially("I will")
    ann.page.locator(".presence.typing").wait_for()


def _panel(album: Album, ann: Person, name: str) -> None:
    panel = about(ann)
    album.take(ann, f"{name}-group")
    panel.locator(".members").last.scroll_into_view_if_needed()
    album.take(ann, f"{name}-group-members")
    panel.get_by_role("button").first.click()


def _dialogs(album: Album, ann: Person) -> None:
    for number, label in enumerate(("Add people", "Name, picture, description", "Who may do what", "Invite by link")):
        about(ann).get_by_role("button", name=label).click()
        dialog = ann.page.get_by_role("dialog")
        dialog.wait_for()
        if number == 3:
            dialog.get_by_role("button", name="Make a link").click()
            dialog.get_by_role("img", name="QR code").wait_for()
        album.take(ann, f"light-group-dialog-{number}")
        ann.close()


def _asking(album: Album, world: Stage, ann: Person) -> None:
    title = command(ann.profile, "groups")[0]["group"]
    link = command(ann.profile, "group", "link", title)[0]["link"]
    command(world.profile("Dora"), "group", "join", link, "--greeting", "Ben told me about it", "--timeout", "1")
    ann.page.locator(".sidebar .request", has_text="Dora").wait_for()
    album.take(ann, "light-group-asking")
    ann.page.locator(".sidebar .request", has_text="Dora").get_by_role("button", name="Decline").click()


def _invited(album: Album, ann: Person, ben: Person) -> None:
    make(ann, "Lake cooks")
    command(ann.profile, "group", "introduce", "Lake cooks", "Ben")
    asked = ben.page.locator(".sidebar .request", has_text="Lake cooks")
    asked.wait_for()
    ben.open("Ann")
    album.take(ben, "light-group-invited")
    asked.get_by_role("button", name="No, thanks").click()
    ben.open(TRIP)
    member(ben, "Cleo", "Compare safety numbers")
    ben.page.locator(".safety").wait_for()
    album.take(ben, "light-group-verify")
    ben.close()
    about(ben).get_by_role("button", name="Close").click()
    ann.open(TRIP)


def _channel(album: Album, world: Stage, ann: Person, ben: Person) -> None:
    made = command(ann.profile, "channel", "create", "Harbour news", "--as", "Harbour master")[0]
    ann.open("Harbour news")
    ann.say("Low water at **noon**. The ferry leaves from pier 2 today")
    page = ben.page
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("tab", name="I have a link").click()
    page.get_by_label("Invitation link").fill(made["link"])
    page.get_by_text("This link leads to a channel").wait_for()
    album.take(ben, "light-channel-join")
    page.get_by_role("button", name="Read the channel").click()
    ben.sees("Low water")
    page.locator(".chat-head").get_by_role("button", name="About the channel", exact=True).click()
    page.get_by_test_id("pseudonym").wait_for()
    album.take(ben, "light-channel-reader")


def shoot(album: Album, world: Stage) -> None:
    ann, ben, cleo = (world.person(name, viewport=WIDE) for name in ("Ann", "Ben", "Cleo"))
    befriend(ann, ben)
    befriend(ann, cleo)
    _made(album, world, [ann, ben, cleo])
    _poll_and_mention(ann, ben, cleo)
    album.take(ann, "light-group-talk")
    member(ann, "Ben", "Make them a moderator")
    notes(ann, "You changed the role of Ben")
    _panel(album, ann, "light")
    _dialogs(album, ann)
    about(ann).get_by_role("button", name="Close").click()
    _asking(album, world, ann)
    _invited(album, ann, ben)
    for name, choices in (("dark", {"theme": "dark"}), ("mirrored", {"theme": "light", "language": "ar-XB"})):
        set_preferences(ann, **choices)
        ann.page.locator("button.row", has_text=TRIP).click()
        ann.page.locator(".note-line").last.wait_for()
        ann.page.locator(".chat-who").click()
        ann.page.locator(".panel .member").first.wait_for()
        album.take(ann, f"{name}-group-talk")
    set_preferences(ann, language="de")
    ann.page.locator("button.row", has_text=TRIP).click()
    ann.page.locator(".note-line").last.wait_for()
    album.take(ann, "german-group-talk")
    set_preferences(ann, language="en")
    _channel(album, world, ann, ben)
    make(ann, "Only me")
    ann.page.set_viewport_size(NARROW)
    album.take(ann, "narrow-group-new")
    ann.page.locator(".chat-head").get_by_role("button", name="Back").click()
    album.take(ann, "narrow-group-list")
    ann.page.locator("button.row", has_text=TRIP).click()
    ann.page.locator(".note-line").last.wait_for()
    album.take(ann, "narrow-group-talk")
    about(ann)
    album.take(ann, "narrow-group-about")
