"""What a node does for its places by itself: it lets members know whom they follow, hands over what others are to keep,
asks again what a lost disk knew, and deletes what expired."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from roost.errors import SurroundingsError, Unreachable
from roost.relay.core.limits import DAY_S
from roost.relay.core.operations import Sweep
from roost.relay.core.places import PlaceRecord
from roost.wire.swarm import MAX_BEATS, Beat, BeatItem, Heard, Nudge, Recall, Recalled, Taken

if TYPE_CHECKING:
    from roost.relay.onion.swarm import Swarm

_BEAT_S = 2.0
_REVIEW_S = 15.0
_RECALL_S = 5.0
_SWEEP_S = 3_600.0
_COUNT_S = 300.0  # each lead knows what it stored since; what others stored is counted so often
_IDLE_S = 600.0  # a place that nobody asks about so long is led by nobody
_SLACK_DAYS = 2  # members delete what expired so long after its leader hides it: none may lack what it still has
_SWEEP_ROWS = 2_000
_TOGETHER = 16  # places that are handed over at one time


class Upkeep:
    """Runs until `close`."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._colleagues = swarm.colleagues
        self._replica = swarm.replica
        self._changed = asyncio.Event()
        self._begun = asyncio.Event()
        self._tasks = [
            asyncio.create_task(work)
            for work in (self._beat(), self._review(), self._recall(), self._sweep(), self._count())
        ]
        self._calls: set[asyncio.Task[None]] = set()
        self._nodes: frozenset[tuple[bytes, bytes]] = frozenset()
        self._reviews = 0  # since the network changed

    def close(self) -> None:
        for task in (*self._tasks, *self._calls):
            task.cancel()

    def on_consensus(self) -> None:
        assert self._colleagues.current is not None
        self._begun.set()
        nodes = frozenset((node.key, node.salt) for node in self._colleagues.current.nodes)
        if nodes != self._nodes:
            self._nodes = nodes
            self._changed.set()

    # --- beats ------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            leads = self._swarm.leads
            by_node: dict[bytes, list[BeatItem]] = {}
            for place, lead in leads.items():
                for member in lead.members:
                    if member.node != self._colleagues.own:
                        by_node.setdefault(member.node, []).append(BeatItem(place, lead.view, max(0, lead.durable)))
            for node, items in by_node.items():
                for start in range(0, len(items), MAX_BEATS):
                    self._start(self._beat_to(node, items[start : start + MAX_BEATS]))
            now = asyncio.get_running_loop().time()
            for lead in tuple(leads.values()):
                serving = self._swarm.serving.get(lead.place)
                if serving is None:
                    continue  # it has a limit of its own
                if lead.silent() or (serving.unused and now - serving.used_at > _IDLE_S):
                    lead.end()

    async def _beat_to(self, node: bytes, items: list[BeatItem]) -> None:
        try:
            heard = await self._colleagues.call(node, Beat(tuple(items)), Heard)
        except Unreachable:
            return
        refused, behind = set(heard.refused), set(heard.behind)
        for index, item in enumerate(items):
            lead = self._swarm.leads.get(item.place)
            if lead is None or lead.view != item.view:
                continue
            if index in refused:
                lead.end()
                continue
            lead.heard(node)
            if index in behind:
                lead.lagging(node)

    # --- handing over -----------------------------------------------------------------------------------------------

    async def _review(self) -> None:
        """After each change of the network: see that the right nodes keep each place."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            with contextlib.suppress(SurroundingsError):  # the disk is full: it is known until the node stops
                await self._remember(former=self._colleagues.former)
            settled = False
            self._reviews = -1
            while not settled and not self._changed.is_set():
                self._reviews += 1
                try:
                    settled = await self._review_all()
                except SurroundingsError:
                    settled = False
                if not settled:
                    try:
                        async with asyncio.timeout(_REVIEW_S):
                            await self._changed.wait()
                    except TimeoutError:
                        continue

    async def _review_all(self) -> bool:
        """True if nothing had to be done."""
        settled, after = True, b""
        for lead in tuple(self._swarm.leads.values()):
            if not lead.kept_by(self._colleagues.swarm(lead.place)):
                settled = False
                if self._colleagues.own in self._colleagues.swarm(lead.place):
                    self._swarm.outdated(lead)
        while rows := await self._replica.scan(after):
            after = rows[-1][0]
            wrong = [place for place, record in rows if self._wrong(place, record)]
            settled = settled and not wrong
            for start in range(0, len(wrong), _TOGETHER):
                await asyncio.gather(*map(self._hand_over, wrong[start : start + _TOGETHER]))
        return settled

    def _wrong(self, place: bytes, record: PlaceRecord) -> bool:
        swarm = self._colleagues.swarm(place)
        if not record.present or not swarm:
            return False
        return {member.node for member in record.members} != set(swarm)

    async def _hand_over(self, place: bytes) -> None:
        """The first of the swarm that answers is to lead the place, and to take it over. If that did not help, all are
        asked the next time: the first may know only that another leads, and that one must hear of it."""
        for node in self._colleagues.swarm(place):
            done = node == self._colleagues.own
            if done:
                if place not in self._swarm.leads:
                    self._swarm.see_to(place)
            else:
                with contextlib.suppress(Unreachable):
                    done = (await self._colleagues.call(node, Nudge(place), Taken)).done
            if done and not self._reviews:
                return

    # --- a lost disk ------------------------------------------------------------------------------------------------

    async def _recall(self) -> None:
        """Until all others have said at which places they knew this node, what it never heard of counts for nothing."""
        await self._begun.wait()
        while not self._replica.identity.sure:
            with contextlib.suppress(SurroundingsError):  # the disk is full
                await self._recall_all()
            if not self._replica.identity.sure:
                await asyncio.sleep(self._colleagues.pause(_RECALL_S / 2))

    async def _recall_all(self) -> None:
        """Raises SurroundingsError: what was told cannot be written down."""
        if self._replica.identity.sure is None:
            # What was made before the network listed this node is not in the place of something older.
            await self._remember(sure=not self._colleagues.serves)
        told = set(self._replica.identity.recalled)
        for node in self._colleagues.others():
            if node not in told and not self._replica.identity.sure:
                try:
                    await self._recall_from(node)
                except Unreachable:
                    continue
                told.add(node)
                await self._remember(sure=False, recalled=tuple(sorted(told)))
        if told.issuperset(self._colleagues.others()):
            await self._remember(sure=True, recalled=())

    async def _recall_from(self, node: bytes) -> None:
        """Raises Unreachable, SurroundingsError."""
        after = b""
        while True:
            recalled = await self._colleagues.call(node, Recall(after), Recalled)
            for told in recalled.places:
                if await self._replica.learn(told.place, told.standing):
                    self._start(self._hand_over(told.place))
            if not recalled.after:
                return
            after = recalled.after

    # --- expiry -----------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._colleagues.pause(_SWEEP_S / 2))
            swarm = self._swarm
            try:
                await self._replica.submit((self._expired(),))
                await self._replica.forget(self._expired().mailboxes_before)
            except SurroundingsError:
                continue
            for serving in tuple(swarm.serving.values()):
                serving.sweep()

    async def _count(self) -> None:
        """The quota is one for all mailboxes here, of which each lead serves one."""
        while True:
            await asyncio.sleep(_COUNT_S)
            swarm = self._swarm
            with contextlib.suppress(SurroundingsError):
                swarm.totals = await self._replica.ask(lambda reader: reader.totals())
                for serving in tuple(swarm.serving.values()):
                    serving.service.desk.recount(swarm.totals)

    def _expired(self) -> Sweep:
        today = int(self._replica.clock()) // DAY_S - _SLACK_DAYS
        limits = self._swarm.limits
        return Sweep(
            entries_before=today - limits.envelope_days,
            holds_before=today - limits.hold_days,
            cards_before=today - limits.envelope_days,
            mailboxes_before=today - limits.mailbox_idle_days,
            limit=_SWEEP_ROWS,
        )

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _remember(self, **changes: object) -> None:
        """Raises SurroundingsError."""
        await self._replica.remember(msgspec.structs.replace(self._replica.identity, **changes))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
