"""What a client's line shows in mixed timing, counted on virtual time: as many packets up and down each minute, whether
its conversations are in use or not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import mean, pvariance

import pytest

from roost.network.onion.cover import RETURNS, Balance
from roost.wire.mailbox import Put
from tests.network.onion.onion_world import Client, SeededEntropy, World, capability, envelope
from tests.network.onion.test_onion_exchange import GET, PUT, outsider

MINUTES = 15
FIRST_S = 60.0  # that are not counted: what was subscribed to begins
ELSEWHERE = capability("put", b"another place..!")


def per_minute(times: Sequence[float]) -> list[int]:
    counted = Counter(int((at - FIRST_S) // 60) for at in times)
    return [counted[minute] for minute in range(MINUTES)]


def line(world: World, *, call_s: float = math.inf, delivery_s: float = math.inf) -> tuple[list[int], list[int]]:
    """Packets up and down in each minute of a client that follows a mailbox and also asks something, and is delivered
    something, at random moments with these means between them."""
    client, other = Client(world, *outsider(world)), Client(world, *outsider(world))
    client.subscribe(GET, mixed=True)

    def often(number: int, mean_s: float, who: Client, put: bytes, mixed: bool) -> None:
        if number:
            who.call(Put(put, envelope(number)), mixed=mixed)
        world.after(world.random.expovariate(1 / mean_s), lambda: often(number + 1, mean_s, who, put, mixed))

    if math.isfinite(call_s):
        world.after(FIRST_S, lambda: often(0, call_s, client, ELSEWHERE, True))
    if math.isfinite(delivery_s):
        world.after(FIRST_S, lambda: often(0, delivery_s, other, PUT, False))
    world.run(FIRST_S + 60 * MINUTES)
    assert len(client.answers) >= 40 * MINUTES / call_s
    assert len(client.delivered) >= 40 * MINUTES / delivery_s
    return per_minute(client.sent_at), per_minute(client.came_at)


def deviations(one: Sequence[int], other: Sequence[int]) -> float:
    """By how many standard deviations the means differ (Welch 1947)."""
    return abs(mean(one) - mean(other)) / math.sqrt((pvariance(one) + pvariance(other)) / (MINUTES - 1))


def test_a_line_in_use_shows_what_an_idle_one_shows() -> None:
    idle_up, idle_down = line(World(30))
    assert sum(idle_down) / sum(idle_up) == pytest.approx(RETURNS, rel=0.05)
    for use in ({"call_s": 6.0}, {"delivery_s": 8.0}, {"call_s": 6.0, "delivery_s": 8.0}):
        up, down = line(World(31), **use)
        assert deviations(up, idle_up) < 4, use
        assert deviations(down, idle_down) < 4, use
        assert sum(down) / sum(up) == pytest.approx(RETURNS, rel=0.05), use
        assert 1 / 3 < pvariance(down) / pvariance(idle_down) < 4, use


def test_nodes_that_are_down_do_not_show_it_either() -> None:
    world = World(32, 12)
    spared = {*outsider(world), *(node.key for node in world.swarm())}
    for node in [node for node in world.nodes.values() if node.key not in spared][:3]:
        node.alive = False
    up, down = line(world)
    assert sum(down) / sum(up) == pytest.approx(RETURNS, rel=0.05)


def test_cover_enters_where_what_is_for_somebody_enters() -> None:
    world = World(33)
    client = Client(world, *outsider(world))
    client.subscribe(GET, mixed=True)
    world.run(300)
    first, second = (guard for guard, _ in client.tokens)
    assert client.entered[second] < 0.15 * client.entered[first]


def test_what_comes_at_once_is_made_up_for_within_a_minute_or_two() -> None:
    """And no longer: what is for nobody does not stop for hours after a file was fetched."""
    balance, came = Balance(SeededEntropy(34)), 0
    for _ in range(1_000):
        balance.came()
    for moment in range(1_000):
        balance.sent(1)
        if balance.brings_back():
            came += 1
            balance.came()
        assert came or moment < 60
    assert 1_000 * RETURNS - came == pytest.approx(40, abs=8)
