"""Makes tests/vectors/crypto/onion.json: `python -m tests.crypto.make_onion_vectors`.

Regression vectors, made by this implementation, as those of make_vectors.py. Of packets, which are long and mostly
random, the file has the SHA-256; what was random is there too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from roost.crypto import (
    Arrived,
    Cover,
    DroppedPacket,
    ForClient,
    Forwarded,
    Hop,
    PacketSecret,
    make_loop,
    make_packet,
    make_reply_block,
    unwrap,
    use_reply_block,
)
from roost.crypto.lioness import decrypt_block, encrypt_block
from tests.crypto.crypto_helpers import SeededEntropy, flipped
from tests.crypto.make_vectors import FOLDER, Recording, Vector, encapsulations, read, sha256

NAME = "onion"
NOTE = "Regression vectors, made by this implementation (make_onion_vectors.py); not independent answers."
SECRETS = [PacketSecret.generate(SeededEntropy(f"onion node {number}")) for number in range(4)]
PATH = [Hop(bytes([number]) * 32, secret.public, 300 + number, 40 * number) for number, secret in enumerate(SECRETS)]
TOKEN, REPLY_ID = b"token of a link.", b"id of the block."
REQUEST = b"a request " * 9


def journey(packet: bytes, path: Sequence[Hop]) -> list[Vector]:
    """What each node finds, and the random bytes that it fills up with."""
    steps = []
    for number, hop in enumerate(path):
        entropy = Recording(f"onion fill {number}")
        secret = next(secret for secret in SECRETS if secret.public == hop.key)
        unwrapped = unwrap(secret, packet, entropy)
        step: Vector = {
            "packet_sha256": sha256(packet),
            "replay_tag": unwrapped.tag.hex(),
            "delay_ms": unwrapped.delay_ms,
            "outcome": type(unwrapped.outcome).__name__,
        }
        match unwrapped.outcome:
            case Forwarded(node, following):
                packet = following
                step |= {"node": node.hex(), "random": entropy.taken()}
            case ForClient(token, reply_id, payload):
                step |= {"token": token.hex(), "reply_id": reply_id.hex(), "payload_sha256": sha256(payload)}
            case Arrived(payload):
                step |= {"data": payload.hex()}
            case Cover():
                pass
        steps.append(step)
    return steps


def refused(packet: bytes) -> list[Vector]:
    """The first node's reasons: a bit changed in the key's period, the layers left, the first header, the payload."""
    cases = []
    for bit in (0, 8, 15, 16, 8 * 1_100, 8 * 1_130, 8 * 4_761, 8 * 4_762, 8 * 12_953):
        try:
            unwrap(SECRETS[0], flipped(packet, bit), SeededEntropy("refused"))
        except DroppedPacket as error:
            cases.append({"flipped_bit": bit, "reason": error.reason.value})
    return cases


def blocks() -> list[Vector]:
    """The wide-block cipher by itself."""
    key = bytes(range(128))
    cases = []
    for size in (33, 64, 8_192):
        block = encrypt_block(key, bytes(size))
        assert decrypt_block(key, block) == bytes(size)
        cases.append({"key": key.hex(), "zeros": size, "encrypted_sha256": sha256(block), "begins": block[:40].hex()})
    return cases


def made() -> Vector:
    """What the file should hold."""
    entropy = Recording("onion vectors")
    with encapsulations(read(NAME).get("encapsulations", {})) as known:
        packet = make_packet(PATH, REQUEST, entropy)
        request = {"random": entropy.taken(), "data": REQUEST.hex(), "journey": journey(packet, PATH)}
        request["refused"] = refused(packet)
        packet = make_packet(PATH[1:3], b"", entropy, cover=True)
        cover = {"random": entropy.taken(), "journey": journey(packet, PATH[1:3])}
        packet, _ = make_loop(PATH, TOKEN, REPLY_ID, entropy)
        loop = {"random": entropy.taken(), "journey": journey(packet, PATH)}
        block, _ = make_reply_block(PATH[:3], TOKEN, REPLY_ID, entropy)
        reply: Vector = {"random": entropy.taken(), "block_sha256": sha256(block), "data": REQUEST[::-1].hex()}
        _, packet = use_reply_block(block, REQUEST[::-1], entropy)
        reply |= {"answer_random": entropy.taken(), "journey": journey(packet, PATH[:3])}
    return {
        "note": NOTE,
        "nodes": [
            {
                "node": hop.node.hex(),
                "secret": secret.to_bytes().hex(),
                "public_sha256": sha256(hop.key.raw),
                "period": hop.period,
                "delay_ms": hop.delay_ms,
            }
            for hop, secret in zip(PATH, SECRETS, strict=True)
        ],
        "encapsulations": known,
        "token": TOKEN.hex(),
        "reply_id": REPLY_ID.hex(),
        "lioness": blocks(),
        "request": request,
        "cover": cover,
        "loop": loop,
        "reply": reply,
    }


if __name__ == "__main__":
    (FOLDER / f"{NAME}.json").write_text(json.dumps(made(), indent=1) + "\n")
