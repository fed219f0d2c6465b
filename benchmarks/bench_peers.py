"""The ratchet beside others' of the same run: vodozemac's Olm, `doubleratchet`, libsignal. A message is a body of the
size that an envelope carries. A peer that is not installed is left out, with a word of how to have it.

None of the peers' numbers has what Roost's has: an ML-KEM-768 step each turn and encrypted headers (vodozemac and
doubleratchet have neither; libsignal 0.72 takes ML-KEM at the set-up alone, if at all).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bench_crypto import BODY, ENTROPY, session_pair
from benchmarks.measure import Clock, Result, cost, throughput
from roost.crypto import Session

_ORACLE = Path(__file__).parents[1] / "tests" / "oracle"


Works = tuple[Callable[[], object], Callable[[], object]]  # a message in order, a turn


def run(clock: Clock) -> list[Result]:
    works = {"roost": _roost()}
    if find_spec("vodozemac"):
        works["vodozemac"] = _olm()
    if find_spec("doubleratchet"):
        works["doubleratchet"] = _double_ratchet()
    if len(works) < 3:
        print("peers: some are left out; make bench installs requirements/peers.txt", file=sys.stderr)
    in_order = dict(zip(works, clock.side_by_side([in_order for in_order, _ in works.values()]), strict=True))
    turns = dict(zip(works, clock.side_by_side([turn for _, turn in works.values()]), strict=True))
    if _has_libsignal():
        in_order["libsignal"], turns["libsignal"] = _libsignal(clock)
    else:
        print("peers: libsignal is left out; it needs Node.js and npm ci in tests/oracle", file=sys.stderr)
    return [
        *_compared(
            [throughput(f"{name}: in order, sealed and opened", 1e6 / us, "/s") for name, us in in_order.items()]
        ),
        *_compared([cost(f"{name}: a turn, sealed and opened", us) for name, us in turns.items()]),
    ]


def _compared(results: list[Result]) -> list[Result]:
    """The peers, then Roost against each of them."""
    ours, *others = results
    against = [replace(ours, ratio=ours.value / other.value, floor=other.name.split(":")[0]) for other in others]
    return [*others, *(against or [ours])]


def _roost() -> Works:
    ends: list[Session] = list(session_pair())

    def in_order() -> None:
        ends[0], envelope = ends[0].seal(BODY, ENTROPY)
        ends[1], _ = ends[1].open(envelope)

    def turn() -> None:
        in_order()
        ends.reverse()

    return in_order, turn


def _olm() -> Works:
    import vodozemac

    alice, bob = vodozemac.Account(), vodozemac.Account()
    bob.generate_one_time_keys(1)
    (key,) = bob.one_time_keys.values()
    out = alice.create_outbound_session(bob.curve25519_key, key)
    into, _ = bob.create_inbound_session(alice.curve25519_key, out.encrypt(BODY).to_pre_key())
    out.decrypt(into.encrypt(BODY))
    ends = [out, into]

    def in_order() -> None:
        ends[1].decrypt(ends[0].encrypt(BODY))

    def turn() -> None:
        in_order()
        ends.reverse()

    turn()
    turn()
    return in_order, turn


def _double_ratchet() -> Works:
    from doubleratchet import DoubleRatchet
    from doubleratchet.recommended import (
        HashFunction,
        aead_aes_hmac,
        diffie_hellman_ratchet_curve25519,
        kdf_hkdf,
        kdf_separate_hmacs,
    )

    class Root(kdf_hkdf.KDF):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

        @staticmethod
        def _get_info() -> bytes:
            return b"root"

    class Chain(kdf_separate_hmacs.KDF):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

    class Sealing(aead_aes_hmac.AEAD):
        @staticmethod
        def _get_hash_function() -> Any:
            return HashFunction.SHA_256

        @staticmethod
        def _get_info() -> bytes:
            return b"message"

    class Ratchet(DoubleRatchet):
        @staticmethod
        def _build_associated_data(associated_data: bytes, header: Any) -> bytes:
            return associated_data + header.ratchet_pub + bytes((header.previous_sending_chain_length % 256,))

    settings: dict[str, Any] = {
        "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
        "root_chain_kdf": Root,
        "message_chain_kdf": Chain,
        "message_chain_constant": b"\x01\x02",
        "dos_protection_threshold": 100,
        "max_num_skipped_message_keys": 1000,
        "aead": Sealing,
    }
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    prekey, shared = X25519PrivateKey.generate(), os.urandom(32)

    async def begin() -> list[Any]:
        alice, first = await Ratchet.encrypt_initial_message(
            **settings,
            shared_secret=shared,
            recipient_ratchet_pub=prekey.public_key().public_bytes_raw(),
            message=BODY,
            associated_data=b"",
        )
        bob, _ = await Ratchet.decrypt_initial_message(
            **settings,
            shared_secret=shared,
            own_ratchet_priv=prekey.private_bytes_raw(),
            message=first,
            associated_data=b"",
        )
        await alice.decrypt_message(await bob.encrypt_message(BODY, b""), b"")
        return [alice, bob]

    ends = asyncio.run(begin())

    def in_order() -> None:
        _finish(ends[1].decrypt_message(_finish(ends[0].encrypt_message(BODY, b"")), b""))

    def turn() -> None:
        in_order()
        ends.reverse()

    turn()
    turn()
    return in_order, turn


def _finish(coroutine: Any) -> Any:
    """The result of a coroutine that never waits, without the cost of an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("it waits")


def _has_libsignal() -> bool:
    return shutil.which("node") is not None and (_ORACLE / "node_modules" / "@signalapp").is_dir()


def _libsignal(clock: Clock) -> tuple[float, float]:
    """In a Node process of its own, by its own clock."""
    done = subprocess.run(
        ["node", str(Path(__file__).parent / "libsignal.mjs"), str(_ORACLE), str(len(BODY)), str(clock.seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    in_order, turn = json.loads(done.stdout)
    return float(in_order), float(turn)
