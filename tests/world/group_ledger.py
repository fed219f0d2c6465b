"""What the world remembers of its group: what was said in it, by whom, in which epoch; who joined and left when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roost.messaging import records as r
from roost.messaging.groups.sending import INCARNATION

if TYPE_CHECKING:
    from .driver import Device


@dataclass(frozen=True, slots=True)
class SaidInGroup:
    """A message that a device accepted in `epoch` as its profile knew it; `to` are the numbers of the members' devices,
    as it knew them then, without its own."""

    id: bytes
    sender: int
    order: int
    at: int
    epoch: int
    to: frozenset[int]
    with_file: bool = False  # what is said after it does not wait for its blobs


@dataclass
class GroupLedger:
    id: bytes = b""
    said: dict[bytes, SaidInGroup] = field(default_factory=dict)
    changed: dict[bytes, set[int]] = field(default_factory=dict)
    joined: dict[int, list[int]] = field(default_factory=dict)  # by device: the epochs in which it was welcomed
    ended: dict[int, list[int]] = field(default_factory=dict)  # by device: when it was removed or left
    returned: dict[int, list[int]] = field(default_factory=dict)  # by device: when it lost its state or came back
    roles: set[int] = field(default_factory=set)  # devices of people whose role may have been one that may not post
    host_lied: bool = False  # it showed members different things, or forgot some: a fork may be found

    def told(self, device: Device, event: r.Event, now: int) -> None:
        """Something happened to a device's membership."""
        kind = event.detail.split(":")[0]
        row = device.look().get(r.GroupRow, self.id) if event.subject == self.id else None
        if row is None:
            return
        if kind == "joined":
            self.joined.setdefault(device.number, []).append(row.counter // INCARNATION)
        elif kind in ("removed", "left"):
            self.ended.setdefault(device.number, []).append(now)
        elif kind in ("lost", "rejoined"):
            if kind == "rejoined" and row.since not in self.joined.setdefault(device.number, []):
                self.joined[device.number].append(row.since)  # no Welcome ever came, or did not lead in
            self.returned.setdefault(device.number, []).append(now)
