"""How a rule says no: an exception that becomes the protocol's `Refusal`."""

from __future__ import annotations

from roost.wire.mailbox import Refusal, RefusalCode


class RefusedRequest(Exception):
    """The rules refuse a request. Nothing was changed."""

    def __init__(self, code: RefusalCode, *, retry_after_ms: int = 0, detail: bytes = b"") -> None:
        super().__init__(code.value)
        self.refusal = Refusal(code, retry_after_ms, detail)
