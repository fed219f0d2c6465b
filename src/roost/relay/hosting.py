"""A device's own mailboxes: the relay's service over an encrypted file, without a server.

What a relay does for many, a device does for those who know it: the same rules and storage, with no port of its own.
Whoever reaches the device over a link, and its agent, are its clients. The one door by which an agent uses this room
beyond its core (docs/decisions/0021).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from roost.crypto import Entropy
from roost.errors import SurroundingsError
from roost.relay.core.admission import Admission, Client
from roost.relay.core.desk import Desk
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import HOUR_S, Limits
from roost.relay.core.packets import PacketKeys
from roost.relay.core.refusal import RefusedRequest
from roost.relay.server.link import Link, Server
from roost.relay.server.service import Respond, Service
from roost.relay.storage import SqliteEngine, ThreadedStorage
from roost.relay.storage.engine import StorageBroken
from roost.wire.codec import encode
from roost.wire.mailbox import (
    PROTOCOL_VERSION,
    Forward,
    GetInfo,
    PacketKey,
    RefusalCode,
    RelayInfo,
    SignedInfo,
)

FILE = "mailboxes.db"  # in the profile's folder
MAX_LINKS = 1_024
_LIMITS = Limits(hold_days=8)  # parts of a file come by couriers over days
_SPARE = 64 * 1024**2  # bytes that the file may keep for what comes next: a large file has gone through it
_CHECK_S = 5.0
_SWEEP_S = 3_600.0
_LAST_RUN = 2**40


class Hosting:
    """The service; `open` it, hand `host` to links, and `close` it."""

    def __init__(self, server: Server, storage: ThreadedStorage) -> None:
        self._server = server
        self._storage = storage
        self._upkeep = asyncio.create_task(self._keep_up(), name="roost mailboxes")

    @classmethod
    async def open(
        cls, folder: Path, key: bytes, access: str, entropy: Entropy, broken: Callable[[SurroundingsError], None]
    ) -> Hosting:
        """`key` (32 bytes) encrypts the file in `folder`; who shows `access` may make mailboxes.

        Raises SurroundingsError: the file cannot be used.
        """
        try:
            engine = await asyncio.to_thread(SqliteEngine, folder / FILE, key=key)
            run = engine.begin_run(min(int(time.time()), _LAST_RUN))
            await asyncio.to_thread(engine.shrink, _SPARE)
        except StorageBroken as error:
            raise _unusable(folder / FILE) from error
        reader = engine.reader()
        totals = reader.totals()
        reader.close()
        desk = Desk(run, totals, _LIMITS, Admission(access.encode()), KnockNonces(entropy.bytes(32)))
        storage = ThreadedStorage(engine, broken)
        service = Service(desk, storage, PacketKeys([]), _Nowhere(), _statement, time.time)
        return cls(Server(service, _statement, lambda: b"", time.time, MAX_LINKS), storage)

    def host(self) -> Link:
        """The host's end of a link."""
        return Link(self._server)

    async def close(self) -> None:
        """After the links: what was taken in is on disk when this returns."""
        self._upkeep.cancel()
        for link in tuple(self._server.links):
            link.abort()
        await asyncio.sleep(0)
        await self._storage.close()

    async def _keep_up(self) -> None:
        swept_at = -_SWEEP_S
        while True:
            self._server.check()
            now = asyncio.get_running_loop().time()
            if now - swept_at >= _SWEEP_S:
                swept_at = now
                self._server.service.sweep()
            await asyncio.sleep(_CHECK_S)


class _Nowhere:
    """A device forwards nothing."""

    def forward(self, _request: Forward, _client: Client, _respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNSUPPORTED)

    def info_of(self, _request: GetInfo, _client: Client, _respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNSUPPORTED)


def _unusable(file: Path) -> SurroundingsError:
    return SurroundingsError(
        f"The file with this device's own mailboxes cannot be used: {file}",
        code="mailboxes_broken",
        hint="Check the disk. If the file is damaged, move it and those beside it that begin with its name away: your "
        "messages are elsewhere, and what has not come in yet is sent again.",
    )


def _statement() -> SignedInfo:
    """What begins the link protocol. The link below has proven who speaks, so nobody's signature is needed."""
    issued = int(time.time()) // HOUR_S * HOUR_S
    info = RelayInfo(PROTOCOL_VERSION, bytes(32), b"", PacketKey(bytes(1_216), 0), issued, open=False)
    return SignedInfo(encode(info), bytes(64))
