"""What the crypto tests share: seeded entropy, two people, and bodies that tell which one they are."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace
from hashlib import shake_256

from roost.crypto import (
    BODY_SIZE,
    KEM_PUBLIC_SIZE,
    AgreementSecret,
    KemPublic,
    KemSecret,
    LocalIdentity,
    PrekeyBundle,
    PrekeySecrets,
    Session,
    accept,
)


class SeededEntropy:
    """Deterministic `Entropy`: a SHAKE-256 stream read in order."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def bytes(self, count: int) -> builtins.bytes:
        self._count += 1
        return shake_256(self._seed + self._count.to_bytes(8, "big")).digest(count)


def body(number: int) -> bytes:
    """A body that carries `number`."""
    return number.to_bytes(8, "big") + bytes(BODY_SIZE - 8)


@dataclass(frozen=True)
class Person:
    """One device with one card."""

    local: LocalIdentity
    prekeys: PrekeySecrets
    entropy: SeededEntropy

    @property
    def bundle(self) -> PrekeyBundle:
        return PrekeyBundle(
            self.local.account,
            self.local.identity.public,
            self.prekeys.agreement.public,
            self.prekeys.kem.public,
            self.prekeys.mask,
            self.prekeys.context,
        )


def person(name: str) -> Person:
    entropy = SeededEntropy(name)
    prekeys = replace(PrekeySecrets.generate(entropy), context=entropy.bytes(32))
    return Person(LocalIdentity(entropy.bytes(32), AgreementSecret.generate(entropy)), prekeys, entropy)


class MalformedKem(KemSecret):
    """Shows a public key that fails FIPS 203's check."""

    @property
    def public(self) -> KemPublic:
        return KemPublic(b"\xff" * KEM_PUBLIC_SIZE)


ALICE, BOB, CAROL = person("alice"), person("bob"), person("carol")


def begun(seed: str = "begun") -> tuple[Session, Session, SeededEntropy]:
    """Alice's and Bob's ends of a session in which Bob accepted body(0) and has not answered yet."""
    entropy = SeededEntropy(seed)
    alice, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    return alice, accept(BOB.local, BOB.prekeys, envelope).session, entropy


def running(seed: str = "running", turns: int = 2) -> tuple[Session, Session, SeededEntropy]:
    """Both ends after some turns each way: both speak in ratchet envelopes, and Alice spoke last."""
    alice, bob, entropy = begun(seed)
    for number in range(turns):
        bob, envelope = bob.seal(body(number), entropy)
        alice, _ = alice.open(envelope)
        alice, envelope = alice.seal(body(number), entropy)
        bob, _ = bob.open(envelope)
    return alice, bob, entropy


def flipped(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
