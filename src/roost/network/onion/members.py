"""Which nodes answer, as all sessions of a network see it together. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SILENT_S = 15.0  # how long a node that did not answer is asked last


class Members:
    """The nodes of the present consensus, and those of them that were silent lately."""

    def __init__(self) -> None:
        self.known: frozenset[bytes] = frozenset()
        self._silent: dict[bytes, float] = {}  # until when

    def silent(self, node: bytes, now: float, seconds: float = SILENT_S) -> None:
        """It did not answer, or not as it must."""
        self._silent[node] = now + seconds

    def heard(self, node: bytes) -> None:
        self._silent.pop(node, None)

    def is_silent(self, node: bytes, now: float) -> bool:
        return self._silent.get(node, now) > now

    def best(self, nodes: Sequence[bytes], now: float, after: bytes | None = None) -> bytes | None:
        """Whom of `nodes` to ask: the first that is not silent, else whoever was silent first. `after` begins the
        search behind this one, which comes last."""
        known = [node for node in nodes if node in self.known]
        if after in known:
            at = known.index(after) + 1
            known = known[at:] + known[:at]
        speaking = next((node for node in known if not self.is_silent(node, now)), None)
        return speaking or min(known, key=lambda node: self._silent[node], default=None)
