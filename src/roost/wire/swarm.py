"""What the nodes that keep a mailbox of an onion network together say to each other (docs/protocol/onion.md, "Swarms").

Each is the body of a `SwarmCall` (wire.mailbox), answered by one of the answers below. Everything may come late, twice
or not at all. `operations` are encoded changes of the storage (relay.core.operations); those who take them check them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from roost.wire.codec import Record
from roost.wire.mailbox import Count, NodeKey
from roost.wire.sizes import PLACE_SIZE, SWARM_OPERATIONS

INCARNATION_SIZE = 16
MAX_REPLICAS = 9
MAX_PLANS = 32
MAX_BEATS = 2_048
MAX_RECALLED = 256

Place = Annotated[bytes, Meta(min_length=PLACE_SIZE, max_length=PLACE_SIZE)]
Incarnation = Annotated[bytes, Meta(min_length=INCARNATION_SIZE, max_length=INCARNATION_SIZE)]
View = Annotated[int, Meta(ge=0, lt=2**33)]  # so that numbers of entries, which begin with it, are below 2**53
Operations = Annotated[bytes, Meta(max_length=SWARM_OPERATIONS)]


class Member(Record, frozen=True):
    """A node with what it has on its disk: a disk that was lost makes another incarnation. Empty: not known."""

    node: NodeKey
    incarnation: Annotated[bytes, Meta(max_length=INCARNATION_SIZE)]


Members = Annotated[tuple[Member, ...], Meta(max_length=MAX_REPLICAS)]


class Standing(Record, frozen=True):
    """How a node stands to a place.

    It follows no view below `promised`, which `voted` leads. What it holds is the state after batch `sequence` of
    `view`, which `members` keep; or it holds nothing of that (`present` is False). `planned`: the members of views that
    it promised since. `sure`: what it does not know of this place it did not forget. `leading`: it leads `promised`.
    `courted`: `voted` is about to lead it, and was heard of a moment ago. `origin`: the view that began with nothing,
    from which what it holds comes.
    """

    incarnation: Incarnation
    sure: bool
    promised: View = 0
    voted: Annotated[bytes, Meta(max_length=32)] = b""
    planned: Annotated[tuple[Members, ...], Meta(max_length=MAX_PLANS)] = ()
    view: View = 0
    sequence: Count = 0
    members: Members = ()
    present: bool = False
    leading: bool = False
    courted: bool = False
    origin: View = 0

    @property
    def known(self) -> bool:
        """The node has heard of the place before."""
        return self.promised > 0


# --- calls ----------------------------------------------------------------------------------------------------------


class Look(Record, frozen=True, tag=0):
    """How do you stand to this place? Changes nothing. Answered by `Standing`."""

    place: Place


class Prepare(Record, frozen=True, tag=1):
    """Promise to follow nobody but me in a view below `view`, which I want to lead for `members`. By `Promise`."""

    place: Place
    view: View
    members: Members


class Adopt(Record, frozen=True, tag=2):
    """What you hold as of (`base`, `base_sequence`) is the beginning of my view. By `Taken`."""

    place: Place
    view: View
    members: Members
    base: View
    base_sequence: Count


class Append(Record, frozen=True, tag=3):
    """The batch `sequence` of my view. By `Taken`."""

    place: Place
    view: View
    sequence: Count
    operations: Operations


class Deposit(Record, frozen=True, tag=4):
    """Piece `piece` of a copy of the state after batch `sequence` of my view; with the last one it takes the place of
    what you hold. By `Taken`."""

    place: Place
    view: View
    members: Members
    sequence: Count
    piece: Count
    last: bool
    operations: Operations
    origin: View = 0


class Fetch(Record, frozen=True, tag=5):
    """Give me piece `piece` of a copy of what you hold; you have promised me `view`. By `Piece`."""

    place: Place
    view: View
    piece: Count


class BeatItem(Record, frozen=True):
    place: Place
    view: View
    sequence: Count


class Beat(Record, frozen=True, tag=6):
    """I lead these. By `Heard`."""

    items: Annotated[tuple[BeatItem, ...], Meta(max_length=MAX_BEATS)]


class Retire(Record, frozen=True, tag=7):
    """`view` is installed on its `members`, and you are none of them: what you hold may go, if it comes from `origin`.
    By `Taken`."""

    place: Place
    view: View
    members: Members
    origin: View = 0


class Recall(Record, frozen=True, tag=8):
    """I may have forgotten something: at which places behind `after` did you know me? By `Recalled`."""

    after: Annotated[bytes, Meta(max_length=PLACE_SIZE)]


class Nudge(Record, frozen=True, tag=9):
    """See that this place has a leader, and that its members are the right ones. By `Taken`."""

    place: Place


SwarmMessage = Look | Prepare | Adopt | Append | Deposit | Fetch | Beat | Retire | Recall | Nudge


# --- answers --------------------------------------------------------------------------------------------------------


class Promise(Record, frozen=True, tag=0):
    """`standing` is as it was before; the promise is durable. Not `granted`: promised to another or a higher view."""

    granted: bool
    standing: Standing


class Taken(Record, frozen=True, tag=1):
    """It is durable (`done`), and I hold the view's batches up to `sequence`. Else `promised` tells of a higher view,
    or I lack something before it."""

    done: bool
    incarnation: Incarnation
    promised: View = 0
    sequence: Count = 0


class Piece(Record, frozen=True, tag=2):
    """`last`: there is none after it. A piece beyond the end, or of what I do not hold: empty `operations`."""

    last: bool
    operations: Operations


class Heard(Record, frozen=True, tag=3):
    """Of the items, by their numbers: those whose leader is another now, and those of which I lack something."""

    refused: Annotated[tuple[Count, ...], Meta(max_length=MAX_BEATS)]
    behind: Annotated[tuple[Count, ...], Meta(max_length=MAX_BEATS)]


class RecalledPlace(Record, frozen=True):
    place: Place
    standing: Standing


class Recalled(Record, frozen=True, tag=4):
    places: Annotated[tuple[RecalledPlace, ...], Meta(max_length=MAX_RECALLED)]
    after: Annotated[bytes, Meta(max_length=PLACE_SIZE)]  # ask behind it next; empty: these were the last


class Seen(Record, frozen=True, tag=5):
    """Answer to `Look`."""

    standing: Standing


SwarmReply = Promise | Taken | Piece | Heard | Recalled | Seen
