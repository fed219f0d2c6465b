"""What the tests of peer links share: two ends, a link that stands, and bytes that arrive in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roost.crypto.keys import AgreementPublic, AgreementSecret
from roost.crypto.peer_link import Established, PeerLinkInitiator, PeerLinkResponder
from tests.crypto.crypto_helpers import SeededEntropy

NOW = 1_900_000_000
DAY = 86_400
GUEST = AgreementSecret.generate(SeededEntropy("guest"))
HOST = AgreementSecret.generate(SeededEntropy("host"))
MEETINGS = tuple(SeededEntropy(f"meeting {number}").bytes(16) for number in range(5))
MEETING = MEETINGS[3]


class Seen:
    """Nonces of openings that a host took."""

    def __init__(self) -> None:
        self.nonces: set[bytes] = set()

    def __call__(self, nonce: bytes) -> bool:
        before = nonce in self.nonces
        self.nonces.add(nonce)
        return before


class Posing(AgreementSecret):
    """Shows somebody else's public key and calculates whatever its maker likes."""

    def __init__(self, shown: AgreementPublic, result: bytes | None = None) -> None:
        super().__init__(SeededEntropy("posing").bytes(32))
        self._shown, self._result = shown, result

    @property
    def public(self) -> AgreementPublic:
        return self._shown

    def exchange(self, public: AgreementPublic) -> bytes:
        return super().exchange(public) if self._result is None else self._result


def dialling(
    seed: str = "dialling",
    own: AgreementSecret = GUEST,
    host: AgreementPublic = HOST.public,
    meeting: bytes = MEETING,
    now_s: int = NOW,
) -> PeerLinkInitiator:
    return PeerLinkInitiator(own, host, meeting, now_s, SeededEntropy(seed))


def hosting(
    seed: str = "hosting",
    own: AgreementSecret = HOST,
    meetings: Sequence[bytes] = MEETINGS,
    now_s: int = NOW,
    seen: Seen | None = None,
) -> PeerLinkResponder:
    return PeerLinkResponder(own, meetings, now_s, SeededEntropy(seed), Seen() if seen is None else seen)


def linked(seed: str = "link") -> tuple[Established, Established, tuple[bytes, bytes, bytes]]:
    """Both ends of a link, the initiator's first, and the three messages."""
    guest, host = dialling(seed + " guest"), hosting(seed + " host")
    first = guest.start()
    second = host.receive(first)
    third = guest.receive(second)
    assert host.receive(third) == b""
    assert guest.established
    assert host.established
    return guest.established, host.established, (first, second, third)


def pieces(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """`data` cut into pieces of these sizes and the rest; none is empty."""
    cut, at = [], 0
    for size in sizes:
        cut.append(data[at : at + size])
        at += size
    return [piece for piece in (*cut, data[at:]) if piece]
