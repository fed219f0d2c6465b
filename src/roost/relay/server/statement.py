"""What the relay says of itself, signed (wire.mailbox.RelayInfo), and its weekly packet keys on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from roost.crypto import Entropy, Label, PacketSecret, SigningKey
from roost.relay.core.limits import Limits
from roost.relay.core.packets import GRACE_S, WEEK_S, PacketKeys, TagSet, WeeklyKey
from roost.relay.files import DataDirectory
from roost.wire.codec import encode
from roost.wire.mailbox import PROTOCOL_VERSION, RelayInfo, SignedInfo

_HOUR_S = 3_600


class Statement:
    """The signed statement in force; `renew` when one of its parts changed."""

    def __init__(
        self, identity: SigningKey, packets: PacketKeys, *, open_to_all: bool, limits: Limits, software: str
    ) -> None:
        self._identity = identity
        self._packets = packets
        self._open = open_to_all
        self._limits = limits
        self._software = software
        self._signed: SignedInfo | None = None

    def renew(self, tls_key_hash: bytes, now: float) -> None:
        info = RelayInfo(
            PROTOCOL_VERSION,
            self._identity.public.raw,
            tls_key_hash,
            self._packets.public(now),
            int(now) // _HOUR_S * _HOUR_S,
            self._open,
            self._limits.envelope_days,
            self._software,
        )
        encoded = encode(info)
        self._signed = SignedInfo(encoded, self._identity.sign(Label.RELAY_INFO, encoded))

    def __call__(self) -> SignedInfo:
        assert self._signed is not None, "renew() comes first"
        return self._signed


def load_packet_keys(directory: DataDirectory, tags: Iterable[tuple[int, int]], now: float) -> PacketKeys:
    """The keys on disk whose time is not over, with the packets that were opened with them. Others are erased."""
    remembered: dict[int, list[int]] = {}
    for period, tag in tags:
        remembered.setdefault(period, []).append(tag)
    keys = []
    for period, secret in directory.packet_secrets():
        if (period + 1) * WEEK_S + GRACE_S <= now:
            directory.erase_packet_secret(period)
        else:
            keys.append(WeeklyKey(period, secret, TagSet(remembered.get(period, ()))))
    return PacketKeys(keys)


def rotate_packet_keys(
    directory: DataDirectory, keys: PacketKeys, entropy: Entropy, now: float, forget: Callable[[int], None]
) -> bool:
    """Make the key that is due and erase those whose time is over. True if the statement must be renewed."""
    for period in keys.retire(now):
        directory.erase_packet_secret(period)
        forget(period)
    due = keys.due(now)
    if due is None:
        return False
    secret = PacketSecret.generate(entropy)
    directory.keep_packet_secret(due, secret)
    keys.add(WeeklyKey(due, secret, TagSet()))
    return True
