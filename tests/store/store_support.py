"""What the store's tests share: a key, randomness, children that can be killed, and rows.

The strategies draw from few keys, so that rows replace each other.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from roost.crypto import StretchParams
from roost.errors import RoostError
from roost.messaging.records import Changes, Message, Outbox, Row, SessionRow, Setting, Stash, StoredFile
from roost.store import ProfileFolder, Protection

KEY = bytes(range(32))
PASSPHRASE = "correct horse"
QUICK = StretchParams(memory_kib=8, passes=1)  # the cost of a guess is not what these tests are about


class SystemEntropy:
    """The operating system's randomness."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


@contextlib.contextmanager
def child(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs `script` and can import what tests import; killed (SIGKILL) when the context ends."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that a child prints; it must print one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the child ended"
    return line.strip()


def code_of(error: BaseException) -> str:
    """The stable code of an error of ours."""
    assert isinstance(error, RoostError), error
    return error.code


def refused(work: Callable[[], object]) -> str:
    """The code of the error that `work` must raise."""
    with pytest.raises(RoostError) as caught:
        work()
    return code_of(caught.value)


def make(folder: Path, chosen: Protection, entropy: SystemEntropy) -> None:
    """A finished profile with one row, closed."""
    with ProfileFolder.create(folder, chosen, entropy) as profile:
        profile.store.apply(Changes(put=(Setting("a", b"1"),)))
        profile.finish()


def refusal(folder: Path, entropy: SystemEntropy, passphrase: str | None = None) -> str:
    """The code with which opening is refused."""
    with pytest.raises(RoostError) as caught:
        ProfileFolder.open(folder).unlock(entropy, passphrase, wait_s=0)
    return code_of(caught.value)


def reads(folder: Path, entropy: SystemEntropy, passphrase: str | None = None) -> bool:
    """Whether the profile opens and its row is there."""
    with ProfileFolder.open(folder).unlock(entropy, passphrase) as profile:
        return profile.store.get(Setting, "a") == Setting("a", b"1")


def message(number: int, text: str = "", **fields: Any) -> Message:
    values: dict[str, Any] = {
        "id": number.to_bytes(16, "big"),
        "conversation": bytes(32),
        "author": bytes(32),
        "device": bytes(32),
        "counter": number,
        "position": number,
        "sent_at": number,
        "received_at": number,
        "content": b"",
        "text": text,
        "state": 0,
        "network": "central",
    }
    return Message(**{**values, **fields})


def session(number: int, **fields: Any) -> SessionRow:
    values: dict[str, Any] = {
        "id": number.to_bytes(16, "big"),
        "account": bytes(32),
        "device": bytes(32),
        "identity": bytes(32),
        "state": b"",
        "initiated": True,
        "confirmed": False,
        "created_at": 0,
    }
    return SessionRow(**{**values, **fields})


small = st.integers(0, 4)
names = small.map(lambda number: bytes([number]) * 32)
numbers = small | st.integers(0, 2**63 - 1)

settings_rows = st.builds(Setting, name=st.sampled_from(["a", "b", "ä", ""]), value=st.binary(max_size=8))
session_rows = st.builds(
    session, small, account=names, device=names, acknowledge_at=numbers, state=st.binary(max_size=8), acked=numbers
)
stash_rows = st.builds(
    Stash,
    session=names,
    number=numbers,
    part=small,
    parts=small,
    payload=st.binary(max_size=8),
    mailbox=names,
    entry=small,
)
outbox_rows = st.builds(
    Outbox,
    number=numbers,
    account=names,
    device=names,
    id=names,
    message=names,
    content=st.binary(max_size=8),
    sent_at=numbers,
    counter=small,
    state=small,
    created_at=small,
    envelopes=st.lists(st.binary(max_size=4), max_size=2).map(tuple),
    next_at=numbers,
)
file_rows = st.builds(
    StoredFile, message=names, index=small, file=st.just("0" * 32), file_key=names, size=numbers, state=small
)
message_rows = st.builds(
    message, small, st.sampled_from(["", "hello", "hello world"]), position=small, deleted=st.booleans(), state=small
)
rows: st.SearchStrategy[Row] = st.one_of(settings_rows, session_rows, stash_rows, outbox_rows, file_rows, message_rows)
KINDS: tuple[type[Row], ...] = (Setting, SessionRow, Stash, Outbox, StoredFile, Message)
