"""A second implementation of onion packets, written from docs/protocol/onion.md, "Packets", and from nothing else.

Slow and literal; names are the document's. It shares its primitives with the other second implementations: X25519 from
OpenSSL, BLAKE2b from libsodium, AES in counter mode. LIONESS takes its parameters, so that others' known answers fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from nacl.bindings import crypto_generichash_blake2b_salt_personal as blake2b

from tests.crypto import second_implementation as primitives
from tests.crypto.second_implementation import gcm, gcm_open, label, mask, u32, x25519, x25519_public

SIZE = 12_954
Random = Callable[[int], bytes]


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Lioness:
    """`k`: the four keys. `stream(key, data)` is data ^ key stream, `mac(key, data)` as long as the left part."""

    k: tuple[bytes, bytes, bytes, bytes]
    stream: Callable[[bytes, bytes], bytes]
    mac: Callable[[bytes, bytes], bytes]

    def encrypt(self, block: bytes) -> bytes:
        k1, k2, k3, k4 = self.k
        left, right = block[: len(k1)], block[len(k1) :]
        right = self.stream(xor(left, k1), right)
        left = xor(left, self.mac(k2, right))
        right = self.stream(xor(left, k3), right)
        left = xor(left, self.mac(k4, right))
        return left + right

    def decrypt(self, block: bytes) -> bytes:
        k1, k2, k3, k4 = self.k
        left, right = block[: len(k1)], block[len(k1) :]
        left = xor(left, self.mac(k4, right))
        right = self.stream(xor(left, k3), right)
        left = xor(left, self.mac(k2, right))
        right = self.stream(xor(left, k1), right)
        return left + right


def lioness(key: bytes) -> Lioness:
    """With the document's parameters."""
    keys = key[0:32], key[32:64], key[64:96], key[96:128]
    return Lioness(keys, mask, lambda k, x: blake2b(x, digest_size=32, key=k))


def shake(text: str, data: bytes, length: int) -> bytes:
    return hashlib.shake_256(label(text) + data).digest(length)


class Keys:
    """The keys of a layer from its shared secrets."""

    def __init__(self, ss: bytes, exchanged: bytes, ct: bytes, public: bytes) -> None:
        s = hashlib.sha3_256(ss + exchanged + ct[1_088:] + public[1_184:] + bytes.fromhex("5c2e2f2f5e5c")).digest()
        k = shake("roost1 onion hop", s + ct + public, 208)
        self.header, self.tag, self.payload, self.replay_tag = k[0:32], k[32:64], lioness(k[64:192]), k[192:208]


def framed(data: bytes) -> bytes:
    return (bytes(16) + u32(len(data)) + data).ljust(8_192, b"\0")


def data_of(block: bytes) -> bytes | None:
    length = int.from_bytes(block[16:20], "big")
    data = block[20 : 20 + length]
    return data if block == framed(data)[:8_192] else None


@dataclass(frozen=True)
class Node:
    """Of a path: its Ed25519 key, the packet key, the packet key's period, the delay."""

    node: bytes
    public: bytes
    period: int
    delay: int


def layers(path: list[Node], random: Random) -> list[tuple[bytes, Keys]]:
    """(ct, keys) for each."""
    made = []
    for hop in path:
        e = random(32)
        ss, ct_m = primitives.encapsulate(hop.public[:1_184])
        ct = ct_m + x25519_public(e)
        made.append((ct, Keys(ss, x25519(e, hop.public[1_184:]), ct, hop.public)))
    return made


def header(path: list[Node], made: list[tuple[bytes, Keys]], command: int, target: bytes, tags: list[bytes]) -> bytes:
    layer, n = b"", len(path)
    for i in range(n, 0, -1):
        last = i == n
        routing = bytes([command if last else 1]) + u32(path[i - 1].delay) + (target if last else path[i].node)
        routing += bytes([0 if last else path[i].period % 256]) + tags[i - 1]
        ct, keys = made[i - 1]
        layer = ct + gcm(keys.header, routing + layer, bytes([path[i - 1].period % 256, n - i + 1]))
    return layer


def onto_link(period: int, left: int, header: bytes, payload: bytes, random: Random) -> bytes:
    room = 4_760 - len(header)
    packet = bytes([period % 256, left]) + header + (mask(random(32), bytes(room)) if room else b"") + payload
    assert len(packet) == SIZE
    return packet


def tagged(made: list[tuple[bytes, Keys]], block: bytes) -> tuple[bytes, list[bytes]]:
    tags: list[bytes] = []
    for _, keys in reversed(made):
        block = keys.payload.encrypt(block)
        tags.insert(0, gcm(keys.tag, b"", block))
    return block, tags


def request(path: list[Node], data: bytes, random: Random, command: int = 2) -> bytes:
    made = layers(path, random)
    payload, tags = tagged(made, framed(data))
    return onto_link(path[0].period, len(path), header(path, made, command, bytes(32), tags), payload, random)


def loop(path: list[Node], client: bytes, random: Random) -> tuple[bytes, list[Lioness]]:
    """(packet, what the client decrypts with)."""
    inner = lioness(shake("roost1 onion rep", random(32), 128))
    made = layers(path, random)
    payload, tags = tagged(made, inner.encrypt(framed(b"")))
    tags[-1] = bytes(16)
    return onto_link(path[0].period, len(path), header(path, made, 3, client, tags), payload, random), [inner]


def reply_block(path: list[Node], client: bytes, random: Random) -> tuple[bytes, list[Lioness]]:
    """(block, the ciphers in the order in which the payload goes through them on its way)."""
    k = random(32)
    made = layers(path, random)
    block = path[0].node + bytes([path[0].period % 256]) + k + header(path, made, 3, client, [bytes(16)] * 3)
    return block, [lioness(shake("roost1 onion rep", k, 128)), *(keys.payload for _, keys in made)]


def answer(block: bytes, data: bytes, random: Random) -> tuple[bytes, bytes]:
    payload = lioness(shake("roost1 onion rep", block[33:65], 128)).encrypt(framed(data))
    return block[:32], onto_link(block[32], 3, block[65:], payload, random)


def read_answer(ciphers: list[Lioness], payload: bytes) -> bytes | None:
    for cipher in reversed(ciphers[1:]):
        payload = cipher.encrypt(payload)
    return data_of(ciphers[0].decrypt(payload))


@dataclass(frozen=True)
class Removed:
    """What a node reads, and what follows: a packet, a payload for the client, or data."""

    replay_tag: bytes
    command: int
    delay: int
    target: bytes
    rest: bytes


def remove(secret: bytes, packet: bytes, random: Random) -> Removed | str:
    """A layer removed by whose packet key is `secret` (ML-KEM seed 64, X25519 32), or why not."""
    if len(packet) != SIZE or not 1 <= packet[1] <= 4:
        return "length"
    left, payload = packet[1], packet[4_762:]
    layer = packet[2 : 2 + 1_190 * left]
    ct = layer[:1_120]
    public = primitives.kem_public(secret[:64]) + x25519_public(secret[64:])
    try:
        keys = Keys(primitives.decapsulate(secret[:64], ct[:1_088]), x25519(secret[64:], ct[1_088:]), ct, public)
    except ValueError:
        return "header"
    inside = gcm_open(keys.header, layer[1_120:], packet[:2])
    if inside is None:
        return "header"
    command, delay, target, period, tag = (
        inside[0],
        int.from_bytes(inside[1:5], "big"),
        inside[5:37],
        inside[37],
        inside[38:54],
    )
    if not 1 <= command <= 4 or (command == 1) != (left > 1):
        return "routing"
    if tag != bytes(16) and tag != gcm(keys.tag, b"", payload):
        return "payload"
    rest: bytes | None = keys.payload.decrypt(payload)
    assert rest is not None
    if command == 1:
        rest = onto_link(period, left - 1, inside[54:], rest, random)
    elif command == 2:
        rest = data_of(rest)
    return "payload" if rest is None else Removed(keys.replay_tag, command, delay, target, rest)
