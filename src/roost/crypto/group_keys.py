"""What the members of a group derive from a log's secret: the capabilities of its mailbox (docs/protocol/groups.md).

Nothing need be sent to a member beside the secret, and nothing can be lost. Members could derive each other's `put` and
use up one another's quota; they can never speak for each other, since MLS authenticates what is said.
"""

from __future__ import annotations

from roost.crypto.capability import at_place, capability_place
from roost.crypto.kdf import derive32
from roost.crypto.labels import Label


def group_get(log_secret: bytes) -> bytes:
    """The capability to read (32 bytes) of a log generation's 32-byte secret."""
    return derive32(Label.GROUP_GET, log_secret, b"")


def group_put(log_secret: bytes, device: bytes) -> bytes:
    """The capability to write of the device with this signing key (32 bytes)."""
    return at_place(capability_place(group_get(log_secret)), derive32(Label.GROUP_PUT, log_secret, device))


def group_request_key(log_secret: bytes) -> bytes:
    """The log key, good for the whole generation, under which those ask who cannot follow the group's epochs."""
    return derive32(Label.GROUP_REQUEST, log_secret, b"")
