"""Onion packets' regression vectors, and the second implementation, which reads them and speaks with the first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    ONION_DATA,
    Arrived,
    Cover,
    DroppedPacket,
    ForClient,
    Forwarded,
    ReplyKeys,
    make_loop,
    make_packet,
    make_reply_block,
    unwrap,
    use_reply_block,
)
from roost.crypto.lioness import decrypt_block, encrypt_block
from tests.crypto import second_implementation
from tests.crypto import second_onion as second
from tests.crypto.crypto_helpers import SeededEntropy, flipped
from tests.crypto.make_onion_vectors import NAME, PATH, REPLY_ID, SECRETS, TOKEN, made
from tests.crypto.make_vectors import read, sha256

h = bytes.fromhex
ENTROPY = SeededEntropy("onion, both implementations")
RANDOM = ENTROPY.bytes
NODES = [second.Node(hop.node, hop.key.raw, hop.period, hop.delay_ms) for hop in PATH]
DATA = st.binary(max_size=100) | st.integers(0, ONION_DATA).map(bytes)


def test_todays_code_makes_the_committed_bytes() -> None:
    committed = read(NAME)
    assert "Regression vectors, made by this implementation" in committed["note"]
    assert made() == committed


# --- LIONESS ----------------------------------------------------------------------------------------------------------


def _pylioness(key: bytes) -> second.Lioness:
    """Its parameters: a left part of 40 bytes, ChaCha20 as first published (nonce and key: 8 and 32 bytes, a counter
    of 64 bits), BLAKE2b of 40 bytes with keys of 64."""

    def stream(key: bytes, data: bytes) -> bytes:
        return Cipher(ChaCha20(key[8:], bytes(8) + key[:8]), None).encryptor().update(data)

    def mac(key: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=40, key=key).digest()

    return second.Lioness((key[:40], key[40:104], key[104:144], key[144:208]), stream, mac)


@pytest.mark.parametrize("vector", read("lioness_known_answers")["cases"])
def test_known_answers_of_another_lioness(vector: dict[str, str]) -> None:
    cipher = _pylioness(h(vector["key"]))
    assert cipher.encrypt(h(vector["plaintext"])) == h(vector["ciphertext"])
    assert cipher.decrypt(h(vector["ciphertext"])) == h(vector["plaintext"])


@given(st.binary(min_size=128, max_size=128), st.binary(min_size=33, max_size=300))
def test_our_lioness_is_the_second_implementations(key: bytes, block: bytes) -> None:
    encrypted = encrypt_block(key, block)
    assert encrypted == second.lioness(key).encrypt(block)
    assert decrypt_block(key, encrypted) == block == second.lioness(key).decrypt(encrypted)
    assert decrypt_block(key, block) == second.lioness(key).decrypt(block)


@given(st.integers(0, 8 * 8_192 - 1), st.booleans())
def test_every_byte_of_a_block_depends_on_every_bit(bit: int, encrypts: bool) -> None:
    key, block = RANDOM(128), RANDOM(8_192)
    work = encrypt_block if encrypts else decrypt_block
    changed = work(key, flipped(block, bit))
    assert sum(a == b for a, b in zip(work(key, block), changed, strict=True)) < 100  # 32 by chance


# --- the second implementation ----------------------------------------------------------------------------------------


class Given:
    """Random bytes that were noted, in their order."""

    def __init__(self, noted: str) -> None:
        self._left = h(noted)

    def __call__(self, count: int) -> bytes:
        given, self._left = self._left[:count], self._left[count:]
        assert len(given) == count
        return given


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The file, whose encapsulations the second implementation makes again."""
    vector = read(NAME)
    known = vector["encapsulations"]
    monkeypatch.setattr(second_implementation, "encapsulate", lambda key: tuple(map(h, known[sha256(key)])))
    return vector


def _path(vector: dict[str, Any]) -> tuple[list[second.Node], list[bytes]]:
    nodes, secrets = [], [h(node["secret"]) for node in vector["nodes"]]
    for node, secret in zip(vector["nodes"], secrets, strict=True):
        public = second_implementation.kem_public(secret[:64]) + second_implementation.x25519_public(secret[64:])
        assert sha256(public) == node["public_sha256"]
        nodes.append(second.Node(h(node["node"]), public, node["period"], node["delay_ms"]))
    return nodes, secrets


def _follow(packet: bytes, secrets: list[bytes], journey: list[dict[str, Any]]) -> second.Removed:
    """The second implementation finds at each node what the file says."""
    for secret, step in zip(secrets, journey, strict=True):
        assert sha256(packet) == step["packet_sha256"]
        removed = second.remove(secret, packet, Given(step.get("random", "")))
        assert isinstance(removed, second.Removed)
        assert (removed.replay_tag.hex(), removed.delay) == (step["replay_tag"], step["delay_ms"])
        assert removed.command == {"Forwarded": 1, "Arrived": 2, "ForClient": 3, "Cover": 4}[step["outcome"]]
        if step["outcome"] == "Forwarded":
            assert removed.target.hex() == step["node"]
        packet = removed.rest
    return removed


def test_the_second_implementation_reads_the_vectors(file: dict[str, Any]) -> None:
    """As another implementation would use the file: from JSON alone."""
    path, secrets = _path(file)
    client = h(file["token"]) + h(file["reply_id"])
    for case in file["lioness"]:
        encrypted = second.lioness(h(case["key"])).encrypt(bytes(case["zeros"]))
        assert (sha256(encrypted), encrypted[:40].hex()) == (case["encrypted_sha256"], case["begins"])
    case = file["request"]
    request = second.request(path, h(case["data"]), Given(case["random"]))
    assert _follow(request, secrets, case["journey"]).rest == h(case["data"]) == h(case["journey"][-1]["data"])
    for refused in case["refused"]:
        assert second.remove(secrets[0], flipped(request, refused["flipped_bit"]), RANDOM) == refused["reason"]
    case = file["cover"]
    cover = second.request(path[1:3], b"", Given(case["random"]), command=4)
    assert second.data_of(_follow(cover, secrets[1:3], case["journey"]).rest) == b""
    case = file["loop"]
    loop, ciphers = second.loop(path, client, Given(case["random"]))
    assert second.read_answer(ciphers, _follow(loop, secrets, case["journey"]).rest) == b""
    case = file["reply"]
    block, ciphers = second.reply_block(path[:3], client, Given(case["random"]))
    assert sha256(block) == case["block_sha256"]
    node, reply = second.answer(block, h(case["data"]), Given(case["answer_random"]))
    assert node == path[0].node
    removed = _follow(reply, secrets[:3], case["journey"])
    assert removed.target == client
    assert sha256(removed.rest) == case["journey"][-1]["payload_sha256"]
    assert second.read_answer(ciphers, removed.rest) == h(case["data"])


Step = Callable[[int, bytes], tuple[int, bytes, bytes, bytes]]  # -> command, target, rest, replay tag


def first_removes(place: int, packet: bytes) -> tuple[int, bytes, bytes, bytes]:
    unwrapped = unwrap(SECRETS[place], packet, ENTROPY)
    assert unwrapped.delay_ms == PATH[place].delay_ms
    match unwrapped.outcome:
        case Forwarded(node, following):
            return 1, node, following, unwrapped.tag
        case Arrived(payload):
            return 2, bytes(32), payload, unwrapped.tag
        case ForClient(token, reply_id, payload):
            return 3, token + reply_id, payload, unwrapped.tag
        case Cover():
            return 4, bytes(32), b"", unwrapped.tag


def second_removes(place: int, packet: bytes) -> tuple[int, bytes, bytes, bytes]:
    removed = second.remove(SECRETS[place].to_bytes(), packet, RANDOM)
    assert isinstance(removed, second.Removed)
    assert removed.delay == PATH[place].delay_ms
    return removed.command, removed.target, removed.rest, removed.replay_tag


def carried(packet: bytes, nodes: list[Step], command: int, target: bytes) -> bytes:
    """Through nodes of either implementation; all find the same."""
    for place in range(len(nodes)):
        assert nodes[place](place, packet)[3] == first_removes(place, packet)[3] == second_removes(place, packet)[3]
        found, to, rest, _ = nodes[place](place, packet)
        assert (found, to) == ((command, target) if place + 1 == len(nodes) else (1, PATH[place + 1].node))
        packet = rest
    return packet


PLACES = st.lists(st.sampled_from([first_removes, second_removes]), min_size=4, max_size=4)


@settings(max_examples=40)
@given(DATA, PLACES, st.booleans(), st.integers(1, 4))
def test_requests_pass_between_the_implementations(data: bytes, nodes: list[Step], ours: bool, hops: int) -> None:
    make: Callable[[], bytes] = lambda: second.request(NODES[:hops], data, RANDOM)  # noqa: E731
    packet = make_packet(PATH[:hops], data, ENTROPY) if ours else make()
    assert carried(packet, nodes[:hops], 2, bytes(32)) == data


@settings(max_examples=40)
@given(DATA, PLACES, st.booleans(), st.booleans())
def test_replies_pass_between_the_implementations(data: bytes, nodes: list[Step], ours: bool, answers: bool) -> None:
    block, read_payload = _block() if ours else _seconds_block()
    use: Callable[[], tuple[bytes, bytes]] = lambda: second.answer(block, data, RANDOM)  # noqa: E731
    node, packet = use_reply_block(block, data, ENTROPY) if answers else use()
    assert node == NODES[0].node
    assert read_payload(carried(packet, nodes[:3], 3, TOKEN + REPLY_ID)) == data


def _block() -> tuple[bytes, Callable[[bytes], bytes | None]]:
    block, keys = make_reply_block(PATH[:3], TOKEN, REPLY_ID, ENTROPY)
    return block, keys.open


def _seconds_block() -> tuple[bytes, Callable[[bytes], bytes | None]]:
    block, ciphers = second.reply_block(NODES[:3], TOKEN + REPLY_ID, RANDOM)
    return block, lambda payload: second.read_answer(ciphers, payload)


@settings(max_examples=20)
@given(PLACES, st.booleans())
def test_loops_and_cover_pass_between_the_implementations(nodes: list[Step], ours: bool) -> None:
    loop: tuple[bytes, ReplyKeys | list[second.Lioness]]
    loop = make_loop(PATH, TOKEN, REPLY_ID, ENTROPY) if ours else second.loop(NODES, TOKEN + REPLY_ID, RANDOM)
    packet, keys = loop
    payload = carried(packet, nodes, 3, TOKEN + REPLY_ID)
    assert (keys.open(payload) if isinstance(keys, ReplyKeys) else second.read_answer(keys, payload)) == b""
    cover = make_packet(PATH, b"", ENTROPY, cover=True) if ours else second.request(NODES, b"", RANDOM, command=4)
    carried(cover, nodes, 4, bytes(32))


# --- hostile makers, with the right keys ------------------------------------------------------------------------------


def _reason(packet: bytes) -> str:
    assert second.remove(SECRETS[0].to_bytes(), packet, RANDOM) in ("length", "header", "routing", "payload")
    with pytest.raises(DroppedPacket) as caught:
        unwrap(SECRETS[0], packet, ENTROPY)
    return caught.value.reason.value


@pytest.mark.parametrize("command", [0, 1, 5, 255])
def test_a_command_that_is_none_or_forwards_nothing_is_dropped(command: int) -> None:
    assert _reason(second.request(NODES[:1], b"", RANDOM, command=command)) == "routing"


@pytest.mark.parametrize("command", [2, 3, 4])
def test_a_last_command_with_layers_behind_it_is_dropped(command: int) -> None:
    layers = second.layers(NODES[:2], RANDOM)
    payload, tags = second.tagged(layers, second.framed(b""))
    routing = bytes([command]) + bytes(4) + NODES[1].node + b"\0" + tags[0]
    header = layers[0][0] + second.gcm(layers[0][1].header, routing + bytes(1_190), bytes([NODES[0].period % 256, 2]))
    assert _reason(second.onto_link(NODES[0].period, 2, header, payload, RANDOM)) == "routing"


@pytest.mark.parametrize(
    "framed",
    [
        bytes(15) + b"\1" + bytes(8_176),
        b"\1" + bytes(8_191),
        bytes(16) + (8_173).to_bytes(4, "big") + bytes(8_172),
        bytes(16) + b"\xff" * 4 + bytes(8_172),
        bytes(8_191) + b"\1",
    ],
)
def test_what_is_not_framed_as_it_should_be_is_dropped(framed: bytes) -> None:
    layers = second.layers(NODES[:1], RANDOM)
    payload, tags = second.tagged(layers, framed)
    header = second.header(NODES[:1], layers, 2, bytes(32), tags)
    assert _reason(second.onto_link(NODES[0].period, 1, header, payload, RANDOM)) == "payload"
