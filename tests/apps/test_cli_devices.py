"""Two devices of one person: linked by a code, both with every conversation from then on, and one removed again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.apps.processes import Person, Process, Relay


def _link(old: Person, folder: Path, relay: Relay, name: str) -> Person:
    new = Person(folder)
    started = new.one("device", "link", "--relay", relay.link, "--name", name, "--no-passphrase")
    assert started == {**started, "name": name, "this": True, "state": "waiting"}
    confirmed = old.one("device", "link", "--confirm", started["code"])
    assert confirmed == {**confirmed, "name": name, "this": False, "device": started["device"]}
    new.until(lambda: new.one("device", "link")["state"] == "linked")
    return new


def test_a_linked_device_has_the_same_account(alice: Person, relay: Relay, tmp_path: Path) -> None:
    laptop = _link(alice, tmp_path / "laptop", relay, "laptop")
    mine, other = alice.one("whoami"), laptop.one("whoami")
    assert (mine["account"], mine["name"]) == (other["account"], other["name"])
    assert mine["device"] != other["device"]
    for person in (alice, laptop):
        listed = person.lines("device", "list")
        assert {device["device"] for device in listed} == {mine["device"], other["device"]}
        assert [device["device"] for device in listed if device["this"]] == [person.one("whoami")["device"]]


def test_two_devices_on_one_side(friends: tuple[Person, Person], relay: Relay, tmp_path: Path) -> None:
    alice, bob = friends
    laptop = _link(alice, tmp_path / "laptop", relay, "laptop")
    laptop.until(lambda: [c["name"] for c in laptop.lines("contacts")] == ["Bob"])

    bob.until(lambda: bob.one("sync") and bob.one("contacts")["devices"] == 2)
    sent = bob.one("send", "Alice", "to both of you")
    for device in (alice, laptop):
        device.until(lambda device=device: device.texts("Bob") == ["to both of you"])  # type: ignore[misc]

    mine = laptop.one("send", "Bob", "from the laptop")
    bob.until(lambda: bob.texts("Alice") == ["to both of you", "from the laptop"])
    alice.until(lambda: len(alice.lines("read", "Bob")) == 2)
    copy = alice.lines("read", "Bob")[-1]
    assert (copy["id"], copy["from"], copy["text"]) == (mine["id"], "me", "from the laptop")

    alice.one("react", sent["id"], "👍")
    laptop.until(lambda: laptop.lines("read", "Bob")[0]["reactions"] == {"👍": ["me"]})


def test_a_contact_made_on_one_device_is_known_on_the_other(
    alice: Person, bob: Person, relay: Relay, tmp_path: Path, befriend: Callable[[Person, Person], None]
) -> None:
    laptop = _link(alice, tmp_path / "laptop", relay, "laptop")
    befriend(bob, alice)
    laptop.until(lambda: [c["state"] for c in laptop.lines("contacts")] == ["accepted"])
    laptop.one("send", "Bob", "hello from elsewhere")
    bob.until(lambda: bob.texts("Alice") == ["hello from elsewhere"])


def test_removing_a_device(friends: tuple[Person, Person], relay: Relay, tmp_path: Path) -> None:
    alice, bob = friends
    laptop = _link(alice, tmp_path / "laptop", relay, "laptop")
    device = laptop.one("whoami")["device"]
    bob.until(lambda: bob.one("contacts")["devices"] == 2)
    removed = alice.one("device", "remove", device)
    assert removed == {**removed, "device": device, "this": False}
    assert [listed["device"] for listed in alice.lines("device", "list")] == [alice.one("whoami")["device"]]
    bob.until(lambda: bob.one("contacts")["devices"] == 1)
    bob.one("send", "Alice", "only you")
    alice.until(lambda: alice.texts("Bob") == ["only you"])
    queued = laptop.one("send", "Bob", "written too late", "--id", "late")
    laptop.until(lambda: laptop.one("status")["device_state"] == "removed")
    assert b"only you" not in laptop.process("--json", "read", "Bob").stdout
    assert laptop.texts("Bob") == ["written too late"]
    again = laptop.one("send", "Bob", "written too late", "--id", "late")
    assert (again["id"], again["state"]) == (queued["id"], "queued")
    assert "removed" in again["reason"]
    assert "roost export" in laptop.one("status")["notice"]
    refusal = laptop.refused("send", "Bob", "one more")
    assert refusal["code"] == "device_removed"
    assert "roost export" in refusal["hint"]
    assert laptop.refused("invite")["code"] == "device_removed"
    assert laptop.one("export", "Bob", "--to", str(tmp_path / "kept"))["messages"] == 1
    assert b"roost export" in laptop.process("status").stdout
    with laptop.listening() as events:
        told = events.until(lambda event: event["type"] == "device" and event["change"] == "removed")
        assert (told["device"], told["this"], told["state"]) == (device, True, "removed")


def test_waiting_in_the_foreground(alice: Person, relay: Relay, tmp_path: Path) -> None:
    link = ("device", "link", "--relay", relay.link, "--name", "phone", "--no-passphrase")
    waiting = Process("--profile", str(tmp_path / "phone"), *link, "--wait", "--timeout", "60")
    try:
        started = waiting.next()
        assert started["state"] == "waiting"
        alice.one("device", "link", "--confirm", started["code"])
        linked = waiting.next()
        assert linked == {**started, "state": "linked", "code": linked["code"]}
        assert waiting.process.wait(20) == 0
    finally:
        waiting.close()
    assert Person(tmp_path / "phone").account == alice.account


def test_a_profile_without_contacts_can_become_a_second_device(alice: Person, bob: Person, tmp_path: Path) -> None:
    started = bob.one("device", "link")
    assert re.fullmatch(r"roost:\S+", started["code"])
    assert bob.one("device", "link")["code"] == started["code"]
    alice.one("device", "link", "--confirm", started["code"])
    bob.until(lambda: bob.one("device", "link")["state"] == "linked")
    assert bob.account == alice.account


def test_what_cannot_be_linked(friends: tuple[Person, Person], relay: Relay, tmp_path: Path) -> None:
    alice, bob = friends
    assert bob.refused("device", "link")["code"] == "profile_in_use"
    assert alice.refused("device", "link", "--confirm", "nonsense")["code"] == "malformed_link"
    assert alice.refused("device", "link", "--confirm", bob.one("invite")["link"])
    assert alice.refused("device", "remove", "0000")
    new = Person(tmp_path / "new")
    new.one("device", "link", "--relay", relay.link, "--no-passphrase")
    assert new.refused("send", "Bob", "hi")["code"] == "not_linked"
    done = new.process("--json", "device", "link", "--wait", "--timeout", "0.5")
    assert done.returncode == 1
    assert b'"not_linked"' in done.stdout.splitlines()[-1]


def test_changing_devices_needs_the_passphrase(relay: Relay, tmp_path: Path) -> None:
    alice = Person(tmp_path / "alice", ROOST_PASSPHRASE="first secret")
    alice.one("init", "--name", "Alice", "--relay", relay.link)
    new = Person(tmp_path / "new", ROOST_PASSPHRASE="second secret")
    code = new.one("device", "link", "--relay", relay.link)["code"]
    with alice.agent():
        silent = Person(alice.folder)
        assert silent.refused("device", "link", "--confirm", code)["code"] == "passphrase_needed"
        wrong = Person(alice.folder, ROOST_PASSPHRASE="wrong")
        assert wrong.refused("device", "link", "--confirm", code)["code"] == "wrong_passphrase"
        assert alice.one("device", "link", "--confirm", code)["device"]
    new.until(lambda: new.one("device", "link")["state"] == "linked")
    assert len(new.lines("device", "list")) == 2
