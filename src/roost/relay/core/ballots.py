"""How the authorities of an onion network come to count the same votes, whatever a minority of them does.

It is the authenticated broadcast of Dolev & Strong ("Authenticated algorithms for Byzantine agreement", 1983), for all
votes at once. Everybody shows what it has seen; in round r a vote is taken in only with the signatures of r different
authorities, the voter's among them; who takes it in adds its own. With as many rounds as there may be liars, and one
more, whatever one honest authority takes in all of them do. Two different votes of one authority count as none.

    before round 1   each casts its own vote
    round r          each fetches the boxes of all others, and takes in what has r signatures or more
    after the last   each makes the consensus of the votes that it took in, and signs it
    then             each fetches boxes for signatures over the same consensus, until there are enough

Pure: `Ballots` decides; relay.onion.authority fetches, and keeps the times that `timetable` gives.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from roost.crypto import Label, SigningKey, VerifyKey
from roost.crypto.kdf import hash32
from roost.errors import CryptoError
from roost.relay.core.directory import BadVote, CountedVote, read_vote
from roost.wire.ballots import Ballot, BallotBox
from roost.wire.codec import encode
from roost.wire.mailbox import DirectoryPart
from roost.wire.onion import MAX_CONSENSUS, AuthoritySignature, NetworkDocument, SignedConsensus
from roost.wire.sizes import DIRECTORY_PART

_MAX_PARTS = MAX_CONSENSUS // DIRECTORY_PART
_MAX_CHECKED = 4_096

# Shares of the period before the one that is voted on.
_CAST_AT, _ROUNDS_UNTIL, _COLLECT_EVERY = 0.5, 0.8, 0.04


class Step(enum.Enum):
    CAST = "cast"
    ROUND = "round"
    SIGN = "sign"
    COLLECT = "collect"


@dataclass(frozen=True)
class Appointment:
    """What an authority does at `at`, seconds since 1970; `number` counts rounds from 1."""

    at: float
    step: Step
    number: int = 0


def rounds_of(document: NetworkDocument) -> int:
    """One more than there may be liars."""
    return len(document.authorities) - document.threshold + 1


def timetable(document: NetworkDocument, period: int) -> Iterator[Appointment]:
    """What is to be done, and when, for the consensus of `period`; most of it in the period before. Rounds are in the
    middle of equal spans, so clocks may differ by a quarter of one, and fetching may take another."""
    start, rounds = (period - 1) * document.period_s, rounds_of(document)
    yield Appointment(start + _CAST_AT * document.period_s, Step.CAST)
    span = (_ROUNDS_UNTIL - _CAST_AT) / rounds
    for number in range(1, rounds + 1):
        yield Appointment(start + (_CAST_AT + span * (number - 0.5)) * document.period_s, Step.ROUND, number)
    yield Appointment(start + _ROUNDS_UNTIL * document.period_s, Step.SIGN)
    share = _ROUNDS_UNTIL + _COLLECT_EVERY / 2
    while share < 1 + _CAST_AT:
        yield Appointment(start + share * document.period_s, Step.COLLECT)
        share += _COLLECT_EVERY


def vote_hash(data: bytes) -> bytes:
    return hash32(Label.ONION_VOTE, data)


@dataclass
class _Seen:
    """A vote that was taken in, and which parts of the box it is. Of votes that contradict each other only the hashes
    count."""

    hash: bytes
    signatures: dict[bytes, bytes]
    vote: CountedVote | None = None
    first: int = 0
    parts: int = 0


class Ballots:
    """What one authority has seen for the consensus of `period`."""

    def __init__(self, document: NetworkDocument, period: int, key: SigningKey) -> None:
        self.document = document
        self.period = period
        self._key = key
        self._authorities = frozenset(authority.key for authority in document.authorities)
        self._seen: dict[bytes, list[_Seen]] = {authority: [] for authority in sorted(self._authorities)}
        self._parts: list[bytes] = []  # of votes; it only grows, so that others can fetch it piece by piece
        self._checked: set[tuple[bytes, bytes, bytes]] = set()  # hash, signer and signature that are right
        self._bad: set[bytes] = set()  # hashes of votes that nobody should have made
        self._consensus = b""
        self._signatures: dict[bytes, bytes] = {}

    # --- votes --------------------------------------------------------------------------------------------------------

    def cast(self, data: bytes) -> None:
        """This authority's own vote; before the first round, and never two."""
        own, hash_ = self._key.public.raw, vote_hash(data)
        if not self._seen[own]:
            vote = read_vote(self.document, self.period, own, data)
            self._add(own, hash_, {}, data, vote)

    def wanted(self, box: BallotBox, number: int) -> list[Ballot]:
        """The ballots in another's box whose votes must be fetched for `take_in` in round `number`."""
        fresh = self._fresh(box, number)
        single = [ballot for ballot in fresh if not self._contradicted(ballot, fresh)]
        return [ballot for ballot in single if 0 < ballot.parts <= _MAX_PARTS and ballot.vote not in self._bad]

    def take_in(self, box: BallotBox, votes: Mapping[bytes, bytes], number: int) -> None:
        """What another showed in round `number`; `votes` are those that were wanted, by their hashes."""
        fresh = self._fresh(box, number)
        for ballot in fresh:
            if self._contradicted(ballot, fresh):
                self._add(ballot.authority, ballot.vote, self._signers(ballot))
            elif vote_hash(data := votes.get(ballot.vote, b"")) == ballot.vote:
                try:
                    vote = read_vote(self.document, self.period, ballot.authority, data)
                except BadVote:
                    self._bad.add(ballot.vote)
                else:
                    self._add(ballot.authority, ballot.vote, self._signers(ballot), data, vote)

    def counted(self) -> list[CountedVote]:
        """The votes that count, once all rounds are over."""
        alone = [seen[0] for seen in self._seen.values() if len(seen) == 1]
        return [seen.vote for seen in alone if seen.vote is not None]

    @property
    def liars(self) -> frozenset[bytes]:
        """Authorities that voted in two ways."""
        return frozenset(authority for authority, seen in self._seen.items() if len(seen) > 1)

    def _fresh(self, box: BallotBox, number: int) -> list[Ballot]:
        """The ballots that can be taken in now, at most two of each authority."""
        if (box.network, box.period) != (self.document.id, self.period) or number > rounds_of(self.document):
            return []
        fresh: dict[tuple[bytes, bytes], Ballot] = {}
        for ballot in box.ballots:
            seen = self._seen.get(ballot.authority)
            if seen is None or len(seen) > 1 or any(one.hash == ballot.vote for one in seen):
                continue
            if ballot.authority in (signers := self._signers(ballot)) and len(signers) >= number:
                fresh[ballot.authority, ballot.vote] = ballot
        return list(fresh.values())

    def _contradicted(self, ballot: Ballot, fresh: list[Ballot]) -> bool:
        """Whether its authority voted in another way too, so that what it says does not matter."""
        return bool(self._seen[ballot.authority]) or any(
            other.authority == ballot.authority and other.vote != ballot.vote for other in fresh
        )

    def _add(
        self,
        authority: bytes,
        hash_: bytes,
        signers: dict[bytes, bytes],
        data: bytes = b"",
        vote: CountedVote | None = None,
    ) -> None:
        signatures = {**signers, self._key.public.raw: self._signed(authority, hash_)}
        pieces = [data[at : at + DIRECTORY_PART] for at in range(0, len(data), DIRECTORY_PART)]
        if len(self._seen[authority]) < 2:
            first = 1 + len(self._parts) if pieces else 0
            self._seen[authority].append(_Seen(hash_, signatures, vote, first, len(pieces)))
            self._parts += pieces

    def _signers(self, ballot: Ballot) -> dict[bytes, bytes]:
        """The right signatures on a ballot."""
        found = {}
        message = self._message(ballot.authority, ballot.vote)
        for made in ballot.signatures:
            known = (ballot.vote, made.authority, made.signature)
            if made.authority not in self._authorities:
                continue
            if known not in self._checked:
                if not _verifies(made, Label.ONION_VOTE, message):
                    continue
                if len(self._checked) >= _MAX_CHECKED:
                    self._checked.clear()
                self._checked.add(known)
            found[made.authority] = made.signature
        return found

    def _signed(self, authority: bytes, hash_: bytes) -> bytes:
        return self._key.sign(Label.ONION_VOTE, self._message(authority, hash_))

    def _message(self, authority: bytes, hash_: bytes) -> bytes:
        return self.document.id + self.period.to_bytes(8) + authority + hash_

    # --- the consensus ------------------------------------------------------------------------------------------------

    def sign(self, consensus: bytes) -> None:
        """Sign the encoded consensus that this authority made; the caller sees to it that it signs no other for this
        period."""
        self._consensus = consensus
        self._signatures = {self._key.public.raw: self._key.sign(Label.ONION_CONSENSUS, consensus)}

    @property
    def signed(self) -> bool:
        """Whether this authority has signed a consensus."""
        return bool(self._consensus)

    def collect(self, box: BallotBox) -> bool:
        """Take over signatures from another's box. Whether that box holds another consensus than this authority made:
        one of the two saw what the other did not, or lies."""
        if (box.network, box.period) != (self.document.id, self.period) or not self._consensus or not box.consensus:
            return False
        if box.consensus != self._consensus_hash():
            return True
        for made in box.signatures:
            missing = made.authority in self._authorities and made.authority not in self._signatures
            if missing and _verifies(made, Label.ONION_CONSENSUS, self._consensus):
                self._signatures[made.authority] = made.signature
        return False

    def published(self) -> bytes | None:
        """The encoded SignedConsensus, once enough have signed."""
        if len(self._signatures) < self.document.threshold:
            return None
        return encode(SignedConsensus(self._consensus, _listed(self._signatures)))

    def _consensus_hash(self) -> bytes:
        return hash32(Label.ONION_CONSENSUS, self._consensus) if self._consensus else b""

    # --- for others ---------------------------------------------------------------------------------------------------

    def part(self, number: int) -> DirectoryPart | None:
        """What others get from `GetBallots`; None beyond the end."""
        if number > len(self._parts):
            return None
        return DirectoryPart(encode(self.box()) if number == 0 else self._parts[number - 1], 1 + len(self._parts))

    def box(self) -> BallotBox:
        ballots = tuple(
            Ballot(authority, seen.hash, seen.first, seen.parts, _listed(seen.signatures))
            for authority, both in self._seen.items()
            for seen in both
        )
        return BallotBox(self.document.id, self.period, ballots, self._consensus_hash(), _listed(self._signatures))


def _listed(signatures: Mapping[bytes, bytes]) -> tuple[AuthoritySignature, ...]:
    return tuple(AuthoritySignature(authority, signatures[authority]) for authority in sorted(signatures))


def _verifies(made: AuthoritySignature, label: Label, message: bytes) -> bool:
    try:
        VerifyKey(made.authority).verify(label, message, made.signature)
    except CryptoError:
        return False
    return True
