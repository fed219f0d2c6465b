"""Writes tests/vectors/network/*.json: regression vectors, made by this implementation.

    python -m tests.network.make_vectors

They pin today's bytes; they are not known answers from elsewhere. Bytes are hex. Certificates and packets are drawn at
random, so a new run writes other files that hold just as well.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from roost.crypto import Label, PacketSecret, SigningKey, open_packet
from roost.network import SYSTEM_ENTROPY
from roost.network.federation import seal_request
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import Extension, encode
from roost.wire.frames import frame
from roost.wire.sizes import ENVELOPE_SIZE, PACKET_SMALL
from tests.network.tiny_relay import key_hash, make_certificate

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "network"
NOTE = (
    "Regression vectors, made by this implementation (python -m tests.network.make_vectors); not independent answers."
)

RELAY = SigningKey.from_seed(bytes(range(32)))
OTHER = SigningKey.from_seed(bytes(range(32, 64)))


def proofs() -> list[dict[str, Any]]:
    """Statements, certificates and addresses, and what a client must make of them: `proven` or an error's code."""
    (own, _), (proxy, _), (stranger, _) = (make_certificate() for _ in range(3))
    address = RelayAddress("relay.example", 443, RELAY.public.raw)
    proxied = msgspec.structs.replace(address, tls_fingerprint=hashlib.sha256(proxy).digest())
    info = m.RelayInfo(1, RELAY.public.raw, key_hash(own), m.PacketKey(b"\xdd" * 1_216, 1_780_604_800), 1, True)
    newer = encode(msgspec.structs.replace(info, version=2, extensions=(Extension(9, b"?"),)))
    unreadable = encode((2, RELAY.public.raw, "no longer this structure"))
    right = _signed(RELAY, encode(info))
    return [
        _proof("the right relay", right, address, own, "proven"),
        _proof("a newer relay that still speaks version 1", _signed(RELAY, newer), address, own, "proven"),
        _proof("behind the proxy that the address names", right, proxied, proxy, "proven"),
        _proof("past that proxy", right, proxied, own, "proven"),
        _proof("another certificate", right, address, stranger, "relay_key_changed"),
        _proof("another proxy", right, proxied, stranger, "relay_key_changed"),
        _proof("another relay", _signed(OTHER, encode(_of(info, OTHER))), address, own, "relay_key_changed"),
        _proof(
            "a statement about another", _signed(RELAY, encode(_of(info, OTHER))), address, own, "relay_key_changed"
        ),
        _proof("no signature", m.SignedInfo(right.info, bytes(64)), address, own, "not_a_relay"),
        _proof("another label", _signed(RELAY, right.info, Label.CARD), address, own, "not_a_relay"),
        _proof("signed nonsense", _signed(RELAY, b"\xc0"), address, own, "not_a_relay"),
        _proof("a relay that speaks no version 1", _signed(RELAY, unreadable), address, own, "relay_too_new"),
    ]


def routes() -> list[dict[str, Any]]:
    """Requests sealed to a relay's packet key, and its sealed answers."""
    secret = PacketSecret.generate(SYSTEM_ENTROPY)
    pairs: list[tuple[str, m.Request, m.Response]] = [
        ("a put", m.Put(bytes(32), b"\xee" * ENVELOPE_SIZE), m.Stored(7)),
        ("a refusal", m.Get(bytes(32), 3), m.Refusal(m.RefusalCode.DENIED)),
    ]
    return [_route(name, secret, request, answer) for name, request, answer in pairs]


def _of(info: m.RelayInfo, key: SigningKey) -> m.RelayInfo:
    return msgspec.structs.replace(info, key=key.public.raw)


def _signed(key: SigningKey, info: bytes, label: Label = Label.RELAY_INFO) -> m.SignedInfo:
    return m.SignedInfo(info, key.sign(label, info))


def _proof(name: str, signed: m.SignedInfo, address: RelayAddress, certificate: bytes, outcome: str) -> dict[str, Any]:
    return {
        "name": name,
        "hello": frame(encode(m.Hello(signed))).hex(),
        "key": address.key.hex(),
        "tls_fingerprint": address.tls_fingerprint.hex(),
        "certificate": certificate.hex(),
        "outcome": outcome,
    }


def _route(name: str, secret: PacketSecret, request: m.Request, answer: m.Response) -> dict[str, Any]:
    packet, _ = seal_request(secret.public, request, SYSTEM_ENTROPY)
    _, key, _ = open_packet(secret, packet)
    return {
        "name": name,
        "packet_secret": secret.to_bytes().hex(),
        "request": encode(request).hex(),
        "packet": packet.hex(),
        "answer": encode(answer).hex(),
        "sealed_answer": key.seal(encode(answer), PACKET_SMALL).hex(),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, cases in (("proofs", proofs()), ("routes", routes())):
        text = json.dumps({"note": NOTE, "cases": cases}, indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
