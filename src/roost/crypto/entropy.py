"""Where random bytes come from: one object, passed in everywhere (DESIGN section 3). This room never draws its own.

The one exception is ML-KEM encapsulation, whose library call takes no seed (docs/protocol/cryptography.md).
"""

from __future__ import annotations

import builtins
from typing import Protocol


class Entropy(Protocol):
    """A source of unpredictable bytes: the operating system's in life, a seeded one in tests."""

    def bytes(self, count: int) -> builtins.bytes:
        """`count` fresh random bytes."""
        ...
