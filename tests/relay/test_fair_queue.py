"""The bounded queue with turns: nobody waits for another's flood."""

from __future__ import annotations

from collections import Counter, deque

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
