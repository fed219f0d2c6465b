"""Who may create mailboxes, store cards and have packets forwarded (DESIGN section 6, "admission policy").

Either whoever shows the access secret from the relay's link, or, on an open relay, everybody within limits for each
connection, or, on an onion network, where nobody has a link and connections cost nothing, everybody who works for it.
Writing to and reading from a mailbox needs its capabilities only, never admission.
"""

from __future__ import annotations

import hashlib
from copy import copy
from hmac import compare_digest
from typing import Protocol

from roost.crypto import PROOF_SIZE, WORK_NONCE_SIZE, work_strength
from roost.relay.core.limits import Limits, TokenBucket
from roost.relay.core.refusal import RefusedRequest
from roost.wire.codec import encode
from roost.wire.mailbox import Create, PutCard, RefusalCode, WorkChallenge
from roost.wire.onion import admission_hash

_MISSING_COST = 20.0  # a request that shows a wrong capability or secret counts as so many: guessing is slow
REQUEST_COST = 1.0
_NO_NONCE_RETRY_MS = 1_000


class Client:
    """What the relay remembers of one connection while it lasts: that it was admitted, and how fast it goes."""

    __slots__ = ("admitted", "creates", "forwards", "guest", "requests")

    def __init__(self, limits: Limits, now: float) -> None:
        self.admitted = False
        self.guest = False
        self.requests = TokenBucket(limits.requests_per_second, limits.request_burst, now)
        self.creates = TokenBucket(limits.creates_per_minute / 60, limits.create_burst, now)
        self.forwards = TokenBucket(limits.forwards_per_second, limits.forward_burst, now)

    def stranger(self) -> Client:
        """Somebody else on the same connection, whose request came in a packet: not admitted, and at its pace.

        Such a guest is not punished: its guesses would slow all who share the connection, and they are paced with it.
        """
        other = copy(self)
        other.admitted, other.guest = False, True
        return other

    def pace(self, now: float, cost: float = REQUEST_COST) -> None:
        """Raises RefusedRequest: slow_down."""
        _take(self.requests, cost, now)

    def punish(self, now: float) -> None:
        """Something was denied: make the next ones slower."""
        if not self.guest:
            self.requests.take(_MISSING_COST, now)


class Admission:
    """The relay's admission policy. `access` is the access secret, or None on an open relay."""

    __slots__ = ("_digest",)

    def __init__(self, access: bytes | None) -> None:
        self._digest = None if access is None else hashlib.sha256(access).digest()

    @property
    def open(self) -> bool:
        return self._digest is None

    def admit(self, client: Client, secret: bytes) -> None:
        """A connection that showed the secret once is admitted while it lasts. Raises RefusedRequest: not_admitted."""
        if self._digest is None or client.admitted:
            return
        if not compare_digest(hashlib.sha256(secret).digest(), self._digest):
            raise RefusedRequest(RefusalCode.NOT_ADMITTED)
        client.admitted = True

    def admit_creation(self, client: Client, request: Create | PutCard, now: float) -> None:
        """For create and the first put_card. Raises RefusedRequest: not_admitted, slow_down, work_needed."""
        self.admit(client, request.admission)
        if self._digest is None:
            _take(client.creates, 1.0, now)


class Nonces(Protocol):
    """What proofs of work are bound to."""

    def valid(self, now: float) -> tuple[bytes, ...]:
        """Those in force, 16 bytes each, the newest first; none if it is not known yet."""
        ...


class NetworkNonces:
    """Nonces from the random values that an onion network's authorities share: nobody knew them before, and a proof
    holds at each of its nodes."""

    __slots__ = ("_valid",)

    def __init__(self) -> None:
        self._valid: tuple[bytes, ...] = ()  # until there is a consensus: what is known before, work is done for before

    def renew(self, shared_random: bytes) -> None:
        """A new period's random value (32 bytes). The one before it stays in force."""
        nonce = shared_random[:WORK_NONCE_SIZE]
        if self._valid[:1] != (nonce,):
            self._valid = (nonce, *self._valid[:1])

    def valid(self, _now: float) -> tuple[bytes, ...]:
        return self._valid


class WorkAdmission(Admission):
    """Admits who proves work for the very request (wire.onion.admission_hash): `bits` of it, under one of `nonces`."""

    __slots__ = ("_bits", "_nonces")

    def __init__(self, nonces: Nonces, bits: int) -> None:
        super().__init__(None)
        self._nonces = nonces
        self._bits = bits

    def admit_creation(self, _client: Client, request: Create | PutCard, now: float) -> None:
        """Raises RefusedRequest: work_needed, slow_down."""
        if not self._bits:
            return
        valid = self._nonces.valid(now)
        if not valid:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_NO_NONCE_RETRY_MS)
        proof = request.admission
        if len(proof) != PROOF_SIZE or not self._proven(valid, request):
            challenge = encode(WorkChallenge(valid[0], self._bits))
            raise RefusedRequest(RefusalCode.WORK_NEEDED, detail=challenge)

    def _proven(self, nonces: tuple[bytes, ...], request: Create | PutCard) -> bool:
        subject = admission_hash(request)
        strengths = [work_strength(nonce, bytes(32), subject, request.admission) for nonce in nonces]
        return max(strengths) >= self._bits


def _take(bucket: TokenBucket, cost: float, now: float) -> None:
    wait_ms = bucket.take(cost, now)
    if wait_ms:
        raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=wait_ms)
