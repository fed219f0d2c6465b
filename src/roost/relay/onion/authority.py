"""One of the authorities of an onion network: takes descriptors, tries nodes, votes, and publishes what enough signed.

The rules are in relay.core.ballots and relay.core.directory; here is when they are applied, and to what. What it says
for a period is on disk before anybody sees it. What is published goes into the relay's `DirectoryClient`, which hands
it out and also fetches from the others what this authority missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from roost.crypto import Entropy, SigningKey
from roost.errors import Refused, RoostError, Unreachable, WireError
from roost.network import Link
from roost.network.onion.directory import DirectoryRefused
from roost.network.onion.directory_client import DirectoryClient
from roost.relay.core.ballots import Appointment, Ballots, Step, rounds_of, timetable
from roost.relay.core.directory import (
    NO_CONSENSUS,
    BadVote,
    make_consensus,
    make_vote,
    named_previous,
)
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.authority_files import AuthorityFiles
from roost.relay.onion.descriptors import Descriptors
from roost.relay.onion.peers import Dial
from roost.relay.onion.probing import Probing
from roost.relay.server.service import Respond
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import BallotBox
from roost.wire.codec import decode, encode
from roost.wire.mailbox import DirectoryPart, Done, GetBallots, PutDescriptor, RefusalCode
from roost.wire.onion import Consensus, NetworkDocument

_log = logging.getLogger("roost.relay")
_PATIENCE_S = 80.0  # with one other authority
_NAP_S = 20.0  # a clock that was set is noticed within this time
_REMEMBERED = 4  # consensuses that votes may build on


class Authority:
    """`folder` is its own; `own` the relay's identity key, which the document names; `clock` seconds since 1970."""

    def __init__(
        self,
        folder: Path,
        document: NetworkDocument,
        own: SigningKey,
        directory: DirectoryClient,
        dial: Dial,
        entropy: Entropy,
        clock: Callable[[], float],
    ) -> None:
        self.document = document
        self._own = own
        self._directory = directory
        self._dial = dial
        self._clock = clock
        self._files = AuthorityFiles(folder)
        self.probing = Probing(dial, document.period_s, entropy, self._listed)
        self.descriptors = Descriptors(document, self.probing)
        self._others = [one.address for one in document.authorities if one.key != own.public.raw]
        self._links: dict[bytes, Link] = {}
        self._ballots: Ballots | None = None
        self._known: dict[bytes, Consensus] = {}
        self._nodes: frozenset[bytes] = frozenset()
        self._listed_in = -1
        self._problem = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._directory.know(self.document)
        self.descriptors.restore(self._files.descriptors(), self._clock())
        self.probing.start()
        self._task = asyncio.create_task(self._run(), name="directory authority")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.probing.close()
        for link in self._links.values():
            await link.close()

    # --- requests ---------------------------------------------------------------------------------------------------

    def handle(self, source: str, request: PutDescriptor | GetBallots, respond: Respond) -> None:
        """A request that came from this address. Raises RefusedRequest."""
        if request.network != self.document.id:
            raise RefusedRequest(RefusalCode.NOT_FOUND)
        if isinstance(request, PutDescriptor):
            self.descriptors.take(request.descriptor, self._listed(), self._clock(), source)
            respond(Done())
            return
        part = self._ballots.part(request.part) if self._ballots and self._ballots.period == request.period else None
        if part is None:
            raise RefusedRequest(RefusalCode.NOT_FOUND)
        respond(part)

    def _listed(self) -> frozenset[bytes]:
        """The nodes of the newest consensus."""
        newest = self._newest()
        if newest is not None and newest.period != self._listed_in:
            self._listed_in, self._nodes = newest.period, frozenset(node.key for node in newest.nodes)
        return self._nodes

    # --- periods ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            # A period's business goes from the middle of the period before to its own middle.
            period = int(self._clock() / self.document.period_s + 0.5)
            self._ballots = Ballots(self.document, period, self._own)
            appointments = list(timetable(self.document, period))
            for made, following in zip(appointments, [*appointments[1:], None], strict=True):
                if not await self._until(made.at, period):
                    break
                until = following.at if following is not None else made.at + 1
                try:
                    await self._keep(made, until, self._ballots)
                except (RoostError, BadVote) as error:
                    self._say(f"the directory cannot be voted on: {error}")
                except Exception:  # noqa: BLE001 - the next period may do better
                    _log.exception("internal error of the directory authority")
            await self._until((period + 0.5) * self.document.period_s, period)

    async def _until(self, at: float, period: int) -> bool:
        """Wait; False when the clock was set and another period is due."""
        while (left := at - self._clock()) > 0:
            await asyncio.sleep(min(left, _NAP_S))
            if abs(self._clock() / self.document.period_s + 0.5 - period) > 1.5:
                return False
        return True

    async def _keep(self, made: Appointment, until: float, ballots: Ballots) -> None:
        """Do what is due; what is past by more than the next appointment is left out."""
        if self._clock() > until and made.step is not Step.SIGN:
            return
        match made.step:
            case Step.CAST:
                self._cast(ballots)
            case Step.ROUND:
                await self._round(ballots, made.number, until)
            case Step.SIGN:
                self._sign(ballots)
            case Step.COLLECT:
                await self._collect(ballots, until)

    def _cast(self, ballots: Ballots) -> None:
        self._remember()
        period, newest = ballots.period, self._newest()
        if newest is not None and newest.period >= period:
            return
        self.descriptors.retire(period)
        self._files.keep_descriptors(self.descriptors.all())
        vote = make_vote(self.document, period, self._own, newest, self.descriptors.voted())
        ballots.cast(self._files.vote(period, vote))

    async def _round(self, ballots: Ballots, number: int, until: float) -> None:
        """What is taken in is there for others when they ask in the next round, which begins at `until`."""
        half = (self._clock() + until) / 2
        await asyncio.gather(*(self._take_in(address, ballots, number, half) for address in self._others))
        if number == rounds_of(self.document):
            self.descriptors.learn(ballots.counted(), self._clock())

    def _sign(self, ballots: Ballots) -> None:
        self._remember()
        for liar in ballots.liars:
            _log.warning("directory authority %s voted in two ways", liar.hex()[:16])
        signed = self._files.already_signed(ballots.period)
        if signed is not None:  # before a restart
            ballots.sign(signed)
            return
        votes = ballots.counted()
        if not votes:  # started too late
            return
        named = named_previous(votes)
        if named != NO_CONSENSUS and named not in self._known:
            raise BadVote("the consensus that the others build on is missing here")
        made = make_consensus(self.document, ballots.period, votes, self._known.get(named))
        ballots.sign(self._files.signed(ballots.period, encode(made)))

    async def _collect(self, ballots: Ballots, until: float) -> None:
        newest = self._newest()
        if not ballots.signed or (newest is not None and newest.period >= ballots.period):
            return
        shown = await asyncio.gather(*(self._box(address, ballots.period, until) for address in self._others))
        other = [box for box in shown if box is not None and ballots.collect(box)]
        published = ballots.published()
        if published is None:
            if self._clock() >= ballots.period * self.document.period_s:
                said = "others made another one of the votes" if other else "too few signed"
                self._say(f"no consensus for period {ballots.period}: {said}")
            return
        try:
            consensus = self._directory.offer(published)
        except DirectoryRefused as error:
            raise BadVote(error.message) from error
        self._say("", f"consensus for period {consensus.period}: {len(consensus.nodes)} nodes")
        self._remember()

    def _newest(self) -> Consensus | None:
        held = self._directory.held
        return held.consensus if held is not None else None

    def _remember(self) -> None:
        newest = self._newest()
        if newest is not None:
            self._known[newest.id] = newest
            for old in sorted(self._known.values(), key=lambda known: known.period)[:-_REMEMBERED]:
                del self._known[old.id]

    def _say(self, problem: str, otherwise: str = "") -> None:
        """A line when something begins to go wrong, and one when it goes well again."""
        if problem and problem.partition(":")[0] != self._problem.partition(":")[0]:
            _log.warning("%s", problem)
        elif self._problem and not problem:
            _log.info("%s", otherwise)
        self._problem = problem

    # --- the others -------------------------------------------------------------------------------------------------

    async def _take_in(self, address: RelayAddress, ballots: Ballots, number: int, until: float) -> None:
        """Another's box, with the votes that are wanted of it and can be had in time."""
        votes: dict[bytes, bytes] = {}
        box = await self._box(address, ballots.period, until)
        if box is None:
            return
        with contextlib.suppress(Unreachable, Refused, RefusedRequest, TimeoutError, WireError):
            async with asyncio.timeout(self._left(until)):
                for ballot in ballots.wanted(box, number):
                    parts = range(ballot.first, ballot.first + ballot.parts)
                    pieces = [await self._part(address, ballots.period, part) for part in parts]
                    votes[ballot.vote] = b"".join(piece.data for piece in pieces)
        ballots.take_in(box, votes, number)

    async def _box(self, address: RelayAddress, period: int, until: float) -> BallotBox | None:
        try:
            async with asyncio.timeout(self._left(until)):
                return decode(BallotBox, (await self._part(address, period, 0)).data)
        except (Unreachable, Refused, RefusedRequest, TimeoutError, WireError):
            return None

    async def _part(self, address: RelayAddress, period: int, part: int) -> DirectoryPart:
        link = self._links.get(address.key)
        if link is None or not link.usable:
            if link is not None:
                del self._links[address.key]
                await link.close()
            link = self._links[address.key] = await self._dial(address)
        answer = await link.call(GetBallots(self.document.id, period, part))
        assert isinstance(answer, DirectoryPart)
        return answer

    def _left(self, until: float) -> float:
        return min(_PATIENCE_S, max(0.05, until - self._clock()))
