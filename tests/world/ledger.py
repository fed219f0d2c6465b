"""What the world remembers of what people said: who must have it in the end, and who had it when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .driver import Device


@dataclass(frozen=True, slots=True)
class Said:
    """A message that a device accepted. `order` counts what this device said; `to` are numbers of devices."""

    id: bytes
    sender: int
    conversation: bytes
    order: int
    at: int
    to: frozenset[int]


class Ledger:
    def __init__(self) -> None:
        self.said: dict[bytes, Said] = {}
        self.blocked: set[tuple[bytes, bytes]] = set()  # who blocked whom at any time
        self.changed: dict[bytes, set[int]] = {}  # which devices edited a message, deleted it or reacted to it
        self.order: dict[int, list[bytes]] = {}  # by device: messages as they were shown

    def accepted(self, device: Device, id: bytes, conversation: bytes, to: frozenset[int], at: int) -> None:
        self.said[id] = Said(id, device.number, conversation, len(self.said), at, to)

    def shown(self, device: Device, id: bytes) -> None:
        device.received[id] = device.received.get(id, 0) + 1
        self.order.setdefault(device.number, []).append(id)
