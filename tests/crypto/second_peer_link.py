"""A second implementation of peer links, written from docs/protocol/peer-links.md and from nothing else.

Slow and literal, one message at a time; names are the document's. BLAKE2b comes from libsodium, X25519 from OpenSSL,
HKDF is written out (RFC 2104 and Noise section 4.3).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_generichash_blake2b_salt_personal as blake2b

from tests.crypto import second_implementation as primitives
from tests.crypto.second_implementation import label, prf, u32, x25519, x25519_public

NAME = b"Roost_peer_link_1_XKpsk0_25519+MLKEM768_AESGCM_SHA512"


def hkdf(ck: bytes, material: bytes, outputs: int) -> list[bytes]:
    """Noise section 4.3."""
    temp = hmac.digest(ck, material, "sha512")
    blocks = [b""]
    for number in range(1, outputs + 1):
        blocks.append(hmac.digest(temp, blocks[-1] + bytes([number]), "sha512"))
    return blocks[1:]


@dataclass
class Noise:
    """Noise section 5.2."""

    h: bytes
    ck: bytes = b""
    k: bytes = b""
    n: int = 0

    def __post_init__(self) -> None:
        self.h = self.h.ljust(64, b"\0")
        self.ck = self.h

    def mix_hash(self, data: bytes) -> None:
        self.h = hashlib.sha512(self.h + data).digest()

    def mix_key(self, material: bytes) -> None:
        self.ck, k = hkdf(self.ck, material, 2)
        self.k, self.n = k[:32], 0

    def mix_key_and_hash(self, material: bytes) -> None:
        self.ck, h, k = hkdf(self.ck, material, 3)
        self.mix_hash(h)
        self.k, self.n = k[:32], 0

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        sealed = AESGCM(self.k).encrypt(bytes(4) + self.n.to_bytes(8, "big"), plaintext, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, sealed: bytes) -> bytes:
        plaintext = AESGCM(self.k).decrypt(bytes(4) + self.n.to_bytes(8, "big"), sealed, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return plaintext


def meeting_of(admin: bytes) -> bytes:
    return prf("roost1 meeting", admin, b"")[:16]


def announced_tag(meeting: bytes, nonce: bytes, period: int) -> bytes:
    return prf("roost1 announce", meeting, nonce + u32(period))[:8]


def find_tag(meeting: bytes, nonce: bytes) -> bytes:
    return blake2b(b"", digest_size=16, key=meeting, salt=nonce, person=label("roost1 peer tag"))


def begun(s_r: bytes, meeting: bytes, nonce: bytes, period: int) -> Noise:
    dated = nonce + u32(period)
    noise = Noise(NAME)
    noise.mix_hash(dated)
    noise.mix_hash(s_r)
    noise.mix_key_and_hash(prf("roost1 peer psk", meeting, dated))
    return noise


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def read_padding(body: bytes, message: bytes, at: int, noise: Noise) -> int:
    """The length of the padding that `body` tells; it must be the rest of `message`."""
    count = int.from_bytes(body[-2:], "big")
    assert noise.decrypt_and_hash(message[at:]) == bytes(count)
    return count


@dataclass
class Initiator:
    """`random`: nonce 16, ephemeral 32, ML-KEM seed 64, 2 for n1, 2 for n3, as the first implementation draws them."""

    secret: bytes
    s_r: bytes
    meeting: bytes
    period: int
    random: bytes
    noise: Noise = field(init=False)

    def message_1(self) -> bytes:
        nonce, e, seed, n1 = self.random[:16], self.random[16:48], self.random[48:112], self._count(112)
        self.noise = begun(self.s_r, self.meeting, nonce, self.period)
        message = nonce + find_tag(self.meeting, nonce) + self.noise.encrypt_and_hash(x25519_public(e))
        self.noise.mix_key(x25519_public(e))
        self.noise.mix_key(x25519(e, self.s_r))
        message += self.noise.encrypt_and_hash(primitives.kem_public(seed) + u16(n1))
        return message + self.noise.encrypt_and_hash(bytes(n1))

    def message_3(self, message_2: bytes) -> bytes:
        e, seed, n3, noise = self.random[16:48], self.random[48:112], self._count(114), self.noise
        noise.mix_key_and_hash(message_2[:16])
        e_r = noise.decrypt_and_hash(message_2[16:64])
        noise.mix_key(e_r)
        noise.mix_key(x25519(e, e_r))
        body = noise.decrypt_and_hash(message_2[64:1_170])
        noise.mix_key(primitives.decapsulate(seed, body[:1_088]))
        read_padding(body, message_2, 1_170, noise)
        message = noise.encrypt_and_hash(x25519_public(self.secret) + u16(n3))
        noise.mix_key(x25519(self.secret, e_r))
        return message + noise.encrypt_and_hash(bytes(n3))

    def _count(self, at: int) -> int:
        return int.from_bytes(self.random[at : at + 2], "big") % 1_024


@dataclass
class Responder:
    """`random`: fresh 16, ephemeral 32, 2 for n2."""

    secret: bytes
    meeting: bytes
    period: int
    random: bytes
    noise: Noise = field(init=False)

    def message_2(self, message_1: bytes) -> bytes:
        nonce = message_1[:16]
        assert message_1[16:32] == find_tag(self.meeting, nonce)
        noise = self.noise = begun(x25519_public(self.secret), self.meeting, nonce, self.period)
        e_i = noise.decrypt_and_hash(message_1[32:80])
        noise.mix_key(e_i)
        noise.mix_key(x25519(self.secret, e_i))
        body = noise.decrypt_and_hash(message_1[80:1_282])
        read_padding(body, message_1, 1_282, noise)
        fresh, e, n2 = self.random[:16], self.random[16:48], int.from_bytes(self.random[48:50], "big") % 1_024
        noise.mix_key_and_hash(fresh)
        message = fresh + noise.encrypt_and_hash(x25519_public(e))
        noise.mix_key(x25519_public(e))
        noise.mix_key(x25519(e, e_i))
        ss, ct = primitives.encapsulate(body[:1_184])
        message += noise.encrypt_and_hash(ct + u16(n2))
        noise.mix_key(ss)
        return message + noise.encrypt_and_hash(bytes(n2))

    def peer(self, message_3: bytes) -> bytes:
        """S_I, proven."""
        body = self.noise.decrypt_and_hash(message_3[:50])
        self.noise.mix_key(x25519(self.random[16:48], body[:32]))
        read_padding(body, message_3, 50, self.noise)
        return body[:32]


def chains(noise: Noise) -> tuple[bytes, bytes]:
    """I to R, R to I."""
    one, other = hkdf(noise.ck, label("roost1 peer link") + noise.h, 2)
    return one[:32], other[:32]


@dataclass
class Direction:
    """One direction's records, at either end."""

    chain: bytes

    def _cipher(self) -> AESGCM:
        output = blake2b(b"", digest_size=64, key=self.chain, person=label("roost1 peer rec"))
        self.chain = output[:32]
        return AESGCM(output[32:])

    def write(self, data: bytes, last: bool = False) -> bytes:
        parts = [data[at : at + 16_349] for at in range(0, len(data), 16_349)] or [b""]
        unit = 512 if len(data) + 35 <= 8_192 else 4_096
        stream = b""
        for part in parts:
            size = 0
            while size < len(part) + 35:
                size += unit
            cipher = self._cipher()
            stream += cipher.encrypt(bytes(12), bytes([size // 512 + 128 * last]) + u16(len(part)), b"")
            stream += cipher.encrypt(bytes(11) + b"\1", part.ljust(size - 35, b"\0"), b"")
        return stream

    def read(self, stream: bytes) -> bytes:
        data = b""
        while stream:
            cipher = self._cipher()
            header = cipher.decrypt(bytes(12), stream[:19], b"")
            size, length = header[0] % 128 * 512, int.from_bytes(header[1:], "big")
            data += cipher.decrypt(bytes(11) + b"\1", stream[19:size], b"")[:length]
            stream = stream[size:]
        return data
