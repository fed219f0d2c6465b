"""Keeps an onion network's directory: fetches document and consensus, and renews the consensus each period.

It asks in a random order whom it knows to have the directory: first those that `prefer` names (a client's entry nodes,
which see it anyway), then authorities and nodes. Nobody of them is trusted: what they give proves itself or is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from roost.crypto import Entropy
from roost.errors import Refused, Unreachable
from roost.network.dial import Connect, connect_relay
from roost.network.entropy import SYSTEM_ENTROPY
from roost.network.link import Link
from roost.network.onion.directory import Directory, DirectoryRefused, read_document
from roost.network.onion.memory import Forgetful, OnionMemory
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.mailbox import DirectoryDocument, DirectoryPart, GetDirectory
from roost.wire.onion import MAX_CONSENSUS, Consensus, NetworkDocument
from roost.wire.sizes import DIRECTORY_PART

T = TypeVar("T")
OnChange = Callable[[Consensus, Consensus | None], None]
"""Called with the consensus that is to be used from now on and the one before."""

_PUBLISHED, _SPREAD = 0.87, 0.1  # of a period: when the next one's consensus has been signed, and how askers spread
_SOURCES = 8  # asked at most, each time
_NODES = 4  # of them nodes, chosen anew each time
_MAX_PARTS = MAX_CONSENSUS // DIRECTORY_PART + 1
_SHORTEST_S, _LONGEST_S = 3.0, 20.0  # how long one source may take for one part ...
_IN_ALL = 0.25  # ... and of a period, for all: a long directory comes over a slow line, and a liar's end is waited for
_SOONEST_S = 0.2
_NAP_S = 30.0  # a machine that slept notices within this time


class DirectoryUnreachable(Unreachable):
    """Nobody who should have the network's directory gave it."""

    code = "directory_unreachable"
    hint = "Check your network connection and try again. If it goes on, tell those who run the network."


class DirectoryClient:
    """An async context manager; leaving it ends the renewing. `memory` keeps what must survive a restart."""

    def __init__(
        self,
        host: OnionHost,
        *,
        connect: Connect = connect_relay,
        clock: Callable[[], float] = time.time,
        entropy: Entropy = SYSTEM_ENTROPY,
        memory: OnionMemory | None = None,
        on_change: OnChange | None = None,
        prefer: Callable[[], Sequence[RelayAddress]] = tuple,
    ) -> None:
        self._host = host
        self._connect = connect
        self._clock = clock
        self._entropy = entropy
        self._memory = memory if memory is not None else Forgetful()
        self._on_change = on_change
        self._prefer = prefer
        self._directory: Directory | None = None
        self._in_use: Consensus | None = None
        self._failures = 0
        self._turn = asyncio.Lock()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._remember()
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def document(self) -> NetworkDocument | None:
        return self._directory.document if self._directory is not None else None

    @property
    def consensus(self) -> Consensus | None:
        """The consensus to use now; None before the first one, and when the last one is too old."""
        found = self._in_use
        if found is None or self._directory is None or self._directory.usable(self._clock()) is None:
            return None
        return found

    @property
    def held(self) -> Directory | None:
        """Everything that is believed, for handing on to others: `consensus` may not be in use before its period."""
        return self._directory

    def know(self, document: NetworkDocument) -> None:
        """The document, from one who has it: an authority. Before anything is fetched."""
        if self._directory is None and document.id == self._host.key:
            self._directory = Directory(document)
            self._save("document", self._directory.encoded_document())

    def offer(self, data: bytes) -> Consensus:
        """A consensus from one who made it. Raises DirectoryRefused as `Directory.accept`."""
        assert self._directory is not None, "know() comes first"
        consensus = self._directory.accept(data, self._clock())
        self._save("consensus", data)
        self._activate()
        return consensus

    async def ready(self) -> Consensus:
        """The consensus, once there is a usable one."""
        while (found := self.consensus) is None:
            self._ready.clear()
            await self._ready.wait()
        return found

    # --- fetching -----------------------------------------------------------------------------------------------------

    async def renew(self) -> Consensus:
        """Fetch what is missing or newer now.

        Raises:
            DirectoryUnreachable: neither the document nor a usable consensus could be had.
            DirectoryRefused: what was had is not to be believed; the code says why.
        """
        async with self._turn:
            if self._directory is None:
                self._directory = Directory(await self._first_of(self._document_from))
                self._save("document", self._directory.encoded_document())
            problem: Unreachable | DirectoryRefused | None = None
            try:
                await self._first_of(self._consensus_from)
            except (DirectoryUnreachable, DirectoryRefused) as error:  # the one that is held may do
                problem = error
            self._activate()
            found = self.consensus
            if found is None:
                raise problem or DirectoryUnreachable("The network has no consensus that can be used.")
            return found

    async def _first_of(self, fetch: Callable[[Link], Awaitable[T]]) -> T:
        """What the first source gives. Raises as `renew`."""
        refused: DirectoryRefused | None = None
        for address in self._sources():
            try:
                async with asyncio.timeout(self._patience_in_all()):
                    async with asyncio.timeout(self._patience()):
                        link = await self._connect(address)
                    try:
                        return await fetch(link)
                    finally:
                        await link.close()
            except DirectoryRefused as error:
                refused = error
            except (Unreachable, Refused, TimeoutError):
                continue
        raise refused or DirectoryUnreachable("The network's directory cannot be reached.")

    async def _document_from(self, link: Link) -> NetworkDocument:
        return read_document(self._host.key, await self._document(link, DirectoryDocument.NETWORK, 0))

    async def _consensus_from(self, link: Link) -> None:
        assert self._directory is not None
        held = self._directory.consensus
        after = held.period if held is not None else 0
        data = await self._document(link, DirectoryDocument.CONSENSUS, after)
        self._directory.accept(data, self._clock())
        self._save("consensus", data)

    async def _document(self, link: Link, which: DirectoryDocument, after: int) -> bytes:
        found, parts, at = bytearray(), 1, 0
        while at < parts:
            async with asyncio.timeout(self._patience()):
                part = await link.call(GetDirectory(self._host.key, which, after, at))
            assert isinstance(part, DirectoryPart)
            if at and part.parts != parts:  # another one was published meanwhile
                raise DirectoryRefused("The directory changed while it was fetched.", code="malformed")
            parts = part.parts
            if parts > _MAX_PARTS:
                raise DirectoryRefused("The directory is too large.", code="malformed")
            found += part.data
            at += 1
        return bytes(found)

    def _sources(self) -> Iterable[RelayAddress]:
        """Whom to ask, in order, each once."""
        found = list(self._host.at)
        if self.document is not None:
            found += [authority.address for authority in self.document.authorities]
        if self._in_use is not None:
            found += [node.address for node in self._shuffled(self._in_use.nodes)[:_NODES]]
        return list(dict.fromkeys((*self._prefer(), *self._shuffled(dict.fromkeys(found)))))[:_SOURCES]

    def _patience(self) -> float:
        period_s = self.document.period_s if self.document is not None else _LONGEST_S
        return min(_LONGEST_S, max(_SHORTEST_S, period_s / 2))

    def _patience_in_all(self) -> float:
        period_s = self.document.period_s if self.document is not None else 0
        return max(self._patience(), period_s * _IN_ALL)

    def _shuffled(self, items: Iterable[T]) -> list[T]:
        return sorted(items, key=lambda _: self._entropy.bytes(8))

    # --- life ---------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Renew when the next consensus should be there; use it from the beginning of its period on."""
        while True:
            share, since = self._fraction(), self._clock()
            while (left := self._wait(share, since)) > 0:
                await asyncio.sleep(min(left, _NAP_S, self._until_use()))
                self._activate()
            with contextlib.suppress(DirectoryUnreachable, DirectoryRefused):
                await self.renew()
            self._failures = self._failures + 1 if self._behind() else 0

    def _wait(self, share: float, since: float) -> float:
        """Seconds until it is tried next; `share` of what chance may add."""
        now, document = self._clock(), self.document
        held = self._directory.consensus if self._directory is not None else None
        if self._failures:
            period_s = document.period_s if document is not None else _LONGEST_S
            first = max(_SOONEST_S, period_s / 40)
            bound = min(period_s / 4, first * 2.0 ** min(self._failures - 1, 16))
            return min(bound, since + bound * (1 + share) / 2 - now)
        if document is None or held is None:
            return 0
        return (held.period + _PUBLISHED + share * _SPREAD) * document.period_s - now

    def _behind(self) -> bool:
        """Whether there should be a newer consensus than the one held."""
        if self._directory is None or self._directory.consensus is None:
            return True
        return self._directory.consensus.period < int(
            self._clock() / self._directory.document.period_s + 1 - _PUBLISHED
        )

    def _until_use(self) -> float:
        """Seconds until what was fetched early is to be used."""
        held = self._directory.consensus if self._directory is not None else None
        if held is None or held is self._in_use or self.document is None:
            return _NAP_S
        return max(0.0, held.period * self.document.period_s - self._clock())

    def _activate(self) -> None:
        held = self._directory.consensus if self._directory is not None else None
        if held is None or held is self._in_use or self.document is None:
            return
        if self.consensus is not None and held.period > self.document.period(self._clock()):
            return
        before, self._in_use = self._in_use, held
        self._ready.set()
        if self._on_change is not None:
            self._on_change(held, before)

    # --- memory -------------------------------------------------------------------------------------------------------

    def _remember(self) -> None:
        """What was saved is checked as if it came from outside."""
        document, consensus = self._load("document"), self._load("consensus")
        if document is None:
            return
        with contextlib.suppress(DirectoryRefused):
            self._directory = Directory(read_document(self._host.key, document))
            if consensus is not None:
                self._directory.accept(consensus, self._clock())
        self._activate()

    def _load(self, what: str) -> bytes | None:
        return self._memory.load(f"{self._host.key.hex()}/{what}")

    def _save(self, what: str, data: bytes) -> None:
        self._memory.save(f"{self._host.key.hex()}/{what}", data)

    def _fraction(self) -> float:
        return int.from_bytes(self._entropy.bytes(4)) / 2**32
