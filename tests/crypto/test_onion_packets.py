"""Onion packets: what is put in comes out at the end of the path, of one size everywhere, and nothing altered does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    ONION_DATA,
    ONION_PACKET_SIZE,
    ONION_PAYLOAD,
    REPLY_BLOCK_SIZE,
    REPLY_ID_SIZE,
    TOKEN_SIZE,
    Arrived,
    Cover,
    DroppedPacket,
    DropReason,
    ForClient,
    Forwarded,
    Hop,
    PacketPublic,
    PacketSecret,
    ReplyKeys,
    Unwrapped,
    make_loop,
    make_packet,
    make_reply_block,
    packet_period,
    unwrap,
    use_reply_block,
)
from roost.errors import CryptoError
from roost.wire import sizes
from tests.crypto.crypto_helpers import SeededEntropy, flipped

ENTROPY = SeededEntropy("onion packets")
SECRETS = [PacketSecret.generate(ENTROPY) for _ in range(4)]
NODES = [bytes([number]) * 32 for number in range(1, 5)]
PATH = [
    Hop(node, secret.public, 1_000 + number, 17 * number)
    for number, (node, secret) in enumerate(zip(NODES, SECRETS, strict=True))
]
TOKEN, REPLY_ID = b"token".ljust(16), b"reply".ljust(16)
HEAD, LAYER = 2, 1_190
PAYLOAD_AT = ONION_PACKET_SIZE - ONION_PAYLOAD
ALTERED = {DropReason.HEADER, DropReason.PAYLOAD, DropReason.LENGTH}


def travel(packet: bytes, secrets: Sequence[PacketSecret]) -> list[tuple[bytes, Unwrapped]]:
    """The packets on all links of the path, and what each node found."""
    links = []
    for place, secret in enumerate(secrets):
        unwrapped = unwrap(secret, packet, ENTROPY)
        links.append((packet, unwrapped))
        if place + 1 < len(secrets):
            assert isinstance(unwrapped.outcome, Forwarded)
            assert unwrapped.outcome.node == NODES[SECRETS.index(secrets[place + 1])]
            packet = unwrapped.outcome.packet
    return links


def arrival(packet: bytes, secrets: Sequence[PacketSecret]) -> object:
    return travel(packet, secrets)[-1][1].outcome


def read_reply(packet: bytes, keys: ReplyKeys, secrets: Sequence[PacketSecret]) -> bytes:
    outcome = arrival(packet, secrets)
    assert isinstance(outcome, ForClient)
    assert (outcome.token, outcome.reply_id) == (TOKEN, REPLY_ID)
    return keys.open(outcome.payload)


def reason_for(packet: bytes, secret: PacketSecret = SECRETS[0]) -> DropReason:
    with pytest.raises(DroppedPacket) as caught:
        unwrap(secret, packet, ENTROPY)
    assert caught.value.code == "dropped"
    assert str(caught.value.reason) in str(caught.value)
    return caught.value.reason


# --- what arrives -----------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(1, 4), st.binary(max_size=200), st.integers(0, ONION_DATA - 200))
def test_data_of_any_size_arrives(hops: int, data: bytes, extra: int) -> None:
    data += bytes(extra)
    links = travel(make_packet(PATH[:hops], data, ENTROPY), SECRETS[:hops])
    assert {len(packet) for packet, _ in links} == {ONION_PACKET_SIZE}
    assert [packet_period(packet) for packet, _ in links] == [(1_000 + place) % 256 for place in range(hops)]
    assert [unwrapped.delay_ms for _, unwrapped in links] == [17 * place for place in range(hops)]
    assert links[-1][1].outcome == Arrived(data)


@settings(max_examples=60)
@given(st.binary(max_size=200), st.integers(0, ONION_DATA - 200))
def test_a_reply_of_any_size_comes_back(data: bytes, extra: int) -> None:
    data += bytes(extra)
    block, keys = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    node, packet = use_reply_block(block, data, ENTROPY)
    assert len(block) == REPLY_BLOCK_SIZE
    assert node == NODES[0]
    assert {len(link) for link, _ in travel(packet, SECRETS[:3])} == {ONION_PACKET_SIZE}
    assert read_reply(packet, keys, SECRETS[:3]) == data


def test_a_loop_looks_like_a_request_and_ends_like_a_reply() -> None:
    there_and_back = [*PATH[:3], PATH[0]]
    packet, keys = make_loop(there_and_back, TOKEN, REPLY_ID, ENTROPY)
    assert packet[:2] == make_packet(there_and_back, b"", ENTROPY)[:2]
    assert read_reply(packet, keys, [*SECRETS[:3], SECRETS[0]]) == b""
    last = travel(packet, [*SECRETS[:3], SECRETS[0]])[-1][0]
    # as a reply's, its payload is for the client alone to check
    assert isinstance(unwrap(SECRETS[0], flipped(last, 8 * PAYLOAD_AT), ENTROPY).outcome, ForClient)


@pytest.mark.parametrize("place", range(3))
def test_an_altered_loop_is_dropped_like_a_request(place: int) -> None:
    packet, _ = make_loop(PATH, TOKEN, REPLY_ID, ENTROPY)
    link = travel(packet, SECRETS)[place][0]
    assert reason_for(flipped(link, 8 * PAYLOAD_AT), SECRETS[place]) is DropReason.PAYLOAD


def test_cover_is_dropped_at_the_end_and_looks_the_same_before() -> None:
    links = travel(make_packet(PATH, b"", ENTROPY, cover=True), SECRETS)
    assert links[-1][1].outcome == Cover()
    others = travel(make_packet(PATH, b"not cover", ENTROPY), SECRETS)
    assert [link[:2] for link, _ in links] == [link[:2] for link, _ in others]


def test_sizes_are_those_of_the_wire() -> None:
    assert (sizes.ONION_PACKET_SIZE, sizes.ONION_PAYLOAD) == (ONION_PACKET_SIZE, ONION_PAYLOAD)
    assert sizes.ONION_HEADER == 4 * LAYER == PAYLOAD_AT - HEAD
    assert sizes.TOKEN_SIZE == TOKEN_SIZE == REPLY_ID_SIZE
    assert ONION_PAYLOAD - sizes.ONION_ZEROS <= ONION_DATA < REPLY_BLOCK_SIZE * 3
    assert REPLY_BLOCK_SIZE <= sizes.MAX_REPLY_BLOCK


def test_no_part_of_a_packet_is_seen_again_behind_a_node() -> None:
    for first, nodes in ((make_packet(PATH, bytes(100), ENTROPY), 4), (_reply_packet()[0], 3)):
        seen: set[bytes] = set()
        for packet, _ in travel(first, SECRETS[:nodes]):
            parts = {packet[at : at + 8] for at in range(HEAD, len(packet) - 8)}
            assert not parts & seen
            seen |= parts


def _reply_packet(data: bytes = b"reply") -> tuple[bytes, ReplyKeys]:
    block, keys = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    return use_reply_block(block, data, ENTROPY)[1], keys


# --- what was altered -------------------------------------------------------------------------------------------------


def test_a_request_altered_in_any_byte_is_dropped_by_the_next_node() -> None:
    packet = make_packet(PATH, b"request", ENTROPY)
    assert packet[1] == 4
    for at in range(ONION_PACKET_SIZE):
        reason = reason_for(flipped(packet, 8 * at + at % 8))
        assert reason in (DropReason.HEADER, DropReason.LENGTH) if at < PAYLOAD_AT else reason is DropReason.PAYLOAD


@settings(max_examples=200)
@given(st.integers(0, 3), st.integers(0, 8 * ONION_PACKET_SIZE - 1), st.booleans())
def test_a_request_altered_anywhere_on_its_way_is_dropped_by_the_next_node(place: int, bit: int, deep: bool) -> None:
    """But in the random bytes that fill it up: nobody reads those, and nothing of them is passed on."""
    link = _links()[place][0]
    end = HEAD + LAYER * (4 - place)
    bit %= 8 * end if deep else 8 * ONION_PACKET_SIZE
    if end <= bit // 8 < PAYLOAD_AT:
        assert_same(unwrap(SECRETS[place], flipped(link, bit), ENTROPY), _links()[place][1])
        return
    assert reason_for(flipped(link, bit), SECRETS[place]) in ALTERED


@cache
def _links() -> list[tuple[bytes, Unwrapped]]:
    return travel(make_packet(PATH, b"request", ENTROPY), SECRETS)


def assert_same(one: Unwrapped, other: Unwrapped) -> None:
    """The same but for fresh random bytes."""
    assert (one.tag, one.delay_ms, type(one.outcome)) == (other.tag, other.delay_ms, type(other.outcome))
    if not isinstance(one.outcome, Forwarded):
        assert one == other
        return
    assert isinstance(other.outcome, Forwarded)
    end = HEAD + LAYER * one.outcome.packet[1]
    assert one.outcome.node == other.outcome.node
    assert one.outcome.packet[:end] == other.outcome.packet[:end]
    assert one.outcome.packet[PAYLOAD_AT:] == other.outcome.packet[PAYLOAD_AT:]
    assert one.outcome.packet[end:PAYLOAD_AT] != other.outcome.packet[end:PAYLOAD_AT]


@settings(max_examples=200)
@given(st.integers(0, 2), st.integers(0, 8 * ONION_PAYLOAD - 1), st.data())
def test_a_reply_altered_anywhere_never_opens(place: int, bit: int, data: st.DataObject) -> None:
    """Also when an accomplice behind the honest nodes undoes what a node in front of them did."""
    packet, keys = _reply_packet()
    links = travel(packet, SECRETS[:3])
    marked = flipped(links[place][0], 8 * PAYLOAD_AT + bit)
    outcome = arrival(marked, SECRETS[place:3])
    assert isinstance(outcome, ForClient)
    undone = flipped(outcome.payload, bit)
    for payload in (
        outcome.payload,
        undone,
        flipped(outcome.payload, data.draw(st.integers(0, 8 * ONION_PAYLOAD - 1))),
    ):
        with pytest.raises(DroppedPacket) as caught:
            keys.open(payload)
        assert caught.value.reason is DropReason.PAYLOAD
    honest = links[-1][1].outcome
    assert isinstance(honest, ForClient)
    assert sum(a == b for a, b in zip(outcome.payload, honest.payload, strict=True)) < 100  # 32 by chance


@settings(max_examples=60)
@given(st.integers(0, 2), st.integers(0, 8 * LAYER - 1))
def test_a_reply_with_another_header_is_dropped(place: int, bit: int) -> None:
    link = travel(_reply_packet()[0], SECRETS[:3])[place][0]
    assert reason_for(flipped(link, 8 * HEAD + bit), SECRETS[place]) is DropReason.HEADER


def test_a_reply_opens_with_its_own_keys_alone() -> None:
    packet, keys = _reply_packet()
    outcome = arrival(packet, SECRETS[:3])
    assert isinstance(outcome, ForClient)
    with pytest.raises(DroppedPacket):
        _reply_packet()[1].open(outcome.payload)
    for payload in (b"", outcome.payload[:-1], outcome.payload + b"\0"):
        with pytest.raises(DroppedPacket) as caught:
            keys.open(payload)
        assert caught.value.reason is DropReason.LENGTH
    assert keys.open(outcome.payload) == b"reply"


def test_header_and_payload_of_two_packets_do_not_fit() -> None:
    one, other = (make_packet(PATH, b"same", ENTROPY) for _ in range(2))
    assert reason_for(one[:PAYLOAD_AT] + other[PAYLOAD_AT:]) is DropReason.PAYLOAD
    assert reason_for(one[: HEAD + LAYER] + other[HEAD + LAYER :]) is DropReason.HEADER
    assert reason_for(one[:1_122] + other[1_122:]) is DropReason.HEADER


# --- lengths, keys, replays -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, ONION_PACKET_SIZE - 1, ONION_PACKET_SIZE + 1])
def test_packets_of_another_length_are_dropped(size: int) -> None:
    packet = make_packet(PATH, b"", ENTROPY).ljust(ONION_PACKET_SIZE + 1, b"\0")[:size]
    assert reason_for(packet) is DropReason.LENGTH
    with pytest.raises(DroppedPacket) as caught:
        packet_period(packet)
    assert caught.value.reason is DropReason.LENGTH


@pytest.mark.parametrize(
    ("left", "reason"), [(0, "length"), (1, "header"), (3, "header"), (5, "length"), (255, "length")]
)
def test_another_number_of_layers_is_dropped(left: int, reason: str) -> None:
    packet = make_packet(PATH, b"", ENTROPY)
    assert reason_for(packet[:1] + bytes([left]) + packet[2:]) == reason


def test_a_packet_for_another_key_or_period_is_dropped() -> None:
    packet = make_packet(PATH, b"", ENTROPY)
    assert reason_for(packet, SECRETS[1]) is DropReason.HEADER
    assert reason_for(bytes([packet[0] ^ 1]) + packet[1:]) is DropReason.HEADER
    assert reason_for(bytes(2) + packet[2:]) is DropReason.LENGTH


def test_a_low_order_point_is_dropped() -> None:
    packet = make_packet(PATH, b"", ENTROPY)
    assert reason_for(packet[: HEAD + 1_088] + bytes(32) + packet[HEAD + 1_120 :]) is DropReason.HEADER
    low = PacketPublic(SECRETS[0].public.raw[:-32] + bytes(32))
    with pytest.raises(CryptoError):
        make_packet([Hop(NODES[0], low, 0)], b"", ENTROPY)


def test_replay_tags_are_of_packets_and_nodes() -> None:
    tags = [unwrapped.tag for _ in range(4) for _, unwrapped in travel(make_packet(PATH, b"same", ENTROPY), SECRETS)]
    assert len(set(tags)) == len(tags) == 16
    assert {len(tag) for tag in tags} == {16}
    packet = make_packet(PATH, b"same", ENTROPY)
    again = [unwrapped.tag for _, unwrapped in travel(packet, SECRETS)]
    assert again == [unwrapped.tag for _, unwrapped in travel(packet, SECRETS)]


def test_a_reply_block_serves_once() -> None:
    """Another payload, other random bytes: every node still knows it as the same packet."""
    block, keys = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    packets = [use_reply_block(block, data, ENTROPY)[1] for data in (b"one", b"other")]
    first, second = ([unwrapped.tag for _, unwrapped in travel(packet, SECRETS[:3])] for packet in packets)
    assert first == second
    assert [read_reply(packet, keys, SECRETS[:3]) for packet in packets] == [b"one", b"other"]


# --- what is not made -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [[0, 0], [0, 1, 1], [2, 0, 0, 1], [0, 0, 0]])
def test_no_path_leads_from_a_node_to_itself(path: list[int]) -> None:
    hops = [PATH[place] for place in path]
    with pytest.raises(ValueError, match="itself"):
        make_packet(hops, b"", ENTROPY)
    with pytest.raises(ValueError, match="itself"):
        make_loop(hops, TOKEN, REPLY_ID, ENTROPY)
    if len(hops) == 3:
        with pytest.raises(ValueError, match="itself"):
            make_reply_block(hops, TOKEN, REPLY_ID, ENTROPY)


def test_paths_have_up_to_four_hops_and_reply_blocks_three() -> None:
    for hops in ([], [*PATH, PATH[0]]):
        with pytest.raises(ValueError, match="one to four"):
            make_packet(hops, b"", ENTROPY)
        with pytest.raises(ValueError, match="one to four"):
            make_loop(hops, TOKEN, REPLY_ID, ENTROPY)
    for hops in ([], PATH[:2], PATH):
        with pytest.raises(ValueError, match="three"):
            make_reply_block(hops, TOKEN, REPLY_ID, ENTROPY)


@pytest.mark.parametrize("hop", [Hop(bytes(31), SECRETS[0].public, 0), Hop(bytes(33), SECRETS[0].public, 0)])
def test_nodes_are_named_by_32_bytes(hop: Hop) -> None:
    with pytest.raises(ValueError, match="hop"):
        make_packet([hop], b"", ENTROPY)


@pytest.mark.parametrize(("delay", "good"), [(-1, False), (0, True), (2**32 - 1, True), (2**32, False)])
def test_delays_have_32_bits(delay: int, good: bool) -> None:
    hop = Hop(NODES[0], SECRETS[0].public, 0, delay)
    if good:
        assert unwrap(SECRETS[0], make_packet([hop], b"", ENTROPY), ENTROPY).delay_ms == delay
    else:
        with pytest.raises(ValueError, match="hop"):
            make_packet([hop], b"", ENTROPY)
    assert Hop(NODES[0], SECRETS[0].public, 0).delay_ms == 0


def test_what_does_not_fit_is_our_mistake() -> None:
    block, _ = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    with pytest.raises(ValueError, match="fit"):
        make_packet(PATH, bytes(ONION_DATA + 1), ENTROPY)
    with pytest.raises(ValueError, match="fit"):
        use_reply_block(block, bytes(ONION_DATA + 1), ENTROPY)
    for token, reply_id in ((TOKEN[:-1], REPLY_ID), (TOKEN, REPLY_ID + b"\0"), (TOKEN + b"\0", REPLY_ID[:-1])):
        with pytest.raises(ValueError, match="size"):
            make_reply_block(PATH[:3], token, reply_id, ENTROPY)
        with pytest.raises(ValueError, match="size"):
            make_loop(PATH, token, reply_id, ENTROPY)


@pytest.mark.parametrize("size", [0, REPLY_BLOCK_SIZE - 1, REPLY_BLOCK_SIZE + 1])
def test_reply_blocks_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(CryptoError) as caught:
        use_reply_block(bytes(size), b"", ENTROPY)
    assert caught.value.code == "malformed"


def test_reply_keys_do_not_show_themselves() -> None:
    _, keys = _reply_packet()
    assert repr(keys) == "<ReplyKeys: redacted>"
    with pytest.raises(TypeError):
        copy.copy(keys)
