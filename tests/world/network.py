"""The simulated network between devices and relays: delays, losses, duplicates, cuts, and the federated hop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from roost.crypto import PacketPublic, capability_hash
from roost.relay.core.admission import Client
from roost.wire.addresses import HostAddress, OnionHost
from roost.wire.mailbox import Create, MailboxKind, Put, Refusal, Request, Response, Right, Stored

from .driver import Answer, Device
from .hosts import LIMITS, Relay, open_answer, seal_request

if TYPE_CHECKING:
    from .world import World

TIMEOUT_MS = 20_000


@dataclass
class Weather:
    """`delay_ms` is a mean; `loss` and `twice` are probabilities of each message."""

    delay_ms: float = 40.0
    loss: float = 0.0
    twice: float = 0.0


class Network:
    def __init__(self, world: World, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self.weather = Weather()
        self.cuts: set[tuple[str, str]] = set()  # device or relay name, relay name
        self.healed: dict[tuple[str, str], int] = {}
        self.down: set[str] = set()  # relays that answer nobody
        self.owners: dict[bytes, Device] = {}  # who reads the mailbox behind a put capability's hash
        self.puts: dict[bytes, int] = {}  # by put capability
        self._appended: dict[tuple[str, int], int] = {}  # by relay and mailbox: how much was put into shared logs
        self._clients: dict[str, Client] = {}

    # --- state --------------------------------------------------------------------------------------------------------

    def joined(self, one: str, other: str) -> bool:
        return (one, other) not in self.cuts and not self.down & {one, other}

    def cut(self, one: str, other: str) -> None:
        self.cuts.add((one, other))

    def heal(self, one: str, other: str) -> None:
        if (one, other) in self.cuts:
            self.cuts.discard((one, other))
            self.healed[one, other] = self.healed.get((one, other), 0) + 1
            self._world.reconnected(one)

    def stop(self, relay: str) -> None:
        """The relay stands still until it is `back`; who was connected to it is not any more."""
        self.down.add(relay)

    def back(self, relay: str) -> None:
        self.down.discard(relay)
        for device in self._world.devices:
            self.healed[device.name, relay] = self.healed.get((device.name, relay), 0) + 1
            self._world.reconnected(device.name)

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, device: Device, to: HostAddress, request: Request, done: Answer) -> None:
        """Ask a relay on the device's behalf. `done` gets None when no answer came."""
        time, rng = self._world.time, self._rng
        relay = self._world.relays[to.key]
        own = self._way(device, relay)
        if rng.random() < self.weather.loss or own is None:
            time.after(rng.randrange(500, TIMEOUT_MS), partial(done, None))
            return
        time.after(self._delay(), partial(self._arrives, device, own, relay, request, done))
        if rng.random() < self.weather.twice:
            time.after(self._delay() * 3, partial(self._arrives, device, own, relay, request, lambda _: None))

    def _way(self, device: Device, relay: Relay) -> Relay | None:
        """The relay that the device asks: an own one or a network itself, any other through the first own one that is
        reachable."""
        owns = self._world.owns(device)
        itself = relay in owns or isinstance(relay.address, OnionHost)
        able = [own for own in ([relay] if itself else owns) if self.joined(device.name, own.name)]
        return able[0] if able else None

    def _arrives(self, device: Device, own: Relay, relay: Relay, request: Request, done: Answer) -> None:
        answer: Response | None
        if relay is own:
            answer = self._ask(relay, device, request)
        elif not self.joined(own.name, relay.name):
            answer = None
        else:
            answer = self._forward(relay, device, request)
        if answer is not None and self._rng.random() < self.weather.loss:
            answer = None
        delay = self._delay() if answer is not None else self._rng.randrange(500, TIMEOUT_MS)
        self._world.time.after(delay, partial(done, answer))

    def _ask(self, relay: Relay, device: Device, request: Request) -> Response | None:
        client = self._clients.setdefault(f"{relay.name}/{relay.life}/{device.name}", Client(LIMITS, relay.now_s))
        if relay.delivered_only and isinstance(request, Put):
            self._delivered_only(relay, request)
            return None
        answer = relay.ask(request, client)
        self._note(relay, device, request, answer)
        return answer

    def _forward(self, relay: Relay, device: Device, request: Request) -> Response | None:
        """The federated hop, with real packets."""
        key: PacketPublic = relay.packet_secret.public
        packet, answer_key = seal_request(key, request, device.entropy)
        client = self._clients.setdefault(f"{relay.name}/{relay.life}/relays", Client(LIMITS, relay.now_s))
        answer = open_answer(answer_key, relay.packet(packet, client))
        self._note(relay, device, request, answer)
        return answer

    def _note(self, relay: Relay, device: Device, request: Request, answer: Response) -> None:
        if isinstance(answer, Refusal):
            return
        if isinstance(request, Create) and request.kind != MailboxKind.SHARED:
            for grant in request.grants:
                if grant.right == Right.PUT:
                    self.owners[grant.capability_hash] = device
        elif isinstance(request, Put) and isinstance(answer, Stored):
            self.puts[request.put] = self.puts.get(request.put, 0) + 1
            owner = self.owners.get(capability_hash(request.put))
            if owner is not None:
                owner.wake(self._delay())
            else:
                self._appended_to(relay, request.put)

    def _appended_to(self, relay: Relay, put: bytes) -> None:
        key = relay.name, relay.mailbox_of(put)
        self._appended[key] = self._appended.get(key, 0) + 1
        for device in self._world.devices:
            if device.running:
                device.wake(self._delay())

    def changes(self, relay: Relay, capability: bytes) -> int:
        """How often something was put into the shared log behind a capability."""
        return self._appended.get((relay.name, relay.mailbox_of(capability)), 0)

    def _delivered_only(self, relay: Relay, put: Put) -> None:
        """The relay hands an envelope to its live reader, who had all before it, and dies before it is durable."""
        owner = self.owners.get(capability_hash(put.put))
        newest, number = relay.numbers(put.put)
        if owner is not None and number and owner.running and self.joined(owner.name, relay.name):
            self._world.pushed(owner, put.put, newest, number, put.envelope)
        self._world.log(f"{relay.name} dies between delivering and storing")
        relay.crash()
        self._world.everybody_wakes()

    def _delay(self) -> int:
        return 1 + int(self._rng.expovariate(1 / self.weather.delay_ms))
