"""The SQLite engine's writer as a process of its own, so that it shares no interpreter lock with the event loop.

Batches and outcomes travel over a socket pair, each a 4-byte length and msgpack. The process ends when the relay's end
of the pair is closed, after the batch that it was given; what a relay that died had not yet heard of was acknowledged
to nobody. It inherits the data directory's lock, so that no other relay begins while it still writes.

The process itself is `relay.storage.__main__`.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from roost.errors import SurroundingsError
from roost.relay.core.operations import Freed
from roost.relay.storage.committing import BUFFER, LENGTH, Batch, Outcome
from roost.relay.storage.sqlite import open_reader
from roost.relay.storage.worker import GroupStorage

_END_S = 10.0
_ARRAY = b"\xdd"  # of as many elements as the next 4 bytes say
_PIECES = 512  # at one call; Linux takes 1,024
_ANSWER = 64 * 1024  # bytes, more than nearly all answers have

_encoder = msgspec.msgpack.Encoder()
_outcomes = msgspec.msgpack.Decoder(Outcome)


class ProcessWriter:
    """A `Writer` whose engine lives in a process of its own. `keep` are descriptors that it inherits."""

    def __init__(self, database: Path, keep: Sequence[int] = ()) -> None:
        self._loop = asyncio.get_running_loop()
        self._ours, theirs = socket.socketpair()
        with theirs:
            for end in (self._ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            self._ours.setblocking(False)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "roost.relay.storage", str(theirs.fileno()), str(database)],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *keep),
            )
        self._unsent: deque[bytes | memoryview] = deque()
        self._received = bytearray()
        self._count = 0
        self._done: Callable[[Outcome], None] | None = None
        self._gone = False
        self._loop.add_reader(self._ours.fileno(), self._readable)

    def write(self, batch: Batch, done: Callable[[Outcome], None]) -> None:
        self._count = len(batch)
        self._done = done
        if self._gone:
            self._loop.call_soon(self._lost)
            return
        # Each submission by itself: one piece of memory for all of them would be mapped and unmapped every time.
        pieces = [_ARRAY + len(batch).to_bytes(4), *map(_encoder.encode, batch)]
        self._unsent.append(LENGTH.pack(sum(map(len, pieces))))
        self._unsent += pieces
        if not self._send():
            self._loop.add_writer(self._ours.fileno(), self._writable)

    async def close(self) -> None:
        self._forget()
        self._ours.close()
        try:
            await asyncio.to_thread(self._process.wait, _END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _send(self) -> bool:
        """Send what the socket takes; whether that was all."""
        unsent = self._unsent
        try:
            while unsent:
                sent = self._ours.sendmsg(list(islice(unsent, _PIECES)))
                while sent:
                    piece = unsent.popleft()
                    if sent < len(piece):
                        unsent.appendleft(memoryview(piece)[sent:])
                    sent -= min(sent, len(piece))
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # the process is gone: reading tells
            unsent.clear()
        return True

    def _writable(self) -> None:
        if self._send():
            self._loop.remove_writer(self._ours.fileno())

    def _readable(self) -> None:
        try:
            data = self._ours.recv(_ANSWER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._forget()
            self._lost()
            return
        self._received += data
        if len(self._received) < LENGTH.size:
            return
        stop = LENGTH.size + LENGTH.unpack_from(self._received)[0]
        if len(self._received) >= stop:
            outcome = _outcomes.decode(self._received[LENGTH.size : stop])
            del self._received[:stop]
            self._finish(outcome)

    def _lost(self) -> None:
        self._finish(Outcome(Freed(), tuple(range(self._count)), broken=True))

    def _finish(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _forget(self) -> None:
        if not self._gone:
            self._gone = True
            self._loop.remove_reader(self._ours.fileno())
            self._loop.remove_writer(self._ours.fileno())


class ProcessStorage(GroupStorage):
    """`Storage` over the SQLite file at `database`, which must be there, with a process that writes."""

    def __init__(self, database: Path, broken: Callable[[SurroundingsError], None], keep: Sequence[int] = ()) -> None:
        super().__init__(ProcessWriter(database, keep), open_reader(database), broken)
