"""The committed regression vectors: today's code makes the same bytes, and the second implementation reads them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from roost.crypto import PacketSecret, Session, open_packet
from roost.errors import CryptoError
from tests.crypto import second_implementation as second
from tests.crypto.crypto_helpers import flipped
from tests.crypto.make_vectors import MAKERS, made, padded, read

h = bytes.fromhex


@pytest.mark.parametrize("name", MAKERS)
def test_todays_code_makes_the_committed_bytes(name: str) -> None:
    committed = read(name)
    assert "Regression vectors, made by this implementation" in committed["note"]
    assert made(name) == committed


def test_old_packets_open() -> None:
    vector = read("packet")
    request, answer_key, tag = open_packet(PacketSecret.from_bytes(h(vector["secret"])), h(vector["packet"]))
    assert request == h(vector["request"])
    assert tag == h(vector["replay_tag"])
    assert answer_key.open(h(vector["sealed_answer"])) == h(vector["answer"])


def test_states_of_version_1_are_read() -> None:
    handshake, ratchet = read("handshake"), read("ratchet")
    states = [handshake[name] for name in handshake if "state" in name] + list(ratchet["states_at_the_end"].values())
    assert len(states) == 5
    for state in states:
        assert Session.from_bytes(h(state)).to_bytes() == h(state)


def test_what_must_be_refused_is_refused_for_the_reason_named() -> None:
    vector = read("ratchet")
    sealed = envelopes(vector)
    for case in vector["refused_at_the_end"]:
        envelope = sealed[case["number"]]
        if case["flipped_bit"] is not None:
            envelope = flipped(envelope, case["flipped_bit"])
        with pytest.raises(CryptoError) as caught:
            Session.from_bytes(h(vector["states_at_the_end"][case["actor"]])).open(envelope)
        assert caught.value.code == case["code"]
    assert {case["code"] for case in vector["refused_at_the_end"]} == {
        "replayed",
        "not_authentic",
        "not_for_this_session",
    }


def envelopes(ratchet: dict[str, Any]) -> list[bytes]:
    first = [h(message["envelope"]) for message in read("handshake")["messages"]]
    return first + [h(step["envelope"]) for step in ratchet["steps"] if step["act"] == "seal"]


def test_the_second_implementation_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another implementation would use the files: from JSON alone."""
    handshake, ratchet = read("handshake"), read("ratchet")
    known = {**handshake["encapsulations"], **ratchet["encapsulations"]}
    monkeypatch.setattr(second, "encapsulate", lambda public: tuple(map(h, known[hashlib.sha256(public).hexdigest()])))
    initiator, responder = handshake["initiator"], handshake["responder"]
    identity, prekeys = h(responder["identity_secret"]), h(responder["prekeys"])
    card = second.Card(
        h(responder["account"]),
        second.x25519_public(identity),
        second.x25519_public(prekeys[:32]),
        second.kem_public(prekeys[32:96]),
        prekeys[96:128],
        prekeys[128:],
    )
    alice = second.begin(h(initiator["account"]), h(initiator["identity_secret"]), card, h(handshake["random"]))
    assert alice.id.hex() == handshake["session_id"]
    assert alice.save().hex() == handshake["initiator_state_at_first"]
    for message in handshake["messages"]:
        assert alice.seal(padded(message["body"]), bytes(96) + h(message["salt"])).hex() == message["envelope"]
    answer = second.respond(card, identity, prekeys[:32], prekeys[32:96], h(handshake["messages"][1]["envelope"]))
    assert answer is not None
    sides = {"alice": alice, "bob": answer[0]}
    sealed = envelopes(ratchet)
    for step in ratchet["steps"]:
        side, words = sides[step["actor"]], padded(step["body"])
        if step["act"] == "seal":
            assert side.seal(words, h(step["random"]).rjust(112, b"\0")).hex() == step["envelope"]
        else:
            assert side.open(sealed[step["number"]]) == words
        assert hashlib.sha256(side.save()).hexdigest() == step["state_sha256"]
