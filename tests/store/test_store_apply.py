"""Rows in and out: any sequence of changes leaves what a dictionary would hold; groups are all or nothing."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_support import KEY, KINDS, message, names, numbers, rows, session

from roost.messaging.records import Changes, Message, Outbox, Row, SessionRow, Setting, Stash
from roost.store import Store

Key = tuple[Any, ...]


def key_of(row: Row) -> Key:
    return tuple(getattr(row, name) for name in row.key)


changes = st.lists(rows, max_size=6)
SEARCHES: list[tuple[type[Row], dict[str, object], str | None, bool, int | None]] = [
    (SessionRow, {"account": bytes(32)}, None, False, None),
    (SessionRow, {"account": bytes(32), "device": bytes([1]) * 32}, "acknowledge_at", True, 1),
    (SessionRow, {}, "acknowledge_at", False, 1),
    (SessionRow, {}, "acknowledge_at", True, 2),
    (Outbox, {"state": 1}, "next_at", False, 2),
    (Outbox, {"state": 2}, "number", False, None),
    (Outbox, {"account": bytes(32)}, "number", True, 1),
    (Outbox, {}, None, False, 0),
    (Stash, {"session": bytes(32)}, None, True, 3),
    (Message, {"state": 3}, "position", True, 2),
]


class StoreEqualsDictionary(RuleBasedStateMachine):
    """The store beside a dictionary from kind and key to row."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "roost.db"
        self.store = Store.create(self.path, KEY)
        self.model: dict[tuple[type[Row], Key], Row] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def _apply(self, put: list[Row], delete: list[Row]) -> dict[tuple[type[Row], Key], Row]:
        self.store.apply(Changes(put=tuple(put), delete=tuple((type(row), key_of(row)) for row in delete)))
        gone = {(type(row), key_of(row)) for row in delete}
        kept = {key: row for key, row in self.model.items() if key not in gone}
        return kept | {(type(row), key_of(row)): row for row in put}

    @rule(put=changes, delete=changes)
    def apply(self, put: list[Row], delete: list[Row]) -> None:
        self.model = self._apply(put, delete)

    @rule(steps=st.lists(st.tuples(changes, changes), min_size=1, max_size=3))
    def apply_in_one_transaction(self, steps: list[tuple[list[Row], list[Row]]]) -> None:
        with self.store.transaction():
            for put, delete in steps:
                self.model = self._apply(put, delete)
                self.answers_are_those_of_now()

    @rule(steps=st.lists(st.tuples(changes, changes), min_size=1, max_size=3))
    def a_failed_transaction_changes_nothing(self, steps: list[tuple[list[Row], list[Row]]]) -> None:
        before = self.model
        with contextlib.suppress(KeyboardInterrupt), self.store.transaction():
            for put, delete in steps:
                self.model = self._apply(put, delete)
            raise KeyboardInterrupt
        self.model = before

    @rule(put=changes, inside=changes)
    def a_failed_part_leaves_the_rest(self, put: list[Row], inside: list[Row]) -> None:
        with self.store.transaction():
            self.model = self._apply(put, [])
            with contextlib.suppress(KeyboardInterrupt), self.store.transaction():
                self.store.apply(Changes(put=(Setting("b", b"undone"), *inside)))
                self.store.find(Setting)
                raise KeyboardInterrupt

    @rule(put=changes, caught=st.booleans())
    def what_cannot_be_written_undoes_all(self, put: list[Row], caught: bool) -> None:
        bad = Outbox(1, bytes(32), None, b"", b"", b"", 0, 0, 0, 0)  # type: ignore[arg-type]  # NULL in a column
        with pytest.raises(apsw.ConstraintError), self.store.transaction():  # noqa: PT012
            self._apply(put, [])
            self.store.apply(Changes(put=(Setting("b", b"undone"), bad)))
            if caught:  # by somebody who goes on
                with contextlib.suppress(apsw.ConstraintError):
                    self.store.find(Outbox, limit=1)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.path, KEY)

    @invariant()
    def rows_are_equal(self) -> None:
        if not hasattr(self, "store"):
            return
        for kind in KINDS:
            expected = sorted((key, row) for (of, key), row in self.model.items() if of is kind)
            assert self.store.find(kind) == [row for _, row in expected]

    @invariant()
    def answers_are_those_of_now(self) -> None:
        """The same searches again and again, so that most answers are those that were held."""
        for kind, where, order, descending, limit in SEARCHES if hasattr(self, "store") else ():
            expected = [
                row
                for (of, _), row in self.model.items()
                if of is kind and all(getattr(row, name) == value for name, value in where.items())
            ]
            expected.sort(key=lambda row: (getattr(row, order) if order else 0, key_of(row)), reverse=descending)
            found = self.store.find(kind, where=where, order=order, descending=descending, limit=limit)
            assert found == expected[:limit]

    @rule(row=rows)
    def get(self, row: Row) -> None:
        assert self.store.get(type(row), *key_of(row)) == self.model.get((type(row), key_of(row)))

    @rule(
        kind=st.sampled_from([SessionRow, Outbox]),
        account=names,
        bound=numbers,
        strict=st.booleans(),
        descending=st.booleans(),
        limit=st.none() | st.integers(0, 3),
    )
    def find(
        self, kind: type[Row], account: bytes, bound: int, strict: bool, descending: bool, limit: int | None
    ) -> None:
        column = "acknowledge_at" if kind is SessionRow else "next_at"
        found = self.store.find(
            kind,
            where={"account": account},
            at_most=None if strict else (column, bound),
            below=(column, bound) if strict else None,
            order=column,
            descending=descending,
            limit=limit,
        )
        expected = [
            row
            for (of, _), row in self.model.items()
            if of is kind and row.account == account  # type: ignore[attr-defined]
            if getattr(row, column) < bound + (not strict)
        ]
        expected.sort(key=lambda row: (getattr(row, column), key_of(row)), reverse=descending)
        assert found == expected[:limit]


TestStoreEqualsDictionary = StoreEqualsDictionary.TestCase
TestStoreEqualsDictionary.settings = settings(max_examples=40, stateful_step_count=15)


def test_columns_that_nobody_declared_cannot_be_searched(store: Store) -> None:
    with pytest.raises(ValueError, match="neither key nor index"):
        store.find(Message, where={"text": "hello"})
    with pytest.raises(ValueError, match="neither key nor index"):
        store.find(Message, order="id; DROP TABLE message")


def test_numbers_of_other_widths_and_words_of_sql_are_values(store: Store) -> None:
    store.apply(Changes(put=(Stash(b"s", 2**63 - 1, 0, 1, b"", b"", 0), Setting("'; --", b"x"))))
    assert store.get(Stash, b"s", 2**63 - 1) is not None
    assert store.get(Setting, "'; --") == Setting("'; --", b"x")


def test_a_transaction_is_seen_inside_itself(store: Store) -> None:
    with store.transaction():
        store.apply(Changes(put=(session(1), message(1, "hello"))))
        assert store.get(SessionRow, session(1).id) == session(1)
        assert store.search("hello") == [message(1).id]


def test_a_second_connection_is_refused_even_in_this_process(store: Store, database: Path) -> None:
    with pytest.raises(Exception, match="Another Roost process") as caught:
        Store.open(database, KEY)
    assert caught.value.code == "profile_busy"  # type: ignore[attr-defined]
    store.apply(Changes(put=(Setting("still", b"works"),)))


def test_a_backup_is_consistent_complete_and_opens_with_the_same_key(store: Store, tmp_path: Path) -> None:
    store.apply(Changes(put=tuple(message(number, f"word{number}") for number in range(200))))
    store.apply(Changes(delete=tuple((Message, (message(number).id,)) for number in range(0, 200, 2))))
    store.backup(tmp_path / "copy.db")
    store.apply(Changes(put=(Setting("later", b""),)))
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    with Store.open(tmp_path / "copy.db", KEY) as copy:
        assert len(copy.find(Message)) == 100
        assert copy.search("word101") == [message(101).id]
        assert copy.get(Setting, "later") is None
        copy.check()
    with pytest.raises(Exception, match="already something") as caught:
        store.backup(tmp_path / "copy.db")
    assert caught.value.code == "file_exists"  # type: ignore[attr-defined]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "roost.db", "roost.db-wal"]
