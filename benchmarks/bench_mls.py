"""Groups of MLS (RFC 9420) in the hybrid suite against the public key operations that they cannot do without.

A fresh group is one whose creator added everyone in one commit: all nodes above its members are blank, so the next
commit is sealed to every one of them. It is the worst case; each commit of another member fills part of the tree.
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import mls_peers
from benchmarks.bench_crypto import ENTROPY
from benchmarks.measure import Clock, Result, cost, throughput
from roost.crypto import seal_log_envelope
from roost.crypto.mls import (
    DEFAULT_SUITE,
    Add,
    CommitReceived,
    Credential,
    Group,
    KeyPackageSecrets,
    Lifetime,
    Remove,
    load,
    make_key_package,
    save_epoch,
    save_keys,
)
from roost.wire.codec import encode
from roost.wire.groups import GroupMessage
from roost.wire.logs import encode_frame, frames_of

SIZES = (10, 100, 256, 1_000)
LARGEST = 5_000  # measured when --seconds is 2 or more: it takes minutes
NOW = 1_800_000_000
TEXT = bytes(100)


SUITE = DEFAULT_SUITE


def run(clock: Clock) -> list[Result]:
    results = _floors(clock)
    sizes = (*SIZES, LARGEST) if clock.seconds >= 2 else SIZES
    for size in sizes:
        results += _size(clock, size, *results[:2])
    return results + mls_peers.run(clock, TEXT)


def _floors(clock: Clock) -> list[Result]:
    recipient = SUITE.kem.generate(ENTROPY).public
    signer, message, key = Ed25519PrivateKey.generate(), bytes(200), AESGCM(os.urandom(32))

    def sign_and_seal() -> None:
        signer.sign(message)
        key.encrypt(bytes(12), message, None)

    return [
        cost("one X-Wing encapsulation", clock.microseconds(lambda: SUITE.kem.encapsulate(recipient, ENTROPY))),
        throughput("sign and seal 200 bytes", 1e6 / clock.microseconds(sign_and_seal), "/s"),
    ]


def _client(index: int) -> KeyPackageSecrets:
    credential = Credential.basic(index.to_bytes(64))
    return make_key_package(SUITE, credential, SUITE.scheme.generate(ENTROPY), Lifetime(NOW, NOW + 60), ENTROPY)


def _size(clock: Clock, size: int, encapsulation: Result, sealing: Result) -> list[Result]:
    clients = [_client(index) for index in range(size)]
    additions = [Add(client.package) for client in clients[1:]]
    alone = Group.create(clients[0], b"group", ENTROPY)
    _, created = alone.commit(additions, ENTROPY, now=NOW)
    group, welcome = alone.accept(created), created.welcome or b""
    other = Group.join(welcome, clients[-1])
    newcomer = _client(size)
    results: list[Result] = []

    def timed(name: str, work: Callable[[], object], operations: int) -> None:
        floor = Result(f"{operations} x {encapsulation.name}", encapsulation.value * operations, "us")
        results.append(cost(f"{size} members: {name}", clock.microseconds(work), floor))

    timed("create and add all", lambda: alone.commit(additions, ENTROPY, now=NOW), size)
    timed("join by Welcome", lambda: Group.join(welcome, clients[-1]), 1)
    timed("add one", lambda: group.commit([Add(newcomer.package)], ENTROPY, now=NOW), size)
    timed("commit, fresh tree", lambda: group.commit([], ENTROPY, now=NOW), size)
    _, staged = group.commit([], ENTROPY, now=NOW)
    timed("process a commit", lambda: _follow(other, staged.message), 1)
    _, removal = group.commit([Remove(1)], ENTROPY, now=NOW)
    epoch_part, keys_part = save_epoch(other), save_keys(other)
    timed("load the stored state", lambda: load(epoch_part, keys_part), 1)
    results.append(Result(f"{size} members: memory of a group", _memory(lambda: load(epoch_part, keys_part)), "bytes"))
    results.append(Result(f"{size} members: bytes stored of a group", len(epoch_part) + len(keys_part), "bytes"))
    for name, data in (("Welcome", welcome), ("commit", staged.message), ("removal", removal.message)):
        results.append(Result(f"{size} members: bytes of a {name}, fresh tree", len(data), "bytes"))
    return results + _messages(clock, size, group, other, sealing)


def _memory(make: Callable[[], object]) -> int:
    """Bytes that what `make` gives takes, as long as it is held."""
    make()  # what is made once for all groups does not count
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    held = make()
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del held
    return taken


def _uploaded(message: bytes) -> int:
    """Bytes that a sender uploads for an MLS message: it goes once, into the group's log."""
    frames = frames_of(encode(GroupMessage(message)))
    return sum(len(seal_log_envelope(bytes(32), encode_frame(frame), ENTROPY)) for frame in frames)


def _follow(group: Group, message: bytes) -> Group:
    received = group.receive(message)
    assert isinstance(received, CommitReceived)
    return received.group.accept(received.staged)


def _messages(clock: Clock, size: int, group: Group, other: Group, floor: Result) -> list[Result]:
    group, first = group.seal(TEXT, ENTROPY)  # opens this member's part of the secret tree
    other = other.receive(first).group
    _, message = group.seal(TEXT, ENTROPY)
    sealing = clock.microseconds(lambda: group.seal(TEXT, ENTROPY))
    opening = clock.microseconds(lambda: other.receive(message))
    return [
        throughput(f"{size} members: encrypt", 1e6 / sealing, "/s", floor),
        throughput(f"{size} members: decrypt", 1e6 / opening, "/s", floor),
        Result(f"{size} members: bytes of a message of {len(TEXT)}", len(message), "bytes"),
        Result(f"{size} members: bytes uploaded for it", _uploaded(message), "bytes"),
        Result(f"{size} members: bytes stored after a message, one speaker", len(save_keys(other)), "bytes"),
    ]
