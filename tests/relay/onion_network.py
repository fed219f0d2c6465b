"""A whole onion network of real processes on this machine: authorities, nodes, and clients that find their way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from msgspec.structs import replace

from roost.crypto import solve_work
from roost.errors import Refused, Unreachable
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network.onion.directory_client import DirectoryClient
from roost.relay import load_config
from roost.relay.networks import add_authority, init_network
from roost.relay.onion.founding import Terms
from roost.wire.addresses import OnionHost
from roost.wire.codec import decode
from roost.wire.links import parse_relay_link
from roost.wire.mailbox import Create, PutCard, Refusal, RefusalCode, Request, Response, WorkChallenge
from roost.wire.onion import Consensus, NetworkDocument, admission_hash, place_of, swarm_of
from tests.relay.onion_helpers import Network, Traveller, free_port, travelling
from tests.relay.relay_process import RelayProcess, running

PERIOD_S = 6
START_S = 90.0


@dataclass
class OnionNetwork:
    """`authorities` relays that run the directory, `nodes` others that carry packets and keep mailboxes."""

    folder: Path
    authorities: int = 3
    nodes: int = 4
    period_s: int = PERIOD_S
    link: str = ""
    running: dict[str, RelayProcess] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)
    _stacks: dict[str, ExitStack] = field(default_factory=dict)

    def found(self) -> None:
        names = [f"authority {number}" for number in range(self.authorities)]
        terms = Terms("test", self.authorities, 0, self.period_s)
        lines = []
        for name in names:
            config = load_config(None, data=self.folder / name, listen=self._listen(name))
            lines.append(str(init_network(config, terms).own))
        for name in names:
            for line in lines:
                founding = add_authority(self.folder / name, line)
            self.link = founding.link
        for name in names:
            self.start(name)
        for number in range(self.nodes):
            self.start(f"node {number}")

    def start(self, name: str, **settings: object) -> None:
        if name.startswith("authority"):
            settings = {"authority": True, **settings}
        else:
            settings = {"onion": True, "directory": self.link, "operator": name, **settings}
        settings["metrics_listen"] = f"127.0.0.1:{self._ports.setdefault(f'{name} metrics', free_port())}"
        stack = self._stacks[name] = ExitStack()
        self.running[name] = stack.enter_context(running(self.folder / name, self._listen(name), **settings))

    def terminate(self, name: str) -> int:
        """Its exit code."""
        code = self.running.pop(name).terminate()
        self._stacks.pop(name).close()
        return code

    def metrics(self, name: str) -> dict[str, float]:
        with urlopen(f"http://127.0.0.1:{self._ports[f'{name} metrics']}/metrics") as page:
            lines = [line for line in page.read().decode().splitlines() if not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    def kill(self, name: str) -> None:
        self.running.pop(name).kill()
        self._stacks.pop(name).close()

    def stop(self) -> None:
        for stack in self._stacks.values():
            stack.close()

    @property
    def host(self) -> OnionHost:
        host = parse_relay_link(self.link).address
        assert isinstance(host, OnionHost)
        return host

    def name_of(self, node: bytes) -> str:
        return next(name for name, relay in self.running.items() if relay.link.address.key == node)

    def _listen(self, name: str) -> str:
        return f"127.0.0.1:{self._ports.setdefault(name, free_port())}"


@contextmanager
def onion_network(folder: Path, nodes: int = 4, **given: int) -> Iterator[OnionNetwork]:
    network = OnionNetwork(folder, nodes=nodes, **given)
    try:
        network.found()
        yield network
    finally:
        network.stop()


class Client:
    """Asks the node that leads a mailbox, over the network's other nodes; repeats what is lost."""

    def __init__(self, network: OnionNetwork, directory: DirectoryClient) -> None:
        self._network = network
        self.directory = directory
        self._links = AsyncExitStack()
        self.traveller: Traveller | None = None
        self.host = -1
        self.leader = b""

    @property
    def document(self) -> NetworkDocument:
        assert self.directory.document is not None
        return self.directory.document

    @property
    def network(self) -> Network:
        """All nodes as they are now."""
        return Network(list(self.consensus.nodes), self.document.period(time.time()))

    @property
    def consensus(self) -> Consensus:
        assert self.directory.consensus is not None
        return self.directory.consensus

    async def ready(self, nodes: int) -> None:
        """Until so many nodes keep mailboxes."""
        async with asyncio.timeout(START_S):
            while True:
                consensus = self.directory.consensus
                if consensus is not None and sum(bool(node.salt) for node in consensus.nodes) >= nodes:
                    return
                await asyncio.sleep(0.1)

    async def call(self, request: Request, *, leader: bytes | None = None, timeout_s: float = 60.0) -> Response:
        """The answer of the mailbox's leader, whichever it is by then."""
        async with asyncio.timeout(timeout_s):
            tries = 0
            while True:
                answer = await self._once(request, leader, tries)
                tries += 1
                if answer is None:
                    leader = None
                elif isinstance(answer, Refusal) and answer.code is RefusalCode.MOVED:
                    leader = answer.detail
                elif isinstance(answer, Refusal) and answer.code is RefusalCode.SLOW_DOWN:
                    await asyncio.sleep(answer.retry_after_ms / 1_000)
                elif isinstance(answer, Refusal) and answer.code is RefusalCode.WORK_NEEDED:
                    assert isinstance(request, Create | PutCard)
                    challenge = decode(WorkChallenge, answer.detail)
                    subject = admission_hash(request)
                    proof = solve_work(challenge.nonce, bytes(32), subject, challenge.bits)
                    request = replace(request, admission=proof)
                else:
                    return answer

    async def _once(self, request: Request, leader: bytes | None, tries: int) -> Response | None:
        place = place_of(request)
        assert place is not None
        swarm = [node.key for node in swarm_of(self.consensus, place, self.document.replicas)]
        try:
            traveller = await self._travelling(leader or swarm[tries % len(swarm)])
            return await traveller.call(self.host, request, timeout_s=3.0)
        except (TimeoutError, LookupError, Unreachable, Refused):
            return None

    async def _travelling(self, leader: bytes) -> Traveller:
        """Attached to a node that is not the leader, over others that chance picks."""
        nodes = sorted(self.consensus.nodes, key=lambda _: ENTROPY.bytes(8))
        network = Network(nodes, self.document.period(time.time()))
        self.host = next(number for number, node in enumerate(nodes) if node.key == leader)
        self.leader = leader
        await self._links.aclose()
        return await self._links.enter_async_context(travelling(network, 1 if self.host == 0 else 0))

    async def close(self) -> None:
        await self._links.aclose()


@asynccontextmanager
async def client_of(network: OnionNetwork) -> AsyncIterator[Client]:
    async with DirectoryClient(network.host) as directory:
        client = Client(network, directory)
        try:
            yield client
        finally:
            await client.close()
