"""Peer links, the handshake: who is proven to whom, and that everything else is met with silence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import peer_handshake
from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.peer_link import REMEMBER_S, PeerLinkResponder, Records
from roost.crypto.peer_noise import SymmetricState
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import MalformedKem, SeededEntropy
from tests.crypto.peer_helpers import (
    DAY,
    GUEST,
    HOST,
    MEETING,
    MEETINGS,
    NOW,
    Posing,
    Seen,
    dialling,
    hosting,
    linked,
    pieces,
)

SIZES = st.lists(st.integers(1, 700), max_size=12)
# The points of order 1, 2, 4 and 8 and their other spellings, as listed at https://cr.yp.to/ecdh.html ("validate").
LOW_ORDER = (
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def low_order(point: str) -> Posing:
    """A key of low order: every exchange with it gives zeros, so that its maker knows them."""
    return Posing(AgreementPublic(bytes.fromhex(point)), bytes(32))


def test_both_ends_prove_their_keys_and_speak() -> None:
    guest, host, _ = linked()
    assert guest.peer == HOST.public
    assert host.peer == GUEST.public
    assert guest.meeting == host.meeting == MEETING
    assert host.records.open(guest.records.seal(b"hello")) == [b"hello"]
    assert guest.records.open(host.records.seal(b"hello, you")) == [b"hello, you"]


@given(first=SIZES, second=SIZES, third=SIZES)
def test_bytes_may_arrive_in_any_pieces(first: list[int], second: list[int], third: list[int]) -> None:
    guest, host = dialling(), hosting()
    answer = b"".join([host.receive(piece) for piece in pieces(guest.start(), first)])
    last = b"".join([guest.receive(piece) for piece in pieces(answer, second)])
    assert guest.established
    sent = last + guest.established.records.seal(b"right behind")
    records: Records | None = None
    opened: list[bytes] = []
    for piece in pieces(sent, third):
        if records is None:
            assert host.receive(piece) == b""
            if host.established:
                records = host.established.records
                opened += records.open(host.rest)
        else:
            opened += records.open(piece)
    assert opened == [b"right behind"]


@given(SIZES)
def test_a_message_that_is_cut_off_is_not_answered(sizes: list[int]) -> None:
    first, host = dialling().start(), hosting()
    assert not any(host.receive(piece) for piece in pieces(first[:-1], sizes))
    assert host.established is None
    assert host.receive(first[-1:])


def test_any_byte_changed_in_the_first_message_is_met_with_silence() -> None:
    first = dialling().start()
    for place in range(len(first)):
        with pytest.raises(CryptoError):
            hosting().receive(changed(first, place) + bytes(2_000))


def test_any_byte_changed_in_the_second_message_is_refused() -> None:
    second = hosting().receive(dialling().start())
    for place in range(len(second)):
        guest = dialling()
        guest.start()
        with pytest.raises(CryptoError):
            guest.receive(changed(second, place) + bytes(2_000))
        assert guest.established is None


def test_any_byte_changed_in_the_third_message_is_refused() -> None:
    for place in range(len(linked()[2][2])):
        guest, host = dialling("link guest"), hosting("link host")
        third = guest.receive(host.receive(guest.start()))
        with pytest.raises(CryptoError):
            host.receive(changed(third, place) + bytes(2_000))
        assert host.established is None


def changed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


@given(st.binary(max_size=3_000))
def test_nothing_answers_whoever_has_no_meeting(data: bytes) -> None:
    host, seen = hosting(), Seen()
    if len(data) < 32:
        assert host.receive(data) == b""
    else:
        with pytest.raises(CryptoError):
            hosting(seen=seen).receive(data)
    assert not seen.nonces
    assert host.established is None


def test_another_meeting_or_another_host_is_met_with_silence() -> None:
    first = dialling(meeting=b"\1" * 16).start()
    with pytest.raises(CryptoError, match="no meeting"):
        hosting().receive(first[:32])
    for other in (dialling(host=GUEST.public), dialling(own=HOST, host=GUEST.public)):
        with pytest.raises(CryptoError):
            hosting().receive(other.start())
    with pytest.raises(CryptoError, match="no meeting"):
        hosting(meetings=()).receive(dialling().start())


def test_a_tag_alone_gets_nothing() -> None:
    """Who saw an opening knows a good nonce and tag; without the meeting they are worth nothing."""
    first = dialling().start()
    with pytest.raises(CryptoError):
        hosting().receive(first[:32] + SeededEntropy("rest").bytes(2_400))


def test_each_meeting_is_tried_once_and_the_right_one_found(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bytes] = []
    genuine = peer_handshake.peer_tag
    many = [SeededEntropy(f"one of many {number}").bytes(16) for number in range(1_000)]
    opening = dialling(meeting=many[-1]).start()
    monkeypatch.setattr(peer_handshake, "peer_tag", lambda *given: (tried.append(given[0]), genuine(*given))[1])
    assert hosting(meetings=many).receive(opening)
    assert tried == many


@pytest.mark.parametrize("own", [0, 1])
def test_reflected_messages_are_refused(own: int) -> None:
    guest = dialling()
    first = guest.start()
    with pytest.raises(CryptoError):
        guest.receive(first + first)
    host = hosting()
    second = host.receive(dialling().start())
    with pytest.raises(CryptoError):
        host.receive(second)
    ends = linked()
    with pytest.raises(CryptoError):
        ends[own].records.open(ends[own].records.seal(b"to the other"))


def test_a_replayed_opening_is_not_answered() -> None:
    seen, first = Seen(), dialling().start()
    assert hosting(seen=seen).receive(first)
    with pytest.raises(CryptoError) as caught:
        hosting(seen=seen).receive(first)
    assert caught.value.code == "replayed"


def test_a_host_that_forgot_answers_a_replay_anew_and_believes_nobody() -> None:
    guest, host = dialling(), hosting("before")
    first = guest.start()
    second = host.receive(first)
    third = guest.receive(second)
    for seed in ("before", "after"):
        again = hosting(seed, seen=Seen())
        answer = again.receive(first)
        assert answer[64:] != second[64:]  # also where its own randomness came again: ML-KEM draws its own
        with pytest.raises(CryptoError):
            again.receive(third + bytes(1_100))


def test_an_answer_to_another_opening_is_refused() -> None:
    second = hosting().receive(dialling("one").start())
    other = dialling("other")
    other.start()
    with pytest.raises(CryptoError):
        other.receive(second)


@given(made=st.integers(0, 50 * DAY), later=st.integers(-6 * DAY, 6 * DAY))
def test_an_opening_is_good_in_its_period_and_the_two_beside_it(made: int, later: int) -> None:
    made, heard = NOW + made, NOW + made + later
    first = dialling(now_s=made).start()
    if abs(heard // DAY - made // DAY) <= 1:
        assert hosting(now_s=heard).receive(first)
    else:
        with pytest.raises(CryptoError):
            hosting(now_s=heard).receive(first)


def test_a_nonce_is_remembered_for_as_long_as_its_opening_is_good() -> None:
    """Made a day ahead of the host, at the very beginning of the host's day."""
    taken = NOW // DAY * DAY
    first = dialling(now_s=taken + DAY).start()
    assert hosting(now_s=taken).receive(first)
    assert hosting(now_s=taken + REMEMBER_S - 1).receive(first)
    with pytest.raises(CryptoError):
        hosting(now_s=taken + REMEMBER_S).receive(first)


def test_the_epoch_itself_has_no_day_before() -> None:
    assert hosting(now_s=5).receive(dialling(now_s=5).start())


def test_the_host_remembers_good_openings_only() -> None:
    seen = Seen()
    first = dialling().start()
    for bad in (changed(first, len(first) - 1), changed(first, 200)):
        with pytest.raises(CryptoError):
            hosting(seen=seen).receive(bad)
    assert hosting(seen=seen).receive(first)
    assert seen.nonces == {first[:16]}


@pytest.mark.parametrize("guessed", [None, bytes(32)])
def test_nobody_poses_as_a_guest_even_to_a_host_whose_key_they_stole(guessed: bytes | None) -> None:
    """Key compromise impersonation: the thief also knows the meeting, and shows the guest's public key."""
    thief, host = dialling(own=Posing(GUEST.public, guessed)), hosting()
    third = thief.receive(host.receive(thief.start()))
    with pytest.raises(CryptoError):
        host.receive(third)
    assert host.established is None


def test_nobody_poses_as_a_host_even_to_a_guest_whose_key_they_stole() -> None:
    """The thief knows the guest's secret key, the meeting and the host's public key, but not the host's secret."""
    guest = dialling()
    thief = PeerLinkResponder(Posing(HOST.public), MEETINGS, NOW, SeededEntropy("thief"), Seen())
    with pytest.raises(CryptoError):
        thief.receive(guest.start())


@pytest.mark.parametrize("point", LOW_ORDER)
def test_low_order_points_are_refused_everywhere(point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CryptoError, match="low order"):
        dialling(host=AgreementPublic(bytes.fromhex(point)))

    hostile = low_order(point)
    with monkeypatch.context() as patched:  # the guest's ephemeral key
        patched.setattr(AgreementSecret, "generate", lambda _: hostile)
        first = dialling().start()
    with pytest.raises(CryptoError, match="low order"):
        hosting().receive(first)

    guest, host = dialling(), hosting()
    with monkeypatch.context() as patched:  # the host's ephemeral key
        patched.setattr(AgreementSecret, "generate", lambda _: hostile)
        second = host.receive(guest.start())
    with pytest.raises(CryptoError, match="low order"):
        guest.receive(second)

    guest, host = dialling(own=hostile), hosting()  # the guest's static key
    third = guest.receive(host.receive(guest.start()))
    with pytest.raises(CryptoError, match="low order"):
        host.receive(third)


def test_every_public_key_that_gives_zeros_is_refused_as_a_guests(vectors: Callable[[str], Any]) -> None:
    """Project Wycheproof's: low-order points in every spelling, also on the twist."""
    groups = vectors("wycheproof/x25519_test.json")["testGroups"]
    cases = [case for group in groups for case in group["tests"] if not any(bytes.fromhex(case["shared"]))]
    assert len(cases) >= 30
    for case in cases:
        guest, host = dialling(own=low_order(case["public"])), hosting()
        third = guest.receive(host.receive(guest.start()))
        with pytest.raises(CryptoError, match="low order"):
            host.receive(third)


def test_a_malformed_ml_kem_key_is_met_with_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = MalformedKem(bytes(64))
    with monkeypatch.context() as patched:
        patched.setattr(peer_handshake.KemSecret, "generate", lambda _: hostile)
        first = dialling().start()
    seen = Seen()
    with pytest.raises(CryptoError):
        hosting(seen=seen).receive(first)
    assert not seen.nonces


@pytest.mark.parametrize("padding", [bytes(1_024), bytes(65_535), b"\1", bytes(100) + b"\1"])
def test_padding_that_nobody_writes_is_refused(padding: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(peer_handshake, "_padding", lambda _: padding)
        first = dialling().start()
    with pytest.raises(CryptoError) as caught:
        hosting().receive(first)
    assert caught.value.code == "malformed"


def test_the_longest_padding_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_handshake, "_padding", lambda _: bytes(1_023))
    first, second, third = linked()[2]
    assert (len(first), len(second), len(third)) == (1_298 + 1_023, 1_186 + 1_023, 66 + 1_023)


def test_after_a_refusal_and_after_the_end_nothing_more_is_taken() -> None:
    host = hosting()
    with pytest.raises(CryptoError):
        host.receive(bytes(32))
    with pytest.raises(CryptoError, match="is over"):
        host.receive(dialling().start())
    guest, host = dialling(), hosting()
    guest.receive(host.receive(guest.start()))
    with pytest.raises(CryptoError, match="is over"):
        guest.receive(b"")


def test_the_host_says_nothing_first() -> None:
    assert hosting().start() == b""
    assert hosting().receive(b"") == b""


def test_secrets_print_nothing_and_are_not_pickled() -> None:
    guest, _, _ = linked()
    for secret in (guest, guest.records, SymmetricState(b"name"), dialling(), hosting()):
        assert repr(secret) == f"<{type(secret).__name__}: redacted>"
        with pytest.raises(TypeError):
            pickle.dumps(secret)
