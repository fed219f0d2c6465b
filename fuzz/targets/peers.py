"""Targets of links between devices: openings and what follows, records, announcements.

The stranger knows nothing; the hostile guest holds a meeting and writes what it likes under the right keys.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto import KEM_PUBLIC_SIZE, AgreementPublic, AgreementSecret, KemPublic, KemSecret
from roost.crypto.meetings import MAX_ANNOUNCED, announce, recognised
from roost.crypto.peer_handshake import MAX_HANDSHAKE_PADDING, _opening_state, peer_tag
from roost.crypto.peer_link import PeerLinkInitiator, PeerLinkResponder, Records
from roost.crypto.peer_records import MAX_RECORD, RECORD_OVERHEAD, UNIT, _advance
from roost.errors import CryptoError

NOW = 1_900_000_000
PERIOD = NOW // 86_400
HOST = AgreementSecret.from_bytes(bytes(range(32)))
GUEST = AgreementSecret.from_bytes(bytes(range(100, 132)))
KEM = KemSecret.from_bytes(bytes(range(64)))
MEETING, OTHER_MEETING, NONCE = b"one meeting here", b"and another here", bytes(range(16))
ONE, OTHER = bytes(range(32)), bytes(range(32, 64))


def _host() -> PeerLinkResponder:
    return PeerLinkResponder(HOST, [OTHER_MEETING, MEETING], NOW, CountedEntropy(), lambda _: False)


def _guest(own: AgreementSecret = GUEST) -> PeerLinkInitiator:
    return PeerLinkInitiator(own, HOST.public, MEETING, NOW, CountedEntropy())


def _refused(end: PeerLinkInitiator | PeerLinkResponder, data: bytes, choices: Choices, known_after: int) -> None:
    """Neither answer nor link comes of `data`, in whatever pieces; it is known to be bad when it is long enough."""
    piece = 1 + choices.number(2)
    with only(CryptoError):
        for start in range(0, len(data), piece):
            insist(end.receive(data[start : start + piece]) == b"", "what is not authentic was answered")
        insist(len(data) < known_after, "what is not authentic was taken")
    insist(end.established is None, "a link came of it")


def handshakes(data: bytes) -> None:
    choices = Choices(data)
    how = choices.below(5)
    if how == 0:
        _refused(_host(), choices.rest(), choices, 32)
    elif how == 1:
        guest = _guest()
        guest.start()
        _refused(guest, choices.rest(), choices, 64)
    elif how == 2:
        _changed(choices)
    elif how == 3:
        _hostile_opening(choices)
    else:
        _hostile_identity(choices)


def _changed(choices: Choices) -> None:
    """One of the first two messages with changes."""
    guest, host = _guest(), _host()
    first = guest.start()
    which = choices.below(2)
    good = host.receive(first) if which else first
    changed = bytearray(good)
    while choices.left:
        changed[choices.number(2) % len(changed)] ^= choices.number(1)
    if changed != good:
        _refused(guest if which else _host(), bytes(changed), choices, len(good) + MAX_HANDSHAKE_PADDING)


def _hostile_opening(choices: Choices) -> None:
    """Everything inside the first message is the guest's to choose: its ephemeral keys and the padding."""
    shape, count = choices.below(8), choices.number(2)
    public = AgreementPublic(choices.take(32) if shape & 1 else GUEST.public.raw)
    kem = choices.take(KEM_PUBLIC_SIZE) if shape & 2 else KEM.public.raw
    padding = choices.rest()[:2_000] if shape & 4 else bytes(count)[:2_000]
    state = _opening_state(HOST.public, MEETING, NONCE, PERIOD)
    message = NONCE + peer_tag(MEETING, NONCE) + state.encrypt_and_hash(public.raw)
    state.mix_key(public.raw)
    allowed = len(padding) == count <= MAX_HANDSHAKE_PADDING and not any(padding)
    try:
        state.mix_key(HOST.exchange(public))
        KemPublic(kem).parsed()
    except CryptoError:
        allowed = False
    message += state.encrypt_and_hash(kem + count.to_bytes(2, "big")) + state.encrypt_and_hash(padding)
    answer, host = b"", _host()
    with only(CryptoError):
        answer = host.receive(message)
    insist(bool(answer) == allowed, "what only a good opening gets")


class _Claimed(AgreementSecret):
    """A public key and results of the fuzzer's."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(bytes(32))
        self._public, self._result = AgreementPublic(choices.take(32)), choices.take(32)

    def exchange(self, public: AgreementPublic) -> bytes:  # noqa: ARG002
        return self._result


def _hostile_identity(choices: Choices) -> None:
    guest, host = _guest(_Claimed(choices)), _host()
    third = guest.receive(host.receive(guest.start()))
    _refused(host, third, choices, len(third))


def records(data: bytes) -> None:
    """Somebody's bytes, good records with changes, or records under the right keys that no sender writes."""
    choices = Choices(data)
    how, piece = choices.below(3), 1 + choices.number(2)
    if how == 0:
        stream, expected = choices.rest(), b""
    elif how == 1:
        stream, expected = _changed_records(choices)
    else:
        stream, expected = _forged_records(choices)
    whole, pieces = Records(OTHER, ONE), Records(OTHER, ONE)
    opened, at_once = b"", None
    with only(CryptoError):
        at_once = b"".join(whole.open(stream))
        insist(expected.startswith(at_once), "something was opened that was not sealed")
    with only(CryptoError):
        for start in range(0, len(stream), piece):
            opened += b"".join(pieces.open(stream[start : start + piece]))
        insist(at_once == opened, "in pieces it is another stream")
        insist(whole.ended == pieces.ended, "in pieces it ends elsewhere")
    insist(expected.startswith(opened), "something was opened that was not sealed")
    insist(len(pieces._arrived) < MAX_RECORD, "too much is kept")


def _changed_records(choices: Choices) -> tuple[bytes, bytes]:
    sender = Records(ONE, OTHER)
    parts = [bytes(choices.number(2) % 9_000) for _ in range(choices.below(4))]
    stream = bytearray(b"".join(sender.seal(part) for part in parts) + sender.end())
    while choices.left:
        stream[choices.number(2) % len(stream)] ^= choices.number(1)
    return bytes(stream), b"".join(parts)


def _forged_records(choices: Choices) -> tuple[bytes, bytes]:
    chain, stream, expected = ONE, b"", b""
    for _ in range(choices.below(4)):
        chain, key = _advance(chain)
        units, length, said = choices.number(1), choices.number(2), choices.take(choices.below(40))
        body = said.ljust(max(units % 128 * UNIT - RECORD_OVERHEAD, 0), b"\0")
        cipher = AESGCM(key)
        stream += cipher.encrypt(bytes(12), bytes([units]) + length.to_bytes(2, "big"), None)
        stream += cipher.encrypt(bytes(11) + b"\1", body, None)
        expected += body[:length]
    return stream, expected


def announcements(data: bytes) -> None:
    """Somebody's bytes, or a host's with changes: only what was named is recognised."""
    choices = Choices(data)
    meetings = [bytes([number]) * 16 for number in range(choices.below(MAX_ANNOUNCED + 1))]
    if choices.below(2):
        insist(recognised(choices.rest(), meetings, NOW) == [], "a stranger's bytes name a meeting")
        return
    good = announce(meetings, NOW, CountedEntropy())
    insist(recognised(good, meetings, NOW) == meetings, "a meeting was not recognised")
    changed = bytearray(good)
    while choices.left:
        changed[choices.number(2) % len(changed)] ^= choices.number(1)
    found = recognised(bytes(changed), [*meetings, MEETING], NOW)
    insist(set(found) <= set(meetings), "a meeting was recognised that was not named")


TARGETS = (
    Target("crypto-peer-handshakes", handshakes, "only who holds a meeting is answered, and believed when proven"),
    Target("crypto-peer-records", records, "what was sealed comes out, in any pieces; else CryptoError", 20_000),
    Target("crypto-announcements", announcements, "only what was named is recognised", 1_024),
)
