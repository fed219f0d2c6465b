"""Makes tests/vectors/crypto/*.json: `python -m tests.crypto.make_vectors`.

Regression vectors, made by this implementation: they pin today's bytes, for us and for other implementations. What the
libraries draw for themselves (ML-KEM encapsulations, HPKE) cannot be repeated, so it is taken from the present files:
making them anew changes nothing unless the code does.
"""

from __future__ import annotations

import builtins
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from roost.crypto import (
    BODY_SIZE,
    AgreementSecret,
    AnswerKey,
    AttachmentKey,
    KemPublic,
    KemSecret,
    Label,
    LocalIdentity,
    NotForThisSession,
    PacketSecret,
    PrekeyBundle,
    PrekeySecrets,
    Session,
    SigningKey,
    StretchParams,
    accept,
    account_id,
    capability_hash,
    card_keys,
    envelope_hash,
    open_packet,
    padded_count,
    parcel_head,
    safety_number,
    seal_card,
    seal_packet,
    seal_parcel,
    solve_work,
    stretch,
    wrap_secret,
)
from roost.crypto.kdf import advance, derive32, hash32, hkdf, transcript
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import SeededEntropy, flipped

FOLDER = Path(__file__).parent.parent / "vectors" / "crypto"
NOTE = "Regression vectors, made by this implementation (python -m tests.crypto.make_vectors); not independent answers."
Vector = dict[str, Any]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Recording:
    """Entropy that notes what it gave, so that a vector can name it."""

    def __init__(self, seed: str) -> None:
        self._source = SeededEntropy(seed)
        self._given = b""

    def bytes(self, count: int) -> builtins.bytes:
        data = self._source.bytes(count)
        self._given += data
        return data

    def taken(self) -> str:
        given, self._given = self._given, b""
        return given.hex()


@contextmanager
def encapsulations(known: dict[str, list[str]]) -> Iterator[dict[str, list[str]]]:
    """While inside, encapsulating to a public key gives what `known` says for its SHA-256, or is noted there."""
    genuine = KemPublic.encapsulate

    def recorded(self: KemPublic) -> tuple[bytes, bytes]:
        name = sha256(self.raw)
        if name not in known:
            known[name] = [part.hex() for part in genuine(self)]
        secret, ciphertext = known[name]
        return bytes.fromhex(secret), bytes.fromhex(ciphertext)

    KemPublic.encapsulate = recorded  # type: ignore[method-assign]
    try:
        yield known
    finally:
        KemPublic.encapsulate = genuine  # type: ignore[method-assign]


def derivations(_before: Vector) -> Vector:
    key, data = bytes(range(32)), b"data"
    seed, salt = bytes(range(100, 132)), bytes(range(16))
    entropy = Recording("derivations")
    wrapped = wrap_secret(key, b"secret", entropy)
    wrap_salt = entropy.taken()
    keys = card_keys(salt)
    stored = seal_card(keys.key, b"card", entropy)
    proof = solve_work(salt, key, seed, 12)
    return {
        "key": key.hex(),
        "data": data.hex(),
        "prf": {label.name: derive32(label, key, data).hex() for label in Label},
        "hash": {label.name: hash32(label, data).hex() for label in Label},
        "transcript": transcript(Label.TRANSCRIPT, data).hex(),
        "advance": [part.hex() for part in advance(key)],
        "hkdf": hkdf(Label.ROOT, salt=key, secret=data, info=b"info", length=128).hex(),
        "signature": {
            "seed": seed.hex(),
            "public": SigningKey.from_seed(seed).public.raw.hex(),
            **{
                label.name: SigningKey.from_seed(seed).sign(label, data).hex()
                for label in (Label.CARD, Label.RELAY_INFO)
            },
        },
        "account_id": {key.hex(): account_id(key), seed.hex(): account_id(seed)},
        "safety_number": {"accounts": [key.hex(), seed.hex()], "number": safety_number(key, seed)},
        "capability_hash": {key.hex(): capability_hash(key).hex()},
        "envelope_hash_of_zeros": envelope_hash(bytes(4_096)).hex(),
        "work": {"nonce": salt.hex(), "mailbox": key.hex(), "envelope": seed.hex(), "bits": 12, "proof": proof.hex()},
        "stretch": {
            "passphrase": "pass\u00a0phrase e\u0301",
            "salt": salt.hex(),
            "memory_kib": 64,
            "passes": 2,
            "key": stretch("pass\u00a0phrase e\u0301", salt, StretchParams(64, 2)).hex(),
        },
        "wrap": {"key": key.hex(), "salt": wrap_salt, "secret": b"secret".hex(), "wrapped": wrapped.hex()},
        "card": {
            "link_secret": salt.hex(),
            "locator": keys.locator.hex(),
            "key": keys.key.hex(),
            "card": b"card".hex(),
            "salt": entropy.taken(),
            "stored_sha256": sha256(stored),
        },
    }


def people() -> tuple[LocalIdentity, LocalIdentity, PrekeySecrets]:
    entropy = SeededEntropy("vectors")
    alice = LocalIdentity(entropy.bytes(32), AgreementSecret.generate(entropy))
    bob = LocalIdentity(entropy.bytes(32), AgreementSecret.generate(entropy))
    parts = AgreementSecret.generate(entropy), KemSecret.generate(entropy), entropy.bytes(32), entropy.bytes(32)
    return alice, bob, PrekeySecrets(*parts)


def bundle_of(local: LocalIdentity, prekeys: PrekeySecrets) -> PrekeyBundle:
    publics = local.identity.public, prekeys.agreement.public, prekeys.kem.public
    return PrekeyBundle(local.account, *publics, prekeys.mask, prekeys.context)


def padded(text: str) -> bytes:
    return text.encode().ljust(BODY_SIZE, b"\0")


def handshake(before: Vector) -> Vector:
    alice, bob, prekeys = people()
    entropy = Recording("handshake")
    with encapsulations(before.get("encapsulations", {})) as known:
        session = Session.initiate(alice, bundle_of(bob, prekeys), entropy)
    random, fresh = entropy.taken(), session.to_bytes()
    messages = []
    for text in ("first", "second", "third"):
        session, envelope = session.seal(padded(text), entropy)
        messages.append({"body": text, "salt": entropy.taken(), "envelope": envelope.hex()})
    accepted = accept(bob, prekeys, bytes.fromhex(messages[1]["envelope"]))
    return {
        "bodies": f"each is the text, padded with zeros to {BODY_SIZE} bytes",
        "initiator": {"account": alice.account.hex(), "identity_secret": alice.identity.to_bytes().hex()},
        "responder": {
            "account": bob.account.hex(),
            "identity_secret": bob.identity.to_bytes().hex(),
            "prekeys": prekeys.to_bytes().hex(),
        },
        "random": random,
        "encapsulations": known,
        "session_id": session.id.hex(),
        "messages": messages,
        "initiator_state_at_first": fresh.hex(),
        "initiator_state": session.to_bytes().hex(),
        "responder_state_after_the_second_message": accepted.session.to_bytes().hex(),
    }


PLAY = (
    *("open alice 0", "open alice 2", "seal bob", "seal bob", "open bob 4", "seal alice", "seal alice", "open alice 6"),
    *("seal bob", "open bob 7", "open bob 3", "seal alice", "open alice 8", "open alice 5", "seal alice"),
)


def ratchet(before: Vector) -> Vector:
    """Goes on from the handshake's vectors. `open alice 6` is: the other side opens envelope 6, which Alice sealed."""
    start = json.loads((FOLDER / "handshake.json").read_text())
    states = {"alice": start["initiator_state"], "bob": start["responder_state_after_the_second_message"]}
    sessions = {name: Session.from_bytes(bytes.fromhex(state)) for name, state in states.items()}
    sealed = [bytes.fromhex(message["envelope"]) for message in start["messages"]]
    bodies = [message["body"] for message in start["messages"]]
    entropy, steps = Recording("ratchet"), []
    with encapsulations(before.get("encapsulations", {})) as known:
        for line in PLAY:
            act, speaker, *number = line.split()
            step: Vector = {"act": act, "of": speaker}
            if act == "seal":
                bodies.append(f"message {len(sealed)}")
                sessions[speaker], envelope = sessions[speaker].seal(padded(bodies[-1]), entropy)
                step |= {
                    "number": len(sealed),
                    "body": bodies[-1],
                    "random": entropy.taken(),
                    "envelope": envelope.hex(),
                }
                sealed.append(envelope)
                actor = speaker
            else:
                actor = {"alice": "bob", "bob": "alice"}[speaker]
                sessions[actor], opened = sessions[actor].open(sealed[int(number[0])])
                assert opened == padded(bodies[int(number[0])])
                step |= {"number": int(number[0]), "body": bodies[int(number[0])]}
            steps.append(step | {"actor": actor, "state_sha256": sha256(sessions[actor].to_bytes())})
    return {
        "start": "alice: initiator_state, bob: responder_state_after_the_second_message of handshake.json; its three "
        "messages are envelopes 0 to 2",
        "random": "in the order drawn: for a new turn X25519 secret 32 and ML-KEM seed 64, then the salt 16",
        "encapsulations": known,
        "steps": steps,
        "states_at_the_end": {name: session.to_bytes().hex() for name, session in sessions.items()},
        "refused_at_the_end": refusals(sessions, sealed),
    }


def refusals(sessions: dict[str, Session], sealed: list[bytes]) -> list[Vector]:
    """Envelopes that must not open, each with the reason that must be given."""
    attempts: list[tuple[str, int, int | None]] = [("bob", number, None) for number in (0, 1, 5, 8)]
    attempts += [("alice", 8, None), ("alice", 4, None), ("bob", 0, 8 * 3_000)]
    attempts += [("bob", 9, bit) for bit in (3, 8 * 2_403, 8 * 2_404, 8 * 4_095)]
    result = []
    for actor, number, bit in attempts:
        envelope = sealed[number] if bit is None else flipped(sealed[number], bit)
        result.append(
            {"actor": actor, "number": number, "flipped_bit": bit, "code": code_of(sessions[actor], envelope)}
        )
    return result


def code_of(session: Session, envelope: bytes) -> str:
    try:
        session.open(envelope)
    except (NotForThisSession, CryptoError) as error:
        return error.code
    raise AssertionError("opened what must be refused")


def attachment(_before: Vector) -> Vector:
    key = AttachmentKey(bytes(range(32)))
    blob = key.seal_blob(1, b"the end", last=True)
    return {
        "key": key.to_bytes().hex(),
        "ids": [key.blob_id(index).hex() for index in range(3)],
        "blob": {"index": 1, "last": True, "part": b"the end".hex(), "begins": blob[:64].hex(), "sha256": sha256(blob)},
        "stored_blobs": {str(size): padded_count(size) for size in (0, 1, 65_516, 65_517, 10**6, 10**8, 2 * 1024**3)},
    }


def packet(before: Vector) -> Vector:
    secret = PacketSecret.from_bytes(bytes(range(96)))
    sealed = before.get("packet") or seal_packet(secret.public, b"request", 512, SeededEntropy("packet"))[0].hex()
    request, answer_key, tag = open_packet(secret, bytes.fromhex(sealed))
    return {
        "secret": secret.to_bytes().hex(),
        "public": secret.public.raw.hex(),
        "size_class": 512,
        "packet": sealed,
        "request": request.hex(),
        "replay_tag": tag.hex(),
        "answer": b"answer".hex(),
        "sealed_answer": answer_key.seal(b"answer", 512).hex(),
        "zero_key_answer": AnswerKey(bytes(32)).seal(b"answer", 64).hex(),
    }


def parcel(_before: Vector) -> Vector:
    """Two parcels for one meeting: their heads, and a hash of each whole."""
    meeting, entropy = bytes(range(16)), Recording("parcel")
    cases = []
    for body in (b"a small body", b"\xbb" * 65_640):
        head = parcel_head(meeting, entropy)
        sealed = seal_parcel(meeting, head, body)
        named = {"body": body.hex()} if len(body) < 100 else {"body_byte": body[:1].hex(), "body_size": len(body)}
        cases.append(
            {"nonce": entropy.taken(), "head": head.hex(), **named, "size": len(sealed), "sha256": sha256(sealed)}
        )
    return {"meeting": meeting.hex(), "parcels": cases}


MAKERS: dict[str, Callable[[Vector], Vector]] = {
    "derivations": derivations,
    "handshake": handshake,
    "ratchet": ratchet,
    "attachment": attachment,
    "packet": packet,
    "parcel": parcel,
}


def read(name: str) -> Vector:
    """A committed file, or nothing."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def made(name: str) -> Vector:
    """What the file should hold."""
    return {"note": NOTE, **MAKERS[name](read(name))}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for vector in MAKERS:
        (FOLDER / f"{vector}.json").write_text(json.dumps(made(vector), indent=1) + "\n")
