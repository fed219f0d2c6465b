"""How the nodes of a swarm agree about a place of an onion network: each one's rules, and how a leader is chosen.

In the manner of Viewstamped Replication (Liskov & Cowling 2012) and Raft (Ongaro & Ousterhout 2014), for each place by
itself. Views have rising numbers. Whoever wants to lead one gets promises from a majority of all members who may have
kept what an earlier leader acknowledged, begins with the newest state among theirs, and acknowledges batches of changes
that enough members have on disk. A node's promise, what it holds of which view, and who its members are, form its
record of the place, committed together with the changes themselves (docs/decisions/0026). Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence

import msgspec

from roost.wire.swarm import MAX_PLANS, MAX_REPLICAS, Member, Members, Standing

_RANK_BITS = 4  # a view's last bits: its leader's place in the swarm, so that two who begin at once differ
_MINUTE_S = 60
_AHEAD_S = 30 * 86_400  # how much later than its time a view may be: clocks differ, and each attempt takes a minute
_ANY = b"*"  # in place of an incarnation: whichever it is


class PlaceRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a node keeps of a place; see wire.swarm.Standing. `mailbox`: the number that the place's mailbox has, or
    will have, in this node's storage; `incoming`: that of a copy which is coming in. `day`: of the last change."""

    mailbox: int
    promised: int = 0
    voted: bytes = b""
    planned: tuple[Members, ...] = ()
    view: int = 0
    sequence: int = 0
    members: Members = ()
    present: bool = False
    incoming: int = 0
    day: int = 0
    origin: int = 0

    def standing(self, incarnation: bytes, *, sure: bool, leading: bool, courted: bool) -> Standing:
        return Standing(
            incarnation,
            sure,
            self.promised,
            self.voted,
            self.planned,
            self.view,
            self.sequence,
            self.members,
            self.present,
            leading,
            courted,
            self.origin,
        )

    def follows(self, node: bytes, view: int) -> bool:
        """Whether it takes something from `node` as the leader of `view`."""
        return view > self.promised or (view == self.promised and node == self.voted)


class FormerNetwork(msgspec.Struct, frozen=True, array_like=True):
    """Nodes that kept mailboxes by an earlier consensus, each its key and its salt. `day`: the last of its use."""

    day: int
    nodes: tuple[bytes, ...]


class SelfRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a node knows of itself: which disk this is, and whether it may have forgotten what stood on the last one;
    and of its network: how it was before."""

    incarnation: bytes
    sure: bool | None  # None: not known yet
    recalled: tuple[bytes, ...] = ()  # nodes that have told all they know of this one
    former: tuple[FormerNetwork, ...] = ()  # the last one first


class Verdict(enum.Enum):
    REFUSED = enum.auto()  # it follows another leader
    BEHIND = enum.auto()  # it lacks what comes before
    ALREADY = enum.auto()  # it has that
    TAKEN = enum.auto()


# --- a member's rules -------------------------------------------------------------------------------------------------


def prepare(record: PlaceRecord, node: bytes, view: int, members: Members) -> PlaceRecord | None:
    """The record after the promise; None where none can be given."""
    if not record.follows(node, view):
        return None
    planned = record.planned
    if members != record.members and members not in planned:
        if len(planned) >= MAX_PLANS:
            return None
        planned = (*planned, members)
    return msgspec.structs.replace(record, promised=view, voted=node, planned=planned)


def adopt(
    record: PlaceRecord, node: bytes, view: int, members: Members, base: tuple[int, int]
) -> tuple[Verdict, PlaceRecord]:
    """What it holds begins a view, if it holds just that."""
    if not record.follows(node, view):
        return Verdict.REFUSED, record
    if record.view == view:
        return Verdict.ALREADY, record
    holds = (record.view, record.sequence) if record.present else (0, 0)
    if holds != base or (record.view and not record.present):
        return Verdict.BEHIND, record
    return Verdict.TAKEN, begun(record, node, view, members, origin=record.origin if record.view else view)


def begun(
    record: PlaceRecord, node: bytes, view: int, members: Members, sequence: int = 0, *, origin: int
) -> PlaceRecord:
    """It holds the view's state."""
    promised = msgspec.structs.replace(record, promised=view, voted=node, planned=())
    return msgspec.structs.replace(promised, view=view, sequence=sequence, members=members, present=True, origin=origin)


def append(record: PlaceRecord, node: bytes, view: int, sequence: int) -> tuple[Verdict, PlaceRecord]:
    """The next batch of a view."""
    if not record.follows(node, view):
        return Verdict.REFUSED, record
    if record.view != view or not record.present or sequence > record.sequence + 1:
        return Verdict.BEHIND, record
    if sequence <= record.sequence:
        return Verdict.ALREADY, record
    return Verdict.TAKEN, msgspec.structs.replace(record, promised=view, voted=node, sequence=sequence)


def bare(state: PlaceRecord | Standing) -> bool:
    """It began with nothing, and nothing came since."""
    return state.view == state.origin and state.sequence == 0


def apart(record: PlaceRecord, origin: int) -> bool:
    """What it holds is not in a state that comes from `origin`."""
    return record.present and record.origin != origin and not bare(record)


def retire(record: PlaceRecord, node: bytes, view: int, members: Members, origin: int) -> PlaceRecord | None:
    """Others hold the place now. What is left knows who."""
    if not record.follows(node, view) or record.view >= view:
        return None
    return msgspec.structs.replace(begun(record, node, view, members, origin=origin), present=False)


def forgotten(record: PlaceRecord, told: Standing) -> PlaceRecord | None:
    """A disk was lost, and `told` is what another member knows of the place. None where nothing is to be learned."""
    if record.view >= told.view and record.promised >= told.promised:
        return None
    planned = (*record.planned, *(plan for plan in told.planned if plan not in record.planned))[:MAX_PLANS]
    promised, voted = max((record.promised, record.voted), (told.promised, told.voted))
    known = msgspec.structs.replace(record, promised=promised, voted=voted, planned=planned)
    if record.view >= told.view:
        return known
    return msgspec.structs.replace(known, view=told.view, sequence=0, members=told.members, present=False)


# --- choosing a leader ------------------------------------------------------------------------------------------------


def next_view(highest: int, rank: int, now: float) -> int:
    """A view above all that is known. Its number is at least the time in minutes, so that numbers rise even across the
    loss of all disks, and readers' cursors stay good."""
    return max((highest >> _RANK_BITS) + 1, int(now) // _MINUTE_S) << _RANK_BITS | rank


def parted(view: int) -> int:
    """The origin of a state that goes on from `view` without those who may have had more: a number that no view has."""
    rank = view % (1 << _RANK_BITS)
    return view - rank + MAX_REPLICAS + rank % ((1 << _RANK_BITS) - MAX_REPLICAS)


def likely(view: int, now: float) -> bool:
    """Whether views may have come so far by now. Who promised one that is as high as can be written could promise no
    other."""
    return view >> _RANK_BITS <= (int(now) + _AHEAD_S) // _MINUTE_S


class Ballot:
    """Collects what members say, until enough have.

    `swarm`: who is to keep the place; `proposed` the same with incarnations, once they are asked to promise. `before`:
    swarms by consensuses before, who may hold what the others never heard of. `listed`: whether a node is in a
    consensus still; if not, it is gone for good. `hints`: others who said that they hold something.
    """

    def __init__(
        self,
        swarm: Sequence[bytes],
        before: Sequence[Sequence[bytes]],
        listed: Callable[[bytes], bool],
        proposed: Members | None = None,
        hints: Iterable[bytes] = (),
    ) -> None:
        self._swarm = swarm
        self._before = before
        self._listed = listed
        self._proposed = proposed
        self._hints = frozenset(hints)
        self.standings: dict[bytes, Standing] = {}

    def add(self, node: bytes, standing: Standing) -> None:
        self.standings[node] = standing

    @property
    def newest(self) -> Standing | None:
        """The newest state that is still held by somebody who answered."""
        return None if self.holder is None else self.standings[self.holder]

    @property
    def promised(self) -> int:
        return max((standing.promised for standing in self.standings.values()), default=0)

    @property
    def holder(self) -> bytes | None:
        """Who holds the newest state, None where nobody holds anything."""
        holding = {node: standing for node, standing in self.standings.items() if standing.present}
        if not holding:
            return None
        return max(holding, key=lambda node: (not bare(holding[node]), holding[node].view, holding[node].sequence))

    @property
    def apart(self) -> list[bytes]:
        """Who holds something that may not be in the newest state: it began by itself, or that state is one of several
        that go on without those who are gone."""
        newest = self.newest
        if newest is None:
            return []
        others = {node: one for node, one in self.standings.items() if one.present and not bare(one)}
        others.pop(self.holder or b"", None)
        return sorted(node for node, one in others.items() if one.origin != newest.origin or not self.whole)

    def courted(self, own: bytes) -> bool:
        """Whether another is about to lead: it was promised something a moment ago."""
        return any(standing.courted and standing.voted != own for standing in self.standings.values())

    def leader(self) -> bytes | None:
        """Who says that it leads the highest view anybody promised."""
        for node, standing in self.standings.items():
            if standing.leading and standing.promised >= self.promised:
                return node
        return None

    def asked(self) -> frozenset[bytes]:
        """All who must be asked, as far as is known now."""
        return self._hints.union(member.node for members in self._electorates() for member in members)

    def enough(self) -> bool:
        """Whether so many answered that nothing acknowledged can be unknown to all of them."""
        return all(self._satisfied(members) for members in self._electorates())

    @property
    def whole(self) -> bool:
        """Whether they are enough without giving anybody up: else some who are gone may have had more."""
        return all(self._satisfied(members, lossless=True) for members in self._electorates())

    def members(self) -> Members:
        """The swarm with the incarnations that are known."""
        known = {node: standing.incarnation for node, standing in self.standings.items()}
        last = max(self.standings.values(), key=lambda standing: standing.view, default=None)
        old = {member.node: member.incarnation for member in last.members} if last is not None else {}
        return tuple(Member(node, known.get(node, old.get(node, b""))) for node in self._swarm)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _electorates(self) -> list[Members]:
        """A majority of each must have answered."""
        newest = self.newest
        found = [self._named(self._swarm) if self._proposed is None else self._proposed]
        found += [newest.members] if newest is not None else map(self._named, self._before)
        since = 0 if newest is None else newest.view
        for standing in self.standings.values():
            if standing.view > since:  # who retired, or lost its disk, knows of it without what it holds
                found.append(standing.members)
            if standing.promised > since:
                found += standing.planned
        return [members for members in dict.fromkeys(found) if members]

    def _named(self, nodes: Iterable[bytes]) -> Members:
        return tuple(Member(node, _ANY) for node in nodes)

    def _satisfied(self, members: Members, *, lossless: bool = False) -> bool:
        known = [member for member in members if member.incarnation]  # nothing was acknowledged by counting others
        majority = len(known) // 2 + 1
        left = sum(1 for member in known if lossless or not self._lost(member))
        votes = sum(1 for member in known if self._votes(member))
        return votes >= min(majority, left)

    def _lost(self, member: Member) -> bool:
        """What this member had is gone for good: its disk, or the node."""
        standing = self.standings.get(member.node)
        if standing is None:
            return not self._listed(member.node)
        return member.incarnation not in (_ANY, standing.incarnation)

    def _votes(self, member: Member) -> bool:
        standing = self.standings.get(member.node)
        if standing is None or member.incarnation not in (_ANY, standing.incarnation):
            return False
        return standing.sure or standing.present  # else it may have forgotten who keeps the place by now


class Progress:
    """How far each member of a view is, as its leader knows; `durable` are the batches that enough have on disk.
    Members whose incarnation is not known, or another than the view's, do not count."""

    def __init__(self, own: bytes, members: Iterable[bytes], quorum: int) -> None:
        self._own = own
        self._quorum = quorum
        self._has: dict[bytes, int] = dict.fromkeys(members, -1)

    def has(self, node: bytes, sequence: int) -> None:
        self._has[node] = max(sequence, self._has[node])

    def lost(self, node: bytes) -> None:
        self._has[node] = -1

    def of(self, node: bytes) -> int:
        return self._has[node]

    @property
    def durable(self) -> int:
        """-1 while the view is not installed on enough members. The leader, who answers from its own disk, is one."""
        ordered = sorted(self._has.values(), reverse=True)
        return min(self._has[self._own], ordered[self._quorum - 1])
