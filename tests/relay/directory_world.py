"""Authorities of an onion network on virtual time, some of them corrupt: the pure rules without any network."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from roost.crypto import Label, SigningKey
from roost.network.onion.directory import Directory
from roost.relay.core.ballots import Ballots, Step, rounds_of, timetable, vote_hash
from roost.relay.core.directory import BadVote, make_consensus, make_vote, named_previous
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import Ballot, BallotBox, VotedNode
from roost.wire.codec import decode, encode
from roost.wire.onion import (
    KEYS_AHEAD,
    AuthorityAddress,
    AuthoritySignature,
    Consensus,
    NetworkDocument,
    NodeDescriptor,
    PeriodKey,
    SignedDescriptor,
)

FIRST = 1_000
Shown = tuple[BallotBox, dict[bytes, bytes]]
"""A box and the votes that it names."""


@cache
def key_of(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32))


@cache
def descriptor(
    document: NetworkDocument, number: int, period: int, *, key: SigningKey | None = None, count: int = KEYS_AHEAD
) -> SignedDescriptor:
    """Node `number`'s word for `period`."""
    key = key or key_of(1_000 + number)
    address = RelayAddress(f"203.0.{number >> 8}.{number & 255}", 443, key.public.raw)
    keys = tuple(PeriodKey(period + ahead, number.to_bytes(2) * 608) for ahead in range(count))
    encoded = encode(NodeDescriptor(document.id, period, address, f"operator {number}", keys))
    return SignedDescriptor(encoded, key.sign(Label.ONION_NODE, encoded))


def node_key(number: int) -> bytes:
    return key_of(1_000 + number).public.raw


def make_document(count: int, period_s: int = 100) -> tuple[NetworkDocument, list[SigningKey]]:
    keys = sorted((key_of(number) for number in range(1, count + 1)), key=lambda key: key.public.raw)
    addresses = tuple(
        AuthorityAddress(RelayAddress("127.0.0.1", 7_000 + at, key.public.raw)) for at, key in enumerate(keys)
    )
    return NetworkDocument("World", addresses, count // 2 + 1, period_s), keys


@dataclass
class Honest:
    """An authority that keeps to the rules; `live` are the nodes that it reaches, with their descriptors."""

    document: NetworkDocument
    key: SigningKey
    skew: float = 0.0
    up: bool = True
    live: dict[int, int] = field(default_factory=dict)  # node -> per mille
    known: dict[bytes, Consensus] = field(default_factory=dict)
    disagreed: int = 0

    def __post_init__(self) -> None:
        self.directory = Directory(self.document)
        self.ballots: Ballots | None = None

    def begin(self, period: int) -> None:
        self.ballots = Ballots(self.document, period, self.key)

    def cast(self, period: int) -> None:
        assert self.ballots is not None
        nodes = [VotedNode(descriptor(self.document, node, period - 1), share) for node, share in self.live.items()]
        self.ballots.cast(make_vote(self.document, period, self.key, self.directory.consensus, nodes))

    def sign(self, period: int) -> None:
        assert self.ballots is not None
        votes = self.ballots.counted()
        named = named_previous(votes)
        if named != bytes(32) and named not in self.known:
            return
        try:
            self.ballots.sign(encode(make_consensus(self.document, period, votes, self.known.get(named))))
        except BadVote:
            return

    def shown(self) -> Shown:
        assert self.ballots is not None
        box = self.ballots.box()
        return box, {ballot.vote: self._body(ballot) for ballot in box.ballots}

    def _body(self, ballot: Ballot) -> bytes:
        assert self.ballots is not None
        parts = [self.ballots.part(ballot.first + at) for at in range(ballot.parts)]
        return b"".join(part.data for part in parts if part is not None)

    def publish(self, now: float) -> None:
        assert self.ballots is not None
        published = self.ballots.published()
        if published is not None:
            consensus = self.directory.accept(published, now)
            self.known[consensus.id] = consensus


class Corrupt:
    """What a corrupt authority shows to `asker`: by default nothing."""

    def __init__(self, world: World, key: SigningKey) -> None:
        self.world = world
        self.key = key

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        """`number`: of the round, 0 when signatures are collected."""
        return None

    # --- tools --------------------------------------------------------------------------------------------------------

    def vote(self, period: int, listing: Iterable[VotedNode] = (), **changes: object) -> bytes:
        """A proper vote of its own, or one with these fields changed."""
        import msgspec

        from roost.wire.ballots import DirectoryVote

        previous = self.world.newest()
        made = decode(DirectoryVote, make_vote(self.world.document, period, self.key, previous, listing))
        return encode(msgspec.structs.replace(made, **changes))

    def ballot(self, period: int, vote: bytes, signers: Iterable[SigningKey] = (), parts: int = 1) -> Ballot:
        hash_ = vote_hash(vote)
        message = self.world.document.id + period.to_bytes(8) + self.key.public.raw + hash_
        keys = {key.public.raw: key for key in (self.key, *signers)}
        signatures = tuple(AuthoritySignature(raw, keys[raw].sign(Label.ONION_VOTE, message)) for raw in sorted(keys))
        return Ballot(self.key.public.raw, hash_, 1, parts, signatures)

    def box(self, period: int, *votes: bytes, signers: Iterable[SigningKey] = ()) -> Shown:
        signers = tuple(signers)
        ballots = tuple(self.ballot(period, vote, signers) for vote in votes)
        return BallotBox(self.world.document.id, period, ballots), {vote_hash(vote): vote for vote in votes}


class World:
    """`count` authorities; those at the places in `corrupt` are what that says."""

    def __init__(
        self, count: int, corrupt: dict[int, Callable[[World, SigningKey], Corrupt]] | None = None, *, nodes: int = 5
    ) -> None:
        self.document, self.keys = make_document(count)
        corrupt = corrupt or {}
        self.honest = [Honest(self.document, key) for at, key in enumerate(self.keys) if at not in corrupt]
        self.corrupt = [made(self, self.keys[at]) for at, made in corrupt.items()]
        self.rounds = rounds_of(self.document)
        self.draw = random.Random(0)
        for authority in self.honest:
            authority.live = dict.fromkeys(range(1, nodes + 1), 1_000)

    def newest(self) -> Consensus | None:
        found = [authority.directory.consensus for authority in self.honest if authority.directory.consensus]
        return max(found, key=lambda consensus: consensus.period, default=None)

    def run(self, period: int) -> Consensus | None:
        """One period's votes, each authority by its own clock. What was published; all who published did the same."""
        for authority in self.honest:
            authority.begin(period)
        plan = [
            (made.at - one.skew, at, made) for at, one in enumerate(self.honest) for made in timetable_of(one, period)
        ]
        for _, at, made in sorted(plan, key=lambda each: each[:2]):
            authority = self.honest[at]
            if authority.up:
                self._act(authority, period, made.step, made.number, made.at)
        found = {
            authority.directory.encoded and authority.directory.consensus for authority in self.honest if authority.up
        }
        of_period = [
            consensus for consensus in found if isinstance(consensus, Consensus) and consensus.period == period
        ]
        assert len(of_period) <= 1, "two consensuses of one period"
        return of_period[0] if of_period else None

    def _act(self, authority: Honest, period: int, step: Step, number: int, now: float) -> None:
        ballots = authority.ballots
        assert ballots is not None
        match step:
            case Step.CAST:
                authority.cast(period)
            case Step.ROUND:
                for box, votes in self._boxes(authority, period, number):
                    wanted = {ballot.vote for ballot in ballots.wanted(box, number)}
                    ballots.take_in(box, {hash_: data for hash_, data in votes.items() if hash_ in wanted}, number)
            case Step.SIGN:
                authority.sign(period)
            case Step.COLLECT:
                for box, _ in self._boxes(authority, period, 0):
                    authority.disagreed += ballots.collect(box)
                authority.publish(now)

    def _boxes(self, asker: Honest, period: int, number: int) -> list[Shown]:
        shown = [other.shown() for other in self.honest if other is not asker and other.up]
        lies = [other.shown(asker.key.public.raw, period, number) for other in self.corrupt]
        return [box for box in lies if box is not None] + shown

    def periods(self, count: int, start: int = FIRST) -> list[Consensus | None]:
        return [self.run(period) for period in range(start, start + count)]


def timetable_of(authority: Honest, period: int) -> list[Any]:
    return list(timetable(authority.document, period))
