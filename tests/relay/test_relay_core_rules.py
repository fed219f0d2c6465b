"""The relay's rules one by one, as docs/protocol/mailbox.md states them."""

from __future__ import annotations

import pytest
from relay_core import (
    DAY,
    NOW,
    CoreRelay,
    blob_data,
    capability,
    code,
    create,
    envelope,
    grant,
    hold,
    name32,
)

from roost.crypto import capability_hash, envelope_hash, solve_work, work_strength
from roost.relay.core.admission import Client
from roost.relay.core.limits import Limits, TokenBucket
from roost.relay.storage import MemoryEngine
from roost.wire.codec import decode
from roost.wire.mailbox import (
    CardData,
    ChangeGrants,
    Delete,
    DeleteCard,
    Entries,
    Get,
    GetBlob,
    GetCard,
    MailboxKind,
    Needs,
    Put,
    PutBlob,
    PutCard,
    Refusal,
    Right,
    Seal,
    Stored,
    Subscribe,
    Subscribed,
    Trim,
    WorkChallenge,
)

A_PUT, A_GET, A_ADMIN = capability("a put"), capability("a get"), capability("a admin")


@pytest.fixture
def relay() -> CoreRelay:
    relay = CoreRelay(MemoryEngine())
    assert code(relay.ask(create("a"))) == "Done"
    return relay


def texts(relay: CoreRelay, get: bytes = A_GET, after: int = 0) -> list[str]:
    answer = relay.ask(Get(get, after))
    assert isinstance(answer, Entries)
    return [entry.envelope.rstrip(b"\0").decode() for entry in answer.entries]


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [A_PUT, A_ADMIN, capability("stranger")])
def test_only_get_reads(relay: CoreRelay, wrong: bytes) -> None:
    assert code(relay.ask(Get(wrong, 0))) == "denied"
    assert code(relay.ask(Subscribe(wrong, 0))) == "denied"
    assert code(relay.ask(GetBlob(wrong, name32("b")))) == "denied"


@pytest.mark.parametrize("wrong", [A_PUT, A_GET, capability("stranger")])
def test_only_admin_changes(relay: CoreRelay, wrong: bytes) -> None:
    for request in (Trim(wrong, 1), Seal(wrong), Delete(wrong), ChangeGrants(wrong, (grant("x", Right.PUT),))):
        assert code(relay.ask(request)) == "denied"


@pytest.mark.parametrize("wrong", [A_GET, capability("stranger")])
def test_get_does_not_write(relay: CoreRelay, wrong: bytes) -> None:
    assert code(relay.ask(Put(wrong, envelope("x")))) == "denied"
    assert code(relay.ask(PutBlob(wrong, hold("h"), name32("b"), blob_data("x")))) == "denied"


def test_capabilities_are_stored_as_hashes_only(relay: CoreRelay) -> None:
    row = relay.reader.mailboxes([capability_hash(A_PUT)])[0]
    assert {grant.hash for grant in row.grants} == {capability_hash(c) for c in (A_PUT, A_GET, A_ADMIN)}


def test_create_is_idempotent_and_takes_nobodys_capability(relay: CoreRelay) -> None:
    assert code(relay.ask(create("a"))) == "Done"
    assert relay.desk.mailboxes == 1
    stolen = create("b")
    thief = type(stolen)(stolen.kind, (stolen.grants[0], grant("a put", Right.GET)))
    assert code(relay.ask(thief)) == "denied"


def test_create_needs_an_admin_and_different_capabilities() -> None:
    relay = CoreRelay(MemoryEngine())
    whole = create("a")
    assert code(relay.ask(type(whole)(whole.kind, whole.grants[1:]))) == "bad_request"
    assert code(relay.ask(type(whole)(whole.kind, (*whole.grants, whole.grants[0])))) == "bad_request"


def test_grants_come_and_go(relay: CoreRelay) -> None:
    put_hash = capability_hash(A_PUT)
    changed = ChangeGrants(A_ADMIN, (grant("second", Right.PUT),), (put_hash,))
    assert code(relay.ask(changed)) == "Done"
    assert code(relay.ask(Put(A_PUT, envelope("x")))) == "denied"
    assert code(relay.ask(Put(capability("second"), envelope("y")))) == "Stored"
    relay.crash()
    assert code(relay.ask(Put(A_PUT, envelope("x")))) == "denied"
    assert code(relay.ask(Put(capability("second"), envelope("z")))) == "Stored"
    assert code(relay.ask(changed)) == "Done"


def test_the_last_admin_stays(relay: CoreRelay) -> None:
    assert code(relay.ask(ChangeGrants(A_ADMIN, (), (capability_hash(A_ADMIN),)))) == "bad_request"
    handed_over = ChangeGrants(A_ADMIN, (grant("new admin", Right.ADMIN),), (capability_hash(A_ADMIN),))
    assert code(relay.ask(handed_over)) == "Done"
    assert code(relay.ask(Seal(A_ADMIN))) == "denied"
    assert code(relay.ask(Seal(capability("new admin")))) == "Done"


# --- put, get, trim ---------------------------------------------------------------------------------------------------


def test_put_get_trim(relay: CoreRelay) -> None:
    numbers = [relay.ask(Put(A_PUT, envelope(text))) for text in ("one", "two", "three")]
    first, second, third = (answer.entry for answer in numbers if isinstance(answer, Stored))
    assert first < second < third
    assert texts(relay) == ["one", "two", "three"]
    assert texts(relay, after=first) == ["two", "three"]
    assert code(relay.ask(Trim(A_ADMIN, second, (first,)))) == "Done"
    assert texts(relay) == ["one", "three"]
    relay.crash()
    assert texts(relay) == ["one", "three"]


def test_put_is_idempotent_also_in_a_sealed_mailbox(relay: CoreRelay) -> None:
    first = relay.ask(Put(A_PUT, envelope("x")))
    assert relay.ask(Put(A_PUT, envelope("x"))) == first
    relay.ask(Seal(A_ADMIN))
    assert relay.ask(Put(A_PUT, envelope("x"))) == first
    assert texts(relay) == ["x"]


def test_what_was_trimmed_is_delivered_again_when_it_is_put_again(relay: CoreRelay) -> None:
    first = relay.ask(Put(A_PUT, envelope("x")))
    assert isinstance(first, Stored)
    relay.ask(Trim(A_ADMIN, first.entry))
    again = relay.ask(Put(A_PUT, envelope("x")))
    assert isinstance(again, Stored)
    assert again.entry > first.entry
    assert texts(relay) == ["x"]


def test_pages(relay: CoreRelay) -> None:
    for index in range(30):
        relay.ask(Put(A_PUT, envelope(str(index))))
    page = relay.ask(Get(A_GET, 0))
    assert isinstance(page, Entries)
    assert len(page.entries) == 24
    assert page.more
    rest = relay.ask(Get(A_GET, page.entries[-1].number))
    assert isinstance(rest, Entries)
    assert [entry.envelope for entry in rest.entries] == [envelope(str(index)) for index in range(24, 30)]
    assert not rest.more


def test_numbers_are_never_used_twice(relay: CoreRelay) -> None:
    """Also not those of envelopes that were delivered, but lost because the relay died before it committed them."""
    given = relay.ask(Put(A_PUT, envelope("kept")))
    assert isinstance(given, Stored)
    lost = relay.desk.decide(
        Put(A_PUT, envelope("lost")), (capability_hash(A_PUT),), relay.client, relay.now
    )  # delivered, never committed
    assert isinstance(lost.response, Stored)
    relay.crash()
    after = relay.ask(Put(A_PUT, envelope("other")))
    assert isinstance(after, Stored)
    assert after.entry > lost.response.entry > given.entry
    relay.ask(Trim(A_ADMIN, after.entry))
    relay.crash()
    last = relay.ask(Put(A_PUT, envelope("last")))
    assert isinstance(last, Stored)
    assert last.entry > after.entry


def test_ephemeral_is_delivered_and_not_stored(relay: CoreRelay) -> None:
    assert relay.ask(Put(A_PUT, envelope("typing"), ephemeral=True)) == Stored(0)
    assert [deliver.number for deliver in relay.delivered] == [0]
    assert texts(relay) == []


def test_seal_ends_puts_for_good(relay: CoreRelay) -> None:
    relay.ask(Put(A_PUT, envelope("before")))
    assert code(relay.ask(Seal(A_ADMIN))) == "Done"
    assert code(relay.ask(Put(A_PUT, envelope("after")))) == "sealed"
    assert code(relay.ask(Put(A_PUT, envelope("typing"), ephemeral=True))) == "sealed"
    assert code(relay.ask(PutBlob(A_PUT, hold("h"), name32("b"), blob_data("x")))) == "sealed"
    relay.crash()
    assert code(relay.ask(Put(A_PUT, envelope("after")))) == "sealed"
    assert texts(relay) == ["before"]


def test_delete(relay: CoreRelay) -> None:
    relay.ask(Put(A_PUT, envelope("x")))
    before = relay.desk.ledger.used
    assert code(relay.ask(Delete(A_ADMIN))) == "Done"
    assert code(relay.ask(Put(A_PUT, envelope("y")))) == "denied"
    relay.crash()
    assert code(relay.ask(Get(A_GET, 0))) == "denied"
    assert relay.desk.ledger.used == 0 < before


def test_subscribe_tells_the_end(relay: CoreRelay) -> None:
    assert relay.ask(Subscribe(A_GET, 0)) == Subscribed(0)
    stored = relay.ask(Put(A_PUT, envelope("x")))
    assert isinstance(stored, Stored)
    assert relay.ask(Subscribe(A_GET, 0)) == Subscribed(stored.entry)


# --- quotas -----------------------------------------------------------------------------------------------------------


def test_a_full_mailbox_leaves_a_reserve_to_its_admins() -> None:
    relay = CoreRelay(MemoryEngine(), Limits(mailbox_envelopes=4, shared_envelopes=32))
    relay.ask(create("a", MailboxKind.SHARED))
    answers = [code(relay.ask(Put(A_PUT, envelope(str(index))))) for index in range(32)]
    assert answers == ["Stored"] * 30 + ["full"] * 2
    assert code(relay.ask(Put(A_ADMIN, envelope("commit")))) == "Stored"
    assert code(relay.ask(Put(A_ADMIN, envelope("commit 2")))) == "Stored"
    assert code(relay.ask(Put(A_ADMIN, envelope("commit 3")))) == "full"


def test_a_mailbox_of_one_reader_has_a_quota_of_its_own() -> None:
    relay = CoreRelay(MemoryEngine(), Limits(mailbox_envelopes=16, shared_envelopes=32))
    relay.ask(create("a"))
    answers = [code(relay.ask(Put(A_PUT, envelope(str(index))))) for index in range(16)]
    assert answers == ["Stored"] * 15 + ["full"]


def test_a_shared_mailbox_takes_the_writers_of_a_large_group() -> None:
    relay = CoreRelay(MemoryEngine(), Limits(mailbox_grants=8, shared_grants=16))
    for name, kind, room in (("a", MailboxKind.ORDINARY, 8), ("b", MailboxKind.SHARED, 16)):
        relay.ask(create(name, kind))
        admin = capability(f"{name} admin")
        answers = [code(relay.ask(ChangeGrants(admin, (grant(f"{name}{i}", Right.PUT),)))) for i in range(room)]
        assert answers == ["Done"] * (room - 3) + ["full"] * 3
    assert Limits().grants(MailboxKind.SHARED) >= 8 * 1_000


def test_a_writer_fills_its_own_limit_only() -> None:
    relay = CoreRelay(MemoryEngine())
    relay.ask(create("a", MailboxKind.SHARED, limit=2))
    relay.ask(ChangeGrants(A_ADMIN, (grant("other", Right.PUT, 2),)))
    assert [code(relay.ask(Put(A_PUT, envelope(str(i))))) for i in range(3)] == ["Stored", "Stored", "full"]
    relay.crash()
    assert code(relay.ask(Put(A_PUT, envelope("again")))) == "full"
    assert code(relay.ask(Put(capability("other"), envelope("mine")))) == "Stored"
    relay.ask(Trim(A_ADMIN, 2**53))
    assert code(relay.ask(Put(A_PUT, envelope("room")))) == "Stored"


def test_the_whole_relay_has_a_quota() -> None:
    relay = CoreRelay(MemoryEngine(), Limits(total_bytes=64 * 1024, reserve_sixteenths=0))
    relay.ask(create("a"))
    answers = [code(relay.ask(Put(A_PUT, envelope(str(index))))) for index in range(20)]
    assert answers.count("Stored") == 14
    assert answers[-1] == "full"
    relay.crash()
    assert code(relay.ask(Put(A_PUT, envelope("more")))) == "full"
    assert code(relay.ask(PutBlob(A_PUT, hold("h"), name32("b"), blob_data("x")))) == "full"
    relay.ask(Trim(A_ADMIN, 2**53))
    assert code(relay.ask(Put(A_PUT, envelope("more")))) == "Stored"


# --- blobs ------------------------------------------------------------------------------------------------------------


def test_a_put_needs_all_its_blobs_and_keeps_them(relay: CoreRelay) -> None:
    needing = Put(A_PUT, envelope("file"), needs=(Needs(hold("h"), 2),))
    relay.ask(PutBlob(A_PUT, hold("h"), name32("0"), blob_data("zero")))
    assert code(relay.ask(needing)) == "blobs_missing"
    relay.ask(PutBlob(A_PUT, hold("h"), name32("0"), blob_data("zero again")))
    assert code(relay.ask(needing)) == "blobs_missing"
    relay.ask(PutBlob(A_PUT, hold("h"), name32("1"), blob_data("one")))
    stored = relay.ask(needing)
    assert isinstance(stored, Stored)
    relay.now += 20 * DAY
    relay.sweep()
    relay.crash()
    found = relay.ask(GetBlob(A_GET, name32("0")))
    assert code(found) == "BlobData"
    assert found.data == blob_data("zero")  # type: ignore[union-attr]
    relay.ask(Trim(A_ADMIN, stored.entry))
    assert code(relay.ask(GetBlob(A_GET, name32("0")))) == "not_found"
    relay.crash()
    assert code(relay.ask(GetBlob(A_GET, name32("1")))) == "not_found"
    assert relay.reader.totals().blobs == 0


def test_unneeded_blobs_expire_after_a_day_but_not_while_more_come(relay: CoreRelay) -> None:
    for index in range(4):
        relay.ask(PutBlob(A_PUT, hold("h"), name32(str(index)), blob_data("x")))
        relay.now += 0.9 * DAY
        relay.sweep()
    assert code(relay.ask(Put(A_PUT, envelope("file"), needs=(Needs(hold("h"), 4),)))) == "Stored"
    relay.ask(PutBlob(A_PUT, hold("other"), name32("o"), blob_data("x")))
    relay.now += 2.1 * DAY
    assert relay.sweep().blobs == 1
    assert code(relay.ask(Put(A_PUT, envelope("late"), needs=(Needs(hold("other"), 1),)))) == "blobs_missing"
    assert code(relay.ask(GetBlob(A_GET, name32("3")))) == "BlobData"


def test_blobs_of_an_expired_envelope_go_with_it(relay: CoreRelay) -> None:
    relay.ask(PutBlob(A_PUT, hold("h"), name32("0"), blob_data("x")))
    relay.ask(Put(A_PUT, envelope("file"), needs=(Needs(hold("h"), 1),)))
    relay.now += 32 * DAY
    relay.sweep()
    relay.sweep()
    assert texts(relay) == []
    assert relay.reader.totals().blobs == 0


# --- knocks -----------------------------------------------------------------------------------------------------------


def knock(relay: CoreRelay, text: str, *, extra_bits: int = 0) -> Refusal | Stored:
    """Ask without a proof, then with the one that was asked for, or a better one."""
    asked = relay.ask(Put(A_PUT, envelope(text)))
    if not isinstance(asked, Refusal) or asked.code != "work_needed":
        return asked  # type: ignore[return-value]
    challenge = decode(WorkChallenge, asked.detail)
    digest = envelope_hash(envelope(text))
    proof = solve_work(challenge.nonce, capability_hash(A_PUT), digest, challenge.bits + extra_bits)
    return relay.ask(Put(A_PUT, envelope(text), work=proof))  # type: ignore[return-value]


@pytest.fixture
def door() -> CoreRelay:
    relay = CoreRelay(MemoryEngine(), Limits(work_bits=2, request_slots=4, work_bits_max=18))
    relay.ask(create("a", MailboxKind.REQUEST))
    return relay


def test_a_knock_needs_work_bound_to_envelope_and_mailbox(door: CoreRelay) -> None:
    refused = door.ask(Put(A_PUT, envelope("hello")))
    assert isinstance(refused, Refusal)
    challenge = decode(WorkChallenge, refused.detail)
    other = solve_work(challenge.nonce, capability_hash(A_PUT), envelope_hash(envelope("other")), 16)
    if work_strength(challenge.nonce, capability_hash(A_PUT), envelope_hash(envelope("hello")), other) < 2:
        assert code(door.ask(Put(A_PUT, envelope("hello"), work=other))) == "work_needed"
    assert code(door.ask(Put(A_PUT, envelope("hello"), work=b"short"))) == "work_needed"
    assert code(knock(door, "hello")) == "Stored"
    assert code(door.ask(Put(A_PUT, envelope("hello")))) == "Stored", "a repeated knock needs no work"


def test_knocks_cost_more_as_slots_fill_and_the_weakest_gives_way(door: CoreRelay) -> None:
    bits = []
    for index in range(4):
        bits.append(decode(WorkChallenge, door.ask(Put(A_PUT, envelope("?"))).detail).bits)  # type: ignore[union-attr]
        assert code(knock(door, str(index))) == "Stored"
    assert bits == sorted(bits)
    assert bits[0] == 2 < bits[-1]
    before = set(texts(door))
    assert code(knock(door, "stronger")) == "Stored"
    after = set(texts(door))
    assert len(after) == 4
    assert "stronger" in after
    assert len(before - after) == 1
    door.crash()
    assert set(texts(door)) == after


def test_strong_knocks_cannot_be_pushed_out(door: CoreRelay) -> None:
    while True:
        answer = door.ask(Put(A_PUT, envelope("next?")))
        if code(answer) == "full":
            break
        assert code(knock(door, f"k{len(door.delivered)}")) in ("Stored", "full")
    assert len(texts(door)) == 4


def test_a_door_takes_neither_blobs_nor_ephemeral_envelopes(door: CoreRelay) -> None:
    assert code(door.ask(Put(A_PUT, envelope("x"), ephemeral=True))) == "unsupported"
    assert code(door.ask(PutBlob(A_PUT, hold("h"), name32("b"), blob_data("x")))) == "unsupported"


def test_a_nonce_is_valid_for_the_hour_after_its_own(door: CoreRelay) -> None:
    challenge = decode(WorkChallenge, door.ask(Put(A_PUT, envelope("x"))).detail)  # type: ignore[union-attr]
    proof = solve_work(challenge.nonce, capability_hash(A_PUT), envelope_hash(envelope("x")), 12)
    door.now += 2 * 3_600
    old = door.ask(Put(A_PUT, envelope("x"), work=proof))
    fresh = decode(WorkChallenge, door.ask(Put(A_PUT, envelope("?"))).detail).nonce  # type: ignore[union-attr]
    assert fresh != challenge.nonce
    assert code(old) == "work_needed" or work_strength(
        fresh, capability_hash(A_PUT), envelope_hash(envelope("x")), proof
    )
    door.now -= 3_600
    assert code(door.ask(Put(A_PUT, envelope("x"), work=proof))) == "Stored"


# --- cards ------------------------------------------------------------------------------------------------------------


def put_card(version: int, text: str = "card", writer: str = "writer", expires: float = 10 * DAY) -> PutCard:
    return PutCard(name32("place"), capability(writer), version, text.encode(), int(NOW + expires))


def test_cards(relay: CoreRelay) -> None:
    assert code(relay.ask(GetCard(name32("place")))) == "not_found"
    assert code(relay.ask(put_card(5))) == "Done"
    assert relay.ask(GetCard(name32("place"))) == CardData(b"card")
    assert code(relay.ask(put_card(5))) == "Done"
    assert code(relay.ask(put_card(5, "other"))) == "old_version"
    assert code(relay.ask(put_card(4, "older"))) == "old_version"
    assert code(relay.ask(put_card(6, "forged", writer="thief"))) == "denied"
    relay.crash()
    assert code(relay.ask(put_card(6, "newer"))) == "Done"
    assert relay.ask(GetCard(name32("place"))) == CardData(b"newer")
    assert code(relay.ask(DeleteCard(name32("place"), capability("thief")))) == "denied"
    assert code(relay.ask(DeleteCard(name32("place"), capability("writer")))) == "Done"
    assert code(relay.ask(DeleteCard(name32("place"), capability("writer")))) == "Done"
    assert code(relay.ask(GetCard(name32("place")))) == "not_found"


def test_cards_expire_and_their_version_still_does_not_fall(relay: CoreRelay) -> None:
    relay.ask(put_card(5))
    relay.now += 11.5 * DAY
    relay.sweep()
    assert code(relay.ask(GetCard(name32("place")))) == "not_found"
    assert code(relay.ask(put_card(4, expires=30 * DAY))) == "old_version"
    assert code(relay.ask(put_card(4))) == "bad_request"
    relay.now += 60 * DAY
    assert relay.sweep().cards == 1


# --- expiry -----------------------------------------------------------------------------------------------------------


def test_envelopes_expire_and_mailboxes_in_use_do_not(relay: CoreRelay) -> None:
    relay.ask(Put(A_PUT, envelope("old")))
    relay.now += 29 * DAY
    relay.sweep()
    assert texts(relay) == ["old"]
    relay.now += 3 * DAY
    assert relay.sweep().entries == 1
    assert texts(relay) == []
    for _ in range(3):
        relay.now += 170 * DAY
        relay.sweep()
        relay.crash()
        assert texts(relay) == []
    relay.now += 182 * DAY
    assert relay.sweep().mailboxes == 1
    assert code(relay.ask(Get(A_GET, 0))) == "denied"


# --- admission and pace -----------------------------------------------------------------------------------------------


def test_the_access_secret_is_for_creating_only() -> None:
    relay = CoreRelay(MemoryEngine(), access=b"open sesame")
    assert code(relay.ask(create("a"))) == "not_admitted"
    assert code(relay.ask(create("a", admission=b"open sesamf"))) == "not_admitted"
    assert code(relay.ask(put_card(1))) == "not_admitted"
    assert code(relay.ask(create("a", admission=b"open sesame"))) == "Done"
    stranger = Client(relay.limits, relay.now)
    assert code(relay.ask(Put(A_PUT, envelope("x")), stranger)) == "Stored"
    assert code(relay.ask(create("b"), stranger)) == "not_admitted"
    assert code(relay.ask(create("b"), relay.client.stranger())) == "not_admitted"


def test_an_open_relay_paces_each_connection() -> None:
    relay = CoreRelay(MemoryEngine(), Limits(creates_per_minute=60, create_burst=3))
    assert [code(relay.ask(create(str(i)))) for i in range(4)] == ["Done"] * 3 + ["slow_down"]
    relay.now += 1.0
    assert code(relay.ask(create("3"))) == "Done"


def test_token_bucket() -> None:
    bucket = TokenBucket(10.0, 5.0, 100.0)
    assert [bucket.take(1, 100.0) for _ in range(6)] == [0] * 5 + [100]
    assert bucket.take(1, 100.125) == 0
    assert bucket.take(1, 99.0) > 0, "a clock set back gives nothing"
    assert bucket.take(5, 200.0) == 0
