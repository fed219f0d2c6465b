"""Search follows messages, takes any input as words, and finds what a plain scan finds."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_support import KEY, message

from roost.messaging.records import Changes, Message
from roost.store import Store
from roost.store.search import match_expression


def put(store: Store, *messages: Message) -> None:
    store.apply(Changes(put=messages))


def found(store: Store, words: str, limit: int = 100) -> list[int]:
    return [int.from_bytes(message_id, "big") for message_id in store.search(words, limit)]


def test_beginnings_case_and_diacritics(store: Store) -> None:
    put(store, message(1, "Crème brûlée für Zoë"), message(2, "Straße 12, Łódź"), message(3, "don't re-enter C++"))
    assert found(store, "creme") == found(store, "CRÈME BRÛ") == found(store, "zoe fur") == [1]
    assert found(store, "straß") == found(store, "12") == [2]
    assert found(store, "re-ent") == found(store, "DON'T") == found(store, "enter c++") == [3]
    assert found(store, "rulee") == found(store, "creme strasse") == []


def test_scripts_without_spaces(store: Store) -> None:
    put(store, message(1, "明日東京で会いましょう"), message(2, "今日は北京に行く"), message(3, "พบกันพรุ่งนี้"))
    assert found(store, "東京") == [1]
    assert found(store, "北京 今日") == [2]
    assert found(store, "京") == [2, 1]
    assert found(store, "京東") == []
    assert found(store, "พรุ่งนี้") == [3]


def test_newest_first_and_limited(store: Store) -> None:
    put(store, *(message(number, "same words", position=100 - number) for number in range(20)))
    assert found(store, "words") == list(range(20))
    assert found(store, "words", limit=3) == [0, 1, 2]
    assert found(store, "words", limit=0) == []


def test_edits_deletions_and_removals_are_followed(store: Store) -> None:
    put(store, message(1, "first version"), message(2, "first of all"))
    put(store, message(1, "second version", edited_at=5))
    assert found(store, "first") == [2]
    assert found(store, "second") == [1]
    put(store, message(1, "second version", deleted=True), message(2, ""))
    assert found(store, "second") == found(store, "version") == found(store, "first") == []
    put(store, message(1, "second version"))
    assert found(store, "version") == [1]
    store.apply(Changes(delete=((Message, (message(1).id,)),)))
    assert found(store, "version") == []
    assert store._database.rows("SELECT count(*) FROM searched") == [(0,)]


def test_words_of_deleted_messages_leave_the_index(store: Store) -> None:
    put(store, *(message(number, f"unspeakable{number} word") for number in range(50)))
    store.apply(Changes(delete=tuple((Message, (message(number).id,)) for number in range(50))))
    store._database.rows("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, word, row)")
    assert store._database.rows("SELECT * FROM temp.terms") == []
    blocks = b"".join(block for (block,) in store._database.rows("SELECT block FROM word_data"))
    assert b"unspeakable" not in blocks


def test_a_change_of_state_alone_does_not_touch_the_index(store: Store) -> None:
    put(store, message(1, "hello"))
    before = store._database.rows("SELECT id, block FROM word_data")
    put(store, message(1, "hello", state=3, received_at=77))
    assert store._database.rows("SELECT id, block FROM word_data") == before


@pytest.mark.parametrize(
    "typed",
    ['"', '""', "hello AND", "NOT hello", "NEAR(a b)", "hello OR", "words:hello", "-hello", "^hello", "hello*", "(",
     "\0", "{words}: a", "\ud800", "😀", "'; DROP TABLE message; --", "*", "+", "a" * 100_000, "a " * 50_000],
)  # fmt: skip
def test_syntax_is_only_text(store: Store, typed: str) -> None:
    put(store, message(1, "hello world"))
    assert set(found(store, typed)) <= {1}
    assert found(store, "hello") == [1]


@given(st.text())
@settings(max_examples=300)
def test_no_input_is_an_error(typed: str) -> None:
    assert store_for_any_input().search(typed) is not None
    assert match_expression(typed).count('"') % 2 == 0


_shared: list[Store] = []


def store_for_any_input() -> Store:
    if not _shared:
        _shared.append(Store.create(Path(tempfile.mkdtemp()) / "roost.db", KEY))
        put(_shared[0], message(1, "hello"))
    return _shared[0]


def words_of(text: str) -> list[str]:
    """An independent, plain tokenizer for the letters that the next test uses."""
    bare = "".join(letter for letter in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(letter))
    return re.findall(r"[a-z0-9]+", bare)


def holds(text: str, typed: str) -> bool:
    words = words_of(text)

    def phrase_begins(phrase: list[str], at: int) -> bool:
        part = words[at : at + len(phrase)]
        return part[:-1] == phrase[:-1] and len(part) == len(phrase) and part[-1].startswith(phrase[-1])

    phrases = [phrase for phrase in map(words_of, typed.split()) if phrase]
    return bool(phrases) and all(any(phrase_begins(phrase, at) for at in range(len(words))) for phrase in phrases)


texts = st.text(alphabet="abAÄé1 -.", max_size=12)


@given(st.lists(st.tuples(texts, st.booleans()), max_size=6), texts)
@settings(max_examples=60)
def test_finds_what_a_scan_finds(messages: list[tuple[str, bool]], typed: str) -> None:
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "roost.db", KEY) as store:
        rows = [message(number, text, deleted=deleted) for number, (text, deleted) in enumerate(messages)]
        put(store, *rows)
        expected = [row.counter for row in reversed(rows) if not row.deleted and holds(row.text, typed)]
        assert found(store, typed) == expected
