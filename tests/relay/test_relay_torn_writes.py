"""A power cut in the middle of a write: of the relay's log only a beginning may have arrived, or a page in part."""

from __future__ import annotations

import random
from pathlib import Path

from storage_conformance import blob, entry, made

from roost.relay.core.operations import Operation, TrimEntries
from roost.relay.storage import SqliteEngine

BATCHES = 30


def contents(path: Path) -> tuple[list[int], list[int]]:
    """The numbers of both mailboxes' entries, whose bytes must be whole."""
    engine = SqliteEngine(path)
    reader = engine.reader()
    found = []
    for mailbox in (1, 2):
        row = reader.mailbox(mailbox)
        entries = reader.envelopes(mailbox, [held.number for held in row.entries]) if row else []
        for number, data in entries:
            assert data == (b"%d" % number * 4_096)[:4_096]
        found.append([number for number, _ in entries])
    reader.close()
    engine.close()
    return found[0], found[1]


def test_a_log_cut_off_anywhere_gives_a_state_that_was_committed(tmp_path: Path) -> None:
    """Each batch writes to two mailboxes; no cut shows one without the other, or less than the cut before."""
    path, chance = tmp_path / "relay.db", random.Random(9)
    engine = SqliteEngine(path)
    engine.begin_run()
    engine.apply([made(1), made(2)])
    for number in range(1, BATCHES + 1):
        batch: list[Operation] = [entry(number, mailbox=1), entry(number, mailbox=2), blob(f"b{number}", mailbox=1)]
        if number % 10 == 0:
            batch.append(TrimEntries(1, number - 5, (), 0))
        engine.apply(batch)
    log, base = path.with_name("relay.db-wal").read_bytes(), path.read_bytes()
    engine.close()
    states = []
    for cut in [*sorted(chance.randrange(len(log)) for _ in range(25)), len(log)]:
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "relay.db").write_bytes(base)
        torn = bytes(chance.randrange(2) * 5_000) if cut < len(log) else b""
        (folder / "relay.db-wal").write_bytes(log[:cut] + torn)
        one, two = contents(folder / "relay.db")
        assert two == list(range(1, len(two) + 1))
        assert one == [number for number in two if number > (len(two) // 10 * 10 - 5 if len(two) >= 10 else 0)]
        states.append(len(two))
    assert states == sorted(states)
    assert states[-1] == BATCHES
    assert len(set(states)) > 5
