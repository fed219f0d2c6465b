"""Regression vectors: what a client makes of a relay's proof, and packets of the federated route."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roost.crypto import PacketSecret, open_packet
from roost.errors import Unreachable
from roost.network import ShownCertificate, prove
from roost.network.federation import open_answer
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.frames import FrameReader
from tests.network.make_vectors import FOLDER


def cases(name: str) -> list[Any]:
    read = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in read]


@pytest.mark.parametrize("case", cases("proofs"))
def test_proofs(case: dict[str, str]) -> None:
    (body,) = FrameReader().feed(bytes.fromhex(case["hello"]))
    address = RelayAddress("relay.example", 443, bytes.fromhex(case["key"]), bytes.fromhex(case["tls_fingerprint"]))
    shown = ShownCertificate(bytes.fromhex(case["certificate"]))
    try:
        prove(decode(m.Hello, body).info, address, shown)
        outcome = "proven"
    except Unreachable as error:
        outcome = error.code
    assert outcome == case["outcome"]


@pytest.mark.parametrize("case", cases("routes"))
def test_routes(case: dict[str, str]) -> None:
    request, key, _ = open_packet(
        PacketSecret.from_bytes(bytes.fromhex(case["packet_secret"])), bytes.fromhex(case["packet"])
    )
    assert request.hex() == case["request"]
    assert encode(decode(m.Request, request)) == request  # type: ignore[arg-type,type-var]
    answer = open_answer(key, m.SealedAnswer(bytes.fromhex(case["sealed_answer"])))
    assert encode(answer).hex() == case["answer"]
