"""Targets of onion packets: what nodes unwrap, and what comes back over reply blocks.

Strangers know nothing; a hostile maker holds the right keys and writes what it likes under them.
"""

from __future__ import annotations

from functools import cache

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto.aead import seal_once
from roost.crypto.lioness import encrypt_block
from roost.crypto.onion import (
    _CHECK,
    _HEAD,
    _LAYER,
    _ROUTING,
    ONION_PACKET_SIZE,
    ONION_PAYLOAD,
    REPLY_BLOCK_SIZE,
    Arrived,
    Cover,
    DroppedPacket,
    ForClient,
    Forwarded,
    Hop,
    ReplyKeys,
    Unwrapped,
    _reply_cipher,
    _Sealing,
    make_packet,
    make_reply_block,
    unwrap,
    use_reply_block,
)
from roost.crypto.packets import PACKET_SECRET_SIZE, PacketSecret
from roost.crypto.padding import pad, unpad
from roost.errors import CryptoError

SECRETS = [PacketSecret.from_bytes(bytes([number]) * PACKET_SECRET_SIZE) for number in range(3)]
PATH = [Hop(bytes([number]) * 32, secret.public, number, number) for number, secret in enumerate(SECRETS)]
PAYLOAD_AT = ONION_PACKET_SIZE - ONION_PAYLOAD
COMMANDS = {1: Forwarded, 2: Arrived, 3: ForClient, 4: Cover}


def packets(data: bytes) -> None:
    choices = Choices(data)
    how = choices.below(4)
    if how == 0:
        with only(DroppedPacket):
            unwrap(SECRETS[0], choices.rest(), CountedEntropy())
            insist(False, "a stranger's packet was opened")
    elif how == 1:
        _changed(choices)
    else:
        _hostile(choices, whole=how == 3)


@cache
def _good(hops: int) -> bytes:
    return make_packet(PATH[:hops], b"request", CountedEntropy())


def _changed(choices: Choices) -> None:
    """A good packet with changes: dropped, unless they are where nobody reads."""
    good = _good(1 + choices.below(3))
    changed = bytearray(good)
    while choices.left:
        changed[choices.number(2) % len(changed)] ^= choices.number(1)
    read = _HEAD + _LAYER * good[1]
    same = changed[:read] == good[:read] and changed[PAYLOAD_AT:] == good[PAYLOAD_AT:]
    try:
        found = unwrap(SECRETS[0], bytes(changed), CountedEntropy())
    except DroppedPacket:
        insist(not same, "a good packet was dropped")
        return
    insist(same, "a changed packet was opened")
    insist(found.tag == unwrap(SECRETS[0], good, CountedEntropy()).tag, "a packet has two replay tags")


def _hostile(choices: Choices, *, whole: bool) -> None:
    """Under the right keys: a routing of the fuzzer's, and its bytes as what the payload carries or as all of it."""
    left, command, delay = 1 + choices.below(4), choices.below(6), choices.number(4)
    target, period, true_tag = choices.take(32), choices.number(1), choices.below(2)
    carried = choices.rest()
    layer = _Sealing(SECRETS[0].public, CountedEntropy())
    framed = (carried if whole else _CHECK + pad(carried[: ONION_PAYLOAD - 20], ONION_PAYLOAD - 16)).ljust(
        ONION_PAYLOAD, b"\0"
    )[:ONION_PAYLOAD]
    block = encrypt_block(layer.cipher, framed)
    tag = layer.tag(block) if true_tag else carried[:16].ljust(16, b"\0")
    routing = bytes([command]) + delay.to_bytes(4, "big") + target + bytes([period]) + tag
    insist(len(routing) == _ROUTING, "a routing has the wrong size")
    head = bytes([7, left])
    header = layer.ciphertext + seal_once(layer.header_key, routing + bytes(_LAYER * (left - 1)), head)
    packet = head + header + bytes(_LAYER * (4 - left)) + block
    try:
        found = unwrap(SECRETS[0], packet, CountedEntropy())
    except DroppedPacket:
        insist(
            not true_tag or command not in COMMANDS or (command == 1) != (left > 1) or (command == 2 and whole),
            "a proper packet was dropped",
        )
        return
    insist((command == 1) == (left > 1), "a command stands where it must not")
    _check_outcome(found, command, framed)
    insist(found.delay_ms == delay, "another delay came out")


def _check_outcome(found: Unwrapped, command: int, framed: bytes) -> None:
    insist(isinstance(found.outcome, COMMANDS[command]), "another command came out")
    if isinstance(found.outcome, Forwarded):
        insist(len(found.outcome.packet) == ONION_PACKET_SIZE, "a packet goes on with another size")
        insist(found.outcome.packet[PAYLOAD_AT:] == framed, "another payload goes on")
    elif isinstance(found.outcome, Arrived):
        insist(_CHECK + pad(found.outcome.payload, ONION_PAYLOAD - 16) == framed, "another payload arrived")
    elif isinstance(found.outcome, ForClient):
        insist(found.outcome.payload == framed, "another payload is for the client")
        insist(len(found.outcome.token) == len(found.outcome.reply_id) == 16, "a token has the wrong size")


def replies(data: bytes) -> None:
    """Payloads: a stranger's, and any under the block's own key. Blocks: whatever a client might hand over."""
    choices = Choices(data)
    how, rest = choices.below(3), choices.rest()
    if how == 0:
        with only(DroppedPacket):
            _keys().open(rest.ljust(ONION_PAYLOAD, b"\0") if len(rest) % 2 else rest)
            insist(False, "a stranger's payload was opened")
    elif how == 1:
        inner = bytes(range(32))
        framed = rest.ljust(ONION_PAYLOAD, b"\0")[:ONION_PAYLOAD]
        with only(DroppedPacket):
            opened = ReplyKeys(inner, ()).open(encrypt_block(_reply_cipher(inner), framed))
            insist(framed[:16] == _CHECK and unpad(framed[16:]) == opened, "something else was opened")
    else:
        block = rest if len(rest) % 2 == 0 else rest.ljust(REPLY_BLOCK_SIZE, b"\0")[:REPLY_BLOCK_SIZE]
        with only(CryptoError):
            node, packet = use_reply_block(block, rest[:100], CountedEntropy())
            insist(node == block[:32] and len(packet) == ONION_PACKET_SIZE, "a block was used in another way")
            insist(packet[1] == 3 and packet[0] == block[32], "a block was used in another way")
        with only(DroppedPacket):
            unwrap(SECRETS[0], packet if len(block) == REPLY_BLOCK_SIZE else block, CountedEntropy())
            insist(False, "a stranger's block leads somewhere")


@cache
def _keys() -> ReplyKeys:
    return make_reply_block(PATH, bytes(16), bytes(16), CountedEntropy())[1]


TARGETS = (
    Target(
        "crypto-onion-packets", packets, "only what was sealed for the node is opened, unchanged; else dropped", 16_384
    ),
    Target("crypto-onion-replies", replies, "only what was put into a reply comes out of it; else dropped", 16_384),
)
