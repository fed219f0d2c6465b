"""The secret tree and the sender ratchets: one key for every message (RFC 9420 section 9).

An immutable value: taking a key gives a tree without that key and without whatever it was derived from, so a caller who
drops the old tree keeps nothing that was consumed (9.2), and one whose message did not authenticate keeps the old tree.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Final

from roost.crypto.mls import tree_math
from roost.crypto.mls.errors import MlsMisuse, NotForThisClient, Replayed, TooFarAhead
from roost.crypto.mls.hpke import NONCE_SIZE
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.secret import Secret

# How far a sender's ratchet is moved for one message, and how many keys of missing messages are kept for a sender
# (section 15.3). Mailboxes keep an order, so gaps are rare; a sender of thousands of messages changes the epoch anyway.
MAX_STEPS: Final = 1_000
MAX_KEPT: Final = 1_000
MAX_GENERATION: Final = 0xFFFF_FFFF

MessageKey = tuple[bytes, bytes]  # key, nonce


class RatchetKind(enum.Enum):
    HANDSHAKE = b"handshake"
    APPLICATION = b"application"


@dataclass(frozen=True, slots=True, repr=False)
class Ratchet(Secret):
    """One sender's keys of one kind: the secret of `generation`, and the keys of earlier ones not seen yet."""

    secret: bytes
    generation: int = 0
    kept: dict[int, MessageKey] = field(default_factory=dict)

    def step(self, suite: CipherSuite) -> tuple[Ratchet, MessageKey]:
        """(ratchet one generation on, key of this generation)."""
        here = self.generation
        key = suite.derive_tree(self.secret, b"key", here, suite.aead.key_size)
        nonce = suite.derive_tree(self.secret, b"nonce", here, NONCE_SIZE)
        secret = suite.derive_tree(self.secret, b"secret", here, suite.hash_size)
        return Ratchet(secret, here + 1, self.kept), (key, nonce)

    def take(self, suite: CipherSuite, generation: int) -> tuple[Ratchet, MessageKey]:
        """(ratchet without that key, key). Raises Replayed or TooFarAhead."""
        if generation < self.generation:
            if generation not in self.kept:
                raise Replayed("a message's key was used already")
            kept = dict(self.kept)
            key = kept.pop(generation)
            return replace(self, kept=kept), key
        if generation - self.generation > MAX_STEPS:
            raise TooFarAhead("a message is too far ahead of its sender's others")
        ratchet = replace(self, kept=dict(self.kept)) if generation > self.generation else self
        while ratchet.generation < generation:
            missed = ratchet.generation
            ratchet, skipped = ratchet.step(suite)
            ratchet.kept[missed] = skipped
        while len(ratchet.kept) > MAX_KEPT:
            del ratchet.kept[min(ratchet.kept)]
        return ratchet.step(suite)


@dataclass(frozen=True, repr=False)
class SecretTree(Secret):
    """The secrets of subtrees that were not opened yet, and the ratchets of the leaves that were."""

    suite: CipherSuite
    leaves: int
    secrets: dict[int, bytes]
    ratchets: dict[tuple[int, RatchetKind], Ratchet]

    @classmethod
    def begin(cls, suite: CipherSuite, encryption_secret: bytes, leaves: int) -> SecretTree:
        """The tree of a new epoch, for a ratchet tree of `leaves` leaves (a power of two)."""
        return cls(suite, leaves, {tree_math.root(leaves): encryption_secret}, {})

    def take(self, leaf: int, kind: RatchetKind, generation: int) -> tuple[SecretTree, MessageKey]:
        """(tree without that key, the key for a received message). Raises Replayed, TooFarAhead, NotForThisClient."""
        tree = self._opened(leaf)
        ratchet, key = tree.ratchets[leaf, kind].take(self.suite, generation)
        return tree._with(leaf, kind, ratchet), key

    def next(self, leaf: int, kind: RatchetKind) -> tuple[SecretTree, int, MessageKey]:
        """(tree, generation, key) for the next message that `leaf` sends."""
        tree = self._opened(leaf)
        ratchet = tree.ratchets[leaf, kind]
        if ratchet.generation > MAX_GENERATION:
            raise MlsMisuse("this epoch's keys are used up")
        moved, key = ratchet.step(self.suite)
        return tree._with(leaf, kind, moved), ratchet.generation, key

    def _with(self, leaf: int, kind: RatchetKind, ratchet: Ratchet) -> SecretTree:
        return SecretTree(self.suite, self.leaves, self.secrets, {**self.ratchets, (leaf, kind): ratchet})

    def _opened(self, leaf: int) -> SecretTree:
        """A tree that has the leaf's ratchets, without the secrets on the way there."""
        if (leaf, RatchetKind.APPLICATION) in self.ratchets:
            return self
        if leaf >= self.leaves:
            raise NotForThisClient("a message names a leaf outside the tree")
        suite, secrets, target = self.suite, dict(self.secrets), 2 * leaf
        path = [target, *tree_math.direct_path(target, self.leaves)]
        node = next(node for node in path if node in secrets)
        while node != target:
            secret, lower = secrets.pop(node), (tree_math.left(node), tree_math.right(node))
            for child, side in zip(lower, (b"left", b"right"), strict=True):
                secrets[child] = suite.expand(secret, b"tree", side, suite.hash_size)
            node = next(child for child in lower if tree_math.is_under(target, child))
        secret = secrets.pop(target)
        started = {
            (leaf, kind): Ratchet(suite.expand(secret, kind.value, b"", suite.hash_size)) for kind in RatchetKind
        }
        return SecretTree(suite, self.leaves, secrets, {**self.ratchets, **started})
