"""The nonces that proofs of work for knocks are bound to: a new one each hour, the last one valid for one more.

Derived from a secret of this run of the relay, so that proofs cannot be made in advance; after a restart a knock is
asked to work anew.
"""

from __future__ import annotations

from hashlib import blake2b

from roost.relay.core.limits import HOUR_S

_NONCE_SIZE = 16


class KnockNonces:
    """`secret` is 32 random bytes."""

    __slots__ = ("_cached", "_hour", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._hour = -1
        self._cached: tuple[bytes, ...] = ()

    def valid(self, now: float) -> tuple[bytes, ...]:
        """The nonces in force, the newest first."""
        hour = int(now) // HOUR_S
        if hour != self._hour:
            self._hour = hour
            self._cached = (self._nonce(hour), self._nonce(hour - 1))
        return self._cached

    def _nonce(self, hour: int) -> bytes:
        return blake2b(
            hour.to_bytes(8, "big"), digest_size=_NONCE_SIZE, key=self._secret, person=b"roost1 knock"
        ).digest()
