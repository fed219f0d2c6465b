"""Parcels: how sealed envelopes for mailboxes at people's own devices travel by other people's devices and by files.

A parcel is a copy: the row of the outbox that it was made from stays until its device acknowledges it, whichever way
that comes, so a parcel that is lost costs nothing and one that comes twice is dropped. Couriers are contacts who said
that they carry. This package decides who is given what and what is taken; links and files are the agent's business.

Over a link, the one side: `offer`, then `answered` with what comes back, `parcel_of` for each that this returns, and
`took` with what was confirmed. The other: `want`, then `take` with a batch of what came, its own host for each of
`Taken.mine`, and only then the commit and `TookParcels`. A file: `to_export` and `parcel_of`; `take` with FROM_A_FILE.
"""

from roost.messaging.parcels.carried import Drop, tick
from roost.messaging.parcels.couriers import carriers, change_settings, heard, settings_of, tell
from roost.messaging.parcels.giving import Offered, answered, offer, parcel_of, to_export, took
from roost.messaging.parcels.taking import (
    FROM_A_FILE,
    Mine,
    Taken,
    defer,
    settled,
    take,
    waiting,
    want,
)

__all__ = [
    "FROM_A_FILE",
    "Drop",
    "Mine",
    "Offered",
    "Taken",
    "answered",
    "carriers",
    "change_settings",
    "defer",
    "heard",
    "offer",
    "parcel_of",
    "settings_of",
    "settled",
    "take",
    "tell",
    "tick",
    "to_export",
    "took",
    "waiting",
    "want",
]
