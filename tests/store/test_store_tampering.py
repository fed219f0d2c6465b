"""Nothing readable lies on the disk, the file is encrypted as its documentation says, and changed bytes are noticed."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from typing import Any

import pytest
from store_support import KEY, code_of, message

from roost.errors import RoostError
from roost.messaging.records import Changes, Message, Setting
from roost.store import Store

sodium: Any = importlib.import_module("nacl._sodium")  # libsodium itself: PyNaCl wraps no AEGIS
PAGE = 4096
NONCE = TAG = 32
SECRET = "the nightingale sings at nine"


@pytest.fixture
def filled(database: Path) -> bytes:
    """The bytes of a database with some hundred pages, closed."""
    with Store.create(database, KEY) as store:
        rows = tuple(message(number, f"{SECRET} {number}", content=bytes(900)) for number in range(300))
        store.apply(Changes(put=rows))
    return database.read_bytes()


def test_nothing_readable_is_on_the_disk(database: Path) -> None:
    with Store.create(database, KEY) as store:
        store.apply(Changes(put=tuple(message(number, f"{SECRET} {number}") for number in range(100))))
        files = {path.name: path.read_bytes() for path in database.parent.iterdir()}
        assert set(files) == {"roost.db", "roost.db-wal"}
    files["closed"] = database.read_bytes()
    for data in files.values():
        for part in (b"nightingale", b"SQLite format", b"CREATE TABLE", b"conversation", KEY, KEY.hex().encode()):
            assert part not in data
        assert data.count(bytes(16)) == 0


def test_wrong_key(filled: bytes, database: Path) -> None:
    with pytest.raises(RoostError) as caught:
        Store.open(database, bytes(32))
    assert code_of(caught.value) == "profile_damaged"
    assert database.read_bytes() == filled
    with pytest.raises(ValueError, match="32 bytes"):
        Store.open(database, b"short")


def test_a_file_that_is_no_database(database: Path) -> None:
    database.write_bytes(b"SQLite format 3\0" + bytes(PAGE))
    with pytest.raises(RoostError) as caught:
        Store.open(database, KEY)
    assert code_of(caught.value) == "profile_damaged"


def read_everything(database: Path) -> list[Message]:
    with Store.open(database, KEY) as store:
        store.check()
        store.search("nightingale", 1000)
        return store.find(Message)


def outcome(database: Path) -> str | list[Message]:
    """What is read, or the code with which reading is refused."""
    try:
        return read_everything(database)
    except RoostError as error:
        return error.code


def expect_damage(database: Path) -> None:
    with pytest.raises(RoostError) as caught:
        read_everything(database)
    assert code_of(caught.value) == "profile_damaged"


def test_a_changed_byte_is_noticed_wherever_it_is(filled: bytes, database: Path) -> None:
    chance = random.Random(1)
    positions = [24, 100, PAGE - NONCE - TAG, PAGE - NONCE, PAGE - 1, len(filled) - 1]
    positions += [chance.randrange(24, len(filled)) for _ in range(60)]
    for position in positions:
        changed = bytearray(filled)
        changed[position] ^= 1 << chance.randrange(8)
        database.write_bytes(changed)
        expect_damage(database)


def test_the_24_bytes_before_the_encryption_can_only_be_refused_or_ignored(filled: bytes, database: Path) -> None:
    database.write_bytes(filled)
    rows = read_everything(database)
    for position in range(24):
        for bit in range(8):
            changed = bytearray(filled)
            changed[position] ^= 1 << bit
            database.write_bytes(changed)
            assert outcome(database) in ("profile_damaged", "no_permission", rows), (position, bit)


def test_pages_that_changed_places_are_noticed(filled: bytes, database: Path) -> None:
    chance, count = random.Random(2), len(filled) // PAGE
    for _ in range(20):
        first, second = chance.sample(range(1, count), 2)
        pages = [filled[number * PAGE : (number + 1) * PAGE] for number in range(count)]
        pages[first], pages[second] = pages[second], pages[first]
        database.write_bytes(b"".join(pages))
        expect_damage(database)


def test_a_file_cut_off_is_noticed(filled: bytes, database: Path) -> None:
    for cut in (PAGE * 5, len(filled) - PAGE, len(filled) - 1):
        database.write_bytes(filled[:cut])
        expect_damage(database)


def test_damage_that_shows_while_working_is_reported_and_undoes_the_step(filled: bytes, database: Path) -> None:
    with Store.open(database, KEY) as store:
        (root,) = store._database.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'setting'")[0]
    changed = bytearray(filled)
    changed[(root - 1) * PAGE + 50] ^= 1
    database.write_bytes(changed)
    with Store.open(database, KEY) as store:
        with pytest.raises(RoostError) as caught:
            store.apply(Changes(put=(message(9_999, "new"), Setting("a", b""))))
        assert code_of(caught.value) == "profile_damaged"
        assert store.get(Message, message(9_999).id) is None
        assert store.search("new") == []


def test_a_row_that_does_not_parse_is_damage(store: Store) -> None:
    store._database.rows("INSERT INTO setting (name, data) VALUES ('a', x'ff')")
    with pytest.raises(RoostError) as caught:
        store.get(Setting, "a")
    assert code_of(caught.value) == "profile_damaged"


# --- the page format, read by another implementation (libsodium's AEGIS-256) -----------------------------------------


def aegis256_seal(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    out, length = sodium.ffi.new("unsigned char[]", len(plaintext) + TAG), sodium.ffi.new("unsigned long long *")
    null: Any = sodium.ffi.NULL
    sodium.lib.crypto_aead_aegis256_encrypt(out, length, plaintext, len(plaintext), null, 0, null, nonce, key)
    return bytes(sodium.ffi.buffer(out, len(plaintext) + TAG))


def aegis256_open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    out, length = sodium.ffi.new("unsigned char[]", len(sealed)), sodium.ffi.new("unsigned long long *")
    null: Any = sodium.ffi.NULL
    failed = sodium.lib.crypto_aead_aegis256_decrypt(out, length, null, sealed, len(sealed), null, 0, nonce, key)
    assert failed == 0
    return bytes(sodium.ffi.buffer(out, len(sealed) - TAG))


def open_page(number: int, page: bytes) -> bytes:
    """docs/protocol/profile-format.md, "roost.db"."""
    ciphertext, tag, nonce = page[: -TAG - NONCE], page[-TAG - NONCE : -NONCE], page[-NONCE:]
    stream = aegis256_seal(KEY, nonce, bytes(64))[:64]
    page_key, page_nonce = stream[:32], stream[32:60] + number.to_bytes(4, "big")
    plain_header = 24 if number == 1 else 0
    return aegis256_open(page_key, page_nonce, ciphertext[plain_header:] + tag)


def test_every_page_opens_as_documented(filled: bytes) -> None:
    pages = [open_page(place + 1, filled[place * PAGE : (place + 1) * PAGE]) for place in range(len(filled) // PAGE)]
    for text in ("CREATE TABLE", SECRET):
        assert text.encode() in b"".join(pages)
    assert {len(page) for page in pages[1:]} == {PAGE - TAG - NONCE}
