"""Others' group messaging, for bench_mls: mls-rs (through `rine-mls`, X-Wing), vodozemac's Megolm, and one send per
member under pairwise sessions, as SimpleX does it (measured with Roost's own sessions). What is not installed is left
out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bench_crypto import BODY, ENTROPY, session_pair
from benchmarks.measure import Clock, Result, cost, once, throughput

MLS_RS_SIZE = 256  # a client of it keeps files, and a group of 1,000 of them takes minutes to build


def run(clock: Clock, text: bytes) -> list[Result]:
    results: list[Result] = []
    for name, measure in (("vodozemac", _megolm), ("rine_mls", _mls_rs)):
        if find_spec(name):
            results += measure(clock, text)
        else:
            print(f"mls: {name} is not installed (requirements/peers.txt)", file=sys.stderr)
    return [*results, *_pairwise(clock)]


def _megolm(clock: Clock, text: bytes) -> list[Result]:
    """No tree: a key for each sender, which every change of members must send to everyone anew."""
    import vodozemac

    sender = vodozemac.GroupSession()
    reader = vodozemac.InboundGroupSession(sender.session_key)
    message = sender.encrypt(text)
    return [
        throughput("Megolm: encrypt", 1e6 / clock.microseconds(lambda: sender.encrypt(text)), "/s"),
        throughput("Megolm: decrypt", 1e6 / clock.microseconds(lambda: reader.decrypt(message)), "/s"),
        Result(f"Megolm: bytes of a message of {len(text)}", len(message.to_bytes()), "bytes"),
    ]


def _mls_rs(clock: Clock, text: bytes) -> list[Result]:
    import rine_mls

    with tempfile.TemporaryDirectory() as name:

        def client(index: int) -> Any:
            return rine_mls.MlsClient(str(Path(name) / str(index)), os.urandom(32), rine_mls.CIPHER_SUITE_XWING)

        clients = [client(index) for index in range(MLS_RS_SIZE)]
        packages = [each.generate_key_package() for each in clients[1:]]
        begun: list[Any] = []

        def create() -> None:
            begun.append(clients[0].create_group_with_members(os.urandom(16), packages))

        creating = once(create)
        group = begun[-1]
        bundle = group.last_commit()
        other = clients[-1].join_from_welcome(bundle.welcomes[-1])
        encrypting = clock.microseconds(lambda: group.encrypt_application_message(text))
        sealed = [group.encrypt_application_message(text) for _ in range(200)]
        waiting = iter(sealed)
        decrypting = once(lambda: other.decrypt_application_message(next(waiting)), 200)
        removal: list[Any] = []
        removing = once(lambda: removal.append(group.remove_member(1)))
        applying = once(lambda: other.apply_commit(removal[0].commit))
    size = f"mls-rs, {MLS_RS_SIZE} members"
    return [
        cost(f"{size}: create and add all", creating),
        cost(f"{size}: remove one, fresh tree", removing),
        Result(f"{size}: bytes of a removal, fresh tree", len(removal[0].commit), "bytes"),
        cost(f"{size}: process a commit", applying),
        throughput(f"{size}: encrypt", 1e6 / encrypting, "/s"),
        throughput(f"{size}: decrypt", 1e6 / decrypting, "/s"),
        Result(f"{size}: bytes of a message of {len(text)}", len(sealed[0]), "bytes"),
    ]


def _pairwise(clock: Clock) -> list[Result]:
    sender, _ = session_pair()
    sealing = clock.microseconds(lambda: sender.seal(BODY, ENTROPY))
    return [
        throughput("one send per member: encrypt for 1,000 members", 1e3 / sealing, "/s"),
        Result("one send per member: bytes uploaded for 1,000 members", 1_000 * 4_096, "bytes"),
    ]
