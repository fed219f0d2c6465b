"""The writer's process (relay.storage.process): `python -m roost.relay.storage SOCKET DATABASE`, started by a relay.

It ignores the signals that end a relay, which may reach all processes of a terminal or a service at once, and ends
when the relay closes its end of the socket pair.
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import msgspec

from roost.errors import SurroundingsError
from roost.relay.core.operations import Operation
from roost.relay.storage.committing import BUFFER, LENGTH, Committer
from roost.relay.storage.sqlite import SqliteEngine

_encoder = msgspec.msgpack.Encoder()
_batches = msgspec.msgpack.Decoder(list[list[Operation]])


def serve(link: socket.socket, committer: Committer) -> None:
    """Commit batch after batch until the other end is closed."""
    with link.makefile("rb", buffering=BUFFER) as incoming:
        while len(head := incoming.read(LENGTH.size)) == LENGTH.size:
            (length,) = LENGTH.unpack(head)
            body = incoming.read(length)
            if len(body) < length:
                return
            answer = _encoder.encode(committer.commit(_batches.decode(body)))
            try:
                link.sendall(LENGTH.pack(len(answer)) + answer)
            except OSError:  # nobody waits for it any more
                return


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as link:
        try:
            committer = Committer(SqliteEngine(Path(sys.argv[2])))
        except SurroundingsError:
            return  # the relay hears that its writer is gone
        serve(link, committer)
        committer.close()


if __name__ == "__main__":
    main()
