"""A simulated relay: the production rules and packets over the memory engine, and the lies that a relay may tell.

Two relays federate with real packets. A crash forgets everything but the engine; a restored backup is an older engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property

from roost.crypto import AnswerKey, Entropy, PacketPublic, PacketSecret, capability_hash, max_request, seal_packet
from roost.relay.core.admission import Client
from roost.relay.core.limits import Limits
from roost.relay.core.operations import FREEING, ChangeGrantRows, CreateMailbox, Freed, MailboxRow, Operation
from roost.relay.core.packets import PacketKeys, TagSet, WeeklyKey, allowed
from roost.relay.storage import memory
from roost.relay.storage.engine import StorageFull
from roost.wire.addresses import HostAddress, OnionHost, RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.mailbox import Entries, Entry, Get, Refusal, RefusalCode, Request, Response
from roost.wire.sizes import ENVELOPE_SIZE, PACKET_LARGE, PACKET_SMALL
from tests.relay.relay_core import CoreRelay

LIMITS = Limits(
    work_bits=2,
    creates_per_minute=1e9,
    create_burst=1e9,
    requests_per_second=1e9,
    request_burst=1e9,
    forwards_per_second=1e9,
    forward_burst=1e9,
)
FULL_MAILBOX = 3  # envelopes that a mailbox takes while it counts as full


class Engine(memory.MemoryEngine):
    """The memory engine without the copy before each batch; nothing in a batch fails but for a full disk."""

    full = False
    clock: Callable[[], int]

    def __init__(self) -> None:
        super().__init__()
        self._owners: dict[bytes, int] = {}  # mailboxes by the hashes of their capabilities

    def begin_run(self, at_least: int = 0) -> int:
        return super().begin_run(max(at_least, self.clock() // 1000))

    def apply(self, batch: Sequence[Operation]) -> Freed:
        if self.full and any(not isinstance(operation, FREEING) for operation in batch):
            raise StorageFull("the disk is full")
        self._freed = Freed()
        for operation in batch:
            memory._APPLY[type(operation)](self, operation)
            if isinstance(operation, CreateMailbox):
                self._owners |= {grant.hash: operation.mailbox for grant in operation.grants}
            elif isinstance(operation, ChangeGrantRows):
                self._owners |= {grant.hash: operation.mailbox for grant in operation.add}
        return self._freed

    def mailboxes(self, capability_hashes: Sequence[bytes]) -> list[MailboxRow]:
        """Without looking at every mailbox there is."""
        found = {self._owners[hash_] for hash_ in capability_hashes if hash_ in self._owners}
        return [row for row in map(self.mailbox, sorted(found)) if row is not None]

    def number_of(self, hash_: bytes) -> int:
        number = self._owners.get(hash_, 0)
        return number if number in self._state.boxes else 0

    def backup(self) -> object:
        return deepcopy(self._state)

    def restore(self, backup: object) -> None:
        self._state = deepcopy(backup)  # type: ignore[assignment]
        self._owners = {hash_: number for number, box in self._state.boxes.items() for hash_ in box.grants}


@dataclass
class Lies:
    """What a dishonest relay does with the envelopes that it is asked for, each with this probability."""

    replay: float = 0.0
    shuffle: float = 0.0
    withhold: float = 0.0
    forge: float = 0.0
    damage: float = 0.0
    forget: float = 0.0


class Relay:
    """One relay, or an onion network as its clients see it: as one host. `clock` gives milliseconds; `woken` is called
    with the mailbox whose readers should look."""

    def __init__(
        self, name: str, entropy: Entropy, clock: Callable[[], int], rng: random.Random, *, network: bool = False
    ) -> None:
        self.name, self._entropy, self._clock, self._rng = name, entropy, clock, rng
        relay = RelayAddress(f"{name}.example", 443, entropy.bytes(32))
        self.address: HostAddress = OnionHost(relay.key, (relay,)) if network else relay
        self.engine = Engine()
        self.engine.clock = clock
        self.lies: Lies | None = None
        self.delivered_only = False  # the next envelope is delivered, and the relay dies before it is durable
        self.life = 0
        self.served: dict[bytes, int] = {}  # up to where the reader of a mailbox was given everything
        self._replays: list[Entry] = []
        self._limits = LIMITS
        self.crash()

    # --- life ---------------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """All that is not in the engine is gone, every connection too."""
        self.life += 1
        self.delivered_only = False
        self._core = CoreRelay(self.engine, self._limits, now=self.now_s)

    def set_full(self, *, mailboxes: bool = False, disk: bool = False) -> None:
        room = {"mailbox_envelopes": FULL_MAILBOX, "shared_envelopes": FULL_MAILBOX} if mailboxes else {}
        self._limits = replace(LIMITS, **room)
        self._core.desk.limits = self._limits
        self.engine.full = disk

    def restore(self, backup: object) -> None:
        self.engine.restore(backup)
        self.crash()

    @property
    def now_s(self) -> float:
        return self._clock() / 1000

    # --- requests -----------------------------------------------------------------------------------------------------

    def ask(self, request: Request, client: Client) -> Response:
        """The answer; everything crosses the wire's encoding."""
        self._core.now = self.now_s
        answer = self._core.ask(request, client)
        self._core.delivered.clear()
        if isinstance(answer, Entries) and isinstance(request, Get):
            self.served[request.get] = answer.entries[-1].number if answer.entries else request.after
            return self._told(answer)
        return answer

    def numbers(self, put: bytes) -> tuple[int, int]:
        """Of the mailbox behind a put capability the newest entry's number, and the one that the next would get; zeros:
        no such mailbox."""
        mailbox = self._core.desk.shelf.mailbox(capability_hash(put))
        return (mailbox.end, mailbox.top + 1) if mailbox is not None else (0, 0)

    def mailbox_of(self, capability: bytes) -> int:
        """The number of the mailbox that a capability is for; 0: none."""
        return self.engine.number_of(capability_hash(capability))

    def sweep(self) -> None:
        """Forget what is old."""
        self._core.now = self.now_s
        self._core.sweep()

    # --- lies ---------------------------------------------------------------------------------------------------------

    def _told(self, answer: Entries) -> Entries:
        if self.lies is None:
            self._replays = [*self._replays[-15:], *answer.entries[-4:]]
            return answer
        lies, rng = self.lies, self._rng
        entries = [entry for entry in answer.entries if rng.random() >= lies.withhold]
        entries = [self._damaged(entry) if rng.random() < lies.damage else entry for entry in entries]
        if self._replays and rng.random() < lies.replay:
            old = rng.choice(self._replays)
            number = rng.choice((old.number, entries[-1].number if entries else old.number))
            entries.append(Entry(number, old.envelope))
        if rng.random() < lies.forge:
            number = rng.choice((1, (entries[-1].number if entries else 1) + rng.randrange(3), 2**52))
            entries.insert(rng.randrange(len(entries) + 1), Entry(number, rng.randbytes(ENVELOPE_SIZE)))
        if rng.random() < lies.shuffle:
            rng.shuffle(entries)
        return Entries(tuple(entries[:24]), answer.more)

    def _damaged(self, entry: Entry) -> Entry:
        at = self._rng.randrange(ENVELOPE_SIZE)
        envelope = bytearray(entry.envelope)
        envelope[at] ^= 1 << self._rng.randrange(8)
        return Entry(entry.number, bytes(envelope))

    def forget_some(self, share: float) -> None:
        """Lose stored envelopes, and whatever was known about them."""
        for box in self.engine._state.boxes.values():
            for number in [number for number in box.entries if self._rng.random() < share]:
                del box.entries[number]
        self.crash()

    # --- federation ---------------------------------------------------------------------------------------------------

    @cached_property
    def packet_secret(self) -> PacketSecret:
        return PacketSecret.generate(self._entropy)

    def packet(self, packet: bytes, client: Client) -> bytes:
        """The sealed answer to a packet, from the key that never changes here: that is relay.server's business."""
        keys = PacketKeys([WeeklyKey(int(self.now_s) // (7 * 86_400), self.packet_secret, TagSet())])
        opened = keys.opened(packet, self.now_s)
        if allowed(opened.request):
            answer = self.ask(opened.request, client.stranger())
        else:
            answer = Refusal(RefusalCode.UNSUPPORTED)
        return opened.seal(answer)


def seal_request(to: PacketPublic, request: Request, entropy: Entropy) -> tuple[bytes, AnswerKey]:
    body = encode(request)
    return seal_packet(to, body, PACKET_SMALL if len(body) <= max_request(PACKET_SMALL) else PACKET_LARGE, entropy)


def open_answer(key: AnswerKey, sealed: bytes) -> Response:
    return decode(Response, key.open(sealed))  # type: ignore[arg-type]
