"""Bad input: each gives one clear sentence and a stable code, exits with 1 and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.processes import Person, Relay


def test_links_that_are_no_links(alice: Person, bob: Person, relay: Relay, tmp_path: Path) -> None:
    link = alice.one("invite")["link"]
    for wrong in (
        "nonsense",
        "roost:",
        "roost:AAAA",
        link[:-4],
        link[:-1] + ("A" if link[-1] != "A" else "B"),
        relay.link,
    ):
        assert bob.refused("add", wrong)["code"] == "malformed_link", wrong
    new = Person(tmp_path / "new")
    for wrong in ("nonsense", relay.link[:-2], link):
        assert new.refused("init", "--name", "N", "--relay", wrong, "--no-passphrase")["code"] == "malformed_link"
    assert not (tmp_path / "new").exists()
    assert bob.one("add", link)["state"] == "requested"  # the true one still works


def test_invitations_that_are_over(alice: Person, bob: Person) -> None:
    revoked = alice.one("invite", "--reusable")
    alice.one("revoke", revoked["link"])
    bob.refused("add", revoked["link"])
    assert bob.lines("contacts") == []
    alice.refused("add", alice.one("invite")["link"])  # oneself


def test_no_such_thing(friends: tuple[Person, Person]) -> None:
    alice, _ = friends
    assert alice.refused("send", "Nobody", "hi")["code"] == "unknown_conversation"
    assert alice.refused("read", "Nobody")["code"] == "unknown_conversation"
    assert alice.refused("accept", "Nobody")["code"]
    for command in (("edit", "f" * 32, "x"), ("react", "f" * 32, "👍"), ("delete", "f" * 32, "--everyone")):
        assert alice.refused(*command)["code"] == "unknown_message"
    assert alice.refused("send", "Bob", "x", "--reply-to", "f" * 32)["code"] == "unknown_message"
    assert alice.refused("read", "Bob", "--before", "f" * 32)["code"] == "unknown_message"
    assert alice.refused("rename", "Nobody", "x")["code"]
    assert alice.refused("send", "Bob", "x" * 70_000)["code"]
    assert alice.texts("Bob") == []


def test_names_that_are_ambiguous(alice: Person, relay: Relay, tmp_path: Path) -> None:
    for number in range(2):
        other = Person(tmp_path / f"bob{number}").init("Bob", relay)
        other.one("add", alice.one("invite")["link"])
    requests = alice.until(lambda: len(found := alice.lines("requests")) == 2 and found)
    assert "ambiguous" in alice.refused("accept", "Bob")["code"]
    for request in requests:
        alice.one("accept", request["id"])
    assert "ambiguous" in alice.refused("send", "Bob", "which?")["code"]
    assert alice.one("send", alice.lines("contacts")[0]["contact"], "you")["state"]


def test_passphrases(relay: Relay, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    alice = Person(folder, ROOST_PASSPHRASE="correct horse")
    alice.one("init", "--name", "Alice", "--relay", relay.link)
    account = alice.account
    assert Person(folder).refused("whoami")["code"] == "passphrase_needed"
    assert Person(folder, ROOST_PASSPHRASE="wrong").refused("whoami")["code"] == "wrong_passphrase"
    changed = Person(folder, ROOST_PASSPHRASE="correct horse", ROOST_NEW_PASSPHRASE="battery staple")
    assert changed.one("passphrase")["ok"] is True
    assert alice.refused("whoami")["code"] == "wrong_passphrase"
    alice = Person(folder, ROOST_PASSPHRASE="battery staple")
    assert alice.account == account
    with alice.agent():
        assert Person(folder).account == account  # the agent has it
    assert alice.one("passphrase", "--no-passphrase")["ok"] is True
    assert Person(folder).account == account


def test_profiles_that_are_not_as_expected(alice: Person, relay: Relay, tmp_path: Path) -> None:
    assert Person(tmp_path / "none").refused("whoami")["code"] == "no_profile"
    assert alice.refused("init", "--name", "A", "--relay", relay.link, "--no-passphrase")["code"] == "profile_exists"
    key_file = alice.folder / "profile.json"
    original = key_file.read_text()
    key_file.write_text(original.replace('"version": 1', '"version": 99'))
    assert alice.refused("whoami")["code"] == "profile_too_new"
    key_file.write_text(original[:20])
    assert alice.refused("whoami")["code"] == "profile_damaged"
    key_file.write_text(original)
    assert alice.one("whoami")["name"] == "Alice"


@pytest.mark.parametrize("name", ["", " ", "x" * 200, "two\nlines"])
def test_names_that_do_not_do(relay: Relay, tmp_path: Path, name: str) -> None:
    new = Person(tmp_path / "new")
    assert new.refused("init", "--name", name, "--relay", relay.link, "--no-passphrase")["code"] == "bad_name"


def test_a_relay_that_is_away(make_relay: object, tmp_path: Path, alice: Person) -> None:
    gone = Relay(tmp_path / "gone").start()
    gone.stop()
    new = Person(tmp_path / "new")
    assert new.refused("init", "--name", "N", "--relay", gone.link, "--no-passphrase")["code"] == "unreachable"
    assert not (tmp_path / "new" / "profile.json").exists()
    alice.refused("relays", "add", gone.link)
    assert len(alice.lines("relays", "list")) == 1


def test_offline(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay").start()
    alice = Person(tmp_path / "alice").init("Alice", relay)
    relay.stop()
    assert alice.one("whoami")["name"] == "Alice"
    assert alice.lines("contacts") == []
    assert alice.lines("search", "x") == []
    status = alice.one("status")
    assert status == {**status, "connected": False}
    assert status["relays"][0]["reachable"] is False
    assert alice.refused("invite")["code"] == "unreachable"
