"""The authorities of an onion network agree on a consensus, whatever a minority of them does."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import Label, SigningKey
from roost.crypto.kdf import hash32
from roost.relay.core.ballots import Ballots, rounds_of, timetable, vote_hash
from roost.relay.core.directory import (
    BadVote,
    commitment_to,
    make_consensus,
    make_vote,
    named_previous,
    read_descriptor,
    read_vote,
    secret_of,
)
from roost.wire.ballots import Ballot, BallotBox, DirectoryVote, VotedNode
from roost.wire.codec import decode, encode
from roost.wire.onion import KEYS_AHEAD, AuthoritySignature, Consensus, swarm_of
from tests.relay.directory_world import (
    FIRST,
    Corrupt,
    Shown,
    World,
    descriptor,
    key_of,
    make_document,
    node_key,
)


def consensus_of(found: Consensus | None) -> Consensus:
    assert found is not None, "nothing was published"
    return found


def listed(consensus: Consensus) -> set[bytes]:
    return {node.key for node in consensus.nodes}


# --- among the honest -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_authorities_agree_period_after_period(count: int) -> None:
    world = World(count)
    found = [consensus_of(each) for each in world.periods(4)]
    assert [consensus.period for consensus in found] == list(range(FIRST, FIRST + 4))
    assert [consensus.previous for consensus in found[1:]] == [consensus.id for consensus in found[:-1]]
    assert len({consensus.shared_random for consensus in found}) == 4
    assert all(listed(consensus) == {node_key(number) for number in range(1, 6)} for consensus in found)
    assert all(authority.disagreed == 0 for authority in world.honest)


def test_a_node_gets_its_salt_from_the_period_after_its_first_and_keeps_it() -> None:
    world = World(3)
    first, second, third = (consensus_of(each) for each in world.periods(3))
    assert {node.salt for node in first.nodes} == {b""}
    assert {node.salt for node in second.nodes} == {second.shared_random}
    for authority in world.honest:
        authority.live[9] = 1_000
    fourth, fifth, sixth = (consensus_of(each) for each in world.periods(3, FIRST + 3))
    assert [node.salt for node in third.nodes] == [node.salt for node in second.nodes]
    newcomer = [consensus.node(node_key(9)) for consensus in (fourth, fifth, sixth)]
    assert [node.salt for node in newcomer if node] == [b"", fifth.shared_random, fifth.shared_random]
    assert [node.since for node in newcomer if node] == [FIRST + 3] * 3
    old = [node.key for node in swarm_of(fourth, bytes(16), 9)]
    assert [node.key for node in swarm_of(sixth, bytes(16), 9) if node.key != node_key(9)] == old


def test_a_node_that_goes_stays_until_its_keys_are_over() -> None:
    """Its descriptor is of the last period in which it ran."""
    world = World(3)
    world.periods(2)
    document, last = world.document, FIRST + 1
    votes = [
        read_vote(document, period, key.public.raw, make_vote(document, period, key, world.newest(), nodes))
        for period in [last + 1]
        for nodes in [[VotedNode(descriptor(document, 1, last), 0)]]
        for key in world.keys
    ]
    kept = make_consensus(document, last + 1, votes, world.newest()).node(node_key(1))
    assert kept is not None
    assert (kept.live, kept.since) == (0, FIRST)
    assert kept.packet_key(last + 1)
    assert kept.packet_key(last) is None  # of a period that is over
    assert make_consensus(document, last + 1, votes, None).node(node_key(1)) is None  # a stranger would not get in
    empty = decode(DirectoryVote, make_vote(document, last + 1, world.keys[0], None, ()))
    stale = (VotedNode(descriptor(document, 1, last - KEYS_AHEAD), 1_000),)
    with pytest.raises(BadVote, match="period"):
        read_vote(document, last + 1, empty.authority, encode(msgspec.structs.replace(empty, nodes=stale)))


def test_clocks_that_differ_by_seconds_do_not_matter() -> None:
    world = World(5)
    span = 0.3 * world.document.period_s / rounds_of(world.document)
    for authority, share in zip(world.honest, (-0.45, 0.45, 0.0, 0.2, -0.2), strict=True):
        authority.skew = share * span / 2
    assert all(each is not None for each in world.periods(3))


def test_too_few_authorities_publish_nothing_and_the_last_consensus_stays() -> None:
    world = World(5)
    first, second = world.periods(2)
    for authority in world.honest[:3]:
        authority.up = False
    assert world.run(FIRST + 2) is None
    assert world.honest[4].directory.consensus == second
    assert world.honest[4].directory.usable((FIRST + 3) * 100.0) == second
    for authority in world.honest[:3]:
        authority.up = True
    later = consensus_of(world.run(FIRST + 3))
    assert later.previous == consensus_of(second).id != consensus_of(first).id
    assert later.shared_random != consensus_of(second).shared_random


def test_a_majority_goes_on_alone() -> None:
    world = World(5)
    world.honest[0].up = world.honest[1].up = False
    found = [consensus_of(each) for each in world.periods(3)]
    assert {node.salt for node in found[1].nodes} == {found[1].shared_random}


def test_live_is_what_the_middle_authority_measured() -> None:
    world = World(3, nodes=1)
    for authority, share in zip(world.honest, (0, 700, 900), strict=True):
        authority.live[1] = share
    assert consensus_of(world.run(FIRST)).nodes[0].live == 700


def test_who_misses_a_period_builds_on_it_all_the_same() -> None:
    """Once it has it: the shell fetches what it missed. Until then it signs nothing."""
    world = World(3)
    world.periods(1)
    world.honest[0].up = False
    second = consensus_of(world.run(FIRST + 1))
    world.honest[0].up = True
    third = consensus_of(world.run(FIRST + 2))
    assert third.previous == second.id


# --- a corrupt minority -----------------------------------------------------------------------------------------------


class Equivocating(Corrupt):
    """Votes for one thing here and for another there, and each time alone."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        ghost = [VotedNode(descriptor(self.world.document, 66 + asker[0] % 2, period - 1), 1_000)]
        return self.box(period, self.vote(period, ghost))


class LastMinute(Corrupt):
    """Shows its vote to one authority alone, in the last round, as if it had been seen by its friends before."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        if number != self.world.rounds or asker != self.world.honest[0].key.public.raw:
            return None
        return self.box(period, self.vote(period), signers=[each.key for each in self.world.corrupt])


class Stuffing(Corrupt):
    """Votes a ghost in and all nodes out, properly."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        return self.box(period, self.vote(period, [VotedNode(descriptor(self.world.document, 66, period - 1), 1_000)]))


class Withholding(Corrupt):
    """Commits, never reveals."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        return self.box(period, self.vote(period, reveal=b""))


class LyingReveal(Corrupt):
    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        return self.box(period, self.vote(period, reveal=bytes(32)))


class Replaying(Corrupt):
    """Shows its own old votes, and others' old boxes, under the new period."""

    def __init__(self, world: World, key: SigningKey) -> None:
        super().__init__(world, key)
        self.old: list[Shown] = []

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        fresh = self.box(period, self.vote(period - 1))
        others = [authority.shown() for authority in self.world.honest]
        old = self.old or others
        if others[0][0].signatures:
            self.old = others
        box, votes = old[0]
        ballots = (*fresh[0].ballots, *box.ballots)
        return msgspec.structs.replace(box, period=period, ballots=ballots), {**votes, **fresh[1]}


class Malformed(Corrupt):
    """Votes that cannot be read, of every kind."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        good = self.vote(period)
        unsigned = msgspec.structs.replace(descriptor(self.world.document, 66, period - 1), signature=bytes(64))
        foreign = descriptor(make_document(4)[0], 66, period - 1)
        both = [VotedNode(descriptor(self.world.document, each, period - 1), 1_000) for each in (1, 2)]
        kinds = [
            b"",
            b"\xc0",
            good + b"\0",
            good[:-1],
            self.vote(period, network=bytes(32)),
            self.vote(period, authority=self.world.honest[0].key.public.raw),
            self.vote(period, nodes=(VotedNode(unsigned, 1_000),)),
            self.vote(period, nodes=(VotedNode(foreign, 1_000),)),
            self.vote(period, nodes=tuple(sorted(both, key=lambda n: read_descriptor(n.descriptor).address.key)[::-1])),
            self.vote(period, nodes=(both[0], both[0])),
        ]
        return self.box(period, kinds[(asker[0] + number + period) % len(kinds)])


class Huge(Corrupt):
    """Says that its vote is as large as a box can say; whoever fetched it all would be busy for the whole period."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        vote = self.vote(period)
        endless = Ballot(self.key.public.raw, vote_hash(b"huge"), 1, 256, self.ballot(period, b"huge").signatures)
        return BallotBox(self.world.document.id, period, (endless,)), {vote_hash(b"huge"): b"x" * 100_000, b"": vote}


class Forging(Corrupt):
    """Speaks in others' names, and shows signatures that nobody made."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        victim = self.world.honest[0].key.public.raw
        vote = encode(msgspec.structs.replace(decode(DirectoryVote, self.vote(period)), authority=victim))
        made = self.ballot(period, vote)
        by_me = tuple(
            AuthoritySignature(key, made.signatures[0].signature) for key in sorted((victim, self.key.public.raw))
        )
        ballots = (
            Ballot(victim, vote_hash(vote), 1, 1, by_me),
            Ballot(bytes(32), vote_hash(vote), 1, 1, by_me),
            Ballot(self.key.public.raw, bytes(32), 1, 1, by_me),
        )
        theirs = self.world.honest[0].shown()[0].consensus
        signatures = tuple(AuthoritySignature(key.public.raw, bytes(64)) for key in self.world.keys)
        return BallotBox(self.world.document.id, period, ballots, theirs, signatures), {vote_hash(vote): vote}


class SigningElse(Corrupt):
    """Votes as it should, and signs another consensus."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        box, votes = self.box(period, self.vote(period))
        if number == 0:
            other = encode(Consensus(self.world.document.id, period, bytes(32), bytes(32), ()))
            signature = AuthoritySignature(self.key.public.raw, self.key.sign(Label.ONION_CONSENSUS, other))
            name = hash32(Label.ONION_CONSENSUS, other) if asker[0] % 2 else self.world.honest[0].shown()[0].consensus
            return msgspec.structs.replace(box, consensus=name, signatures=(signature,)), votes
        return box, votes


ALL = (
    Corrupt,
    Equivocating,
    LastMinute,
    Stuffing,
    Withholding,
    LyingReveal,
    Replaying,
    Malformed,
    Huge,
    Forging,
    SigningElse,
)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("count", "corrupt"), [(3, 1), (5, 2), (7, 3)])
def test_a_corrupt_minority_changes_nothing(kind: type[Corrupt], count: int, corrupt: int) -> None:
    world = World(count, dict.fromkeys(range(corrupt), kind))
    honest_nodes = {node_key(number) for number in range(1, 6)}
    found = [consensus_of(each) for each in world.periods(3)]
    assert all(listed(consensus) == honest_nodes for consensus in found)
    assert all(node.live == 1_000 for consensus in found for node in consensus.nodes)
    assert len({consensus.shared_random for consensus in found}) == 3
    assert all(node.salt for node in found[-1].nodes)


@pytest.mark.parametrize("kind", [Equivocating])
def test_who_votes_in_two_ways_is_not_counted(kind: type[Corrupt]) -> None:
    world = World(5, {0: kind, 3: kind})
    world.run(FIRST)
    for authority in world.honest:
        assert authority.ballots is not None
        assert authority.ballots.liars == {world.keys[0].public.raw, world.keys[3].public.raw}
        assert {vote.authority for vote in authority.ballots.counted()} == {
            each.key.public.raw for each in world.honest
        }


def test_a_withheld_reveal_only_takes_away_its_share() -> None:
    """The others' secrets are in it, so nobody knew it before."""
    world = World(3, {1: Withholding})
    _, second = (consensus_of(each) for each in world.periods(2))
    told = b"".join(
        authority.key.public.raw + secret_of(authority.key, world.document.id, FIRST) for authority in world.honest
    )
    expected = hash32(Label.ONION_RANDOM, world.document.id, (FIRST + 1).to_bytes(8), second.previous, told)
    assert second.shared_random == expected


def test_without_enough_reveals_nobody_gets_a_salt() -> None:
    """What few authorities know could have been known when a node's key was made."""
    document, keys = make_document(3)
    previous = Consensus(document.id, FIRST, bytes(32), bytes(32), ())
    first = World(3)
    first.run(FIRST)
    before = consensus_of(first.newest())
    silent = [
        read_vote(
            document,
            FIRST + 1,
            key.public.raw,
            encode(msgspec.structs.replace(decode(DirectoryVote, data), reveal=b"")),
        )
        for key in keys
        for data in [make_vote(document, FIRST + 1, key, before, [VotedNode(descriptor(document, 1, FIRST), 1_000)])]
    ]
    made = make_consensus(document, FIRST + 1, silent, before)
    assert made.nodes[0].salt == b""
    assert made.shared_random == make_consensus(document, FIRST + 1, silent[::-1], before).shared_random
    assert previous.shared_random != made.shared_random


def test_nobody_takes_over_anothers_secret() -> None:
    """Who copies a commitment would copy the reveal, and the two would cancel out nothing but count twice."""
    document, keys = make_document(3)
    secret = bytes(range(32))
    assert commitment_to(document.id, keys[0].public.raw, secret) != commitment_to(
        document.id, keys[1].public.raw, secret
    )


class Random(Corrupt):
    """Does anything at all: shows this one that and that one this, with signatures of all who are corrupt."""

    def shown(self, asker: bytes, period: int, number: int) -> Shown | None:
        draw = self.world.draw
        variants = [self.vote(period, commitment=bytes([each]) * 32) for each in range(3)]
        shown = [vote for vote in variants if draw.random() < 0.4]
        friends = [each.key for each in self.world.corrupt if draw.random() < 0.7]
        box, votes = self.box(period, *shown, signers=friends)
        others = [ballot for one in self.world.honest if draw.random() < 0.3 for ballot in one.shown()[0].ballots]
        if draw.random() < 0.2:
            votes = {}
        return msgspec.structs.replace(box, ballots=(*box.ballots, *others)[:32]), votes


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(3, 1), (4, 1), (5, 2), (7, 3)]))
def test_whatever_the_corrupt_show_the_honest_count_the_same(seed: int, sizes: tuple[int, int]) -> None:
    count, corrupt = sizes
    world = World(count, dict.fromkeys(range(0, 2 * corrupt, 2), Random), nodes=2)
    world.draw = random.Random(seed)
    for period in (FIRST, FIRST + 1):
        assert world.run(period) is not None
        counted = []
        for authority in world.honest:
            assert authority.ballots is not None
            counted.append(sorted(vote_hash(encode(vote.vote)) for vote in authority.ballots.counted()))
        assert all(each == counted[0] for each in counted)


# --- details ----------------------------------------------------------------------------------------------------------


def test_the_timetable_ends_before_the_period_begins() -> None:
    for count in (1, 3, 9, 16):
        document, _ = make_document(count, 4)
        steps = list(timetable(document, FIRST))
        assert [step.at for step in steps] == sorted(step.at for step in steps)
        enough = [step for step in steps if step.step.value == "collect" and step.at < FIRST * 4]
        assert len(enough) >= 3
        assert sum(step.step.value == "round" for step in steps) == count - (count // 2 + 1) + 1


def test_too_few_votes_make_no_consensus() -> None:
    document, keys = make_document(5)
    votes = [read_vote(document, FIRST, key.public.raw, make_vote(document, FIRST, key, None, ())) for key in keys[:2]]
    with pytest.raises(BadVote, match="too few"):
        make_consensus(document, FIRST, votes, None)
    assert named_previous(votes) == bytes(32)


def test_own_vote_is_cast_once() -> None:
    document, keys = make_document(3)
    ballots = Ballots(document, FIRST, keys[0])
    ballots.cast(make_vote(document, FIRST, keys[0], None, ()))
    ballots.cast(make_vote(document, FIRST, keys[0], None, [VotedNode(descriptor(document, 1, FIRST - 1), 1)]))
    assert len(ballots.box().ballots) == 1
    assert ballots.counted()[0].nodes == {}


def test_parts_stay_where_they_were_while_the_box_grows() -> None:
    """Others fetch them one by one."""
    world = World(3, nodes=30)
    for authority in world.honest:
        authority.begin(FIRST)
        authority.cast(FIRST)
    ballots = world.honest[2].ballots
    assert ballots is not None
    before = [part.data for number in range(1, 4) if (part := ballots.part(number))]
    assert len(before) == 3
    box, votes = world.honest[0].shown()
    ballots.take_in(box, votes, 1)
    after = [part.data for number in range(1, 4) if (part := ballots.part(number))]
    assert after == before
    grown = ballots.box().ballots
    assert {ballot.first for ballot in grown} == {1, 1 + grown[-1].parts}
    assert ballots.part(sum(ballot.parts for ballot in grown) + 1) is None


def test_a_late_vote_is_not_taken_in() -> None:
    world = World(3)
    for authority in world.honest:
        authority.begin(FIRST)
        authority.cast(FIRST)
    ballots = world.honest[1].ballots
    assert ballots is not None
    box, votes = world.honest[0].shown()
    for number in (2, 3):
        assert ballots.wanted(box, number) == []
        ballots.take_in(box, votes, number)
    assert len(ballots.counted()) == 1
    assert [ballot.vote for ballot in ballots.wanted(box, 1)] == list(votes)
    stranger = key_of(77)
    assert not any(stranger.public.raw == ballot.authority for ballot in ballots.box().ballots)
