"""The estimators of the anonymity report agree with what is known in closed form; the simulation is repeatable.

`python -m tests.anonymity` is the report itself (docs/anonymity.md).
"""

from __future__ import annotations

import itertools
import math
import random
from array import array
from pathlib import Path

import pytest
from PIL import Image

from tests.anonymity.disclosure import Watched, disclose, remaining, scores, watch
from tests.anonymity.measures import degree, entropy
from tests.anonymity.packets import DOWN, UP, Network, Observer, Timing, Traffic, View
from tests.anonymity.people import DAY, Population
from tests.anonymity.plot import plot
from tests.anonymity.report import Simulation, Size, disclosed_table, hidden_table, remaining_table
from tests.anonymity.timings import TIMINGS
from tests.anonymity.trace import Journey, Stay, Trace

SMALL = Size(people=40, nodes=9, targets=2, patient=4)
MIX = 0


def test_entropy() -> None:
    """Serjantov and Danezis 2002: the effective size of the anonymity set; Diaz et al. 2002: its share of the most."""
    assert entropy([1.0] * 8) == pytest.approx(3)
    assert entropy([5.0]) == 0
    assert entropy([]) == 0
    assert entropy([0.5, 0.25, 0.25, 0.0]) == pytest.approx(1.5)
    assert entropy([2, 1, 1]) == pytest.approx(1.5), "weights need not add up to 1"
    assert degree(entropy([1.0] * 10), 10) == pytest.approx(1)
    assert degree(0, 10) == 0


@pytest.mark.parametrize(("inputs", "pool"), [(1, 1), (4, 2), (3, 9)])
def test_a_pool_mix_has_the_entropy_of_the_closed_form(inputs: int, pool: int) -> None:
    """A threshold pool mix: each round, so many come, and so many of all that are inside leave. Serjantov and Danezis
    2002, section 5.1: (1 + n/N) log(N + n) - (n/N) log n bits about who sent what leaves, when N come and n stay."""
    rounds, chance = 400, random.Random(1)
    arrived = [(float(turn), turn * inputs + number) for turn in range(rounds) for number in range(inputs)]
    inside: list[tuple[float, int]] = []
    journeys = []
    for turn in range(rounds):
        inside += arrived[turn * inputs : (turn + 1) * inputs]
        leaving = chance.sample(inside, inputs) if turn >= pool / inputs else []
        for order, (at, sender) in enumerate(leaving):
            inside.remove((at, sender))
            ended = turn + 0.5 + order / 1_000_000
            journeys.append(Journey(sender, (Stay(at + sender / 1_000_000, MIX),), ended, sender))
    # Only what one round's packets have in common is asked, so it does not matter which of them left first.
    backwards = Trace([one.backwards(1) for one in journeys], rounds * inputs, 1)
    found = entropy(backwards.follow(len(journeys) // 2, math.inf))
    size = inputs + (pool if pool % inputs == 0 else math.ceil(pool / inputs) * inputs)
    left = size - inputs  # the pool, filled up with whole rounds
    closed = (1 + left / inputs) * math.log2(size) - (left / inputs) * math.log2(left)
    assert found == pytest.approx(closed, abs=0.01)


def test_what_leaves_a_node_is_any_of_what_is_inside_alike() -> None:
    """Against a count of all ways in which what came can be what left: with times that have no memory, all are as
    likely."""
    comes, leaves = [0.0, 1.0, 2.0, 5.0], [3.0, 4.0, 6.0, 7.0]
    journeys = [
        Journey(number, (Stay(at, MIX),), end, number)
        for number, (at, end) in enumerate(zip(comes, leaves, strict=True))
    ]
    ways = [
        way
        for way in itertools.permutations(range(4))
        if all(comes[one] < leaves[other] for one, other in enumerate(way))
    ]
    trace = Trace(journeys, 4, 1)
    back = Trace([one.backwards(1) for one in journeys], 4, 1)
    for one in range(4):
        counted = [sum(way[one] == other for way in ways) / len(ways) for other in range(4)]
        assert trace.follow(one, math.inf) == pytest.approx(counted)
        counted = [sum(way[other] == one for way in ways) / len(ways) for other in range(4)]
        assert back.follow(one, math.inf) == pytest.approx(counted)


def test_a_busy_node_hides_among_those_inside() -> None:
    """Packets that come at random with rate r and stay for a mean time of s: log2 of r * s bits, and a little more, as
    those that come later may leave before it."""
    chance, at, journeys = random.Random(2), 0.0, []
    for number in range(4_000):
        at += chance.expovariate(20)
        journeys.append(Journey(number, (Stay(at, MIX),), at + chance.expovariate(1), number))
    trace = Trace(journeys, len(journeys), 1)
    bits = [entropy(trace.follow(number, 30)) for number in range(1_000, 3_000, 100)]
    assert math.log2(20) < sum(bits) / len(bits) < math.log2(20) + 2


def a_while() -> Traffic:
    """Some traffic, with messages to follow."""
    people = Population(40, 3)
    day = people.day()
    at = next(one.at for one in day if one.message and one.at > 43_200)
    return Traffic(Network(people, 9, 3), TIMINGS[-1], day, (at, at + 60), 1)


@pytest.mark.parametrize("links", [True, False])
def test_whoever_has_all_nodes_knows_everything(links: bool) -> None:
    traffic = a_while()
    day, view = traffic.sent, View(traffic, Observer(frozenset(range(9)), links))
    for message in list(traffic.targets)[:5]:
        assert entropy(view.senders(message)) == 0
        assert view.senders(message)[day[message].by] == pytest.approx(1)
        assert entropy(view.receivers(message)) == 0
        assert view.receivers(message)[day[message].to] == pytest.approx(1)


def test_whoever_sees_nothing_learns_nothing() -> None:
    traffic = a_while()
    view = View(traffic, Observer(frozenset(), links=False))
    assert traffic.targets
    for message in list(traffic.targets)[:5]:
        assert entropy(view.senders(message)) == pytest.approx(math.log2(39))
        assert entropy(view.receivers(message)) == pytest.approx(math.log2(39))


def test_paths_are_those_of_the_network() -> None:
    people = Population(40, 3)
    network, chance = Network(people, 9, 3), random.Random(1)
    for person, host in itertools.product(range(40), range(9)):
        way = network.way(chance, person, host)
        assert len({*way, host}) == UP
        assert way[0] in network.guards[person]
        assert way[0] == network.guard(person) or network.guard(person) == host
    assert {len(packet.hops) for packet in a_while().packets} == {UP, DOWN, UP + DOWN}


def test_scores_are_deviations() -> None:
    """Of packets at random they are normal, about 0 with variance 1; of a partner who gets one each time, as large as a
    correlation says."""
    chance, bins, count = random.Random(4), 20_000, 400
    got = [array("i", chance.choices(range(bins), k=500)) for _ in range(300)]
    seen = array("i", chance.choices(range(bins), k=count))
    got[7] = array("i", [place + 3 for place in seen if place + 3 < bins])
    watched = Watched(1.0, bins, {0: seen}, got, [0.0] * len(got), {0: array("i")})
    found = scores(watched, seen, 3, chance)
    others = [score for person, score in enumerate(found) if person != 7]
    assert abs(sum(others) / len(others)) < 0.2
    assert sum(score * score for score in others) / len(others) == pytest.approx(1, abs=0.25)
    assert found[7] == pytest.approx(math.sqrt(bins), rel=0.05), "the very same bins: a correlation of one"
    noisy = Watched(1.0, bins, {0: seen}, got, [2_000.0] * len(got), {0: array("i")})
    assert scores(noisy, seen, 3, chance)[7] == pytest.approx(math.sqrt(bins * count / (count + 2_000)), rel=0.1)


def test_a_patient_observer_finds_who_has_no_cover() -> None:
    people = Population(60, 5)
    plain = Timing("plain", 0.002, beat_s=1e9)
    watched = watch(people, plain, 1, range(6))
    found = [disclose(people, watched, plain, target) for target in range(6)]
    assert all(one.contact for one in found)
    assert max(one.rank for one in found) <= 15


def test_who_is_always_there_stays_in_the_set() -> None:
    people = Population(60, 5)
    assert remaining(people, 50, 24, 1) == 59
    assert remaining(people, 50, 8, 1) < remaining(people, 2, 8, 1) < 59


def test_a_day_is_the_same_again_and_has_what_it_should() -> None:
    people = Population(200, 6)
    day = people.day()
    assert day == Population(200, 6).day() != people.day(1)
    assert day != Population(200, 7).day()
    messages = [one for one in day if one.message]
    assert len(messages) / 200 == pytest.approx(40, rel=0.25)
    assert all(0 <= one.at < DAY + 2 for one in day)
    assert all(one.to in people.contacts[one.by] for one in day)


def test_the_report_is_the_same_again(tmp_path: Path) -> None:
    rows = [row for timing in TIMINGS[::3] for row in Simulation(SMALL).hidden(timing)]
    again = [row for timing in TIMINGS[::3] for row in Simulation(SMALL).hidden(timing)]
    assert rows == again
    table = hidden_table(rows, SMALL.people)
    assert table.count("\n") == 1 + len(rows)
    simulation = Simulation(SMALL)
    disclosed = {TIMINGS[0]: simulation.disclosed(TIMINGS[0])}
    assert disclosed == {TIMINGS[0]: Simulation(SMALL).disclosed(TIMINGS[0])}
    assert TIMINGS[0].name in disclosed_table(disclosed, SMALL)
    assert remaining_table(simulation.people, 2).count("\n") == 5
    plot(rows, SMALL.people, SMALL.nodes, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == (1_200, 620)
