"""Receiving chains and their skipped message keys (Double Ratchet sections 2.6 and 4).

A chain answers with a message key and the chain as it will be *if* the message proves authentic: nothing here changes
in place, so hostile bytes leave no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from roost.crypto.envelope import MAX_INDEX, HandshakeHeader, Header
from roost.crypto.kdf import advance
from roost.crypto.secret import Secret
from roost.errors import CryptoError

MAX_SKIP: Final = 1_000  # message keys made by one jump: about 1 ms of work for a hostile index
MAX_SKIPPED: Final = 2_000  # message keys kept per session: 72 KB
MAX_CHAINS: Final = 32  # chains with skipped keys; each costs one header trial for an envelope that fits none
KEPT_CHAINS: Final = 4  # ended chains whose header key is kept although nothing is missing: tells replays
ENDED: Final = b""

NO_KEYS: Final[Mapping[int, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ReceivingChain(Secret):
    """One chain of the peer's messages: how its headers open, its next key and index, and the keys skipped so far.

    `key` is ENDED (empty) once a later chain began and only skipped keys remain.
    """

    header: Header
    key: bytes
    index: int
    skipped: Mapping[int, bytes]

    def message_key(self, index: int) -> tuple[bytes, ReceivingChain]:
        """The key of message `index` and this chain without it.

        Raises:
            CryptoError: "replayed" when the key was used or dropped, "too_far_ahead" beyond MAX_SKIP.
        """
        if index < self.index or not self.key:
            return self._take_skipped(index)
        if index >= MAX_INDEX:
            raise CryptoError("a chain has no such message", code="too_far_ahead")
        ahead = self.skip_to(index)
        key, message_key = advance(ahead.key)
        return message_key, ReceivingChain(self.header, key, index + 1, ahead.skipped)

    def skip_to(self, index: int) -> ReceivingChain:
        """This chain with the keys up to `index` set aside. Raises CryptoError "too_far_ahead"."""
        if index <= self.index:
            return self
        if index - self.index > MAX_SKIP:
            raise CryptoError("too many messages are missing before this one", code="too_far_ahead")
        skipped, key = dict(self.skipped), self.key
        for number in range(self.index, index):
            key, skipped[number] = advance(key)
        return ReceivingChain(self.header, key, index, skipped)

    def ended_at(self, index: int) -> ReceivingChain:
        """This chain after the peer began another and said that this one holds `index` messages.

        Two departures from the specification, lest one odd number end a session: a smaller `index` than received is
        ignored (a peer restored from an older copy counts so), and of more than MAX_SKIP the rest is given up.
        """
        ahead = self.skip_to(min(index, self.index + MAX_SKIP))
        return ReceivingChain(self.header, ENDED, ahead.index, ahead.skipped)

    def _take_skipped(self, index: int) -> tuple[bytes, ReceivingChain]:
        message_key = self.skipped.get(index)
        if message_key is None:
            raise CryptoError("this envelope was opened before", code="replayed")
        rest = {number: key for number, key in self.skipped.items() if number != index}
        return message_key, ReceivingChain(self.header, self.key, self.index, rest or NO_KEYS)


def retained(chains: tuple[ReceivingChain, ...]) -> tuple[ReceivingChain, ...]:
    """`chains`, oldest first, within this module's limits: the oldest skipped keys and chains go first.

    The handshake's chain always stays, without its keys if need be: a handshake envelope that comes again must be
    known as this session's, or it would begin a second one.
    """
    excess = sum(len(chain.skipped) for chain in chains) - MAX_SKIPPED
    if excess > 0:
        chains = tuple(_without_oldest(chains, excess))
    if len(chains) <= KEPT_CHAINS + 1:
        return chains
    old, newest = chains[: -KEPT_CHAINS - 1], chains[-KEPT_CHAINS - 1 :]
    kept = [chain for chain in old if chain.skipped or isinstance(chain.header, HandshakeHeader)]
    surplus = len(kept) + len(newest) - MAX_CHAINS
    if surplus > 0:
        first = kept[:1] if isinstance(kept[0].header, HandshakeHeader) else []
        kept = first + kept[surplus + len(first) :]
    return (*kept, *newest)


def _without_oldest(chains: tuple[ReceivingChain, ...], excess: int) -> list[ReceivingChain]:
    result = []
    for chain in chains:
        drop = min(excess, len(chain.skipped))
        if drop:
            excess -= drop
            rest = dict(sorted(chain.skipped.items())[drop:])
            chain = ReceivingChain(chain.header, chain.key, chain.index, rest or NO_KEYS)
        result.append(chain)
    return result
