"""Two devices behind two routers with NAT, and one that everybody reaches, in network namespaces; places and states."""

from __future__ import annotations

import asyncio
import builtins
import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import CallerError, Unreachable
from roost.network.direct import internet_quic
from roost.network.direct.carrier import CarrierName, Place
from roost.network.direct.internet import MAX_LEARNED, InternetCarrier
from roost.network.direct.internet_places import Candidate, place_of, read_place
from tests.network.direct.conformance import Device, device_host

PATIENCE_S = 30
FILTER = """
table ip nat {{
  chain post {{
    type nat hook postrouting priority 100
    oifname "wan" masquerade {flags}
  }}
}}
table ip filter {{
  chain pass {{
    type filter hook forward priority 0; policy drop;
    iifname "lan" accept
    ct state established,related accept
  }}
  chain local {{
    type filter hook input priority 0; policy accept;
    iifname "wan" ct state new drop
  }}
}}
"""


class Internet:
    """alice and bob behind a router each, carol on the open internet; `flags` are the routers' for masquerading."""

    def __init__(self, flags: str = "") -> None:
        self._flags = flags
        self._net = f"roost-net-{os.getpid()}"
        self._made: list[str] = []

    def __enter__(self) -> Internet:
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
            pytest.skip("network namespaces with NAT need root, iproute2 and nftables")
        try:
            self._build()
        except subprocess.CalledProcessError as error:
            self._remove()
            pytest.skip(f"network namespaces with NAT cannot be made here: {error.stderr}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    def of(self, name: str) -> str:
        """The namespace of somebody's device."""
        return f"{self._net}-{name}"

    def _build(self) -> None:
        self._namespace("wide")
        self._run("ip -n {wide} link add bridge type bridge mcast_snooping 0")
        self._run("ip -n {wide} link set bridge up")
        for number, name in ((1, "carol"), (11, "router-alice"), (12, "router-bob")):
            self._namespace(name)
            self._run(f"ip link add wan netns {{{name}}} type veth peer name w{number} netns {{wide}}")
            self._run(f"ip -n {{wide}} link set w{number} master bridge up")
            self._run(f"ip -n {{{name}}} link set wan up")
            self._run(f"ip -n {{{name}}} addr add 5.5.5.{number}/24 dev wan")
        for number, name in ((1, "alice"), (2, "bob")):
            self._namespace(name)
            router = f"{{router-{name}}}"
            self._run(f"ip link add lan netns {router} type veth peer name eth0 netns {{{name}}}")
            self._run(f"ip -n {router} link set lan up")
            self._run(f"ip -n {router} addr add 10.88.{number}.1/24 dev lan")
            self._run(f"ip -n {{{name}}} link set eth0 up")
            self._run(f"ip -n {{{name}}} addr add 10.88.{number}.2/24 dev eth0")
            self._run(f"ip -n {{{name}}} route add default via 10.88.{number}.1")
            self._run(f"ip netns exec {router} sysctl -qw net.ipv4.ip_forward=1")
            self._run(f"ip netns exec {router} nft -f -", FILTER.format(flags=self._flags))

    def _namespace(self, name: str) -> None:
        self._run(f"ip netns add {self.of(name)}")
        self._made.append(name)
        self._run(f"ip -n {self.of(name)} link set lo up")

    def _run(self, command: str, given: str = "") -> None:
        whole = command.format_map({name: self.of(name) for name in self._made})
        subprocess.run(whole.split(), input=given, check=True, capture_output=True, text=True)

    def _remove(self) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", self.of(name)], check=False, capture_output=True)


class Peer:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def say(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.hear()

    async def hear(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return json.loads(await self._process.stdout.readline())

    async def place(self) -> str:
        return str((await self.say("places"))["place"])


@asynccontextmanager
async def peer(internet: Internet, name: str, *external: str) -> AsyncIterator[Peer]:
    command = ("ip", "netns", "exec", internet.of(name), sys.executable, "-m", "tests.network.direct.internet_peer")
    process = await asyncio.create_subprocess_exec(
        *command, name, *external, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        one = Peer(process)
        assert await one.hear() == {"ready": True}
        yield one
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def three(flags: str = "") -> AsyncIterator[tuple[Peer, Peer, Peer]]:
    """Alice and Bob, who both have a link with Carol and so know how they are seen."""
    with Internet(flags) as internet:
        async with AsyncExitStack() as stack:
            alice, bob, carol = [await stack.enter_async_context(peer(internet, n)) for n in ("alice", "bob", "carol")]
            there = await carol.place()
            for one in (alice, bob):
                assert await one.say(f"dial carol {there}") == {"echoed": "hello"}
            yield alice, bob, carol


def candidates(place: str) -> list[str]:
    read = read_place(bytes.fromhex(place))
    assert read is not None
    return [str(candidate) for candidate in read[1]]


async def test_two_behind_routers_reach_each_other_when_both_dial() -> None:
    """Nobody stands between them: each has learned from a contact at what address it is seen."""
    async with three() as (alice, bob, _):
        places = await alice.place(), await bob.place()
        assert [candidates(place)[0].split(":")[0] for place in places] == ["5.5.5.11", "5.5.5.12"]
        answers = await asyncio.gather(alice.say(f"dial bob {places[1]}"), bob.say(f"dial alice {places[0]}"))
        assert {"echoed": "hello"} in answers
        # From then on the routers know the way, and either one gets through alone.
        assert await alice.say(f"dial bob {places[1]}") == {"echoed": "hello"}


async def test_routers_that_change_the_port_for_everybody_are_said_to_be_in_the_way() -> None:
    async with three("random,fully-random") as (alice, bob, carol):
        places = await alice.place(), await bob.place()
        answers = await asyncio.gather(alice.say(f"dial bob {places[1]}"), bob.say(f"dial alice {places[0]}"))
        for answer in answers:
            assert "router" in answer["failed"]
            assert answer["hint"]
        # ... and whoever is not behind one is reached all the same
        assert await alice.say(f"dial carol {await carol.place()}") == {"echoed": "hello"}


# -- on this machine alone


async def started(**options: Any) -> Device:
    device = Device(InternetCarrier(**options), device_host("one"))
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: device.carrier.state.ready)
    return device


async def test_its_key_is_another_one_at_every_start() -> None:
    keys = set()
    for _ in range(2):
        device = await started()
        (place,) = device.carrier.places()
        keys.add(place.data[:32])
        await device.carrier.stop()
        assert device.carrier.places() == ()
    assert len(keys) == 2


def opened(datagram: bytes) -> bytes:
    """What everybody on the way can read of a first packet: its keys come from itself (RFC 9001, 5.2)."""
    size = datagram[5]
    to, at = datagram[6 : 6 + size], 6 + size
    at += 1 + datagram[at]  # whom it is from
    assert not datagram[at], "a token"
    at += 1
    length = int.from_bytes(datagram[at : at + 2], "big") & 0x3FFF
    at += 2
    salt = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
    secret = expand(hmac.digest(salt, to, "sha256"), "client in", 32)
    key, start, mask_key = (
        expand(secret, label, n) for label, n in (("quic key", 16), ("quic iv", 12), ("quic hp", 16))
    )
    mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(datagram[at + 4 : at + 20])
    first = datagram[0] ^ mask[0] & 0x0F
    digits = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(datagram[at : at + digits], mask[1:], strict=False))
    nonce = (int.from_bytes(start, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    head = bytes([first]) + datagram[1:at] + number
    return AESGCM(key).decrypt(nonce, datagram[at + digits : at + length], head)


def expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label of TLS 1.3, with an empty context."""
    name = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


async def test_the_first_packets_name_no_roost_and_a_key_that_is_new() -> None:
    one, other = await started(), await started()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        here = Candidate(ip_address("127.0.0.1"), listening.getsockname()[1])
        (place,) = other.carrier.places()
        dialling = asyncio.create_task(
            one.carrier.dial(other.host, [place_of(CarrierName.INTERNET, place.data[:32], [here])])
        )
        read = b""
        async with asyncio.timeout(PATIENCE_S):
            while internet_quic.ALPN not in read:
                read += opened(await loop.sock_recv(listening, 65_536))
        dialling.cancel()
        await asyncio.wait([dialling])
    assert b"roost" not in read.lower()
    await one.carrier.stop()
    await other.carrier.stop()


async def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        device = Device(InternetCarrier(port=taken.getsockname()[1]), device_host("one"))
        await device.start()
        async with asyncio.timeout(PATIENCE_S):
            await device.until(lambda: "UDP port" in device.carrier.state.why)
        assert device.carrier.state.hint
        await device.carrier.stop()


async def test_nobody_answers_at_any_of_several_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.network.direct.internet.DIAL_S", 0.5)
    device = await started()
    (own,) = device.carrier.places()
    nobody = [Candidate(ip_address("127.0.0.1"), port) for port in (1, 2)]
    places = [place_of(CarrierName.INTERNET, own.data[:32], [one]) for one in nobody]
    with pytest.raises(Unreachable) as caught:
        await device.carrier.dial(device.host, [*places, Place(CarrierName.INTERNET, b"nonsense")])
    assert caught.value.code == "unreachable"
    with pytest.raises(Unreachable) as caught:
        await device.carrier.dial(device.host, [Place(CarrierName.INTERNET, b"nonsense"), Place(CarrierName.LAN, b"")])
    assert caught.value.code == "not_near"
    await device.carrier.stop()


async def test_of_what_others_say_it_keeps_a_few_newest_first() -> None:
    device = await started(external=["[2001:db8::1]:7000"])
    assert isinstance(device.carrier, InternetCarrier)
    for port in (*range(1, 10), 8):
        device.carrier._learn(Candidate(ip_address("5.5.5.5"), port))
    (place,) = device.carrier.places()
    named = candidates(place.data.hex())
    assert named[: 1 + MAX_LEARNED] == ["[2001:db8::1]:7000", "5.5.5.5:8", "5.5.5.5:9", "5.5.5.5:7", "5.5.5.5:6"]
    await device.carrier.stop()


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load: Callable[..., Any] = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "roost.network.direct":
            raise ModuleNotFoundError("No module named 'iroh'")
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    device = Device(InternetCarrier(), device_host("one"))
    await device.start()
    async with asyncio.timeout(PATIENCE_S):
        await device.until(lambda: "installed without" in device.carrier.state.why)
    assert "roost[internet]" in device.carrier.state.hint
    with pytest.raises(Unreachable):
        await device.carrier.dial(device.host, ())
    await device.carrier.stop()


@pytest.mark.parametrize("address", ["", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "example.org:7000", "::1:x"])
def test_what_is_no_address_cannot_be_set(address: str) -> None:
    with pytest.raises(CallerError):
        InternetCarrier(external=[address])


def test_nobody_is_made_to_knock_at_many_at_once() -> None:
    one, many, none = (Candidate(ip_address(text), 7) for text in ("192.0.2.1", "224.0.0.251", "0.0.0.0"))
    place = place_of(CarrierName.INTERNET, bytes(32), [many, one, none])
    assert read_place(place.data) == (bytes(32), [one])
    assert read_place(place_of(CarrierName.INTERNET, bytes(32), [many]).data) is None


single = st.ip_addresses().filter(lambda address: not address.is_multicast and not address.is_unspecified)
addresses = st.builds(Candidate, single, st.integers(1, 65_535))


@given(st.binary(min_size=32, max_size=32), st.lists(addresses, min_size=1, max_size=40, unique=True))
def test_places_keep_what_fits(key: bytes, given_ones: list[Candidate]) -> None:
    place = place_of(CarrierName.INTERNET, key, given_ones)
    assert len(place.data) <= 255
    read = read_place(place.data)
    assert read is not None
    assert read[0] == key
    assert set(read[1]) <= set(given_ones)
    assert read[1][0] == given_ones[0]
    assert place_of(CarrierName.INTERNET, *read) == place


@given(st.binary(max_size=255))
def test_what_is_no_place_is_none(data: bytes) -> None:
    read = read_place(data)
    if read is not None:
        assert place_of(CarrierName.INTERNET, *read).data[:32] == data[:32]


@given(addresses)
def test_a_candidate_reads_as_it_is_written(candidate: Candidate) -> None:
    if getattr(candidate.address, "scope_id", None) is None:
        assert Candidate.parse(str(candidate)) == candidate
    assert Candidate.from_bytes(bytes(candidate)) == candidate
