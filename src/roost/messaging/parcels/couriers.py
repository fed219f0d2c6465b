"""Who is a courier: what this device was let do, and which contacts said that they carry.

Both are off until the person turns them on. To carry costs room and says to contacts that this device does; to give
parcels away shows a courier that something is on its way, and to whom it is handed in the end.
"""

from __future__ import annotations

import msgspec

from roost.errors import CallerError
from roost.messaging import outbox
from roost.messaging.origin import Origin
from roost.messaging.parcels import carried
from roost.messaging.records import Contact, ContactState, CourierDevice, CourierSettings, PeerDevice
from roost.messaging.said import NotAllowed
from roost.messaging.work import Work
from roost.wire.content import CourierOffer, encode_content
from roost.wire.parcels import MAX_HOPS

KNOWN = (ContactState.ACCEPTED, ContactState.SELF)
TELL_AGAIN_MS = 7 * carried.DAY_MS
LIMITS = {  # field: from, to
    "hops": (1, MAX_HOPS),
    "days": (1, 30),
    "total": (2**20, 2**36),
    "share": (1, 100),
    "daily": (2**18, 2**36),
}


def settings_of(work: Work) -> CourierSettings:
    return work.get(CourierSettings, 0) or CourierSettings()


def uses_couriers(settings: CourierSettings) -> bool:
    """Whether parcels of mine are given to contacts who carry: who helps others may well be helped."""
    return settings.carries if settings.uses is None else settings.uses


def change_settings(work: Work, settings: CourierSettings) -> None:
    """Take over what the person set. Who stops carrying forgets what was carried. Raises CallerError `bad_setting`."""
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(settings, name) <= most:
            raise CallerError(f"For couriers, {name} is from {least} to {most}.", code="bad_setting")
    work.put(msgspec.structs.replace(settings, id=0))
    if not settings.carries:
        carried.forget_all(work)
    tell(work)


def tell(work: Work) -> None:
    """Every device of my contacts, and of mine, hears whether this one carries, unless it has; weekly while it does,
    since whoever was put back from an older copy has forgotten."""
    carries = settings_of(work).carries
    content = encode_content(CourierOffer(carries))
    for state in KNOWN:
        for contact in work.find(Contact, where={"state": int(state)}):
            for peer in work.find(PeerDevice, where={"account": contact.account}):
                row = _device(work, peer.account, peer.device)
                again = carries and work.now - row.told_at > TELL_AGAIN_MS
                if (row.told != carries or again) and peer.address is not None:
                    work.put(msgspec.structs.replace(row, told=carries, told_at=work.now))
                    outbox.queue(work, peer.account, peer.device, content)


def heard(work: Work, origin: Origin, conversation: bytes, *, carries: bool) -> None:
    """A device said whether it carries."""
    if origin.account != conversation or work.get(PeerDevice, origin.account, origin.device) is None:
        raise NotAllowed("a device speaks of itself alone")
    row = _device(work, origin.account, origin.device)
    work.put(msgspec.structs.replace(row, carries=carries))
    work.tell("contact", origin.account, origin.account, "courier")


def carriers(work: Work) -> set[bytes]:
    """The accounts of whom some device carries; mine too, if another device of mine does."""
    return {row.account for row in work.find(CourierDevice) if row.carries and is_known(work, row.account)}


def is_known(work: Work, account: bytes) -> bool:
    contact = work.get(Contact, account)
    return contact is not None and contact.state in KNOWN


def _device(work: Work, account: bytes, device: bytes) -> CourierDevice:
    return work.get(CourierDevice, account, device) or CourierDevice(account, device)
