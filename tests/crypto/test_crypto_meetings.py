"""Meetings: their holders recognise a host's announcements, and nobody else learns anything from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto.meetings import MAX_ANNOUNCED, MEETING_SIZE, announce, meeting_of, recognised
from tests.crypto.crypto_helpers import SeededEntropy
from tests.crypto.peer_helpers import DAY, NOW

MINE = tuple(SeededEntropy(f"mine {number}").bytes(16) for number in range(MAX_ANNOUNCED + 1))
OTHERS = tuple(SeededEntropy(f"others' {number}").bytes(16) for number in range(100))


def test_a_capability_gives_one_meeting() -> None:
    meetings = {meeting_of(SeededEntropy(f"capability {number}").bytes(32)) for number in range(50)}
    assert len(meetings) == 50
    assert {len(meeting) for meeting in meetings} == {MEETING_SIZE}


@given(st.sets(st.integers(0, MAX_ANNOUNCED - 1)), st.sets(st.integers(0, MAX_ANNOUNCED - 1)), st.integers(0, 10**6))
def test_holders_recognise_what_they_hold(announced: set[int], held: set[int], seed: int) -> None:
    announcement = announce([MINE[number] for number in announced], NOW, SeededEntropy(str(seed)))
    found = recognised(announcement, [*OTHERS, *(MINE[number] for number in held)], NOW)
    assert set(found) == {MINE[number] for number in announced & held}


@pytest.mark.parametrize(
    ("count", "tags"), [(0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 24), (49, 56), (MAX_ANNOUNCED, 56)]
)
def test_the_number_of_meetings_shows_in_steps_of_eight(count: int, tags: int) -> None:
    announcement = announce(MINE[:count], NOW, SeededEntropy("steps"))
    assert len(announcement) == 16 + 8 * tags
    assert recognised(announcement, MINE, NOW) == list(MINE[:count])


def test_more_than_an_announcement_holds() -> None:
    with pytest.raises(ValueError, match="too many"):
        announce(MINE, NOW, SeededEntropy("many"))


@given(made=st.integers(0, 50 * DAY), later=st.integers(-6 * DAY, 6 * DAY))
def test_it_is_good_in_its_period_and_the_two_beside_it(made: int, later: int) -> None:
    made, heard = NOW + made, NOW + made + later
    announcement = announce(MINE[:2], made, SeededEntropy("periods"))
    good = abs(heard // DAY - made // DAY) <= 1
    assert recognised(announcement, MINE[:2], heard) == (list(MINE[:2]) if good else [])


def test_two_announcements_have_nothing_in_common() -> None:
    entropy, seen = SeededEntropy("nothing stable"), set[bytes]()
    for _ in range(300):
        announcement = announce(MINE[:11], NOW, entropy)
        runs = {announcement[at : at + 4] for at in range(0, len(announcement), 4)}
        eights = {announcement[at : at + 8] for at in range(len(announcement) - 7)}
        assert not eights & seen
        assert len(runs) > 30
        seen |= eights


def test_the_order_says_nothing() -> None:
    """The first meeting's tag stands in each of the places about equally often; random tags are among them."""
    entropy, places = SeededEntropy("order"), [0] * 8
    for _ in range(4_000):
        announcement = announce(MINE[:5], NOW, entropy)
        body = announcement[16:]
        one = [
            at
            for at in range(8)
            if recognised(announcement[:16] + body[8 * at : 8 * at + 8] + bytes(56), MINE[:1], NOW)
        ]
        places[one[0]] += 1
    assert sum(places) == 4_000
    assert sum((count - 500) ** 2 / 500 for count in places) < 45  # 7 degrees of freedom: p about 1e-7


@given(st.binary(max_size=600))
def test_whatever_else_is_heard_names_nobody(data: bytes) -> None:
    assert recognised(data, MINE, NOW) == []


@pytest.mark.parametrize(
    "change", [lambda a: a[:-1], lambda a: a[:-8], lambda a: a[:-16], lambda a: a + bytes(1), lambda a: a + bytes(464)]
)
def test_other_lengths_are_no_announcements(change: object) -> None:
    good = announce(MINE[:3], NOW, SeededEntropy("lengths"))
    assert recognised(good, MINE[:3], NOW) == list(MINE[:3])
    assert recognised(change(good), MINE[:3], NOW) == []  # type: ignore[operator]


def test_a_changed_nonce_names_nobody() -> None:
    good = announce(MINE[:3], NOW, SeededEntropy("nonce"))
    assert recognised(bytes([good[0] ^ 1]) + good[1:], MINE, NOW) == []
