"""Onion packets: what is put in comes out at the end of the path, of one size everywhere, and nothing altered does."""

from __future__ import annotations

import pytest

from roost.crypto import (
    ONION_DATA,
    ONION_PACKET_SIZE,
    ONION_PAYLOAD,
    REPLY_BLOCK_SIZE,
    Arrived,
    Cover,
    ForClient,
    Forwarded,
    Hop,
    PacketSecret,
    ReplyKeys,
    make_loop,
    make_packet,
    make_reply_block,
    packet_period,
    unwrap,
    use_reply_block,
)
from tests.crypto.crypto_helpers import SeededEntropy

ENTROPY = SeededEntropy("onion packets")
SECRETS = [PacketSecret.generate(ENTROPY) for _ in range(4)]
NODES = [bytes([number]) * 32 for number in range(1, 5)]
PATH = [
    Hop(node, secret.public, 1_000 + number, 17 * number)
    for number, (node, secret) in enumerate(zip(NODES, SECRETS, strict=True))
]
TOKEN, REPLY_ID = b"token".ljust(16), b"reply".ljust(16)


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
def test_a_packet_arrives(hops: int) -> None:
    packet = make_packet(PATH[:hops], b"payload", ENTROPY)
    for number in range(hops):
        assert len(packet) == ONION_PACKET_SIZE
        assert packet_period(packet) == (1_000 + number) % 256
        unwrapped = unwrap(SECRETS[number], packet, ENTROPY)
        assert unwrapped.delay_ms == 17 * number
        assert len(unwrapped.tag) == 16
        if number < hops - 1:
            assert isinstance(unwrapped.outcome, Forwarded)
            assert unwrapped.outcome.node == NODES[number + 1]
            packet = unwrapped.outcome.packet
    assert unwrapped.outcome == Arrived(b"payload")


def test_a_reply_comes_back() -> None:
    block, keys = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    assert len(block) == REPLY_BLOCK_SIZE
    node, packet = use_reply_block(block, b"answer", ENTROPY)
    assert node == NODES[0]
    assert _reply(packet, keys) == b"answer"


def test_a_loop_comes_back() -> None:
    packet, keys = make_loop([*PATH[:3], PATH[0]], TOKEN, REPLY_ID, ENTROPY)
    assert _reply(packet, keys, [*SECRETS[:3], SECRETS[0]]) == b""


def test_cover_is_dropped_at_the_end_alone() -> None:
    packet = make_packet(PATH, b"", ENTROPY, cover=True)
    for secret in SECRETS[:-1]:
        content = unwrap(secret, packet, ENTROPY).outcome
        assert isinstance(content, Forwarded)
        packet = content.packet
    assert unwrap(SECRETS[-1], packet, ENTROPY).outcome == Cover()


def _reply(packet: bytes, keys: ReplyKeys, secrets: list[PacketSecret] = SECRETS[:3]) -> bytes:
    for secret in secrets[:-1]:
        assert len(packet) == ONION_PACKET_SIZE
        content = unwrap(secret, packet, ENTROPY).outcome
        assert isinstance(content, Forwarded)
        packet = content.packet
    content = unwrap(secrets[-1], packet, ENTROPY).outcome
    assert isinstance(content, ForClient)
    assert (content.token, content.reply_id) == (TOKEN, REPLY_ID)
    assert len(content.payload) == ONION_PAYLOAD
    return keys.open(content.payload)


def test_the_largest_payload() -> None:
    packet = make_packet(PATH[:1], bytes(ONION_DATA), ENTROPY)
    assert unwrap(SECRETS[0], packet, ENTROPY).outcome == Arrived(bytes(ONION_DATA))
    with pytest.raises(ValueError, match="fit"):
        make_packet(PATH[:1], bytes(ONION_DATA + 1), ENTROPY)
