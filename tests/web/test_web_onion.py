"""Onion networks in the app: the first start with a network's link, two people who have nothing else, the way shown."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from roost.messaging.records import Changes, OnionMemory
from roost.network import SYSTEM_ENTROPY
from roost.store import ProfileFolder
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.links import RelayLink
from tests.web.onion import OnionStage, become_contacts, begin, names, network, panel
from tests.web.people import WAIT_S, Person, Stage, command, roost
from tests.web.test_web_access import serious
from tests.web.test_web_groups import about, leave_panel, make

pytestmark = pytest.mark.timeout(150)
Two = tuple[Person, Person]


def _link() -> str:
    """A whole link, of a network that does not run."""
    return str(RelayLink(OnionHost(bytes(range(32)), (RelayAddress("127.0.0.1", 9, bytes(32)),))))


def test_what_is_wrong_with_a_link_is_said_where_it_stands(stage: Stage) -> None:
    """Before anything is asked: a damaged link, somebody's invitation, and a link in the other field."""
    page = (nina := stage.window("Nina", *stage.host("nina"))).page
    page.get_by_label("Your name").fill("Nina")
    page.get_by_text("Nothing but my user account").click()
    page.get_by_text("In an onion network I was given a link to").click()
    page.get_by_text("no station on the way knows both ends").wait_for()
    field = page.get_by_label("Link of the onion network")
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_disabled()
    whole = _link()
    for broken in (whole[:-1], whole[:40] + ("A" if whole[40] != "A" else "B") + whole[41:], whole + " x"):
        field.fill(broken)
        page.get_by_role("alert").filter(has_text="This link is damaged").wait_for()
        expect(start).to_be_disabled()
    assert serious(nina) == []
    field.fill("roost:" + "A" * 60)
    page.get_by_role("alert").filter(has_text="This is not an onion network's link").wait_for()
    field.fill(f"  {whole} ")
    page.get_by_role("alert").wait_for(state="detached")
    expect(start).to_be_enabled()

    field.fill(stage.relay)
    expect(page.get_by_role("radio", name="At a relay I was given a link to")).to_be_checked()
    expect(page.get_by_label("Link of the relay")).to_be_focused()
    page.get_by_label("Link of the relay").fill(whole)
    expect(page.get_by_role("radio", name="In an onion network I was given a link to")).to_be_checked()
    assert serious(nina) == []
    assert nina.complaints == []
    assert nina.foreign == []


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnionStage]:
    with network(tmp_path_factory.mktemp("onion"), browser) as made:
        yield made


@pytest.fixture(scope="module")
def away(place: OnionStage) -> Path:
    """Eve's profile, made while the network was there; then its list of nodes became too old."""
    path = place.folder / "eve"
    command(path, "init", "--name", "Eve", "--onion", place.relay, "--no-passphrase")
    with contextlib.closing(ProfileFolder.open(path).unlock(SYSTEM_ENTROPY)) as profile:
        lists = [row for row in profile.store.find(OnionMemory) if row.name.endswith("/consensus")]
        profile.store.apply(Changes(delete=tuple((OnionMemory, (row.name,)) for row in lists)))
    return path


@pytest.fixture(scope="module")
def two(place: Stage) -> Iterator[Two]:
    """Alice and Bob, who have nothing but an address in an onion network each, and became contacts in it."""
    with ThreadPoolExecutor() as pool:
        served = list(pool.map(place.host, ("alice", "bob")))
    alice, bob = (place.window(name, *one) for name, one in zip(("Alice", "Bob"), served, strict=True))
    for person in (alice, bob):
        begin(person, place.relay)
    become_contacts(alice, bob)
    yield alice, bob
    for person in (alice, bob):
        assert person.complaints == []
        assert person.foreign == []


def test_two_who_have_only_an_onion_address_talk(two: Two) -> None:
    alice, bob = two
    alice.say("through three stations")
    bob.sees("through three stations")
    bob.say("and back through three others")
    alice.sees("and back through three others")
    alice.marks("through three stations", "read")
    expect(alice.page.locator(".presence")).to_have_text("Through an onion network")
    assert alice.page.locator(".connection").count() == 0
    alice.menu("through three stations", "Details")
    alice.page.locator(".facts", has_text="Through an onion network").wait_for()
    alice.page.locator(".facts", has_text="In the mailbox").wait_for()
    alice.close()


def test_the_panel_shows_the_stations_of_both_sides(two: Two) -> None:
    """The way that the agent tells, in the picture and in the table; what is chosen is kept, and by keys too."""
    alice, bob = two
    shown = panel(alice)
    shown.get_by_role("heading", name="Through an onion network", exact=True).wait_for()
    assert names(shown.locator(".hops > .hop")) == [
        "You",
        "Your side",
        "The mailbox's stations",
        "Bob's side",
        "Bob",
    ]
    mine = shown.get_by_role("list", name="Your side").locator(".station")
    assert names(mine) == ["Entry", "Middle", "Exit"]
    for station in mine.all():  # the guard to which this device is linked, and two as the next packet may take
        expect(station.locator("bdi")).to_contain_text("127.0.0.1:")
    keeping = shown.locator(".hop", has_text="The mailbox's stations").locator("bdi")
    assert len(keeping.inner_text().split(", ")) == 3
    assert names(shown.get_by_role("list", name="Bob's side").locator(".station")) == ["Exit", "Middle", "Entry"]
    entry = shown.locator(".parties li", has_text="Your entry station")
    assert "your network address" in entry.locator(".sees").inner_text()
    assert "that the two of you talk at all" in entry.locator(".hidden").inner_text()
    keeping = shown.locator(".parties li", has_text="The mailbox's stations")
    assert "your network address" in keeping.locator(".hidden").inner_text()
    expect(shown.get_by_role("radiogroup", name="Which way first?")).to_have_count(0)  # there is one way alone

    timing = shown.get_by_role("radiogroup", name="How fast through the onion network?")
    fast, mixed = timing.get_by_role("radio", name="At once"), timing.get_by_role("radio", name="Mixed with others")
    expect(fast).to_be_checked()
    expect(timing.get_by_text(re.compile(r"There after about (a|\d+) (second|minute)"))).to_have_count(2)
    fast.focus()
    alice.page.keyboard.press("ArrowDown")
    expect(mixed).to_be_checked()
    assert command(alice.profile, "route", "Bob")[0]["timing"] == "mixed"
    assert command(bob.profile, "route", "Alice")[0]["timing"] == "fast"  # everybody's own choice
    alice.page.keyboard.press("ArrowUp")
    expect(fast).to_be_checked()

    shown.get_by_text("Only through an onion network").click()
    expect(shown.get_by_role("radio", name="Only through an onion network")).to_be_checked()
    shown.get_by_role("radio", name="Only through an onion network").focus()  # far down: the panel alone scrolls
    assert alice.page.evaluate(SCROLLED) == 0
    alice.say("still the only way there is")
    bob.sees("still the only way there is")
    panel(bob).get_by_text("Alice asks for a stricter way").wait_for()
    for person in two:
        assert serious(person) == []
        panel(person).get_by_role("button", name="Close").click()


SCROLLED = "() => [document.documentElement, document.body].reduce((sum, element) => sum + element.scrollTop, 0)"


def test_a_group_in_the_network(two: Two) -> None:
    alice, bob = two
    make(alice, "Lake", "Bob")
    bob.open("Lake")
    alice.say("all of us through three stations")
    bob.sees("all of us through three stations")
    shown = about(alice)
    shown.get_by_role("heading", name="Through an onion network", exact=True).wait_for()
    assert names(shown.locator(".hops > .hop")) == ["You", "Your side", "The mailbox's stations", "The other members"]
    shown.get_by_text("What is said is kept in an onion network").wait_for()
    shown.get_by_role("radio", name="Mixed with others").focus()
    alice.page.keyboard.press("Space")
    expect(shown.get_by_role("radio", name="Mixed with others")).to_be_checked()
    assert serious(alice) == []
    leave_panel(alice)
    for person, other in ((alice, bob), (bob, alice)):
        person.open(other.name)


def test_the_settings_know_the_network(two: Two) -> None:
    alice, _ = two
    alice.settings("Relays and networks")
    row = alice.page.get_by_role("listitem").filter(has_text="Onion network")
    row.get_by_text("connected").wait_for()
    expect(row.get_by_role("button", name="Leave")).to_have_count(0)  # the only place where messages wait
    assert serious(alice) == []
    alice.close()


def test_another_way_beside_it(two: Two, place: Stage) -> None:
    """Bob takes a relay too: which way first is Alice's choice, and the panel follows. He leaves the network, which is
    asked about before: what the floor forbids waits."""
    alice, bob = two
    shown = panel(alice)
    shown.get_by_text("Whatever way there is").click()
    with roost("relay", "--data", str(place.folder / "relay"), "--listen", "127.0.0.1:0") as relay:
        bob.settings("Relays and networks")
        bob.page.get_by_label("Link of a relay or an onion network").fill(relay["link"])
        bob.page.get_by_role("button", name="Add the relay").click()
        bob.page.get_by_role("listitem").filter(has_text=relay["listen"]).get_by_text("connected").wait_for()

        first = shown.get_by_role("radiogroup", name="Which way first?")
        expect(first.get_by_role("radio", name="Whichever is there")).to_be_checked(timeout=WAIT_S * 1000)
        first.get_by_text("Through an onion network to a relay").click()
        shown.get_by_role("heading", name="Through an onion network to a relay").wait_for()
        assert names(shown.locator(".hops > .hop")) == [
            "You",
            "Your side",
            "The station that passes it on",
            "Bob's relay",
            "Bob",
        ]
        alice.say("to your relay")
        bob.sees("to your relay")
        first.get_by_text("Through an onion network", exact=True).click()
        shown.get_by_role("list", name="Bob's side").wait_for()

        shown.get_by_text("Only through an onion network").click()
        row = bob.page.get_by_role("listitem").filter(has_text="Onion network")
        row.get_by_role("button", name="Leave").click()
        leave = bob.page.get_by_role("dialog", name="Leave")
        leave.get_by_text("conversations that may take no other way wait").wait_for()
        leave.get_by_role("button", name="Leave").click()
        row.wait_for(state="detached")
        bob.close()
        shown.locator(".notice", has_text="allows only an onion network").wait_for()
        alice.say("not by a relay")
        alice.page.locator(".presence", has_text="the way is not private enough").wait_for()
        shown.get_by_text("Whatever way there is").click()
        bob.sees("not by a relay")


def test_a_group_in_a_network_of_others(stage: Stage, place: Stage) -> None:
    """Dave goes to a network that Carol does not use, and adds her to a group there: she is asked."""
    carol = stage.person("Carol")
    dave = stage.profile("Dave")
    command(dave, "add", command(carol.profile, "invite")[0]["link"])
    carol.page.get_by_role("button", name="Accept").click()
    carol.open("Dave")
    command(dave, "sync")
    command(dave, "relays", "add", place.relay)
    command(dave, "relays", "remove", command(dave, "relays", "list")[0]["host"])
    command(dave, "group", "create", "Choir", "Carol")
    command(dave, "send", "Choir", "la la")
    row = carol.page.locator("button.row", has_text="Choir")
    row.click()
    notice = carol.page.locator(".chat .notice", has_text="would learn your network address")
    notice.wait_for()
    assert serious(carol) == []
    notice.get_by_role("button", name="Use this network").click()
    carol.sees("la la")
    notice.wait_for(state="detached")
    assert carol.complaints == []


def test_a_network_that_is_gone(two: Two, place: OnionStage, away: Path) -> None:
    """Nothing is lost: what one writes waits, and the window says for what."""
    alice, _ = two
    place.go_dark()
    alice.page.locator(".connection", has_text="No way into the onion network now").wait_for()
    expect(panel(alice).locator(".station.down")).to_have_count(1, timeout=30_000)
    alice.say("into the dark")
    alice.page.locator(".presence", has_text="1 message waits for a connection").wait_for()
    alice.settings("Relays and networks")
    alice.page.get_by_role("listitem").filter(has_text="Onion network").get_by_text("building a path").wait_for()
    assert serious(alice) == []
    alice.close()


def test_a_network_without_a_list_of_its_stations(place: OnionStage, away: Path) -> None:
    """Who was away for long, and finds nobody who has a newer one: it is said, and what to do."""
    place.go_dark()
    eve = place.window("Eve", *place.host("eve"))
    bar = eve.page.locator(".connection", has_text="No current list of the onion network's stations")
    bar.get_by_text("tell those who run the network").wait_for()
    eve.settings("Relays and networks")
    eve.page.get_by_role("listitem").filter(has_text="no current list of its stations yet").wait_for()
    assert serious(eve) == []
    assert eve.complaints == []
