"""Who may create mailboxes, store cards and have packets forwarded (DESIGN section 6, "admission policy").

Either whoever shows the access secret from the relay's link, or, on an open relay, everybody within limits for each
connection, or, on an onion network, where nobody has a link and connections cost nothing, everybody who works for it:
for each mailbox and card, and for each token by which a node carries packets. Writing to and reading from a mailbox
needs its capabilities only, never admission.
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
from roost.wire.mailbox import AttachOnion, Create, PutCard, RefusalCode, WorkChallenge
from roost.wire.onion import MAX_ADMISSION_BITS, Worked, admission_hash

_MISSING_COST = 20.0  # a request that shows a wrong capability or secret counts as so many: guessing is slow
REQUEST_COST = 1.0
_NO_NONCE_RETRY_MS = 1_000
_ANY_NODE = bytes(32)  # in a proof that all nodes take
_TOKEN_BITS = 2  # a token costs as much as four mailboxes: it is for a whole period
_CROWDED, _QUIET = 1 / 2, 1 / 8  # of a queue, from which on a token costs more, and below which it may cost less
_QUIET_LOOKS = 12  # in a row until it does


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
        if self._bits:
            _check_work(request, _ANY_NODE, self._nonces.valid(now), self._bits)


class TokenAdmission:
    """What a client's token costs at the node with the key `node`: four times what a mailbox does (`bits`), and more
    while the node has too much to do. Nothing at all where mailboxes cost nothing."""

    __slots__ = ("_least", "_node", "_nonces", "_quiet", "bits")

    def __init__(self, nonces: Nonces, bits: int, node: bytes) -> None:
        self._nonces = nonces
        self._node = node
        self._least = self.bits = min(bits + _TOKEN_BITS, MAX_ADMISSION_BITS) if bits else 0
        self._quiet = 0

    def admit(self, request: AttachOnion, now: float) -> bytes:
        """The nonce that the token's proof is bound to. Raises RefusedRequest: work_needed, slow_down."""
        return _check_work(request, self._node, self._nonces.valid(now), self.bits)

    def valid(self, now: float) -> tuple[bytes, ...]:
        """A token is in force as long as its nonce is one of these."""
        return self._nonces.valid(now)

    def needed(self, now: float) -> RefusedRequest:
        """For who has no token in force."""
        return _needed(self._nonces.valid(now), self.bits)

    def look(self, filled: float) -> None:
        """How full the queue of packets is, as a share of 1; called every few seconds. The price goes up at once, and
        down when all was quiet for a while."""
        if filled > _CROWDED and self._least:
            self.bits = min(self.bits + 1, MAX_ADMISSION_BITS)
        self._quiet = self._quiet + 1 if filled < _QUIET else 0
        if self._quiet == _QUIET_LOOKS:
            self._quiet = 0
            self.bits = max(self.bits - 1, self._least)


def _check_work(request: Worked, node: bytes, nonces: tuple[bytes, ...], bits: int) -> bytes:
    """The nonce under which there is enough work in the request's `admission`. Raises RefusedRequest."""
    if nonces and not bits:
        return nonces[0]
    proof = request.admission
    if len(proof) == PROOF_SIZE:
        subject = admission_hash(request)
        for nonce in nonces:
            if work_strength(nonce, node, subject, proof) >= bits:
                return nonce
    raise _needed(nonces, bits)


def _needed(nonces: tuple[bytes, ...], bits: int) -> RefusedRequest:
    if not nonces:
        return RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_NO_NONCE_RETRY_MS)
    return RefusedRequest(RefusalCode.WORK_NEEDED, detail=encode(WorkChallenge(nonces[0], bits)))


def _take(bucket: TokenBucket, cost: float, now: float) -> None:
    wait_ms = bucket.take(cost, now)
    if wait_ms:
        raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=wait_ms)
