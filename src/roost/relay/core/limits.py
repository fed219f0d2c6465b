"""The relay's limits, each with its reason, and the token bucket that paces one connection."""

from __future__ import annotations

from dataclasses import dataclass

from roost.wire.mailbox import MailboxKind
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

ROW_COST = 512  # what an entry, a card or a mailbox costs on disk beside its bytes, generously
ENTRY_COST = ENVELOPE_SIZE + ROW_COST
BLOB_COST = BLOB_SIZE + ROW_COST
DAY_S = 86_400
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set. Counts are per mailbox unless named otherwise."""

    envelope_days: int = 30  # how long an unread envelope waits
    mailbox_envelopes: int = 10_000  # 40 MiB; months of one contact's messages
    shared_envelopes: int = 50_000  # 220 MiB; a month of a group or channel with 1,500 messages and changes a day
    mailbox_blob_bytes: int = 5 * 1024**3  # two files of the largest size, padded, and the reserve
    total_bytes: int = 20 * 1024**3  # of the whole relay
    reserve_sixteenths: int = 1  # of each quota, for administrators' puts only
    request_slots: int = 16  # knocks waiting at one invitation
    work_bits: int = 16  # of the first knock: about 0.1 s
    work_bits_max: int = 28  # beyond that nobody would wait
    mailbox_idle_days: int = 180  # a mailbox that nobody reads is deleted; one in use never expires
    hold_days: int = 1  # how long blobs wait for the envelope that needs them
    card_days: int = 400  # the longest life of a card
    mailbox_grants: int = 1_024  # of one that is not shared; a person's contacts have a mailbox each
    shared_grants: int = 8_192  # writing devices of a group: 1,000 people with several each; 2 MB while it is in memory
    requests_per_second: float = 2_000.0  # per connection
    request_burst: float = 8_000.0
    creates_per_minute: float = 30.0  # per connection, on an open relay
    create_burst: float = 120.0
    forwards_per_second: float = 200.0  # per connection, and per destination
    forward_burst: float = 1_000.0
    places_per_second: float = 50.0  # of which a node of an onion network knows nothing, for all clients
    place_burst: float = 1_000.0
    packets_per_second: float = 300.0  # of one client's token at a node of an onion network: 2.4 MB/s
    packet_burst: float = 3_000.0
    remembered_packets: int = 32_000_000  # at such a node, 8 bytes each in memory and on disk; see onion_packets
    outstanding: int = 512  # requests of one connection in work at one time
    subscriptions: int = 4_096  # of one connection: contacts and groups of several profiles

    def grants(self, kind: MailboxKind) -> int:
        """How many capabilities a mailbox of this kind may have."""
        return self.shared_grants if kind == MailboxKind.SHARED else self.mailbox_grants

    def envelopes(self, kind: MailboxKind) -> int:
        """How many entries a mailbox of this kind may have."""
        return self.shared_envelopes if kind == MailboxKind.SHARED else self.mailbox_envelopes

    def reserved(self, quota: int) -> int:
        """The part of `quota` that only an administrator's puts may use."""
        return quota * self.reserve_sixteenths // 16


class TokenBucket:
    """Lets `burst` units pass at once and `rate` a second in the long run."""

    __slots__ = ("_burst", "_level", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._seen = now

    def has(self, cost: float) -> bool:
        """Whether `take` would surely give 0; it may even if this is False."""
        return self._level >= cost

    def full(self, now: float) -> bool:
        """Whether it is as if nothing had ever been taken."""
        return self._level + max(0.0, now - self._seen) * self._rate >= self._burst

    def take(self, cost: float, now: float) -> int:
        """0 when `cost` units were taken, else the milliseconds after which it is worth trying again."""
        level = min(self._burst, self._level + max(0.0, now - self._seen) * self._rate)
        self._seen = now
        self._level = level
        if level >= cost:
            self._level = level - cost
            return 0
        return max(1, round((cost - level) / self._rate * 1_000))
