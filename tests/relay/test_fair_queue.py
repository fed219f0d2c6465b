"""The bounded queue with turns: nobody waits for another's flood."""

from __future__ import annotations

import sys
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.relay.core.fair_queue import FairQueue


def test_sources_take_turns() -> None:
    queue: FairQueue[str, int] = FairQueue(100, 50, lambda _: None)
    for number in range(40):
        assert queue.offer("flood", number)
    queue.offer("one", 1)
    queue.offer("two", 1)
    order = [source for source, _ in (queue.take() or ("", 0) for _ in range(5))]
    assert order == ["flood", "one", "two", "flood", "flood"]


def test_a_share_is_the_most_that_waits_of_one_source() -> None:
    queue: FairQueue[str, int] = FairQueue(100, 3, lambda _: None)
    assert [queue.offer("a", number) for number in range(4)] == [True, True, True, False]
    assert queue.offer("b", 1)
    assert [queue.offer("node", number, 2) for number in range(7)] == [True] * 6 + [False]


def test_a_full_queue_takes_from_the_longest_line() -> None:
    lost: list[str] = []
    queue: FairQueue[str, str] = FairQueue(10, 8, lost.append)
    for number in range(8):
        queue.offer("flood", f"flood {number}")
    for source in ("a", "b", "c"):
        assert queue.offer(source, source)
    assert lost == ["flood 7"]
    assert len(queue) == 10


def test_a_weight_is_a_number_of_turns() -> None:
    queue: FairQueue[str, int] = FairQueue(100, 50, lambda _: None)
    for number in range(12):
        queue.offer("node", number, 4)
        queue.offer("client", number)
    first = Counter(source for source, _ in (queue.take() or ("", 0) for _ in range(10)))
    assert first == {"node": 8, "client": 2}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=200))
def test_every_item_is_taken_once_in_its_sources_order_or_evicted(steps: list[tuple[str, bool]]) -> None:
    evicted: list[tuple[str, int]] = []
    queue: FairQueue[str, tuple[str, int]] = FairQueue(12, 6, evicted.append)
    lines: dict[str, deque[int]] = {source: deque() for source in "abcd"}
    for number, (source, put) in enumerate(steps):
        if put:
            if queue.offer(source, (source, number)):
                lines[source].append(number)
            for loser, lost in evicted:
                lines[loser].remove(lost)
            evicted.clear()
        else:
            taken = queue.take()
            if taken is None:
                assert not any(lines.values())
            else:
                assert taken[1] == (taken[0], lines[taken[0]].popleft())
        assert len(queue) == sum(map(len, lines.values())) <= 12


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("ppppptr")), max_size=200), st.integers(1, 3))
def test_what_gives_way_is_the_newest_of_a_line_that_is_longest_for_its_weight(
    steps: list[tuple[str, str]], heavy: int
) -> None:
    """Beside all that may happen to lines, the simple definition."""
    lines: dict[str, list[tuple[str, int]]] = {source: [] for source in "abcdef"}
    weights = {source: heavy if source in "ab" else 1 for source in lines}

    def gave_way(item: tuple[str, int]) -> None:
        line = lines[item[0]]
        assert len(line) / weights[item[0]] == max(len(one) / weights[source] for source, one in lines.items())
        assert line.pop() == item

    queue: FairQueue[str, tuple[str, int]] = FairQueue(9, 5, gave_way)
    for number, (source, step) in enumerate(steps):
        if step == "p":
            lines[source].append((source, number))
            if not queue.offer(source, (source, number), weights[source]):
                assert len(lines[source]) == 5 * weights[source] + 1
                lines[source].pop()
        elif step == "t" and (taken := queue.take()) is not None:
            assert lines[taken[0]].pop(0) == taken[1]
        elif step == "r":
            assert queue.remove(lambda item: item[0] == source) == len(lines[source])  # noqa: B023 - called at once
            lines[source].clear()
        assert len(queue) == sum(map(len, lines.values())) <= 9
    while queue:
        queue.evict()
    assert not any(lines.values())


def work(lines: int, length: int) -> int:
    """Calls of functions for a packet that is taken only to be thrown away."""
    queue: FairQueue[int, int] = FairQueue(lines * length, 2 * length, lambda _: None)
    for number in range(lines * length):
        queue.offer(number % lines, number)
    calls = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(called)
    queue.offer(0, 0)
    sys.setprofile(None)
    return calls


@pytest.mark.parametrize("length", [1, 8])
def test_what_gives_way_is_found_as_fast_among_many_lines(length: int) -> None:
    assert work(2_000, length) <= work(2, length) + 2


def test_of_lines_of_one_length_the_last_gives_way() -> None:
    """Who comes new when all is full puts out nobody who has waited longer."""
    lost: list[int] = []
    queue: FairQueue[int, int] = FairQueue(10, 8, lost.append)
    for number in range(30):
        queue.offer(number, number)
    assert lost == list(range(10, 30))
