"""A group with all its members in one process, and a host that puts their commits in order."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import shake_256

from roost.crypto.mls import (
    MLS_128_X25519,
    Add,
    ApplicationReceived,
    CipherSuite,
    CommitOptions,
    CommitReceived,
    Credential,
    Extension,
    Group,
    KeyPackageSecrets,
    Lifetime,
    Proposal,
    ProposalReceived,
    Psks,
    make_key_package,
)
from roost.crypto.mls.leaf import Capabilities

NOW = 1_800_000_000
KNOWN_EXTENSION = 0xF001
GROUP_ID = b"the group's id"


class SeededEntropy:
    """The same bytes every time (ML-KEM's encapsulation aside)."""

    def __init__(self, seed: bytes = b"") -> None:
        self._seed, self._count = seed, 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        return shake_256(self._seed + self._count.to_bytes(8)).digest(count)


def client(
    name: str, entropy: SeededEntropy, suite: CipherSuite = MLS_128_X25519, lifetime: Lifetime | None = None
) -> KeyPackageSecrets:
    """A client with a fresh key package."""
    return make_key_package(
        suite,
        Credential.basic(name.encode()),
        suite.scheme.generate(entropy),
        lifetime or Lifetime(NOW - 60, NOW + 86_400),
        entropy,
        capabilities=Capabilities(extensions=(KNOWN_EXTENSION,)),
    )


class World:
    """`groups` by name are the members' states; `gone` those of former members, as they were when they went."""

    def __init__(self, seed: bytes = b"", suite: CipherSuite = MLS_128_X25519) -> None:
        self.entropy, self.suite = SeededEntropy(seed), suite
        self.groups = {"0": Group.create(client("0", self.entropy, suite), GROUP_ID, self.entropy)}
        self.gone: list[Group] = []
        self.named = 1
        self.psks = Psks({b"psk": b"known to all"})

    @classmethod
    def of(cls, count: int, seed: bytes = b"", suite: CipherSuite = MLS_128_X25519) -> World:
        world = cls(seed, suite)
        if count > 1:
            world.add("0", count - 1)
        return world

    def newcomer(self) -> tuple[str, KeyPackageSecrets]:
        name = str(self.named)
        self.named += 1
        return name, client(name, self.entropy, self.suite)

    def add(self, author: str, count: int = 1) -> list[str]:
        """`author` adds newcomers, who join."""
        new = [self.newcomer() for _ in range(count)]
        welcome = self.commit(author, [Add(secrets.package) for _, secrets in new])
        assert welcome is not None
        for name, secrets in new:
            self.groups[name] = Group.join(welcome, secrets)
        self.check()
        return [name for name, _ in new]

    def commit(
        self, author: str, proposals: Iterable[Proposal] = (), options: CommitOptions | None = None
    ) -> bytes | None:
        """`author` commits, the host takes it, everyone follows; the Welcome."""
        group, staged = self.groups[author].commit(
            tuple(proposals), self.entropy, now=NOW, psks=self.psks, options=options
        )
        self.groups[author] = group.accept(staged)
        self.deliver_commit(staged.message, author)
        return staged.welcome

    def deliver_commit(self, message: bytes, author: str) -> None:
        for name, group in list(self.groups.items()):
            if name == author:
                continue
            received = group.receive(message, psks=self.psks)
            assert isinstance(received, CommitReceived)
            after = received.group.accept(received.staged)
            self.groups[name] = after
            if received.staged.removes_this_member:
                assert after.removed
                self.gone.append(self.groups.pop(name))

    def propose(self, author: str, proposal: Proposal | None) -> bytes:
        """A proposal that all take; None is an update."""
        group = self.groups[author]
        if proposal is None:
            self.groups[author], message = group.propose_update(self.entropy)
        else:
            self.groups[author], message = group.propose(proposal, self.entropy, now=NOW)
        for name, other in self.groups.items():
            if name != author:
                received = other.receive(message)
                assert isinstance(received, ProposalReceived)
                self.groups[name] = received.group
        return message

    def say(self, author: str, data: bytes) -> bytes:
        """What all others read; the message."""
        self.groups[author], message = self.groups[author].seal(data, self.entropy, padding=5)
        for name, group in self.groups.items():
            if name != author:
                received = group.receive(message)
                assert isinstance(received, ApplicationReceived)
                assert received.data == data
                assert received.sender.credential.value == author.encode()
                self.groups[name] = received.group
        return message

    def index(self, name: str) -> int:
        return self.groups[name].epoch.own

    def check(self) -> None:
        """Everybody is in the same state, which is that of the members alone."""
        some = next(iter(self.groups.values()))
        view = (some.epoch.context, some.epoch.tree.encode(), some.authenticator, some.export(b"x", b"", 32))
        for group in self.groups.values():
            assert (
                group.epoch.context,
                group.epoch.tree.encode(),
                group.authenticator,
                group.export(b"x", b"", 32),
            ) == view
            for node, key in group.epoch.private.items():
                found = group.epoch.tree.node(node)
                assert found is not None
                assert found.encryption_key == key.public
        names = {member.credential.value.decode() for member in some.members()}
        assert names == set(self.groups)
        assert all(group.authenticator != some.authenticator for group in self.gone)


def extension(data: bytes) -> Extension:
    return Extension(KNOWN_EXTENSION, data)


def swapped(message: bytes, place: int) -> bytes:
    """The message with one bit turned over."""
    return message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]
