"""The tables are what messaging.records declares, and old databases become new ones."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_type_hints

import pytest
from print_schema import SQL_TYPES
from store_support import KEY, message

from roost.errors import SurroundingsError
from roost.messaging import records
from roost.messaging.records import ROWS, Changes, Row
from roost.store import Store
from roost.store.database import Database
from roost.store.migrate import Migration, migrate, migrations, version


@pytest.fixture
def empty(database: Path) -> Database:
    return Database(database, KEY, create=True)


def test_every_kind_of_row_is_listed() -> None:
    declared = {kind for _, kind in inspect.getmembers(records, inspect.isclass) if issubclass(kind, Row)} - {Row}
    assert declared == set(ROWS)
    assert len({kind.table for kind in ROWS}) == len(ROWS)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_tables_have_exactly_the_declared_columns(kind: type[Row], empty: Database) -> None:
    migrate(empty)
    rows = empty.rows('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (kind.table,))
    hints = get_type_hints(kind)
    columns = [*kind.key, *(name for name in kind.indexes if name not in kind.key)]
    expected = {name: (SQL_TYPES[hints[name]], 1) for name in columns} | {"data": ("BLOB", 1)}
    assert {name: (sql_type, not_null) for name, sql_type, not_null, _ in rows} == expected
    assert tuple(name for name, *_, place in sorted(rows, key=lambda row: row[3]) if place) == kind.key


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_every_declared_column_is_served_by_an_index(kind: type[Row], empty: Database) -> None:
    migrate(empty)
    first_columns = {
        empty.rows("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,))[0][0]
        for (index,) in empty.rows("SELECT name FROM pragma_index_list(?)", (kind.table,))
    }
    assert {*kind.indexes, kind.key[0]} <= {*first_columns, kind.key[0]}


def test_there_are_no_other_tables(empty: Database) -> None:
    migrate(empty)
    tables = {name for (name,) in empty.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    search = {"searched", "word"} | {f"word_{part}" for part in ("data", "idx", "docsize", "config")}
    assert tables == {kind.table for kind in ROWS} | search


def test_the_database_is_set_as_documented(store: Store) -> None:
    settings = {
        "synchronous": 2,
        "journal_mode": "wal",
        "locking_mode": "exclusive",
        "secure_delete": 1,
        "temp_store": 2,
        "fullfsync": 1,
        "application_id": 0x526F6F73,
        "page_size": 4096,
    }
    assert {name: store._database.rows(f"PRAGMA {name}")[0][0] for name in settings} == settings


def test_a_store_is_what_messaging_reads_from(store: Store) -> None:
    reader: records.Records = store
    assert reader.find(records.Me) == []


def test_an_older_database_becomes_a_newer_one_and_keeps_its_rows(empty: Database) -> None:
    migrate(empty, migrations()[:1])
    assert version(empty) == 1
    empty.rows("INSERT INTO setting (name, data) VALUES ('a', x'82a46e616d65a161a576616c7565c40131')")
    migrate(empty)
    assert version(empty) == len(migrations())
    kept = Store(empty).get(records.Setting, "a")
    assert kept == records.Setting("a", b"1")


def test_a_migration_that_fails_leaves_the_older_form(empty: Database) -> None:
    migrate(empty)
    broken = Migration(len(migrations()) + 1, "broken", "CREATE TABLE half (a); CREATE TABLE setting (b);")
    with pytest.raises(Exception, match="setting"):
        migrate(empty, (*migrations(), broken))
    assert version(empty) == len(migrations())
    assert empty.rows("SELECT * FROM sqlite_schema WHERE name = 'half'") == []
    migrate(empty)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Path) -> None:
    with Store.create(database, KEY):
        pass
    newer = Database(database, KEY)
    newer.rows(f"PRAGMA user_version = {len(migrations()) + 1}")
    newer.close()
    before = database.read_bytes()
    with pytest.raises(SurroundingsError) as caught:
        Store.open(database, KEY)
    assert caught.value.code == "profile_too_new"
    assert database.read_bytes() == before


def test_what_a_row_does_not_know_is_no_obstacle(store: Store) -> None:
    """A row written before a field existed reads with the field's default."""
    store.apply(Changes(put=(message(1),)))
    import msgspec

    old = {name: getattr(message(2), name) for name in message(2).__struct_fields__[:12]}
    sql = "INSERT INTO message (id, conversation, position, expire_at, state, data) VALUES (?, ?, 2, 0, 0, ?)"
    store._database.rows(sql, (old["id"], old["conversation"], msgspec.msgpack.encode(old)))
    assert store.get(records.Message, old["id"]) == message(2)
