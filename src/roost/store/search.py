"""Full-text search over messages, kept in step with them inside the same transaction.

Words are found by their beginnings, whatever their case and diacritics (FTS5's unicode61). Scripts written without
spaces (Chinese, Japanese, Thai...) would make one token of a whole sentence, so their letters are set apart, in the
text and in what is looked for, and a word of several letters is found as a phrase. Place: store; migrations/0002 makes
the tables.
"""

from __future__ import annotations

import re
from typing import Final

from roost.messaging.records import Message
from roost.store.database import Database

MAX_QUERY: Final = 1_024  # characters of a query that are looked at; nobody types more, and each word costs time
_FIND: Final = (
    "SELECT searched.message FROM word JOIN searched ON searched.number = word.rowid"
    " WHERE word MATCH ? ORDER BY searched.position DESC, searched.number DESC LIMIT ?"
)
_FIND_IN_ONE: Final = (
    "SELECT searched.message FROM word JOIN searched ON searched.number = word.rowid"
    " JOIN message ON message.id = searched.message"
    " WHERE word MATCH ? AND message.conversation = ?"
    " ORDER BY searched.position DESC, searched.number DESC LIMIT ?"
)
_PUT: Final = (
    "INSERT INTO searched (message, position, words) VALUES (?, ?, ?)"
    " ON CONFLICT (message) DO UPDATE SET position = excluded.position, words = excluded.words"
)
_DELETE: Final = "DELETE FROM searched WHERE message = ?"
# Thai, Lao, Burmese, Khmer; Hiragana, Katakana, Bopomofo, Han with extensions and compatibility forms.
_UNSPACED: Final = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)


def searchable(message: Message | None) -> str:
    """What of a message can be found; empty: nothing."""
    return "" if message is None or message.deleted else _prepare(message.text)


def match_expression(words: str) -> str:
    """What the person typed as an FTS5 expression: every word, quoted, as a beginning. No syntax survives.

    Empty when there is nothing to look for.
    """
    return " ".join(f'"{prepared}"*' for word in words[:MAX_QUERY].split() if (prepared := _prepare(word)))


class SearchIndex:
    """The index of one database. All methods belong inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changed(self, before: Message | None, after: Message | None) -> None:
        """Follow a message that was added, changed or removed."""
        old, new = searchable(before), searchable(after)
        if after is not None and new:
            if new != old or before is None or before.position != after.position:
                self._database.rows(_PUT, (after.id, after.position, new))
        elif before is not None and old:
            self._database.rows(_DELETE, (before.id,))

    def find(self, words: str, limit: int, conversation: bytes | None = None) -> list[bytes]:
        """Ids of messages that hold all the words, newest first; of one conversation, if it is given."""
        expression = match_expression(words)
        if not expression:
            return []
        if conversation is None:
            rows = self._database.rows(_FIND, (expression, limit))
        else:
            rows = self._database.rows(_FIND_IN_ONE, (expression, conversation, limit))
        return [message for (message,) in rows]


def _prepare(text: str) -> str:
    """Text for the tokenizer: valid Unicode without quotes and NULs, letters of unspaced scripts set apart."""
    clean = text.encode("utf-8", "replace").decode("utf-8").replace('"', " ").replace("\0", " ")
    return _UNSPACED.sub(r" \1 ", clean).strip()
