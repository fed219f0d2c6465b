"""Parcels in and out: over links to contacts' devices that stand, and in files that people carry.

What is given to whom, and what is taken, is messaging.parcels' to say; what is for this device is put into its own
host's mailboxes as if it had come over a link. Over a link either end offers, the other says what it wants, gets a few
at a time, and says when they lie on its disk (docs/protocol/parcels.md). Place: agent, under devices.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from roost.errors import Refused, RoostError, Unreachable, WireError
from roost.messaging import hosting, parcels
from roost.messaging.parcels import Mine, Offered, Taken
from roost.messaging.records import OwnRelay, PeerDevice
from roost.messaging.work import Work
from roost.network.direct.carrier import CarrierName
from roost.network.direct.link import PeerLink
from roost.wire.codec import encode
from roost.wire.mailbox import RefusalCode
from roost.wire.parcels import (
    HandParcel,
    OfferParcels,
    Parcel,
    ParcelMessage,
    TookParcels,
    WantParcels,
    decode_message,
)

if TYPE_CHECKING:
    from roost.agent.engine import Engine

ROUND_S: Final = 60.0  # how often everybody who is near is offered what is new
WINDOW: Final = 32  # parcels handed over that do not lie on the other end's disk yet
ANSWER_S: Final = 1.0  # offers of one link are answered at most so often
_WITH_FILES: Final = (CarrierName.LAN, CarrierName.INTERNET)  # the others are slow
_NEVER_TAKEN: Final = (RefusalCode.DENIED, RefusalCode.NOT_FOUND, RefusalCode.WORK_NEEDED, RefusalCode.UNSUPPORTED)


@dataclass
class _Exchange:
    """With one device, over one link: my offer to it, and its offer to me."""

    offered: list[Offered] = field(default_factory=list)
    wanted: WantParcels | None = None
    chosen: deque[Offered] = field(default_factory=deque)  # still to be handed over
    flying: dict[bytes, Offered] = field(default_factory=dict)  # handed over, and not on its disk yet
    expected: set[bytes] = field(default_factory=set)  # that I want, and have not got
    handed: list[Parcel] = field(default_factory=list)  # that came, and are being taken in
    answering: bool = False
    answered_at: float = float("-inf")


class Parcels:
    """`loop` runs as long as the engine; `received` gets what devices say of parcels."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._exchanges: dict[PeerLink, _Exchange] = {}
        self._again = asyncio.Event()
        self._over = False

    def hurry(self) -> None:
        """Somebody came near, or there is something new to pass on."""
        self._again.set()

    async def loop(self) -> None:
        try:
            await self._offer_for_ever()
        finally:
            self._over = True  # links still stand for a moment: what comes by them comes again

    async def _offer_for_ever(self) -> None:
        while True:
            self._again.clear()
            direct = self._engine.network.direct
            standing = direct.standing() if direct is not None else []
            self._exchanges = {link: state for link, state in self._exchanges.items() if not link.over}
            for link in standing:
                self._offer(link)
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._again.wait()
            except TimeoutError:
                pass

    # --- giving -------------------------------------------------------------------------------------------------------

    def _offer(self, link: PeerLink) -> None:
        state = self._exchanges.setdefault(link, _Exchange())
        peer = self._peer_of(link)
        if peer is None or state.offered:
            return
        try:
            state.offered = self._engine.step(
                parcels.offer, peer.account, peer.device, with_files=link.carrier in _WITH_FILES
            )
        except RoostError as error:
            self._engine.trouble(error)
            return
        if state.offered:
            _say(link, OfferParcels(tuple(one.head for one in state.offered)))

    def _wanted(self, link: PeerLink, state: _Exchange, wanted: WantParcels) -> None:
        ids = {one.head.id for one in state.offered}
        if not state.offered or state.wanted is not None or not {*wanted.own, *wanted.carry} <= ids:
            raise WireError("parcels are wanted that were not offered")
        peer = self._peer_of(link)
        if peer is None:
            raise WireError("nobody is given parcels any more")
        state.wanted = wanted
        state.chosen = deque(self._engine.step(parcels.answered, peer.account, state.offered, wanted))
        self._hand(link, state)

    def _hand(self, link: PeerLink, state: _Exchange) -> None:
        """Hand over as many as may be on their way at a time; when all are there, the offer is done with."""
        while state.chosen and len(state.flying) < WINDOW:
            one = state.chosen.popleft()
            parcel = self.parcel_of(one)
            if parcel is not None:
                state.flying[one.head.id] = one
                _say(link, HandParcel(parcel))
        if not state.flying:
            state.offered, state.wanted = [], None

    def _took(self, link: PeerLink, state: _Exchange, ids: tuple[bytes, ...]) -> None:
        if state.wanted is None or not state.flying.keys() >= set(ids):
            raise WireError("parcels were taken that were not handed over")
        peer = self._peer_of(link)
        handed = [state.flying.pop(id) for id in ids]
        if peer is not None:
            self._engine.step(parcels.took, peer.account, handed, state.wanted, ids)
        self._hand(link, state)
        if not state.offered:
            self.hurry()  # there may be more than one offer holds

    def parcel_of(self, one: Offered) -> Parcel | None:
        """The parcel itself; None where what it was made of is gone."""
        blob = b""
        if one.blob is not None:
            try:
                blob = self._engine.transfers.blob(one.blob.upload, one.blob.index)
            except RoostError:
                return None
        return parcels.parcel_of(self._engine.look(), one, blob)

    # --- taking -------------------------------------------------------------------------------------------------------

    def received(self, link: PeerLink, message: bytes) -> None:
        """What a device says of parcels. Raises WireError when it does not keep to the rules: the link ends."""
        said = decode_message(message)
        if self._over:
            return
        state = self._exchanges.setdefault(link, _Exchange())
        try:
            match said:
                case OfferParcels():
                    self._offered(link, state, said)
                case WantParcels():
                    self._wanted(link, state, said)
                case HandParcel(parcel=parcel):
                    self._handed(link, state, parcel)
                case TookParcels(ids=ids):
                    self._took(link, state, ids)
        except WireError:
            raise
        except RoostError as error:  # a full disk: it comes again over another link
            self._engine.trouble(error)
            link.abort()

    def _offered(self, link: PeerLink, state: _Exchange, offer: OfferParcels) -> None:
        if state.handed or state.answering:
            raise WireError("an offer came before the last one was done with")
        loop = asyncio.get_running_loop()
        state.answering = True
        loop.call_at(max(loop.time(), state.answered_at + ANSWER_S), self._answer, link, state, offer)

    def _answer(self, link: PeerLink, state: _Exchange, offer: OfferParcels) -> None:
        if link.over:
            return
        peer, work = self._peer_of(link), self._engine.look()
        wanted = WantParcels((), ())
        if peer is not None:
            wanted = parcels.want(work, peer.account, offer.heads, list(hosting.circles(work)))
        state.expected = {*wanted.own, *wanted.carry}
        state.answering, state.answered_at = False, asyncio.get_running_loop().time()
        _say(link, wanted)

    def _handed(self, link: PeerLink, state: _Exchange, parcel: Parcel) -> None:
        if parcel.id not in state.expected:
            raise WireError("a parcel came that was not wanted")
        state.expected.remove(parcel.id)
        state.handed.append(parcel)
        if len(state.handed) > WINDOW:
            raise WireError("too many parcels came at once")
        if len(state.handed) == 1:
            self._engine.start(self._take_handed(link, state))

    async def _take_handed(self, link: PeerLink, state: _Exchange) -> None:
        await asyncio.sleep(0)  # what came in one go is taken in together
        while state.handed and not link.over:
            batch = list(state.handed)
            peer = self._peer_of(link)
            try:
                if peer is not None:
                    await self.take(peer.account, batch)
            except RoostError as error:
                self._engine.trouble(error)
                link.abort()
                return
            del state.handed[: len(batch)]
            _say(link, TookParcels(tuple(sorted(parcel.id for parcel in batch))))

    async def take(self, account: bytes, batch: Sequence[Parcel]) -> Taken:
        """Take in parcels that a device of `account` handed over, or that a file holds (FROM_A_FILE): the own host is
        asked first, then it is written down. Raises SurroundingsError: the disk."""
        engine = self._engine
        work = engine.look()
        meetings = list(hosting.circles(work))
        told = {one.parcel.id: await self._put(one) for one in parcels.take(work, account, batch, meetings).mine}

        def written(work: Work) -> Taken:
            taken = parcels.take(work, account, batch, meetings)
            for one in taken.mine:
                if not told.get(one.parcel.id):
                    parcels.defer(work, one)
            return taken

        taken = engine.step(written)
        if taken.mine:
            await self._put_waiting()
        if taken.kept:
            self.hurry()
        return taken

    async def _put_waiting(self) -> None:
        """What the own host could not take before, for want of something that may have come now."""
        for one in parcels.waiting(self._engine.look()):
            if await self._put(one):
                self._engine.step(parcels.settled, one)

    async def _put(self, one: Mine) -> bool:
        """Ask the own host; whether it is done with."""
        engine = self._engine
        here = next((row for row in engine.look().find(OwnRelay) if row.here), None)
        if here is None:
            return True
        try:
            await engine.network.call(here.link.address, one.request)
        except Refused as error:
            return error.code in _NEVER_TAKEN
        except Unreachable:
            return False
        return True

    # --- who ----------------------------------------------------------------------------------------------------------

    def _peer_of(self, link: PeerLink) -> PeerDevice | None:
        """The device at the other end, which has proven its key."""
        return self._engine.devices.peer_at(link)


def _say(link: PeerLink, message: ParcelMessage) -> None:
    link.say(encode(message))
