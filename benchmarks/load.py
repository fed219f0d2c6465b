"""Runs load.c, the relay benchmark's load of many links: built when it is needed, since Python would be what the relay
waits for. It needs a C compiler and OpenSSL's headers (Debian: gcc, libssl-dev)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import ACCESS
from roost.crypto import capability_hash
from roost.wire.codec import encode
from roost.wire.frames import frame
from roost.wire.mailbox import Call, Create, Grant, MailboxKind, Put, Request, Right, Subscribe, Trim
from roost.wire.sizes import CAPABILITY_SIZE, ENVELOPE_SIZE

_SOURCE = Path(__file__).with_name("load.c")
_WIDE = 2**16  # calls are numbered from here on, so that every id has the same width
_NUMBER = 2**32  # entries' numbers too: a relay's are far above


@dataclass(frozen=True)
class Keys:
    """One mailbox's capabilities."""

    admin: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    get: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))
    put: bytes = field(default_factory=lambda: os.urandom(CAPABILITY_SIZE))

    def create(self) -> Create:
        rights = ((self.admin, Right.ADMIN), (self.get, Right.GET), (self.put, Right.PUT))
        grants = tuple(Grant(capability_hash(secret), right) for secret, right in rights)
        return Create(MailboxKind.ORDINARY, grants, ACCESS.encode())


@dataclass(frozen=True)
class Measured:
    """What came back in `seconds`, and the server's CPU time for it."""

    count: int
    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Load:
    """The built program. `cpu_s` tells the server's CPU time so far."""

    program: Path
    prefix: tuple[str, ...] = ()

    def echo(self, port: int, links: int, seconds: float, cpu_s: Callable[[], float]) -> Measured:
        """Frames of an envelope's size, one at a time on each link."""
        with self._run(port, links, 1, seconds, None, b"") as process:
            return _measured(process, cpu_s)

    def relay(
        self, port: int, links: int, window: int, seconds: float, trim_every: int, cpu_s: Callable[[], float]
    ) -> Measured:
        """Each link has a mailbox, and keeps `window` puts under way into another's."""
        with self._run(port, links, window, seconds, trim_every, _script(links)) as process:
            return _measured(process, cpu_s)

    @contextmanager
    def idle(self, port: int, links: int, seconds: float) -> Iterator[None]:
        """Links with a subscribed mailbox each, on which nothing happens."""
        with self._run(port, links, 0, seconds, 1, _script(links)) as process:
            _line(process)
            yield

    @contextmanager
    def _run(
        self, port: int, links: int, window: int, seconds: float, trim_every: int | None, script: bytes
    ) -> Iterator[subprocess.Popen[bytes]]:
        options = [port, links, window, seconds / 4, seconds, *([] if trim_every is None else [trim_every])]
        command = [*self.prefix, str(self.program), *map(str, options)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        try:
            process.stdin.write(script)
            process.stdin.close()
            yield process
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextmanager
def built(prefix: tuple[str, ...] = ()) -> Iterator[Load]:
    """`prefix` are words that run the program, such as `taskset -c 1`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("the relay's load needs a C compiler and OpenSSL's headers (Debian: gcc, libssl-dev)")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "load"
        subprocess.run([compiler, "-O2", "-o", str(program), str(_SOURCE), "-lssl", "-lcrypto"], check=True)
        yield Load(program, prefix)


def _measured(process: subprocess.Popen[bytes], cpu_s: Callable[[], float]) -> Measured:
    _line(process)
    before = cpu_s()
    delivered, _stored, refused, nanoseconds = map(int, _line(process).split()[1:])
    spent = cpu_s() - before
    if refused or not delivered:
        raise RuntimeError("the server refused some of the load")
    return Measured(delivered, nanoseconds / 1e9, max(spent, 0.01))


def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the load ended too early")
    return line


def _script(links: int) -> bytes:
    """What load.c sends: the frames of each link, which puts into the next one's mailbox."""
    keys = [Keys() for _ in range(links)]
    blocks = []
    for own, to in zip(keys, [*keys[1:], keys[0]], strict=True):
        first = _frame(_WIDE, own.create()) + _frame(_WIDE + 1, Subscribe(own.get, 0))
        put = _frame(_WIDE, Put(to.put, bytes(ENVELOPE_SIZE)))
        blocks += [first, put, _frame(_WIDE, Trim(own.admin, _NUMBER))]
    return b"".join(len(block).to_bytes(4) + block for block in blocks)


def _frame(call: int, request: Request) -> bytes:
    return frame(encode(Call(call, request)))
