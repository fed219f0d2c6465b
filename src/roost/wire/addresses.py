"""Where relays and mailboxes are: the values that travel inside links, cards and conversations."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from roost.wire.codec import Record
from roost.wire.sizes import CAPABILITY_SIZE, MAX_HOST, RELAY_KEY_SIZE

Host = Annotated[str, Meta(min_length=1, max_length=MAX_HOST)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
RelayKey = Annotated[bytes, Meta(min_length=RELAY_KEY_SIZE, max_length=RELAY_KEY_SIZE)]
Capability = Annotated[bytes, Meta(min_length=CAPABILITY_SIZE, max_length=CAPABILITY_SIZE)]
Fingerprint = Annotated[bytes, Meta(max_length=32)]


class RelayAddress(Record, frozen=True):
    """A relay: where it listens and the Ed25519 identity key that it must prove.

    `tls_fingerprint` is empty, or the SHA-256 of the certificate of a proxy that ends TLS in front of it.
    """

    host: Host
    port: Port
    key: RelayKey
    tls_fingerprint: Fingerprint = b""

    @property
    def endpoint(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class MailboxAddress(Record, frozen=True, tag=0):
    """A mailbox at a relay, with the capability to put envelopes into it."""

    relay: RelayAddress
    put: Capability


Address = MailboxAddress
"""Grows into a tagged union when mailboxes at devices and swarms arrive; the tag is on the wire from the start."""
