"""Targets of the crypto room: envelopes, handshakes, stored sessions, packets, cards, blobs, account ids.

Where a key stands before the parser, the target holds it and seals what the fuzzer wrote, as a hostile peer would.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto import (
    BLOB_PLAIN,
    BLOB_SIZE,
    BODY_SIZE,
    CARD_SIZE,
    ENVELOPE_SIZE,
    AgreementSecret,
    AnswerKey,
    AttachmentKey,
    KemPublic,
    KemSecret,
    LocalIdentity,
    MalformedAccountId,
    NotForThisSession,
    PacketPublic,
    PacketSecret,
    PrekeyBundle,
    PrekeySecrets,
    Session,
    accept,
    account_id,
    open_card,
    open_packet,
    parse_account_id,
    seal_card,
    unwrap_secret,
)
from roost.crypto.aead import seal_once, seal_salted
from roost.crypto.chains import MAX_CHAINS, MAX_SKIPPED
from roost.crypto.envelope import HEADER_SIZE, HandshakeHeader, mask_opening, seal_body
from roost.crypto.handshake import initiate
from roost.crypto.kdf import advance, derive32
from roost.crypto.labels import Label
from roost.crypto.ratchet import OwnStep, PeersTurn, RatchetOpening, SendingChain, sending_turn
from roost.errors import CryptoError

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors" / "crypto"
BODY = bytes(BODY_SIZE)
SALT = bytes(16)


@cache
def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


@cache
def states() -> tuple[bytes, ...]:
    """Stored sessions: an initiator's without an answer, a responder's, and both ends of one that has run."""
    handshake, ratchet = vector("handshake"), vector("ratchet")
    return (
        bytes.fromhex(handshake["initiator_state"]),
        bytes.fromhex(handshake["responder_state_after_the_second_message"]),
        bytes.fromhex(ratchet["states_at_the_end"]["alice"]),
        bytes.fromhex(ratchet["states_at_the_end"]["bob"]),
    )


def _refuses_or_advances(session: Session, envelope: bytes) -> None:
    """The property of every open: our error and nothing changed, or a session that round-trips and knows replays."""
    before = session.to_bytes()
    try:
        after, body = session.open(envelope)
    except CryptoError:
        insist(session.to_bytes() == before, "a refused envelope changed the session")
        return
    insist(session.to_bytes() == before, "opening changed the old session")
    insist(len(body) == BODY_SIZE, "a body has the wrong size")
    insist(Session.from_bytes(after.to_bytes()) == after, "the session does not come back from the store")
    insist(sum(len(chain.skipped) for chain in after.receiving) <= MAX_SKIPPED, "too many skipped keys")
    insist(len(after.receiving) <= MAX_CHAINS, "too many chains")
    try:
        after.open(envelope)
    except NotForThisSession:
        insist(False, "a replay looks like another session's envelope")
    except CryptoError as error:
        insist(error.code == "replayed", "a replay is not known as one")
    else:
        insist(False, "a replay was opened")


def envelopes(data: bytes) -> None:
    """Bytes from outside: whole envelopes, or good ones with changes."""
    choices = Choices(data)
    session = Session.from_bytes(states()[choices.below(4)])
    if choices.below(2):
        _refuses_or_advances(session, choices.rest())
        return
    messages = vector("handshake")["messages"]
    changed = bytearray.fromhex(messages[choices.below(len(messages))]["envelope"])
    while choices.left:
        changed[choices.number(2) % ENVELOPE_SIZE] ^= choices.number(1)
    _refuses_or_advances(session, bytes(changed))
    with only(CryptoError):
        accept(*_responder(), bytes(changed))


def hostile_turns(data: bytes) -> None:
    """A peer who holds the right keys and writes whatever it likes into its headers."""
    choices = Choices(data)
    alice, bob = (Session.from_bytes(state) for state in states()[2:])
    hostile, session = (bob, alice) if choices.below(2) else (alice, bob)
    while choices.left >= 8:
        chain = hostile.sending
        if isinstance(chain, PeersTurn):
            _, chain = sending_turn(hostile.root, hostile.next_sending_header, chain, CountedEntropy())
        envelope = _hostile_envelope(choices, chain)
        _refuses_or_advances(session, envelope)
        try:
            session, _ = session.open(envelope)
        except CryptoError:
            return


def _hostile_envelope(choices: Choices, chain: SendingChain) -> bytes:
    """A message of `chain`, its index, PN, keys and ciphertext chosen by the fuzzer."""
    step, opening, shape = chain.step, chain.step.opening, choices.below(16)
    key, jump = chain.key, choices.number(2) % 1_100
    index = chain.index + jump if shape & 1 else choices.number(4)
    for _ in range(jump if shape & 1 else 0):
        key, _ = advance(key)
    if isinstance(opening, RatchetOpening):
        ciphertext = choices.take(1_088) if shape & 2 else opening.ciphertext
        opening = RatchetOpening(opening.header, ciphertext, choices.number(4))
        step = OwnStep(opening, step.agreement, step.kem)
        keys = step.agreement.public.raw, step.kem.public.raw
        if shape & 4:
            keys = choices.take(32), keys[1]
        if shape & 8:
            keys = keys[0], choices.take(1_184)
        fixed = b"".join((*keys, ciphertext, opening.previous.to_bytes(4, "big")))
        header = opening.header.seal(SALT, fixed, index)
    else:
        header = step.seal_header(SALT, index)
    return seal_body(advance(key)[1], SALT, header, BODY)


def handshakes(data: bytes) -> None:
    """A stranger with the card: every byte of the introduction is theirs, also the claimed identity."""
    choices = Choices(data)
    local, prekeys = _responder()
    if choices.below(4) == 0:
        with only(CryptoError):
            accept(local, prekeys, choices.rest())
        return
    opening, header, keys = _initiation()
    introduction = bytearray(header.introduction)
    index = choices.number(4)
    place = choices.number(2) % len(introduction)
    new = choices.rest()[: len(introduction) - place]
    introduction[place : place + len(new)] = new
    masked = mask_opening(prekeys.mask, SALT, opening)
    sealed = header.header.seal(SALT, masked, bytes(introduction), index)
    insist(len(sealed) == HEADER_SIZE, "a header has the wrong size")
    key = keys.chain
    for _ in range(min(index, 1_000)):
        key, _ = advance(key)
    envelope = seal_body(advance(key)[1], SALT, sealed, BODY)
    with only(CryptoError):
        accepted = accept(local, prekeys, envelope)
        insist(bytes(introduction) == header.introduction, "a changed introduction was believed")
        insist(Session.from_bytes(accepted.session.to_bytes()) == accepted.session, "the session does not come back")


@cache
def _responder() -> tuple[LocalIdentity, PrekeySecrets]:
    responder = vector("handshake")["responder"]
    secret = AgreementSecret(bytes.fromhex(responder["identity_secret"]))
    local = LocalIdentity(bytes.fromhex(responder["account"]), secret)
    return local, PrekeySecrets.from_bytes(bytes.fromhex(responder["prekeys"]))


@cache
def _initiation() -> tuple[bytes, Any, Any]:
    local, prekeys = _responder()
    bundle = PrekeyBundle(
        local.account,
        local.identity.public,
        prekeys.agreement.public,
        prekeys.kem.public,
        prekeys.mask,
        prekeys.context,
    )
    entropy = CountedEntropy()
    stranger = LocalIdentity(entropy.bytes(32), AgreementSecret.generate(entropy))
    start = initiate(stranger, bundle, AgreementSecret.generate(entropy), KemSecret.generate(entropy))
    insist(isinstance(start.header, HandshakeHeader), "not a handshake")
    return start.opening, start, start.keys


def stored_sessions(data: bytes) -> None:
    """Whole states, or good ones with changes; what is accepted is canonical and can be used."""
    choices = Choices(data)
    if choices.below(2):
        state = choices.rest()
    else:
        changed = bytearray(states()[choices.below(4)])
        while choices.left:
            changed[choices.number(2) % len(changed)] = choices.number(1)
        state = bytes(changed)
    with only(CryptoError):
        session = Session.from_bytes(state)
        insist(session.to_bytes() == state, "another encoding was accepted")
        _refuses_or_advances(session, bytes(ENVELOPE_SIZE))
        try:
            session.seal(BODY, CountedEntropy())
        except ValueError as error:
            insist("full" in str(error), "sealing fails in a way of its own")
    with only(CryptoError):
        insist(PrekeySecrets.from_bytes(state).to_bytes() == state, "prekeys: another encoding was accepted")


def packets(data: bytes) -> None:
    """Packets from other relays: raw, and sealed to our key with any plaintext; answers likewise; packet keys."""
    choices = Choices(data)
    secret, how = _packet_secret(), choices.below(4)
    plain = choices.rest()
    packet = secret.public.seal(plain) if how == 0 else plain
    with only(CryptoError):
        request, answer_key, tag = open_packet(secret, packet)
        insist(len(tag) == 32, "a tag has the wrong size")
        insist(how != 0 or plain[36 : 36 + len(request)] == request, "another request came out")
        insist(answer_key.open(answer_key.seal(request, len(request) + 4)) == request, "an answer does not come back")
        with only(CryptoError):
            answer_key.open(plain)
    if how == 2:
        cipher = AESGCMSIV(derive32(Label.ANSWER, bytes(32), b""))
        with only(CryptoError):
            AnswerKey(bytes(32)).open(cipher.encrypt(bytes(12), plain, None))
    if how == 3:
        with only(CryptoError):
            insist(PacketPublic(plain).raw == plain, "another key came out")
            PacketPublic(plain).seal(b"")
        with only(CryptoError):
            KemPublic(plain).parsed()


@cache
def _packet_secret() -> PacketSecret:
    return PacketSecret.from_bytes(bytes.fromhex(vector("packet")["secret"]))


def cards(data: bytes) -> None:
    """A stored card: raw, and sealed under the link's key with any padding; wrapped secrets likewise."""
    choices, key = Choices(data), bytes(range(32))
    how, plain = choices.below(3), choices.rest()
    if how == 0:
        stored = plain
    elif how == 1:
        stored = seal_salted(
            Label.CARD_SEAL, key, plain.ljust(CARD_SIZE - 32, b"\0")[: CARD_SIZE - 32], CountedEntropy()
        )
    else:
        stored = SALT + seal_once(derive32(Label.CARD_SEAL, key, SALT), plain)
    with only(CryptoError):
        card = open_card(key, stored)
        insist(open_card(key, seal_card(key, card, CountedEntropy())) == card, "a card does not come back")
        insist(len(stored) == CARD_SIZE, "a card of another size was opened")
    with only(CryptoError):
        unwrap_secret(key, plain)


def blobs(data: bytes) -> None:
    """Stored blobs: raw, changed, and sealed under the attachment's key with any length and flag."""
    choices, key = Choices(data), AttachmentKey(bytes(range(32)))
    how, index, last = choices.below(3), choices.number(2), bool(choices.below(2))
    plain = choices.rest()
    if how == 0:
        blob = plain
    elif how == 1:
        good = bytearray(key.seal_blob(index, plain[:BLOB_PLAIN], last=True))
        good[len(plain) % BLOB_SIZE] ^= 1
        blob = bytes(good)
    else:
        cipher = AESGCMSIV(derive32(Label.BLOB_KEY, bytes(range(32)), b""))
        nonce = bytes(8) + index.to_bytes(4, "big")
        blob = cipher.encrypt(nonce, plain.ljust(BLOB_PLAIN + 4, b"\0")[: BLOB_PLAIN + 4], Label.BLOB_KEY.value)
    with only(CryptoError):
        part = key.open_blob(index, blob, last=last)
        insist(how == 2 and key.seal_blob(index, part, last=last) == blob, "another blob was accepted")


def account_ids(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with only(MalformedAccountId):
        insist(account_id(parse_account_id(text)) == text, "an account id has another spelling")


TARGETS = (
    Target("crypto-envelopes", envelopes, "opened once, or CryptoError and nothing changed"),
    Target("crypto-hostile-turns", hostile_turns, "a peer with the right keys cannot break a session", 16_384),
    Target("crypto-handshakes", handshakes, "only the true introduction is believed; else CryptoError"),
    Target("crypto-stored-sessions", stored_sessions, "a state has one encoding and can be used; else CryptoError"),
    Target("crypto-packets", packets, "what was sealed comes out; else CryptoError", 16_384),
    Target("crypto-cards", cards, "what was sealed comes out; else CryptoError"),
    Target("crypto-blobs", blobs, "a blob has one form; else CryptoError"),
    Target("crypto-account-ids", account_ids, "an id has one spelling; else MalformedAccountId", 256),
)
