"""Where an entry came from, authenticated by the session that opened it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """`device` is empty while the device behind a new session has not announced itself; `identity` is its X25519
    key."""

    account: bytes
    device: bytes
    identity: bytes
    session: bytes
    mailbox: bytes  # admin capability of the mailbox of mine that it came through
    entry: int  # its number there
