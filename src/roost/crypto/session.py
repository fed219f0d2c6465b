"""A session: pairwise ratchet state between two devices, as an immutable value (DESIGN section 5).

Every operation returns a new session and leaves the old one as it was: the caller stores the new one together with what
it made or opened, in one transaction. This module decides which key opens an envelope; it does not decide which of two
sessions begun at once is used, nor remembers first messages (messaging does).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hmac import compare_digest

from roost.crypto import handshake
from roost.crypto.chains import NO_KEYS, ReceivingChain, retained
from roost.crypto.entropy import Entropy
from roost.crypto.envelope import (
    BODY_SIZE,
    RatchetHeader,
    RatchetKeys,
    check_size,
    open_body,
    unmask_opening,
)
from roost.crypto.errors import NotForThisSession
from roost.crypto.identity import LocalIdentity, PrekeyBundle, PrekeySecrets
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.ratchet import (
    HandshakeOpening,
    OwnStep,
    PeersTurn,
    SendingChain,
    receiving_turn,
    sending_turn,
)
from roost.crypto.secret import Secret
from roost.crypto.session_state import SessionState, decode_session, encode_session
from roost.errors import CryptoError


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Session(SessionState):
    """A session with one device. Made by `Session.initiate` or `accept`; only `id` and `confirmed` are for callers."""

    @classmethod
    def initiate(cls, local: LocalIdentity, bundle: PrekeyBundle, entropy: Entropy) -> Session:
        """A session towards the bundle's device. Nothing is sent: every `seal` until the first reply carries it.

        Raises:
            CryptoError: the bundle holds a low-order point or a malformed key, or is this device's own.
        """
        ephemeral, kem = AgreementSecret.generate(entropy), KemSecret.generate(entropy)
        start = handshake.initiate(local, bundle, ephemeral, kem)
        ciphertext = start.opening[-KEM_CIPHERTEXT_SIZE:]
        opening = HandshakeOpening(start.header, bundle.mask, ciphertext, local.account, local.identity.public.raw)
        keys = start.keys
        return cls(
            id=keys.session_id,
            confirmed=False,
            root=keys.root,
            next_sending_header=keys.initiator_header,
            next_receiving_header=keys.responder_header,
            sending=SendingChain(OwnStep(opening, ephemeral, kem), keys.chain, 0),
            receiving=(),
        )

    def seal(self, body: bytes, entropy: Entropy) -> tuple[Session, bytes]:
        """(the session after it, an envelope of 4,096 bytes). Raises ValueError unless `body` is BODY_SIZE bytes."""
        if len(body) != BODY_SIZE:
            raise ValueError(f"a body is {BODY_SIZE} bytes")
        sending, root, next_header = self.sending, self.root, self.next_sending_header
        if isinstance(sending, PeersTurn):
            turn, sending = sending_turn(root, next_header, sending, entropy)
            root, next_header = turn.root, turn.next_header
        sending, envelope = sending.seal(body, entropy)
        after = Session(self.id, self.confirmed, root, next_header, self.next_receiving_header, sending, self.receiving)
        return after, envelope

    def open(self, envelope: bytes) -> tuple[Session, bytes]:
        """(the session after it, the body of BODY_SIZE bytes). In any order, each envelope once.

        Raises:
            NotForThisSession: no header key of this session opens it; a few microseconds a key.
            CryptoError: it is this session's, but damaged, "replayed" or "too_far_ahead".
        """
        check_size(envelope)
        chains = self.receiving
        if chains:
            header = chains[-1].header.open(envelope)
            if header is not None:
                return self._open_in_chain(len(chains) - 1, header, envelope)
        header = RatchetHeader(self.next_receiving_header).open(envelope)
        if header is not None:
            return self._open_new_turn(header, envelope)
        for position in range(len(chains) - 2, -1, -1):
            header = chains[position].header.open(envelope)
            if header is not None:
                return self._open_in_chain(position, header, envelope)
        raise NotForThisSession("no key of this session opens the envelope")

    def to_bytes(self) -> bytes:
        """The whole state, secrets and all, in a versioned layout. For the encrypted store alone."""
        return encode_session(self)

    @staticmethod
    def from_bytes(data: bytes) -> Session:
        """The inverse of `to_bytes`. Raises CryptoError: damaged ("malformed") or from a newer version."""
        return decode_session(Session, data)

    def __eq__(self, other: object) -> bool:
        return type(other) is Session and compare_digest(self.to_bytes(), other.to_bytes())

    __hash__ = None  # type: ignore[assignment]

    def _open_in_chain(self, position: int, header: bytes, envelope: bytes) -> tuple[Session, bytes]:
        chains = self.receiving
        chain = chains[position]
        message_key, after = chain.message_key(chain.header.index(header))
        body = open_body(message_key, envelope)
        chains = (*chains[:position], after, *chains[position + 1 :])
        if after.skipped or len(chains) > 1:
            chains = retained(chains)
        return self._with_receiving(chains), body

    def _open_new_turn(self, header: bytes, envelope: bytes) -> tuple[Session, bytes]:
        own = self.sending
        if isinstance(own, PeersTurn):  # a peer cannot answer what we have not said
            raise CryptoError("the peer took two turns at once")
        peer = RatchetKeys.decode(header)
        kem = KemPublic(peer.kem)
        kem.parsed()  # a malformed key is refused now, not when we answer
        turn = receiving_turn(self.root, own.step, peer)
        chain = ReceivingChain(RatchetHeader(self.next_receiving_header), turn.chain, 0, NO_KEYS)
        message_key, chain = chain.message_key(RatchetHeader.index(header))
        body = open_body(message_key, envelope)
        older = self.receiving
        if older:
            older = (*older[:-1], older[-1].ended_at(peer.previous))
        after = replace(
            self,
            confirmed=True,
            root=turn.root,
            next_receiving_header=turn.next_header,
            sending=PeersTurn(AgreementPublic(peer.agreement), kem, own.index),
            receiving=retained((*older, chain)),
        )
        return after, body

    def _with_receiving(self, chains: tuple[ReceivingChain, ...]) -> Session:
        return Session(
            self.id,
            self.confirmed,
            self.root,
            self.next_sending_header,
            self.next_receiving_header,
            self.sending,
            chains,
        )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Accepted(Secret):
    """A handshake that was accepted: the session, its first body, and who says that they wrote it.

    The body proves that the writer holds `identity`'s secret key. That `identity` belongs to `account` (32 bytes) is
    the account's signed device list's to say: check it before anything is believed.
    """

    session: Session
    account: bytes
    identity: AgreementPublic
    body: bytes


def accept(local: LocalIdentity, prekeys: PrekeySecrets, envelope: bytes) -> Accepted:
    """Begin a session from any handshake envelope to these prekeys, the first or a later one.

    Raises:
        NotForThisSession: it is no handshake to these prekeys (costs about 0.1 ms).
        CryptoError: it is one, but not authentic.
    """
    check_size(envelope)
    ephemeral, ciphertext = unmask_opening(prekeys.mask, envelope)
    response = handshake.respond(local, prekeys, ephemeral, ciphertext, envelope)
    keys = response.keys
    chain = ReceivingChain(response.header, keys.chain, 0, NO_KEYS)
    message_key, chain = chain.message_key(response.index)
    body = open_body(message_key, envelope)
    session = Session(
        id=keys.session_id,
        confirmed=True,
        root=keys.root,
        next_sending_header=keys.responder_header,
        next_receiving_header=keys.initiator_header,
        sending=PeersTurn(response.ephemeral, response.kem, 0),
        receiving=(chain,),
    )
    return Accepted(session, response.account, response.identity, body)
