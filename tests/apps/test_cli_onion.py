"""Commands of people on an onion network of real processes, as `roost network demo` runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.crypto import SigningKey
from roost.network import SYSTEM_ENTROPY
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.links import LINK_VERSION, Invitation, InvitationKind
from tests.apps.processes import Person, Process, Relay
from tests.relay.onion_helpers import free_port

START_S = 180.0  # thirteen processes, and periods until all nodes keep mailboxes
WITHIN_S = 120.0
pytestmark = pytest.mark.timeout(600)
ONWARD = ["me", "entry", "middle", "exit", "swarm"]


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    """The link of a network with seven nodes."""
    running = Process("network", "demo", "--nodes", "7")
    try:
        link: str = running.next(START_S)["link"]
        yield link
        running.end()
    finally:
        running.close()


@pytest.fixture
def make(tmp_path: Path, network: str) -> Callable[..., Person]:
    def make(name: str, *options: str) -> Person:
        person = Person(tmp_path / name)
        person.one("init", "--name", name, "--onion", network, "--no-passphrase", *options)
        return person

    return make


def befriend(asker: Person, inviter: Person) -> None:
    assert asker.one("add", inviter.one("invite")["link"], "--greeting", "hello")["state"] == "requested"
    (request,) = inviter.until(lambda: inviter.lines("requests"), WITHIN_S)
    assert request["greeting"] == "hello"
    assert inviter.one("accept", request["id"])["contact"] == asker.account
    asker.until(lambda: asker.one("contacts")["state"] == "accepted", WITHIN_S)


def test_two_people_without_any_relay(make: Callable[..., Person], tmp_path: Path) -> None:
    alice, bob = make("Alice"), make("Bob")
    assert alice.one("whoami")["relays"][0].startswith("network-")
    (host,) = alice.one("status")["relays"]
    assert (host["reachable"], host["onion"]) == (True, True)
    befriend(alice, bob)
    (tmp_path / "photo.bin").write_bytes(b"photo" * 20_000)
    sent = alice.one("send", "Bob", "look", "--file", str(tmp_path / "photo.bin"), "--wait", "sent")
    assert sent["state"] == "sent"
    came = bob.until(lambda: bob.lines("read", "Alice"), WITHIN_S)[0]
    assert (came["id"], came["text"], came["network"]) == (sent["id"], "look", "onion")
    bob.one("save", came["id"], "--to", str(tmp_path / "saved.bin"))
    assert (tmp_path / "saved.bin").read_bytes() == b"photo" * 20_000
    bob.one("react", came["id"], "👍")
    assert bob.one("sync")["waiting"] == 0
    seen = alice.until(lambda: [row for row in alice.lines("read", "Bob") if row["state"] == "read"], WITHIN_S)[0]
    alice.until(lambda: alice.lines("read", "Bob")[0]["reactions"], WITHIN_S)
    assert seen["network"] == "onion"
    assert alice.one("contacts")["networks"] == ["onion"]

    way = alice.one("route", "Bob")
    assert [hop["party"] for hop in way["hops"]] == [*ONWARD, "exit", "middle", "their_entry", "contact"]
    entry = way["hops"][1]
    assert (entry["reachable"], bool(entry["name"])) in {(None, False), (True, True)}  # no agent runs
    assert (way["timing"], way["delays"]["fast"] < way["delays"]["mixed"]) == ("fast", True)
    assert alice.refused("route", "Bob", "central")["code"] == "not_available"


@pytest.mark.long
def test_groups_floors_and_mixed_timing(make: Callable[..., Person]) -> None:
    alice, bob = make("Alice"), make("Bob")
    befriend(alice, bob)
    chosen = alice.one("route", "Bob", "onion", "--floor", "onion", "--timing", "mixed")
    assert (chosen["prefers"], chosen["floor"], chosen["timing"], chosen["held"]) == ("onion", "onion", "mixed", False)
    assert alice.one("send", "Bob", "slowly", "--wait", "sent", "--timeout", "80")["state"] == "sent"
    bob.until(lambda: bob.texts("Alice")[-1] == "slowly", WITHIN_S)
    assert bob.one("route", "Alice")["their_floor"] == "onion"

    alice.one("group", "create", "Choir", "Bob")
    bob.until(lambda: [row for row in bob.lines("group", "list") if row["state"] == "active"], WITHIN_S)
    bob.one("send", "Choir", "la la", "--wait", "sent", "--timeout", "60")
    alice.until(lambda: "la la" in alice.texts("Choir"), WITHIN_S)
    assert [hop["party"] for hop in alice.one("route", "Choir")["hops"]] == [*ONWARD, "member"]


def test_a_relay_and_a_network(make: Callable[..., Person], tmp_path: Path, relay: Relay, network: str) -> None:
    alice, bob = make("Alice", "--relay", relay.link), Person(tmp_path / "Bob").init("Bob", relay)
    assert alice.one("whoami")["relays"][1].startswith("network-")
    befriend(bob, alice)
    bob.until(lambda: set(bob.one("contacts")["networks"]) == {"central", "onion"}, WITHIN_S)
    bob.one("route", "Alice", "onion")  # who uses no network oneself can write to one all the same
    bob.one("send", "Alice", "by the network", "--wait", "sent", "--timeout", "60")
    assert alice.until(lambda: alice.lines("read", "Bob"), WITHIN_S)[0]["network"] == "onion"
    assert bob.lines("read", "Alice")[0]["network"] == "onion"
    assert bob.one("relays", "add", network)["onion"]
    (first, second) = bob.lines("relays", "list")
    assert (first["primary"], second["second"], second["onion"]) == (True, True, True)


@pytest.mark.long
def test_a_group_on_a_network_of_others(tmp_path: Path, relay: Relay, network: str) -> None:
    """Whoever uses another one, or none, is told what to do, and the command does it."""
    alice, bob = (Person(tmp_path / name).init(name, relay) for name in ("Alice", "Bob"))
    befriend(bob, alice)
    bob.one("relays", "add", network)
    bob.one("relays", "remove", bob.lines("relays", "list")[0]["host"])
    bob.one("group", "create", "Choir", "Alice")
    bob.one("send", "Choir", "la la")
    alice.until(lambda: alice.lines("group", "list"), WITHIN_S)
    assert alice.one("route", "Choir")["foreign"]
    said = alice.process("route", "Choir").stdout.decode()
    assert "would learn your network address" in said
    assert "--enter" in said
    assert not alice.one("route", "Choir", "--enter")["foreign"]
    alice.until(lambda: "la la" in alice.texts("Choir"), WITHIN_S)


def test_what_leads_to_no_network_is_refused(tmp_path: Path, relay: Relay, network: str) -> None:
    nobody = Person(tmp_path / "nobody")
    assert nobody.refused("init", "--name", "N", "--onion", relay.link, "--no-passphrase")["code"] == "malformed_link"
    damaged = nobody.refused("init", "--name", "N", "--onion", network[:-3], "--no-passphrase")
    assert damaged["code"] == "malformed_link"
    assert nobody.process("init", "--name", "N", "--no-passphrase").returncode == 2
    assert not nobody.folder.exists()


def test_a_network_is_checked_as_a_relay_is(tmp_path: Path, network: str) -> None:
    report = Person(tmp_path / "nobody").one("relay", "check", network)
    assert (report["carrier"], report["reachable"], report["open"]) == ("onion", True, True)
    assert list(report["steps_ms"]) == ["directory", "entry", "create", "subscribe", "put", "deliver", "trim", "delete"]


def test_an_invitation_into_a_network_that_is_down(tmp_path: Path, relay: Relay) -> None:
    bob = Person(tmp_path / "Bob").init("Bob", relay)
    random = SYSTEM_ENTROPY.bytes
    nobody = RelayAddress("127.0.0.1", free_port(), SigningKey.generate(SYSTEM_ENTROPY).public.raw)
    host = OnionHost(random(32), (nobody,))
    invitation = Invitation(LINK_VERSION, InvitationKind.REUSABLE, host, random(16), random(16))
    error = bob.refused("add", str(invitation))
    assert error["code"] == "directory_unreachable"
    assert host.endpoint in error["message"]
    assert "invitation" in error["hint"]
