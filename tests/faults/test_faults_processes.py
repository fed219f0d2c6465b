"""Real processes that are killed, stopped, filled up, cut off and put back from backups."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from roost.agent import operations as o
from roost.agent.service import Service
from roost.errors import RoostError
from roost.messaging import mailboxes
from roost.messaging import records as r
from tests.faults.crowd import crowd
from tests.faults.exchange import exchange
from tests.faults.people import accepted, befriend, make_profile, opened, say, texts, until
from tests.network.relay_process import RelayProcess

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts and network namespaces")


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RelayProcess]:
    relay = RelayProcess(tmp_path / "relay")
    await relay.start()
    yield relay
    await relay.close()


@pytest.fixture
async def people(tmp_path: Path, relay: RelayProcess) -> tuple[Path, Path]:
    alice = await make_profile(tmp_path / "alice", "Alice", str(relay.link))
    bob = await make_profile(tmp_path / "bob", "Bob", str(relay.link))
    async with opened(alice, bob) as (one, other):
        await befriend(one, other)
    return alice, bob


@pytest.mark.parametrize("federated", [False, True], ids=["central", "federated"])
async def test_killed_at_random(tmp_path: Path, federated: bool) -> None:
    """2,000 messages: python -m tests.faults.exchange --messages 2000."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    report = await exchange(tmp_path, 50, seed=seed, federated=federated)
    assert report.kills >= 2


async def test_a_command_killed_after_it_was_accepted(people: tuple[Path, Path]) -> None:
    """Repeated with the same --id, the message is sent once."""
    alice, bob = people
    command = (sys.executable, "-m", "roost", "--profile", str(alice), "--json", "send", "Bob", "once", "--id", "key")
    ids = set()
    for patience in (0.5, 0.8, 1.1, 1.4, 30):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await process.wait()
        if process.returncode is None:
            process.kill()
        printed, _ = await process.communicate()
        ids |= {json.loads(line)["id"] for line in printed.splitlines() if b'"state"' in line}
    assert process.returncode == 0
    assert len(ids) == 1
    async with opened(alice, bob) as (one, other):
        await until(one, lambda: not one.engine.look().find(r.Outbox))
        assert texts(other) == ["once"]
        assert texts(one) == ["once"]


# --- put back ---------------------------------------------------------------------------------------------------------


async def test_a_relay_put_back_from_a_backup(tmp_path: Path, relay: RelayProcess, people: tuple[Path, Path]) -> None:
    """What it forgot is made again and sent again; nothing that is sent afterwards is missed."""
    alice, bob = people
    await relay.stop(signal.SIGTERM)
    shutil.copytree(tmp_path / "relay", tmp_path / "backup")
    for _ in range(3):
        await relay.start()
        async with opened(alice, bob) as (one, other):
            await say(one, "Bob", "before", wait="delivered")
        await relay.stop(signal.SIGTERM)
    await relay.start()
    async with opened(alice, bob) as (one, other):
        for service in (one, other):  # new mailboxes, which the backup does not know
            for row in service.engine.look().find(r.OwnMailbox):
                if row.account and row.account in {each.account for each in accepted(service)}:
                    service.engine.step(mailboxes.rotate, row)
        link = (await one.call(o.Invite())).link
        await say(one, "Bob", "moved", wait="delivered")
        await say(other, "Alice", "moved", wait="delivered")
    await relay.stop(signal.SIGKILL)
    shutil.rmtree(tmp_path / "relay")
    shutil.copytree(tmp_path / "backup", tmp_path / "relay")
    await relay.start()
    async with opened(alice) as (one,):
        await until(one, lambda: not _to_make(one))
        await say(one, "Bob", "while you were away")
        await one.call(o.Sync(timeout_s=5))
    async with opened(bob) as (other,):
        await until(other, lambda: not _to_make(other))
        await say(other, "Alice", "here I am")
    async with opened(alice, bob) as (one, other):
        await _arrives(one, other, "while you were away")
        await _arrives(other, one, "here I am")
        await say(one, "Bob", "and live", wait="delivered")
        carol = await make_profile(tmp_path / "carol", "Carol", str(relay.link))
        async with opened(carol) as (third,):  # an invitation that the relay had forgotten
            await third.call(o.Add(link=link))
            await until(one, lambda: one.engine.look().find(r.Request, where={"state": int(r.RequestState.PENDING)}))


def _to_make(service: Service) -> bool:
    """A mailbox that is to be made, or that the relay has not been asked for yet."""
    work = service.engine.look()
    waiting = work.find(r.OwnMailbox, where={"state": int(r.MailboxState.TO_CREATE)})
    held = service.engine.incoming._subscriptions.values()
    return bool(waiting) or not held or not all(each.caught_up.is_set() for each in held)


async def _arrives(sender: Service, receiver: Service, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in texts(receiver):
            with contextlib.suppress(RoostError):
                await sender.call(o.Sync(timeout_s=1))
            await receiver.engine.changed(0.2)


async def test_a_profile_put_back_from_an_older_copy(tmp_path: Path, people: tuple[Path, Path]) -> None:
    """As tests/faults/test_faults_older_copy.py, with files and processes."""
    alice, bob = people
    shutil.copytree(alice, tmp_path / "older", ignore=shutil.ignore_patterns("*.sock"))
    async with opened(alice, bob) as (one, other):
        for number in range(3):
            await say(one, "Bob", f"lost {number}", wait="delivered")
            await say(other, "Alice", f"answer {number}", wait="delivered")
    shutil.rmtree(alice)
    shutil.copytree(tmp_path / "older", alice)
    async with opened(alice, bob) as (one, other):
        told = one.events(from_now=True)
        first = asyncio.ensure_future(anext(told))
        for number in range(3):
            await say(one, "Bob", f"new {number}")
        await until(other, lambda: [text for text in texts(other) if "new" in text] == ["new 0", "new 1", "new 2"])
        await until(one, lambda: not one.engine.look().find(r.Outbox))
        await say(other, "Alice", "heard", wait="delivered")
        assert "heard" in texts(one)
        kinds = {row.kind for service in (one, other) for row in service.engine.look().find(r.EventRow)}
        assert "session_reset" in kinds
        first.cancel()


# --- full, many, cut off ----------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=False)
    if made.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@root
async def test_the_relays_disk_is_full_for_a_while(tmp_path: Path, small_disk: Path) -> None:
    relay = RelayProcess(small_disk / "relay")
    await relay.start()
    try:
        alice = await make_profile(tmp_path / "alice", "Alice", str(relay.link))
        bob = await make_profile(tmp_path / "bob", "Bob", str(relay.link))
        async with opened(alice, bob) as (one, other):
            await befriend(one, other)
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4_096))
        async with opened(alice) as (one,):
            for number in range(60):
                await say(one, "Bob", f"{number} " + "x" * 6_000)
            await until(one, lambda: any(row.problem == "full" for row in one.engine.look().find(r.Outbox)))
        ballast.unlink()
        async with opened(alice, bob) as (one, other):
            async with asyncio.timeout(40):
                while len(texts(other)) < 60:
                    with contextlib.suppress(RoostError):
                        await one.call(o.Sync(timeout_s=2))
                    await asyncio.sleep(0.2)
            assert [int(text.split()[0]) for text in texts(other)] == list(range(60))
    finally:
        await relay.close()


async def test_everybody_comes_back_at_once(tmp_path: Path) -> None:
    """200: python -m tests.faults.crowd --agents 200."""
    (taken,) = await crowd(tmp_path, 50, 2)
    assert taken < 30


class Namespace:
    """A network of its own, joined to this one by a cable; `cut` makes it fall silent without a word."""

    there, here = "10.213.77.2", "10.213.77.1"

    def __init__(self) -> None:
        self.name = f"roost-{os.getpid()}"
        self.near, self.far = f"rn{os.getpid()}", f"rf{os.getpid()}"

    def __enter__(self) -> Namespace:
        for command in (
            f"ip netns add {self.name}",
            f"ip link add {self.near} type veth peer name {self.far}",
            f"ip link set {self.far} netns {self.name}",
            f"ip addr add {self.here}/30 dev {self.near}",
            f"ip link set {self.near} up",
            f"ip -n {self.name} addr add {self.there}/30 dev {self.far}",
            f"ip -n {self.name} link set lo up",
            f"ip -n {self.name} link set {self.far} up",
        ):
            made = subprocess.run(command.split(), check=False, capture_output=True, text=True)
            if made.returncode != 0:
                self.__exit__()
                pytest.skip(f"network namespaces cannot be made here: {made.stderr}")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def cut(self) -> None:
        subprocess.run(f"ip -n {self.name} addr del {self.there}/30 dev {self.far}".split(), check=True)

    def mend(self) -> None:
        subprocess.run(f"ip -n {self.name} addr add {self.there}/30 dev {self.far}".split(), check=True)


@root
async def test_half_open_connections(tmp_path: Path) -> None:
    """Packets vanish, no side is told. Who has something to say notices, comes back, and nothing is lost or twice."""
    with Namespace() as namespace:
        command = ("ip", "netns", "exec", namespace.name, sys.executable, "-m", "tests.network.relay_process")
        process = await asyncio.create_subprocess_exec(
            *command, str(tmp_path / "relay"), f"{namespace.there}:0", "secret", stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            link = (await process.stdout.readline()).decode().split()[0]
            alice = await make_profile(tmp_path / "alice", "Alice", link)
            bob = await make_profile(tmp_path / "bob", "Bob", link)
            async with opened(alice, bob) as (one, other):
                await befriend(one, other)
                namespace.cut()
                for number in range(5):
                    await say(one, "Bob", f"{number}")
                key = one.engine.look().find(r.OwnRelay)[0].relay
                async with asyncio.timeout(20):
                    while one.engine.network.reachable(key):
                        await one.engine.changed(0.1)
                namespace.mend()
                one.engine.network.retry_now()
                other.engine.network.retry_now()
                await until(one, lambda: not one.engine.look().find(r.Outbox), 30)
                assert texts(other) == [f"{number}" for number in range(5)]
        finally:
            process.kill()
            await process.wait()
