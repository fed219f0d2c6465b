"""Attacks on onion packets. Each test names the source from which the attack is known."""

from __future__ import annotations

import pytest

from roost.crypto import (
    ONION_PACKET_SIZE,
    ONION_PAYLOAD,
    DroppedPacket,
    DropReason,
    ForClient,
    Forwarded,
    Hop,
    PacketSecret,
    make_packet,
    make_reply_block,
    unwrap,
    use_reply_block,
)
from tests.crypto.crypto_helpers import SeededEntropy, flipped

ENTROPY = SeededEntropy("attacks on onion packets")
ENTRY, MIDDLE, THIRD, HOST = SECRETS = [PacketSecret.generate(ENTROPY) for _ in range(4)]
PATH = [Hop(bytes([number]) * 32, secret.public, 0) for number, secret in enumerate(SECRETS)]
LAYER = 1_190


def onward(secret: PacketSecret, packet: bytes) -> bytes:
    outcome = unwrap(secret, packet, ENTROPY).outcome
    assert isinstance(outcome, Forwarded)
    return outcome.packet


def test_a_request_marked_at_the_entry_is_not_found_again_at_the_host() -> None:
    """Kuhn, Beck, Strufe, "Breaking and (Partially) Fixing Provably Secure Onion Routing" (IEEE S&P 2020): Sphinx
    checks headers alone, so an entry that changes a payload shows a host on its side, by a request that is garbage
    there, who sent it; on Tor, Fu and Ling, "One Cell is Enough to Break Tor's Anonymity" (Black Hat DC 2009)."""
    packet = onward(ENTRY, make_packet(PATH, b"request", ENTROPY))
    for bit in (0, 8 * 100, 8 * ONION_PAYLOAD - 1):
        with pytest.raises(DroppedPacket) as caught:
            unwrap(MIDDLE, flipped(packet, 8 * (ONION_PACKET_SIZE - ONION_PAYLOAD) + bit), ENTROPY)
        assert caught.value.reason is DropReason.PAYLOAD


def test_an_entry_that_changes_only_what_nobody_reads_shows_the_host_nothing() -> None:
    """The same with the bytes that no node checks: each honest node puts others there."""
    packet = onward(ENTRY, make_packet(PATH, b"request", ENTROPY))
    unread = slice(2 + 3 * LAYER, 2 + 4 * LAYER)
    marked = packet[: unread.start] + b"mark" * (LAYER // 4) + bytes(LAYER % 4) + packet[unread.stop :]
    assert b"mark" not in onward(THIRD, onward(MIDDLE, marked))


def test_a_reply_marked_at_the_host_shows_the_clients_node_nothing() -> None:
    """The same the other way: the host knows a reply block's key and payload, and marks or repeats what it sends. The
    node at the client's end, though on its side, sees nothing that it could know again."""
    block, _ = make_reply_block(PATH[:3], bytes(16), bytes(16), ENTROPY)
    _, packet = use_reply_block(block, bytes(8_000), ENTROPY)
    at_the_end = []
    for sent in (packet, flipped(packet, 8 * (ONION_PACKET_SIZE - ONION_PAYLOAD))):
        outcome = unwrap(THIRD, onward(MIDDLE, onward(ENTRY, sent)), ENTROPY).outcome
        assert isinstance(outcome, ForClient)
        at_the_end.append(outcome.payload)
    payload = packet[-ONION_PAYLOAD:]
    for seen in at_the_end:
        assert not {seen[at : at + 8] for at in range(ONION_PAYLOAD - 8)} & {
            payload[at : at + 8] for at in range(ONION_PAYLOAD - 8)
        }
    assert sum(a == b for a, b in zip(*at_the_end, strict=True)) < 100  # 32 by chance


def test_the_last_node_does_not_see_how_long_the_path_was() -> None:
    """Kuhn, Beck, Strufe (above), section on Sphinx: zeros stood behind the last layer, as many as the path was
    shorter than the longest."""
    for hops in range(1, 5):
        packet = make_packet(PATH[4 - hops :], b"request", ENTROPY)
        for secret in SECRETS[4 - hops : 3]:
            packet = onward(secret, packet)
        assert packet[1] == 1
        unread = packet[2 + LAYER : 2 + 4 * LAYER]
        assert len({unread[at : at + 8] for at in range(len(unread) - 7)}) == len(unread) - 7


def test_a_packet_that_is_sent_again_is_known_at_every_node() -> None:
    """Danezis and Goldberg, "Sphinx" (IEEE S&P 2009): who replays a packet could see which link has one more
    each time. The tag does not depend on what nobody authenticates."""
    first = make_packet(PATH, b"request", ENTROPY)
    again = first
    for secret in SECRETS[:3]:
        assert unwrap(secret, first, ENTROPY).tag == unwrap(secret, again, ENTROPY).tag
        first, again = onward(secret, first), onward(secret, again)
        assert first != again  # the bytes that nobody reads
    assert unwrap(HOST, first, ENTROPY).tag == unwrap(HOST, again, ENTROPY).tag
