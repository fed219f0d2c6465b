"""What a session consists of: packets to send, what became of them, open calls and subscriptions. Plain data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from roost.network.link_core import Answered, Delivered
from roost.wire.mailbox import Refusal, Request


@dataclass(eq=False)
class Up:
    """A packet to send to `host`. Whoever sends it puts up to `blocks` reply blocks in and notes the nodes it uses."""

    host: bytes
    session: bytes
    message: int
    part: int
    parts: int
    data: bytes
    blocks: int
    asks: bool = False  # it completes a message, so that something will answer
    nodes: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """Packets were answered after `seconds` (None: unknown, since they were sent more than once), or lost (`arrived` is
    False), or nobody waits for them any more (None)."""

    ups: tuple[Up, ...]
    arrived: bool | None
    seconds: float | None = None


@dataclass(frozen=True)
class Began:
    """The subscription of `call` stands, at a node whose newest entry is `end`."""

    call: int
    end: int


@dataclass(frozen=True)
class Interrupted:
    """The subscription of `call` is being moved to another node."""

    call: int


@dataclass(frozen=True)
class Ended:
    """The subscription of `call` was refused for good."""

    call: int
    refusal: Refusal


SessionEvent = Answered | Delivered | Began | Interrupted | Ended


@dataclass(eq=False)
class Message:
    """A call without its answer."""

    call: int
    request: Request
    number: int
    parts: list[bytes]
    needs: int  # reply blocks for the answer
    ours: bool  # nobody waits for its answer
    unsent: int = 0  # how many packets of this asking were sent
    copies: int = 1  # how often each part is sent in one asking
    attempts: int = 0
    seen: int = 0  # the newest frame that had come when it was first asked
    sent_at: tuple[float, float] = (0.0, 0.0)  # the last time and the one before it
    not_before: float = 0.0
    deadline: float | None = None  # when it is overdue; None until it is sent
    ups: list[Up] = field(default_factory=list)


@dataclass(eq=False)
class Following:
    """A subscription."""

    get: bytes
    after: Callable[[], int]  # the last entry that is stored
    last: int  # the number of the last entry that was handed on
    since: int = 0  # the frame of the node that began it; deliveries in earlier ones are not for it
    end: int = 0  # the newest entry when it began
    refusals: int = 0  # in a row
    again_at: float | None = None  # when to ask again, after a refusal that passes
    anew: bool = False  # everything was asked for once more
