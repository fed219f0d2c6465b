"""The LAN carrier between hosts on bridges: they meet over IPv4 and IPv6, on several networks, when cables go and come
back; neighbours cannot keep them apart; and who listens learns nothing that is the same twice.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from roost.errors import Unreachable
from roost.network.direct.carrier import People, Stream
from roost.network.direct.lan import MAX_INSTANCES, REMEMBERED, SERVICE, LanCarrier
from roost.network.direct.lan_limits import HALF_OPEN, HALF_OPEN_PER_SOURCE, MAX_SOURCES
from roost.network.direct.lan_neighbours import GROUP_4, PORT
from roost.network.direct.lan_packets import MAX_PACKET, Said, random_name
from tests.network.direct.conformance import Device, device_host, noise, read_all
from tests.network.direct.namespaces import Host, Lan, inside, ip, local_network

PATIENCE_S = 30


class Person:
    """A device on a host of its own, switched on, which answers whoever says hello."""

    def __init__(self, host: Host, who: str, *sought: str, own: tuple[bytes, ...] = ()) -> None:
        self.host, self.who = host, who
        self.device = host.run(self._start(sought, own))

    async def _start(self, sought: tuple[str, ...], own: tuple[bytes, ...]) -> Device:
        device = Device(LanCarrier(), device_host(self.who))
        await device.start(*(device_host(other) for other in sought))
        if own:
            device.carrier.serve(People(own, tuple(device_host(other) for other in sought)))
        self.greeted: asyncio.Queue[Stream] = asyncio.Queue()
        self._porter = asyncio.create_task(self._greet_all(device.accepted))
        return device

    async def _greet_all(self, accepted: asyncio.Queue[Stream]) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._greet(await accepted.get()))

    async def _greet(self, stream: Stream) -> None:
        try:
            if await read_all(stream, 5) == b"hello":
                await stream.write(b"ok")
                self.greeted.put_nowait(stream)
                return
        except (Unreachable, asyncio.CancelledError):
            pass
        stream.abort()

    @property
    def carrier(self) -> LanCarrier:
        assert isinstance(self.device.carrier, LanCarrier)
        return self.device.carrier

    def stop(self) -> None:
        self.host.run(self._stop())

    async def _stop(self) -> None:
        await self.carrier.stop()
        self._porter.cancel()
        await asyncio.wait([self._porter])
        for queue in (self.greeted, self.device.accepted):
            while not queue.empty():
                queue.get_nowait().abort()

    def until(self, what: Callable[[], bool]) -> None:
        async def waiting() -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not what():  # noqa: ASYNC110 - what is looked at tells nobody
                    await asyncio.sleep(0.02)

        self.host.run(waiting(), PATIENCE_S + 1)

    def meets(self, who: str) -> None:
        self.until(lambda: device_host(who) in self.device.met)

    def calls(self, other: Person) -> tuple[Stream, Stream]:
        """Dial, and talk both ways."""
        dialled = self.host.run(self._dial(other.who))
        accepted = other.host.run(other._answered())
        assert self.host.run(_read(dialled, 2)) == b"ok"
        return dialled, accepted

    async def _dial(self, who: str) -> Stream:
        stream = await self.carrier.dial(device_host(who), ())
        await stream.write(b"hello")
        return stream

    async def _answered(self) -> Stream:
        async with asyncio.timeout(PATIENCE_S):
            return await self.greeted.get()

    def hangs_up(self, stream: Stream) -> None:
        self.host.call(stream.abort)

    def talks_with(self, other: Person) -> None:
        dialled, accepted = self.calls(other)
        self.hangs_up(dialled)
        other.hangs_up(accepted)


async def _read(stream: Stream, size: int) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await read_all(stream, size)


class Site:
    """A network and the people on it, who are switched off at the end."""

    def __init__(self, lan: Lan, stack: ExitStack) -> None:
        self.lan = lan
        self._stack = stack

    def person(self, who: str, *sought: str, host: Host, own: tuple[bytes, ...] = ()) -> Person:
        person = Person(host, who, *sought, own=own)
        self._stack.callback(person.stop)
        return person

    def couple(self, first: tuple[str, ...], second: tuple[str, ...]) -> tuple[Person, Person]:
        """Alice and Bob, who know each other, at these addresses."""
        ends = self.lan.host(*first), self.lan.host(*second)
        return self.person("alice", "bob", host=ends[0]), self.person("bob", "alice", host=ends[1])


@pytest.fixture
def site() -> Iterator[Site]:
    with local_network() as lan, ExitStack() as stack:
        yield Site(lan, stack)


# -- they meet


def test_two_hosts_meet_and_move_much(site: Site) -> None:
    alice, bob = site.couple(("192.0.2.1/24",), ("192.0.2.2/24",))
    alice.meets("bob")
    bob.meets("alice")
    bob.talks_with(alice)
    dialled, accepted = alice.calls(bob)
    sent = noise(1_000_000)
    writing = asyncio.run_coroutine_threadsafe(dialled.write(sent), alice.host.loop)
    assert bob.host.run(_read(accepted, len(sent))) == sent
    writing.result(PATIENCE_S)
    alice.hangs_up(dialled)
    bob.hangs_up(accepted)
    with pytest.raises(Unreachable) as caught:
        alice.host.run(alice.carrier.dial(device_host("carol"), ()))
    assert caught.value.code == "not_near"


def test_link_local_ipv6_alone_is_enough(site: Site) -> None:
    alice, bob = site.couple((), ())
    alice.meets("bob")
    alice.talks_with(bob)
    assert all(link.family == socket.AF_INET6 for link in bob.carrier._neighbours.links)


def test_ipv4_alone_is_enough(site: Site) -> None:
    hosts = [host_without_v6(site, f"192.0.2.{number}/24") for number in (1, 2)]
    alice = site.person("alice", "bob", host=hosts[0])
    bob = site.person("bob", "alice", host=hosts[1])
    alice.meets("bob")
    alice.talks_with(bob)
    assert all(link.family == socket.AF_INET for link in bob.carrier._neighbours.links)


def host_without_v6(site: Site, address: str) -> Host:
    host = site.lan.host()
    with inside(host.name):
        Path("/proc/sys/net/ipv6/conf/eth0/disable_ipv6").write_text("1")
    ip("-n", host.name, "addr", "add", address, "dev", "eth0")
    return host


def test_a_host_on_two_networks_is_met_on_both_and_shows_a_different_face_on_each(site: Site) -> None:
    site.lan.bridge("br1")
    middle = site.lan.host("192.0.2.1/24")
    site.lan.plug(middle, "198.51.100.1/24", interface="eth1", bridge="br1")
    left = site.lan.host("192.0.2.2/24")
    right = host_elsewhere(site, "198.51.100.2/24")
    bob = site.person("bob", "alice", "carol", host=middle)
    alice = site.person("alice", "bob", host=left)
    carol = site.person("carol", "bob", host=right)
    alice.meets("bob")
    carol.meets("bob")
    bob.meets("alice")
    bob.meets("carol")
    alice.talks_with(bob)
    carol.talks_with(bob)
    bob.talks_with(alice)
    faces = list(bob.carrier._presences.values())
    assert len(faces) == 4  # two networks, two families
    assert len({presence.listener.port for presence in faces}) == 4
    said = [SERVICE.heard(packet) for presence in faces for packet in presence.packets]
    assert len({what.data[:16] for what in said if what is not None}) == 4


def host_elsewhere(site: Site, address: str) -> Host:
    """A host on br1 alone."""
    host = site.lan.host()
    ip("-n", host.name, "link", "del", "eth0")
    site.lan.plug(host, address, bridge="br1")
    return host


def test_more_meetings_than_one_announcement_holds(site: Site) -> None:
    ends = site.lan.host("192.0.2.1/24"), site.lan.host("192.0.2.2/24")
    others = tuple(number.to_bytes(16, "big") for number in range(200))
    bob = site.person("bob", host=ends[1], own=(*others, device_host("bob").meeting))
    alice = site.person("alice", "bob", host=ends[0])
    alice.meets("bob")
    alice.talks_with(bob)
    assert all(len(presence.packets) == 4 for presence in bob.carrier._presences.values())
    bob.host.call(
        lambda: bob.carrier.serve(People(tuple(noise(16 * 2_000)[at : at + 16] for at in range(0, 32_000, 16))))
    )
    bob.until(lambda: all(len(each.packets) == MAX_INSTANCES for each in bob.carrier._presences.values()))


def test_a_new_contact_is_announced_without_a_restart(site: Site) -> None:
    ends = site.lan.host("192.0.2.1/24"), site.lan.host("192.0.2.2/24")
    bob = site.person("bob", host=ends[1], own=(bytes(16),))
    alice = site.person("alice", "bob", host=ends[0])
    bob.host.call(lambda: bob.carrier.serve(People((bytes(16), device_host("bob").meeting))))
    alice.meets("bob")


# -- networks that come and go


def test_a_cable_is_pulled_and_put_back(site: Site) -> None:
    alice, bob = site.couple(("192.0.2.1/24",), ("192.0.2.2/24",))
    alice.meets("bob")
    ports = {presence.listener.port for presence in bob.carrier._presences.values()}
    site.lan.pull(2)
    bob.until(lambda: not bob.carrier.state.ready)
    assert bob.carrier.state.why
    assert bob.carrier.state.hint
    alice.device.met.clear()
    site.lan.push(2)
    bob.until(lambda: bob.carrier.state.ready)
    alice.meets("bob")
    alice.talks_with(bob)
    assert not ports & {presence.listener.port for presence in bob.carrier._presences.values()}


def test_it_starts_without_a_network_and_works_when_there_is_one(site: Site) -> None:
    ends = site.lan.host("192.0.2.1/24"), site.lan.host("192.0.2.2/24")
    ip("-n", ends[1].name, "link", "set", "eth0", "down")
    alice = site.person("alice", "bob", host=ends[0])
    bob = site.person("bob", "alice", host=ends[1])
    assert "no local network" in bob.carrier.state.why
    ip("-n", ends[1].name, "link", "set", "eth0", "up")
    alice.meets("bob")
    bob.meets("alice")
    alice.talks_with(bob)


def test_a_system_that_does_not_permit_multicast_is_told_from_one_without_network(site: Site) -> None:
    if shutil.which("nft") is None:
        pytest.skip("a firewall needs `nft` (Debian: nftables)")
    host = site.lan.host("192.0.2.2/24")

    def firewall(command: str) -> None:
        with inside(host.name):
            subprocess.run(["nft", command], check=True, capture_output=True)

    firewall("add table inet t; add chain inet t out { type filter hook output priority 0; }")
    firewall("add rule inet t out udp dport 5353 drop")
    bob = site.person("bob", host=host)
    bob.until(lambda: "does not let" in bob.carrier.state.why)
    assert not bob.carrier.state.ready
    firewall("delete table inet t")
    bob.until(lambda: bob.carrier.state.ready)


# -- hostile neighbours


class Mallory:
    """A neighbour with no meeting of anybody's, who hears and says what she likes, and listens at a port."""

    def __init__(self, lan: Lan, addresses: int = 1) -> None:
        self.addresses = [f"192.0.2.{100 + number}" for number in range(addresses)]
        self.host = lan.host(*(f"{address}/24" for address in self.addresses))
        with inside(self.host.name):
            self.mouths = [self._mouth(address) for address in self.addresses]
            self.door = socket.create_server(("", 0), backlog=200)
        self.port = self.door.getsockname()[1]

    @staticmethod
    def _mouth(address: str) -> socket.socket:
        mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        mouth.bind((address, 0))
        return mouth

    def say(self, packet: bytes, number: int = 0) -> None:
        self.mouths[number % len(self.mouths)].sendto(packet, (GROUP_4, PORT))

    def is_heard_by(self, person: Person) -> None:
        """Wait until she is: a switch needs a moment to pass on what comes from a new cable."""
        said = Said(random_name(), random_name(), self.port, bytes.fromhex(random_name() * 10))

        def heard() -> bool:
            self.say(SERVICE.say(said))
            return said.data in person.carrier._seen

        person.until(heard)

    def close(self) -> None:
        self.door.close()
        for mouth in self.mouths:
            mouth.close()


@contextmanager
def mallory_on(site: Site, addresses: int = 1) -> Iterator[Mallory]:
    mallory = Mallory(site.lan, addresses)
    try:
        yield mallory
    finally:
        mallory.close()


def packets_of(person: Person) -> list[Said]:
    presences = person.carrier._presences.values()
    said = [SERVICE.heard(packet) for presence in presences for packet in presence.packets]
    return [one for one in said if one is not None]


def test_announcements_that_others_repeat_do_not_keep_them_apart(site: Site) -> None:
    """Mallory answers at many addresses to whoever looks for Bob, and says for him that he has left."""
    alice, bob = site.couple(("192.0.2.1/24",), ("192.0.2.2/24",))
    with mallory_on(site, addresses=20) as mallory:
        mallory.is_heard_by(alice)
        for said in packets_of(bob):
            for number in range(len(mallory.addresses)):
                mallory.say(SERVICE.say(Said(random_name(), random_name(), mallory.port, said.data)), number)
            mallory.say(SERVICE.say(Said(said.instance, said.host, said.port, said.data, leaving=True)))
        alice.meets("bob")
        assert reaches(alice, bob, tries=1)
        assert reaches(alice, bob, tries=1)


def test_who_comes_when_others_repeat_what_was_said_long_ago_finds_the_true_one(site: Site) -> None:
    """Mallory has recorded Bob for hours and shows Alice, who comes now, a hundred Bobs before the true one."""
    ends = site.lan.host("192.0.2.1/24"), site.lan.host("192.0.2.2/24")
    bob = site.person("bob", "alice", host=ends[1])
    recorded: list[bytes] = []
    bob.until(lambda: bob.carrier.state.ready)
    for _ in range(5):
        recorded += [said.data for said in packets_of(bob)]
        rotate(bob)
    with mallory_on(site, addresses=20) as mallory:
        mallory.is_heard_by(bob)
        alice = site.person("alice", host=ends[0])
        alice.until(lambda: alice.carrier.state.ready)
        alice.host.call(lambda: alice.device.seek(device_host("bob")))
        for number in range(100):
            data = recorded[number % len(recorded)]
            mallory.say(SERVICE.say(Said(random_name(), random_name(), mallory.port, data)), number)

        alice.meets("bob")  # as she thinks
        assert reaches(alice, bob, tries=1)
        assert len(alice.carrier._candidates) > 10
        assert reaches(alice, bob, tries=1)


def rotate(person: Person) -> None:
    """A quarter of an hour passes."""

    def pass_time() -> None:
        for presence in person.carrier._presences.values():
            presence.rotate_at = 0.0
        person.carrier._wake.set()

    before = {said.instance for said in packets_of(person)}
    person.host.call(pass_time)
    person.until(lambda: not before & {said.instance for said in packets_of(person)})


def reaches(one: Person, other: Person, tries: int) -> bool:
    """Dial until it is the right one who answers, as the link above would."""
    for _ in range(tries):
        dialled = one.host.run(one._dial(other.who))
        answered = one.host.run(_read_or_nothing(dialled)) == b"ok"
        if answered:
            one.host.run(dialled.write(b"so it is you"))
        one.hangs_up(dialled)
        if answered:
            return True
    return False


async def _read_or_nothing(stream: Stream) -> bytes:
    try:
        async with asyncio.timeout(1):
            return await read_all(stream, 2)
    except TimeoutError:
        return b""


def test_a_flood_of_announcements_costs_a_bounded_part_and_they_still_meet(site: Site) -> None:
    ends = site.lan.host("192.0.2.1/24"), site.lan.host("192.0.2.2/24")
    alice = site.person("alice", "bob", *(f"friend {number}" for number in range(200)), host=ends[0])
    over = threading.Event()
    with mallory_on(site, addresses=8) as mallory:

        def flood() -> None:
            number = 0
            while not over.is_set():
                said = Said(random_name(), random_name(), 9, number.to_bytes(16, "big") + noise(448))
                mallory.say(SERVICE.say(said), number)
                mallory.say(SERVICE.ask(random_name()), number)
                mallory.say(noise(MAX_PACKET), number)
                number += 1
                over.wait(0.001)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            alice.until(lambda: len(alice.carrier._seen) > 50)
            bob = site.person("bob", "alice", host=ends[1])
            alice.meets("bob")
            bob.meets("alice")
            alice.talks_with(bob)
            assert len(alice.carrier._seen) <= REMEMBERED
            assert len(alice.carrier._neighbours._shares._known) <= MAX_SOURCES
            assert len(alice.carrier._candidates) <= 2 * len(alice.carrier._presences)
        finally:
            over.set()
            flooding.join()


def test_who_opens_many_connections_pushes_out_only_themselves(site: Site) -> None:
    alice, bob = site.couple(("192.0.2.1/24",), ("192.0.2.2/24",))
    alice.meets("bob")
    standing = alice.calls(bob)  # it has said "ok": it is not one of those that wait
    port = next(each.listener.port for link, each in bob.carrier._presences.items() if link.family == socket.AF_INET)
    with mallory_on(site, addresses=20) as mallory, ExitStack() as stack, inside(mallory.host.name):
        for number in range(250):
            address = mallory.addresses[number % len(mallory.addresses)]
            stack.enter_context(socket.create_connection(("192.0.2.2", port), source_address=(address, 0)))
        bob.until(lambda: len(bob.carrier._door) == HALF_OPEN)
        assert len(mallory.addresses) * HALF_OPEN_PER_SOURCE > HALF_OPEN
        alice.talks_with(bob)
        alice.host.run(standing[0].write(b"still"))
        assert bob.host.run(_read(standing[1], 5)) == b"still"
    alice.hangs_up(standing[0])
    bob.hangs_up(standing[1])


def test_nobody_is_led_to_other_networks(site: Site) -> None:
    """What comes with a false address from elsewhere, or to this device alone, is not heard."""
    alice = site.person("alice", "bob", host=site.lan.host("192.0.2.1/24"))
    bob = site.person("bob", host=site.lan.host("192.0.2.2/24"))
    alice.meets("bob")
    data = packets_of(bob)[0].data
    bob.stop()
    with mallory_on(site) as mallory:
        mallory.is_heard_by(alice)
        ip("-n", mallory.host.name, "addr", "add", "203.0.113.5/24", "dev", "eth0")
        packet = SERVICE.say(Said(random_name(), random_name(), mallory.port, data[:16] + noise(64)))
        with inside(mallory.host.name):
            elsewhere = Mallory._mouth("203.0.113.5")
        mallory.mouths.append(elsewhere)
        elsewhere.sendto(packet, (GROUP_4, PORT))
        mallory.mouths[0].sendto(packet, ("192.0.2.1", PORT))
        mallory.is_heard_by(alice)
        said = SERVICE.heard(packet)
        assert said is not None
        assert said.data not in alice.carrier._seen


# -- who listens


class Observer:
    """Hears every frame on the bridge."""

    def __init__(self, lan: Lan) -> None:
        with inside(lan.switch):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind(("br0", 0))
        self.socket.settimeout(0.2)

    def announcements(self) -> list[bytes]:
        """What was said by multicast DNS since the last time."""
        found = []
        try:
            while True:
                frame = self.socket.recv(65_535)
                kind = struct.unpack_from(">H", frame, 12)[0]
                start = {0x0800: 14 + 20, 0x86DD: 14 + 40}.get(kind)
                if start and len(frame) > start + 8 and struct.unpack_from(">H", frame, start + 2)[0] == PORT:
                    found.append(frame[start + 8 :])
        except TimeoutError:
            return found


def parts(packets: list[bytes], size: int = 6) -> set[str | bytes]:
    """Every few characters or bytes in a row of what was said, wherever they stand."""
    heard = [said for said in map(SERVICE.heard, packets) if said is not None]
    asked = [name for name in map(SERVICE.asked, packets) if name is not None]
    # What makes up a packet otherwise is the same for everybody.
    assert {*map(SERVICE.say, heard), *map(SERVICE.ask, asked)} == set(packets)
    fields: list[str | bytes] = [*asked, *(field for said in heard for field in (said.instance, said.host, said.data))]
    return {field[at : at + size] for field in fields for at in range(len(field) - size + 1)}


def test_an_observer_sees_nothing_that_is_the_same_twice(site: Site) -> None:
    """Not after a restart, a change of networks or with time: six characters or bytes in a row."""
    host = site.lan.host("192.0.2.2/24")
    observer = Observer(site.lan)
    observed: list[list[bytes]] = []

    def observe() -> None:
        packets = observer.announcements()
        asked = {bytes.fromhex(name) for name in map(SERVICE.asked, packets) if name}
        said = [each for each in map(SERVICE.heard, packets) if each is not None]
        assert asked
        assert said
        assert not any(each.data[:8] in asked for each in said)  # nobody is there to ask but bob
        observed.append(packets)

    bob = site.person("bob", "alice", host=host)
    observe()
    bob.stop()
    observer.announcements()
    bob = site.person("bob", "alice", host=host)
    observe()
    site.lan.pull(1)
    bob.until(lambda: not bob.carrier.state.ready)
    observer.announcements()
    site.lan.push(1)
    bob.until(lambda: bob.carrier.state.ready)
    observe()

    rotate(bob)
    rotated = {SERVICE.say(said) for said in packets_of(bob)}
    observed.append([packet for packet in observer.announcements() if packet in rotated])
    assert observed[-1]
    observer.socket.close()

    for at, packets in enumerate(observed):
        assert socket.gethostname().encode() not in b"".join(packets)
        for later in observed[at + 1 :]:
            assert not parts(packets) & parts(later)
    for at, packets in enumerate(observed[:3]):  # time alone leaves the port
        for later in observed[at + 1 : 3]:
            assert not ports_of(packets) & ports_of(later)


def ports_of(packets: list[bytes]) -> set[int]:
    return {said.port for said in map(SERVICE.heard, packets) if said is not None}
