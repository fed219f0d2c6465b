"""Which clients' links are attached to which tokens at an onion node, which token has a link's packets carried, and how
fast.

A link has a share of the node for a token that it was admitted with, as long as the nonce of the work for it is in
force, and one however many tokens it has. A token is of one link, the newest that shows it, and its share goes with it.
Replies for a token come for as long as its link stands.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Generic, TypeVar

from roost.relay.core.limits import TokenBucket
from roost.relay.core.refusal import RefusedRequest
from roost.wire.mailbox import RefusalCode

MAX_TOKENS = 16  # of one link: a new one each period, until its client connects anew

L = TypeVar("L")


class Tokens(Generic[L]):
    """Of all links of a node."""

    def __init__(self) -> None:
        self._links: dict[bytes, L] = {}
        self._tokens: dict[L, dict[bytes, bytes]] = {}  # the first attached first, each with the nonce of its work

    def __len__(self) -> int:
        """Links."""
        return len(self._tokens)

    def attach(self, link: L, token: bytes, nonce: bytes) -> None:
        """Raises RefusedRequest: full."""
        own = self._tokens.get(link, {})
        if len(own) >= MAX_TOKENS and token not in own:
            raise RefusedRequest(RefusalCode.FULL)
        before = self._links.get(token)
        if before is not None and before != link:
            del self._tokens[before][token]
        self._tokens.setdefault(link, own)[token] = nonce
        self._links[token] = link

    def detach(self, link: L) -> None:
        """It is over, and its tokens with it."""
        for token in self._tokens.pop(link, ()):
            del self._links[token]

    def link(self, token: bytes) -> L | None:
        """Where replies for the token go."""
        return self._links.get(token)

    def share(self, link: L, nonces: Container[bytes]) -> bytes | None:
        """The token whose share is this link's: the first of those in force."""
        return next((token for token, nonce in self._tokens.get(link, {}).items() if nonce in nonces), None)


class Paces:
    """`rate` packets a second of each token, and `burst` at once, over whichever links they come."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[bytes, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, token: bytes, now: float) -> int:
        """0, or how many milliseconds the token's next packet must wait."""
        bucket = self._buckets.get(token)
        if bucket is None:
            bucket = self._buckets[token] = TokenBucket(self._rate, self._burst, now)
        return bucket.take(1.0, now)

    def forget(self, now: float) -> None:
        """Those that sent nothing for so long that they are as new. Call it now and then."""
        self._buckets = {token: bucket for token, bucket in self._buckets.items() if not bucket.full(now)}
