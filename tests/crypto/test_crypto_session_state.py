"""A session's bytes: the same value again, canonical, and no other bytes accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import Session
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import begun, body, flipped, running


def states() -> list[Session]:
    """A session in every shape that it takes."""
    fresh, accepted, entropy = begun("states")
    alice, bob, _ = running("states", turns=3)
    alice, _missing = alice.seal(body(1), entropy)
    alice, envelope = alice.seal(body(2), entropy)
    gap, _ = bob.open(envelope)
    replied, _ = bob.seal(body(3), entropy)
    return [fresh, accepted, alice, bob, gap, replied]


STATES = states()


@pytest.mark.parametrize("session", STATES, ids=["fresh", "accepted", "sending", "peers turn", "gap", "replied"])
def test_a_session_survives_its_bytes(session: Session) -> None:
    data = session.to_bytes()
    again = Session.from_bytes(data)
    assert again == session
    assert again.to_bytes() == data
    assert (again.id, again.confirmed) == (session.id, session.confirmed)
    assert len(data) < 2_000


def test_a_restored_session_goes_on_where_it_was() -> None:
    alice, bob, entropy = begun("restored")
    for number in range(6):
        bob, envelope = Session.from_bytes(bob.to_bytes()).seal(body(number), entropy)
        alice, opened = Session.from_bytes(alice.to_bytes()).open(envelope)
        assert opened == body(number)
        alice, envelope = Session.from_bytes(alice.to_bytes()).seal(body(number), entropy)
        bob, opened = Session.from_bytes(bob.to_bytes()).open(envelope)
        assert opened == body(number)


def test_a_newer_version_is_named_as_such() -> None:
    data = STATES[2].to_bytes()
    with pytest.raises(CryptoError) as caught:
        Session.from_bytes(b"\x02" + data[1:])
    assert caught.value.code == "newer_version"
    with pytest.raises(CryptoError) as caught:
        Session.from_bytes(b"\x00" + data[1:])
    assert caught.value.code == "malformed"


def test_only_the_canonical_form_is_read() -> None:
    alice, bob, entropy = running("canonical")
    for number in range(3):
        alice, envelope = alice.seal(body(number), entropy)
    data = bob.open(envelope)[0].to_bytes()  # ends with two skipped keys
    first, second = data[-72:-36], data[-36:]
    ended = alice.to_bytes()[:1_406] + b"\1" + alice.to_bytes()[1_407:]  # the key of an ended chain
    for bad in (
        data[:-72] + second + first,
        data[:-72] + first + first,
        data[:-36] + b"\0\0\1\0" + second[4:],  # an index that is not reached yet
        data[:1] + b"\2" + data[2:],
        data[:2] + b"\3" + data[3:],
        ended,
    ):
        with pytest.raises(CryptoError) as caught:
            Session.from_bytes(bad)
        assert caught.value.code == "malformed"


@given(st.sampled_from(STATES), st.data())
def test_damaged_bytes_are_refused_or_mean_something_else(session: Session, data: st.DataObject) -> None:
    """Secrets can hold any bytes, so a flip may decode; but never to the same bytes, nor with any other error."""
    good = session.to_bytes()
    cut = data.draw(st.integers(0, len(good) - 1))
    for bad in (good[:cut], good + b"\0", flipped(good, data.draw(st.integers(0, 8 * len(good) - 1)))):
        try:
            again = Session.from_bytes(bad)
        except CryptoError:
            continue
        assert again.to_bytes() == bad
        assert again != session


@given(st.binary(max_size=3_000))
def test_arbitrary_bytes_only_ever_raise_our_error(data: bytes) -> None:
    for attempt in (data, b"\1" + data):
        try:
            Session.from_bytes(attempt)
        except CryptoError:
            continue
