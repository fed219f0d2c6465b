"""How a node comes to lead a place: it looks, asks for promises, takes over the newest state (relay.core.places)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from roost.errors import SurroundingsError, Unreachable
from roost.relay.core import places
from roost.relay.core.copies import Union, decode_operations, encode_operations
from roost.relay.core.mailbox import RUN_BITS
from roost.relay.core.operations import AppendEntry, EntryRow
from roost.relay.core.places import Ballot
from roost.relay.onion.colleagues import Colleagues
from roost.relay.onion.replica import Replica
from roost.wire.swarm import Fetch, Look, Members, Nudge, Piece, Prepare, Promise, Seen, Standing, Taken

R = TypeVar("R")

_LIMIT_S = 4.0  # for enough answers
_GRACE_S = 0.7  # for those beyond


@dataclass(frozen=True, slots=True)
class Elected:
    """This node leads `view`. It began with what a member may hold as of `base`. `others` were asked and are no
    members."""

    view: int
    members: Members
    base: tuple[int, int]
    others: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Led:
    """Another node leads the place."""

    node: bytes


class NothingThere:
    """Nobody has ever kept anything at this place."""


class NoMajority(SurroundingsError):
    """Too few members answer, or another wants to lead too."""

    code = "no_majority"

    def __init__(self) -> None:
        super().__init__("Too few of the nodes that keep a mailbox answer.")


class Election:
    """One attempt. `hints`: who else may hold something. `creating`: something is to be made if nothing is there."""

    def __init__(
        self, place: bytes, colleagues: Colleagues, replica: Replica, hints: frozenset[bytes], *, creating: bool
    ) -> None:
        self._place = place
        self._colleagues = colleagues
        self._replica = replica
        self._hints = hints
        self._creating = creating

    async def run(self) -> Elected | Led | NothingThere:
        """Raises NoMajority, SurroundingsError."""
        seen = await self._look()
        leader = seen.leader()
        if leader is not None and leader != self._colleagues.own and leader in self._colleagues.swarm(self._place):
            return Led(leader)
        if seen.courted(self._colleagues.own):
            raise NoMajority
        if seen.holder is None and not self._creating:
            if await self._nobody():
                return NothingThere()
            seen = await self._look()
            if seen.holder is None:
                raise NoMajority
        better = self._better(seen)
        if better is not None:
            return better if await self._nudged(better.node) else await self._lead(seen)
        return await self._lead(seen)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _better(self, seen: Ballot) -> Led | None:
        """Another of the swarm, if it holds the newest state and this node does not: it can begin at once."""
        own, holder = self._colleagues.own, seen.holder
        if holder is None or holder == own or holder not in self._colleagues.swarm(self._place):
            return None
        newest, mine = seen.standings[holder], seen.standings.get(own)
        if mine is not None and mine.present and (mine.view, mine.sequence) == (newest.view, newest.sequence):
            return None
        return Led(holder)

    async def _nudged(self, node: bytes) -> bool:
        try:
            return (await self._colleagues.call(node, Nudge(self._place), Taken)).done
        except Unreachable:
            return False

    async def _lead(self, seen: Ballot) -> Elected | NothingThere:
        if seen.holder is None and not self._colleagues.complete:
            raise NoMajority  # those who kept it before are not known
        swarm = self._colleagues.swarm(self._place)
        if self._colleagues.own not in swarm:  # by a consensus that came meanwhile
            raise NoMajority
        rank = swarm.index(self._colleagues.own)
        view = places.next_view(seen.promised, rank, self._replica.clock())
        members = seen.members()
        promised = await self._prepare(view, members)
        if promised.holder is None and seen.holder is not None:
            raise NoMajority  # what it holds is not to be begun without
        base = await self._take_over(promised, view, members)
        others = promised.asked() - {member.node for member in members}
        return Elected(view, members, base, tuple(sorted(others)))

    async def _nobody(self) -> bool:
        """Whether it is certain that nobody holds anything. If somebody does, it is asked from now on."""
        if not self._colleagues.linked:
            raise NoMajority
        ballot = self._colleagues.inquest(self._place)
        try:
            await self._look_through(ballot)
        except NoMajority:
            if ballot.holder is None:
                raise
        if ballot.holder is None:
            return True
        self._hints |= {ballot.holder}
        return False

    async def _look(self) -> Ballot:
        ballot = self._colleagues.ballot(self._place, None, self._hints)
        await self._look_through(ballot)
        return ballot

    async def _look_through(self, ballot: Ballot) -> None:
        own, place = self._colleagues.own, self._place

        async def look(node: bytes) -> None:
            if node == own:
                standing = await self._replica.look(place)
            else:
                standing = (await self._colleagues.call(node, Look(place), Seen)).standing
            self._believe(ballot, node, standing)

        await self._poll(ballot, look)

    async def _prepare(self, view: int, members: Members) -> Ballot:
        ballot = self._colleagues.ballot(self._place, members, self._hints)
        own, call = self._colleagues.own, Prepare(self._place, view, members)

        async def prepare(node: bytes) -> None:
            if node == own:
                promise = await self._replica.prepare(own, call)
            else:
                promise = await self._colleagues.call(node, call, Promise)
            if promise.granted:
                self._believe(ballot, node, promise.standing)
            elif promise.standing.promised >= view and self._believable(promise.standing):
                raise NoMajority

        await self._poll(ballot, prepare)
        return ballot

    def _believe(self, ballot: Ballot, node: bytes, standing: Standing) -> None:
        if self._believable(standing):
            ballot.add(node, standing)

    def _believable(self, standing: Standing) -> bool:
        now = self._replica.clock()
        return places.likely(standing.promised, now) and places.likely(standing.view, now)

    async def _poll(self, ballot: Ballot, ask: Callable[[bytes], Awaitable[None]]) -> None:
        """Ask all who count, as far as they become known, until enough answered. Raises NoMajority."""
        asking: dict[bytes, asyncio.Task[None]] = {}
        changed = asyncio.Event()
        refused: list[bool] = []

        async def one(node: bytes) -> None:
            try:
                await ask(node)
            except NoMajority:
                refused.append(True)
            except SurroundingsError:
                pass  # as if it had not been asked
            changed.set()

        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            while not refused:
                for node in sorted(ballot.asked() - set(asking)):
                    asking[node] = asyncio.create_task(one(node))
                enough = ballot.enough()
                if all(task.done() for task in asking.values()):
                    break
                left = began + (_GRACE_S if enough else _LIMIT_S) - loop.time()
                if left <= 0:
                    break
                try:
                    async with asyncio.timeout(left):
                        await changed.wait()
                except TimeoutError:
                    pass
                changed.clear()
        finally:
            for task in asking.values():
                task.cancel()
        if refused or not ballot.enough():
            raise NoMajority

    async def _take_over(self, ballot: Ballot, view: int, members: Members) -> tuple[int, int]:
        """Hold the newest state, and what others hold that began apart from it, as the beginning of `view`. What a
        member holds that has the same beginning already."""
        own, place, replica = self._colleagues.own, self._place, self._replica
        holder, apart = ballot.holder, ballot.apart
        begin = base = (0, 0)
        origin = view
        if holder is not None:
            newest = ballot.standings[holder]
            begin = base = newest.view, newest.sequence
            origin = newest.origin if ballot.whole else places.parted(view)
            if apart or not ballot.whole:
                begin = view, 0  # nobody holds that yet
        record = await replica.record(place)
        if holder is None or (record.present and (record.view, record.sequence) == base and not apart):
            if not record.follows(own, view):
                raise NoMajority
            await replica.commit(place, places.begun(record, own, view, members, origin=origin))
            return begin
        union = Union(view << RUN_BITS)
        sources, number, intake = [holder], 0, None
        for node in apart:
            with contextlib.suppress(Unreachable):  # it keeps what it holds until it is asked the next time
                entries: list[EntryRow] = []
                async for part in self._fetch(node, view):
                    changes = decode_operations(part, place, 0)
                    entries += [change.entry for change in changes if isinstance(change, AppendEntry)]
                union.beside(entries, (ballot.standings[node].view + 1) << RUN_BITS)
                sources.append(node)
        for node in sources:
            async for part in self._fetch(node, view):
                changes = decode_operations(part, place, 0)
                piece = encode_operations(union.first(changes) if node == holder else union.more(changes))
                intake = await replica.take_piece(place, (holder, *base), number, piece)
                if intake is None:  # another copy came in between
                    raise NoMajority
                number += 1
        if intake is None or await replica.exchange(place, intake, own, view, members, 0, origin) is None:
            raise NoMajority
        return begin

    async def _fetch(self, node: bytes, view: int) -> AsyncIterator[bytes]:
        """All that it holds, piece by piece."""
        number, last = 0, False
        while not last:
            call = Fetch(self._place, view, number)
            if node == self._colleagues.own:
                piece = await self._replica.fetch(node, call)
            else:
                piece = await self._colleagues.call(node, call, Piece)
            if not piece.operations:
                raise Unreachable("Another node does not hold what it held.")
            yield piece.operations
            number, last = number + 1, piece.last
