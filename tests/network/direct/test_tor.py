"""The carrier over Tor: its own tor and what becomes of it, who finds a device and who does not, bridges, circuits.

With a real tor each, most of them in the private network.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from roost.crypto import onion_address
from roost.errors import Unreachable
from roost.network.direct.carrier import People
from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_control import Control, connect_control
from roost.network.direct.tor_process import read_port
from roost.network.direct.tor_service import MAX_CLIENTS
from roost.wire.addresses import DeviceHost
from tests.network.direct.conformance import Device, read_all
from tests.network.direct.tor_devices import PATIENCE_S, config, device, on, tor
from tests.tor_network import ROOT, TorNetwork, tor_network

__all__ = ["tor_network"]

OTHER_MEETING = b"another meeting!"


async def talk(one: Device, other: Device) -> None:
    """A stream from one to the other carries bytes; a host that has just been announced may need a second dial."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                dialled = await one.carrier.dial(other.host, ())
                await dialled.write(b"?")
                accepted = await other.accepted.get()
                if await read_all(accepted, 1) == b"?":
                    break
                accepted.abort()  # one from before
                dialled.abort()
            except Unreachable:
                await asyncio.sleep(0.2)
    dialled.abort()
    accepted.abort()


async def watched(settings: TorConfig) -> Control:
    """A second control connection to a carrier's own tor."""
    place = read_port(settings.port_file)
    assert place is not None
    return await connect_control(place, cookie=settings.cookie_file)


async def tor_pid(settings: TorConfig) -> int:
    control = await watched(settings)
    pid = int(await control.info("process/pid"))
    await control.close()
    return pid


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if true():
                return
            await asyncio.sleep(0.05)


def left_behind(torrc: str) -> subprocess.Popen[bytes]:
    """A tor that only its configuration ties to anybody."""
    words = ["tor", "--hush", "--defaults-torrc", os.devnull, "-f", "-"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(torrc.encode())
    process.stdin.close()
    return process


def hashed(password: str) -> str:
    """As tor's configuration has it."""
    words = ["tor", "--hash-password", password]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1]


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.long  # a service that comes back is found again when tor has forgotten where it was
async def test_a_tor_of_its_own(tor_network: TorNetwork, tmp_path: Path) -> None:
    """It starts, is found by who knows a meeting and by nobody else, heals, and ends."""
    one, other = (config(tmp_path / who, tor_network) for who in ("one", "other"))
    first, second = device("one", one), device("other", other)
    async with on(first, second):
        assert {second.host} == set(first.met)
        await talk(first, second)

        # Streams to one host share a circuit; another host's never use it, even where the service is the same.
        control = await watched(one)
        stranger = DeviceHost(key=bytes(32), meeting=second.host.meeting, onion=second.host.onion)
        used, streams = [], []
        for host in (second.host, second.host, stranger):
            known = await circuits(control)
            streams.append(await first.carrier.dial(host, ()))
            used += [circuit for number, circuit in (await circuits(control)).items() if number not in known]
        assert used[0] == used[1] != used[2]
        for stream in streams:
            stream.abort()
        await control.close()

        # Its tor dies: what stands breaks, and all is made anew.
        stream = await first.carrier.dial(second.host, ())
        before = await tor_pid(other)
        second.met.clear()
        os.kill(before, signal.SIGKILL)
        assert await stream.read() == b""
        stream.abort()
        async with asyncio.timeout(PATIENCE_S):
            await second.until(lambda: not second.carrier.state.ready)
            await second.until(lambda: second.carrier.state.ready)
            await second.until(lambda: first.host in second.met)
        await talk(first, second)
        pids = [await tor_pid(settings) for settings in (one, other)]
        assert before not in pids
        while not second.accepted.empty():  # a tor would stay as long as they stand
            second.accepted.get_nowait().abort()
        await asyncio.sleep(0)
    for pid in pids:
        assert not _runs(pid)


async def circuits(control: Control) -> dict[str, str]:
    """The circuit of each stream that stands."""
    lines = [line.split() for line in (await control.info("stream-status")).splitlines() if line]
    return {line[0]: line[2] for line in lines if line[1] == "SUCCEEDED"}


async def test_who_finds_a_device(tor_network: TorNetwork, tmp_path: Path) -> None:
    """Who holds one of its meetings; that changes when the meetings do. Without any there is no service."""
    settings = config(tmp_path / "tor", tor_network)
    async with tor(settings) as control:  # one tor for all of them
        place = read_port(settings.port_file)
        host = device("host", config(tmp_path, None, control=place))
        async with on(host):

            async def reached_with(*meetings: bytes) -> bool:
                """By a tor that has seen nothing of the host yet."""
                guest = device("guest", config(tmp_path / os.urandom(4).hex(), tor_network))
                guest.carrier.serve(People())
                await guest.carrier.start(guest.accepted.put_nowait, guest.met.append, guest.news.set)
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        await guest.until(lambda: guest.carrier.state.ready)
                        return all([await _reached(guest, host, meeting) for meeting in meetings])
                finally:
                    await guest.carrier.stop()

            with_own = reached_with(host.host.meeting)
            without = reached_with(OTHER_MEETING)
            assert await asyncio.gather(with_own, without) == [True, False]

            await _announced_anew(control, host, People(own=(host.host.meeting, OTHER_MEETING)))
            assert await reached_with(OTHER_MEETING, host.host.meeting)

            # More than a descriptor holds: all are let in who know the address, rather than some of them.
            many = tuple(number.to_bytes(16, "big") for number in range(MAX_CLIENTS + 1))
            await _announced_anew(control, host, People(own=many))
            assert await reached_with(many[0], many[-1])

            host.carrier.serve(People())
            async with asyncio.timeout(PATIENCE_S):
                while onion_address(host.host.onion) in await control.info("onions/current"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert host.carrier.state.ready  # to dial
            while not host.accepted.empty():
                host.accepted.get_nowait().abort()


async def _reached(guest: Device, host: Device, meeting: bytes) -> bool:
    target = DeviceHost(key=host.host.key, meeting=meeting, onion=host.host.onion)
    try:
        stream = await guest.carrier.dial(target, ())
    except Unreachable:
        return False
    stream.abort()
    return True


async def _announced_anew(control: Control, host: Device, people: People) -> None:
    """Returns when tor has announced the service with these people on its list."""
    address = onion_address(host.host.onion)
    uploads, uploaded = [0, 0], asyncio.Event()

    def event(text: str) -> None:
        if address in text:
            uploads[0] += " UPLOAD " in text
            uploads[1] += " UPLOADED " in text
            if uploads[0] and uploads[0] == uploads[1]:
                uploaded.set()

    control.on_event = event
    await control.ask("SETEVENTS HS_DESC")
    host.carrier.serve(people)
    async with asyncio.timeout(PATIENCE_S):
        while True:  # of both descriptors
            await uploaded.wait()
            uploaded.clear()
            if uploads[0] >= 10:
                break
    await control.ask("SETEVENTS")


async def test_through_a_bridge(tor_network: TorNetwork, tmp_path: Path) -> None:
    settings = config(tmp_path / "bridged", tor_network, bridges=(f"Bridge {tor_network.bridge}",))
    bridged = device("bridged", settings)
    async with on(bridged):
        control = await watched(settings)
        guards = await control.info("entry-guards")
        assert tor_network.bridge.split()[1] in guards
        assert len(guards.split("$")) == 2  # and through nothing else
        await control.close()


AGENT = """
import asyncio, sys
from pathlib import Path
from tests.network.direct.tor_devices import config, device, on
async def main():
    async with on(device("agent", config(Path(sys.argv[1]), None)), ready=False):
        await asyncio.sleep(1_000)
asyncio.run(main())
"""


def run_agent(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", AGENT, str(folder)], cwd=ROOT)


async def test_what_a_killed_agent_leaves_behind(tmp_path: Path) -> None:
    settings = config(tmp_path / "tor", None)
    agent = run_agent(settings.data)
    try:
        await until(lambda: read_port(settings.port_file))
        left = await tor_pid(settings)
    finally:
        agent.kill()
        agent.wait()
    # The next one does not wait for it to notice, and two never use one folder.
    again = device("agent", settings)
    async with on(again, ready=False):
        await _started(again)
        assert not _runs(left)
        assert await tor_pid(settings) != left


async def test_a_tor_that_nobody_owns_is_ended_by_the_next(tmp_path: Path) -> None:
    settings = config(tmp_path / "tor", None)
    settings.data.mkdir(mode=0o700)
    left = left_behind(settings.torrc(os.getpid()))
    try:
        await until(lambda: read_port(settings.port_file))
        again = device("again", settings)
        async with on(again, ready=False):
            await _started(again)
            assert left.wait() == 0
    finally:
        left.kill()
        left.wait()


async def _started(one: Device) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await one.until(lambda: one.carrier.state.why.startswith(("Tor is starting (", "Tor cannot reach")))


async def test_what_people_read(tmp_path: Path) -> None:
    """What is wrong, and what to do about it."""

    async def says(why: str, settings: TorConfig) -> str:
        one = device("one", settings)
        async with on(one, ready=False), asyncio.timeout(PATIENCE_S):
            await one.until(lambda: one.carrier.state.why.startswith(why))
            with pytest.raises(Unreachable, match="Tor"):
                await one.carrier.dial(one.host, ())
            return one.carrier.state.hint

    plain = TorConfig(tmp_path / "tor")
    assert "apt install tor" in await says("Tor is not installed.", replace(plain, binary="no-such-tor"))
    assert await says("No Tor answers at its control port.", replace(plain, control="127.0.0.1:1"))
    assert await says("No Tor answers at its control port.", replace(plain, control=str(tmp_path / "socket")))
    assert "lines" not in await says("Tor refuses its configuration:", replace(plain, extra=("NoSuchOption 1",)))
    assert "no-such" not in await says("Tor's bridges need a program", replace(plain, bridges=("unheard 1.2.3.4:1 x",)))
    (tmp_path / "file").touch()
    assert await says("Tor cannot be started.", TorConfig(tmp_path / "file" / "tor"))


async def test_a_tor_that_runs_already(tmp_path: Path) -> None:
    """It is used as its control port allows: by a password, by its cookie, or by anybody."""
    password = 'say \\ "friend"'
    settings = config(tmp_path / "tor", None)
    by_password = f"HashedControlPassword {hashed(password)}"
    async with tor(settings, by_password, f"ControlSocket {tmp_path}/control"):
        socket = str(tmp_path / "control")
        for way in ({"password": password}, {"password": ""}, {"control": f"unix:{socket}"}):
            one = device("one", TorConfig(tmp_path / "none", **{"control": socket, **way}))
            async with on(one, ready=False):
                await _started(one)
        (tmp_path / "tor" / "control-cookie").unlink()
        for way, why in (({"password": "wrong"}, "refused"), ({}, "cookie cannot be read")):
            one = device("one", TorConfig(tmp_path / "none", control=socket, **way))
            async with on(one, ready=False), asyncio.timeout(PATIENCE_S):
                await one.until(lambda one=one, why=why: why in one.carrier.state.why)  # type: ignore[misc]
    assert not (tmp_path / "none").exists()
