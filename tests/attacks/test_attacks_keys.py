"""Attacks on keys and handshakes. Each test names the source from which the attack is known."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from roost.crypto import (
    BODY_SIZE,
    AgreementPublic,
    AgreementSecret,
    Label,
    LocalIdentity,
    NotForThisSession,
    Session,
    SigningKey,
    VerifyKey,
    accept,
)
from roost.errors import CryptoError
from roost.wire.codec import decode
from roost.wire.links import parse_invitation
from roost.wire.mailbox import RelayInfo
from tests.crypto.crypto_helpers import ALICE, BOB, CAROL, SeededEntropy, begun, body, running

P = 2**255 - 19
# All points of order 1, 2, 4 and 8 of Curve25519 and its twist, and what encodes them again (libsodium's blocklist).
LOW_ORDER = [
    value.to_bytes(32, "little")
    for value in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        P - 1,
        P,
        P + 1,
    )
]


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point[:4].hex())
@pytest.mark.parametrize("high_bit", [0, 0x80])
def test_low_order_and_identity_points(point: bytes, high_bit: int) -> None:
    """Accepted identity points make shared secrets known to everybody (vodozemac, 2026; RFC
    7748 section 6.1). Wherever a peer's X25519 key enters, such a point is refused, also with the ignored bit set."""
    bad = AgreementPublic(point[:31] + bytes([point[31] | high_bit]))
    with pytest.raises(CryptoError):
        AgreementSecret.generate(SeededEntropy("own")).exchange(bad)
    for change in ({"identity": bad}, {"agreement": bad}):
        with pytest.raises(CryptoError):
            Session.initiate(ALICE.local, replace(BOB.bundle, **change), SeededEntropy("start"))  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), (2**255 - 20).to_bytes(32, "little")])
def test_small_order_signing_keys(key: bytes) -> None:
    """With a key of small order one signature verifies for many messages (Chalkias, Garillot, Nikolaenko: "Taming
    the many EdDSAs", SSR 2020). Such account, device and relay keys verify nothing."""
    for signature in (bytes(64), key + bytes(32)):
        with pytest.raises(CryptoError):
            VerifyKey(key).verify(Label.DEVICE_LIST, b"anything", signature)


def test_key_compromise_impersonation() -> None:
    """Who stole Bob's long-term key must not be able to pretend to be Alice towards Bob (Blake-Wilson, Johnson,
    Menezes: "Key agreement protocols and their security analysis", 1997). It takes the secret of Bob's prekey as
    well."""
    thief = SeededEntropy("thief")
    stolen = BOB.local.identity
    pretended = LocalIdentity(ALICE.local.account, AgreementSecret.generate(thief))
    _, envelope = Session.initiate(pretended, BOB.bundle, thief).seal(body(0), thief)
    accepted = accept(BOB.local, BOB.prekeys, envelope)  # opens, but names another identity key than Alice's
    assert accepted.identity != ALICE.local.identity.public
    # To name Alice's key, the thief needs DH(Alice's identity, Bob's prekey): neither half is theirs.
    with pytest.raises(CryptoError):
        accept(LocalIdentity(BOB.local.account, stolen), replace(BOB.prekeys, agreement=stolen), envelope)


def test_unknown_key_share() -> None:
    """Two parties with one key who believe to talk to different people (Diffie, van Oorschot, Wiener 1992). Both
    accounts and identity keys are in the transcript: under another account nothing opens."""
    entropy = SeededEntropy("share")
    _, envelope = Session.initiate(ALICE.local, replace(BOB.bundle, account=CAROL.local.account), entropy).seal(
        body(0), entropy
    )
    with pytest.raises(NotForThisSession):
        accept(BOB.local, BOB.prekeys, envelope)


def test_a_card_exchanged_between_invitations() -> None:
    """A handshake made for one invitation, carried to another of the same device (swaps of invitations and of
    protocols: IACR ePrint 2024/918). The card's hash is in the transcript, so it opens with that card's prekeys
    alone."""
    entropy = SeededEntropy("swap")
    _, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    same_keys = replace(BOB.prekeys, context=bytes(32))
    with pytest.raises(NotForThisSession):
        accept(BOB.local, same_keys, envelope)


def test_signatures_do_not_cross_protocols() -> None:
    """A signature made for one purpose shown for another (IACR ePrint 2024/918, cross-protocol). Each purpose has a
    label of one length, so no message of one is a message of another."""
    key = SigningKey.generate(SeededEntropy("labels"))
    labels = list(Label)
    assert len({len(label.value) for label in labels}) == 1
    assert len({label.value for label in labels}) == len(labels)
    signature = key.sign(Label.CARD, b"statement")
    for label in labels:
        if label is not Label.CARD:
            with pytest.raises(CryptoError):
                key.public.verify(label, b"statement", signature)


def test_replayed_and_reflected_handshakes() -> None:
    """A recorded first message, played again to its receiver or back to its maker (Signal's X3DH specification,
    sections 4.2 and 4.3). Again: the same session id, which messaging refuses. Back: it opens nowhere."""
    entropy = SeededEntropy("replay")
    alice, envelope = Session.initiate(ALICE.local, BOB.bundle, entropy).seal(body(0), entropy)
    first, second = (accept(BOB.local, BOB.prekeys, envelope) for _ in range(2))
    assert first.session.id == second.session.id
    with pytest.raises(CryptoError):
        first.session.open(envelope)
    for attempt in (lambda: alice.open(envelope), lambda: accept(ALICE.local, ALICE.prekeys, envelope)):
        with pytest.raises(NotForThisSession):
            attempt()


def test_forward_skip_exhaustion() -> None:
    """One header with a far index makes a receiver derive keys without end (Double Ratchet specification, section
    8.4; CVEs of several implementations). A jump is bounded before any key is derived, and nothing of the state
    changes."""
    alice, bob, entropy = running()
    for _ in range(1_002):
        alice, envelope = alice.seal(body(1), entropy)
    before = bob.to_bytes()
    with pytest.raises(CryptoError) as caught:
        bob.open(envelope)
    assert caught.value.code == "too_far_ahead"
    assert bob.to_bytes() == before


def test_a_forged_ephemeral_changes_nothing() -> None:
    """State advanced before authentication lets anybody desynchronise a session (Cremers, Jacomme, Naska: "Formal
    analysis of session-handling in secure messaging", USENIX Security 2023). Each of 200 damaged envelopes leaves
    the state as it was."""
    alice, bob, entropy = begun()
    bob, envelope = bob.seal(body(1), entropy)
    before = alice.to_bytes()
    for position in range(0, len(envelope), 21):
        damaged = bytearray(envelope)
        damaged[position] ^= 0x40
        with pytest.raises(CryptoError):
            alice.open(bytes(damaged))
    assert alice.to_bytes() == before
    assert alice.open(envelope)[1] == body(1)


def test_there_is_nothing_to_downgrade_to() -> None:
    """An attacker who chooses the version or the suite (the history of SSL; Bhargavan and others: "Downgrade
    resilience in key exchange protocols", S&P 2016). No handshake, session or packet takes a version or a suite as
    a parameter, a link says which version it is and an unknown one is refused, and TLS begins at 1.3."""
    for function in (Session.initiate, accept, Session.seal, Session.open):
        names = set(inspect.signature(function).parameters)
        assert not names & {"version", "suite", "cipher", "kdf", "mode"}
    assert BODY_SIZE < 4_096
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is the parser's business
        parse_invitation("roost:i9AAAA")
    assert type(caught.value).__module__.startswith("roost")
    with pytest.raises(Exception):  # noqa: B017, PT011
        decode(RelayInfo, b"\x90")
