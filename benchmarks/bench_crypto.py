"""The ratchet and the handshake against the bare primitives that they cannot do without."""

from __future__ import annotations

import os
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measure import Clock, Result, cost, throughput
from roost.crypto import (
    BLOB_PLAIN,
    BODY_SIZE,
    ENVELOPE_SIZE,
    AgreementSecret,
    AttachmentKey,
    KemPublic,
    LocalIdentity,
    PacketSecret,
    PrekeyBundle,
    PrekeySecrets,
    Session,
    accept,
    max_request,
    open_packet,
    seal_packet,
)
from roost.wire.sizes import PACKET_SMALL

BODY = bytes(BODY_SIZE)
BLOB = bytes(BLOB_PLAIN)


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


ENTROPY = SystemEntropy()


def run(clock: Clock) -> list[Result]:
    return [*_envelopes(clock), *_turns(clock), *_blobs(clock), *_packets(clock)]


def _device() -> tuple[LocalIdentity, PrekeySecrets, PrekeyBundle]:
    local = LocalIdentity(os.urandom(32), AgreementSecret.generate(ENTROPY))
    secrets = replace(PrekeySecrets.generate(ENTROPY), context=os.urandom(32))
    bundle = PrekeyBundle(
        local.account,
        local.identity.public,
        secrets.agreement.public,
        KemPublic(secrets.kem.public.raw),
        secrets.mask,
        secrets.context,
    )
    return local, secrets, bundle


def session_pair() -> tuple[Session, Session]:
    """Two ends of a session in which both have spoken."""
    (alice, _, _), (bob, secrets, bundle) = _device(), _device()
    a, first = Session.initiate(alice, bundle, ENTROPY).seal(BODY, ENTROPY)
    b, reply = accept(bob, secrets, first).session.seal(BODY, ENTROPY)
    a, _ = a.open(reply)
    a, second = a.seal(BODY, ENTROPY)
    b, _ = b.open(second)
    return a, b


def _envelopes(clock: Clock) -> list[Result]:
    a, b = session_pair()
    _, envelope = a.seal(BODY, ENTROPY)
    stored = b.to_bytes()
    floor = cost("AES-256-GCM of 4 KiB, fresh key", clock.microseconds(_gcm))
    return [
        floor,
        cost("seal an envelope", clock.microseconds(lambda: a.seal(BODY, ENTROPY)), floor),
        cost("open an envelope", clock.microseconds(lambda: b.open(envelope)), floor),
        cost("... from and to its stored state", clock.microseconds(lambda: _opened(stored, envelope)), floor),
    ]


def _gcm() -> bytes:
    return AESGCM(os.urandom(32)).encrypt(bytes(12), bytes(ENVELOPE_SIZE), None)


def _opened(stored: bytes, envelope: bytes) -> bytes:
    return Session.from_bytes(stored).open(envelope)[0].to_bytes()


def _turns(clock: Clock) -> list[Result]:
    (alice, _, _), (bob, secrets, bundle) = _device(), _device()
    _, first = Session.initiate(alice, bundle, ENTROPY).seal(BODY, ENTROPY)
    ends = list(session_pair())

    def turn() -> None:
        ends[0], envelope = ends[0].seal(BODY, ENTROPY)
        ends[1], _ = ends[1].open(envelope)
        ends.reverse()

    floor = cost("the bare primitives of a turn", clock.microseconds(_primitives))
    return [
        floor,
        cost("a turn: seal and open with a full step", clock.microseconds(turn), floor),
        cost("begin a session", clock.microseconds(lambda: Session.initiate(alice, bundle, ENTROPY)), floor),
        cost("accept a session", clock.microseconds(lambda: accept(bob, secrets, first)), floor),
    ]


def _primitives() -> None:
    """What one step needs at least: a key pair of each kind, one encapsulation and its opening, two exchanges."""
    one, other = AgreementSecret.generate(ENTROPY), AgreementSecret.generate(ENTROPY)
    one.exchange(other.public)
    other.exchange(one.public)
    kem = MLKEM768PrivateKey.generate()
    _, ciphertext = kem.public_key().encapsulate()
    kem.decapsulate(ciphertext)


def _blobs(clock: Clock) -> list[Result]:
    key = AttachmentKey(os.urandom(32))
    sealed = key.seal_blob(0, BLOB, last=False)
    bare = AESGCM(os.urandom(32))
    floor = throughput(
        "AES-256-GCM of 64 KiB", _mib(clock.microseconds(lambda: bare.encrypt(bytes(12), BLOB, None))), "MiB/s"
    )
    return [
        floor,
        throughput("seal blobs", _mib(clock.microseconds(lambda: key.seal_blob(0, BLOB, last=False))), "MiB/s", floor),
        throughput(
            "open blobs", _mib(clock.microseconds(lambda: key.open_blob(0, sealed, last=False))), "MiB/s", floor
        ),
    ]


def _mib(microseconds: float) -> float:
    return BLOB_PLAIN / microseconds * 1e6 / 2**20


def _packets(clock: Clock) -> list[Result]:
    secret = PacketSecret.generate(ENTROPY)
    request = bytes(max_request(PACKET_SMALL) // 2)
    packet, _ = seal_packet(secret.public, request, PACKET_SMALL, ENTROPY)
    return [
        cost(
            "seal a forwarded request",
            clock.microseconds(lambda: seal_packet(secret.public, request, PACKET_SMALL, ENTROPY)),
        ),
        cost("open a forwarded request", clock.microseconds(lambda: open_packet(secret, packet))),
    ]
