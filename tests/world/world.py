"""The simulated world: devices and relays in one process on virtual time, from a plan, with everything that goes wrong.

The messaging core, the relay's core and all cryptography are the production ones; `driver` makes the agent's decisions,
`network` and `hosts` what lies between. `check` says what must hold afterwards.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque

from roost.crypto import card_keys
from roost.messaging import accounts, devices, inbox, invitations, logs, outbox
from roost.messaging import records as r
from roost.wire.addresses import HostAddress
from roost.wire.links import InvitationKind, RelayLink, parse_invitation
from roost.wire.mailbox import CardData, GetCard, Request, Response

from . import actions, check, group_actions
from .driver import Answer, Crashed, Device
from .group_ledger import GroupLedger
from .hosts import Relay
from .ledger import Ledger
from .network import Network, Weather
from .plan import DAY, HOUR, SECOND, Plan
from .timeline import Timeline

LOG_LINES = 400
EVENTS_PER_DEVICE = 20_000  # beyond that the world does not come to rest
RETRY_MS = 10 * SECOND
TRIES = 200
CALM_DOWN_MS = (
    *(15 * SECOND,) * 4,
    2 * 60 * SECOND,
    12 * 60 * SECOND,
    HOUR,
    2 * HOUR,
    7 * HOUR,
    *(25 * HOUR,) * 3,
    *(8 * DAY,) * 2,
    *(25 * HOUR,) * 4,
)


class Broken(AssertionError):
    """An invariant does not hold. The text says which, the world's log how it came to that."""


class _Entropy:
    """Reproducible bytes: SHAKE-256 over the seed and a counter."""

    def __init__(self, seed: str) -> None:
        self._seed, self._count = seed, 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}/{self._count}".encode()).digest(count)


class World:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.time = Timeline()
        self.rng = random.Random(f"world/{plan.seed}")
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.ledger = Ledger()
        self.group = GroupLedger()
        self.network = Network(self, random.Random(f"network/{plan.seed}"))
        self.relays: dict[bytes, Relay] = {}
        for name in ("heron", "stork")[: 2 if plan.federated else 1]:
            rng, network = random.Random(f"{name}/{plan.seed}"), plan.network and name == "stork"
            relay = Relay(name, self.entropy(name), lambda: self.time.now, rng, network=network)
            self.relays[relay.address.key] = relay
        self.devices: list[Device] = []
        self.people: list[list[Device]] = []
        self._homes: dict[str, Relay] = {}
        self._seconds: dict[str, tuple[Relay, ...]] = {}
        self._salts: dict[bytes, bytes] = {}
        self.backups: dict[object, object] = {}
        self.calm = True
        self._parted: set[tuple[bytes, bytes]] = set()

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Set up, let the plan happen, end all faults, wait, check. Raises Broken."""
        self.set_up()
        self.calm = False
        start = self.time.now
        for action in self.plan.actions:
            self.time.at(start + action.at, lambda action=action: actions.perform(self, action))  # type: ignore[misc]
        end = start + (self.plan.actions[-1].at if self.plan.actions else 0)
        self._run_until(end + SECOND)
        self.calm_down()
        check.everything(self)

    def set_up(self) -> None:
        """People, their contacts and their devices, before anything goes wrong."""
        for index in range(len(self.plan.people)):
            self.person(index)
        self._run_until(self.time.now + 5 * SECOND)
        for one, other in self.plan.friends:
            self.befriend(self.people[one][0], self.people[other][0])
        self._run_until(self.time.now + 60 * SECOND)
        for more in range(1, max(self.plan.people)):
            for person, count in enumerate(self.plan.people):
                if count > more:
                    self.link(self.people[person][0])
            self._run_until(self.time.now + 40 * SECOND)
        self._run_until(self.time.now + 30 * SECOND)
        if self.plan.group:
            group_actions.set_up(self)
            self._sweep()

    def _sweep(self) -> None:
        """Every day relays forget what is old."""
        for relay in self.relays.values():
            relay.sweep()
        self.time.after(DAY, self._sweep)

    def run_for(self, milliseconds: int) -> None:
        self._run_until(self.time.now + milliseconds)

    def calm_down(self) -> None:
        """Faults end; then everybody has all the time they need."""
        self.log("all faults end")
        self.calm = True
        self.network.weather = Weather()
        for relay in self.relays.values():
            relay.lies = None
            relay.set_full()
            relay.crash()
        for name in tuple(self.network.down):
            self.network.back(name)
        for one, other in tuple(self.network.cuts):
            self.network.heal(one, other)
        for device in self.devices:
            device.disk_fails, device.crash_next = 0, ""
        self.everybody_wakes()
        for pause in CALM_DOWN_MS:
            self._run_until(self.time.now + pause)
            if check.at_rest(self):
                return

    def _run_until(self, moment: int) -> None:
        if not self.time.run_until(moment, EVENTS_PER_DEVICE * (len(self.devices) + 1) - self.time.steps):
            raise Broken("the world does not come to rest")

    # --- people and devices -------------------------------------------------------------------------------------------

    def entropy(self, name: str) -> _Entropy:
        return _Entropy(f"{self.plan.seed}/{name}")

    def relay_of(self, device: Device) -> Relay:
        return self._homes[device.name]

    def owns(self, device: Device) -> list[Relay]:
        """The relays that the device has links to, the first one first."""
        return [self._homes[device.name], *self._seconds.get(device.name, ())]

    def _home(self, person: int) -> Relay:
        relays = list(self.relays.values())
        return relays[person % len(relays)]

    def _device(self, person: int) -> Device:
        device = Device(
            self, f"{chr(97 + person % 26)}{person // 26 or ''}{len(self.people[person]) + 1}", len(self.devices)
        )
        self._homes[device.name] = self._home(person)
        self.devices.append(device)
        return device

    def person(self, index: int) -> None:
        self.people.append([])
        device = self._device(index)
        self.people[index].append(device)
        device.person = index
        relay = RelayLink(self._home(index).address)
        device.step(accounts.create, f"P{index}", relay, f"{device.name}'s", None)
        self._second_relay(device)
        device.wake()

    def _second_relay(self, device: Device) -> None:
        """Some people keep mailboxes at another relay, too, for what the first does not take."""
        others = [relay for relay in self.relays.values() if relay is not self._homes[device.name]]
        if self.plan.fallbacks and others and device.person % 2 == 0:
            link = RelayLink(others[0].address)
            self._seconds[device.name] = (others[0],)
            device.step(lambda work: work.put(r.OwnRelay(link.address.key, link, 2)))

    def person_of(self, device: Device) -> list[Device]:
        return self.people[device.person]

    def befriend(self, inviter: Device, adder: Device) -> None:
        """One invites, the other follows the link as soon as that works; the first accepts when asked."""
        row = inviter.step(invitations.make, InvitationKind.ONE_TIME)
        inviter.wake()

        def add(card: object) -> None:
            adder.step(invitations.request_contact, card, "hello")
            adder.wake()

        self._follow(adder, row.link, add, TRIES)

    def link(self, old: Device) -> None:
        """A new device of the old one's person."""
        person = old.person
        new = self._device(person)
        new.person = person
        row = new.step(accounts.create_waiting, RelayLink(self._home(person).address), new.name)
        self._second_relay(new)
        self.people[person].append(new)
        new.wake()

        def confirm(card: object) -> None:
            old.step(lambda work: devices.confirm(work, card, accounts.account_key(work.me, None)))  # type: ignore[arg-type]
            old.wake()

        self._follow(old, row.link, confirm, TRIES)

    def _follow(self, device: Device, link: str, then: object, tries: int) -> None:
        """Fetch the card behind a link and go on with it; again later while that does not work."""
        invitation = parse_invitation(link)

        def again() -> None:
            if tries:
                self._follow(device, link, then, tries - 1)

        def done(answer: Response | None) -> None:
            if isinstance(answer, CardData):
                device.guarded(lambda: then(invitations.open_invitation(device.look(), invitation, answer.card)))  # type: ignore[operator]
            else:
                self.time.after(RETRY_MS, again)

        self.network.call(device, invitation.relay, GetCard(card_keys(invitation.secret).locator), done)

    # --- what devices ask ---------------------------------------------------------------------------------------------

    def call(self, device: Device, to: HostAddress, request: Request, done: Answer) -> None:
        self.network.call(device, to, request, done)

    def reachable(self, device: Device) -> bool:
        return any(self.network.joined(device.name, own.name) for own in self.owns(device))

    def connection(self, device: Device, relay: bytes) -> object:
        """Another one for every connection that the device ever had to the relay."""
        host = self.relays[relay]
        return host.life, self.network.healed.get((device.name, host.name), 0), device.life

    def reconnected(self, name: str) -> None:
        for device in self.devices:
            if device.name == name and device.running:
                for hurry in (outbox.hurry_all, logs.hurry):
                    device.guarded(device.step, hurry, ("unreachable", "timeout"))
                device.wake()

    def everybody_wakes(self) -> None:
        for device in self.devices:
            if device.running:
                device.wake(self.rng.randrange(1, 2_000))

    def pushed(self, device: Device, capability: bytes, newest: int, number: int, envelope: bytes) -> None:
        """An envelope that reached its reader, who had all up to `newest`, although its host never stored it."""
        for row in device.look().find(r.OwnMailbox):
            if row.put == capability and row.cursor >= newest:
                device.guarded(device.step, inbox.receive, row, number, envelope)

    def leaves(self, device: Device, envelope: bytes) -> None:
        """An envelope is about to leave a device: its salt must be its own, or a key was used twice."""
        held = self._salts.setdefault(envelope[:16], envelope)
        if held != envelope:
            raise Broken(f"{device.name} used one salt for two envelopes")

    # --- what is told -------------------------------------------------------------------------------------------------

    def told(self, device: Device, event: r.Event) -> None:
        device.told.append(event.kind)
        if event.kind == "message":
            self.ledger.shown(device, event.subject)
        elif event.kind == "group":
            self.group.told(device, event, self.time.now)
        if event.kind not in ("typing", "receipt"):
            self.log(f"{device.name}: {event.kind} {event.subject[:4].hex()} {event.detail}")

    def log(self, line: str) -> None:
        self.lines.append(f"{(self.time.now - 1_790_000_000_000) / 1000:12.3f}s {line}")

    def name_of(self, account: bytes) -> str:
        return next((device.name[:-1] for device in self.devices if device.look().me.account == account), "?")

    def part(self, device: Device, account: bytes) -> None:
        """A person ends a contact: what was said between the two may be gone on both sides."""
        mine = device.look().me.account
        self._parted |= {(mine, account), (account, mine)}

    def parted(self, device: Device, account: bytes) -> bool:
        return (device.look().me.account, account) in self._parted

    def device_backups(self) -> list[tuple[int, tuple[object, object, object]]]:
        return [(key, value) for key, value in self.backups.items() if isinstance(key, int)]  # type: ignore[misc]


__all__ = ["Broken", "Crashed", "World"]
