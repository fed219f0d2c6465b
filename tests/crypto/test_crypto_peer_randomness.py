"""What a carrier sees of peer links looks random, whatever repeats inside: a sanity check, not a proof.

A thousand links between the same two devices with the same meeting, each with the same words. The same tests then see
what they are for: links whose ML-KEM or X25519 keys leave as they are, and made-up bytes with each kind of fault.
The thresholds are at 6.5 standard deviations, since ML-KEM's own randomness makes every run another one.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from operator import mul

from roost.crypto import KEM_PUBLIC_SIZE
from roost.crypto.meetings import announce
from roost.crypto.peer_link import PeerLinkInitiator, PeerLinkResponder
from roost.crypto.peer_noise import SymmetricState
from tests.crypto.crypto_helpers import SeededEntropy
from tests.crypto.peer_helpers import GUEST, HOST, MEETING, NOW, Seen

COUNT = 1_000
LIMIT = 6.5
WORDS = b"the same words every time"
# What goes over the wire, in order: three messages, a record each way, the end.
Capture = tuple[bytes, ...]


def captured(count: int) -> list[Capture]:
    entropy, links, seen = SeededEntropy("captured"), [], Seen()
    for _ in range(count):
        guest = PeerLinkInitiator(GUEST, HOST.public, MEETING, NOW, entropy)
        host = PeerLinkResponder(HOST, [MEETING], NOW, entropy, seen)
        first = guest.start()
        second = host.receive(first)
        third = guest.receive(second)
        host.receive(third)
        assert guest.established
        assert host.established
        ends = guest.established.records, host.established.records
        links.append((first, second, third, ends[0].seal(WORDS), ends[1].seal(WORDS), ends[0].end()))
    return links


@cache
def genuine() -> tuple[Capture, ...]:
    return tuple(captured(COUNT))


def in_deviations(chi_square: float, degrees: int) -> float:
    """Wilson and Hilferty: how many standard deviations a chi-square is from what chance gives."""
    return ((chi_square / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / math.sqrt(2 / (9 * degrees))


def monobit(data: bytes) -> float:
    """NIST SP 800-22 section 2.1."""
    bits = 8 * len(data)
    return (2 * int.from_bytes(data, "big").bit_count() - bits) / math.sqrt(bits)


def runs(data: bytes) -> float:
    """NIST SP 800-22 section 2.3: how often a bit differs from the one before it."""
    bits, number = 8 * len(data), int.from_bytes(data, "big")
    share = number.bit_count() / bits
    changes = ((number ^ (number >> 1)) & ((1 << bits - 1) - 1)).bit_count()
    even = 2 * share * (1 - share)
    return (changes - (bits - 1) * even) / (math.sqrt(bits) * even)


def byte_chi_square(data: bytes) -> float:
    counts, expected = Counter(data), len(data) / 256
    return in_deviations(sum((counts[value] - expected) ** 2 / expected for value in range(256)), 255)


def serial_correlation(data: bytes) -> float:
    """Of each byte with the next (Knuth, The Art of Computer Programming, 3.3.2 K)."""
    count, total = len(data), sum(data)
    products = sum(map(mul, data, data[1:] + data[:1]))
    squares = sum(map(mul, data, data))
    return (count * products - total**2) / (count * squares - total**2) * math.sqrt(count)


def positions(rows: Sequence[bytes]) -> list[float]:
    """A chi-square for each byte position that all rows have, over the rows."""
    length, expected, found = min(map(len, rows)), len(rows) / 256, []
    for column in zip(*(row[:length] for row in rows), strict=True):
        counts = Counter(column)
        squares = sum(count * count for count in counts.values())
        found.append(in_deviations(squares / expected - len(rows), 255))
    return found


def suspicions(links: Sequence[Capture]) -> set[str]:
    """The names of the tests that fail."""
    data = b"".join(map(b"".join, links))
    figures = {
        "monobit": monobit(data),
        "runs": runs(data),
        "bytes": byte_chi_square(data),
        "serial": serial_correlation(data),
    }
    for number, message in enumerate(zip(*links, strict=True)):
        each = positions(message)
        figures[f"worst position of {number}"] = max(each)
        figures[f"positions of {number} together"] = sum(each) / math.sqrt(len(each))
    return {name for name, value in figures.items() if abs(value) > LIMIT}


@contextmanager
def leaving_raw(size: int) -> Iterator[None]:
    """While inside, handshakes send what is `size` bytes long as it is, and a tag behind it."""
    seal, unseal = SymmetricState.encrypt_and_hash, SymmetricState.decrypt_and_hash

    def raw(self: SymmetricState, plaintext: bytes) -> bytes:
        sealed = seal(self, plaintext)
        return plaintext + sealed[-16:] if len(plaintext) == size else sealed

    def read(self: SymmetricState, sealed: bytes) -> bytes:
        if len(sealed) != size + 16:
            return unseal(self, sealed)
        seal(self, sealed[:-16])
        return sealed[:-16]

    SymmetricState.encrypt_and_hash, SymmetricState.decrypt_and_hash = raw, read  # type: ignore[method-assign]
    try:
        yield
    finally:
        SymmetricState.encrypt_and_hash, SymmetricState.decrypt_and_hash = seal, unseal  # type: ignore[method-assign]


def test_a_thousand_links_look_random() -> None:
    assert suspicions(genuine()) == set()


def test_links_do_not_compress() -> None:
    data = b"".join(map(b"".join, genuine()[:200]))
    assert len(zlib.compress(data, 9)) >= len(data)


def test_no_two_links_of_a_pair_share_a_run_of_bytes() -> None:
    seen: set[bytes] = set()
    for link in genuine()[:100]:
        data = b"".join(link)
        here = {data[at : at + 8] for at in range(len(data) - 7)}
        assert not seen & here
        seen |= here


def test_a_raw_ml_kem_key_is_noticed() -> None:
    with leaving_raw(KEM_PUBLIC_SIZE + 2):
        found = suspicions(captured(200))
    assert {"bytes", "worst position of 0", "positions of 0 together"} <= found


def test_a_raw_x25519_key_is_noticed() -> None:
    with leaving_raw(32):
        found = suspicions(captured(200))
    assert {"worst position of 0", "worst position of 1"} <= found


def test_each_statistic_sees_its_own_fault() -> None:
    size = 200_000
    even = SeededEntropy("even").bytes(size)
    statistics = monobit, runs, byte_chi_square, serial_correlation
    assert all(abs(statistic(even)) < LIMIT for statistic in statistics)
    assert monobit(bytes(byte | 1 if at % 10 == 0 else byte for at, byte in enumerate(even))) > LIMIT
    assert runs(bytes(byte & 0xFE | ~byte >> 1 & 1 for byte in even)) > LIMIT
    assert byte_chi_square(bytes(byte if byte != 7 else 8 for byte in even)) > LIMIT
    smooth = bytes(even[at - 1] if at % 20 == 0 else byte for at, byte in enumerate(even))
    assert serial_correlation(smooth) > LIMIT
    rows = [even[at : at + 200] for at in range(0, size, 200)]
    assert max(positions(rows)) < LIMIT
    assert max(positions([row[:50] + bytes([row[50] & 0x7F]) + row[51:] for row in rows])) > LIMIT


def test_lengths_of_messages_are_spread_evenly() -> None:
    for message, shortest in enumerate((1_298, 1_186, 66)):
        lengths = [len(link[message]) - shortest for link in genuine()]
        assert min(lengths) >= 0
        assert max(lengths) <= 1_023
        bins, expected = Counter(length // 64 for length in lengths), COUNT / 16
        assert in_deviations(sum((bins[place] - expected) ** 2 / expected for place in range(16)), 15) < LIMIT


def test_records_of_the_same_link_have_sizes_that_say_nothing() -> None:
    assert {len(part) for link in genuine() for part in link[3:]} == {512}


def test_announcements_look_random_too() -> None:
    entropy = SeededEntropy("announced")
    meetings = [SeededEntropy(f"announced {number}").bytes(16) for number in range(5)]
    rows = [(announce(meetings, NOW, entropy),) for _ in range(COUNT)]
    assert suspicions(rows) == set()
