"""An onion node's packet keys: one for each period, and which packets were opened with it already.

Keys are made for the period that runs and those that follow, since the directory announces them ahead. A key opens
packets until the end of the period after its own, then it is erased: what it has opened can never be opened again, and
its list of packets goes with it. Before its period it opens none, but for as long as clocks may differ. Decides what
becomes of a packet and by which name it is dropped; senders learn neither.

What is remembered is bounded by how fast a node opens packets, never by refusing some: whoever could fill a list would
switch the node off for all. At most `remembered` tags are held, since those of the last `_held_s` seconds are, and in
any such time no more are made: a quarter of them may be at once, and the rest at one pace. Of a period of an hour that
is 3,077 packets a second and 8,000,000 beyond, more than a core can open; of the longest, 6 hours, 548 a second.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from roost.crypto import Entropy, PacketSecret
from roost.crypto.onion import DroppedPacket, Forwarded, Unwrapped, unwrap
from roost.relay.core.limits import TokenBucket
from roost.relay.core.packets import TagSet
from roost.wire.onion import KEYS_AHEAD, PeriodKey

CLOCKS_S = 600  # how much before its period a key opens packets: clocks differ
MAX_DELAY_MS = 120_000  # hops are asked for a second or so; a packet that wants to stay for long only fills memory
TAG_SIZE = 8  # of what is kept of a packet


class Dropped(enum.StrEnum):
    """Why a packet went no further, beside what crypto.onion finds. Names of metrics, told to nobody."""

    NO_KEY = "no_key"  # sealed to a key that is erased or not made yet
    REPLAYED = "replayed"
    EARLY = "early"  # sealed to a key whose time has not come
    NO_ROOM = "no_room"  # the disk has no room to remember one more
    SELF_LOOP = "self_loop"  # from this node to itself
    DELAY = "delay"  # asks to be kept longer than any packet is
    CROWDED = "crowded"  # no room left for this source's packets
    NO_NODE = "no_node"  # the next node is not in the consensus
    NODE_DOWN = "node_down"  # the next node did not take it in time
    NO_CLIENT = "no_client"  # no link is attached to the token
    CLIENT_SLOW = "client_slow"  # the client does not take what it is sent
    NO_SESSION = "no_session"  # a payload that says nothing a session could use


class Refused(Exception):
    """The packet is dropped for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(NamedTuple):
    """Who sends packets: a client's token, another node, or this one. `weight`: its turns where others send too."""

    name: bytes
    weight: int = 1


NODE_WEIGHT = 16  # a node carries what many send


@dataclass(frozen=True, slots=True)
class NodeKey:
    """The packet key of one period and the packets that it opened."""

    period: int
    secret: PacketSecret
    tags: TagSet


class NodeKeys:
    """The keys in force. `own` is the node's identity key, `remember` makes a tag durable (period, tag) and returns
    whether it could."""

    def __init__(self, own: bytes, keys: Iterable[NodeKey], remember: Callable[[int, int], bool]) -> None:
        self._own = own
        self._remember = remember
        self._keys = {key.period: key for key in keys}

    def due(self, period: int) -> list[int]:
        """The periods whose keys must be made now."""
        return [number for number in range(period, period + KEYS_AHEAD) if number not in self._keys]

    def add(self, key: NodeKey) -> None:
        self._keys[key.period] = key

    def retire(self, period: int) -> list[int]:
        """Forget keys whose time is over; their periods, so that they are erased everywhere."""
        over = [number for number in self._keys if is_over(number, period)]
        for number in over:
            del self._keys[number]
        return over

    def public(self, period: int) -> tuple[PeriodKey, ...]:
        """What the node's descriptor of this period says."""
        ahead = range(period, period + KEYS_AHEAD)
        return tuple(PeriodKey(number, self._keys[number].secret.public.raw) for number in ahead)

    @property
    def remembered(self) -> int:
        """How many packets were opened with the keys in force."""
        return sum(len(key.tags) for key in self._keys.values())

    def open(self, packet: bytes, newest: int, entropy: Entropy) -> Unwrapped:
        """What becomes of a packet, each once; `newest` is the last period whose key may be in use. Raises Refused."""
        key = next((key for key in self._keys.values() if key.period & 0xFF == packet[0]), None)
        if key is None:
            raise Refused(Dropped.NO_KEY)
        if key.period > newest:
            raise Refused(Dropped.EARLY)
        try:
            opened = unwrap(key.secret, packet, entropy)
        except DroppedPacket as error:
            raise Refused(error.reason) from error
        tag = int.from_bytes(opened.tag[:TAG_SIZE], "big")
        if not key.tags.add(tag):
            raise Refused(Dropped.REPLAYED)
        if not self._remember(key.period, tag):
            raise Refused(Dropped.NO_ROOM)
        if opened.delay_ms > MAX_DELAY_MS:
            raise Refused(Dropped.DELAY)
        if isinstance(opened.outcome, Forwarded) and opened.outcome.node == self._own:
            raise Refused(Dropped.SELF_LOOP)
        return opened


def newest_key(now: float, period_s: int) -> int:
    """The last period whose key may be in use."""
    return int(now + min(CLOCKS_S, period_s)) // period_s


def pace(remembered: int, period_s: int, now: float) -> TokenBucket:
    """How fast a node may open packets, so that it never has more than `remembered` to remember."""
    burst = remembered / 4
    return TokenBucket((remembered - burst) / _held_s(period_s), burst, now)


def _held_s(period_s: int) -> float:
    """From when on a key opens packets until it is erased."""
    return min(CLOCKS_S, period_s) + 2 * period_s


def is_over(key: int, period: int) -> bool:
    """Whether the key of one period is of no use any more in another."""
    return key + 1 < period
