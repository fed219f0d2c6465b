"""Peer links' regression vectors, and the second implementation, which reads them and speaks with the first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto.meetings import announce, meeting_of, recognised
from roost.crypto.peer_link import PeerLinkInitiator, Records
from roost.crypto.peer_noise import SymmetricState
from tests.crypto import second_implementation
from tests.crypto import second_peer_link as second
from tests.crypto.crypto_helpers import SeededEntropy
from tests.crypto.make_peer_vectors import NAME, made
from tests.crypto.make_vectors import read
from tests.crypto.peer_helpers import DAY, GUEST, HOST, MEETING, NOW, hosting
from tests.crypto.second_implementation import x25519, x25519_public

h = bytes.fromhex
WRITES = st.lists(st.integers(0, 40_000).map(bytes) | st.binary(max_size=40), max_size=4)


def test_todays_code_makes_the_committed_bytes() -> None:
    committed = read(NAME)
    assert "Regression vectors, made by this implementation" in committed["note"]
    assert made() == committed


def test_the_second_implementation_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another implementation would use the file: from JSON alone."""
    vector = read(NAME)["link"]
    known = vector["encapsulations"]
    monkeypatch.setattr(
        second_implementation, "encapsulate", lambda key: tuple(map(h, known[hashlib.sha256(key).hexdigest()]))
    )
    meeting, period = second.meeting_of(h(vector["admin_capability"])), vector["now_s"] // DAY
    assert meeting == h(vector["meeting"])
    secret, host = h(vector["initiator_secret"]), h(vector["host_secret"])
    guest = second.Initiator(secret, x25519_public(host), meeting, period, h(vector["initiator_random"]))
    other = second.Responder(host, meeting, period, h(vector["host_random"]))
    first = guest.message_1()
    answer = other.message_2(first)
    third = guest.message_3(answer)
    assert [first.hex(), answer.hex(), third.hex()] == vector["messages"]
    assert other.peer(third) == x25519_public(secret)
    assert second.chains(guest.noise) == second.chains(other.noise)
    for chain, records in zip(second.chains(guest.noise), ("initiator_records", "host_records"), strict=True):
        writer, reader = second.Direction(chain), second.Direction(chain)
        stream = b"".join(map(writer.write, map(h, vector["writes"]))) + writer.write(b"", last=True)
        assert stream == h(vector[records])
        assert reader.read(stream) == b"".join(map(h, vector["writes"]))


def test_the_second_implementation_names_the_same_meetings() -> None:
    vector = read(NAME)["announcement"]
    announcement, period = h(vector["announcement"]), vector["now_s"] // DAY
    tags = [announcement[at : at + 8] for at in range(16, len(announcement), 8)]
    expected = [second.announced_tag(h(meeting), announcement[:16], period) for meeting in vector["meetings"]]
    assert len(tags) == 8
    assert set(expected) < set(tags)
    assert recognised(announcement, [bytes(16), *map(h, vector["meetings"])], vector["now_s"]) == list(
        map(h, vector["meetings"])
    )


def test_the_second_implementations_noise_gives_the_same_noise() -> None:
    """Noise_XKpsk0 itself, without anything that peer links add."""
    vector = read(NAME)["noise"]
    keys = "init_static", "resp_static", "init_ephemeral", "resp_ephemeral"
    s_i, s_r, e_i, e_r = (h(vector[name]) for name in keys)
    noise = second.Noise(vector["protocol_name"].encode())
    noise.mix_hash(h(vector["prologue"]))
    noise.mix_hash(x25519_public(s_r))
    noise.mix_key_and_hash(h(vector["psk"]))
    messages = []
    for own, other, payload in ((e_i, x25519_public(s_r), 0), (e_r, x25519_public(e_i), 1)):
        noise.mix_hash(x25519_public(own))
        noise.mix_key(x25519_public(own))
        noise.mix_key(x25519(own, other))
        messages.append(x25519_public(own) + noise.encrypt_and_hash(h(vector["payloads"][payload])))
    static = noise.encrypt_and_hash(x25519_public(s_i))
    noise.mix_key(x25519(s_i, x25519_public(e_r)))
    messages.append(static + noise.encrypt_and_hash(h(vector["payloads"][2])))
    assert [message.hex() for message in messages] == vector["messages"]
    assert noise.h.hex() == vector["handshake_hash"]
    assert [key[:32].hex() for key in second.hkdf(noise.ck, b"", 2)] == vector["keys"]


@pytest.mark.parametrize("length", [0, 31, 63, 64, 65, 200])
def test_a_protocol_name_is_padded_or_hashed(length: int) -> None:
    """Noise section 5.2, InitializeSymmetric: hashed when it is longer than a hash."""
    name = SeededEntropy("name").bytes(length)
    expected = hashlib.sha512(name).digest() if length > 64 else name + bytes(64 - length)
    assert SymmetricState(name).transcript == expected


def check_both_ways(records: Records, sends: bytes, receives: bytes, writes: list[bytes]) -> None:
    """First and second implementation at the two ends: `sends` is the first's chain."""
    reader, writer = second.Direction(sends), second.Direction(receives)
    for data in writes:
        assert reader.read(records.seal(data)) == data
        assert b"".join(records.open(writer.write(data))) == data
    records.open(writer.write(b"", last=True))
    assert records.ended


@given(seed=st.integers(0, 2**32), late=st.integers(-1, 1), writes=WRITES)
def test_a_second_implementation_dials_the_first(seed: int, late: int, writes: list[bytes]) -> None:
    random = SeededEntropy(str(seed)).bytes(116)
    guest = second.Initiator(GUEST.to_bytes(), HOST.public.raw, MEETING, NOW // DAY + late, random)
    host = hosting(str(seed))
    host.receive(guest.message_3(host.receive(guest.message_1())))
    assert host.established
    assert host.established.peer == GUEST.public
    there, back = second.chains(guest.noise)
    check_both_ways(host.established.records, back, there, writes)


@given(seed=st.integers(0, 2**32), writes=WRITES)
def test_the_first_implementation_dials_a_second(seed: int, writes: list[bytes]) -> None:
    entropy = SeededEntropy(str(seed))
    host = second.Responder(HOST.to_bytes(), MEETING, NOW // DAY, entropy.bytes(50))
    guest = PeerLinkInitiator(GUEST, HOST.public, MEETING, NOW, entropy)
    assert host.peer(guest.receive(host.message_2(guest.start()))) == GUEST.public.raw
    assert guest.established
    there, back = second.chains(host.noise)
    check_both_ways(guest.established.records, there, back, writes)


@pytest.mark.parametrize("changed", ["psk", "es", "ee", "ss", "se", "transcript"])
def test_every_secret_and_the_transcript_are_in_the_last_keys(changed: str) -> None:
    """So whoever lacks one of them, such as the ephemeral ones afterwards, or ML-KEM's, has no key of any record."""
    assert last_keys(changed) != last_keys("nothing")
    assert last_keys("nothing") == last_keys("nothing")


def last_keys(changed: str) -> tuple[bytes, bytes]:
    """The key schedule of the document, with one of its inputs changed."""
    mix: Callable[[str], bytes] = lambda name: (b"*" if name == changed else b"-") + name.encode()  # noqa: E731
    noise = second.begun(HOST.public.raw, mix("psk").ljust(16, b"\0"), bytes(16), 1)
    for name in ("es", "ee", "ss", "se"):
        noise.mix_key(mix(name))
    noise.h = mix("transcript").ljust(64, b"\0") if changed == "transcript" else noise.h.ljust(64, b"\0")
    return second.chains(noise)


def test_meetings_are_the_same() -> None:
    for number in range(20):
        admin = SeededEntropy(f"admin {number}").bytes(32)
        assert meeting_of(admin) == second.meeting_of(admin)
    announcement = announce([MEETING], NOW, SeededEntropy("one"))
    assert second.announced_tag(MEETING, announcement[:16], NOW // DAY) in announcement
