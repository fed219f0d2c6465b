"""The client's store against plain sqlite3 in the same run: rows per second, singly and by hundreds.

    .venv/bin/python -m benchmarks store

The rows are sessions of about 1 KiB, as each envelope rewrites one. "sqlite3" writes the same bytes into a table of the
same form, unencrypted, in WAL with synchronous=FULL, through Python's own module: the floor. Messages and search are
the store's alone. Absolute figures move with the machine; ratios hold better (best of three).
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.measure import Clock, Result, throughput
from roost.messaging.records import Changes, Message, SessionRow
from roost.store import Store

SINGLY = 1_000
BY_HUNDREDS = 20_000
MESSAGES = 20_000
ROUNDS = 3
KEY = os.urandom(32)
T = TypeVar("T")


def session(number: int) -> SessionRow:
    return SessionRow(
        id=os.urandom(16),
        account=(number % 20).to_bytes(32, "big"),
        device=(number % 30).to_bytes(32, "big"),
        identity=bytes(32),
        state=os.urandom(800),
        initiated=True,
        confirmed=True,
        created_at=number,
        acknowledge_at=number,
    )


def message(number: int) -> Message:
    text = f"Message number {number} about the nightingale and {number % 97} other birds, sung at {number % 24} o'clock"
    return Message(
        id=number.to_bytes(16, "big"),
        conversation=(number % 20).to_bytes(32, "big"),
        author=bytes(32),
        device=bytes(32),
        counter=number,
        position=number,
        sent_at=number,
        received_at=number,
        content=text.encode(),
        text=text,
        state=0,
        network="central",
    )


class Plain:
    """The floor: the same bytes through Python's sqlite3."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE session (id BLOB NOT NULL PRIMARY KEY, account BLOB NOT NULL, device BLOB NOT NULL,"
            " acknowledge_at INTEGER NOT NULL, data BLOB NOT NULL) STRICT"
        )
        for column in ("account", "device", "acknowledge_at"):
            self.connection.execute(f"CREATE INDEX session_{column} ON session ({column})")

    def put(self, rows: Sequence[SessionRow]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET account = excluded.account,"
            " device = excluded.device, acknowledge_at = excluded.acknowledge_at, data = excluded.data",
            [(row.id, row.account, row.device, row.acknowledge_at, msgspec.msgpack.encode(row)) for row in rows],
        )
        self.connection.execute("COMMIT")

    def get(self, key: bytes) -> SessionRow:
        (data,) = self.connection.execute("SELECT data FROM session WHERE id = ?", (key,)).fetchone()
        return msgspec.msgpack.decode(data, type=SessionRow)


def per_second(work: Callable[[T], object], items: Sequence[T], rows_each: int = 1) -> float:
    """How many rows a second `work` does, item after item."""
    begun = time.perf_counter()
    for item in items:
        work(item)
    return len(items) * rows_each / (time.perf_counter() - begun)


def in_parts(rows: Sequence[T], size: int) -> list[tuple[T, ...]]:
    return [tuple(rows[start : start + size]) for start in range(0, len(rows), size)]


@contextmanager
def opened() -> Iterator[tuple[Store, Plain]]:
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "roost.db", KEY) as store:
        plain = Plain(Path(folder) / "plain.db")
        with closing(plain.connection):
            yield store, plain


def compare() -> dict[str, tuple[float, float]]:
    """Rows per second of the store and of plain sqlite3."""
    results = {}
    few, many = [session(number) for number in range(SINGLY)], [session(number) for number in range(BY_HUNDREDS)]
    with opened() as (store, plain):
        for name, rows, size in (("1 per transaction", few, 1), ("100 per transaction", many, 100)):
            parts = in_parts(rows, size)
            results[name] = (
                per_second(lambda part: store.apply(Changes(put=part)), parts, size),
                per_second(plain.put, parts, size),
            )
        keys = [row.id for row in many]
        results["reads by key"] = (
            per_second(lambda key: store.get(SessionRow, key), keys),
            per_second(plain.get, keys),
        )
    return results


def messages() -> dict[str, float]:
    """What the store alone does: messages with their search index."""
    groups = in_parts([message(number) for number in range(MESSAGES)], 100)
    with opened() as (store, _):
        return {
            "new messages, 100 per transaction": per_second(
                lambda group: store.apply(Changes(put=group)), groups, rows_each=100
            ),
            "pages of 50 of one conversation": per_second(lambda number: page(store, number), range(200)),
            "searches with few hits": per_second(
                lambda number: store.search(f"number {number}", 20), range(1_000, 1_500)
            ),
            f"searches with {MESSAGES} hits": per_second(lambda words: store.search(words, 20), ["nightin"] * 20),
        }


def page(store: Store, number: int) -> list[Message]:
    return store.find(
        Message,
        where={"conversation": (number % 20).to_bytes(32, "big")},
        below=("position", MESSAGES - number * 50),
        order="position",
        descending=True,
        limit=50,
    )


def run(clock: Clock) -> list[Result]:  # noqa: ARG001 - sizes are fixed: a database's speed depends on how full it is
    rounds = [compare() for _ in range(ROUNDS)]
    results = []
    for name in rounds[0]:
        store, plain = (max(result[name][side] for result in rounds) for side in (0, 1))
        floor = throughput(f"sqlite3, {name}", plain, "rows/s")
        results += [floor, throughput(f"store, {name}", store, "rows/s", floor)]
    return results + [throughput(name, rate, "/s") for name, rate in messages().items()]
