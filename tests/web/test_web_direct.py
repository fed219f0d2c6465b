"""People with no server, in the app: real agents on a network of the test's own, which their devices share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect

from roost.apps.web.site import STATIC
from tests.web.apart import Village, begin, carrier, presence, scan_each_other, village
from tests.web.people import CHROMIUM, WAIT_S, Person, command, roost
from tests.web.test_web_access import serious

pytestmark = pytest.mark.timeout(150)
WAIT_MS = WAIT_S * 1000
Two = tuple[Person, Person]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (apt install chromium)")
    if not (STATIC / "index.html").exists():
        pytest.skip("the web app is not built (make web)")
    with village(tmp_path_factory.mktemp("direct")) as made:
        yield made


@pytest.fixture(scope="module")
def met(place: Village) -> Two:
    """Alice and Bob, who began without any relay and scanned each other's codes."""
    with ThreadPoolExecutor() as pool:
        served = list(pool.map(place.host, ("alice", "bob")))
    alice, bob = (
        place.window(name, *one, browser=eyes.browser)
        for name, one, eyes in zip(("Alice", "Bob"), served, place.eyes, strict=True)
    )
    for person in (alice, bob):
        begin(person)
    scan_each_other(place, alice, bob)
    return alice, bob


@pytest.fixture
def two(met: Two) -> Iterator[Two]:
    """They, and at the end no window has complained, or asked anybody but its own agent."""
    yield met
    for person in met:
        assert person.complaints == []
        assert person.foreign == []


def test_two_who_are_near_talk(two: Two) -> None:
    alice, bob = two
    alice.say("no server at all")
    bob.sees("no server at all")
    alice.marks("no server at all", "read")
    expect(presence(alice)).to_have_text("In reach over the local network")
    assert alice.page.locator(".connection").count() == 0
    alice.menu("no server", "Details")
    alice.page.locator(".facts", has_text="Directly").wait_for()
    alice.close()

    alice.page.get_by_role("button", name="Route and privacy").click()
    panel = alice.page.get_by_role("complementary", name="Route and privacy")
    panel.get_by_text("Now over the local network").wait_for()
    expect(panel.get_by_role("heading", name="Somebody watching your connection")).to_be_visible()
    expect(panel.get_by_role("radio", name="Only through an onion network")).to_be_disabled()
    panel.get_by_role("button", name="Close").click()


def _turn(person: Person, name: str) -> None:
    """By keyboard."""
    carrier(person, name).get_by_role("switch").focus()
    person.page.keyboard.press("Space")


def test_what_waits_until_devices_meet(two: Two, tmp_path: Path) -> None:
    """Whoever is out of reach is shown as that; a file carries what waits; the rest goes out when they meet."""
    alice, bob = two
    alice.page.get_by_role("button", name="Route and privacy").click()
    bob.settings("Carriers")
    carrier(bob, "Local network").get_by_text("Ready · 1 device linked").wait_for()
    _turn(bob, "Local network")
    bob.page.get_by_text("Nobody could reach you any more").wait_for()
    bob.page.get_by_role("button", name="Turn it off").click()
    carrier(bob, "Local network").get_by_text("Off", exact=True).wait_for()
    bob.page.locator(".connection", has_text="All carriers are off").wait_for()
    expect(presence(alice)).to_have_text("Not in reach now", timeout=WAIT_MS)
    panel = alice.page.get_by_role("complementary", name="Route and privacy")
    panel.get_by_text("Your devices are not in reach of each other now").wait_for()

    alice.say("on a stick")
    expect(presence(alice)).to_have_text("1 message waits until your devices meet")
    alice.menu("on a stick", "Details")
    alice.page.get_by_text("Waiting until your devices meet").wait_for()
    alice.page.get_by_text("Waits for a device of Bob, which is not in reach now").wait_for()
    alice.close()

    file = tmp_path / "post"
    alice.settings("Couriers")
    alice.page.get_by_label("Where to").fill(str(file))
    alice.page.get_by_role("button", name="Write what waits").click()
    alice.page.get_by_text(f"in {file}").wait_for()
    alice.close()
    bob.page.get_by_role("tab", name="Couriers").click()
    bob.page.get_by_test_id("parcels").set_input_files(file)
    bob.page.get_by_text("Known already or not taken").wait_for()
    bob.page.get_by_test_id("parcels").set_input_files({"name": "x", "mimeType": "", "buffer": b"nothing of Roost's"})
    bob.page.locator(".toast.error").wait_for()
    bob.sees("on a stick")
    alice.say("when we meet")

    bob.page.get_by_role("tab", name="Carriers").click()
    _turn(bob, "Local network")
    carrier(bob, "Local network").get_by_text("Ready · 1 device linked").wait_for()
    bob.close()
    bob.sees("when we meet")
    panel.get_by_text("Now over the local network").wait_for()
    panel.get_by_role("button", name="Close").click()
    expect(presence(alice)).to_have_text("In reach over the local network")
    bob.complaints.clear()  # Chromium reports the answers that ask, and the file that was refused


def test_carriers_ask_and_say_why_not(two: Two) -> None:
    alice, _ = two
    alice.settings("Carriers")
    _turn(alice, "Internet")
    alice.page.get_by_text(
        "your contacts learn this device's address, and with it roughly where you are. Turn"
    ).wait_for()
    alice.page.get_by_role("button", name="Cancel").click()
    carrier(alice, "Internet").get_by_text("Off", exact=True).wait_for()
    _turn(alice, "Bluetooth")
    state = carrier(alice, "Bluetooth").get_by_role("status")
    expect(state).to_contain_text("Not ready")
    assert len(state.inner_text()) > len("Not ready") + 10, "no reason is given"
    _turn(alice, "Bluetooth")
    expect(state).to_have_text("Off")
    alice.page.get_by_role("tab", name="Relays").click()
    alice.page.get_by_text("No relay: messages wait on this device").wait_for()
    assert alice.page.get_by_role("button", name="Leave").count() == 0
    alice.close()
    alice.complaints.clear()  # Chromium reports the answer that asks


def test_tor_and_its_bridges(two: Two) -> None:
    """Whether there is a Tor here or not: bridges are kept, and conversations can be held to Tor alone."""
    alice, _ = two
    alice.settings("Carriers")
    _turn(alice, "Tor")
    expect(carrier(alice, "Tor").get_by_role("status")).not_to_contain_text("Off")
    bridge = f"192.0.2.7:443 {'0123456789ABCDEF' * 2}01234567"
    field = carrier(alice, "Tor").get_by_label("Bridges, one a line")
    field.fill(f"{bridge}\n\n")
    carrier(alice, "Tor").get_by_role("button", name="Save").click()
    alice.told("Saved; Tor starts anew")
    expect(field).to_have_value(bridge)
    assert command(alice.profile, "carriers", "set", "tor")[0]["bridges"] == [bridge]
    alice.close()

    alice.page.get_by_role("button", name="Route and privacy").click()
    panel = alice.page.get_by_role("complementary", name="Route and privacy")
    onion = panel.get_by_role("radio", name="Only through an onion network")
    expect(onion).to_be_enabled()
    panel.get_by_text("Only through an onion network").click()
    expect(onion).to_be_checked()
    alice.say("over Tor alone")
    expect(presence(alice)).to_contain_text("1 message waits", timeout=WAIT_MS)
    panel.get_by_text("Whatever way there is").click()
    alice.marks("over Tor alone", "read")
    panel.get_by_role("button", name="Close").click()
    alice.settings("Carriers")
    _turn(alice, "Tor")
    expect(carrier(alice, "Tor").get_by_role("status")).to_have_text("Off")
    alice.close()


def test_couriers_and_their_limits(two: Two) -> None:
    alice, _ = two
    alice.settings("Couriers")
    alice.page.get_by_text("Carry for my contacts").click()
    alice.page.get_by_label("Carried for (days)").fill("3")
    alice.page.get_by_role("button", name="Save").click()
    alice.page.get_by_role("button", name="Save").wait_for(state="detached")
    now = command(alice.profile, "courier")[0]
    assert (now["carries"], now["days"]) == (True, 3)
    alice.page.get_by_label("Carried for (days)").fill("0")
    alice.page.get_by_role("button", name="Save").click()
    alice.page.get_by_role("alert").wait_for()
    alice.page.get_by_text("Carry for my contacts").click()
    alice.page.get_by_role("heading", name="Limits").wait_for(state="detached")
    alice.close()
    assert command(alice.profile, "courier")[0]["carries"] is False


def test_people_nearby(two: Two, place: Village) -> None:
    """Showing oneself ends with the view; whoever is added is to be compared with."""
    alice, bob = two
    alice.page.get_by_role("button", name="Add a person").first.click()
    alice.page.get_by_role("tab", name="Nearby").click()
    alice.page.get_by_role("button", name="Show myself for 5 minutes").click()
    alice.page.get_by_text("Everybody on this network sees “Alice” now").wait_for()

    carol = place.folder / "carol"
    command(carol, "init", "--name", "Carol", "--direct", "--carrier", "lan", "--no-passphrase")
    with roost("--profile", str(carol), "--no-browser"):
        command(carol, "add", "--nearby", "Alice")
        request = alice.page.get_by_role("dialog").locator(".request", has_text="Carol")
        request.get_by_text("anybody can take any name").wait_for()
        request.get_by_role("button", name="Accept").click()
        alice.page.get_by_role("heading", name="Is it really Carol?").wait_for()
        alice.page.get_by_role("button", name="Compare now").click()
        alice.page.get_by_role("img", name="Safety number").wait_for()
        alice.close()
        for _ in range(20):
            if not (shown_still := command(carol, "nearby", "--seconds", "0")):
                break
        assert shown_still == [], "leaving the view did not end it"

        bob.page.get_by_role("button", name="Add a person").first.click()
        bob.page.get_by_role("tab", name="Nearby").click()
        with ThreadPoolExecutor() as pool:
            shown = pool.submit(command, carol, "nearby", "--show", "--seconds", "6")
            bob.page.get_by_role("dialog").get_by_role("button", name="Carol").click()
            bob.page.get_by_text("Ask Carol to become a contact?").wait_for()
            bob.page.get_by_role("button", name="Ask to become contacts").click()
            bob.page.get_by_role("heading", name="Is it really Carol?").wait_for()
            bob.page.get_by_role("button", name="Later").click()
            bob.page.get_by_role("dialog").wait_for(state="detached")
            shown.result()
        assert [row["name"] for row in command(carol, "requests")] == ["Bob"]


def test_a_relay_and_the_devices_themselves(place: Village) -> None:
    """Who has both is reached at the device while it is near, and at the relay otherwise; the panel knows both."""
    with roost("relay", "--data", str(place.folder / "relay"), "--listen", "127.0.0.1:0") as relay:
        gina = place.window("Gina", *place.host("gina"))
        page = gina.page
        page.get_by_label("Your name").fill("Gina")
        page.get_by_text("Nothing but my user account").click()
        page.get_by_label("Link of the relay").fill(relay["link"])
        page.get_by_text("Talk from device to device too").click()
        page.get_by_role("group", name="How may devices meet?").get_by_text("Tor", exact=True).click()
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_role("heading", name="Add the first person").wait_for()
        finn = place.folder / "finn"
        both = ("--relay", relay["link"], "--direct", "--carrier", "lan")
        command(finn, "init", "--name", "Finn", *both, "--no-passphrase")
        with roost("--profile", str(finn), "--no-browser"):
            command(finn, "add", command(gina.profile, "invite")[0]["link"])
            page.get_by_role("button", name="Accept").click()
            gina.open("Finn")
            expect(presence(gina)).to_have_text("In reach over the local network", timeout=WAIT_MS)
            page.get_by_role("button", name="Route and privacy").click()
            panel = page.get_by_role("complementary", name="Route and privacy")
            panel.get_by_text("Now over the local network").wait_for()
            panel.get_by_role("heading", name="Addresses of Finn").wait_for()
            panel.get_by_text(f"Relay {relay['listen']}", exact=True).wait_for()
            panel.get_by_text("Their device itself").wait_for()
        expect(presence(gina)).to_have_text("Through one relay", timeout=WAIT_MS)
        panel.get_by_role("heading", name="Through one relay").wait_for()
        gina.say("at the relay")
        gina.marks("at the relay", "sent")
        gina.settings("Relays")
        page.get_by_text("This device keeps mailboxes of its own too").wait_for()
    assert gina.foreign == []


def test_a_relay_at_home_beside_this_device(place: Village) -> None:
    """A link without an address lets one choose how to meet; only the relay can be left; its absence is nothing bad."""
    with roost("relay", "--data", str(place.folder / "home"), "--carrier", "lan") as relay:
        dora = place.window("Dora", *place.host("dora"))
        page = dora.page
        begin(dora, relay["link"])
        dora.settings("Relays")
        page.get_by_text("Relay at home", exact=True).wait_for()
        page.get_by_text("in reach · home-").wait_for()
        page.get_by_text("This device keeps mailboxes of its own too").wait_for()
        page.get_by_role("button", name="Leave").click()
        page.get_by_text("Then you have none").wait_for()
        page.get_by_role("button", name="Cancel").click()
    page.get_by_text("not in reach now · home-").wait_for()
    page.locator(".connection", has_text="Your relay at home is not in reach").wait_for()
    assert dora.complaints == []
    assert dora.foreign == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_and_narrow(two: Two, theme: str) -> None:
    """Nothing serious for axe; nothing wider than 360 pixels."""
    alice, _ = two
    page = alice.page
    alice.settings("Appearance")
    page.get_by_text(theme, exact=True).click()
    problems = {}
    page.set_viewport_size({"width": 360, "height": 720})
    for tab in ("Relays", "Carriers", "Couriers"):
        page.get_by_role("tab", name=tab).click()
        problems[tab] = serious(alice) + _wide(alice)
    alice.close()
    page.set_viewport_size({"width": 1180, "height": 780})
    page.get_by_role("button", name="Route and privacy").click()
    problems["route"] = serious(alice)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a person").first.click()
    page.set_viewport_size({"width": 360, "height": 720})
    page.get_by_role("tab", name="Nearby").click()
    page.get_by_role("button", name="Show myself").wait_for()
    problems["nearby"] = serious(alice) + _wide(alice)
    page.set_viewport_size({"width": 1180, "height": 780})
    alice.close()
    assert all(found == [] for found in problems.values()), problems


def _wide(person: Person) -> list[str]:
    width = person.page.evaluate("() => document.documentElement.scrollWidth")
    return [f"{width} pixels wide"] if width > 360 else []
