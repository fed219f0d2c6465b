"""How a conversation travels, as a person chose it and tells their other devices: which network first, and how fast."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.wire.codec import Record
from roost.wire.identity import Key32


class Network(enum.IntEnum):
    """The four networks, the one that exposes most first; ANY where none was chosen."""

    ANY = 0
    CENTRAL = 1
    FEDERATED = 2
    ONION = 3
    DIRECT = 4


class TravelChange(Record, frozen=True, tag=70):
    """To my other devices. `prefers`: the network that is tried first in this conversation, a contact's, a group's or a
    channel's. `mixed`: through an onion network slowly, among cover traffic (docs/protocol/onion.md).
    The change with the highest `changed_at`, milliseconds since 1970, holds."""

    conversation: Key32
    prefers: Network
    mixed: bool
    changed_at: Annotated[int, Meta(ge=0, le=2**50)]


class NetworkEntered(Record, frozen=True, tag=71):
    """To my other devices: I did something that leads into this onion network, named by its id, so its nodes may be
    called."""

    network: Key32
