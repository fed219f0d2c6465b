"""Groups by the command line alone, each command a process of its own, without an agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apps.conftest import Make
from tests.apps.processes import Object, Person, Relay

Befriend = Callable[[Person, Person], None]


@pytest.fixture
def carol(make_person: Make) -> Person:
    return make_person("Carol")


@pytest.fixture
def trio(alice: Person, bob: Person, carol: Person, befriend: Befriend) -> tuple[Person, Person, Person]:
    """Alice knows Bob and Carol, who do not know each other."""
    befriend(bob, alice)
    befriend(carol, alice)
    return alice, bob, carol


def joined(person: Person, title: str = "Trip") -> Object:
    found: Object = person.until(lambda: [g for g in person.lines("groups") if g["state"] == "active"])[0]
    assert found["title"] == title
    return found


def said(person: Person, group: str = "Trip") -> list[str]:
    return [message["text"] for message in person.lines("read", group) if not message.get("note")]


def test_the_life_of_a_group(trio: tuple[Person, Person, Person], tmp_path: Path) -> None:
    alice, bob, carol = trio
    made = alice.one("group", "create", "Trip", "Bob", "Carol", "--description", "to the hills")
    assert made == {**made, "ok": True, "title": "Trip", "done": "created", "state": "done"}
    assert sorted(made["members"]) == sorted([bob.account, carol.account])
    assert joined(bob)["group"] == joined(carol)["group"] == made["group"]
    assert [each["role"] for each in bob.lines("group", "list")] == ["member"]

    sent = bob.one("send", "Trip", "who brings the tent?")
    assert (sent["conversation"], sent["state"]) == (made["group"], "sent")
    read = carol.until(lambda: [m for m in carol.lines("read", "trip") if m["id"] == sent["id"]])[0]
    assert read == {**read, "from": bob.account, "from_name": "Bob", "text": "who brings the tent?"}
    assert read["conversation"] == made["group"]
    assert carol.one("react", sent["id"], "⛺")["id"] == sent["id"]
    carol.one("send", made["group"], "I do", "--reply-to", sent["id"])
    bob.until(lambda: said(bob) == ["who brings the tent?", "I do"])
    (shown,) = [m for m in bob.lines("read", "Trip") if m["id"] == sent["id"]]
    assert shown["reactions"] == {"⛺": [carol.account]}
    assert [m["text"] for m in bob.lines("search", "tent")] == ["who brings the tent?"]

    people = bob.lines("group", "members", "Trip")
    assert [(p["name"], p["role"], p["me"]) for p in people] == [
        ("Alice", "admin", False),
        ("Bob", "member", True),
        ("Carol", "member", False),
    ]
    info = carol.one("group", "info", "Trip")
    assert info == {**info, "title": "Trip", "description": "to the hills", "role": "member", "members": 3}
    assert info["permissions"] == {"invite": "member", "describe": "moderator", "post": "member", "pin": "moderator"}
    assert bob.refused("group", "title", "Trip", "Mine")["code"] == "not_permitted"
    assert bob.refused("group", "remove", "Trip", "Carol")["code"] == "not_permitted"


def test_what_changes_is_shown_in_the_conversation(trio: tuple[Person, Person, Person]) -> None:
    alice, bob, _ = trio
    alice.one("group", "create", "Trip", "Bob")
    joined(bob)
    assert alice.one("group", "role", "Trip", "Bob", "moderator")["done"] == "role"
    assert alice.one("group", "title", "Trip", "Holiday")["title"] == "Holiday"
    alice.one("group", "timer", "Holiday", "1d")
    assert alice.one("timer", "Holiday", "off")["seconds"] == 0
    alice.one("group", "permissions", "Holiday", "--post", "moderator", "--no-approval", "--history", "20")
    bob.until(lambda: bob.one("group", "info", "Holiday")["history"] == 20)
    assert bob.one("group", "description", "Holiday", "now by a moderator")["state"] == "done"
    notes = [message["note"] for message in bob.lines("read", "Holiday") if message.get("note")]
    assert [(note["change"], note["detail"]) for note in notes] == [
        ("joined", "Trip"),
        ("role", "moderator"),
        ("title", "Holiday"),
        ("timer", "86400"),
        ("timer", "0"),
        ("permissions", ""),
        ("description", ""),
    ]
    texts = [message["text"] for message in bob.lines("read", "Holiday")]
    assert texts[:4] == [
        "Alice added you.",
        "Alice made you a moderator.",
        "Alice changed the title to “Holiday”.",
        "Alice made new messages disappear 1 day after they were read.",
    ]
    assert alice.refused("react", bob.lines("read", "Holiday")[1]["id"], "👍")["code"] == "not_yours"


def test_members_who_are_no_contacts_are_verified(trio: tuple[Person, Person, Person]) -> None:
    alice, bob, carol = trio
    alice.one("group", "create", "Trip", "Bob", "Carol")
    joined(bob)
    joined(carol)
    seen = bob.one("verify", "Carol")
    assert seen["verified"] is False
    assert seen["safety_number"] == carol.one("verify", bob.account, "--confirm")["safety_number"]
    assert carol.one("verify", "Bob")["verified"] is True
    marks = {person["name"]: person["verified"] for person in carol.lines("group", "members", "Trip")}
    assert marks == {"Alice": False, "Bob": True, "Carol": False}
    assert [contact["name"] for contact in carol.lines("contacts")] == ["Alice"]
    assert carol.refused("verify", "Trip")["code"] == "not_a_contact"
    assert carol.refused("verify", "Nobody")["code"] == "unknown_conversation"
    assert carol.one("verify", "Bob", "--unconfirm")["verified"] is False


def test_coming_in_by_introduction(trio: tuple[Person, Person, Person]) -> None:
    alice, bob, carol = trio
    made = alice.one("group", "create", "Trip")
    done = alice.one("group", "introduce", "Trip", "Bob", "Carol")
    assert done == {**done, "done": "introduced", "state": "done"}
    offered = bob.until(lambda: bob.lines("group", "introductions"))[0]
    assert offered == {**offered, "group": made["group"], "title": "Trip", "by": alice.account, "by_name": "Alice"}
    (message,) = bob.lines("read", "Alice")
    assert (message["id"], message["text"]) == (offered["id"], "You are invited to the group “Trip”.")
    assert message["invites"] == {"group": made["group"], "title": "Trip", "state": ""}
    assert [m["text"] for m in alice.lines("read", "Bob")] == ["You invited Bob to the group “Trip”."]
    assert bob.lines("groups") == []
    asked = bob.one("group", "join", "trip")
    assert asked["group"] == made["group"]
    alice.one("sync")
    joined(bob)
    assert bob.lines("group", "introductions") == []
    assert bob.lines("read", "Alice")[0]["invites"]["state"] == "active"
    refused = carol.until(lambda: carol.lines("group", "introductions"))[0]
    assert carol.one("group", "decline", refused["id"])["done"] == "declined"
    assert carol.lines("group", "introductions") == []
    assert carol.refused("group", "join", "Trip")["code"] == "malformed_link"
    assert bob.refused("group", "introduce", "Trip", "Alice")["code"] == "already_member"


def test_what_could_not_be_sent_before_the_removal_and_coming_again_by_link(
    make_relay: Callable[..., Relay], make_person: Make, befriend: Befriend
) -> None:
    near, far = make_relay(), make_relay()
    alice, bob, carol = make_person("Alice", near), make_person("Bob", near), make_person("Carol", far)
    befriend(bob, alice)
    befriend(carol, alice)
    alice.one("group", "create", "Trip", "Bob", "Carol")
    joined(bob)
    joined(carol)
    carol.one("send", "Trip", "in time")
    link = alice.one("group", "link", "Trip")["link"]
    far.stop()
    late = carol.one("send", "Trip", "too late")
    assert late["state"] == "queued"
    alice.one("group", "remove", "Trip", "Carol")
    far.start()
    asked = carol.one("group", "join", link)  # she has not heard that she was removed
    assert (asked["done"], asked["state"]) == ("asked", "waiting")
    (shown,) = [message for message in carol.lines("read", "Trip") if message["id"] == late["id"]]
    assert (shown["state"], shown["reason"]) == ("failed", "You were no longer in this group when it was to be sent.")
    assert carol.one("status")["waiting"] == 0
    assert b"not sent" in carol.process("read", "Trip").stdout
    (heard,) = bob.until(lambda: [m for m in bob.lines("read", "Trip") if m["text"] == "in time"])
    assert heard["from_name"] == "Carol"  # whom Bob does not know, and who is no member any more
    assert alice.refused("delete", "Trip", "--yes")["code"] == "not_a_contact"
    assert [hop["party"] for hop in carol.one("route", "Trip")["hops"]][-1] == "member"


def test_leaving_and_forgetting(trio: tuple[Person, Person, Person]) -> None:
    alice, bob, _ = trio
    alice.one("group", "create", "Trip", "Bob")
    joined(bob)
    left = bob.one("group", "leave", "Trip")
    assert left == {**left, "done": "left", "state": "done"}
    alice.until(lambda: alice.one("group", "info", "Trip")["members"] == 1)
    assert [m["note"]["change"] for m in alice.lines("read", "Trip")][-1] == "left"
    assert bob.one("group", "forget", "Trip")["done"] == "forgotten"
    assert bob.refused("read", "Trip")["code"] == "unknown_conversation"
    assert alice.refused("group", "forget", "Trip")["code"] == "still_a_member"


def test_joining_by_link_with_approval_and_without(trio: tuple[Person, Person, Person], make_person: Make) -> None:
    alice, bob, _ = trio
    dave, erin = make_person("Dave"), make_person("Erin")
    alice.one("group", "create", "Choir", "Bob")
    joined(bob, "Choir")
    made = alice.one("group", "link", "Choir")
    assert made["link"].startswith("roost:")
    assert made["approval"] is True
    assert alice.one("group", "link", "Choir")["link"] == made["link"]
    assert alice.refused("add", made["link"])["code"] in {"own_invitation", "group_link"}
    asked = dave.one("group", "join", made["link"], "--greeting", "I sing bass")
    assert asked == {**asked, "title": "Choir", "done": "asked", "state": "waiting"}
    (request,) = alice.until(lambda: alice.lines("group", "requests", "Choir"))
    assert request == {**request, "name": "Dave", "greeting": "I sing bass", "title": "Choir", "account": dave.account}
    with alice.agent(), dave.agent():
        assert bob.until(lambda: bob.lines("group", "requests"))[0]["name"] == "Dave"
        alice.one("group", "accept", "Dave", "--timeout", "20")
        assert joined(dave, "Choir")["members"] == 3
        dave.one("send", "Choir", "hello all")
    bob.until(lambda: said(bob, "Choir") == ["hello all"])
    assert dave.lines("contacts") == []

    alice.one("group", "permissions", "Choir", "--no-approval")
    renewed = alice.one("group", "link", "Choir", "--renew")
    assert renewed["link"] != made["link"]
    assert erin.refused("group", "join", made["link"])["code"] == "invitation_gone"
    with alice.agent():
        assert erin.one("group", "join", renewed["link"], "--timeout", "20")["done"] == "joined"
    assert {person["name"] for person in erin.lines("group", "members", "Choir")} == {"Alice", "Bob", "Dave", "Erin"}
    assert alice.one("group", "link", "Choir", "--revoke")["link"] == ""


def test_members_at_three_relays(make_relay: Callable[..., Relay], make_person: Make, befriend: Befriend) -> None:
    relays = [make_relay() for _ in range(3)]
    alice, bob, carol = (
        make_person(name, relay) for name, relay in zip(("Alice", "Bob", "Carol"), relays, strict=True)
    )
    befriend(bob, alice)
    befriend(carol, alice)
    alice.one("group", "create", "Trip", "Bob", "Carol")
    assert joined(bob)["network"] == "federated"
    joined(carol)
    bob.one("send", "Trip", "from afar")
    carol.until(lambda: said(carol) == ["from afar"])
    carol.one("send", "Trip", "and back")
    assert alice.one("group", "remove", "Trip", "Bob")["state"] == "done"
    alice.until(lambda: said(alice) == ["from afar", "and back"])
    carol.one("send", "Trip", "without Bob")
    alice.until(lambda: said(alice)[-1] == "without Bob")
    bob.until(lambda: not bob.lines("groups"))
    assert said(bob) == ["from afar", "and back"]


def test_words_for_people(trio: tuple[Person, Person, Person]) -> None:
    alice, bob, _ = trio
    done = alice.process("group", "create", "Trip", "Bob")
    assert done.returncode == 0
    assert "“Trip” is made." in done.stdout.decode()
    joined(bob)
    bob.one("send", "Trip", "hello")
    assert "Trip" in alice.process("groups").stdout.decode()
    shown = alice.process("read", "Trip").stdout.decode()
    assert "· You added Bob." in shown
    assert "Bob: hello" in shown
    members = alice.process("group", "members", "Trip").stdout.decode()
    assert "admin" in members
    assert "you" in members
    info = alice.process("group", "info", "Trip").stdout.decode()
    assert "moderator and above" in info
    linked = alice.process("group", "link", "Trip", "--qr")
    assert "▄" in linked.stdout.decode()
    assert "roost:" in linked.stdout.decode()
