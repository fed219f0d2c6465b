"""The Diffie-Hellman ratchet with an ML-KEM-768 step in every turn (Double Ratchet sections 2.4 and 4).

A turn mixes a fresh X25519 exchange *and* a fresh encapsulation to the peer's newest ML-KEM key into the root, so each
turn of the conversation heals against classical and quantum adversaries alike. The sending half is done lazily, when
there is something to send; until then the old secrets are already gone. Values in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.aead import SALT_SIZE
from roost.crypto.entropy import Entropy
from roost.crypto.envelope import (
    MAX_INDEX,
    HandshakeHeader,
    RatchetHeader,
    RatchetKeys,
    mask_opening,
    seal_body,
)
from roost.crypto.kdf import advance, hkdf
from roost.crypto.kem import KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.labels import Label
from roost.crypto.secret import Secret

_STEP_OUTPUT: Final = 96


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class HandshakeOpening(Secret):
    """The fixed part of every handshake envelope of one initiator."""

    header: HandshakeHeader
    mask: bytes
    ciphertext: bytes
    account: bytes
    identity: bytes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RatchetOpening(Secret):
    """The fixed part of every ratchet envelope of one chain, beside its public keys."""

    header: RatchetHeader
    ciphertext: bytes
    previous: int


class OwnStep(Secret):
    """Our present ratchet secrets and what every header of their chain repeats, encoded once."""

    __slots__ = ("_fixed", "agreement", "kem", "opening")

    def __init__(self, opening: HandshakeOpening | RatchetOpening, agreement: AgreementSecret, kem: KemSecret) -> None:
        self.opening, self.agreement, self.kem = opening, agreement, kem
        self._fixed: bytes | None = None

    def seal_header(self, salt: bytes, index: int) -> bytes:
        """The header block of message `index`."""
        opening = self.opening
        if isinstance(opening, RatchetOpening):
            if self._fixed is None:
                own = (self.agreement.public.raw, self.kem.public.raw)
                self._fixed = RatchetKeys(*own, opening.ciphertext, opening.previous).encode()
            return opening.header.seal(salt, self._fixed, index)
        if self._fixed is None:
            self._fixed = opening.account + opening.identity + self.kem.public.raw
        masked = mask_opening(opening.mask, salt, self.agreement.public.raw + opening.ciphertext)
        return opening.header.seal(salt, masked, self._fixed, index)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SendingChain(Secret):
    """Our messages of the present turn: the next one's chain key and index."""

    step: OwnStep
    key: bytes
    index: int

    def seal(self, body: bytes, entropy: Entropy) -> tuple[SendingChain, bytes]:
        """(the chain after it, the envelope)."""
        if self.index >= MAX_INDEX:
            raise ValueError("this chain is full")
        key, message_key = advance(self.key)
        salt = entropy.bytes(SALT_SIZE)
        header = self.step.seal_header(salt, self.index)
        return SendingChain(self.step, key, self.index + 1), seal_body(message_key, salt, header, body)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PeersTurn(Secret):
    """The peer took a turn and we have not answered: their public keys, and how many messages our last chain had."""

    agreement: AgreementPublic
    kem: KemPublic
    previous: int


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Turn(Secret):
    """What one ratchet step gives: the new root, the new chain's key, the header key of the turn after it."""

    root: bytes
    chain: bytes
    next_header: bytes


def sending_turn(root: bytes, header_key: bytes, peer: PeersTurn, entropy: Entropy) -> tuple[Turn, SendingChain]:
    """Answer the peer's turn with fresh keys of ours. `header_key` seals the new chain's headers."""
    agreement, kem = AgreementSecret.generate(entropy), KemSecret.generate(entropy)
    secret, ciphertext = peer.kem.encapsulate()
    shared = agreement.exchange(peer.agreement)
    turn = _turn(root, shared + secret, agreement.public.raw + peer.agreement.raw + ciphertext)
    opening = RatchetOpening(RatchetHeader(header_key), ciphertext, peer.previous)
    return turn, SendingChain(OwnStep(opening, agreement, kem), turn.chain, 0)


def receiving_turn(root: bytes, own: OwnStep, peer: RatchetKeys) -> Turn:
    """Follow the peer's answer to our turn. Raises CryptoError for a low-order point."""
    shared = own.agreement.exchange(AgreementPublic(peer.agreement))
    secret = own.kem.decapsulate(peer.ciphertext)
    return _turn(root, shared + secret, peer.agreement + own.agreement.public.raw + peer.ciphertext)


def _turn(root: bytes, secrets: bytes, publics: bytes) -> Turn:
    keys = hkdf(Label.STEP, salt=root, secret=secrets, info=publics, length=_STEP_OUTPUT)
    return Turn(keys[:32], keys[32:64], keys[64:])
