"""The operating system's entropy, for the shells that hand an `Entropy` to the pure rooms."""

from __future__ import annotations

import os

from roost.crypto import Entropy


class SystemEntropy:
    """Unpredictable bytes from the operating system; an `Entropy`."""

    def bytes(self, count: int) -> bytes:
        """`count` fresh random bytes."""
        return os.urandom(count)


SYSTEM_ENTROPY: Entropy = SystemEntropy()
