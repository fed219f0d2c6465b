"""The engines: conformance, agreement with each other under any operations, and SQLite's own duties."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import apsw
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from storage_conformance import NEVER, EngineConformance, blob, entry, made

from roost.errors import SurroundingsError
from roost.relay.core.operations import (
    DeleteMailbox,
    Freed,
    MailboxRow,
    Operation,
    RemoveEntry,
    SealMailbox,
    Sweep,
    TouchMailboxes,
    TrimEntries,
)
from roost.relay.storage import (
    Engine,
    MemoryEngine,
    ProcessStorage,
    Reader,
    SqliteEngine,
    StorageBroken,
    StorageFull,
    ThreadedStorage,
)
from roost.relay.storage.migrations import steps
from roost.relay.storage.process import ProcessWriter


class TestMemoryEngine(EngineConformance):
    durable = False

    def make(self, path: Path) -> Engine:
        return MemoryEngine()


class TestSqliteEngine(EngineConformance):
    def make(self, path: Path) -> Engine:
        return SqliteEngine(path / "relay.db")


# --- both do the same -------------------------------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> list[list[Operation]]:
    """Operations as the rules make them: rising numbers, blobs before the entries that need them."""
    top = {1: 0, 2: 0}
    day = 100
    result: list[list[Operation]] = [[made(1), made(2)]]
    for _ in range(draw(st.integers(1, 6))):
        batch: list[Operation] = []
        for _ in range(draw(st.integers(1, 6))):
            box = draw(st.sampled_from([1, 2]))
            match draw(st.integers(0, 6)):
                case 0 | 1:
                    top[box] += draw(st.integers(1, 3))
                    batch.append(entry(top[box], mailbox=box, day=day, size=9))
                case 2:
                    hold = draw(st.sampled_from(["h", "i"]))
                    top[box] += 1
                    batch.append(blob(str(top[box]), mailbox=box, hold=hold, day=day, size=9))
                    batch.append(entry(top[box], mailbox=box, day=day, holds=(batch[-1].hold,), size=9))  # type: ignore[union-attr]
                case 3:
                    upto = draw(st.integers(0, top[box]))
                    keep = tuple(sorted(draw(st.sets(st.integers(1, max(1, upto)), max_size=3))))
                    batch.append(TrimEntries(box, upto, keep, top[box]))
                case 4:
                    batch.append(RemoveEntry(box, draw(st.integers(1, max(1, top[box]))), top[box]))
                case 5:
                    batch.append(blob("loose", mailbox=box, hold=draw(st.sampled_from("jk")), day=day, size=9))
                case 6:
                    day += draw(st.integers(0, 2))
                    batch.append(TouchMailboxes((box,), day))
        result.append(batch)
        if draw(st.booleans()):
            sweep = Sweep(day - 2, day - 1, 0, 0, 1_000)
            result += [[sweep], [sweep]]
    return result


def content(reader: Reader) -> list[object]:
    found: list[object] = []
    for number in (1, 2):
        row = reader.mailbox(number)
        assert isinstance(row, MailboxRow)
        found += [row.kind, row.sealed, row.floor, row.used_day, row.entries]
        found.append(sorted((hold.hold, hold.day, sorted(hold.blobs)) for hold in row.holds))
        found.append(reader.envelopes(number, [e.number for e in row.entries]))
    return found


@settings(max_examples=25)
@given(batches())
def test_engines_agree(operations: list[list[Operation]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory, sqlite = MemoryEngine(), SqliteEngine(Path(folder) / "relay.db")
        reader = sqlite.reader()
        for batch in operations:
            memory.apply(batch)
            sqlite.apply(batch)
            assert content(reader) == content(memory.reader())
        reader.close()
        sqlite.close()


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "relay.db", max_pages=120)
    engine.apply([made()])
    stored: list[int] = []

    def fill() -> None:
        for number in range(1, 200):
            engine.apply([entry(number)])
            stored.append(number)

    with pytest.raises(StorageFull):
        fill()
    row = engine.reader().mailbox(1)
    assert row is not None
    assert [e.number for e in row.entries] == stored
    engine.apply([TrimEntries(1, stored[-1], (), stored[-1])])
    engine.apply([entry(500)])
    engine.close()


def test_a_full_disk_gives_up_the_reserve_and_a_sweep_makes_it_again(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "relay.db", max_pages=60)
    reserve = tmp_path / "relay.reserve"
    assert reserve.stat().st_size == 16 * 1024**2
    with pytest.raises(StorageFull):
        engine.apply([made(), *(entry(number) for number in range(100))])
    assert not reserve.exists()
    engine.apply([NEVER])
    assert reserve.stat().st_size == 16 * 1024**2
    engine.close()


def test_sweeps_go_in_steps(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "relay.db")
    engine.apply([made(), *(entry(n, day=90) for n in range(1, 8)), entry(8, day=100)])
    step = Sweep(95, 0, 0, 0, 3)
    assert [engine.apply([step]) for _ in range(3)] == [
        Freed(entries=3, more=True),
        Freed(entries=3, more=True),
        Freed(entries=1),
    ]


def test_commits_are_synchronous_and_logged_ahead(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "relay.db")
    pragma = engine._connection.pragma
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("wal_autocheckpoint")) == ("wal", 2, 0)
    engine.close()


def test_data_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    SqliteEngine(tmp_path / "relay.db").close()
    with apsw.Connection(str(tmp_path / "relay.db")) as connection:
        connection.pragma("user_version", len(steps()) + 1)
    with pytest.raises(StorageBroken) as caught:
        SqliteEngine(tmp_path / "relay.db")
    assert caught.value.code == "newer_data"


@pytest.mark.parametrize("foreign", ["text", "other database"])
def test_other_files_are_left_alone(tmp_path: Path, foreign: str) -> None:
    path = tmp_path / "relay.db"
    if foreign == "text":
        path.write_bytes(b"not a database" * 1_000)
    else:
        with apsw.Connection(str(path)) as connection:
            connection.execute("CREATE TABLE mine (x)")
        connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageBroken):
        SqliteEngine(path)
    if foreign == "text":
        assert path.read_bytes() == before


# --- the threads around an engine -------------------------------------------------------------------------------------


class Outcomes:
    """Collects callbacks."""

    def __init__(self) -> None:
        self.errors: list[SurroundingsError | None] = []

    def __call__(self, error: SurroundingsError | None, _: Freed) -> None:
        self.errors.append(error)


async def settled(storage: ThreadedStorage) -> None:
    done = asyncio.get_running_loop().create_future()
    storage.submit((), lambda *_: done.set_result(None))
    await done


async def test_what_was_handed_in_is_committed_in_order(tmp_path: Path) -> None:
    storage = ThreadedStorage(SqliteEngine(tmp_path / "relay.db"), pytest.fail)
    outcomes = Outcomes()
    storage.submit((made(),), outcomes)
    for number in range(1, 101):
        storage.submit((entry(number),), outcomes)
    assert storage.backlog > 400_000
    await settled(storage)
    assert outcomes.errors == [None] * 101
    assert storage.backlog == 0
    found: asyncio.Future[MailboxRow | None] = asyncio.get_running_loop().create_future()
    storage.load_mailbox(1, found.set_result)
    row = await found
    assert row is not None
    assert len(row.entries) == 100
    assert storage.commits < 60, "what waited was committed together"
    await storage.close()


async def test_closing_commits_what_was_handed_in(tmp_path: Path) -> None:
    storage = ThreadedStorage(SqliteEngine(tmp_path / "relay.db"), pytest.fail)
    outcomes = Outcomes()
    storage.submit((made(), *(entry(n) for n in range(1, 50))), outcomes)
    await storage.close()
    assert outcomes.errors == [None]
    again = SqliteEngine(tmp_path / "relay.db")
    assert again.reader().totals().entries == 49
    again.close()


async def test_after_a_failed_commit_everything_that_builds_on_it_fails(tmp_path: Path) -> None:
    storage = ThreadedStorage(SqliteEngine(tmp_path / "relay.db", max_pages=60), pytest.fail)
    first = Outcomes()
    storage.submit((made(), entry(1), entry(2)), first)
    await settled(storage)
    failing, after, freeing = Outcomes(), Outcomes(), Outcomes()
    storage.submit(tuple(entry(n) for n in range(3, 80)), failing)
    storage.submit((SealMailbox(1), entry(100)), after)
    storage.submit((TrimEntries(1, 1, (), 2),), freeing)
    await settled(storage)
    assert first.errors == freeing.errors == [None]
    assert isinstance(failing.errors[0], StorageFull)
    assert isinstance(after.errors[0], StorageFull)
    later = Outcomes()
    storage.submit((entry(101),), later)
    await settled(storage)
    assert later.errors == [None]
    await storage.close()


class BrokenEngine(MemoryEngine):
    def apply(self, batch: object) -> Freed:
        raise StorageBroken("broken")


async def test_a_broken_engine_is_told_and_every_submission_fails() -> None:
    told: list[SurroundingsError] = []
    storage = ThreadedStorage(BrokenEngine(), told.append)
    outcomes = Outcomes()
    storage.submit((made(),), outcomes)
    storage.submit((DeleteMailbox(1),), outcomes)
    await settled(storage)
    assert [type(error) for error in outcomes.errors] == [StorageBroken, StorageBroken]
    assert told
    await storage.close()


# --- the writer as a process ------------------------------------------------------------------------------------------


async def process_storage(path: Path, told: list[SurroundingsError]) -> ProcessStorage:
    SqliteEngine(path).close()
    return ProcessStorage(path, told.append)


async def test_the_process_commits_in_order_and_its_end_loses_nothing(tmp_path: Path) -> None:
    told: list[SurroundingsError] = []
    storage = await process_storage(tmp_path / "relay.db", told)
    outcomes = Outcomes()
    storage.submit((made(),), outcomes)
    for number in range(1, 101):
        storage.submit((entry(number),), outcomes)
    await storage.close()
    assert outcomes.errors == [None] * 101
    assert not told
    again = SqliteEngine(tmp_path / "relay.db")
    assert again.reader().totals().entries == 100
    again.close()


async def test_more_than_a_socket_holds_is_handed_over(tmp_path: Path) -> None:
    storage = await process_storage(tmp_path / "relay.db", [])
    outcomes = Outcomes()
    storage.submit((made(), *(entry(number) for number in range(1, 1_500))), outcomes)
    await storage.close()
    assert outcomes.errors == [None]


async def test_many_submissions_are_several_transactions(tmp_path: Path) -> None:
    storage = await process_storage(tmp_path / "relay.db", [])
    outcomes = Outcomes()
    storage.submit((made(),), outcomes)
    for number in range(1, 5_001):
        storage.submit((entry(number),), outcomes)
    await storage.close()
    assert outcomes.errors == [None] * 5_001
    assert storage.commits > 1
    again = SqliteEngine(tmp_path / "relay.db")
    assert again.reader().totals().entries == 5_000
    again.close()


async def test_a_busy_storage_is_spared_what_readers_trim(tmp_path: Path) -> None:
    """They trimmed before: it waits for them a little, and not for ever where they stop."""
    storage = await process_storage(tmp_path / "relay.db", [])
    outcomes, trims = Outcomes(), Outcomes()
    storage.submit((made(),), outcomes)
    first = [entry(number) for number in range(1, 41)]
    for operation in first:
        storage.submit((operation,), outcomes)
        storage.submit((), trims)
    while len(outcomes.errors) < 41:  # noqa: ASYNC110 - a process writes
        await asyncio.sleep(0.001)
    spared, kept = [entry(number) for number in range(41, 81)], [entry(number) for number in range(81, 101)]
    for operation in spared + kept:
        storage.submit((operation,), outcomes)
    for operation in spared:
        operation.dropped = True
        storage.submit((), trims)
    while len(outcomes.errors) < 101:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.001)
    assert outcomes.errors == [None] * 101
    await storage.close()
    again = SqliteEngine(tmp_path / "relay.db")
    row = again.reader().mailbox(1)
    assert row is not None
    assert [each.number for each in row.entries] == [*range(1, 41), *range(81, 101)]
    again.close()


async def test_what_was_dropped_before_its_transaction_is_not_written(tmp_path: Path) -> None:
    storage = await process_storage(tmp_path / "relay.db", [])
    outcomes = Outcomes()
    gone = entry(1)
    storage.submit((made(), gone, entry(2)), outcomes)
    gone.dropped = True
    await storage.close()
    assert outcomes.errors == [None]
    again = SqliteEngine(tmp_path / "relay.db")
    row = again.reader().mailbox(1)
    assert row is not None
    assert [each.number for each in row.entries] == [2]
    again.close()


async def test_a_writer_that_is_gone_is_told_and_every_submission_fails(tmp_path: Path) -> None:
    told: list[SurroundingsError] = []
    storage = await process_storage(tmp_path / "relay.db", told)
    writer = storage._writer
    assert isinstance(writer, ProcessWriter)
    writer._process.kill()
    outcomes = Outcomes()
    storage.submit((made(),), outcomes)
    storage.submit((DeleteMailbox(1),), outcomes)
    await storage.close()
    assert [type(error) for error in outcomes.errors] == [StorageBroken, StorageBroken]
    assert told


def test_a_log_that_cannot_begin_anew_now_does_so_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others read, or move the log into the file: the batch is committed all the same."""
    monkeypatch.setattr("roost.relay.storage.sqlite._WAL_LIMIT_PAGES", 2)
    engine = SqliteEngine(tmp_path / "relay.db")
    engine._connection.set_busy_timeout(0)
    other = apsw.Connection(str(tmp_path / "relay.db"))
    engine.apply([made()])
    other.execute("BEGIN; SELECT count(*) FROM entries")
    for number in range(1, 4):
        assert engine.apply([entry(number)]) == Freed()
    other.execute("COMMIT")
    engine.apply([entry(4)])
    reader = engine.reader()
    assert reader.totals().entries == 4
    reader.close()
    other.close()
    engine.close()
