"""Guards and paths: which nodes a client enters by and goes through, whatever the network looks like."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import PacketSecret
from roost.network.onion.paths import (
    DAY_S,
    FAILED_DAYS,
    GUARDS,
    UNLISTED_S,
    Guards,
    Paths,
    TooFewNodes,
    apart,
    neighbourhood,
)
from roost.network.onion.reputation import Reputation
from roost.wire.addresses import RelayAddress
from roost.wire.onion import KEYS_AHEAD, Consensus, ConsensusNode, PeriodKey
from tests.network.onion.onion_world import FIRST, SeededEntropy

PACKET_KEY = PacketSecret.generate(SeededEntropy(1)).public.raw
KEYS = tuple(PeriodKey(FIRST + ahead, PACKET_KEY) for ahead in range(KEYS_AHEAD))
NOW = 1_800_000_000.0


def listed(number: int, host: str, operator: str = "", live: int = 1_000) -> ConsensusNode:
    key = number.to_bytes(2, "big") * 16
    return ConsensusNode(RelayAddress(host, 7_000, key), operator, KEYS, FIRST, key, live)


def consensus(nodes: list[ConsensusNode]) -> Consensus:
    return Consensus(bytes(32), FIRST, bytes(32), bytes(32), tuple(nodes))


def many(count: int = 20) -> list[ConsensusNode]:
    return [listed(number, f"{number}.1.2.3", f"operator {number}") for number in range(1, count + 1)]


numbers = st.sampled_from(
    ["1.2.3.4", "1.2.9.9", "5.6.7.8", "9.9.1.1", "2001:db8:1::1", "2600:1:2::1", "2600:1:9::1", "127.0.0.1", "10.0.0.1"]
)
hosts = numbers | st.sampled_from(["a.example.org", "b.example.org", "relay.example.net", "localhost"])
networks = st.lists(st.tuples(hosts, st.sampled_from(["", "ann", "bob", "carol", "dan"])), min_size=1, max_size=14).map(
    lambda found: [listed(number, host, operator) for number, (host, operator) in enumerate(found, 1)]
)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("1.2.3.4", "1.2.0.0/16"),
        ("2600:1:2::1", "2600:1::/32"),
        ("relay.example.org", "names"),
        ("127.0.0.1", None),
        ("192.168.1.2", None),
        ("fe80::1", None),
        ("localhost", "names"),
    ],
)
def test_neighbourhoods(host: str, near: str | None) -> None:
    assert neighbourhood(host) == near


@pytest.mark.parametrize("name", ["Ada", "ada ", "  ADA", "\uff21da", "Ada\u00a0"])
def test_an_operator_is_the_same_however_the_name_is_written(name: str) -> None:
    assert not apart(listed(1, "1.2.3.4", "Ada"), listed(2, "5.6.7.8", name))
    assert apart(listed(1, "1.2.3.4", "Ada B"), listed(2, "5.6.7.8", name))
    assert apart(listed(1, "1.2.3.4", " "), listed(2, "5.6.7.8", ""))


def test_names_lie_nowhere_that_is_known() -> None:
    assert not apart(listed(1, "n.one.example", "ada"), listed(2, "n.two.example", "bob"))


@given(networks, st.integers(0, 2**32))
def test_no_path_joins_what_belongs_together_or_meets_its_end(nodes: list[ConsensusNode], seed: int) -> None:
    entropy = SeededEntropy(seed)
    paths = Paths((Reputation(),), entropy)
    paths.update(consensus(nodes), FIRST)
    for host in nodes:
        guard = paths.entry(host.key, [node.key for node in nodes[:GUARDS]])
        if guard is None:
            assert [node.key for node in nodes[:GUARDS]] == [host.key]
            continue
        for choose in (paths.forward(guard, host.key, NOW) if found(paths, guard, host) else None,):
            if choose is None:
                continue
            assert choose[0].key == guard
            assert host not in choose
            assert all(apart(one, other) for at, one in enumerate(choose) for other in choose[:at])
            back = paths.backward(host.key, guard, NOW)
            assert back[-1].key == guard
            assert host not in back
            assert all(apart(one, other) for at, one in enumerate(back) for other in back[:at])
            loop = paths.around(guard)
            assert [loop[0].key, loop[3].key] == [guard, guard]
            assert len({node.key for node in loop}) == 3


def found(paths: Paths, guard: bytes, host: ConsensusNode) -> bool:
    try:
        for _ in range(8):
            paths.forward(guard, host.key, NOW)
            paths.around(guard)
    except TooFewNodes:
        return False
    return True


def test_paths_go_everywhere_alike() -> None:
    nodes = many(10)
    paths = Paths((Reputation(),), SeededEntropy(2))
    paths.update(consensus(nodes), FIRST)
    met = Counter(node.key for _ in range(2_000) for node in paths.forward(nodes[0].key, nodes[1].key, NOW)[1:])
    assert set(met) == {node.key for node in nodes[2:]}
    assert max(met.values()) < 1.5 * min(met.values())


def test_a_host_that_is_the_guard_is_entered_by_another() -> None:
    nodes = many(6)
    paths = Paths((Reputation(),), SeededEntropy(3))
    paths.update(consensus(nodes), FIRST)
    guards = [nodes[0].key, nodes[1].key]
    assert paths.entry(nodes[0].key, guards) == nodes[1].key
    assert paths.entry(nodes[2].key, guards) == nodes[0].key
    assert paths.entry(nodes[0].key, guards[:1]) is None


def test_nodes_without_a_key_for_the_period_are_not_used() -> None:
    nodes = many(6)
    paths = Paths((Reputation(),), SeededEntropy(4))
    paths.update(consensus(nodes), FIRST + KEYS_AHEAD)
    with pytest.raises(TooFewNodes):
        paths.forward(nodes[0].key, nodes[1].key, NOW)


# --- guards -----------------------------------------------------------------------------------------------------------


@given(networks, st.integers(0, 2**32))
def test_guards_are_three_different_nodes_that_stay(nodes: list[ConsensusNode], seed: int) -> None:
    guards = Guards()
    guards.update(consensus(nodes), NOW, SeededEntropy(seed))
    chosen = guards.in_order()
    assert len(chosen) == len(set(chosen)) == min(GUARDS, len(nodes))
    again = Guards(guards.encoded())
    again.update(consensus(nodes), NOW + 90 * DAY_S, SeededEntropy(seed + 1))
    assert again.in_order() == chosen


def test_guards_are_apart_where_they_can_be() -> None:
    nodes = [listed(number, f"{number}.1.1.1", "one hand") for number in range(1, 30)]
    nodes += [listed(100, "200.1.1.1", "another"), listed(101, "201.1.1.1", "a third")]
    for seed in range(20):
        guards = Guards()
        guards.update(consensus(nodes), NOW, SeededEntropy(seed))
        known = {node.key: node.operator for node in nodes}
        assert len({known[key] for key in guards.in_order()}) == GUARDS


def test_a_guard_is_replaced_after_days_of_failure_only() -> None:
    nodes = many()
    guards = Guards()
    guards.update(consensus(nodes), NOW, SeededEntropy(5))
    first, second, third = guards.in_order()
    for _ in range(100):
        guards.failed(first, NOW)
    guards.failed(first, NOW + DAY_S)
    guards.stood(first)
    for day in range(FAILED_DAYS - 1):
        guards.failed(first, NOW + day * DAY_S)
    assert guards.in_order()[0] == first
    guards.failed(first, NOW + FAILED_DAYS * DAY_S)
    guards.update(consensus(nodes), NOW + FAILED_DAYS * DAY_S, SeededEntropy(6))
    assert guards.in_order()[:2] == [second, third]
    assert len(guards.in_order()) == GUARDS


def test_a_guard_that_leaves_for_a_while_gets_its_place_back() -> None:
    nodes = many()
    guards = Guards()
    guards.update(consensus(nodes), NOW, SeededEntropy(7))
    before = guards.in_order()
    gone = [node for node in nodes if node.key != before[0]]
    guards.update(consensus(gone), NOW + 1, SeededEntropy(8))
    assert guards.in_order()[:2] == before[1:]
    guards.update(consensus(nodes), NOW + DAY_S, SeededEntropy(9))
    assert guards.in_order() == before
    guards.update(consensus(gone), NOW + 2 * DAY_S, SeededEntropy(10))
    guards.update(consensus(gone), NOW + 2 * DAY_S + UNLISTED_S, SeededEntropy(11))
    assert before[0] not in [guard.node for guard in guards.kept]


def test_nodes_that_were_down_become_no_guards() -> None:
    nodes = [listed(number, f"{number}.1.1.1", live=0 if number > 4 else 900) for number in range(1, 30)]
    guards = Guards()
    guards.update(consensus(nodes), NOW, SeededEntropy(12))
    assert set(guards.in_order()) <= {node.key for node in nodes[:4]}


@given(st.binary(max_size=100))
def test_what_cannot_be_read_is_forgotten(kept: bytes) -> None:
    assert isinstance(Guards(kept).kept, list)


# --- reputation -------------------------------------------------------------------------------------------------------


def test_a_dead_node_is_found_among_its_neighbours_and_tried_again_later() -> None:
    nodes, reputation = many(12), Reputation()
    entropy, dead = SeededEntropy(13), many(12)[7].key
    paths = Paths((reputation,), entropy)
    paths.update(consensus(nodes), FIRST)
    for at in range(40):
        path = [node.key for node in paths.around(nodes[0].key)]
        reputation.record(path, dead not in path, NOW + at)
    assert [node.key for node in nodes if reputation.is_suspicious(node.key, NOW + 40)] == [dead]
    assert reputation.weight(dead, NOW + 40) < 0.1 < reputation.weight(nodes[3].key, NOW + 40)
    assert reputation.weight(dead, NOW + 40 + 1_200) > 0.5


def test_whatever_is_lost_no_node_is_left_out_for_good() -> None:
    reputation = Reputation()
    for at in range(1_000):
        reputation.record([bytes([at % 7]) * 32, b"x" * 32], False, NOW + at)
    assert all(reputation.weight(bytes([number]) * 32, NOW + 1_000) > 0 for number in range(7))
    assert reputation.is_suspicious(b"x" * 32, NOW + 1_000)
