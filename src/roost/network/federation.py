"""The federated route: a request to another relay travels as a packet through an own one (docs/protocol/routes.md).

The own relay sees which relay is meant and a size class; the other relay sees the request and not who asks. Only what
the other relay sealed into its answer counts as its word: an own relay cannot make a mailbox seem gone, or a message
stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from roost.crypto import AnswerKey, Entropy, PacketPublic, max_answer, max_request, seal_packet
from roost.errors import CryptoError, Refused, RoostError, Unreachable, WireError
from roost.network.answers import accept
from roost.network.errors import NotARelay, RelayKeyChanged, RelayTooNew
from roost.network.identity import read_info
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    Forward,
    Get,
    GetInfo,
    RefusalCode,
    Request,
    Response,
    SealedAnswer,
    SignedInfo,
)
from roost.wire.sizes import ENVELOPE_SIZE, PACKET_LARGE, PACKET_SMALL

PAGE: Final = max_answer(PACKET_LARGE) // (ENVELOPE_SIZE + 16)  # envelopes in one sealed answer to `get`

Own = Callable[[Request], Awaitable[Response]]
"""A call to an own relay, its access secret filled in."""

# What an own relay may say about forwarding as such. Anything else it says in the clear is not the other relay's word.
_OWN_WORD = frozenset({RefusalCode.NOT_ADMITTED, RefusalCode.BAD_DESTINATION, RefusalCode.SLOW_DOWN})


class DestinationUnreachable(Unreachable):
    """The own relay answered; the relay behind it did not, or not as it must."""


@dataclass(frozen=True)
class _Known:
    """A relay's packet key, from a statement that the relay signed."""

    key: PacketPublic
    expires: int


class Federation:
    """Requests to relays other than one's own. `now` gives seconds since 1970."""

    def __init__(self, entropy: Entropy, now: Callable[[], float]) -> None:
        self._entropy = entropy
        self._now = now
        self._known: dict[RelayAddress, _Known] = {}
        self._asking: dict[RelayAddress, asyncio.Future[RoostError | None]] = {}

    async def call(self, own: Own, to: RelayAddress, request: Request) -> Response:
        """The other relay's answer to `request`, through an own relay.

        Raises:
            Refused: the other relay said no, or the own one does not forward (codes of `_OWN_WORD`).
            DestinationUnreachable: the other relay did not answer.
            Unreachable: the own relay did not.
        """
        if isinstance(request, Get):
            request = msgspec.structs.replace(request, limit=min(request.limit, PAGE))
        known = await self._key_of(own, to)
        try:
            return await self._forward(own, to, request, known)
        except _Stale:
            self._forget(to, known)
        try:
            return await self._forward(own, to, request, await self._key_of(own, to))
        except _Stale as error:
            raise DestinationUnreachable("The other person's relay could not open what was sent to it.") from error

    async def _key_of(self, own: Own, to: RelayAddress) -> _Known:
        """The other relay's packet key. Those who ask at the same time share one question and its outcome."""
        while (known := self._known.get(to)) is None or known.expires <= self._now():
            asked = self._asking.get(to)
            if asked is None:
                return await self._ask_key(own, to)
            outcome = await asyncio.shield(asked)
            if isinstance(outcome, RoostError):
                raise outcome
        return known

    async def _ask_key(self, own: Own, to: RelayAddress) -> _Known:
        asked = self._asking[to] = asyncio.get_running_loop().create_future()
        failure: RoostError | None = None  # stays None when cancelled: then another asks
        try:
            known = self._known[to] = await _learn(own, to)
        except RoostError as error:
            failure = error
            raise
        finally:
            del self._asking[to]
            asked.set_result(failure)
        return known

    def _forget(self, to: RelayAddress, known: _Known) -> None:
        if self._known.get(to) is known:  # another call may have asked anew in between
            del self._known[to]

    async def _forward(self, own: Own, to: RelayAddress, request: Request, known: _Known) -> Response:
        packet, answer_key = seal_request(known.key, request, self._entropy)
        answer = await _ask(own, Forward(to, packet))
        return accept(request, open_answer(answer_key, answer))


class _Stale(Exception):
    """The packet was sealed to a key that is no more."""


def seal_request(key: PacketPublic, request: Request, entropy: Entropy) -> tuple[bytes, AnswerKey]:
    """A packet of one of two sizes that holds `request`, and the key that its answer will be sealed to."""
    body = encode(request)
    return seal_packet(key, body, PACKET_SMALL if len(body) <= max_request(PACKET_SMALL) else PACKET_LARGE, entropy)


def open_answer(key: AnswerKey, answer: Response) -> Response:
    """What the other relay sealed.

    Raises:
        DestinationUnreachable: it was not sealed by who opened the packet.
    """
    try:
        sealed = answer.sealed if isinstance(answer, SealedAnswer) else b""
        return decode(Response, key.open(sealed))  # type: ignore[arg-type]
    except (CryptoError, WireError) as error:
        raise _nonsense() from error


async def _ask(own: Own, request: Request) -> Response:
    """A call to the own relay about another one; its refusals sorted by whose word they are."""
    try:
        return await own(request)
    except Refused as error:
        if error.code in _OWN_WORD:
            raise
        if error.code == RefusalCode.STALE_PACKET:
            raise _Stale from error
        if error.code == RefusalCode.UNREACHABLE:
            raise DestinationUnreachable(error.message, hint=error.hint) from error
        raise DestinationUnreachable("Your relay could not pass this on to the other person's relay.") from error


async def _learn(own: Own, to: RelayAddress) -> _Known:
    """What the other relay says of itself, by way of an own one, believed for its signature."""
    try:
        answer = await _ask(own, GetInfo(to))
        if not isinstance(answer, SignedInfo):
            raise _nonsense()
        info = read_info(answer, to.key)
        return _Known(PacketPublic(info.packet_key.public), info.packet_key.expires)
    except RelayTooNew as error:
        message = "The other person's relay speaks a newer version of the protocol than this Roost."
        raise DestinationUnreachable(message, code=error.code, hint=error.hint) from error
    except (RelayKeyChanged, NotARelay, CryptoError, _Stale) as error:
        raise _nonsense() from error


def _nonsense() -> DestinationUnreachable:
    return DestinationUnreachable("What came back does not come from the other person's relay.", code=NotARelay.code)
