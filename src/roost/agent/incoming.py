"""What arrives: subscriptions to my mailboxes, envelopes into messaging in batches, and trimming at the relay.

An envelope is trimmed only after the transaction that took it in is on disk, and not while a file that it announced is
still to be fetched. What cannot be taken in (a full disk) stays at the relay and is asked for again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from roost.errors import RoostError
from roost.messaging import files, inbox, mailboxes, travel
from roost.messaging.records import MailboxState, OwnMailbox, OwnRelay
from roost.messaging.work import Work
from roost.network import Subscription
from roost.wire.addresses import DeviceHost
from roost.wire.mailbox import RefusalCode, Trim

if TYPE_CHECKING:
    from roost.agent.engine import Engine

BATCH = 128  # envelopes in one transaction
QUEUE = 4 * BATCH  # envelopes in memory that are not taken in
_RETRY_S = 5.0


class Incoming:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: deque[tuple[bytes, int, bytes]] = deque()
        self._arrived = asyncio.Event()
        self._troubled = False  # the last batch could not be taken in
        self._subscriptions: dict[bytes, Subscription] = {}
        self._mixed: set[bytes] = set()  # those of them that are read among cover traffic
        self._trims: dict[bytes, int] = {}  # what was asked for last
        self._trimmed: dict[bytes, int] = {}  # what the relay forgot, to be written with what arrives next
        self._trimming: set[asyncio.Task[None]] = set()

    # --- subscriptions ------------------------------------------------------------------------------------------------

    def subscribe_all(self) -> None:
        """Be subscribed to exactly the mailboxes that are mine."""
        work = self._engine.look()
        relays = {row.relay: row for row in work.find(OwnRelay)}
        open_states = (MailboxState.ACTIVE, MailboxState.RETIRING)
        mine = {
            row.admin: row
            for state in open_states
            for row in work.find(OwnMailbox, where={"state": int(state)})
            if row.relay in relays
        }
        mixed = {admin for admin, row in mine.items() if travel.chosen(work, row.account).mixed}
        for admin in [admin for admin in self._subscriptions if admin not in mine or admin in mixed ^ self._mixed]:
            self._subscriptions.pop(admin).close()
        self._mixed = mixed
        for admin, row in mine.items():
            held = self._subscriptions.get(admin)
            if held is not None and held.refused is not None:
                self._gone(admin, held)
            elif held is None or held.closed:
                self._subscriptions[admin] = self._engine.network.subscribe(
                    relays[row.relay].link.address,
                    row.get,
                    self._cursor_of(admin),
                    self._deliver_to(admin),
                    self._engine.wake,
                    mixed=admin in mixed,
                )

    def _cursor_of(self, admin: bytes) -> Callable[[], int]:
        def cursor() -> int:
            row = self._engine.look().get(OwnMailbox, admin)
            return row.cursor if row else 0

        return cursor

    def _deliver_to(self, admin: bytes) -> Callable[[int, bytes], None]:
        def deliver(number: int, envelope: bytes) -> None:
            self._queue.append((admin, number, envelope))
            self._arrived.set()
            if len(self._queue) >= QUEUE and not self._troubled:
                self._take_batch()  # before more is read from the network: a long absence must not fill the memory

        return deliver

    def _gone(self, admin: bytes, held: Subscription) -> None:
        """The relay lost a mailbox that is in use: make it again under the same capabilities."""
        refused = held.refused
        held.close()
        del self._subscriptions[admin]
        if refused is not None and refused.code == RefusalCode.DENIED:
            self._engine.step(mailboxes.lost, admin)

    # --- taking in ----------------------------------------------------------------------------------------------------

    async def loop(self) -> None:
        """Take in what arrives, many envelopes in one commit."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                if not self._take_batch():
                    await asyncio.sleep(_RETRY_S)
                await asyncio.sleep(0)

    def _take_batch(self) -> bool:
        """Take in some of what arrived; False when the disk refuses: then it stays, and is tried again later."""
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        try:
            self._take_in(batch)
        except RoostError as error:
            self._queue.extendleft(reversed(batch))
            self._engine.trouble(error)
            self._troubled = True
            return False
        self._troubled = False
        return True

    def _take_in(self, batch: list[tuple[bytes, int, bytes]]) -> None:
        trimmed = [partial(mailboxes.trimmed, admin=admin, upto=upto) for admin, upto in self._trimmed.items()]
        taken = [partial(_take_one, admin=admin, number=number, envelope=e) for admin, number, e in batch]
        self._engine.steps([*trimmed, *taken])
        self._trimmed.clear()

    @property
    def idle(self) -> bool:
        """Nothing has arrived that is not taken in."""
        return not self._queue

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until all that lay in my mailboxes is taken in, but not for a relay at home that is out of reach."""
        away = {admin for admin in self._subscriptions if self._away_from(admin)}
        try:
            async with asyncio.timeout(timeout_s):
                for admin, subscription in tuple(self._subscriptions.items()):
                    if admin not in away:
                        await subscription.caught_up.wait()
                while not self.idle:
                    await self._engine.changed(0.05)
        except TimeoutError:
            return False
        return not away

    def _away_from(self, admin: bytes) -> bool:
        work = self._engine.look()
        mailbox = work.get(OwnMailbox, admin)
        relay = work.get(OwnRelay, mailbox.relay) if mailbox is not None else None
        at_home = relay is not None and isinstance(relay.link.address, DeviceHost)
        return relay is not None and at_home and not self._engine.network.reachable(relay.relay)

    # --- trimming -----------------------------------------------------------------------------------------------------

    def start_trims(self) -> None:
        """Have the relay forget what is on disk here."""
        work = self._engine.look()
        for row in work.find(OwnMailbox):
            if row.cursor <= row.trimmed or row.state not in (MailboxState.ACTIVE, MailboxState.RETIRING):
                continue
            upto, relay = files.trimmable(work, row), work.get(OwnRelay, row.relay)
            if upto <= row.trimmed or self._trims.get(row.admin) == upto:
                continue
            if relay is None or not self._engine.network.reachable(row.relay):
                continue
            self._trims[row.admin] = upto
            task = self._engine.start(self._trim(relay, row.admin, upto))
            self._trimming.add(task)
            task.add_done_callback(self._trimming.discard)

    async def _trim(self, relay: OwnRelay, admin: bytes, upto: int) -> None:
        try:
            await self._engine.network.call(relay.link.address, Trim(admin, upto), mixed=admin in self._mixed)
            self._trimmed[admin] = upto  # worth no commit: a trim may be repeated
        except RoostError:
            self._trims.pop(admin, None)  # asked for again with the next envelope or connection

    def write_trims(self) -> None:
        """Write down what the relay has forgotten, so that it is not asked for once more next time."""
        if self._trimmed:
            self._take_in([])

    async def trims_done(self) -> None:
        if self._trimming:
            await asyncio.wait(self._trimming)


def _take_one(work: Work, admin: bytes, number: int, envelope: bytes) -> None:
    mailbox = work.get(OwnMailbox, admin)
    if mailbox is not None:  # else it was deleted while this was under way
        inbox.receive(work, mailbox, number, envelope)
