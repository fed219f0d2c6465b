"""Two people at two relays, and relays that stop, come back and die."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps.processes import Person, Relay


@pytest.fixture
def other_relay(make_relay: Callable[..., Relay]) -> Relay:
    return make_relay()


@pytest.fixture
def carol(make_person: Callable[..., Person], other_relay: Relay) -> Person:
    return make_person("Carol", other_relay)


def test_two_relays_need_no_extra_step(alice: Person, carol: Person, tmp_path: Path) -> None:
    asked = carol.one("add", alice.one("invite")["link"], "--greeting", "from afar")
    (request,) = alice.until(lambda: alice.lines("requests"))
    assert (request["name"], request["greeting"]) == ("Carol", "from afar")
    alice.one("accept", request["id"])
    carol.until(lambda: carol.one("contacts")["state"] == "accepted")
    assert carol.one("contacts")["networks"] == ["federated"]
    assert asked["contact"] == alice.account

    (tmp_path / "file").write_bytes(b"federated" * 20_000)
    sent = alice.one("send", "Carol", "hello over there", "--file", str(tmp_path / "file"), "--wait", "sent")
    (message,) = carol.until(lambda: carol.lines("read", "Alice"))
    assert (message["id"], message["text"], message["network"]) == (sent["id"], "hello over there", "federated")
    carol.one("save", sent["id"], "--to", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"federated" * 20_000
    carol.one("send", "Alice", "and hello back", "--reply-to", sent["id"])
    alice.until(lambda: alice.texts("Carol") == ["hello over there", "and hello back"])


def test_the_other_relay_is_away_for_a_while(
    alice: Person, carol: Person, other_relay: Relay, befriend: Callable[[Person, Person], None]
) -> None:
    befriend(carol, alice)
    assert other_relay.stop(signal.SIGKILL) != 0
    waiting = alice.one("send", "Carol", "are you there?")
    assert waiting["state"] == "queued"
    assert alice.one("status")["waiting"] == 1
    assert carol.one("status")["connected"] is False
    assert [message["text"] for message in alice.lines("read", "Carol")] == ["are you there?"]  # offline too
    other_relay.start()
    alice.until(lambda: alice.lines("read", "Carol")[0]["state"] != "queued")
    carol.until(lambda: carol.texts("Alice") == ["are you there?"])


def test_a_second_relay_of_ones_own(friends: tuple[Person, Person], relay: Relay, other_relay: Relay) -> None:
    alice, bob = friends
    added = alice.one("relays", "add", other_relay.link)
    assert added == {**added, "host": other_relay.listen, "reachable": True}
    assert {own["host"] for own in alice.lines("relays", "list")} == {relay.listen, other_relay.listen}
    removed = alice.one("relays", "remove", relay.listen)
    assert removed["host"] == relay.listen
    assert [own["host"] for own in alice.lines("relays", "list")] == [other_relay.listen]
    bob.until(lambda: bob.one("contacts")["networks"] == ["federated"])
    bob.one("send", "Alice", "found you")
    alice.until(lambda: alice.texts("Bob") == ["found you"])
    assert alice.refused("relays", "remove", "nowhere.example")
    assert alice.refused("relays", "remove", other_relay.listen)  # the last one


def test_while_the_first_relay_is_away_messages_go_by_the_second(
    make_relay: Callable[..., Relay], make_person: Callable[..., Person], befriend: Callable[[Person, Person], None]
) -> None:
    first, second = make_relay(), make_relay()
    alice, bob = make_person("Alice", first), make_person("Bob", first)
    for person in (alice, bob):
        person.one("relays", "add", second.link)
    befriend(bob, alice)
    alice.until(lambda: bob.lines("sync") and alice.one("status")["waiting"] == 0)
    with alice.agent(), bob.agent():
        alice.one("send", "Bob", "one", "--wait", "delivered")
        assert first.stop(signal.SIGKILL) != 0
        texts = ["two", "three", "four"]
        for text in texts:
            alice.one("send", "Bob", text)
        alice.one("send", "Bob", "five", "--wait", "delivered", "--timeout", "60")
        wanted = ["one", *texts, "five"]
        assert bob.texts("Alice") == wanted
        bob.one("send", "Alice", "six", "--wait", "delivered", "--timeout", "60")
        first.start()
        alice.until(lambda: alice.one("status")["connected"])
        alice.one("send", "Bob", "seven", "--wait", "delivered", "--timeout", "60")
        assert bob.texts("Alice") == alice.texts("Bob") == [*wanted, "six", "seven"]


def test_who_waits_does_not_wait_out_a_back_off(
    make_relay: Callable[..., Relay], make_person: Callable[..., Person], befriend: Callable[[Person, Person], None]
) -> None:
    relay = make_relay()
    alice, bob = make_person("Alice", relay), make_person("Bob", relay)
    befriend(bob, alice)
    with alice.agent():
        relay.stop()
        time.sleep(8)  # long enough for pauses to have grown
        back = threading.Timer(4, relay.start)
        back.start()
        began = time.monotonic()
        assert alice.one("send", "Bob", "still here?", "--wait", "sent")["state"] == "sent"
        assert time.monotonic() - began < 15
        back.join()
        assert alice.refused("send", "Bob", "read it", "--wait", "read", "--timeout", "0.5")["code"] == "not_reached"


def test_a_floor_holds_messages_until_there_are_two_relays(
    friends: tuple[Person, Person], relay: Relay, other_relay: Relay
) -> None:
    alice, bob = friends
    shown = alice.one("route", "Bob")
    assert (shown["network"], shown["floor"], shown["held"]) == ("central", "central", False)
    assert [hop["party"] for hop in shown["hops"]] == ["me", "relay", "contact"]
    assert alice.one("route", "Bob", "--floor", "federated")["held"] is True
    bob.until(lambda: bob.one("route", "Alice")["their_floor"] == "federated")
    held = alice.one("send", "Bob", "only by two relays")
    assert held["state"] == "queued"
    assert "exposes more" in held["reason"]
    assert "exposes more" in bob.one("send", "Alice", "me too")["reason"]
    assert bob.texts("Alice") == ["me too"]
    assert alice.refused("route", "Bob", "--floor", "onion")["code"] == "not_available"

    alice.one("relays", "add", other_relay.link)
    alice.one("relays", "remove", relay.listen)
    bob.until(lambda: bob.one("route", "Alice")["network"] == "federated")
    alice.until(lambda: "me too" in alice.texts("Bob"))
    alice.until(lambda: alice.one("route", "Bob")["network"] == "federated")
    bob.until(lambda: "only by two relays" in bob.texts("Alice"))
