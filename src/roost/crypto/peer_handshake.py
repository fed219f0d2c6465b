"""The handshake of a peer link: Noise XKpsk0 with an ephemeral ML-KEM-768, of which no byte looks like anything.

Noise specification, revision 34: pattern XK (section 7.5), modifier psk0 (section 9). Byte-exact, and where it departs
from Noise, in docs/protocol/peer-links.md. Each end is a generator that yields what to send and how many bytes it
needs next, so its steps read in the order in which they happen.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from roost.crypto.aead import TAG_SIZE
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import derive32
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE, KemPublic, KemSecret
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.labels import Label
from roost.crypto.meetings import period_of, periods_around
from roost.crypto.peer_noise import SymmetricState
from roost.crypto.peer_records import Records
from roost.crypto.secret import Secret
from roost.errors import CryptoError

PROTOCOL: Final = b"Roost_peer_link_1_XKpsk0_25519+MLKEM768_AESGCM_SHA512"
NONCE_SIZE: Final = 16
PEER_TAG_SIZE: Final = 16
KEY_SIZE: Final = 32
MAX_HANDSHAKE_PADDING: Final = 1_023  # of each message; two to the power of something, less one
_COUNT_SIZE: Final = 2  # of the padding's length
_SEALED_KEY: Final = KEY_SIZE + TAG_SIZE
_FIRST_BODY: Final = KEM_PUBLIC_SIZE + _COUNT_SIZE + TAG_SIZE
_SECOND_BODY: Final = KEM_CIPHERTEXT_SIZE + _COUNT_SIZE + TAG_SIZE
_THIRD_BODY: Final = KEY_SIZE + _COUNT_SIZE + TAG_SIZE


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Established(Secret):
    """A link that stands. `peer`: the other end's static key, which it has proven; `meeting`: the one that was used."""

    peer: AgreementPublic
    meeting: bytes
    records: Records


Steps = Generator[tuple[bytes, int], bytes, tuple[bytes, Established]]
"""Yields (what to send, how many bytes are needed next), takes those, returns (what to send, the link)."""


class _Handshake(Secret):
    """Runs the steps of one end over bytes that arrive in any pieces."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._arrived = bytearray()
        self._broken = False
        self._first, self._needed = next(steps)
        self.established: Established | None = None

    def start(self) -> bytes:
        """What goes out before anything came in: the initiator's first message, nothing of the responder's."""
        return self._first

    def receive(self, data: bytes) -> bytes:
        """Take whatever arrived; what to send now, often nothing. Once the link is `established` it takes no more.

        Raises:
            CryptoError: this is no handshake with us, or was changed. Answer nothing, and give it no more.
        """
        if self._broken or self.established:
            raise CryptoError("the handshake is over")
        self._arrived += data
        outgoing = b""
        while self.established is None and len(self._arrived) >= self._needed:
            part = bytes(self._arrived[: self._needed])
            del self._arrived[: self._needed]
            outgoing += self._step(part)
        return outgoing

    @property
    def rest(self) -> bytes:
        """What came behind the handshake: the first bytes of records."""
        return bytes(self._arrived)

    def _step(self, part: bytes) -> bytes:
        try:
            outgoing, self._needed = self._steps.send(part)
        except StopIteration as stop:
            outgoing, self.established = stop.value
        except CryptoError:
            self._broken = True
            raise
        return outgoing


class PeerLinkInitiator(_Handshake):
    """The end that dials, and knows the host's static key and one of its meetings (16 bytes)."""

    def __init__(
        self, own: AgreementSecret, host: AgreementPublic, meeting: bytes, now_s: int, entropy: Entropy
    ) -> None:
        """Raises CryptoError when `host` is a low-order point."""
        super().__init__(_initiate(own, host, meeting, now_s, entropy))


class PeerLinkResponder(_Handshake):
    """The host's end. `seen(nonce)` says whether an opening with this nonce came before, and remembers it from then on,
    for REMEMBER_S at least: it is asked only about openings that are otherwise good."""

    def __init__(
        self,
        own: AgreementSecret,
        meetings: Sequence[bytes],
        now_s: int,
        entropy: Entropy,
        seen: Callable[[bytes], bool],
    ) -> None:
        super().__init__(_respond(own, meetings, now_s, entropy, seen))


def _initiate(own: AgreementSecret, host: AgreementPublic, meeting: bytes, now_s: int, entropy: Entropy) -> Steps:
    nonce = entropy.bytes(NONCE_SIZE)
    state = _opening_state(host, meeting, nonce, period_of(now_s))
    ephemeral, kem = AgreementSecret.generate(entropy), KemSecret.generate(entropy)
    # -> psk, e, es, e1
    first = nonce + peer_tag(meeting, nonce) + _write_key(state, ephemeral.public)
    state.mix_key(ephemeral.exchange(host))
    padding = _padding(entropy)
    first += state.encrypt_and_hash(kem.public.raw + _counted(padding)) + state.encrypt_and_hash(padding)
    # <- e, ee, ekem1
    answer = yield first, NONCE_SIZE + _SEALED_KEY
    state.mix_key_and_hash(answer[:NONCE_SIZE])
    theirs = _read_key(state, answer[NONCE_SIZE:])
    state.mix_key(ephemeral.exchange(theirs))
    ciphertext, count = _read_body(state, (yield b"", _SECOND_BODY))
    state.mix_key(kem.decapsulate(ciphertext))
    _read_padding(state, (yield b"", count + TAG_SIZE))
    # -> s, se
    padding = _padding(entropy)
    third = state.encrypt_and_hash(own.public.raw + _counted(padding))
    state.mix_key(own.exchange(theirs))
    third += state.encrypt_and_hash(padding)
    sending, receiving = state.split(Label.PEER_LINK.value + state.transcript)
    return third, Established(host, meeting, Records(sending, receiving))


def _respond(
    own: AgreementSecret,
    meetings: Sequence[bytes],
    now_s: int,
    entropy: Entropy,
    seen: Callable[[bytes], bool],
) -> Steps:
    # -> psk, e, es, e1
    opening = yield b"", NONCE_SIZE + PEER_TAG_SIZE
    nonce = opening[:NONCE_SIZE]
    meeting = _meeting_of_tag(meetings, nonce, opening[NONCE_SIZE:])
    state, theirs = _read_opening(own.public, meeting, nonce, now_s, (yield b"", _SEALED_KEY))
    state.mix_key(own.exchange(theirs))
    kem, count = _read_body(state, (yield b"", _FIRST_BODY))
    _read_padding(state, (yield b"", count + TAG_SIZE))
    secret, ciphertext = KemPublic(kem).encapsulate()
    if seen(nonce):
        raise CryptoError("this opening came before", code="replayed")
    # <- e, ee, ekem1
    fresh, ephemeral, padding = entropy.bytes(NONCE_SIZE), AgreementSecret.generate(entropy), _padding(entropy)
    state.mix_key_and_hash(fresh)
    answer = fresh + _write_key(state, ephemeral.public)
    state.mix_key(ephemeral.exchange(theirs))
    answer += state.encrypt_and_hash(ciphertext + _counted(padding))
    state.mix_key(secret)
    answer += state.encrypt_and_hash(padding)
    # -> s, se
    identity, count = _read_body(state, (yield answer, _THIRD_BODY))
    peer = AgreementPublic(identity)
    state.mix_key(ephemeral.exchange(peer))
    _read_padding(state, (yield b"", count + TAG_SIZE))
    receiving, sending = state.split(Label.PEER_LINK.value + state.transcript)
    return b"", Established(peer, meeting, Records(sending, receiving))


def peer_tag(meeting: bytes, nonce: bytes, _person: bytes = Label.PEER_TAG.value) -> bytes:
    """How the host finds the meeting. The nonce stands in BLAKE2b's salt, which saves a block for each one tried."""
    return blake2b(digest_size=PEER_TAG_SIZE, key=meeting, salt=nonce, person=_person).digest()


def _meeting_of_tag(meetings: Sequence[bytes], nonce: bytes, tag: bytes) -> bytes:
    """Tries all of them, so that the time it takes says nothing about which it was."""
    found = [meeting for meeting in meetings if compare_digest(peer_tag(meeting, nonce), tag)]
    if not found:
        raise CryptoError("no meeting of ours")
    return found[0]


def _opening_state(host: AgreementPublic, meeting: bytes, nonce: bytes, period: int) -> SymmetricState:
    """As it is after `psk`, which is another one for each nonce and period."""
    dated = nonce + period.to_bytes(4, "big")
    state = SymmetricState(PROTOCOL)
    state.mix_hash(dated)  # the prologue
    state.mix_hash(host.raw)
    state.mix_key_and_hash(derive32(Label.PEER_PSK, meeting, dated))
    return state


def _read_opening(
    host: AgreementPublic, meeting: bytes, nonce: bytes, now_s: int, sealed: bytes
) -> tuple[SymmetricState, AgreementPublic]:
    """The state behind the initiator's ephemeral key, in whichever period it was made."""
    for period in periods_around(now_s):
        state = _opening_state(host, meeting, nonce, period)
        try:
            return state, _read_key(state, sealed)
        except CryptoError:
            continue
    raise CryptoError("an opening of another time, or not for us")


def _write_key(state: SymmetricState, key: AgreementPublic) -> bytes:
    """Token `e`. Noise sends it as it is; the key is mixed in as well (section 9.2)."""
    sealed = state.encrypt_and_hash(key.raw)
    state.mix_key(key.raw)
    return sealed


def _read_key(state: SymmetricState, sealed: bytes) -> AgreementPublic:
    key = AgreementPublic(state.decrypt_and_hash(sealed))
    state.mix_key(key.raw)
    return key


def _read_body(state: SymmetricState, sealed: bytes) -> tuple[bytes, int]:
    """What a message is about, and how much padding ends it."""
    body = state.decrypt_and_hash(sealed)
    count = int.from_bytes(body[-_COUNT_SIZE:], "big")
    if count > MAX_HANDSHAKE_PADDING:
        raise CryptoError("too much padding", code="malformed")
    return body[:-_COUNT_SIZE], count


def _read_padding(state: SymmetricState, sealed: bytes) -> None:
    if state.decrypt_and_hash(sealed).strip(b"\0"):
        raise CryptoError("malformed padding", code="malformed")


def _padding(entropy: Entropy) -> bytes:
    """Zeros, as many as chance has it."""
    return bytes(int.from_bytes(entropy.bytes(_COUNT_SIZE), "big") & MAX_HANDSHAKE_PADDING)


def _counted(padding: bytes) -> bytes:
    return len(padding).to_bytes(_COUNT_SIZE, "big")
