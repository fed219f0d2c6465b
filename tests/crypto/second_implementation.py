"""A second implementation of handshake, ratchet and envelopes, written from docs/protocol/ and from nothing else.

Slow, literal and mutable; it shares no line and hardly a library call with the first (X25519 from OpenSSL, BLAKE2b
from libsodium, HKDF by hand). Names are the documents'. It loads and saves the documented state, so that a session can
change hands between the two at any moment.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from nacl.bindings import crypto_generichash_blake2b_salt_personal as blake2b


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def label(text: str) -> bytes:
    return text.encode().ljust(16, b"\0")


def prf(text: str, key: bytes, data: bytes) -> bytes:
    return blake2b(data, digest_size=32, key=key, person=label(text))


def advance(key: bytes) -> tuple[bytes, bytes]:
    output = blake2b(b"", digest_size=64, key=key, person=label("roost1 chain"))
    return output[0:32], output[32:64]


def transcript(text: str, data: bytes) -> bytes:
    return hashlib.sha512(label(text) + data).digest()


def hkdf(text: str, salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    key, block, output, counter = hmac.digest(salt, secret, "sha512"), b"", b"", 1
    while len(output) < length:
        block = hmac.digest(key, block + label(text) + info + bytes([counter]), "sha512")
        output, counter = output + block, counter + 1
    return output[:length]


def gcm(key: bytes, plaintext: bytes, ad: bytes = b"") -> bytes:
    return AESGCM(key).encrypt(bytes(12), plaintext, ad)


def gcm_open(key: bytes, sealed: bytes, ad: bytes = b"") -> bytes | None:
    try:
        return AESGCM(key).decrypt(bytes(12), sealed, ad)
    except InvalidTag:
        return None


def mask(key: bytes, data: bytes) -> bytes:
    return Cipher(AES(key), CTR(bytes(15) + b"\2")).encryptor().update(data)


def x25519(secret: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def x25519_public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def kem_public(seed: bytes) -> bytes:
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    return MLKEM768PublicKey.from_public_bytes(public).encapsulate()


def decapsulate(seed: bytes, ct: bytes) -> bytes:
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ct)


@dataclass
class Card:
    """The responder's public side, as a card and its context give it."""

    account: bytes
    identity: bytes
    agreement: bytes
    kem: bytes
    mask: bytes
    context: bytes


@dataclass
class Chain:
    """A receiving chain."""

    kind: int
    header_key: bytes
    chain_key: bytes | None
    index: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)

    def key(self, n: int) -> bytes | None:
        """The message key of index `n`; the caller works on a copy."""
        if n < self.index or self.chain_key is None:
            return self.skipped.pop(n, None)
        if n - self.index > 1_000:
            return None
        self.skip(n)
        self.chain_key, mk = advance(self.chain_key)
        self.index += 1
        return mk

    def skip(self, n: int) -> None:
        while self.index < n and self.chain_key is not None:
            self.chain_key, self.skipped[self.index] = advance(self.chain_key)
            self.index += 1

    def header(self, envelope: bytes) -> bytes | None:
        salt, block = envelope[:16], envelope[16:2404]
        if self.kind == 0:
            return gcm_open(prf("roost1 hs seal", self.header_key, salt), block[1120:], block[:1120])
        return gcm_open(prf("roost1 header", self.header_key, salt), block)

    def copy(self) -> Chain:
        return Chain(self.kind, self.header_key, self.chain_key, self.index, dict(self.skipped))


@dataclass
class Session:
    """The state of docs/protocol/ratchet.md. `kind` says which of the sending side's fields count."""

    id: bytes
    confirmed: int
    kind: int
    rk: bytes
    nhks: bytes
    nhkr: bytes
    dh_secret: bytes = b""
    kem_seed: bytes = b""
    chain_key: bytes = b""
    index: int = 0
    header_key: bytes = b""  # or k1
    card_mask: bytes = b""
    ct: bytes = b""
    account: bytes = b""
    identity: bytes = b""
    pn: int = 0
    peer_dh: bytes = b""
    peer_kem: bytes = b""
    chains: list[Chain] = field(default_factory=list)

    def seal(self, plaintext: bytes, random: bytes) -> bytes:
        """`random` is 112 bytes: X25519 secret, ML-KEM seed (both for a turn alone) and salt."""
        if self.kind == 2:
            self.take_turn(random[:32], random[32:96])
        salt = random[96:112]
        self.chain_key, mk = advance(self.chain_key)
        if self.kind == 0:
            masked = mask(prf("roost1 hs mask", self.card_mask, salt), x25519_public(self.dh_secret) + self.ct)
            introduction = self.account + self.identity + kem_public(self.kem_seed)
            key = prf("roost1 hs seal", self.header_key, salt)
            header = masked + gcm(key, introduction + u32(self.index), masked)
        else:
            keys = x25519_public(self.dh_secret) + kem_public(self.kem_seed) + self.ct
            plain = keys + u32(self.pn) + u32(self.index) + bytes(60)
            header = gcm(prf("roost1 header", self.header_key, salt), plain)
        self.index += 1
        return salt + header + gcm(prf("roost1 body", mk, salt), plaintext, salt + header)

    def take_turn(self, dh_secret: bytes, kem_seed: bytes) -> None:
        ss, self.ct = encapsulate(self.peer_kem)
        dh = x25519_public(dh_secret)
        output = hkdf("roost1 step", self.rk, x25519(dh_secret, self.peer_dh) + ss, dh + self.peer_dh + self.ct, 96)
        self.header_key = self.nhks
        self.rk, self.chain_key, self.nhks = output[:32], output[32:64], output[64:]
        self.dh_secret, self.kem_seed, self.index, self.kind = dh_secret, kem_seed, 0, 1

    def open(self, envelope: bytes) -> bytes | None:
        """The body, or None and nothing changed."""
        newest = [len(self.chains) - 1] if self.chains else []
        for position in newest:
            if (header := self.chains[position].header(envelope)) is not None:
                return self.open_in(position, header, envelope)
        if (header := Chain(1, self.nhkr, None).header(envelope)) is not None:
            return self.follow_turn(header, envelope)
        for position in reversed(range(len(self.chains) - 1)):
            if (header := self.chains[position].header(envelope)) is not None:
                return self.open_in(position, header, envelope)
        return None

    def open_in(self, position: int, header: bytes, envelope: bytes) -> bytes | None:
        chain = self.chains[position].copy()
        at = 1248 if chain.kind == 0 else 2308
        mk = chain.key(int.from_bytes(header[at : at + 4], "big"))
        plaintext = None if mk is None else open_body(mk, envelope)
        if plaintext is not None:
            self.chains[position] = chain
            self.forget()
        return plaintext

    def follow_turn(self, header: bytes, envelope: bytes) -> bytes | None:
        if self.kind == 2:
            return None
        dh, kem, ct = header[:32], header[32:1216], header[1216:2304]
        pn, n = int.from_bytes(header[2304:2308], "big"), int.from_bytes(header[2308:2312], "big")
        secret = x25519(self.dh_secret, dh) + decapsulate(self.kem_seed, ct)
        output = hkdf("roost1 step", self.rk, secret, dh + x25519_public(self.dh_secret) + ct, 96)
        chain = Chain(1, self.nhkr, output[32:64])
        mk = chain.key(n)
        plaintext = None if mk is None else open_body(mk, envelope)
        if plaintext is None:
            return None
        if self.chains:
            older = self.chains[-1]
            older.skip(min(pn, older.index + 1_000))
            older.chain_key = None
        self.chains.append(chain)
        self.rk, self.nhkr, self.confirmed = output[:32], output[64:], 1
        self.kind, self.peer_dh, self.peer_kem, self.pn = 2, dh, kem, self.index
        self.dh_secret = self.kem_seed = self.chain_key = b""
        self.forget()
        return plaintext

    def forget(self) -> None:
        """The limits that a short test meets: ended chains with nothing missing, but the last four and the first."""
        kept = self.chains[-5:]
        self.chains = [chain for chain in self.chains[:-5] if chain.skipped or chain.kind == 0] + kept

    def save(self) -> bytes:
        own = self.dh_secret + self.kem_seed + self.chain_key + u32(self.index) + self.header_key
        sides = {
            0: own + self.card_mask + self.ct + self.account + self.identity,
            1: own + self.ct + u32(self.pn),
            2: self.peer_dh + self.peer_kem + u32(self.pn),
        }
        data = bytes([1, self.confirmed, self.kind]) + self.id + self.rk + self.nhks + self.nhkr + sides[self.kind]
        data += bytes([len(self.chains)])
        for chain in self.chains:
            data += bytes([chain.kind, chain.chain_key is None]) + chain.header_key + (chain.chain_key or bytes(32))
            data += u32(chain.index) + len(chain.skipped).to_bytes(2, "big")
            data += b"".join(u32(n) + chain.skipped[n] for n in sorted(chain.skipped))
        return data


def load(data: bytes) -> Session:
    """The state of `save`, without its checks."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return data[at - count : at]

    def number(count: int = 4) -> int:
        return int.from_bytes(take(count), "big")

    version, confirmed, kind = take(3)
    assert version == 1
    session = Session(take(16), confirmed, kind, take(32), take(32), take(32))
    if kind == 2:
        session.peer_dh, session.peer_kem, session.pn = take(32), take(1184), number()
    else:
        session.dh_secret, session.kem_seed, session.chain_key = take(32), take(64), take(32)
        session.index, session.header_key = number(), take(32)
    if kind == 0:
        session.card_mask, session.ct, session.account, session.identity = take(32), take(1088), take(32), take(32)
    if kind == 1:
        session.ct, session.pn = take(1088), number()
    for _ in range(number(1)):
        chain_kind, ended = take(2)
        header_key, chain_key = take(32), take(32)
        chain = Chain(chain_kind, header_key, None if ended else chain_key, number())
        chain.skipped = {number(): take(32) for _ in range(number(2))}
        session.chains.append(chain)
    assert at == len(data)
    return session


def open_body(mk: bytes, envelope: bytes) -> bytes | None:
    return gcm_open(prf("roost1 body", mk, envelope[:16]), envelope[2404:], envelope[:2404])


def first_key(card: Card, opening: bytes, shared: bytes, ss: bytes) -> tuple[bytes, bytes]:
    h1 = transcript(
        "roost1 handshake", card.context + card.account + card.identity + card.agreement + card.kem + opening
    )
    return h1, hkdf("roost1 hs key", h1, shared + ss, b"", 32)


def begin(account: bytes, identity_secret: bytes, card: Card, random: bytes) -> Session:
    """The initiator. `random` is 96 bytes: X25519 secret, ML-KEM seed."""
    ek, seed = random[:32], random[32:96]
    ss, ct = encapsulate(card.kem)
    shared = x25519(ek, card.agreement)
    h1, k1 = first_key(card, x25519_public(ek) + ct, shared, ss)
    identity = x25519_public(identity_secret)
    h2 = transcript("roost1 transcrip", h1 + account + identity + kem_public(seed))
    secret = x25519(identity_secret, card.agreement) + x25519(ek, card.identity) + shared + ss
    keys = hkdf("roost1 root", h2, secret, b"", 128)
    session = Session(h2[:16], 0, 0, keys[:32], keys[64:96], keys[96:])
    session.dh_secret, session.kem_seed, session.chain_key = ek, seed, keys[32:64]
    session.header_key, session.card_mask, session.ct = k1, card.mask, ct
    session.account, session.identity = account, identity
    return session


def respond(
    card: Card, identity_secret: bytes, agreement_secret: bytes, kem_seed: bytes, envelope: bytes
) -> tuple[Session, bytes] | None:
    """The responder: (session, body), or None when the envelope is no authentic handshake to this card."""
    salt = envelope[:16]
    opening = mask(prf("roost1 hs mask", card.mask, salt), envelope[16:1136])
    ek, ct = opening[:32], opening[32:]
    shared, ss = x25519(agreement_secret, ek), decapsulate(kem_seed, ct)
    h1, k1 = first_key(card, opening, shared, ss)
    chain = Chain(0, k1, None)
    header = chain.header(envelope)
    if header is None:
        return None
    introduction, n = header[:1248], int.from_bytes(header[1248:1252], "big")
    h2 = transcript("roost1 transcrip", h1 + introduction)
    secret = x25519(agreement_secret, introduction[32:64]) + x25519(identity_secret, ek) + shared + ss
    keys = hkdf("roost1 root", h2, secret, b"", 128)
    chain.chain_key = keys[32:64]
    mk = chain.key(n)
    plaintext = None if mk is None else open_body(mk, envelope)
    if plaintext is None:
        return None
    session = Session(h2[:16], 1, 2, keys[:32], keys[96:], keys[64:96], peer_dh=ek, peer_kem=introduction[64:])
    session.chains.append(chain)
    return session, plaintext
