"""A client in an onion network on virtual time: whatever is lost, late, doubled or lied about, calls get their answers
and deliveries come once and in order."""

from __future__ import annotations

from collections import Counter

import pytest

from roost.wire.mailbox import BlobData, CardData, Entries, Get, GetBlob, Put, PutBlob, Stored
from roost.wire.sizes import BLOB_SIZE
from tests.network.onion.onion_world import PERIOD_S, Client, World, capability, envelope

GET, PUT = capability("get"), capability("put")


def outsider(world: World, count: int = 2) -> list[bytes]:
    """Nodes that do not keep the mailbox."""
    swarm = {node.key for node in world.swarm()}
    return [key for key in world.nodes if key not in swarm][:count]


def numbered(count: int, first: int = 1) -> list[tuple[int, bytes]]:
    return [(number, envelope(number)) for number in range(first, first + count)]


def suspicious(client: Client) -> list[bytes]:
    """The nodes that it takes to lose packets, by all that it saw."""
    seen, now = (client.exchange.reputation, client.exchange.loops), client.world.now
    return [key for key in client.world.nodes if any(one.is_suspicious(key, now) for one in seen)]


def test_put_get_and_deliveries() -> None:
    world = World(1)
    writer, reader = Client(world, *outsider(world)), Client(world, *outsider(world))
    reader.subscribe(GET)
    for number in range(1, 6):
        assert writer.answer(Put(PUT, envelope(number))) == Stored(number)
    assert world.run(10, lambda: len(reader.delivered) == 5)
    assert reader.delivered == numbered(5)
    page = writer.answer(Get(GET, 0))
    assert isinstance(page, Entries)
    assert [entry.envelope for entry in page.entries] == [envelope(number) for number in range(1, 6)]


def test_a_long_absence_drains_at_once() -> None:
    world = World(2)
    world.mailboxes[GET[:16]].envelopes = [envelope(number) for number in range(1, 501)]
    reader = Client(world, *outsider(world))
    reader.subscribe(GET)
    assert world.run(20, lambda: len(reader.delivered) == 500)
    assert reader.delivered == numbered(500)


@pytest.mark.parametrize("seed", range(2))
def test_loss_doubling_and_reordering(seed: int) -> None:
    world = World(seed, loss=0.03, double=0.05)
    writer, reader = Client(world, *outsider(world)), Client(world, *outsider(world))
    reader.subscribe(GET)
    asked = [writer.call(Put(PUT, envelope(number))) for number in range(1, 51)]
    assert world.run(120, lambda: len(writer.answers) == len(asked) and len(reader.delivered) == 50)
    assert [number for number, _ in reader.delivered] == list(range(1, 51))
    assert sorted(data for _, data in reader.delivered) == [envelope(number) for number in range(1, 51)]


def test_a_file_in_parts() -> None:
    world = World(4, loss=0.02)
    client = Client(world, *outsider(world))
    blobs = [PutBlob(PUT, bytes(16), bytes([number]) * 32, bytes(BLOB_SIZE)) for number in range(10)]
    asked = [client.call(blob) for blob in blobs]
    assert world.run(120, lambda: all(one in client.answers for one in asked))
    blob = client.answer(GetBlob(GET, bytes(32)))
    assert isinstance(blob, BlobData)


def test_a_dead_leader_is_noticed_and_what_was_missed_comes() -> None:
    world = World(5)
    writer, reader = Client(world, *outsider(world)), Client(world, *outsider(world))
    reader.subscribe(GET)
    assert writer.answer(Put(PUT, envelope(1))) == Stored(1)
    assert world.run(5, lambda: len(reader.delivered) == 1)
    world.swarm()[0].alive = False
    assert writer.answer(Put(PUT, envelope(2))) == Stored(2)
    assert world.run(25, lambda: len(reader.delivered) == 2)
    assert reader.delivered == numbered(2)


def test_the_leader_is_followed() -> None:
    world = World(6)
    first, second, third = world.swarm()
    world.leads[GET[:16]] = third.key
    client = Client(world, *outsider(world))
    client.subscribe(GET)
    assert client.answer(Put(PUT, envelope(1))) == Stored(1)
    world.leads[GET[:16]] = second.key
    assert client.answer(Put(PUT, envelope(2))) == Stored(2)
    assert world.run(40, lambda: len(client.delivered) == 2)
    assert client.delivered == numbered(2)
    assert first.asked["Put"] == 1


def test_a_node_that_names_a_dead_leader_is_asked_again_once_there_is_another() -> None:
    world = World(7)
    first, second, _ = world.swarm()
    first.alive = False
    world.leads[GET[:16]] = first.key
    world.after(8, lambda: world.leads.update({GET[:16]: second.key}))
    client = Client(world, *outsider(world))
    assert client.answer(Put(PUT, envelope(1)), 30) == Stored(1)


def test_a_third_of_the_nodes_dead() -> None:
    world = World(8)
    guards = outsider(world, 2)
    dead = [node for node in world.nodes.values() if node.key not in guards][::3][:3]
    for node in dead:
        node.alive = False
    assert sum(node in world.swarm() for node in dead) < 3
    writer, reader = Client(world, *guards), Client(world, *guards)
    reader.subscribe(GET)
    asked = [writer.call(Put(PUT, envelope(number))) for number in range(1, 41)]
    assert world.run(120, lambda: all(one in writer.answers for one in asked) and len(reader.delivered) == 40)
    assert set(suspicious(writer)) <= {node.key for node in dead}


def test_a_node_that_forgot_the_session() -> None:
    world = World(9)
    writer, reader = Client(world, *outsider(world)), Client(world, *outsider(world))
    reader.subscribe(GET)
    assert writer.answer(Put(PUT, envelope(1))) == Stored(1)
    assert world.run(5, lambda: len(reader.delivered) == 1)
    world.swarm()[0].restart()
    assert writer.answer(Put(PUT, envelope(2))) == Stored(2)
    assert world.run(25, lambda: len(reader.delivered) == 2)
    assert reader.delivered == numbered(2)


def test_a_lying_node_is_left() -> None:
    world = World(10)
    first, second, _ = world.swarm()
    world.leads[GET[:16]] = second.key
    first.lies = lambda request, response: CardData(b"nonsense")
    client = Client(world, *outsider(world))
    assert client.answer(Put(PUT, envelope(1))) == Stored(1)
    assert client.exchange.members.is_silent(first.key, world.now)


def test_a_guard_that_goes() -> None:
    world = World(11)
    first, second = outsider(world)
    reader = Client(world, first, second)
    reader.subscribe(GET)
    assert reader.answer(Put(PUT, envelope(1))) == Stored(1)
    assert world.run(5, lambda: len(reader.delivered) == 1)
    world.nodes[first].alive = False
    reader.exchange.attached([token for token in reader.tokens if token[0] == second], world.now)
    assert reader.answer(Put(PUT, envelope(2))) == Stored(2)
    assert world.run(25, lambda: len(reader.delivered) == 2)


def test_the_hosts_own_place_in_the_swarm_is_no_way_in() -> None:
    world = World(12)
    leader = world.swarm()[0].key
    client = Client(world, leader, *outsider(world, 1))
    assert client.answer(Put(PUT, envelope(1))) == Stored(1)


def test_blocks_are_renewed_within_a_period() -> None:
    world = World(13)
    reader = Client(world, *outsider(world))
    session = reader.subscribe(GET)
    session.beat_s = float("inf")
    reader.exchange.upkeep = lambda _: None  # type: ignore[method-assign]
    world.run(1)
    before = reader.sent
    world.run(0.44 * PERIOD_S)
    assert reader.sent == before
    world.run(0.5 * PERIOD_S)
    assert reader.sent >= before + 4


def test_signs_of_life_are_rarer_while_nothing_is_asked_and_a_dead_leader_is_noticed_all_the_same() -> None:
    world = World(16)
    reader, writer = Client(world, *outsider(world)), Client(world, *outsider(world))
    session = reader.subscribe(GET)
    world.run(120)
    busy = reader.sent
    world.run(180)
    before = reader.sent
    world.run(120)
    assert 3 <= reader.sent - before <= busy // 2
    assert session.host is not None
    world.nodes[session.host].alive = False
    assert writer.answer(Put(PUT, envelope(1))) == Stored(1)
    assert world.run(60, lambda: len(reader.delivered) == 1)


def test_sessions_take_turns() -> None:
    world = World(14)
    client = Client(world, *outsider(world))
    blobs = [PutBlob(PUT, bytes(16), bytes([number]) * 32, bytes(BLOB_SIZE)) for number in range(40)]
    asked = [client.call(blob) for blob in blobs]
    other = client.call(Put(capability("put", b"another place..!"), envelope(1)))
    assert world.run(60, lambda: other in client.answers)
    assert not any(one in client.answers for one in asked[5:])


# --- mixed ------------------------------------------------------------------------------------------------------------


def test_mixed_packets_leave_whether_there_is_something_to_say_or_not() -> None:
    silent, busy = World(15), World(15)
    counts = []
    for world, puts in ((silent, 1), (busy, 60)):
        client = Client(world, *outsider(world))
        asked = [client.call(Put(PUT, envelope(number)), mixed=True) for number in range(puts)]
        assert world.run(300, lambda: all(one in client.answers for one in asked))  # noqa: B023
        world.run(300 - world.now)
        counts.append(client.sent)
    assert 270 < counts[0] < 400
    assert 270 < counts[1] < 400


def test_loops_find_a_node_that_drops_half() -> None:
    world = World(16)
    guards = outsider(world)
    bad = next(node for node in world.nodes.values() if node.key not in guards and node not in world.swarm())
    bad.drops = 0.5
    client = Client(world, *guards)
    client.subscribe(GET, mixed=True)
    world.run(900)
    assert suspicious(client) == [bad.key]
    dropped = world.dropped[bad.key]
    paths = Counter(node.key for _ in range(200) for node in client.exchange.path_to(GET[:16], world.now)[0])
    assert paths[bad.key] < 10
    assert dropped


def test_mixed_deliveries_come() -> None:
    world = World(17)
    writer, reader = Client(world, *outsider(world)), Client(world, *outsider(world))
    reader.subscribe(GET, mixed=True)
    asked = [writer.call(Put(PUT, envelope(number)), mixed=True) for number in range(1, 6)]
    assert world.run(120, lambda: all(one in writer.answers for one in asked) and len(reader.delivered) == 5)
    assert writer.exchange.expected_delay_s(True) > writer.exchange.expected_delay_s(False)
