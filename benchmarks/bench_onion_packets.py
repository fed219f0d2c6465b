"""Onion packets on one core: what a node unwraps a second and what a client makes, against the X-Wing operations that
they cannot do without, and beside `sphinxmix` (Danezis's Sphinx) of the same run, with paths and payloads as long.

`sphinxmix` hides a node's place on the path and has no post-quantum keys; its group is NIST's P-224, or Curve25519.
"""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from benchmarks.bench_crypto import ENTROPY
from benchmarks.measure import Clock, Result, throughput
from roost.crypto import ONION_PACKET_SIZE, ONION_PAYLOAD, Hop, PacketSecret, make_packet, make_reply_block, unwrap
from roost.crypto.onion import REPLY_BLOCK_SIZE, Forwarded, use_reply_block

HOPS = 4
CALLS = 24  # of one work before the next has its turn
DATA = os.urandom(4_608)  # an envelope and what goes around it
Work = Callable[[], object]


def run(clock: Clock) -> list[Result]:
    secrets = [PacketSecret.generate(ENTROPY) for _ in range(HOPS)]
    path = [Hop(os.urandom(32), secret.public, 0, 50) for secret in secrets]
    block, _ = make_reply_block(path[:3], bytes(16), bytes(16), ENTROPY)
    first, last = _on_both_links(secrets, make_packet(path, DATA, ENTROPY))
    works: dict[str, Work] = {
        "X-Wing decapsulations": _decapsulating(secrets[0]),
        "X-Wing, four encapsulations": lambda: [secret.public.encapsulate(ENTROPY) for secret in secrets],
        "packets unwrapped": lambda: unwrap(secrets[0], first, ENTROPY),
        "... by the last node": lambda: unwrap(secrets[-1], last, ENTROPY),
        "requests made": lambda: make_packet(path, DATA, ENTROPY),
        "reply blocks made": lambda: make_reply_block(path[:3], bytes(16), bytes(16), ENTROPY),
        "replies made from a block": lambda: use_reply_block(block, DATA, ENTROPY),
    }
    peers = _peers()
    taken = _processor_time(clock.seconds, [*works.values(), *peers.values()])
    rates = [throughput(name, 1e6 / us, "/s") for name, us in zip([*works, *peers], taken, strict=True)]
    opened, sealed, unwrapped, by_last, made, blocks, replies, *others = rates
    return [
        opened,
        sealed,
        _against(unwrapped, opened),
        _against(by_last, opened),
        _against(made, sealed),
        blocks,
        replies,
        *others,
        *(_against(made if other.name.endswith(made.name) else unwrapped, other) for other in others),
        Result("bytes of a packet", ONION_PACKET_SIZE, "bytes"),
        Result("... of which are payload", ONION_PAYLOAD, "bytes"),
        Result("bytes of a reply block", REPLY_BLOCK_SIZE, "bytes"),
    ]


def _processor_time(seconds: float, works: Sequence[Work]) -> list[float]:
    """Microseconds of one call of each, the best of many short turns; what other processes take does not count."""
    best = [math.inf] * len(works)
    until = time.monotonic() + seconds * len(works)
    while time.monotonic() < until:
        for place, work in enumerate(works):
            start = time.process_time()
            for _ in range(CALLS):
                work()
            best[place] = min(best[place], (time.process_time() - start) / CALLS * 1e6)
    return best


def _against(result: Result, floor: Result) -> Result:
    return throughput(result.name, result.value, result.unit, floor)


def _decapsulating(secret: PacketSecret) -> Work:
    _, ciphertext = secret.public.encapsulate(ENTROPY)
    return lambda: secret.decapsulate(ciphertext)


def _on_both_links(secrets: list[PacketSecret], packet: bytes) -> tuple[bytes, bytes]:
    """What the first node gets, and the last."""
    first = packet
    for secret in secrets[:-1]:
        outcome = unwrap(secret, packet, ENTROPY).outcome
        assert isinstance(outcome, Forwarded)
        packet = outcome.packet
    return first, packet


def _peers() -> dict[str, Work]:
    if not find_spec("sphinxmix"):
        print("onion_packets: sphinxmix is not installed (requirements/mixnets.txt)", file=sys.stderr)
        return {}
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    from sphinxmix.SphinxParamsC25519 import Group_C25519

    return {**_sphinx("sphinxmix, P-224", None), **_sphinx("sphinxmix, Curve25519", Group_C25519())}


def _sphinx(name: str, group: object) -> dict[str, Work]:
    from sphinxmix.SphinxClient import Nenc, create_forward_message
    from sphinxmix.SphinxNode import sphinx_process
    from sphinxmix.SphinxParams import SphinxParams

    sizes = {"header_len": 192, "body_len": ONION_PAYLOAD}
    params = SphinxParams(group, **sizes) if group else SphinxParams(**sizes)
    secrets = [params.group.gensecret() for _ in range(HOPS)]
    keys = [params.group.expon_base([secret]) for secret in secrets]
    route = [Nenc(bytes([number]) * 2) for number in range(HOPS)]

    def make() -> tuple[object, object]:
        made: tuple[object, object] = create_forward_message(params, route, keys, b"dest", DATA)
        return made

    header, body = make()
    unwrapping: Work = lambda: sphinx_process(params, secrets[0], header, body)  # noqa: E731
    return {f"{name}: packets unwrapped": unwrapping, f"{name}: requests made": make}
