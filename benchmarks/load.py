"""A load of many links on one relay, with as little work for each frame as Python allows.

The relay must never wait for the load, or it would wake for every single frame and its figures would be those of a
slow client. So frames are patched and counted here, not encoded and decoded; what the relay sees is ordinary.
"""

from __future__ import annotations

import asyncio
import os
import struct
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from roost.crypto import capability_hash
from roost.network.tls import client_context
from roost.wire.codec import encode
from roost.wire.frames import frame
from roost.wire.mailbox import Call, Create, Grant, MailboxKind, Put, Right, Subscribe, Trim
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE

_LENGTH = struct.Struct(">I")
_WIDE = 2**16  # calls are numbered from here on, so that every id has the same width
_NUMBER = 2**32  # entries' numbers too: a relay's are far above
_HEAD = 39  # from a put's id to its envelope
_UNIQUE = 16
_RESPONSE = 11  # where a reply's response begins, counted from the frame's length
_STORED, _SUBSCRIBED, _DONE = b"\x92\x02", b"\x92\x04", b"\x91\x01"


@dataclass
class Count:
    """What the load saw."""

    delivered: int = 0
    stored: int = 0
    refused: int = 0


@dataclass
class _Keys:
    admin: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    get: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    put: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))

    def create(self) -> Create:
        rights = ((self.admin, Right.ADMIN), (self.get, Right.GET), (self.put, Right.PUT))
        return Create(MailboxKind.ORDINARY, tuple(Grant(capability_hash(secret), right) for secret, right in rights))


class LoadLink(asyncio.Protocol):
    """One link: it owns a mailbox and puts into another's, and trims once `trim_every` envelopes came."""

    def __init__(self, count: Count, trim_every: int) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keys = _Keys()
        self._count = count
        self._trim_every = trim_every
        self._buffer = b""
        self._calls = _WIDE
        self._untrimmed = 0
        self._newest = b""
        self._running = False
        self._envelopes = int.from_bytes(os.urandom(_UNIQUE - 1))
        self._trim_parts = _parts(Call(_WIDE, Trim(self._keys.admin, _NUMBER)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for request in (self._keys.create(), Subscribe(self._keys.get, 0)):
            self._transport.write(frame(encode(Call(self._calls, request))))
            self._calls += 1

    def begin(self, to: LoadLink, window: int) -> None:
        """Keep `window` puts under way until `end`."""
        before, after = _parts(Call(_WIDE, Put(to._keys.put, bytes(ENVELOPE_SIZE))))
        self._put_parts = before, after[:_HEAD], after[_HEAD + _UNIQUE :]
        self._running = True
        self._transport.write(b"".join(self._put() for _ in range(window)))

    def end(self) -> None:
        self._running = False

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else bytes(data)
        out: list[bytes] = []
        start, end = 0, len(data)
        while end - start >= _LENGTH.size:
            stop = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
            if stop > end:
                break
            if ENVELOPE_SIZE < stop - start < 2 * ENVELOPE_SIZE:
                self._newest = data[start + 12 : start + 20]
                self._untrimmed += 1
                self._count.delivered += 1
            elif data.startswith(_STORED, start + _RESPONSE):
                self._count.stored += 1
                if self._running:
                    out.append(self._put())
            elif data.startswith(_SUBSCRIBED, start + _RESPONSE):
                self.ready.set_result(None)
            elif self.ready.done() and not data.startswith(_DONE, start + _RESPONSE):
                self._count.refused += 1
            start = stop
        self._buffer = data[start:]
        if self._untrimmed >= self._trim_every:
            out.append(self._trim())
        if out:
            self._transport.write(b"".join(out))

    def _put(self) -> bytes:
        self._calls += 1
        self._envelopes += 1
        before, head, tail = self._put_parts
        return b"".join((before, self._calls.to_bytes(4), head, self._envelopes.to_bytes(_UNIQUE), tail))

    def _trim(self) -> bytes:
        self._calls += 1
        self._untrimmed = 0
        before, after = self._trim_parts
        return b"".join((before, self._calls.to_bytes(4), after[:-9], self._newest, after[-1:]))


class EchoLink(asyncio.Protocol):
    """One link of the floor's load: the next frame when the last one came back."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._missing = ENVELOPE_SIZE
        self._running = False
        self._frame = os.urandom(ENVELOPE_SIZE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        self._running = True
        self._transport.write(self._frame)

    def end(self) -> None:
        self._running = False

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._missing -= len(data)
        if self._missing <= 0:
            self._missing += ENVELOPE_SIZE
            self._count.delivered += 1
            if self._running:
                self._transport.write(self._frame)


async def echo_links(port: int, links: int, count: Count) -> list[EchoLink]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: EchoLink(count), "127.0.0.1", port) for _ in range(links)]
    return [link for _, link in made]


async def relay_links(port: int, links: int, count: Count, *, trim_every: int) -> list[LoadLink]:
    """Links with a subscribed mailbox each. Who answers is not checked: it is the relay that was just started."""
    tls = client_context()
    loop = asyncio.get_running_loop()
    found = []
    for _ in range(links):
        make = partial(LoadLink, count, trim_every)
        _, link = await loop.create_connection(make, "127.0.0.1", port, ssl=tls, server_hostname="127.0.0.1")
        await link.ready
        found.append(link)
    return found


def _parts(call: Call) -> tuple[bytes, bytes]:
    """An encoded frame before and after its call's id."""
    whole = frame(encode(call))
    return whole[:6], whole[10:]
