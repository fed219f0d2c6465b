"""A channel in the web app: made, read by its link by people who are no contacts, posted to, moderated, ended."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.web.people import WAIT_S, Person, Stage
from tests.web.test_web_access import serious

pytestmark = pytest.mark.timeout(150)
WAIT_MS = WAIT_S * 1000
NEWS = "Harbour news"


@pytest.fixture(scope="module")
def link(stage: Stage, olga: Person) -> str:
    """Olga's channel."""
    page = olga.page
    page.get_by_role("button", name="Add a person").first.click()
    page.get_by_role("button", name="New channel").click()
    dialog = page.get_by_role("dialog", name="New channel")
    dialog.get_by_label("Name of the channel").fill(NEWS)
    dialog.get_by_label("What it is about").fill("Tides and boats")
    dialog.get_by_label("Your name in the channel").fill("Harbour master")
    dialog.get_by_role("button", name="Make the channel").click()
    link = page.get_by_test_id("invitation").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    olga.say("Low water at noon")
    return link


@pytest.fixture(scope="module")
def olga(stage: Stage) -> Person:
    return stage.person("Olga")


@pytest.fixture(scope="module")
def reader(stage: Stage, link: str) -> Person:
    """Rita, who knows nobody and follows the link."""
    rita = stage.person("Rita")
    page = rita.page
    page.get_by_role("button", name="Add a person").first.click()
    page.get_by_role("tab", name="I have a link").click()
    page.get_by_label("Invitation link").fill(link)
    page.get_by_text("This link leads to a channel").wait_for()
    page.get_by_label("Your name in the channel").fill("Gull")
    page.get_by_role("button", name="Read the channel").click()
    page.get_by_role("dialog").wait_for(state="detached")
    page.locator(".chat-name", has_text=NEWS).wait_for()
    return rita


def about(person: Person) -> Locator:
    panel = person.page.get_by_role("complementary", name="About the channel")
    if not panel.is_visible():
        person.page.locator(".chat-head").get_by_role("button", name="About the channel", exact=True).click()
    panel.get_by_test_id("pseudonym").wait_for()
    return panel


def close_panel(person: Person) -> None:
    person.page.get_by_role("complementary").get_by_role("button", name="Close").click()


def test_read_only_then_let_write(olga: Person, reader: Person) -> None:
    reader.sees("Low water at noon")
    expect(reader.page.locator(".author").first).to_contain_text("Harbour master")
    reader.page.locator(".composer-note", has_text="Only some may write").wait_for()
    message = reader.page.locator(".message", has_text="Low water")
    message.hover()
    assert message.get_by_role("button", name="React").count() == 0
    pseudonym = about(reader).get_by_test_id("pseudonym").inner_text()
    close_panel(reader)
    about(olga).get_by_role("button", name="Let somebody write").click()
    dialog = olga.page.get_by_role("dialog", name="Let somebody write")
    dialog.get_by_label("Pseudonym").fill(pseudonym)
    dialog.get_by_role("button", name="Let somebody write").click()
    dialog.wait_for(state="detached")
    close_panel(olga)
    reader.page.locator(".composer textarea").wait_for()
    reader.say("A seal in the basin!")
    olga.sees("A seal in the basin!")
    expect(olga.page.locator(".message", has_text="A seal").locator(".author")).to_contain_text("Gull")
    reader.marks("A seal in the basin!", "sent")


def test_moderation(olga: Person, reader: Person) -> None:
    """A post is removed for everybody; who is banned is told, and seen by nobody."""
    reader.say("buy my boat")
    olga.sees("buy my boat")
    olga.menu("buy my boat", "Delete")
    olga.page.get_by_role("button", name="Delete for everyone").click()
    reader.page.locator(".bubble", has_text="Deleted message").wait_for()
    about(olga).get_by_role("button", name="Change the channel").click()
    dialog = olga.page.get_by_role("dialog", name="Change the channel")
    dialog.get_by_label("Slow mode").select_option("5 minutes")
    dialog.get_by_label("Name of the channel").fill(f"{NEWS} <b>today</b>")
    dialog.get_by_role("button", name="Save").click()
    dialog.wait_for(state="detached")
    reader.page.locator(".chat-name", has_text="<b>today</b>").wait_for()
    olga.menu("A seal", "Ban the author")
    dialog = olga.page.get_by_role("dialog", name="Ban")
    dialog.get_by_role("button", name="Ban", exact=True).click()
    dialog.wait_for(state="detached")
    reader.page.locator(".composer-note").wait_for(timeout=WAIT_MS)
    expect(about(reader)).to_contain_text("You were banned here")
    close_panel(reader)
    about(olga).get_by_role("button", name="More about Gull").click()
    olga.page.get_by_role("menuitem", name="End the ban").click()
    reader.page.locator(".composer textarea").wait_for(timeout=WAIT_MS)
    close_panel(olga)


def test_axe_finds_nothing_serious(olga: Person, reader: Person) -> None:
    problems = {"reader": serious(reader)}
    about(olga)
    problems["panel"] = serious(olga)
    for name in ("Link of the channel", "Change the channel", "Let somebody write"):
        about(olga).get_by_role("button", name=name).click()
        olga.page.get_by_role("dialog").wait_for()
        problems[name] = serious(olga)
        olga.close()
    close_panel(olga)
    assert [f"{name}: {row}" for name, found in problems.items() for row in found] == []


def test_moved(olga: Person, reader: Person) -> None:
    about(olga).get_by_role("button", name="Move the channel").click()
    olga.page.get_by_role("dialog").get_by_role("button", name="Move the channel").click()
    olga.page.get_by_role("dialog").wait_for(state="detached")
    close_panel(olga)
    olga.say("From the new pier")
    reader.sees("From the new pier")


def test_left_and_ended(olga: Person, reader: Person) -> None:
    reader.more("Leave the channel")
    dialog = reader.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Leave the channel").click()
    reader.page.locator("button.row", has_text=NEWS).wait_for(state="detached")
    olga.more("End the channel")
    dialog = olga.page.get_by_role("dialog")
    dialog.get_by_role("button", name="End the channel").click()
    olga.page.locator("button.row", has_text=NEWS).wait_for(state="detached")
    for person in (olga, reader):
        assert person.foreign == []
        assert person.complaints == []
