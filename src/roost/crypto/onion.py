"""Onion packets: one size on every link, a layer for each node, and reply blocks (docs/protocol/onion.md, "Packets").

In the manner of Outfox (Rial and Piotrowska, arXiv 2412.19937): a key encapsulation for each layer instead of Sphinx's
blinded element, headers nested in authenticated encryption, the payload in a wide-block cipher. Every function here is
pure; which keys are current, which packets were seen before and when a packet goes on is its caller's business.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from itertools import pairwise
from typing import Final

from roost.crypto.aead import TAG_SIZE, mask, open_once, seal_once
from roost.crypto.entropy import Entropy
from roost.crypto.kdf import expand
from roost.crypto.labels import Label
from roost.crypto.lioness import LIONESS_KEY_SIZE, decrypt_block, encrypt_block
from roost.crypto.packets import PACKET_CIPHERTEXT_SIZE, PacketPublic, PacketSecret
from roost.crypto.padding import PADDING_OVERHEAD, pad, unpad
from roost.crypto.secret import Secret
from roost.errors import CryptoError

NODE_SIZE: Final = 32
TOKEN_SIZE: Final = 16
REPLY_ID_SIZE: Final = 16
MAX_LAYERS: Final = 4
REPLY_LAYERS: Final = 3
MAX_DELAY_MS: Final = 2**32 - 1

ONION_PAYLOAD: Final = 8_192
_CHECK: Final = bytes(16)  # stands before what a payload carries: a payload that was altered has other bytes there
ONION_DATA: Final = ONION_PAYLOAD - len(_CHECK) - PADDING_OVERHEAD

_HEAD: Final = 2  # the key's period, modulo 256; how many layers are left
_TARGET: Final = 32
_ROUTING: Final = 1 + 4 + _TARGET + 1 + TAG_SIZE
_LAYER: Final = PACKET_CIPHERTEXT_SIZE + TAG_SIZE + _ROUTING
ONION_PACKET_SIZE: Final = _HEAD + MAX_LAYERS * _LAYER + ONION_PAYLOAD

_KEY: Final = 32
_LAYER_KEYS: Final = _KEY + _KEY + LIONESS_KEY_SIZE + TAG_SIZE
REPLY_BLOCK_SIZE: Final = NODE_SIZE + 1 + _KEY + REPLY_LAYERS * _LAYER
_UNCHECKED: Final = bytes(TAG_SIZE)  # in a reply's layers, whose maker does not know the payload


class _Command(enum.IntEnum):
    FORWARD = 1  # to the node `target`
    DELIVER = 2  # the payload is this node's
    CLIENT = 3  # to the client who is attached with `target`: token 16, reply id 16
    DROP = 4  # cover: nothing happens


class DropReason(enum.StrEnum):
    """Why a node drops a packet. Whoever sent it is not told."""

    LENGTH = "length"  # not ONION_PACKET_SIZE, or an impossible number of layers
    HEADER = "header"  # altered, or sealed to another key
    PAYLOAD = "payload"  # altered, or not padded as it should be
    ROUTING = "routing"  # an unknown command, or one that does not fit where it stands


class DroppedPacket(CryptoError):
    """The packet, or the reply, is not what it should be; `reason` says why."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(f"an onion packet was dropped: {reason.value}", code="dropped")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hop:
    """One node of a path: its key (32 bytes), its packet key in `period`, how long it shall hold the packet."""

    node: bytes
    key: PacketPublic
    period: int
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Forwarded:
    """`packet` goes on to the node whose key is `node`."""

    node: bytes
    packet: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """The payload is for this node."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class ForClient:
    """A sealed payload for the client who is attached with `token`; it knows by `reply_id` with which keys it opens."""

    token: bytes
    reply_id: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Cover:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What a layer says. `tag` (16 bytes) is the same for a replay, and for nothing else that opens with this key."""

    tag: bytes
    delay_ms: int
    outcome: Forwarded | Arrived | ForClient | Cover


class ReplyKeys(Secret):
    """Opens what comes back over one reply block, or around one loop."""

    __slots__ = ("_inner", "_layers")

    def __init__(self, inner: bytes, layers: Sequence[bytes]) -> None:
        self._inner = inner
        self._layers = tuple(layers)

    def open(self, payload: bytes) -> bytes:
        """What was put into the reply. Raises DroppedPacket for anything else."""
        if len(payload) != ONION_PAYLOAD:
            raise DroppedPacket(DropReason.LENGTH)
        for key in reversed(self._layers):
            payload = encrypt_block(key, payload)
        return _opened(decrypt_block(_reply_cipher(self._inner), payload))


def make_packet(hops: Sequence[Hop], payload: bytes, entropy: Entropy, *, cover: bool = False) -> bytes:
    """A packet that brings `payload` (up to ONION_DATA bytes) to the last of `hops` (up to 4, no two neighbours equal);
    with `cover` the last one drops it.

    Raises ValueError for a path or payload that cannot be; CryptoError for a malformed key.
    """
    secrets = _encapsulated(hops, MAX_LAYERS, entropy)
    block, tags = _wrapped(secrets, _framed(payload))
    header = _header(hops, secrets, _Command.DROP if cover else _Command.DELIVER, bytes(_TARGET), tags)
    return _packet(hops[0].period, len(hops), header, block, entropy)


def make_loop(hops: Sequence[Hop], token: bytes, reply_id: bytes, entropy: Entropy) -> tuple[bytes, ReplyKeys]:
    """A packet that comes back to its maker, who is attached to the last of `hops` with `token`, and its keys.

    To every node it is what other packets are: all but the last take it for one that goes to a host, the last one for
    a reply. Raises as `make_packet` does.
    """
    inner = entropy.bytes(_KEY)
    secrets = _encapsulated(hops, MAX_LAYERS, entropy)
    block, tags = _wrapped(secrets, encrypt_block(_reply_cipher(inner), _framed(b"")))
    tags[-1] = _UNCHECKED
    header = _header(hops, secrets, _Command.CLIENT, _client(token, reply_id), tags)
    # All layers are removed on the way round, so that the keys need only the inner one.
    return _packet(hops[0].period, len(hops), header, block, entropy), ReplyKeys(inner, ())


def make_reply_block(hops: Sequence[Hop], token: bytes, reply_id: bytes, entropy: Entropy) -> tuple[bytes, ReplyKeys]:
    """A block with which whoever holds it sends one packet, over three `hops`, to the client attached to the last one.

    Raises as `make_packet` does.
    """
    if len(hops) != REPLY_LAYERS:
        raise ValueError("a reply block has three hops")
    inner = entropy.bytes(_KEY)
    secrets = _encapsulated(hops, REPLY_LAYERS, entropy)
    tags = [_UNCHECKED] * REPLY_LAYERS
    header = _header(hops, secrets, _Command.CLIENT, _client(token, reply_id), tags)
    block = hops[0].node + bytes([hops[0].period % 256]) + inner + header
    return block, ReplyKeys(inner, [layer.cipher for layer in secrets])


def use_reply_block(block: bytes, payload: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    """(key of the node that is sent to, packet) that brings `payload` (up to ONION_DATA bytes) over a reply block.

    A block serves once: a second packet over it is a replay to every node. Raises CryptoError for a block of another
    size, ValueError for a payload that does not fit.
    """
    if len(block) != REPLY_BLOCK_SIZE:
        raise CryptoError("a reply block has the wrong size", code="malformed")
    node, period, inner, header = block[:32], block[32], block[33:65], block[65:]
    sealed = encrypt_block(_reply_cipher(inner), _framed(payload))
    return node, _packet(period, REPLY_LAYERS, header, sealed, entropy)


def packet_period(packet: bytes) -> int:
    """The period of the key that opens the packet, modulo 256. Raises DroppedPacket for a wrong length."""
    if len(packet) != ONION_PACKET_SIZE:
        raise DroppedPacket(DropReason.LENGTH)
    return packet[0]


def unwrap(secret: PacketSecret, packet: bytes, entropy: Entropy) -> Unwrapped:
    """Removes one layer. The caller drops what has a `tag` that it has seen with the same key, or leads back to itself.

    Raises:
        DroppedPacket: with the reason.
    """
    packet_period(packet)
    left = packet[1]
    if not 1 <= left <= MAX_LAYERS:
        raise DroppedPacket(DropReason.LENGTH)
    end = _HEAD + left * _LAYER
    layer, inside = _open_layer(secret, packet[:_HEAD], packet[_HEAD:end])
    command, delay_ms, target, period, tag = _routing(inside, left)
    block = packet[-ONION_PAYLOAD:]
    if tag != _UNCHECKED and not compare_digest(layer.tag(block), tag):
        raise DroppedPacket(DropReason.PAYLOAD)
    outcome: Forwarded | Arrived | ForClient | Cover
    if command is _Command.FORWARD:
        onward = _packet(period, left - 1, inside[_ROUTING:], decrypt_block(layer.cipher, block), entropy)
        outcome = Forwarded(target, onward)
    elif command is _Command.DELIVER:
        outcome = Arrived(_opened(decrypt_block(layer.cipher, block)))
    elif command is _Command.CLIENT:
        payload = decrypt_block(layer.cipher, block)
        outcome = ForClient(target[:TOKEN_SIZE], target[TOKEN_SIZE:], payload)
    else:
        outcome = Cover()
    return Unwrapped(layer.replay_tag, delay_ms, outcome)


# --- layers -----------------------------------------------------------------------------------------------------------


class _Layer:
    """The keys of one layer, from what was encapsulated for its node."""

    __slots__ = ("_tag_key", "cipher", "header_key", "replay_tag")

    def __init__(self, secret: bytes, ciphertext: bytes, public: PacketPublic) -> None:
        keys = expand(Label.ONION_HOP, secret, ciphertext, public.raw, length=_LAYER_KEYS)
        self.header_key, self._tag_key, self.cipher = keys[:32], keys[32:64], keys[64:192]
        self.replay_tag = keys[192:]

    def tag(self, block: bytes) -> bytes:
        """What binds the payload, as this layer's node gets it, to the header: GMAC, whose key serves this once."""
        return seal_once(self._tag_key, b"", block)


class _Sealing(_Layer):
    """A layer that is being made."""

    __slots__ = ("ciphertext",)

    def __init__(self, public: PacketPublic, entropy: Entropy) -> None:
        secret, self.ciphertext = public.encapsulate(entropy)
        super().__init__(secret, self.ciphertext, public)


def _encapsulated(hops: Sequence[Hop], most: int, entropy: Entropy) -> list[_Sealing]:
    if not 1 <= len(hops) <= most:
        raise ValueError("a path has one to four hops")
    if any(len(hop.node) != NODE_SIZE or not 0 <= hop.delay_ms <= MAX_DELAY_MS for hop in hops):
        raise ValueError("a hop cannot be")
    if any(one.node == other.node for one, other in pairwise(hops)):
        raise ValueError("a path goes from a node to itself")
    return [_Sealing(hop.key, entropy) for hop in hops]


def _header(
    hops: Sequence[Hop], layers: Sequence[_Sealing], command: _Command, target: bytes, tags: Sequence[bytes]
) -> bytes:
    """All layers' headers, nested, from the last to the first."""
    header, following = b"", 0
    for left, (hop, layer, tag) in enumerate(zip(reversed(hops), reversed(layers), reversed(tags), strict=True), 1):
        routing = bytes([command]) + hop.delay_ms.to_bytes(4, "big") + target + bytes([following]) + tag
        period = hop.period % 256
        header = layer.ciphertext + seal_once(layer.header_key, routing + header, bytes([period, left]))
        command, target, following = _Command.FORWARD, hop.node, period
    return header


def _wrapped(layers: Sequence[_Sealing], block: bytes) -> tuple[bytes, list[bytes]]:
    """(the payload as the first node gets it, the tag of what each node gets)."""
    tags = []
    for layer in reversed(layers):
        block = encrypt_block(layer.cipher, block)
        tags.append(layer.tag(block))
    return block, tags[::-1]


def _open_layer(secret: PacketSecret, head: bytes, header: bytes) -> tuple[_Layer, bytes]:
    """(the layer's keys, routing and the layers behind it)."""
    ciphertext = header[:PACKET_CIPHERTEXT_SIZE]
    try:
        layer = _Layer(secret.decapsulate(ciphertext), ciphertext, secret.public)
        return layer, open_once(layer.header_key, header[PACKET_CIPHERTEXT_SIZE:], head)
    except CryptoError as error:
        raise DroppedPacket(DropReason.HEADER) from error


def _routing(inside: bytes, left: int) -> tuple[_Command, int, bytes, int, bytes]:
    """(command, delay, target, the next key's period, the payload's tag)."""
    try:
        command = _Command(inside[0])
    except ValueError:
        raise DroppedPacket(DropReason.ROUTING) from None
    if (command is _Command.FORWARD) != (left > 1):
        raise DroppedPacket(DropReason.ROUTING)
    return command, int.from_bytes(inside[1:5], "big"), inside[5:37], inside[37], inside[38:_ROUTING]


def _packet(period: int, left: int, header: bytes, block: bytes, entropy: Entropy) -> bytes:
    """Of one size, however many layers are left: fresh random bytes stand where others were."""
    room = MAX_LAYERS * _LAYER - len(header)
    filling = mask(entropy.bytes(_KEY), bytes(room)) if room else b""  # drawing all of it takes longer
    return b"".join((bytes([period % 256, left]), header, filling, block))


# --- payloads ---------------------------------------------------------------------------------------------------------


def _framed(payload: bytes) -> bytes:
    return _CHECK + pad(payload, ONION_PAYLOAD - len(_CHECK))


def _opened(block: bytes) -> bytes:
    if not compare_digest(block[: len(_CHECK)], _CHECK):
        raise DroppedPacket(DropReason.PAYLOAD)
    try:
        return unpad(block[len(_CHECK) :])
    except CryptoError as error:
        raise DroppedPacket(DropReason.PAYLOAD) from error


def _reply_cipher(inner: bytes) -> bytes:
    return expand(Label.ONION_REPLY, inner, length=LIONESS_KEY_SIZE)


def _client(token: bytes, reply_id: bytes) -> bytes:
    if len(token) != TOKEN_SIZE or len(reply_id) != REPLY_ID_SIZE:
        raise ValueError("a token or a reply id has the wrong size")
    return token + reply_id
