"""What a session consists of, and how it lies in the store: version 1 (docs/protocol/ratchet.md, "State").

Public keys that secrets give again are left out, so a session without skipped keys takes about 1.5 KB.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar

from roost.crypto.chains import ENDED, NO_KEYS, ReceivingChain
from roost.crypto.envelope import HandshakeHeader, Header, RatchetHeader
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE, KEM_SEED_SIZE, KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.ratchet import HandshakeOpening, OwnStep, PeersTurn, RatchetOpening, SendingChain
from roost.crypto.secret import Secret
from roost.errors import CryptoError

STATE_VERSION: Final = 1
_HANDSHAKE, _RATCHET, _PEERS_TURN = 0, 1, 2

_HEAD: Final = struct.Struct(">BBB16s32s32s32s")  # version, confirmed, kind, id, root, both next header keys
_STEP: Final = struct.Struct(f">32s{KEM_SEED_SIZE}s32sI")  # own secrets, chain key, index
_HANDSHAKE_OPENING: Final = struct.Struct(f">32s32s{KEM_CIPHERTEXT_SIZE}s32s32s")
_RATCHET_OPENING: Final = struct.Struct(f">32s{KEM_CIPHERTEXT_SIZE}sI")
_TURN: Final = struct.Struct(f">32s{KEM_PUBLIC_SIZE}sI")
_COUNT: Final = struct.Struct(">B")
_CHAIN: Final = struct.Struct(">BB32s32sIH")  # header kind, ended, header key, chain key or zeros, index, skipped keys
_SKIPPED: Final = struct.Struct(">I32s")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SessionState(Secret):
    """Pairwise ratchet state. `id` is 16 bytes, the same on both sides; `confirmed`: something of the peer was opened.

    The names of the header keys are those of Double Ratchet section 4: NHKs and NHKr.
    """

    id: bytes
    confirmed: bool
    root: bytes
    next_sending_header: bytes
    next_receiving_header: bytes
    sending: SendingChain | PeersTurn
    receiving: tuple[ReceivingChain, ...]  # oldest first


S = TypeVar("S", bound=SessionState)


def encode_session(session: SessionState) -> bytes:
    """The canonical bytes of a session."""
    sending = session.sending
    if isinstance(sending, PeersTurn):
        kind, own = _PEERS_TURN, _TURN.pack(sending.agreement.raw, sending.kem.raw, sending.previous)
    else:
        kind, own = _encode_chain(sending)
    head = _HEAD.pack(
        STATE_VERSION,
        session.confirmed,
        kind,
        session.id,
        session.root,
        session.next_sending_header,
        session.next_receiving_header,
    )
    return b"".join((head, own, _COUNT.pack(len(session.receiving)), *map(_encode_receiving, session.receiving)))


def decode_session(made: type[S], data: bytes) -> S:
    """The inverse, as a `made`. Raises CryptoError: "newer_version", or "malformed"."""
    if data[:1] and data[0] > STATE_VERSION:
        raise CryptoError("this session was stored by a newer Roost", code="newer_version")
    try:
        return _Reader(data).session(made)
    except (struct.error, IndexError, ValueError) as error:
        raise CryptoError("a stored session is damaged", code="malformed") from error


def _encode_chain(chain: SendingChain) -> tuple[int, bytes]:
    step, opening = chain.step, chain.step.opening
    own = _STEP.pack(step.agreement.to_bytes(), step.kem.to_bytes(), chain.key, chain.index)
    if isinstance(opening, RatchetOpening):
        return _RATCHET, own + _RATCHET_OPENING.pack(opening.header.key, opening.ciphertext, opening.previous)
    parts = (opening.header.key, opening.mask, opening.ciphertext, opening.account, opening.identity)
    return _HANDSHAKE, own + _HANDSHAKE_OPENING.pack(*parts)


def _encode_receiving(chain: ReceivingChain) -> bytes:
    kind = _HANDSHAKE if isinstance(chain.header, HandshakeHeader) else _RATCHET
    ended = chain.key == ENDED
    head = _CHAIN.pack(
        kind, ended, chain.header.key, bytes(32) if ended else chain.key, chain.index, len(chain.skipped)
    )
    if not chain.skipped:
        return head
    return head + b"".join(_SKIPPED.pack(index, key) for index, key in sorted(chain.skipped.items()))


class _Reader:
    """Reads one structure after another and insists on the canonical form of all of it."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)
        self._at = 0

    def _take(self, layout: struct.Struct) -> tuple[Any, ...]:
        values = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return values

    def session(self, made: type[S]) -> S:
        version, confirmed, kind, session_id, root, sending_header, receiving_header = self._take(_HEAD)
        _insist(version == STATE_VERSION and confirmed in (0, 1) and kind in (_HANDSHAKE, _RATCHET, _PEERS_TURN))
        sending = self._turn() if kind == _PEERS_TURN else self._sending(kind)
        (count,) = self._take(_COUNT)
        receiving = tuple(self._receiving() for _ in range(count))
        _insist(self._at == len(self._data))
        return made(session_id, bool(confirmed), root, sending_header, receiving_header, sending, receiving)

    def _turn(self) -> PeersTurn:
        agreement, kem, previous = self._take(_TURN)
        return PeersTurn(AgreementPublic(agreement), KemPublic(kem), previous)

    def _sending(self, kind: int) -> SendingChain:
        agreement, kem, key, index = self._take(_STEP)
        opening: HandshakeOpening | RatchetOpening
        if kind == _RATCHET:
            header, ciphertext, previous = self._take(_RATCHET_OPENING)
            opening = RatchetOpening(RatchetHeader(header), ciphertext, previous)
        else:
            header, *parts = self._take(_HANDSHAKE_OPENING)
            opening = HandshakeOpening(HandshakeHeader(header), *parts)
        return SendingChain(OwnStep(opening, AgreementSecret(agreement), KemSecret(kem)), key, index)

    def _receiving(self) -> ReceivingChain:
        kind, ended, header_key, key, index, count = self._take(_CHAIN)
        _insist(kind in (_HANDSHAKE, _RATCHET) and ended in (0, 1) and not (ended and any(key)))
        header: Header = HandshakeHeader(header_key) if kind == _HANDSHAKE else RatchetHeader(header_key)
        pairs = [self._take(_SKIPPED) for _ in range(count)]
        _insist(all(earlier[0] < later[0] for earlier, later in pairwise(pairs)))
        _insist(not pairs or pairs[-1][0] < index)
        return ReceivingChain(header, ENDED if ended else key, index, dict(pairs) if pairs else NO_KEYS)


def _insist(fact: bool) -> None:
    if not fact:
        raise ValueError("not canonical")
