"""Operations for talking from device to device, and what they answer (docs/cli.md, "Without a server").

Carriers are the ways on which devices meet; whoever is shown nearby can be added without a link; couriers and files
carry what cannot go directly. Place: agent, a part of the table in operations.py.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.agent.request import Request, Wait
from roost.agent.views import AddedContact, Done, View

Line = Annotated[str, Meta(max_length=1_000)]
NearbyName = Annotated[str, Meta(min_length=1, max_length=256)]
FIND_S = 15.0


class CarrierKind(enum.StrEnum):
    """The ways on which devices meet, in the order in which they are tried."""

    LAN = "lan"
    BLUETOOTH = "bluetooth"
    INTERNET = "internet"
    TOR = "tor"


# --- answers ---------------------------------------------------------------------------------------------------------


class CarrierView(View, frozen=True, kw_only=True):
    """A carrier. `on`: the person wants it; `ready`: it can be found and can dial now, or `why` not and what to do
    (`hint`). `shows`: what others learn through it; `links`: devices that are linked over it now."""

    carrier: CarrierKind
    on: bool
    ready: bool = False
    why: str = ""
    hint: str = ""
    shows: str = ""
    links: int = 0


class CarrierSettings(View, frozen=True, kw_only=True):
    """How carriers reach what they need. Tor: `bridges`, or an existing Tor's control port (`control`), and whether a
    password for it is kept. `adapter`: the Bluetooth adapter; empty: the system's. The internet: its UDP `port` (0:
    any), and addresses (ADDRESS:PORT) at which this device is known to be reached besides (`external`)."""

    bridges: tuple[str, ...] = ()
    control: str = ""
    has_password: bool = False
    adapter: str = ""
    port: int = 0
    external: tuple[str, ...] = ()


class NearbyPerson(View, frozen=True, kw_only=True):
    """Somebody who shows themselves on the local network. Anybody can take any name: compare the safety number."""

    name: str
    link: str


class NearbyView(View, frozen=True, kw_only=True):
    """`showing`: this profile is shown as `name` at present. `people`: others who are shown."""

    showing: bool
    name: str
    people: tuple[NearbyPerson, ...] = ()


class CourierView(View, frozen=True, kw_only=True):
    """What this device carries for others. `uses`: what waits here is given to contacts who carry.

    Limits: `hops` couriers one after the other, `days` for which something is carried, `size` bytes in all, of which
    one contact may fill `share` per cent, and `rate` bytes from one contact in a day. `parcels`, `bytes`: carried now.
    `couriers`: ids of contacts who carry.
    """

    carries: bool
    uses: bool
    hops: int
    days: int
    size: int
    share: int
    rate: int
    parcels: int = 0
    bytes: int = 0
    couriers: tuple[str, ...] = ()


class CarryExported(Done, frozen=True, kw_only=True):
    """A file of parcels was written. `mine`: those that began here; the others are carried for somebody else."""

    path: str
    parcels: int
    mine: int
    size: int


class CarryImported(Done, frozen=True, kw_only=True):
    """What was in a file of parcels: for this device (`mine`), carried on from now on (`kept`), known already or not
    taken (`dropped`), and damaged (`lost`)."""

    mine: int
    kept: int
    dropped: int
    lost: int


# --- requests --------------------------------------------------------------------------------------------------------


class Carriers(Request[tuple[CarrierView, ...]], frozen=True, kw_only=True):
    """All carriers, in the order in which they are tried, whether on or off."""


class CarriersTurn(Request[tuple[CarrierView, ...]], frozen=True, kw_only=True):
    """Turn carriers on or off. The first one makes this device a host of its own mailboxes.

    Raises code `shows_address` for the internet, which shows contacts where one is, and `last_carrier` where nothing
    would be left by which anybody could reach this profile, unless `sure`.
    """

    carriers: Annotated[tuple[CarrierKind, ...], Meta(min_length=1, max_length=8)]
    on: bool
    sure: bool = False


class CarriersSet(Request[CarrierSettings], frozen=True, kw_only=True):
    """Change how carriers reach what they need; None leaves a setting as it is, empty takes it back. The carrier
    starts anew."""

    bridges: Annotated[tuple[Line, ...], Meta(max_length=32)] | None = None
    control: Line | None = None
    password: Line | None = None
    adapter: Line | None = None
    port: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    external: Annotated[tuple[Line, ...], Meta(max_length=8)] | None = None


class Nearby(Request[NearbyView], frozen=True, kw_only=True):
    """Who is shown on the local network. `show` True shows oneself too, with the name and a one-time invitation, to
    everybody there: for half a minute after it was asked for last. False hides, None leaves that as it is."""

    show: bool | None = None


class NearbyAdd(Request[AddedContact], frozen=True, kw_only=True):
    """Ask somebody who is shown on the local network, by name, to become a contact; looks for `timeout_s`.

    Raises code `unknown_nearby`, and `ambiguous` where several show this name.
    """

    name: NearbyName
    greeting: str = ""
    timeout_s: Wait = FIND_S


class Courier(Request[CourierView], frozen=True, kw_only=True):
    """What this device carries for others, and who carries for it. Works offline."""


class CourierSet(Request[CourierView], frozen=True, kw_only=True):
    """Change what this device carries for others; None leaves a setting as it is. Contacts are told whether it
    carries. Raises code `bad_setting`."""

    carries: bool | None = None
    uses: bool | None = None
    hops: int | None = None
    days: int | None = None
    size: int | None = None
    share: int | None = None
    rate: int | None = None


class CarryExport(Request[CarryExported], frozen=True, kw_only=True):
    """Write all that waits here for other people's devices, and what is carried for others, into a file at the path
    `to`; sealed: whoever finds it reads nothing. `contact`: only what is for this one. `files`: attachments too.

    Raises code `file_exists` unless `replace`.
    """

    to: str
    contact: str | None = None
    files: bool = True
    replace: bool = False


class CarryImport(Request[CarryImported], frozen=True, kw_only=True):
    """Take in a file of parcels: what is for this device arrives, the rest is carried on where it may be."""

    path: str


REQUESTS: tuple[type[Request[object]], ...] = (
    *(Carriers, CarriersTurn, CarriersSet, Nearby, NearbyAdd),
    *(Courier, CourierSet, CarryExport, CarryImport),
)  # type: ignore[assignment]
