"""Stands in for a swarm while there is none: one node's own service, in memory."""

from __future__ import annotations

import time
from typing import Any

from roost.crypto import Entropy
from roost.network import SYSTEM_ENTROPY
from roost.relay.core.admission import Admission
from roost.relay.core.desk import Desk
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import Limits
from roost.relay.core.packets import PacketKeys
from roost.relay.server.service import Peer, Respond, Service
from roost.relay.storage import MemoryEngine, ThreadedStorage
from roost.wire.mailbox import Request
from roost.wire.onion import Consensus


class LocalSwarm:
    def __init__(self, entropy: Entropy = SYSTEM_ENTROPY, bits: int = 4) -> None:
        self._entropy = entropy
        self._bits = bits
        self.asked: list[tuple[bytes, bytes]] = []

    async def open(self) -> None:
        engine = MemoryEngine()
        nonces = KnockNonces(self._entropy.bytes(32))
        run = engine.begin_run(int(time.time()))
        self._storage = ThreadedStorage(engine, lambda _: None)
        desk = Desk(run, engine.totals(), Limits(), Admission(None), nonces)
        nothing: Any = None
        self.service = Service(desk, self._storage, PacketKeys([]), nothing, nothing, time.time)

    async def close(self) -> None:
        await self._storage.close()

    def on_consensus(self, current: Consensus, previous: Consensus | None) -> None:
        pass

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None:
        self.service.handle(session, call, request, respond)

    def resume(self, session: Peer) -> None:
        self.service.deliveries.resume(session)

    def dropped(self, session: Peer) -> None:
        self.service.dropped(session)

    async def message(self, node: bytes, body: bytes) -> bytes:
        self.asked.append((node, body))
        return body[::-1]
