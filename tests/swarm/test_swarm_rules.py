"""The rules by which a swarm agrees (relay.core.places), and what travels between its nodes (relay.core.copies)."""

from __future__ import annotations

import msgspec
import pytest
from swarm_hosts import QuickEngine

from roost.errors import WireError
from roost.relay.core import places
from roost.relay.core.copies import (
    BlobPiece,
    EntryPiece,
    Union,
    WholePiece,
    decode_operations,
    divided,
    encode_operation,
    encode_operations,
    join_operations,
    kept_back,
    pieces,
)
from roost.relay.core.mailbox import RUN_BITS
from roost.relay.core.operations import (
    AppendEntry,
    CardRow,
    ChangeGrantRows,
    CreateMailbox,
    DeleteMailbox,
    EntryRow,
    GrantRow,
    Operation,
    RememberTags,
    RemoveCard,
    SealMailbox,
    StoreBlob,
    StoreCard,
    Sweep,
    TouchMailboxes,
    TrimEntries,
)
from roost.relay.core.places import Ballot, PlaceRecord, Progress, Verdict
from roost.wire.mailbox import Right
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE, SWARM_OPERATIONS
from roost.wire.swarm import MAX_PLANS, Member, Members, Standing

A, B, C, D, E = (name.encode() * 32 for name in "ABCDE")
PLACE = b"p" * 16


def inc(node: bytes, disk: int = 1) -> bytes:
    return node[:15] + bytes([disk])


def keep(*nodes: bytes) -> Members:
    return tuple(Member(node, inc(node)) for node in nodes)


def says(node: bytes, record: PlaceRecord | None = None, *, disk: int = 1, sure: bool = True) -> Standing:
    return (record or PlaceRecord(1)).standing(inc(node, disk), sure=sure, leading=False, courted=False)


def held(view: int, sequence: int, *nodes: bytes, leader: bytes = A) -> PlaceRecord:
    return PlaceRecord(1, view, leader, (), view, sequence, keep(*nodes), present=True)


def ballot(
    answers: dict[bytes, Standing],
    *,
    swarm: tuple[bytes, ...] = (A, B, C),
    before: tuple[bytes, ...] = (),
    gone: bytes = b"",
    proposed: Members | None = None,
) -> Ballot:
    made = Ballot(swarm, [before], lambda node: node != gone, proposed)
    for node, standing in answers.items():
        made.add(node, standing)
    return made


# --- members ----------------------------------------------------------------------------------------------------------


def test_a_view_is_promised_to_one_node_and_lower_ones_to_nobody() -> None:
    promised = places.prepare(PlaceRecord(1), A, 16, keep(A, B, C))
    assert promised is not None
    assert places.prepare(promised, A, 16, keep(A, B, C)) == promised
    assert places.prepare(promised, B, 16, keep(A, B, C)) is None
    assert places.prepare(promised, B, 15, keep(A, B, C)) is None
    assert places.prepare(promised, B, 17, keep(A, B, C)) is not None


def test_what_was_planned_is_remembered_until_a_view_begins() -> None:
    record = held(16, 3, A, B, C)
    for view, swarm in ((32, keep(C, D, E)), (48, keep(A, D, E)), (64, keep(C, D, E))):
        promised = places.prepare(record, D, view, swarm)
        assert promised is not None
        record = promised
    assert record.planned == (keep(C, D, E), keep(A, D, E))
    verdict, begun = places.adopt(record, D, 64, keep(C, D, E), (16, 3))
    assert (verdict, begun.planned, begun.members, begun.view) == (Verdict.TAKEN, (), keep(C, D, E), 64)


def test_no_more_is_promised_than_can_be_remembered() -> None:
    record = PlaceRecord(1)
    for view in range(MAX_PLANS):
        promised = places.prepare(record, A, view + 1, (Member(A, bytes([view]) * 16),))
        assert promised is not None
        record = promised
    assert places.prepare(record, A, 1_000, keep(A)) is None
    assert places.prepare(record, A, 1_000, record.planned[3]) is not None


def test_batches_are_taken_in_order_from_the_leader_alone() -> None:
    record = held(16, 3, A, B, C)
    assert places.append(record, A, 16, 4) == (Verdict.TAKEN, msgspec.structs.replace(record, sequence=4))
    assert places.append(record, A, 16, 3)[0] == Verdict.ALREADY
    assert places.append(record, A, 16, 5)[0] == Verdict.BEHIND
    assert places.append(record, B, 16, 4)[0] == Verdict.REFUSED
    assert places.append(record, B, 15, 4)[0] == Verdict.REFUSED
    assert places.append(record, B, 17, 1)[0] == Verdict.BEHIND
    promised = places.prepare(record, B, 17, keep(A, B, C))
    assert promised is not None
    assert places.append(promised, A, 16, 4)[0] == Verdict.REFUSED


def test_a_view_is_adopted_by_whoever_holds_what_it_begins_with() -> None:
    record = held(16, 3, A, B, C)
    assert places.adopt(record, B, 32, keep(A, B, C), (16, 3))[0] == Verdict.TAKEN
    assert places.adopt(record, B, 32, keep(A, B, C), (16, 4))[0] == Verdict.BEHIND
    assert places.adopt(record, B, 16, keep(A, B, C), (16, 3))[0] == Verdict.REFUSED
    assert places.adopt(record, A, 16, keep(A, B, C), (0, 0))[0] == Verdict.ALREADY
    assert places.adopt(PlaceRecord(1), B, 32, keep(A, B, C), (0, 0))[0] == Verdict.TAKEN
    empty = msgspec.structs.replace(record, present=False)
    assert places.adopt(empty, B, 32, keep(A, B, C), (0, 0))[0] == Verdict.BEHIND


def test_who_retired_knows_who_keeps_the_place() -> None:
    retired = places.retire(msgspec.structs.replace(held(16, 3, A, B, C), origin=16), D, 32, keep(B, C, D), 16)
    assert retired is not None
    assert (retired.present, retired.members, retired.view, retired.promised) == (False, keep(B, C, D), 32, 32)
    assert places.retire(msgspec.structs.replace(held(48, 0, A, B, C), origin=16), D, 32, keep(B, C, D), 16) is None


def test_what_others_began_without_is_kept() -> None:
    """A holds what D's view, which began with nothing, does not have."""
    verdict, first = places.adopt(PlaceRecord(1), A, 16, keep(A, B, C), (0, 0))
    assert (verdict, first.origin) == (Verdict.TAKEN, 16)
    verdict, second = places.adopt(first, B, 32, keep(A, B, C), (16, 0))
    assert (verdict, second.origin) == (Verdict.TAKEN, 16)
    assert not places.apart(second, 16)
    assert places.apart(second, 48)
    assert not places.apart(first, 48)  # nothing came since it began
    made = ballot({A: says(A, second), D: says(D, msgspec.structs.replace(held(48, 3, D), origin=48))})
    assert (made.holder, made.apart) == (D, [A])
    made = ballot({A: says(A, second), D: says(D, msgspec.structs.replace(held(48, 0, D), origin=48))})
    assert (made.holder, made.apart) == (A, [])


def test_a_lost_disk_learns_that_it_was_a_member() -> None:
    told = says(B, held(16, 3, A, B, C))
    learned = places.forgotten(PlaceRecord(7), told)
    assert learned is not None
    assert (learned.view, learned.members, learned.present, learned.mailbox) == (16, keep(A, B, C), False, 7)
    assert places.forgotten(learned, told) is None
    assert places.forgotten(held(16, 0, A, B, C), told) is None


# --- ballots ----------------------------------------------------------------------------------------------------------


def test_a_majority_of_the_swarm_and_of_the_one_before_must_know_nothing() -> None:
    assert not ballot({A: says(A)}).enough()
    assert ballot({A: says(A), B: says(B)}).enough()
    other = ballot({A: says(A), B: says(B)}, before=(C, D, E))
    assert not other.enough()
    assert other.asked() == {A, B, C, D, E}
    other.add(C, says(C))
    other.add(D, says(D))
    assert other.enough()


def test_who_may_have_forgotten_does_not_count() -> None:
    unsure = ballot({A: says(A), B: says(B, disk=2, sure=False)})
    assert not unsure.enough()
    unsure.add(C, says(C))
    assert unsure.enough()


def test_a_member_with_another_disk_does_not_count() -> None:
    """A and C acknowledged something, C lost its disk, B was deaf: A is needed."""
    answers = {B: says(B, held(16, 0, A, B, C)), C: says(C, held(16, 0, A, B, C), disk=2)}
    made = ballot(answers)
    assert not made.enough()
    made.add(A, says(A, held(16, 5, A, B, C)))
    assert made.enough()
    assert made.holder == A


def test_the_members_of_the_last_view_are_asked_whoever_the_swarm_is() -> None:
    made = ballot({A: says(A, held(16, 5, C, D, E)), B: says(B)})
    assert made.asked() == {A, B, C, D, E}
    assert not made.enough()
    made.add(C, says(C, held(16, 6, C, D, E)))
    assert not made.enough()
    made.add(D, says(D, held(16, 4, C, D, E)))
    assert made.enough()
    assert made.holder == C


def test_members_of_a_view_that_was_only_promised_are_asked_too() -> None:
    """D may lead C, D and E by now, and acknowledge what A and B never hear of."""
    promised = places.prepare(held(16, 5, A, B, C), D, 32, keep(C, D, E))
    assert promised is not None
    made = ballot({A: says(A, promised), B: says(B, promised)})
    assert not made.enough()
    made.add(D, says(D, held(32, 9, C, D, E, leader=D)))
    made.add(E, says(E, held(32, 9, C, D, E, leader=D)))
    assert made.enough()
    assert made.holder in (D, E)


def test_a_view_that_one_only_heard_of_says_nothing_of_those_before() -> None:
    """A and C kept five batches. C lost its disk and learned of the view that A began then, alone: what A held before
    is needed all the same."""
    members = (*keep(A, B), Member(C, inc(C, 2)))
    heard = places.forgotten(PlaceRecord(1), says(A, msgspec.structs.replace(held(32, 0), members=members)))
    assert heard is not None
    answers = {B: says(B, held(16, 3, A, B, C)), C: says(C, heard, disk=2)}
    made = ballot(answers)
    assert not made.enough()
    made.add(A, says(A, msgspec.structs.replace(held(32, 0), members=members)))
    assert made.enough()
    assert made.holder == A


def test_what_a_lost_disk_was_told_does_not_make_it_a_voter() -> None:
    """A, C and D keep the place after A, B and C did, and A never heard of it. C lost its disk, and was told of the
    view before only, by A; B left the network, D is down."""
    old = held(16, 3, A, B, C)
    heard = places.forgotten(PlaceRecord(1), says(A, old))
    assert heard is not None
    made = Ballot((A, C, D), [(A, C, D)], lambda node: node != B)
    made.add(A, says(A, old))
    made.add(C, says(C, heard, disk=2, sure=False))
    assert not made.enough()
    made.add(D, says(D, held(32, 0, A, C, D, leader=C)))
    assert made.enough()
    assert made.holder == D


def test_where_all_have_lost_what_they_held_there_is_nothing() -> None:
    lost = msgspec.structs.replace(held(16, 3, A, B, C), present=False)
    made = ballot({node: says(node, lost, disk=2) for node in (A, B)})
    assert not made.enough()
    made.add(C, says(C, lost, disk=2))
    assert made.enough()
    assert made.holder is None


def test_what_a_newer_view_took_over_is_asked_for_no_more() -> None:
    answers = {A: says(A, held(16, 9, C, D, E)), B: says(B, held(32, 0, A, B, C))}
    made = ballot(answers)
    assert made.asked() == {A, B, C}
    assert made.enough()
    assert made.holder == B


def test_who_is_gone_for_good_is_not_waited_for() -> None:
    """Two of three are gone with what they had: what the third has is all there is."""
    record = held(16, 5, A, D, E)
    made = Ballot((A, B, C), [], lambda node: node not in (D, E))
    made.add(A, says(A, record))
    made.add(B, says(B))
    assert made.enough()
    assert made.holder == A


def test_one_that_is_gone_does_not_make_a_minority_enough() -> None:
    made = ballot({A: says(A, held(16, 5, A, D, E)), B: says(B)}, gone=D)
    assert not made.enough()
    made.add(E, says(E, held(16, 6, A, D, E)))
    assert made.enough()


def test_members_without_a_known_disk_are_no_electorate() -> None:
    """Only A and B were counted when something was acknowledged, so both are asked."""
    members = (*keep(A, B), Member(C, b""))
    record = msgspec.structs.replace(held(16, 5, A, B), members=members)
    made = ballot({A: says(A, record), C: says(C)})
    assert not made.enough()
    made.add(B, says(B, record))
    assert made.enough()


def test_a_proposal_names_the_disks_that_answered() -> None:
    made = ballot({A: says(A, disk=3), B: says(B, held(16, 5, A, B, C))})
    assert made.members() == (Member(A, inc(A, 3)), Member(B, inc(B)), Member(C, inc(C)))


def test_views_rise_and_tell_their_leaders_apart() -> None:
    now = 1_800_000_000.0
    first = places.next_view(0, 0, now)
    assert first < places.next_view(first, 0, now) < places.next_view(first, 1, now)
    assert places.next_view(first, 2, now - 1_000_000) > first
    in_100_years = now + 100 * 365 * 86_400
    assert (places.next_view(0, 9, in_100_years) + 1) << RUN_BITS < 2**53


def test_durable_is_what_enough_have() -> None:
    progress = Progress(A, [A, B, C], 2)
    progress.has(A, 7)
    assert progress.durable == -1
    progress.has(B, 5)
    assert progress.durable == 5
    progress.has(C, 6)
    assert progress.durable == 6
    progress.lost(C)
    assert progress.durable == 5
    progress.has(B, 9)
    progress.has(C, 9)
    assert progress.durable == 7


# --- what travels -----------------------------------------------------------------------------------------------------

ENTRY = AppendEntry(3, EntryRow(9, b"h" * 32, 20_000, 5, 0, (b"d" * 16,)), b"e" * ENVELOPE_SIZE, begun=True)
CARD = CardRow(PLACE + b"l" * 16, b"w" * 32, 4, 20_100, b"card")


def test_operations_get_the_numbers_of_whoever_takes_them() -> None:
    operations: list[Operation] = [
        CreateMailbox(3, 0, 20_000, (GrantRow(b"g" * 32, 1, 0),)),
        ENTRY,
        StoreBlob(3, b"d" * 16, b"b" * 32, 20_000, b"x" * BLOB_SIZE),
        TrimEntries(3, 9, (2,), 0, (b"d" * 16,)),
        TouchMailboxes((3,), 20_000),
        StoreCard(CARD),
        DeleteMailbox(3),
    ]
    encoded = encode_operations(operations)
    assert join_operations([encode_operation(operation) for operation in operations]) == encoded
    assert join_operations([encode_operation(SealMailbox(1))] * 20) == encode_operations([SealMailbox(1)] * 20)
    taken = decode_operations(encoded, PLACE, 44)
    assert [getattr(operation, "mailbox", 44) for operation in taken] == [44] * 7
    assert taken[4] == TouchMailboxes((44,), 20_000)
    assert taken[1] == AppendEntry(44, ENTRY.entry, ENTRY.envelope)


@pytest.mark.parametrize(
    "operation",
    [
        Sweep(1, 1, 1, 1, 1),
        RememberTags(1, (1,)),
        StoreCard(CardRow(b"o" * 32, b"w" * 32, 4, 20_100, b"card")),
        StoreCard(CardRow(PLACE + b"l" * 16, b"w" * 32, 4, 20_100, b"c" * 7_000)),
        RemoveCard(b"o" * 32),
        AppendEntry(3, EntryRow(9, b"h" * 32, 20_000), b"short"),
        AppendEntry(3, EntryRow(9, b"h" * 31, 20_000), b"e" * ENVELOPE_SIZE),
        AppendEntry(3, EntryRow(2**63, b"h" * 32, 20_000), b"e" * ENVELOPE_SIZE),
        AppendEntry(3, EntryRow(-1, b"h" * 32, 20_000), b"e" * ENVELOPE_SIZE),
        StoreBlob(3, b"d" * 16, b"b" * 32, 20_000, b"x"),
        CreateMailbox(3, 0, 20_000, (GrantRow(b"short", 1, 0),)),
        TrimEntries(3, 9, (2**64 - 1,), 0),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_is_not_of_the_place_is_refused(operation: Operation) -> None:
    with pytest.raises(WireError):
        decode_operations(encode_operations([operation]), PLACE, 1)


def test_a_trim_of_very_many_files_is_divided() -> None:
    holds = tuple(number.to_bytes(16, "big") for number in range(5_001))
    trims = divided([TrimEntries(3, 9, (2,), 0, holds), ENTRY])
    assert len(trims) == 4
    assert sum((trim.holds for trim in trims if isinstance(trim, TrimEntries)), ()) == holds
    assert all(len(encode_operation(trim)) < SWARM_OPERATIONS for trim in trims)


def test_a_copy_makes_the_same_place() -> None:
    engine, copy = QuickEngine(), QuickEngine()
    grants = tuple(GrantRow(number.to_bytes(32, "big"), number % 3, number) for number in range(2_500))
    made: list[Operation] = [CreateMailbox(3, 2, 20_000, grants)]
    made += [StoreBlob(3, b"d" * 16, bytes([n]) * 32, 20_000, bytes([n]) * BLOB_SIZE) for n in range(3)]
    made += [
        AppendEntry(
            3, EntryRow(n, n.to_bytes(32, "big"), 20_000, n, 1, (b"d" * 16,) if n == 60 else ()), b"%04d" % n * 1_024
        )
        for n in range(1, 61)
    ]
    made += [TrimEntries(3, 30, (7,), 30), SealMailbox(3), StoreCard(CARD)]
    engine.apply(made)
    row = engine.mailbox(3)
    assert row is not None
    listed = pieces(row, engine.cards(PLACE))
    at_last: list[Operation] = []
    for piece in listed:
        operations: list[Operation] = []
        match piece:
            case EntryPiece(rows):
                found = dict(engine.envelopes(3, [entry.number for entry in rows]))
                operations = [AppendEntry(0, entry, found[entry.number]) for entry in rows]
            case BlobPiece(hold, day, blob):
                data = engine.blob(3, blob)
                assert data is not None
                operations = [StoreBlob(0, hold, blob, day, data)]
            case WholePiece():
                operations = list(piece.operations)
        encoded = encode_operations(operations)
        assert len(encoded) <= SWARM_OPERATIONS
        taken = decode_operations(encoded, PLACE, 99)
        at_last += [operation for operation in taken if kept_back(operation)]
        copy.apply([operation for operation in taken if not kept_back(operation)])
    assert not copy.mailboxes([grant.hash for grant in grants])
    copy.apply(at_last)
    assert any(isinstance(operation, ChangeGrantRows) for operation in at_last)
    assert copy.mailbox(99) == msgspec.structs.replace(row, mailbox=99)
    assert copy.envelopes(99, [7, 60]) == engine.envelopes(3, [7, 60])
    assert copy.cards(PLACE) == [CARD]


def test_of_two_states_that_began_apart_the_second_comes_after_the_first() -> None:
    def state(admin: bytes, *entries: tuple[int, bytes]) -> list[Operation]:
        grants = ChangeGrantRows(0, (GrantRow(admin * 32, Right.ADMIN, 0), GrantRow(b"p" * 32, Right.PUT, 0)), ())
        appended = [AppendEntry(0, EntryRow(number, name * 32, 20_000), b"e") for number, name in entries]
        return [CreateMailbox(0, 0, 20_000, ()), TrimEntries(0, 0, (), 4), grants, *appended, SealMailbox(0)]

    def numbered(operations: list[Operation]) -> list[tuple[int, bytes]]:
        return [(one.entry.number, one.entry.hash[:1]) for one in operations if isinstance(one, AppendEntry)]

    union = Union(100)
    union.first(state(b"a", (7, b"x"), (200, b"y")))
    assert numbered(union.more(state(b"a", (5, b"z"), (6, b"x"), (300, b"u")))) == [(201, b"z"), (202, b"u")]
    assert numbered(union.more(state(b"a", (5, b"z"), (9, b"v")))) == [(203, b"v")]
    assert union.more(state(b"b", (8, b"w"))) == []  # somebody else's mailbox
    card = CardRow(CARD.locator, CARD.writer_hash, CARD.version - 1, 20_100, b"older")
    assert union.more([StoreCard(CARD)]) == [StoreCard(CARD)]
    assert union.more([StoreCard(card), StoreCard(CARD)]) == []
    behind = Union(100)  # who read the other is at 9, and has not had what this has at 7
    behind.beside([EntryRow(5, b"z" * 32, 20_000), EntryRow(9, b"v" * 32, 20_000)], 50)
    assert numbered(behind.first(state(b"a", (5, b"z"), (7, b"x"), (12, b"y")))) == [(5, b"z"), (101, b"x"), (12, b"y")]
    assert numbered(behind.more(state(b"a", (5, b"z"), (9, b"v")))) == [(102, b"v")]
    alone = Union(100)
    alone.first([])
    whole = state(b"a", (5, b"z"))
    assert alone.more(whole)[:3] == whole[:3]
    assert numbered(alone.more(state(b"a", (5, b"z"), (6, b"x")))) == [(102, b"x")]


def test_a_copy_of_nothing_has_one_piece() -> None:
    assert pieces(None, []) == [WholePiece(())]
