"""A relay's part in an onion network: a node, one of the directory's authorities, or both; and the directory's mirror.

It stands between the relay's links and these, from the start of the relay on, though a node begins only once it has the
network's document.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from roost.errors import SurroundingsError
from roost.network.onion.directory import Directory
from roost.network.onion.directory_client import DirectoryClient
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.authority import Authority
from roost.relay.onion.memory import Before, FileMemory
from roost.relay.onion.node import OnionNode, Place, Surroundings, Swarms
from roost.relay.onion.peers import Peers
from roost.relay.onion.swarm import LIMITS as SWARM_LIMITS
from roost.relay.onion.swarm import Swarm, swarm_file
from roost.relay.server.service import Peer, Respond
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import (
    DirectoryDocument,
    GetBallots,
    GetDirectory,
    PutDescriptor,
    RefusalCode,
    Request,
    SwarmAnswer,
    SwarmCall,
)
from roost.wire.onion import Consensus, NetworkDocument, directory_part

_LOOK_S = 0.2
_RETRY_MS = 1_000


class OnionPart:
    """`start`, `drain` and `close` once each."""

    def __init__(
        self, place: Place, given: Surroundings, *, node: bool, authority: NetworkDocument | None = None
    ) -> None:
        self._place = place
        self._given = given
        self._wants_node = node
        self._before = Before(FileMemory(place.folder), place.network.key)
        self.node: OnionNode | None = None
        self._directory = DirectoryClient(
            place.network,
            connect=given.dial,
            clock=given.clock,
            entropy=given.entropy,
            memory=FileMemory(place.folder),
            on_change=self._changed,
        )
        self._beginning: asyncio.Task[None] | None = None
        self._authority: Authority | None = None
        if authority is not None:
            folder = place.folder / "authority"
            self._authority = Authority(
                folder, authority, given.own, self._directory, given.dial, given.entropy, given.clock
            )

    @property
    def directory(self) -> Directory | None:
        """What is believed of the network."""
        return self._directory.held

    @property
    def address(self) -> RelayAddress:
        """Where the relay is met."""
        return self._place.address

    async def start(self) -> None:
        """Raises SurroundingsError: the node's files cannot be used."""
        await self._directory.__aenter__()
        if self._authority is not None:
            await self._authority.start()
        if self._wants_node and self._directory.document is not None:
            await self._begin(self._directory.document)
        elif self._wants_node:
            self._beginning = asyncio.create_task(self._begin_later(), name="onion node")

    async def drain(self) -> None:
        if self.node is not None:
            await self.node.drain()

    async def close(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        if self._authority is not None:
            await self._authority.close()
        await self._directory.close()
        if self.node is not None:
            await self.node.close()

    # --- service.Network --------------------------------------------------------------------------------------------

    def handle(self, link: Peer, request: Request, respond: Respond) -> None:
        """Raises RefusedRequest."""
        if isinstance(request, GetDirectory):
            self._mirror(request, respond)
        elif isinstance(request, PutDescriptor | GetBallots):
            if self._authority is None:
                raise RefusedRequest(RefusalCode.UNSUPPORTED)
            self._authority.handle(link.source, request, respond)
        elif self.node is None:
            code = RefusalCode.SLOW_DOWN if self._wants_node else RefusalCode.UNSUPPORTED
            raise RefusedRequest(code, retry_after_ms=_RETRY_MS)
        else:
            self.node.handle(link, request, respond)

    def dropped(self, link: Peer) -> None:
        if self.node is not None:
            self.node.dropped(link)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _mirror(self, request: GetDirectory, respond: Respond) -> None:
        held = self._directory.held
        if held is None or request.network != held.document.id:
            raise RefusedRequest(RefusalCode.NOT_FOUND)
        document = held.encoded_document()
        if request.document is DirectoryDocument.CONSENSUS:
            if held.consensus is None or held.consensus.period <= request.after:
                raise RefusedRequest(RefusalCode.NOT_FOUND)
            document = held.encoded
        part = directory_part(document, request.part)
        if part is None:
            raise RefusedRequest(RefusalCode.NOT_FOUND)
        respond(part)

    async def _begin_later(self) -> None:
        """Nobody is there yet who has the network's document."""
        while (document := self._directory.document) is None:  # noqa: ASYNC110 - at the first start only
            await asyncio.sleep(_LOOK_S)
        try:
            await self._begin(document)
        except SurroundingsError as error:
            self._given.broken(error)

    async def _begin(self, document: NetworkDocument) -> None:
        """Raises SurroundingsError: the node's files cannot be used."""
        node = OnionNode(document, self._place, self._given, partial(self._swarms, document))
        await node.start()
        self.node = node
        if self._directory.consensus is not None:
            node.on_consensus(self._directory.consensus, self._before.before(self._directory.consensus))

    def _swarms(self, document: NetworkDocument, peers: Peers) -> Swarms:
        async def send(node: bytes, body: bytes) -> bytes:
            answer = await peers.send(node, SwarmCall(body))
            assert isinstance(answer, SwarmAnswer)
            return answer.body

        given = self._given
        return Swarm(
            swarm_file(self._place.folder, given.broken),
            given.own.public.raw,
            send,
            document.replicas,
            document.quorum,
            given.entropy,
            given.clock,
            replace(given.limits, hold_days=SWARM_LIMITS.hold_days),
        )

    def _changed(self, current: Consensus, _before: Consensus | None) -> None:
        self._before.used(current)
        if self.node is not None:
            self.node.on_consensus(current, self._before.before(current))
