"""Links to a client's entry guards: two stand at a time, and replies for the client's tokens come over them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from roost.crypto import Entropy
from roost.errors import Refused, Unreachable
from roost.network.backoff import Backoff, BackoffPolicy
from roost.network.dial import Connect
from roost.network.link import Link
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import AttachOnion, OnionArrival, OnionPacket, RefusalCode
from roost.wire.sizes import TOKEN_SIZE

STANDING = 2  # the second for mailboxes that the first keeps itself, and so that the loss of one is no interruption
_ATTACHES = 4
_MOST_TOKENS = 14  # on one link; a node takes 16 and forgets them with the link
_SLOW_S = 0.5  # after a node that asks to slow down and does not say for how long
_AGAIN_S = 15.0  # after a new token that a node did not take; the one before it serves meanwhile

Prove = Callable[[AttachOnion, Refused, bytes], Awaitable[AttachOnion]]
"""A token with the proof that was asked for, for the node with this key. Raises Refused."""


class _Token:
    """What a link is attached to; with the work that was done for it, so that it is not done again."""

    def __init__(self, entropy: Entropy) -> None:
        self.request = AttachOnion(entropy.bytes(TOKEN_SIZE))


class Entry:
    """One guard: keeps a link to it while it is needed."""

    def __init__(self, entries: Entries, address: RelayAddress) -> None:
        self.address = address
        self._token = _Token(entries.entropy)
        self._earlier: _Token | None = None  # for reply blocks that were given before the token was renewed
        self._next: _Token | None = None
        self.link: Link | None = None
        self.failure: Unreachable | None = None
        self._entries = entries
        self._backoff = Backoff(entries.policy, entries.entropy)
        self._wake = asyncio.Event()

    @property
    def token(self) -> bytes:
        return self._token.request.token

    @property
    def stands(self) -> bool:
        return self.link is not None and self.link.usable

    def wake(self) -> None:
        self._wake.set()

    def renew(self) -> None:
        """A new token as soon as the work for it is done, so that a guard cannot follow a client for long that changes
        its address."""
        if self._next is None:
            self._next = _Token(self._entries.entropy)
            self.wake()

    async def run(self) -> None:
        while True:
            if not self._entries.needs(self):
                await self._pause(None)
                continue
            try:
                link = await self._entries.connect(self.address)
            except Unreachable as error:
                self._failed(error)
                await self._pause(self._backoff.next_delay())
                continue
            try:
                await self._serve(link)
            except (Unreachable, Refused) as error:
                self._failed(error if isinstance(error, Unreachable) else Unreachable(error.message, hint=error.hint))
            finally:
                self.link = None
                await link.close()
            self._entries.changed()
            await self._pause(self._backoff.next_delay())

    async def _serve(self, link: Link) -> None:
        """The same tokens again after a lost link: replies that are under way still come."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        link.on_arrival = self._entries.on_arrival
        if self._earlier is not None and not await self._taken(link, self._earlier, pay=False):
            self._earlier = None
        await self._attach(link, self._token)
        self.link, self.failure = link, None
        self._entries.stood(self)
        ended = asyncio.ensure_future(link.ended())
        try:
            tokens = 2
            while not ended.done() and self._entries.needs(self) and tokens < _MOST_TOKENS:
                if self._next is not None and await self._taken(link, self._next):
                    tokens += 1
                    self._earlier, self._token, self._next = self._token, self._next, None
                    self._entries.changed()
                again_s = None if self._next is None else _AGAIN_S
                waking = asyncio.ensure_future(self._wake.wait())
                try:
                    await asyncio.wait((ended, waking), timeout=again_s, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waking.cancel()
                self._wake.clear()
        finally:
            ended.cancel()
            self._backoff.stood(loop.time() - since)

    async def _taken(self, link: Link, token: _Token, *, pay: bool = True) -> bool:
        """Attach to a token without which it goes on; whether the node took it."""
        try:
            await self._attach(link, token, pay=pay)
        except Refused:
            return False
        return True

    async def _attach(self, link: Link, token: _Token, *, pay: bool = True) -> None:
        """With the work that the node asks for, if we `pay`. A node that has just started may ask for a moment."""
        for tried in range(_ATTACHES):
            try:
                await link.call(token.request)
                return
            except Refused as error:
                if tried == _ATTACHES - 1:
                    raise
                if error.code == RefusalCode.WORK_NEEDED and pay:
                    token.request = await self._entries.prove(token.request, error, self.address.key)
                elif error.code == RefusalCode.SLOW_DOWN:
                    await asyncio.sleep(min(max(error.retry_after_ms / 1000, _SLOW_S), 5.0))
                else:
                    raise

    def _failed(self, error: Unreachable) -> None:
        self.failure = error
        self._entries.failed(self)

    async def _pause(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()


class Entries:
    """The guards in their order, and the links to them. `on_change` is called when a link begins or ends, `on_failure`
    when one could not be made, `on_arrival` with each reply, `on_slow` when a guard asks to slow down for so long;
    `prove` does the work that guards ask for."""

    def __init__(
        self,
        connect: Connect,
        entropy: Entropy,
        policy: BackoffPolicy,
        on_arrival: Callable[[OnionArrival], None],
        on_change: Callable[[], None],
        on_stood: Callable[[bytes], None],
        on_failure: Callable[[bytes], None],
        on_slow: Callable[[float], None],
        prove: Prove,
    ) -> None:
        self.entropy = entropy
        self.prove = prove
        self.policy = policy
        self.on_arrival = on_arrival
        self.changed = on_change
        self._connect = connect
        self._on_stood = on_stood
        self._on_failure = on_failure
        self._on_slow = on_slow
        self._order: list[Entry] = []
        self._doubted: frozenset[bytes] = frozenset()
        self._tasks: dict[Entry, asyncio.Task[None]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def connect(self, address: RelayAddress) -> Link:
        return await self._connect(address)

    def keep(self, guards: list[RelayAddress]) -> None:
        """These are the guards from now on."""
        before = {entry.address: entry for entry in self._order}
        self._order = [before[address] if address in before else Entry(self, address) for address in guards]
        for entry in before.values():
            if entry not in self._order:
                self._tasks.pop(entry).cancel()
        for entry in self._order:
            if entry not in self._tasks:
                self._tasks[entry] = self._started(entry.run())
            entry.wake()

    @property
    def complete(self) -> bool:
        """As many links stand as should, or as there are guards."""
        return len(self.attached()) >= min(STANDING, len(self._order))

    def attached(self) -> list[tuple[bytes, bytes]]:
        """The guards whose links stand, in their order, and the tokens there."""
        return [(entry.address.key, entry.token) for entry in self._order if entry.stands]

    def failure(self) -> Unreachable | None:
        """Why there is no link, once each guard was tried."""
        failures = [entry.failure for entry in self._order]
        return failures[0] if failures and all(failures) else None

    def needs(self, entry: Entry) -> bool:
        """Whether a link to this guard is to stand: fewer than enough of those before it do."""
        if entry not in self._order:
            return False
        before = self._order[: self._order.index(entry)]
        good = [other for other in before if other.address.key not in self._doubted]
        return sum(other.stands or other.failure is None for other in good) < STANDING

    def doubt(self, guards: frozenset[bytes]) -> None:
        """These guards seem to lose packets: another steps in for each."""
        if guards != self._doubted:
            self._doubted = guards
            self.retry_now()

    def stood(self, entry: Entry) -> None:
        self._on_stood(entry.address.key)
        self._wake_others(entry)
        self.changed()

    def failed(self, entry: Entry) -> None:
        self._on_failure(entry.address.key)
        self._wake_others(entry)

    def renew(self) -> None:
        """New tokens."""
        for entry in self._order:
            entry.renew()

    def retry_now(self) -> None:
        for entry in self._order:
            entry.wake()

    def send(self, guard: bytes, packet: bytes) -> None:
        """Without a link, or when it ends meanwhile, the packet is lost; it is sent again on another path."""
        entry = next((entry for entry in self._order if entry.address.key == guard), None)
        if entry is not None and entry.link is not None:
            task = self._started(self._send(entry, entry.link, packet))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """End all links and wait until they are gone."""
        tasks = [*self._tasks.values(), *self._sending]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _wake_others(self, entry: Entry) -> None:
        for other in self._order:
            if other is not entry:
                other.wake()

    def _started(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_surface)
        return task

    async def _send(self, entry: Entry, link: Link, packet: bytes) -> None:
        try:
            await link.call(OnionPacket(packet))
        except Refused as error:
            if error.code == RefusalCode.WORK_NEEDED:  # the token is too old for it
                entry.renew()
            if entry.address.key not in self._doubted:
                self._on_slow(max(error.retry_after_ms / 1000, _SLOW_S))
        except Unreachable:
            pass


def _surface(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": "a task of an onion network failed", "exception": error})
