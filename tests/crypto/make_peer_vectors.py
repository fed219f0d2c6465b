"""Makes tests/vectors/crypto/peer_link.json: `python -m tests.crypto.make_peer_vectors`.

Regression vectors, made by this implementation, as those of make_vectors.py. The part `noise` is a plain
Noise_XKpsk0_25519_AESGCM_SHA512 handshake over our symmetric state; docs/protocol/peer-links.md says what agreed.
"""

from __future__ import annotations

import json

from roost.crypto.keys import AgreementSecret
from roost.crypto.meetings import announce, meeting_of
from roost.crypto.peer_link import PeerLinkInitiator, PeerLinkResponder
from roost.crypto.peer_noise import SymmetricState
from tests.crypto.crypto_helpers import SeededEntropy
from tests.crypto.make_vectors import FOLDER, Recording, Vector, encapsulations, read
from tests.crypto.peer_helpers import DAY, Seen

NAME = "peer_link"
NOTE = "Regression vectors, made by this implementation (make_peer_vectors.py); not independent answers."
NOW = 1_900_000_000
WRITES = (b"hello", b"", bytes(range(256)) * 3, b"goodbye")


def link(before: Vector) -> Vector:
    entropy = SeededEntropy("peer link vectors")
    own, host = AgreementSecret.generate(entropy), AgreementSecret.generate(entropy)
    admin = entropy.bytes(32)
    meeting = meeting_of(admin)
    guests, hosts = Recording("peer link guest"), Recording("peer link host")
    guest = PeerLinkInitiator(own, host.public, meeting, NOW, guests)
    other = PeerLinkResponder(host, [bytes(16), meeting], NOW + DAY, hosts, Seen())
    first = guest.start()
    with encapsulations(before.get("encapsulations", {})) as known:
        second = other.receive(first)
    third = guest.receive(second)
    other.receive(third)
    assert guest.established
    assert other.established
    ends = guest.established.records, other.established.records
    return {
        "now_s": NOW,
        "initiator_secret": own.to_bytes().hex(),
        "host_secret": host.to_bytes().hex(),
        "admin_capability": admin.hex(),
        "meeting": meeting.hex(),
        "initiator_random": guests.taken(),
        "host_random": hosts.taken(),
        "encapsulations": known,
        "messages": [first.hex(), second.hex(), third.hex()],
        "writes": [write.hex() for write in WRITES],
        "initiator_records": b"".join([*map(ends[0].seal, WRITES), ends[0].end()]).hex(),
        "host_records": b"".join([*map(ends[1].seal, WRITES), ends[1].end()]).hex(),
    }


def announcements() -> Vector:
    entropy = SeededEntropy("announcement vectors")
    meetings = [entropy.bytes(16) for _ in range(3)]
    return {
        "now_s": NOW,
        "meetings": [meeting.hex() for meeting in meetings],
        "announcement": announce(meetings, NOW, entropy).hex(),
    }


def noise() -> Vector:
    """Noise_XKpsk0 as the specification has it: section 7.5's XK with psk0, and what section 9.2 asks of `e`."""
    entropy = SeededEntropy("noise vectors")
    s_i, s_r, e_i, e_r = (AgreementSecret.generate(entropy) for _ in range(4))
    psk, prologue, payloads = entropy.bytes(32), b"prologue", (b"one", b"two", b"three")
    name = b"Noise_XKpsk0_25519_AESGCM_SHA512"
    state = SymmetricState(name)
    state.mix_hash(prologue)
    state.mix_hash(s_r.public.raw)
    state.mix_key_and_hash(psk)
    messages = []
    for own, other, static, payload in ((e_i, s_r, None, 0), (e_r, e_i, None, 1), (None, e_r, s_i, 2)):
        message = b""
        if own:
            message = own.public.raw
            state.mix_hash(message)
            state.mix_key(message)
            state.mix_key(own.exchange(other.public))
        if static:
            message = state.encrypt_and_hash(static.public.raw)
            state.mix_key(static.exchange(other.public))
        messages.append((message + state.encrypt_and_hash(payloads[payload])).hex())
    return {
        "protocol_name": name.decode(),
        "prologue": prologue.hex(),
        "psk": psk.hex(),
        "init_static": s_i.to_bytes().hex(),
        "resp_static": s_r.to_bytes().hex(),
        "init_ephemeral": e_i.to_bytes().hex(),
        "resp_ephemeral": e_r.to_bytes().hex(),
        "payloads": [payload.hex() for payload in payloads],
        "messages": messages,
        "handshake_hash": state.transcript.hex(),
        "keys": [key.hex() for key in state.split()],
    }


def made() -> Vector:
    """What the file should hold."""
    before = read(NAME)
    return {"note": NOTE, "link": link(before.get("link", {})), "announcement": announcements(), "noise": noise()}


if __name__ == "__main__":
    (FOLDER / f"{NAME}.json").write_text(json.dumps(made(), indent=1) + "\n")
