"""The agent's heart: messaging joined with the store and the network, for one open profile.

`step` runs one piece of messaging in a transaction and tells what happened. Around it three loops work, each in a
module of its own: what arrives (incoming), what leaves (outgoing), files (transfers). They are woken, never polled;
when nothing is due the engine sleeps. It decides nothing about messages: every rule is in roost.messaging.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from roost.agent.devices import CONCERNS as DEVICE_CONCERNS
from roost.agent.devices import Devices
from roost.agent.incoming import Incoming
from roost.agent.logs import CONCERNS as LOG_CONCERNS
from roost.agent.logs import Logs
from roost.agent.onion_memory import ProfileMemory
from roost.agent.outgoing import Outgoing
from roost.agent.transfers import Transfers
from roost.crypto import Entropy
from roost.errors import RoostError, SurroundingsError
from roost.messaging import entered, logs, outbox, sealing, travel, upkeep
from roost.messaging.groups import upkeep as groups
from roost.messaging.parsed import ParsedSessions
from roost.messaging.records import (
    NEVER,
    Changes,
    Contact,
    EnteredNetwork,
    Event,
    GroupAnswer,
    GroupRow,
    GroupSender,
    InvitationRow,
    LogPut,
    Message,
    Outbox,
    OwnMailbox,
    OwnRelay,
    PeerDevice,
    Row,
    SessionRow,
    StoredFile,
    Travel,
    Upload,
)
from roost.messaging.work import Work
from roost.network import Network
from roost.store import Profile

P = ParamSpec("P")
T = TypeVar("T")
Step = Callable[Concatenate[Work, P], T]
Listener = Callable[[Event], None]

_GROUPS: frozenset[type[Row]] = frozenset({GroupAnswer, GroupRow, GroupSender})  # what names when groups have to do
# What makes the loops look again; of the outbox they are told by each row.
_CONCERNS: frozenset[type[Row]] = (
    LOG_CONCERNS
    | DEVICE_CONCERNS
    | _GROUPS
    | {
        *(OwnMailbox, OwnRelay, InvitationRow, SessionRow, StoredFile, Upload, PeerDevice, Contact, Travel),
        EnteredNetwork,
    }
)
_log = logging.getLogger(__name__)
# why something could not be put, that may be over now
_PASSED = ("unreachable", "timeout", "not_near", "too_few_nodes", "directory_unreachable")
NOTE_WITHIN_S = 0.01  # what was noted is committed
_DISK_PAUSE_S = 5.0  # after the disk was full: what came stays at the relay meanwhile


class Engine:
    """Runs while `running()` lasts. Everything happens on one event loop; the database is used from nowhere else."""

    def __init__(self, profile: Profile, entropy: Entropy, *, now: Callable[[], float] = time.time) -> None:
        self.profile = profile
        self.entropy = entropy
        self._now = now
        self._listeners: list[Listener] = []
        self._sessions = ParsedSessions()
        self._submitted: list[tuple[Callable[[], None], Callable[[RoostError | None], None]]] = []
        self._commit: asyncio.TimerHandle | None = None  # of what can wait a moment
        self._commit_soon = False
        self._wake = asyncio.Event()
        self._change = asyncio.Event()
        self.onion_memory = ProfileMemory(self)
        self.network = Network(entropy, self._relay_state, memory=self.onion_memory, entered=self._entered)
        self.incoming = Incoming(self)
        self.outgoing = Outgoing(self)
        self.transfers = Transfers(self)
        self.logs = Logs(self)
        self.devices = Devices(self)
        self._tick_at = 0
        self._groups_at = NEVER
        self._touched: set[type[Row]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._look_everywhere = True
        self._sleeps_until = NEVER

    @property
    def now_ms(self) -> int:
        return int(self._now() * 1000)

    # --- steps --------------------------------------------------------------------------------------------------------

    def look(self) -> Work:
        """The profile as it is now, to read from."""
        return Work(self.profile.store, self.now_ms, self.entropy, self._sessions)

    def mixed(self, conversation: bytes) -> bool:
        """Whether what belongs to a conversation (a contact's account, a group, a channel) goes slowly through an onion
        network, among cover traffic."""
        return travel.chosen(self.look(), conversation).mixed

    def _entered(self, network: bytes) -> bool:
        return entered.is_entered(self.look(), network)

    def step(self, function: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one step of messaging and commit what it changes; then tell listeners. An exception changes nothing.

        Raises SurroundingsError `disk_full` and the like, and whatever the step raises.
        """
        work = self.look()
        with self.profile.store.transaction():
            result = function(work, *args, **kwargs)
            changes = self._written(work)
        self._done(changes)
        return result

    async def submit(self, function: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `step`, in one commit with all others that are submitted in the same turn of the loop."""
        return await self._submit(0.0, function, *args, **kwargs)

    async def note(self, function: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `submit`, where nobody is kept waiting by a moment: in one commit with what comes within it."""
        return await self._submit(NOTE_WITHIN_S, function, *args, **kwargs)

    async def _submit(self, within_s: float, function: Step[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        done: list[tuple[T, Changes]] = []

        def run() -> None:
            work = self.look()
            try:
                result = function(work, *args, **kwargs)
                done.append((result, self._written(work)))
            except RoostError as error:  # it has written nothing; one of the disk's undoes all
                _settle(outcome, error)

        def written(error: RoostError | None) -> None:
            if done and error is None:
                self._done(done[0][1])
                _settle(outcome, done[0][0])
            elif error is not None:
                _settle(outcome, error)

        self._submitted.append((run, written))
        if within_s and self._commit is None:
            self._commit = loop.call_later(within_s, self._commit_submitted)
        elif not within_s and not self._commit_soon:
            self._commit_soon = True
            loop.call_soon(self._commit_submitted)
        return await outcome

    def _commit_submitted(self) -> None:
        batch, self._submitted, self._commit_soon = self._submitted, [], False
        if self._commit is not None:
            self._commit.cancel()
            self._commit = None
        if not batch:
            return
        try:
            with self.profile.store.transaction():
                for run, _ in batch:
                    run()
        except RoostError as error:
            for _, written in batch:
                written(error)
        else:
            for _, written in batch:
                written(None)

    def steps(self, functions: Iterable[Callable[[Work], object]]) -> None:
        """Several steps in one commit, each seeing the ones before it; all or nothing. What was noted before goes into
        it, first: a host's answer counts before what came later."""
        changes: list[Changes] = []
        failed: list[RoostError] = []

        def run() -> None:
            work = self.look()
            for function in functions:
                function(work)
            changes.append(self._written(work))

        def written(error: RoostError | None) -> None:
            if error is None:
                self._done(changes[0])
            else:
                failed.append(error)

        self._submitted.append((run, written))
        self._commit_submitted()
        if failed:
            raise failed[0]

    def _written(self, work: Work) -> Changes:
        """Seal what the step has queued, and write everything."""
        sealing.seal_new(work)
        changes = work.changes()
        self.profile.store.apply(changes)
        return changes

    def _done(self, changes: Changes) -> None:
        """The changes are on disk: tell listeners, and wake the loops where they are concerned."""
        gone = {kind for kind, _ in changes.delete}
        touched = {type(row) for row in changes.put} | gone
        self._touched |= touched
        due = 0 if Outbox in gone else NEVER  # what comes next for that device may have its turn
        for row in changes.put:
            if isinstance(row, Message):  # one that disappears sets the next tick
                self._tick_at = min(self._tick_at, row.expire_at)
                due = min(due, row.expire_at)
            elif isinstance(row, Outbox):
                due = min(due, self.outgoing.written(row))
        if due < self._sleeps_until or not touched.isdisjoint(_CONCERNS):
            self._wake.set()
        self._tell(changes.events)

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            for listener in tuple(self._listeners):
                listener(event)
        self._change.set()

    async def changed(self, timeout_s: float) -> None:
        """Return after the next commit or event, or when the time is over."""
        self._change.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._change.wait()
        except TimeoutError:
            pass

    def tell(self, event: Event) -> None:
        """Something that no step caused: progress, connections."""
        self._tell((event,))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- life ---------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connections stand and the loops work while the context lasts."""
        await self.devices.open()
        self.relays_changed()
        failure: Exception | None = None
        async with self.devices, self.network, asyncio.TaskGroup() as group:  # a loop that fails ends all, loudly
            self._group = group
            self.start(self.devices.begin())
            works = (self._work_loop(), self.incoming.loop(), self.devices.parcels.loop())
            loops = [group.create_task(work) for work in works]
            try:
                yield
            except Exception as error:  # noqa: BLE001  # the caller's own: raised below, not in an ExceptionGroup
                failure = error
            finally:
                for loop in loops:  # first: they would start anew what is ended here
                    loop.cancel()
                await self.logs.close()
                await self.transfers.close()
                await self.outgoing.close()
                self._commit_submitted()  # what was noted a moment ago
                self._write_trims()
        if failure is not None:
            raise failure

    def _write_trims(self) -> None:
        try:
            self.incoming.write_trims()
        except RoostError as error:  # the relay is asked for it again
            self.trouble(error)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a job beside the loops. What it raises ends the engine."""
        assert self._group is not None
        return self._group.create_task(work)

    def relays_changed(self) -> None:
        """Connect to exactly the relays that the profile has now."""
        relays = sorted(self.look().find(OwnRelay), key=lambda row: row.rank)
        self.network.set_relays([row.link for row in relays])
        self.wake()

    def wake(self) -> None:
        """Something outside the profile changed (a connection, a transfer's end): look everywhere for what is due."""
        self._look_everywhere = True
        self._wake.set()

    def nudge(self) -> None:
        """Something ended that may have held up what is noted as due."""
        self._wake.set()

    async def _work_loop(self) -> None:
        while True:
            self._wake.clear()
            try:
                self._due_work()
                pause = self._pause_s()
            except SurroundingsError as error:  # a full disk: keep everything, look again later
                self.trouble(error)
                pause = _DISK_PAUSE_S
            except RoostError as error:
                self.trouble(error)
                pause = 1.0
            self._sleeps_until = self.now_ms + int(pause * 1000)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _due_work(self) -> None:
        if self.now_ms >= self._tick_at:
            self.step(upkeep.tick)
            self.network.leave_networks()
            self._tick_at = upkeep.next_deadline(self.look())
            self.transfers.sweep()
            self._look_everywhere = True
            self._groups_at = NEVER
        elif self.now_ms >= self._groups_at:
            self.step(groups.tick)
        if self._look_everywhere:
            self.outgoing.look_everywhere()
        if EnteredNetwork in self._touched:
            self.logs.hurry()
        touched = _CONCERNS | {Outbox} if self._look_everywhere else frozenset(self._touched)
        self._touched, self._look_everywhere = set(), False
        if not touched.isdisjoint(_GROUPS) or self._groups_at <= self.now_ms:
            self._groups_at = groups.next_deadline(self.look())
        if not touched.isdisjoint(DEVICE_CONCERNS):
            self.devices.serve()
        self.outgoing.start_due(touched)
        if not touched.isdisjoint((OwnMailbox, OwnRelay, Travel)):
            self.incoming.subscribe_all()
            self.incoming.start_trims()
        if not touched.isdisjoint(LOG_CONCERNS | {OwnRelay}) or self.logs.due:
            self.logs.start_due(touched)
        if (
            not touched.isdisjoint((Outbox, LogPut, Upload, StoredFile))
            or self.transfers.next_deadline() <= self.now_ms
        ):
            self.transfers.start_due()
        self.onion_memory.write()

    def _pause_s(self) -> float:
        due = min(
            self._tick_at,
            self._groups_at,
            self.outgoing.next_deadline(),
            self.transfers.next_deadline(),
            self.logs.next_deadline(),
        )
        return min(max((due - self.now_ms) / 1000, 0.02), 60.0)

    def trouble(self, error: RoostError) -> None:
        """Something of the surroundings failed inside a loop: say so, with the code alone."""
        _log.warning("the agent's work was interrupted: %s", error.code)
        self.tell(Event("trouble", detail=error.code))

    def _relay_state(self, relay: bytes, reachable: bool, reason: str) -> None:
        self.tell(Event("connection", subject=relay, detail=reason if not reachable else ""))
        if reachable:
            self.transfers.hurry()
            self.logs.hurry()
            self.hurry()

    def hurry(self, *, everything: bool = False) -> None:
        """A way is open again: try at once what failed only because it was not, or all that waits."""
        try:
            for hurry in (outbox.hurry_all, logs.hurry):
                self.step(hurry, () if everything else _PASSED)
        except RoostError as error:
            self.trouble(error)
        self.wake()


def _settle(outcome: asyncio.Future[T], result: T | RoostError) -> None:
    """Answer whoever still waits."""
    if outcome.done():
        return
    if isinstance(result, RoostError):
        outcome.set_exception(result)
    else:
        outcome.set_result(result)
