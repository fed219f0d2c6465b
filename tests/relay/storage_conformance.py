"""What every storage engine must do. A subclass gives an engine: `TestMine(EngineConformance)` with `make`.

`make(path)` opens the storage kept at `path`, a directory; opening it again finds what was committed. Engines that keep
nothing set `durable = False`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roost.relay.core.operations import (
    RUNS_PER_START,
    AppendEntry,
    CardRow,
    ChangeGrantRows,
    CreateMailbox,
    DeleteMailbox,
    EntryRow,
    ForgetTags,
    Freed,
    GrantRow,
    HoldRow,
    Operation,
    RememberTags,
    RemoveCard,
    RemoveEntry,
    SealMailbox,
    StoreBlob,
    StoreCard,
    StorePlace,
    Sweep,
    TouchHold,
    TouchMailboxes,
    TrimEntries,
)
from roost.relay.storage import Engine, Reader

NEVER = Sweep(0, 0, 0, 0, 1_000)


def b32(name: str) -> bytes:
    return name.encode().ljust(32, b"\1")


def made(mailbox: int = 1, day: int = 100) -> CreateMailbox:
    grants = tuple(GrantRow(b32(f"{mailbox}{right}"), right, right * 10) for right in range(3))
    return CreateMailbox(mailbox, 0, day, grants)


def entry(
    number: int, *, mailbox: int = 1, day: int = 100, holds: tuple[bytes, ...] = (), size: int = 4_096
) -> AppendEntry:
    row = EntryRow(number, b32(f"e{number}"), day, number * 7, number % 5, holds)
    return AppendEntry(mailbox, row, (b"%d" % number * 4_096)[:size])


def blob(name: str, *, mailbox: int = 1, hold: str = "h", day: int = 100, size: int = 65_536) -> StoreBlob:
    return StoreBlob(mailbox, b32(hold)[:16], b32(name), day, (name.encode() * 65_536)[:size])


class EngineConformance:
    """Operation by operation."""

    durable = True

    def make(self, path: Path) -> Engine:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return self.make(tmp_path)

    @pytest.fixture
    def reader(self, engine: Engine) -> Reader:
        return engine.reader()

    @pytest.fixture
    def numbers(self, reader: Reader) -> Callable[[], list[int]]:
        def stored() -> list[int]:
            row = reader.mailbox(1)
            assert row is not None
            return [entry.number for entry in row.entries]

        return stored

    def test_a_mailbox_comes_back_whole(self, engine: Engine, reader: Reader) -> None:
        operations: list[Operation] = [
            made(),
            made(2),
            blob("x"),
            blob("y"),
            entry(5, holds=(b32("h")[:16],)),
            entry(9),
        ]
        engine.apply(operations)
        row = reader.mailboxes([b32("12"), b32("10"), b32("nobody")])
        assert [mailbox.mailbox for mailbox in row] == [1]
        assert (row[0].kind, row[0].sealed, row[0].used_day) == (0, False, 100)
        assert {grant.hash: (grant.right, grant.limit) for grant in row[0].grants} == {
            b32(f"1{right}"): (right, right * 10) for right in range(3)
        }
        assert list(row[0].entries) == [entry(5, holds=(b32("h")[:16],)).entry, entry(9).entry]
        assert [(hold.hold, hold.day, set(hold.blobs)) for hold in row[0].holds] == [
            (b32("h")[:16], 100, {b32("x"), b32("y")})
        ]
        assert reader.mailbox(1) == row[0]
        assert reader.mailbox(3) is None

    def test_envelopes_are_read_by_number(self, engine: Engine, reader: Reader) -> None:
        engine.apply([made(), made(2), entry(1), entry(2), entry(3), entry(2, mailbox=2)])
        assert reader.envelopes(1, [3, 1, 7]) == [(1, b"1" * 4_096), (3, b"3" * 4_096)]
        assert reader.envelopes(2, [1, 2, 3]) == [(2, b"2" * 4_096)]
        assert reader.envelopes(1, []) == []
        assert reader.envelopes(9, [1]) == []

    def test_a_dropped_entry_is_not_written(self, engine: Engine, numbers: Callable[[], list[int]]) -> None:
        dropped = entry(2)
        dropped.dropped = True
        engine.apply([made(), entry(1), dropped])
        assert numbers() == [1]

    def test_what_is_there_already_stays(self, engine: Engine, reader: Reader) -> None:
        """Another node may send what makes no sense; that must not look like a broken disk."""
        engine.apply([made(), entry(1)])
        engine.apply([made(day=200), entry(1, size=7), entry(2)])
        row = reader.mailbox(1)
        assert row is not None
        assert (row.used_day, [each.number for each in row.entries]) == (100, [1, 2])
        assert reader.envelopes(1, [1]) == [(1, b"1" * 4_096)]

    def test_trim(self, engine: Engine, reader: Reader, numbers: Callable[[], list[int]]) -> None:
        engine.apply([made(), made(2), *(entry(n) for n in range(1, 7)), entry(1, mailbox=2)])
        engine.apply([TrimEntries(1, 4, (2, 3), 6)])
        assert numbers() == [2, 3, 5, 6]
        engine.apply([TrimEntries(1, 100, (), 6)])
        assert numbers() == []
        row, other = reader.mailbox(1), reader.mailbox(2)
        assert row is not None
        assert other is not None
        assert row.floor == 6
        assert [e.number for e in other.entries] == [1]

    def test_trim_takes_the_blobs_it_is_told_to(self, engine: Engine, reader: Reader) -> None:
        holds = (b32("h")[:16], b32("i")[:16])
        engine.apply([made(), made(2), blob("x"), blob("y", hold="i"), blob("x", mailbox=2), entry(1, holds=holds)])
        engine.apply([entry(2, holds=holds[1:])])
        engine.apply([TrimEntries(1, 1, (), 2, holds[:1])])
        assert reader.blob(1, b32("x")) is None
        assert reader.blob(2, b32("x")) is not None
        row = reader.mailbox(1)
        assert row is not None
        assert row.holds == (HoldRow(holds[1], 100, (b32("y"),)),)
        assert row.entries[0].holds == holds[1:]

    def test_remove(self, engine: Engine, reader: Reader, numbers: Callable[[], list[int]]) -> None:
        engine.apply([made(), entry(1), entry(2), entry(3)])
        engine.apply([RemoveEntry(1, 3, 3)])
        assert numbers() == [1, 2]
        row = reader.mailbox(1)
        assert row is not None
        assert row.floor == 3

    def test_seal_touch_and_grants(self, engine: Engine, reader: Reader) -> None:
        engine.apply([made()])
        change = ChangeGrantRows(1, (GrantRow(b32("new"), 2, 7),), (b32("12"),))
        engine.apply([SealMailbox(1), TouchMailboxes((1, 2), 110), TouchMailboxes((1,), 105), change])
        row = reader.mailbox(1)
        assert row is not None
        assert row.sealed
        assert row.used_day == 110
        assert {grant.hash for grant in row.grants} == {b32("10"), b32("11"), b32("new")}
        assert reader.mailboxes([b32("12")]) == []
        assert reader.mailboxes([b32("new")]) == [row]

    def test_delete_leaves_nothing(self, engine: Engine, reader: Reader) -> None:
        engine.apply([made(), made(2), entry(1), blob("x"), entry(1, mailbox=2), blob("x", mailbox=2)])
        engine.apply([DeleteMailbox(1), DeleteMailbox(7)])
        assert reader.mailboxes([b32("10"), b32("11"), b32("12")]) == []
        assert reader.envelopes(1, [1]) == []
        assert reader.blob(1, b32("x")) is None
        totals = reader.totals()
        assert (totals.mailboxes, totals.entries, totals.blobs, totals.last_mailbox) == (1, 1, 1, 2)

    def test_blobs_are_stored_once(self, engine: Engine, reader: Reader) -> None:
        again = StoreBlob(1, b32("h")[:16], b32("x"), 101, b"other" * 10)
        engine.apply([made(), blob("x"), again, TouchHold(1, b32("h")[:16], 103), TouchHold(1, b32("h")[:16], 102)])
        assert reader.blob(1, b32("x")) == b"x" * 65_536
        row = reader.mailbox(1)
        assert row is not None
        assert row.holds == (HoldRow(b32("h")[:16], 103, (b32("x"),)),)
        assert reader.totals().blobs == 1

    def test_cards(self, engine: Engine, reader: Reader) -> None:
        card = CardRow(b32("place"), b32("writer"), 2**53, 120, b"card")
        newer = CardRow(b32("place"), b32("writer"), 7, 130, b"newer")
        engine.apply([StoreCard(card)])
        assert reader.card(b32("place")) == card
        engine.apply([StoreCard(newer)])
        assert reader.card(b32("place")) == newer
        engine.apply([RemoveCard(b32("place")), RemoveCard(b32("nowhere"))])
        assert reader.card(b32("place")) is None

    def test_cards_of_a_place(self, engine: Engine, reader: Reader) -> None:
        place = b"\xff" * 15 + b"p"
        cards = [CardRow(place + bytes([n]) * 16, b32("writer"), n, 120, b"card") for n in (0, 7, 255)]
        others = [
            CardRow(at, b32("writer"), 1, 120, b"card") for at in (bytes(32), place[:15] + b"o" * 17, b"\xff" * 32)
        ]
        engine.apply([StoreCard(card) for card in (*cards, *others)])
        assert reader.cards(place) == cards

    def test_places(self, engine: Engine, reader: Reader) -> None:
        engine.apply([StorePlace(b"b" * 16, b"1"), StorePlace(b"", b"own"), StorePlace(b"a" * 16, b"2")])
        engine.apply([StorePlace(b"b" * 16, b"3"), StorePlace(b"c" * 16, b"4"), StorePlace(b"c" * 16, b"")])
        engine.apply([StorePlace(b"d" * 16, b"")])
        assert (reader.place(b""), reader.place(b"b" * 16), reader.place(b"c" * 16)) == (b"own", b"3", None)
        assert reader.places(b"", 9) == [(b"a" * 16, b"2"), (b"b" * 16, b"3")]
        assert reader.places(b"", 1) == [(b"a" * 16, b"2")]
        assert reader.places(b"b" * 16, 9) == []

    def test_tags(self, engine: Engine) -> None:
        engine.apply([RememberTags(1, (5, 2**63 - 1)), RememberTags(2, (5,)), RememberTags(1, (5,))])
        assert sorted(engine.tags()) == [(1, 5), (1, 2**63 - 1), (2, 5)]
        engine.apply([ForgetTags(1)])
        assert engine.tags() == [(2, 5)]

    def test_runs_rise(self, engine: Engine) -> None:
        first, second = engine.begin_run(), engine.begin_run()
        assert second >= first + RUNS_PER_START
        assert engine.begin_run(at_least=10**9) == 10**9
        assert engine.begin_run(at_least=5) == 10**9 + RUNS_PER_START

    def test_nothing_expires_early(self, engine: Engine, numbers: Callable[[], list[int]]) -> None:
        engine.apply([made(), entry(1), blob("x"), StoreCard(CardRow(b32("p"), b32("w"), 1, 100, b"c"))])
        assert engine.apply([Sweep(100, 100, 100, 100, 1_000)]) == Freed()
        assert numbers() == [1]

    def test_sweep(self, engine: Engine, reader: Reader, numbers: Callable[[], list[int]]) -> None:
        holds = (b32("h")[:16],)
        engine.apply([made(), made(2, day=50), entry(1, day=90, holds=holds), entry(2, day=101), blob("x", day=90)])
        engine.apply([entry(3, mailbox=2, day=101), blob("y", hold="unneeded", day=100)])
        engine.apply([StoreCard(CardRow(b32("p"), b32("w"), 1, 99, b"c")), blob("z", hold="fresh", day=101)])
        freed = engine.apply([Sweep(100, 101, 100, 60, 1_000)])
        assert (freed.entries, freed.cards, freed.mailboxes) == (2, 1, 1)
        assert numbers() == [2]
        while freed.blobs < 2:  # a hold may be found unneeded in the sweep that took the envelope, or in the next
            more = engine.apply([Sweep(100, 101, 100, 60, 1_000)])
            assert more.blobs
            freed = Freed(blobs=freed.blobs + more.blobs)
        assert freed.blobs == 2
        assert reader.blob(1, b32("x")) is None
        assert reader.blob(1, b32("z")) is not None
        assert reader.mailbox(2) is None
        assert reader.card(b32("p")) is None
        row = reader.mailbox(1)
        assert row is not None
        assert row.floor >= 1

    def test_a_batch_is_all_or_nothing(self, engine: Engine, reader: Reader, numbers: Callable[[], list[int]]) -> None:
        engine.apply([made(), entry(1)])
        with pytest.raises(KeyError):
            engine.apply([entry(2), TrimEntries(1, 1, (), 1), None])  # type: ignore[list-item]
        assert numbers() == [1]
        assert reader.envelopes(1, [1, 2]) == [(1, b"1" * 4_096)]

    def test_what_was_committed_is_found_again(self, engine: Engine, tmp_path: Path) -> None:
        if not self.durable:
            return
        engine.apply([made(), entry(1), blob("x"), RememberTags(3, (4,))])
        run = engine.begin_run()
        engine.close()
        again = self.make(tmp_path)
        reader = again.reader()
        row = reader.mailbox(1)
        assert row is not None
        assert [e.number for e in row.entries] == [1]
        assert reader.blob(1, b32("x")) == b"x" * 65_536
        assert again.tags() == [(3, 4)]
        assert again.begin_run() >= run + RUNS_PER_START
