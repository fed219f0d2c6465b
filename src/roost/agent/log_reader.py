"""Reading one shared log: by subscription at a relay of one's own or a device, by asking now and then at any other.

Entries are taken in many at a time, in order; a record whose bytes lie in blobs holds back what follows until they are
fetched. What cannot be taken in (a full disk) is kept and tried again, or delivered again by the relay.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from roost.crypto import AttachmentKey, blob_count
from roost.errors import CryptoError, Refused, RoostError, Unreachable
from roost.messaging import logs, owners
from roost.messaging.entered import FOREIGN
from roost.messaging.records import Event, LogState, SharedLog
from roost.messaging.work import Work
from roost.network import Subscription
from roost.wire.mailbox import BlobData, Entries, Get, GetBlob, RefusalCode
from roost.wire.sizes import PAGE_ENTRIES

if TYPE_CHECKING:
    from roost.agent.engine import Engine

BATCH: Final = 32  # entries in one transaction: a large group's commits are slow
HELD: Final = 1_024  # entries kept in memory while one waits for its blobs; 4 MiB
BLOBS_IN_FLIGHT: Final = 8
ASK_FIRST_S, ASK_LAST_S, ASK_GROWTH = 2.0, 60.0, 1.4
AGAIN_S: Final = 5.0  # after trouble
PROBE_S: Final = 600.0
LOST_AGAIN_S: Final = 300.0  # how often a log that its host denies is asked for


class LogReader:
    """Runs while the engine does and the log is to be read; `close` ends it."""

    def __init__(self, engine: Engine, log: SharedLog) -> None:
        self.id = log.id
        self.route = engine.network.route(log.relay)
        self.mixed = engine.mixed(log.owner)
        self._engine = engine
        self._queue: deque[tuple[int, bytes]] = deque()
        self._arrived = asyncio.Event()
        self._poked = asyncio.Event()
        self._missed = False  # something was delivered that is not in the queue
        self._following = False
        self._told_foreign = False
        self._asked = False  # its host was asked for all since the last `look_now`, or could not be
        self._subscription: Subscription | None = None
        self._task = engine.start(self._run())

    @property
    def caught_up(self) -> bool:
        """All that lay there when it was last looked at is taken in."""
        held = self._subscription
        looked = self._asked if held is None or self.route == "federated" or self._afar else held.caught_up.is_set()
        return looked and not self._queue

    @property
    def _afar(self) -> bool:
        """It is at a device that no link reaches now: nothing to wait for."""
        log = self._engine.look().get(SharedLog, self.id)
        return self.route == "direct" and log is not None and not self._engine.network.standing(log.relay.key)

    @property
    def current(self) -> bool:
        """Whether it reads the way that it must: own relays come and go."""
        held = self._subscription
        return held is None or not held.closed or not self._following

    def look_now(self) -> None:
        """Ask anew, before `caught_up` is true again."""
        self._asked = False
        self.poke()

    def poke(self) -> None:
        """Look now: something was put into the log, or a way is open again."""
        self._poked.set()

    async def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            pause = AGAIN_S
            self._poked.clear()
            try:
                await (self._ask() if self.route == "federated" else self._follow())
                pause = 0.0 if self._missed else AGAIN_S
            except Refused as error:
                if error.code == RefusalCode.DENIED:
                    self._note(logs.lost)
                    pause = LOST_AGAIN_S
            except RoostError as error:
                if error.code == FOREIGN:  # nothing changes before the person does something
                    pause = LOST_AGAIN_S
                    self._tell_foreign()
                elif self.route != "federated" and not isinstance(error, Unreachable):
                    self._engine.trouble(error)
            self._asked = True
            await self._pause(pause)

    def _tell_foreign(self) -> None:
        """Once: it is for the person to say whether the network that it is on may be called."""
        log = self._engine.look().get(SharedLog, self.id)
        if log is not None and not self._told_foreign:
            self._told_foreign = True
            self._engine.tell(Event("foreign", account=log.owner))

    async def _pause(self, seconds: float) -> bool:
        """Wait, unless poked: then True."""
        return await _set_within(self._poked, seconds)

    # --- at a relay of my own, or a device ----------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Take in what is delivered. Returns when the subscription is to be made anew; raises Refused."""
        log = self._engine.look().get(SharedLog, self.id)
        if log is None:
            return
        self._queue.clear()
        self._missed = False
        held = self._subscription = self._engine.network.subscribe(
            log.relay, log.get, self._cursor, self._delivered, self._arrived.set, mixed=self.mixed
        )
        self._following = True
        try:
            if log.state == LogState.LOST:
                await held.caught_up.wait()
                if held.refused is None:
                    self._note(logs.found)
            await self._take_what_comes(held)
        finally:
            self._following = False
            held.close()

    async def _take_what_comes(self, held: Subscription) -> None:
        while not (held.closed or self._missed):
            if held.refused is not None:
                raise held.refused
            if not await _set_within(self._arrived, PROBE_S):
                await self._probe()
            while self._queue:
                await self._take_batch()

    def _jitter(self) -> float:
        """0.75 to 1.25: what one asks of several logs should not come at the same moments."""
        return 0.75 + self._engine.entropy.bytes(1)[0] / 510

    async def _probe(self) -> None:
        """Nothing was delivered for long: a host tells nobody that a subscription is over. Raises Refused."""
        log = self._engine.look().get(SharedLog, self.id)
        if log is not None:
            answer = await self._engine.network.call(log.relay, Get(log.get, log.cursor, 1), mixed=self.mixed)
            self._missed = isinstance(answer, Entries) and bool(answer.entries) and not self._queue

    def _cursor(self) -> int:
        log = self._engine.look().get(SharedLog, self.id)
        return log.cursor if log else 0

    def _delivered(self, number: int, envelope: bytes) -> None:
        if len(self._queue) < HELD and not (self._missed and number):
            self._queue.append((number, envelope))
        elif number:
            self._missed = True
        self._arrived.set()

    # --- elsewhere ----------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Ask for what is new, at once when poked and less and less often while nothing comes. Raises RoostError."""
        pause = ASK_FIRST_S
        while True:
            log = self._engine.look().get(SharedLog, self.id)
            if log is None:
                return
            answer = await self._engine.network.call(
                log.relay, Get(log.get, log.cursor, PAGE_ENTRIES), mixed=self.mixed
            )
            assert isinstance(answer, Entries)
            self._queue.extend((entry.number, entry.envelope) for entry in answer.entries)
            while self._queue:
                await self._take_batch()
            if answer.entries:
                pause = ASK_FIRST_S
            if not answer.more:
                if log.state == LogState.LOST:
                    self._note(logs.found)
                self._asked = True
                poked = await self._pause(pause * self._jitter())
                pause = ASK_FIRST_S if poked else min(pause * ASK_GROWTH, ASK_LAST_S)

    # --- taking in ----------------------------------------------------------------------------------------------------

    async def _take_batch(self) -> None:
        """Take in some of the queue. Raises Refused where a blob's host denies us."""
        content: bytes | None = None
        while self._queue:
            batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
            try:
                taken, spilled = self._engine.step(_take, self.id, batch, content)
            except RoostError as error:  # a full disk: keep all, try again
                self._engine.trouble(error)
                await asyncio.sleep(AGAIN_S)
                continue
            for _ in range(taken):
                self._queue.popleft()
            await asyncio.sleep(0)
            if spilled is None:
                return
            content = await self._fetch(spilled)

    async def _fetch(self, spilled: logs.Spilled) -> bytes:
        """A record's bytes; empty when they are gone or damaged."""
        while True:
            try:
                async with self._engine.logs.fetching:
                    return await self._fetched(spilled)
            except Refused as error:
                if error.code == RefusalCode.NOT_FOUND:
                    return b""
                if error.code == RefusalCode.DENIED:
                    raise
            except CryptoError:
                return b""
            except RoostError:
                pass
            await self._pause(AGAIN_S)

    async def _fetched(self, spilled: logs.Spilled) -> bytes:
        key, total = AttachmentKey(spilled.place.pointer.key), blob_count(spilled.place.size)
        parts: list[bytes] = []
        for start in range(0, total, BLOBS_IN_FLIGHT):
            indexes = range(start, min(start + BLOBS_IN_FLIGHT, total))
            call = partial(self._engine.network.call, timeout_s=60, mixed=self.mixed)
            asked = [call(spilled.log.relay, GetBlob(spilled.log.get, key.blob_id(i))) for i in indexes]
            for index, answer in zip(indexes, await asyncio.gather(*asked), strict=True):
                assert isinstance(answer, BlobData)
                parts.append(key.open_blob(index, answer.data, last=index == total - 1))
        record = b"".join(parts)
        if len(record) != spilled.place.size:
            raise CryptoError("a record has another size than it says")
        return record

    def _note(self, step: Callable[[Work, bytes], None]) -> None:
        """Write down what the host said."""
        try:
            self._engine.step(step, self.id)
        except RoostError as error:
            self._engine.trouble(error)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, which is cleared; False when the time is over first."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True


def _take(
    work: Work, id: bytes, entries: list[tuple[int, bytes]], content: bytes | None
) -> tuple[int, logs.Spilled | None]:
    return logs.receive_all(work, id, entries, owners.deliver, content)
