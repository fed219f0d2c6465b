"""Two people over one relay, by the command line alone, without an agent."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.apps.processes import Object, Person, Relay

READ_KEYS = {
    *("id", "conversation", "from", "text", "sent_at", "received_at", "state", "edited", "deleted", "reactions"),
    *("attachments", "reply_to", "network"),
}


def _message(person: Person, conversation: str, id: str) -> Object:
    (found,) = [message for message in person.lines("read", conversation) if message["id"] == id]
    return found


def test_becoming_contacts(alice: Person, bob: Person, relay: Relay) -> None:
    me = alice.one("whoami")
    assert me["name"] == "Alice"
    assert me["relays"] == [relay.listen]
    assert re.fullmatch("[a-z2-7]{52}", me["account"])

    link = alice.one("invite")["link"]
    assert link.startswith("roost:")
    (listed,) = alice.lines("invitations")
    assert (listed["ok"], listed["link"], listed["kind"]) == (True, link, "one-time")

    asked = bob.one("add", link, "--greeting", "Hi, it is Bob")
    assert asked == {**asked, "contact": me["account"], "state": "requested"}
    assert [contact["state"] for contact in bob.lines("contacts")] == ["requested"]
    assert alice.lines("contacts") == []

    (request,) = alice.until(lambda: alice.lines("requests"))
    assert (request["name"], request["greeting"]) == ("Bob", "Hi, it is Bob")
    accepted = alice.one("accept", request["id"])
    assert accepted == {**accepted, "contact": bob.account, "name": "Bob"}
    assert alice.lines("requests") == []

    bob.until(lambda: bob.lines("contacts")[0]["state"] == "accepted")
    (contact,) = bob.lines("contacts")
    assert (contact["name"], contact["verified"], contact["networks"]) == ("Alice", False, ["central"])


def test_accepting_by_name_under_an_alias(alice: Person, bob: Person) -> None:
    bob.one("add", alice.one("invite", "--reusable")["link"])
    alice.until(lambda: alice.lines("requests"))
    assert alice.one("accept", "Bob", "--name", "Bobby")["name"] == "Bobby"
    assert alice.one("contacts")["name"] == "Bobby"
    assert bob.one("send", "Alice", "at once")["conversation"] == alice.account  # without a command that fetches before


def test_declining_and_revoking(alice: Person, bob: Person) -> None:
    invitation = alice.one("invite", "--reusable", "--expire", "1h")
    bob.one("add", invitation["link"])
    (request,) = alice.until(lambda: alice.lines("requests"))
    assert alice.one("decline", request["id"])["ok"] is True
    assert alice.lines("requests") == []
    assert alice.one("revoke", invitation["id"])["ok"] is True
    assert alice.lines("invitations") == [{"ok": True}]
    assert alice.one("revoke", invitation["link"])["ok"] is True  # once more changes nothing
    assert alice.refused("revoke", "0000")


def test_a_conversation(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    alices, bobs = alice.account, bob.account

    sent = alice.one("send", "Bob", "Good morning", "--wait", "sent")
    assert sent["state"] in {"sent", "delivered"}
    assert sent["conversation"] == bobs
    bob.until(lambda: bob.texts("Alice", "--keep-unread") == ["Good morning"])
    got = _message(bob, alices, sent["id"])
    assert set(got) >= READ_KEYS
    assert got == {**got, "from": alices, "conversation": alices, "edited": False, "deleted": False, "reactions": {}}
    assert got == {**got, "attachments": [], "reply_to": None, "network": "central"}
    assert datetime.fromisoformat(got["sent_at"]).utcoffset() is not None
    assert got["sent_at"].endswith("Z")

    alice.until(lambda: _message(alice, "Bob", sent["id"])["state"] == "read")  # Bob has read it by now
    mine = _message(alice, "Bob", sent["id"])
    assert (mine["from"], mine["conversation"]) == ("me", bobs)

    answer = bob.one("send", "Alice", "Good morning yourself", "--reply-to", sent["id"])
    alice.until(lambda: len(alice.texts("Bob")) == 2)
    assert _message(alice, "Bob", answer["id"])["reply_to"] == sent["id"]


def test_editing_reacting_deleting(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    first = alice.one("send", "Bob", "frist")["id"]
    second = alice.one("send", "Bob", "second")["id"]
    bob.until(lambda: bob.texts("Alice") == ["frist", "second"])

    assert alice.one("edit", first, "first")["id"] == first
    assert bob.one("react", first, "👍")["id"] == first
    bob.until(lambda: bob.texts("Alice") == ["first", "second"])
    assert _message(bob, "Alice", first)["edited"] is True
    alice.until(lambda: _message(alice, "Bob", first)["reactions"] == {"👍": [bob.account]})
    assert _message(bob, "Alice", first)["reactions"] == {"👍": ["me"]}
    bob.one("react", first, "")
    alice.until(lambda: _message(alice, "Bob", first)["reactions"] == {})

    assert alice.one("delete", second, "--everyone")["id"] == second
    bob.until(lambda: _message(bob, "Alice", second)["deleted"])
    assert _message(bob, "Alice", second)["text"] == ""
    assert bob.one("delete", first)["id"] == first  # only Bob's copy
    assert alice.texts("Bob")[0] == "first"
    assert bob.refused("edit", first, "mine now")


def test_reading_in_parts(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    ids = [alice.one("send", "Bob", str(number))["id"] for number in range(5)]
    assert len(set(ids)) == 5
    bob.until(lambda: len(bob.texts("Alice")) == 5)
    assert bob.texts("Alice") == ["0", "1", "2", "3", "4"]
    assert bob.texts("Alice", "--limit", "2") == ["3", "4"]
    assert bob.texts("Alice", "--limit", "2", "--before", ids[3]) == ["1", "2"]
    assert [message["id"] for message in bob.lines("search", "3")] == [ids[3]]
    assert bob.lines("search", "nothing") == []


def test_the_same_id_sends_once(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    first = alice.one("send", "Bob", "only once", "--id", "key-1")
    again = alice.one("send", "Bob", "only once", "--id", "key-1")
    assert first["id"] == again["id"]
    assert alice.one("send", "Bob", "another", "--id", "key-2")["id"] != first["id"]
    bob.until(lambda: len(bob.texts("Alice")) == 2)
    assert bob.texts("Alice") == ["only once", "another"]
    assert alice.texts("Bob") == ["only once", "another"]


def test_text_from_stdin_and_long_texts(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    long = "zeile ä 🙂\n" * 3_000
    alice.one("send", "Bob", "-", stdin=long.encode())
    bob.until(lambda: bob.texts("Alice"))
    assert bob.texts("Alice") == [long.removesuffix("\n")]


def test_waiting_for_states(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    done = alice.process("--json", "send", "Bob", "anyone there?", "--wait", "delivered", "--timeout", "1")
    assert done.returncode == 1
    assert b'"not_reached"' in done.stdout.splitlines()[-1]
    with bob.agent():
        assert alice.one("send", "Bob", "and now?", "--wait", "delivered")["state"] in {"delivered", "read"}
        assert bob.texts("Alice") == ["anyone there?", "and now?"]
        assert alice.one("send", "Bob", "read this", "--wait", "sent")


def test_safety_numbers(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    number = alice.one("verify", "Bob")
    assert re.fullmatch("[0-9]{60}", number["safety_number"])
    assert number["verified"] is False
    assert bob.one("verify", "Alice")["safety_number"] == number["safety_number"]
    assert alice.one("verify", "Bob", "--confirm")["verified"] is True
    assert alice.one("contacts")["verified"] is True
    assert bob.one("contacts")["verified"] is False


def test_status_and_sync(friends: tuple[Person, Person], relay: Relay) -> None:
    alice, bob = friends
    status = alice.one("status")
    assert status == {**status, "connected": True, "waiting": 0}
    assert status["relays"][0] == {**status["relays"][0], "link_host": relay.listen, "reachable": True}
    alice.one("send", "Bob", "one")
    alice.one("send", "Bob", "two")
    synced = bob.one("sync")
    assert (synced["received"], synced["waiting"]) == (2, 0)
    assert bob.one("sync") == {**synced, "received": 0}


def test_names_blocks_and_deletion(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    assert alice.one("rename", "Bob", "Robert")["ok"] is True
    assert alice.one("contacts")["name"] == "Robert"
    assert alice.one("about", "--name", "Alice B.", "--status", "away")["ok"] is True
    bob.until(lambda: bob.one("contacts")["name"] == "Alice B.")

    assert alice.one("block", "Robert")["ok"] is True
    assert alice.one("contacts")["state"] == "blocked"
    bob.lines("send", alice.account, "can you hear me?")
    alice.one("sync")
    assert alice.texts("Robert") == []
    assert alice.one("unblock", "Robert")["ok"] is True
    assert alice.one("contacts")["state"] == "accepted"
    assert bob.one("sync")["waiting"] == 0
    assert alice.texts("Robert") == ["can you hear me?"]

    assert alice.one("delete", "Robert")["ok"] is True
    assert alice.lines("contacts") == []
    assert alice.refused("read", "Robert")["code"] == "unknown_conversation"


def test_introducing(
    friends: tuple[Person, Person], make_person: Callable[[str], Person], befriend: Callable[[Person, Person], None]
) -> None:
    alice, bob = friends
    carol = make_person("Carol")
    befriend(carol, alice)
    assert alice.one("introduce", "Bob", "Carol")["ok"] is True
    bob.one("sync")  # answers with an invitation
    alice.one("sync")  # passes it on
    (text,) = carol.until(lambda: carol.texts("Alice"))
    assert text.startswith("Meet Bob: ")
    assert carol.one("add", text.split()[-1])["contact"] == bob.account
    assert bob.until(lambda: bob.lines("requests"))[0]["name"] == "Carol"


def test_disappearing(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    alice.one("send", "Bob", "soon gone", "--expire", "1s")
    bob.until(lambda: bob.texts("Alice") == ["soon gone"])
    bob.until(lambda: bob.texts("Alice") == [])
    assert alice.one("timer", "Bob", "1h") == {**alice.one("timer", "Bob", "1h"), "ok": True, "seconds": 3_600}
    bob.until(lambda: bob.one("contacts")["timer_s"] == 3_600)


def test_clearing_and_exporting(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    alice.one("send", "Bob", "keep me")
    out = tmp_path / "export"
    exported = alice.one("export", "Bob", "--to", str(out))
    assert (exported["ok"], exported["messages"], exported["path"]) == (True, 1, str(out))
    assert "keep me" in "".join(
        path.read_text() for path in out.rglob("*") if path.suffix in {".jsonl", ".json", ".txt"}
    )
    assert alice.one("clear", "Bob")["ok"] is True
    assert alice.texts("Bob") == []
    bob.until(lambda: bob.texts("Alice") == ["keep me"])
