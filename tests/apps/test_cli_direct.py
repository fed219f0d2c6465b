"""People without any relay, by commands in real processes that meet on a local network of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.apps.processes import Person, Process, Relay
from tests.network.direct.one_network import alone

CARRIERS = ("lan", "bluetooth", "internet", "tor")


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with alone():
        yield


@pytest.fixture
def alice(tmp_path: Path) -> Person:
    return made(tmp_path, "Alice")


@pytest.fixture
def bob(tmp_path: Path) -> Person:
    return made(tmp_path, "Bob")


def made(folder: Path, name: str, *options: str) -> Person:
    person = Person(folder / name.lower())
    shown = person.one("init", "--name", name, "--direct", "--carrier", "lan", "--no-passphrase", *options)
    assert shown["relays"] == ["this device"]
    return person


def befriend(alice: Person, bob: Person) -> None:
    """Alice's agent runs."""
    assert bob.one("add", alice.one("invite")["link"], "--greeting", "hi")["state"] == "requested"
    (asked,) = alice.lines("requests")
    assert (asked["name"], asked["greeting"], asked["nearby"]) == ("Bob", "hi", False)
    assert alice.one("accept", "Bob") == {"contact": bob.account, "name": "Bob", "compare": False}
    bob.until(lambda: [each for each in bob.lines("contacts") if each["state"] == "accepted"])


def test_two_people_talk_without_a_relay(alice: Person, bob: Person) -> None:
    with alice.agent():
        befriend(alice, bob)
        sent = bob.one("send", "Alice", "no server at all", "--wait", "delivered")
        assert sent["state"] == "delivered"
        assert alice.texts("Bob") == ["no server at all"]
        (message,) = alice.lines("read", "Bob")
        assert message["network"] == "direct"
        assert bob.one("send", "Alice", "without waiting")["state"] in ("queued", "sent")
        bob.until(lambda: bob.one("status")["waiting"] == 0)

        answer = alice.one("send", "Bob", "Bob is not there")
        assert answer["state"] == "queued"
        bob.until(lambda: bob.texts("Alice")[-1] == "Bob is not there")

    waiting = bob.one("send", "Alice", "nobody hears this")
    assert waiting["state"] == "queued"
    assert "not near" in waiting["reason"]
    late = bob.refused("send", "Alice", "nor this", "--wait", "delivered", "--timeout", "2")
    assert late["code"] == "not_reached"
    assert "not near" in late["message"]
    assert "roost agent" in late["hint"]
    assert bob.one("sync")["waiting"] == 2
    with alice.agent():
        bob.until(lambda: bob.one("status")["waiting"] == 0)
        assert alice.texts("Bob")[-2:] == ["nobody hears this", "nor this"]


def test_the_route_names_the_carrier(alice: Person, bob: Person) -> None:
    with alice.agent():
        befriend(alice, bob)
        shown = bob.until(lambda: next((each for each in bob.lines("route", "Alice") if each["carrier"]), None))
        assert (shown["network"], shown["carrier"], shown["note"]) == ("direct", "lan", "")
        assert [(hop["party"], hop["reachable"]) for hop in shown["hops"]] == [("me", None), ("contact", True)]
        held = bob.one("route", "Alice", "direct", "--floor", "federated")
        assert (held["floor"], held["held"], held["prefers"]) == ("federated", False, "direct")
        assert bob.one("route", "Alice", "any")["prefers"] is None
        assert bob.refused("route", "Alice", "federated")["code"] == "not_available"  # there is no such way
        assert bob.refused("route", "Alice", "--timing", "mixed")["code"] == "not_available"
        assert bob.refused("route", "Alice", "--floor", "direct")["code"] == "not_available"
        assert bob.refused("route", "Alice", "--floor", "onion")["code"] == "not_available"
    apart = bob.one("route", "Alice")
    assert (apart["network"], apart["carrier"], apart["hops"][-1]["reachable"]) == ("direct", "", False)
    assert "in reach" in apart["note"]


def test_a_device_is_no_relay(alice: Person) -> None:
    assert alice.one("whoami")["relays"] == ["this device"]
    status = alice.one("status")
    (host,) = status["relays"]
    assert (status["connected"], host["link_host"], host["reachable"], host["here"]) == (
        True,
        "this device",
        True,
        True,
    )
    (listed,) = alice.lines("relays", "list")
    assert (listed["host"], listed["here"], listed["primary"]) == ("this device", True, True)
    for name in ("this device", "device-00000000"):
        assert alice.refused("relays", "remove", name)["code"] in ("own_host", "unknown_relay")
    assert alice.lines("relays", "list") == [listed]


def test_carriers_are_turned_on_and_off(alice: Person, bob: Person) -> None:
    shown = {each["carrier"]: each for each in alice.lines("carriers")}
    assert tuple(shown) == CARRIERS
    assert [name for name in CARRIERS if shown[name]["on"]] == ["lan"]
    assert (shown["lan"]["ready"], shown["lan"]["why"]) == (True, "")
    assert all(shown[name]["why"] and shown[name]["hint"] for name in CARRIERS if name != "lan")

    refused = alice.refused("carriers", "on", "internet")
    assert refused["code"] == "shows_address"
    assert "--yes" in refused["hint"]
    on = {each["carrier"]: each["on"] for each in alice.lines("carriers", "on", "internet", "--yes")}
    assert on["internet"]
    off = {each["carrier"]: each["on"] for each in alice.lines("carriers", "off", "internet")}
    assert not off["internet"]

    warned = alice.process("--json", "carriers", "off", "lan")
    assert warned.returncode == 0
    assert b"Nobody could reach you" in warned.stderr
    with bob.agent():
        assert alice.refused("add", bob.one("invite")["link"])["code"] == "carriers_off"
        alice.lines("carriers", "on", "lan")
        assert alice.one("add", bob.one("invite")["link"])["state"] == "requested"


def test_how_carriers_reach_what_they_need_is_kept(alice: Person) -> None:
    bridge = "obfs4 192.0.2.1:443 0123456789ABCDEF0123456789ABCDEF01234567 cert=abc iat-mode=0"
    assert alice.one("carriers", "set", "tor", "--bridge", bridge, "--control", "127.0.0.1:9051")["bridges"] == [bridge]
    alice.one("carriers", "set", "bluetooth", "--adapter", "usb:0")
    alice.one("carriers", "set", "internet", "--port", "40000", "--address", "203.0.113.5:40000")
    kept = alice.one("carriers", "set", "tor")
    assert (kept["bridges"], kept["control"], kept["adapter"]) == ([bridge], "127.0.0.1:9051", "usb:0")
    assert (kept["port"], kept["external"], kept["has_password"]) == (40000, ["203.0.113.5:40000"], False)
    back = alice.one("carriers", "set", "tor", "--no-bridges", "--control", "")
    assert (back["bridges"], back["control"]) == ([], "")
    assert alice.refused("carriers", "set", "tor", "--bridge", "a\nb")["code"] == "bad_setting"


def test_who_opens_each_others_links_need_not_accept(alice: Person, bob: Person) -> None:
    with alice.agent(), bob.agent():
        to_alice, to_bob = alice.one("invite")["link"], bob.one("invite")["link"]
        assert bob.one("add", to_alice)["state"] == "requested"
        assert alice.one("add", to_bob)["state"] == "accepted"
        assert alice.one("send", "Bob", "at once", "--wait", "delivered")["state"] == "delivered"
        assert bob.texts("Alice") == ["at once"]


def test_people_nearby_become_contacts(alice: Person, bob: Person) -> None:
    with alice.agent() as agent, nearby(bob, "--show", "--seconds", "90") as shown:
        assert alice.refused("add", "--nearby", "Nobody")["code"] == "unknown_nearby"
        asked = alice.one("add", "--nearby", "Bob", "--greeting", "over there")
        assert (asked["state"], asked["compare"]) == ("requested", True)
        (request,) = bob.until(lambda: bob.lines("requests"))
        assert (request["name"], request["nearby"]) == ("Alice", True)
        assert "safety number" in request["warning"]
        assert bob.one("accept", "Alice")["compare"] is True
        alice.until(lambda: [each for each in alice.lines("contacts") if each["state"] == "accepted"])
        number = alice.one("verify", "Bob")["safety_number"]
        assert number == bob.one("verify", "Alice")["safety_number"]
        with nearby(alice, "--show", "--seconds", "30"):
            assert shown.next()["name"] == "Alice"
        assert agent.process.poll() is None


class nearby:
    """`roost nearby` while the context lasts."""

    def __init__(self, person: Person, *options: str) -> None:
        self._process = Process("nearby", *options, "--profile", str(person.folder), **person.variables)

    def __enter__(self) -> Process:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.end()
        self._process.close()


def test_a_courier_and_a_file(alice: Person, bob: Person, tmp_path: Path) -> None:
    off = alice.one("courier")
    assert (off["carries"], off["uses"], off["parcels"]) == (False, False, 0)
    on = alice.one("courier", "on")
    assert (on["carries"], on["uses"]) == (True, True)
    limits = alice.one("courier", "limits", "--hops", "1", "--age", "3d", "--size", "200M", "--rate", "1M", "--no-use")
    assert (limits["hops"], limits["days"], limits["size"], limits["rate"]) == (1, 3, 200 * 2**20, 2**20)
    assert (limits["carries"], limits["uses"]) == (True, False)
    assert alice.refused("courier", "limits", "--hops", "99")["code"] == "bad_setting"
    assert alice.one("courier", "off")["carries"] is False

    with alice.agent():
        befriend(alice, bob)
    bob.one("send", "Alice", "on a stick")
    file = tmp_path / "post.parcels"
    out = bob.one("carry", "export", str(file), "--to", "Alice")
    assert out["ok"] is True
    assert (out["path"], out["mine"], out["size"]) == (str(file), out["parcels"], file.stat().st_size)
    assert bob.refused("carry", "export", str(file))["code"] == "file_exists"
    read = alice.one("carry", "import", str(file))
    assert (read["mine"], read["lost"]) == (out["parcels"], 0)
    assert alice.texts("Bob") == ["on a stick"]
    assert alice.refused("carry", "import", str(tmp_path))["code"] == "not_a_file"


def test_a_second_device_without_a_relay(alice: Person, tmp_path: Path) -> None:
    new = Person(tmp_path / "new")
    with alice.agent():
        code = new.one("device", "link", "--direct", "--carrier", "lan", "--name", "laptop", "--no-passphrase")["code"]
        with new.agent():
            assert alice.one("device", "link", "--confirm", code)["name"] == "laptop"
            assert new.until(lambda: new.one("whoami")["account"] == alice.account)
    assert [each["name"] for each in new.lines("device", "list") if each["this"]] == ["laptop"]


def test_a_relay_and_a_device_together(make_relay: Callable[[], Relay], bob: Person, tmp_path: Path) -> None:
    relay = make_relay()
    both = Person(tmp_path / "both")
    shown = both.one("init", "--name", "Ann", "--relay", relay.link, "--direct", "--carrier", "lan", "--no-passphrase")
    assert shown["relays"] == [relay.listen, "this device"]
    hosts = [(each["host"], each["here"], each["reachable"]) for each in both.lines("relays", "list")]
    assert hosts == [(relay.listen, False, True), ("this device", True, True)]
    both.lines("carriers", "off", "lan")
    assert both.refused("relays", "remove", relay.listen)["code"] == "last_relay"
    both.lines("carriers", "on", "lan")
    assert both.one("relays", "remove", relay.listen)["done"] == "removed"
    assert both.one("whoami")["relays"] == ["this device"]
    with both.agent():
        befriend(both, bob)
        assert bob.one("send", "Ann", "by the device", "--wait", "delivered")["state"] == "delivered"


def test_wrong_words(tmp_path: Path) -> None:
    nobody = Person(tmp_path / "nobody")
    for line in (
        ("init", "--name", "A"),
        ("init", "--name", "A", "--carrier", "lan"),
        ("init", "--name", "A", "--direct", "--carrier", "pigeon"),
        ("add",),
        ("add", "roost:x", "--nearby", "Bob"),
        ("carriers", "on"),
        ("carriers", "on", "pigeon"),
        ("carriers", "set", "tor", "--bridge", "x", "--no-bridges"),
        ("courier", "limits", "--size", "much"),
        ("carry", "export"),
        ("device", "link", "--confirm", "x", "--direct"),
    ):
        assert nobody.process(*line).returncode == 2, line
