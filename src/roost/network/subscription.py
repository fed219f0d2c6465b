"""A subscription as its owner sees it: it outlives the links that carry it. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roost.errors import Refused


class Subscription:
    """Deliveries of one mailbox at an own relay, made by `Network.subscribe`.

    `caught_up` is set once everything that was there when the present link subscribed has been delivered, and cleared
    when the link is lost. `refused` is the relay's final no (the mailbox is gone): nothing follows, and `caught_up` is
    set so that nobody waits in vain.
    """

    def __init__(
        self,
        get: bytes,
        after: Callable[[], int],
        deliver: Callable[[int, bytes], None],
        on_close: Callable[[Subscription], None],
        on_refused: Callable[[], None] | None = None,
        *,
        mixed: bool = False,
    ) -> None:
        """`mixed`: on an onion network, deliveries are delayed and among cover traffic."""
        self.get = get
        self.mixed = mixed
        self.after = after
        self.caught_up = asyncio.Event()
        self.refused: Refused | None = None
        self.closed = False
        self.call: int | None = None  # on the link that carries it now
        self._deliver = deliver
        self._on_close = on_close
        self._on_refused = on_refused
        self._seen = 0
        self._end: int | None = None

    def close(self) -> None:
        """Nothing is delivered any more from this moment on."""
        if not self.closed:
            self.closed = True
            self.caught_up.set()
            self._on_close(self)

    # --- for the keeper -----------------------------------------------------------------------------------------------

    def starting(self, *, anew: bool = False) -> int:
        """A link is about to subscribe; returns the cursor to subscribe from: 0 to have everything `anew`."""
        self._seen, self._end = (0 if anew else self.after()), None
        return self._seen

    def began(self, call: int, end: int) -> None:
        self.call, self._end = call, end
        self._progress()

    def delivered(self, number: int, envelope: bytes) -> None:
        if not self.closed:
            self._deliver(number, envelope)
            self._seen = max(self._seen, number)
            self._progress()

    def interrupted(self) -> None:
        """The link that carried it is over."""
        self.call = None
        if not self.closed and self.refused is None:
            self.caught_up.clear()

    def refuse(self, error: Refused) -> None:
        self.refused = error
        self.caught_up.set()
        if self._on_refused is not None:
            self._on_refused()

    def _progress(self) -> None:
        if self._end is not None and self._seen >= self._end:
            self.caught_up.set()
