"""A real relay that also writes down what it receives: `python -m tests.leaks.recording_relay DATA RECORD LISTEN`.

RECORD.in has every byte that came over each connection, as it was inside TLS; RECORD.requests the requests inside
packets; RECORD.log everything that it or a library of it logged, at the most talkative level.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
import sys
from pathlib import Path

from roost.relay import Ready, RelayConfig, run_relay
from roost.relay.server.link import Link
from roost.relay.server.service import Service
from roost.wire.codec import encode
from roost.wire.frames import frame

HEAD = struct.Struct(">II")
_numbers = itertools.count()


def record(path: Path) -> None:
    """Wrap the two places through which everything passes."""
    received = path.with_suffix(".in").open("ab", buffering=0)
    requests = path.with_suffix(".requests").open("ab", buffering=0)
    data_received, handle_plain = Link.data_received, Service._handle_plain
    known: dict[Link, int] = {}

    def receiving(self: Link, data: bytes) -> None:
        received.write(HEAD.pack(known.setdefault(self, next(_numbers)), len(data)) + data)
        data_received(self, data)

    def handling(self: Service, client, request, respond) -> None:  # type: ignore[no-untyped-def]
        requests.write(frame(encode(request)))
        handle_plain(self, client, request, respond)

    Link.data_received = receiving  # type: ignore[method-assign]
    Service._handle_plain = handling  # type: ignore[method-assign]


def connections(path: Path) -> dict[int, bytes]:
    """What each connection sent."""
    data, found, at = path.with_suffix(".in").read_bytes(), dict[int, bytearray](), 0
    while at < len(data):
        number, length = HEAD.unpack_from(data, at)
        found.setdefault(number, bytearray()).extend(data[at + HEAD.size : at + HEAD.size + length])
        at += HEAD.size + length
    return {number: bytes(sent) for number, sent in found.items()}


def _ready(ready: Ready) -> None:
    print(ready.link, ready.listen, flush=True)


if __name__ == "__main__":
    data, where, listen = sys.argv[1:]
    logging.basicConfig(level=logging.DEBUG, filename=Path(where).with_suffix(".log"))
    record(Path(where))
    asyncio.run(run_relay(RelayConfig(data=Path(data), listen=listen, work_bits=4), _ready))
