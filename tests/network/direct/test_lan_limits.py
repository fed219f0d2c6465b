"""What neighbours can make a device remember and do has bounds, and those who behave keep their share."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from roost.network.direct.lan_candidates import (
    FAILED,
    FAILED_S,
    PLACES,
    PLACES_PER_ADDRESS,
    SEEN_S,
    Candidates,
    Spot,
)
from roost.network.direct.lan_limits import HALF_OPEN, HALF_OPEN_PER_SOURCE, MAX_SOURCES, Allowance, Door, Shares

MEETING = b"m" * 16


def nonce(number: int) -> bytes:
    return number.to_bytes(16, "big")


@given(st.lists(st.floats(0, 3), max_size=200))
def test_an_allowance_is_never_exceeded(waits: list[float]) -> None:
    allowance = Allowance(5, 2)
    now, taken = 1_000.0, 0
    for wait in waits:
        now += wait
        taken += allowance.take(now)
    assert taken <= 5 + 2 * (now - 1_000.0) + 1e-6


def test_who_was_there_before_keeps_its_share() -> None:
    shares: Shares[str] = Shares((10, 1), (5, 1))
    assert shares.take("friend", 0)
    flood = [shares.take(f"false address {number}", 0.1) for number in range(10_000)]
    assert sum(flood) <= 5
    assert shares.take("friend", 0.1)
    assert sum(shares.take("friend", 0.1) for _ in range(100)) <= 10


def test_sources_are_bounded() -> None:
    shares: Shares[int] = Shares((10, 1), (1e9, 1e9))
    for number in range(MAX_SOURCES * 3):
        shares.take(number, 0)
    assert len(shares._known) == MAX_SOURCES


@dataclass(eq=False)
class Stream:
    aborted: bool = False

    def abort(self) -> None:
        self.aborted = True


def test_one_source_pushes_out_only_itself() -> None:
    door: Door[str] = Door()
    friend = Stream()
    door.enter(friend, "friend")
    flood = [Stream() for _ in range(1_000)]
    for stream in flood:
        door.enter(stream, "mallory")
    assert len(door) == 1 + HALF_OPEN_PER_SOURCE
    assert not friend.aborted
    assert sum(not stream.aborted for stream in flood) == HALF_OPEN_PER_SOURCE


def test_many_sources_are_bounded_together_and_the_greediest_make_room() -> None:
    door: Door[int] = Door()
    flood = [Stream() for _ in range(1_000)]
    for number, stream in enumerate(flood):
        door.enter(stream, number % 20)
    assert len(door) == HALF_OPEN
    friend = Stream()
    door.enter(friend, -1)
    assert len(door) == HALF_OPEN
    for number in range(20):
        door.enter(Stream(), number)
    assert not friend.aborted
    door.leave(friend)
    assert len(door) == HALF_OPEN - 1
    door.leave(friend)


def test_who_answered_stays_and_comes_first_whoever_repeats_it() -> None:
    candidates = Candidates()
    true = Spot("192.0.2.2", 0, 1_000)
    flood(candidates, 100)
    assert candidates.heard(MEETING, nonce(1), true, 0, fresh=True)
    for number in range(1_000):
        echo = Spot(f"10.0.{number % 250}.9", 0, number)
        assert not candidates.heard(MEETING, nonce(1), echo, 1, fresh=True)
    flood(candidates, 1_000)
    assert len(candidates) == PLACES
    assert candidates.best_first(MEETING, 1)[0].spot == true


def flood(candidates: Candidates, count: int) -> None:
    """Announcements of long ago, said again from many places."""
    for number in range(count):
        candidates.heard(MEETING, nonce(9_000 + number), Spot(f"10.0.{number % 250}.9", 0, 1_000 + number), 0)


def test_old_announcements_said_again_are_bounded_and_each_is_tried_before_one_is_tried_again() -> None:
    candidates = Candidates()
    flood(candidates, 1_000)
    assert len(candidates) == PLACES
    for candidate in candidates.best_first(MEETING, 0):
        candidate.tries += 1
    true = Spot("192.0.2.2", 0, 1_000)
    assert candidates.heard(MEETING, nonce(5_000), true, 1)
    assert candidates.best_first(MEETING, 1)[0].spot == true


def test_one_address_has_few_places() -> None:
    candidates = Candidates()
    for port in range(1, 1_000):
        candidates.heard(MEETING, nonce(port), Spot("192.0.2.66", 0, port), 0)
    assert len(candidates) == PLACES_PER_ADDRESS


def test_where_it_went_well_comes_first_and_where_nobody_answers_is_forgotten() -> None:
    candidates = Candidates()
    spots = [Spot(f"192.0.2.{number}", 0, 1_000) for number in range(4)]
    for number, spot in enumerate(spots):
        candidates.heard(MEETING, nonce(number), spot, 0)
    by_spot = {one.spot: one for one in candidates.best_first(MEETING, 0)}
    by_spot[spots[2]].good = True
    by_spot[spots[2]].tries = 9
    assert candidates.best_first(MEETING, 0)[0].spot == spots[2]
    candidates.failed(MEETING, by_spot[spots[2]], 1)
    assert spots[2] not in [one.spot for one in candidates.best_first(MEETING, 1)]
    assert not candidates.heard(MEETING, nonce(2), spots[2], 2)
    assert candidates.heard(MEETING, nonce(2), spots[2], 2 + FAILED_S)


def test_places_are_forgotten_with_time_and_with_the_host() -> None:
    candidates = Candidates()
    spot = Spot("192.0.2.2", 0, 1_000)
    candidates.heard(MEETING, nonce(1), spot, 0)
    assert candidates.best_first(MEETING, SEEN_S) == []
    assert candidates.heard(MEETING, nonce(1), spot, SEEN_S)
    candidates.keep([b"other" * 3 + b"!"])
    assert len(candidates) == 0


def test_failures_are_bounded() -> None:
    candidates = Candidates()
    for number in range(FAILED * 2):
        spot = Spot(f"10.0.{number % 250}.{number // 250}", 0, 1)
        candidates.heard(MEETING, nonce(number), spot, 0)
        for one in candidates.best_first(MEETING, 0):
            candidates.failed(MEETING, one, 0)
    assert len(candidates._failed) <= FAILED
