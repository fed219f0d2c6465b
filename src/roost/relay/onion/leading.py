"""Leading a place: the relay's ordinary service over a storage whose commits are those of enough members.

Batches go out one after another; each is committed here and sent to the other members at the same time, and what it
holds is acknowledged, and shown to readers, once `quorum` of them have it on disk. A member that lacks what comes
before gets a whole copy. See relay.core.places.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from roost.errors import RoostError, SurroundingsError, Unreachable
from roost.relay.core.copies import divided, encode_operation, join_operations
from roost.relay.core.operations import Freed, Operation, begin
from roost.relay.core.places import PlaceRecord, Progress
from roost.relay.onion.colleagues import Colleagues
from roost.relay.onion.copying import Copy
from roost.relay.onion.electing import Elected, NoMajority
from roost.relay.onion.replica import Replica
from roost.relay.storage.committing import size
from roost.relay.storage.worker import Done
from roost.wire.sizes import SWARM_OPERATIONS
from roost.wire.swarm import Adopt, Append, Beat, BeatItem, Deposit, Heard, Look, Member, Retire, Seen, Taken

_INSTALL_S = 8.0  # for enough members to hold the view's beginning, or more of it
_SILENT_S = 7.0  # a leader who hears of too few members for so long leads no more
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_ROOM = SWARM_OPERATIONS - 16
_LOG_BYTES = 4 * 1024**2  # kept for members who are a little behind ...
_COPY_LOG_BYTES = 64 * 1024**2  # ... and while a copy is under way


class LostLead(SurroundingsError):
    """Another node leads the place now, or none does."""

    code = "lost_lead"

    def __init__(self) -> None:
        super().__init__("This node does not lead the mailbox any more.")


class Superior(Protocol):
    """Who is told what becomes of a lead."""

    def ended(self, lead: Lead) -> None:
        """It leads no more."""

    def outdated(self, lead: Lead, holder: bytes | None = None) -> None:
        """A member is not what the view takes it for, or `holder` has something that is not in it: another view is
        needed."""


class _Follower:
    """Another member. `next`: the batch that it gets next; None before it holds the view's beginning."""

    def __init__(self, member: Member, now: float) -> None:
        self.node = member.node
        self.incarnation = member.incarnation
        self.next: int | None = None
        self.heard_at = now
        self.copying = False
        self.pause = 0.0
        self.wake = asyncio.Event()


class Lead:
    """One view of one place, led by this node."""

    def __init__(
        self, place: bytes, elected: Elected, colleagues: Colleagues, replica: Replica, superior: Superior
    ) -> None:
        self.place = place
        self.view = elected.view
        self.members = elected.members
        self.active = True
        self.sequence = 0
        self._base = elected.base
        self._others = elected.others
        self._colleagues = colleagues
        self._replica = replica
        self._superior = superior
        self._loop = asyncio.get_running_loop()
        own = colleagues.own
        self._quorum = colleagues.quorum(elected.members)
        self._progress = Progress(own, [member.node for member in elected.members], self._quorum)
        self._progress.has(own, 0)
        now = self._loop.time()
        self._followers = {member.node: _Follower(member, now) for member in elected.members if member.node != own}
        self._waiting: deque[tuple[Sequence[Operation], Done]] = deque()
        self._batch: list[Done] = []
        self._flying = False  # a batch is under way
        self._cutting = 0
        self._log: deque[tuple[int, bytes]] = deque()
        self._log_bytes = 0
        self._installed = asyncio.Event()
        self._retired = False
        self._copied = 0  # pieces that members took
        self._tasks: list[asyncio.Task[None]] = []
        self._doubts: list[Callable[[bool], None]] = []
        self._confirming = False

    async def install(self) -> None:
        """Returns once enough members hold the beginning of the view. Raises NoMajority."""
        self._tasks = [asyncio.create_task(self._follow(follower)) for follower in self._followers.values()]
        self._check()
        copied = -1
        while not self._installed.is_set() and copied < self._copied:
            copied = self._copied
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INSTALL_S):
                    await self._installed.wait()
        if not self.active or not self._installed.is_set() or self.record.promised > self.view:
            raise NoMajority

    @property
    def record(self) -> PlaceRecord:
        return self._replica.at_hand(self.place)

    @property
    def idle(self) -> bool:
        """Nothing is under way, and everybody has everything."""
        even = all(self._progress.of(node) == self.sequence for node in self._followers)
        return not self._waiting and not self._batch and even

    def kept_by(self, swarm: Sequence[bytes]) -> bool:
        """Whether the view's members are these."""
        return {member.node for member in self.members} == set(swarm)

    def end(self, error: SurroundingsError | None = None) -> None:
        """Lead no more. What was not acknowledged is not: for `error`, or because the lead is lost."""
        if not self.active:
            return
        self.active = False
        self._installed.set()
        for task in self._tasks:
            task.cancel()
        unanswered = [*self._batch, *(done for _, done in self._waiting)]
        self._batch.clear()
        self._waiting.clear()
        self._log.clear()
        self._superior.ended(self)
        for done in unanswered:
            done(error or LostLead(), Freed())
        doubts, self._doubts = self._doubts, []
        for then in doubts:
            then(False)

    # --- members ----------------------------------------------------------------------------------------------------

    def follows(self, record: PlaceRecord) -> None:
        """This node's own record is this now: it may have promised another a higher view, and commits nothing in this
        one any more."""
        if record.promised > self.view:
            self.end()

    def heard(self, node: bytes) -> None:
        """This member follows."""
        follower = self._followers.get(node)
        if follower is not None:
            follower.heard_at = self._loop.time()
            follower.pause = 0.0

    def lagging(self, node: bytes) -> None:
        """This member lacks what it was thought to have, or says that it may."""
        follower = self._followers.get(node)
        if follower is not None and follower.next is not None and follower.next > self.sequence:
            follower.next = None
            self._progress.lost(node)
            follower.wake.set()

    def silent(self) -> bool:
        """Too few members have been heard of lately."""
        since = self._loop.time() - _SILENT_S
        return 1 + sum(1 for follower in self._followers.values() if follower.heard_at >= since) < self._quorum

    def confirm(self, then: Callable[[bool], None]) -> None:
        """Ask the members whether they follow still. One who was cut off may have been replaced without hearing of it,
        and must not say what is not there."""
        if not self.active:
            then(False)
            return
        self._doubts.append(then)
        if len(self._doubts) == 1 and not self._confirming:
            self._confirming = True
            self._tasks.append(asyncio.create_task(self._confirm()))

    async def _confirm(self) -> None:
        try:
            while self._doubts:
                doubts, self._doubts = self._doubts, []
                sure = False
                try:
                    sure = await self._followed()
                finally:
                    for then in doubts:
                        then(sure)
        finally:
            self._confirming = False
            self._tasks = [task for task in self._tasks if not task.done()]

    async def _followed(self) -> bool:
        """Whether enough members follow this view, asked now."""
        beat = Beat((BeatItem(self.place, self.view, max(0, self.durable)),))
        calls = [asyncio.create_task(self._colleagues.call(node, beat, Heard)) for node in self._followers]
        following = 1
        try:
            answers = asyncio.as_completed(calls)
            while following < self._quorum and (answer := next(answers, None)) is not None:
                with contextlib.suppress(Unreachable):
                    following += not (await answer).refused
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return self.active and following >= self._quorum

    @property
    def durable(self) -> int:
        return self._progress.durable

    @property
    def backlog(self) -> int:
        """Bytes that wait, roughly."""
        return sum(size(operation) for operations, _ in self._waiting for operation in operations)

    # --- batches ----------------------------------------------------------------------------------------------------

    def submit(self, operations: Sequence[Operation], done: Done) -> None:
        """As `Storage.submit`."""
        if not self.active:
            self._loop.call_soon(done, LostLead(), Freed())
            return
        parts = divided(operations)
        if len(parts) > len(operations):  # a trim of very many files: it may as well be done in steps
            for part in parts[:-1]:
                self._waiting.append(((part,), lambda _error, _freed: None))
            operations = parts[-1:]
        self._waiting.append((operations, done))
        if not self._flying:
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Send out the next batch."""
        if not self.active or self._flying or self._cutting or not self._waiting:
            return
        wanted: list[Operation] = []
        encoded: list[bytes] = []
        size = 0
        while self._waiting:
            operations, done = self._waiting[0]
            written = begin(operations)
            parts = [encode_operation(operation) for operation in written]
            size += sum(map(len, parts))
            if size > _ROOM and wanted:
                break
            self._waiting.popleft()
            self._batch.append(done)
            wanted += written
            encoded += parts
        self._flying = True
        record = self.record
        if record.promised != self.view or record.view != self.view:
            self.end()
        elif wanted:
            self.sequence += 1
            self._keep(join_operations(encoded))
            after = msgspec.structs.replace(record, sequence=self.sequence)
            self._replica.hand_in(self.place, after, wanted, self._committed)
            for follower in self._followers.values():
                follower.wake.set()
        else:
            self._loop.call_soon(self._check)

    def _committed(self, error: SurroundingsError | None) -> None:
        if not self.active:
            return
        if error is not None:
            self.end(error)
            return
        self._progress.has(self._colleagues.own, self.sequence)
        self._check()

    def _check(self) -> None:
        """See whether the batch is durable."""
        if not self.active:
            return
        durable = self._progress.durable
        if durable >= 0:
            self._installed.set()
            self._retire_others()
        if durable < self.sequence or not self._flying:
            return
        self._flying = False
        batch, self._batch = self._batch, []
        for done in batch:
            done(None, Freed())
        self._begin()

    def _keep(self, data: bytes) -> None:
        self._log.append((self.sequence, data))
        self._log_bytes += len(data)
        copying = any(follower.copying for follower in self._followers.values())
        while self._log_bytes > (_COPY_LOG_BYTES if copying else _LOG_BYTES) and len(self._log) > 1:
            self._log_bytes -= len(self._log.popleft()[1])

    def _logged(self, sequence: int) -> bytes | None:
        if not self._log or sequence < self._log[0][0]:
            return None
        return self._log[sequence - self._log[0][0]][1]

    # --- the other members ------------------------------------------------------------------------------------------

    async def _follow(self, follower: _Follower) -> None:
        """Bring a member up to date, again and again."""
        while self.active:
            if follower.next is not None and follower.next > self.sequence:
                follower.wake.clear()
                await follower.wake.wait()
                continue
            try:
                await self._bring(follower)
            except (RoostError, OSError):  # it does not answer, or a disk fails: later
                follower.pause = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * follower.pause))
                await asyncio.sleep(self._colleagues.pause(follower.pause / 2))

    async def _bring(self, follower: _Follower) -> None:
        """One step."""
        if follower.next is None:
            adopt = Adopt(self.place, self.view, self.members, *self._base)
            taken = await self._colleagues.call(follower.node, adopt, Taken)
            if not self._took(follower, taken):
                await self._copy(follower)
            return
        data = self._logged(follower.next)
        if data is None:
            await self._copy(follower)
            return
        append = Append(self.place, self.view, follower.next, data)
        taken = await self._colleagues.call(follower.node, append, Taken)
        if not self._took(follower, taken):
            follower.next = None
            self._progress.lost(follower.node)

    def _took(self, follower: _Follower, taken: Taken) -> bool:
        """False if it lacks something. Raises Unreachable when this node leads no more."""
        if taken.promised > self.view:
            self.end()
            raise Unreachable("Another node leads the mailbox.")
        if taken.done:
            self.heard(follower.node)
            follower.next = taken.sequence + 1
            if taken.incarnation == follower.incarnation:
                self._progress.has(follower.node, taken.sequence)
            self._check()
        if taken.incarnation != follower.incarnation:
            self._superior.outdated(self)
        return taken.done

    async def _copy(self, follower: _Follower) -> None:
        """Give it everything."""
        follower.copying = True
        try:
            copy, sequence = await self._cut()
            number, last = 0, False
            while not last:
                piece = await copy.piece(number)
                if not self.active:  # what was read may have been deleted by then
                    raise LostLead
                deposit = Deposit(
                    self.place,
                    self.view,
                    self.members,
                    sequence,
                    number,
                    piece.last,
                    piece.operations,
                    self.record.origin,
                )
                taken = await self._colleagues.call(follower.node, deposit, Taken)
                if not self._deposited(follower, taken, last=piece.last):
                    await self._look_at(follower.node)
                    raise Unreachable("A copy was not taken.")
                number, last = number + 1, piece.last
                self._copied += 1
        finally:
            follower.copying = False

    def _deposited(self, follower: _Follower, taken: Taken, *, last: bool) -> bool:
        return self._took(follower, taken) if last or not taken.done else True

    async def _cut(self) -> tuple[Copy, int]:
        """A copy of the state after one batch: none begins while it is listed."""
        self._cutting += 1
        try:
            await self._replica.submit(())
            sequence = self.sequence
            return await self._replica.copies().of(self.place, self.record), sequence
        finally:
            self._cutting -= 1
            self._loop.call_soon(self._begin)

    def _retire_others(self) -> None:
        """The view is installed: who kept the place before and is no member may let go of it."""
        if self._retired:
            return
        self._retired = True
        for node in self._others:
            self.retire(node)

    def retire(self, node: bytes) -> None:
        """It is no member; what it holds of this place may go."""
        if self._retired:
            self._tasks.append(asyncio.create_task(self._retire(node)))

    async def _retire(self, node: bytes) -> None:
        retire = Retire(self.place, self.view, self.members, self.record.origin)
        try:
            taken = await self._colleagues.call(node, retire, Taken)
            if not taken.done or taken.promised > self.view:
                await self._look_at(node)
        except Unreachable:
            return  # it asks by itself when it sees that others are to keep the place

    async def _look_at(self, node: bytes) -> None:
        """It does not let go of what it holds: see whether that began apart. Raises Unreachable."""
        standing = (await self._colleagues.call(node, Look(self.place), Seen)).standing
        if self.active and standing.present and standing.origin != self.record.origin:
            self._superior.outdated(self, node)
