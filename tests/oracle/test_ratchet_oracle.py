"""Roost's ratchet against an independent one: `@signalapp/libsignal-client` 0.72.1, which holds the other end.

0.72.1 is the last version that begins sessions with plain X3DH, which keeps the set-up here small. What is Signal's and
what is Roost's in these conversations: signal_parameters.py.
"""

from __future__ import annotations

import fcntl
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.crypto import BODY_SIZE, AgreementPublic, AgreementSecret
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import SeededEntropy
from tests.oracle.signal_parameters import (
    DJB,
    VERSION,
    SignalEnd,
    fields,
    initiator,
    key_of,
    parsed,
    raw,
    responder,
    x3dh,
)

HERE = Path(__file__).resolve().parent
PREKEY_MESSAGE = 3

Sealed = tuple[int, bytes]  # Signal's type of message, its bytes


class Peer:
    """The other end: libsignal in a Node process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "peer.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str, **given: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def seal(self, body: bytes) -> Sealed:
        answer = self.ask("encrypt", message=body.hex())
        return answer["type"], bytes.fromhex(answer["sealed"])

    def open(self, sealed: Sealed) -> bytes | None:
        """The body, or None when libsignal refuses."""
        answer = self.ask("decrypt", type=sealed[0], sealed=sealed[1].hex())
        return bytes.fromhex(answer["message"]) if "message" in answer else None

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def libsignal() -> None:
    """The package of package-lock.json beside this file, fetched once. Skips where it cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not here: they run the other end of the conversation")
    with (HERE / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HERE / "node_modules" / "@signalapp" / "libsignal-client" / "package.json").exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=150)
            if done.returncode:
                pytest.skip("npm cannot fetch @signalapp/libsignal-client: no network, or no registry")


@pytest.fixture
def peer(libsignal: None) -> Iterator[Peer]:
    process = Peer()
    yield process
    process.close()


class Roost:
    """Our end, after a set-up with X3DH; its first messages carry what the other needs for it."""

    def __init__(self, end: SignalEnd, entropy: SeededEntropy, introduction: dict[int, int | bytes] | None) -> None:
        self.end = end
        self._entropy = entropy
        self._introduction = introduction

    def seal(self, body: bytes) -> Sealed:
        self.end.session, message = self.end.session.seal(body, self._entropy)
        if self._introduction is None or self.end.session.confirmed:
            return 2, message
        return PREKEY_MESSAGE, VERSION + fields({**self._introduction, 4: message})

    def open(self, sealed: Sealed) -> bytes | None:
        kind, message = sealed
        if kind == PREKEY_MESSAGE:
            message = raw(parsed(message[1:])[4])
        try:
            return self.end.open(message)
        except CryptoError:
            return None


def roost_begins(peer: Peer, patch: pytest.MonkeyPatch) -> Roost:
    entropy = SeededEntropy("roost begins")
    theirs = {name: bytes.fromhex(key) for name, key in peer.ask("keys").items()}
    identity, base = AgreementSecret.generate(entropy), AgreementSecret.generate(entropy)
    their_identity, signed, one_time = (
        AgreementPublic(key_of(theirs[name])) for name in ("identity", "signed", "oneTime")
    )
    secrets = identity.exchange(signed), base.exchange(their_identity), base.exchange(signed), base.exchange(one_time)
    root, _ = x3dh(*secrets)
    end = SignalEnd(DJB + identity.public.raw, theirs["identity"], initiator(root, signed.raw))
    end.install(patch)
    introduction: dict[int, int | bytes] = {5: 1, 1: 1, 6: 2, 2: DJB + base.public.raw, 3: end.own}
    return Roost(end, entropy, introduction)


def libsignal_begins(peer: Peer, patch: pytest.MonkeyPatch) -> tuple[Roost, Sealed, bytes]:
    """Our end, and libsignal's first message with its body, which was needed to make it."""
    entropy = SeededEntropy("libsignal begins")
    prekey = AgreementSecret.generate(entropy)
    given = peer.ask("begin", prekey=(DJB + prekey.public.raw).hex())
    identity = AgreementSecret(bytes.fromhex(given["secret"]))
    sealed = peer.seal(text(0))
    found = parsed(sealed[1][1:])
    base, theirs = AgreementPublic(key_of(raw(found[2]))), AgreementPublic(key_of(raw(found[3])))
    root, chain = x3dh(prekey.exchange(theirs), identity.exchange(base), prekey.exchange(base))
    end = SignalEnd(DJB + identity.public.raw, raw(found[3]), responder(root, chain, prekey))
    end.install(patch)
    return Roost(end, entropy, None), sealed, text(0)


def text(number: int) -> bytes:
    return f"message {number}".encode().ljust(BODY_SIZE, b".")


def test_roost_begins_and_both_take_turns(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    roost = roost_begins(peer, monkeypatch)
    for turn in range(40):
        assert peer.open(roost.seal(text(turn))) == text(turn)
        assert roost.open(peer.seal(text(turn))) == text(turn)
    assert roost.end.session.confirmed


def test_libsignal_begins_and_both_take_turns(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    roost, first, body = libsignal_begins(peer, monkeypatch)
    assert roost.open(first) == body
    for turn in range(40):
        assert peer.open(roost.seal(text(turn))) == text(turn)
        assert roost.open(peer.seal(text(turn))) == text(turn)


@pytest.mark.parametrize("seed", range(4))
def test_late_lost_and_repeated_messages(seed: int, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bursts of which some arrive late, over up to three turns, some never, and every one only once."""
    chance = random.Random(seed)
    roost = roost_begins(peer, monkeypatch)
    waiting: dict[str, list[tuple[int, bytes, Sealed]]] = {"roost": [], "peer": []}
    opened: list[tuple[Roost | Peer, Sealed]] = []
    for turn in range(24):
        for name, writer, reader in (("roost", roost, peer), ("peer", peer, roost)):
            for place in range(chance.randrange(1, 6)):
                body, late = text(100 * turn + place), chance.choice((0, 0, 0, 1, 2, 3)) if turn else 0
                waiting[name].append((turn + late, body, writer.seal(body)))
            due = [one for one in waiting[name] if one[0] <= turn]
            # The last one always comes, or hardly anything would; others are lost now and then.
            due = [one for one in due if one is due[-1] or chance.random() < 0.9]
            waiting[name] = [one for one in waiting[name] if one[0] > turn]
            chance.shuffle(due)
            for _, body, sealed in due:
                assert reader.open(sealed) == body
                opened.append((reader, sealed))
                assert reader.open(sealed) is None
    for reader, sealed in chance.sample(opened, 20):
        assert reader.open(sealed) is None


def test_damage_is_refused_and_changes_nothing(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    roost, first, body = libsignal_begins(peer, monkeypatch)
    assert roost.open(first) == body
    for turn in range(3):
        for writer, reader in ((roost, peer), (peer, roost)):
            kind, sealed = writer.seal(text(turn))
            for place in (9, len(sealed) // 2, len(sealed) - 1):
                assert reader.open((kind, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])) is None
            assert reader.open((kind, sealed)) == text(turn)
