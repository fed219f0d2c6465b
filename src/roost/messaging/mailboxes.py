"""My mailboxes: one per contact and own device, replaced on a schedule (DESIGN section 6).

A mailbox is a row first; the agent creates it at the relay before anything that mentions its address leaves.
"""

from __future__ import annotations

import msgspec

from roost.crypto import at_place, capability_place
from roost.crypto.meetings import meeting_of
from roost.errors import SurroundingsError
from roost.messaging.records import (
    FileState,
    InvitationRow,
    InvitationState,
    MailboxState,
    OwnMailbox,
    OwnRelay,
    PeerDevice,
    Stash,
    StoredFile,
)
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost, HostAddress, MailboxAddress, OnionHost
from roost.wire.codec import encode
from roost.wire.mailbox import MailboxKind
from roost.wire.sizes import CAPABILITY_SIZE, MEETING_SIZE

DAY_MS = 86_400_000
ROTATE_AFTER_MS = 7 * DAY_MS
MAX_FALLBACKS = 2
MAX_TOLD = 240  # bytes of an onion network's address; the longest with one place has 239
RETIRE_AFTER_MS = 30 * DAY_MS  # by then every envelope in the old mailbox has expired


def primary_relay(work: Work) -> OwnRelay:
    """The relay that gets new mailboxes. Raises SurroundingsError when there is none."""
    relays = [row for row in work.find(OwnRelay) if not row.leaving]
    if not relays:
        raise SurroundingsError(
            "This profile has no relay.", code="no_relay", hint="Add one with: roost relays add LINK"
        )
    return min(relays, key=lambda row: row.rank)


def second_relay(work: Work, first: OwnRelay | None = None) -> OwnRelay | None:
    """The host that gets fallback mailboxes beside those at `first`, by default my primary one: the next by rank. But
    two of different kinds go together, of those with an address, those that are met over carriers (this device, a relay
    at home) and onion networks: contacts without carriers reach no device, those without any relay nothing else."""
    return next(iter(further_relays(work, first or primary_relay(work))), None)


def further_relays(work: Work, first: OwnRelay) -> list[OwnRelay]:
    """The hosts that get fallback mailboxes beside those at `first`: the second one, and a third where that is of yet
    another kind."""
    rows = [row for row in work.find(OwnRelay) if not row.leaving and row.relay != first.relay]
    chosen: list[OwnRelay] = []
    for row in sorted(rows, key=lambda row: (_kind(row) is _kind(first), row.rank)):
        if not chosen or _kind(row) not in {_kind(other) for other in (first, *chosen)}:
            chosen.append(row)
    return chosen[:MAX_FALLBACKS]


def _kind(relay: OwnRelay) -> type[HostAddress]:
    return type(relay.link.address)


def is_met(relay: OwnRelay) -> bool:
    """It has no address, and is met over carriers."""
    return isinstance(relay.link.address, DeviceHost)


def new_mailbox(
    work: Work, *, account: bytes = b"", invitation: bytes = b"", fallback_at: bytes = b"", relay: bytes = b""
) -> OwnMailbox:
    """A mailbox for an account, or for an invitation's knocks, to be created at `relay`, by default my primary one; an
    account's second one at the relay `fallback_at`."""
    kind = MailboxKind.REQUEST if invitation and not account else MailboxKind.ORDINARY
    admin = work.entropy.bytes(CAPABILITY_SIZE)
    get, put = (at_place(capability_place(admin), work.entropy.bytes(CAPABILITY_SIZE)) for _ in range(2))
    return work.put(
        OwnMailbox(
            admin=admin,
            get=get,
            put=put,
            relay=fallback_at or relay or primary_relay(work).relay,
            kind=int(kind),
            account=account,
            invitation=invitation,
            state=MailboxState.TO_CREATE,
            created_at=work.now,
            fallback=bool(fallback_at),
        )
    )


def mailbox_for(work: Work, account: bytes) -> OwnMailbox:
    """The mailbox that this account should write to now; made if there is none."""
    return _newest(_current(work, account, fallback=False)) or new_mailbox(work, account=account)


def fallbacks_for(work: Work, account: bytes) -> list[OwnMailbox]:
    """The mailboxes that take what the first does not; made where they are not there, none where I have one relay
    alone."""
    main = _newest(_current(work, account, fallback=False))
    first = work.get(OwnRelay, main.relay) if main is not None else None
    relays = [relay.relay for relay in further_relays(work, first or primary_relay(work))]
    held = _current(work, account, fallback=True)
    for row in held:
        if row.relay not in relays:
            work.put(msgspec.structs.replace(row, state=MailboxState.RETIRING))
    return [
        _newest([row for row in held if row.relay == relay]) or new_mailbox(work, account=account, fallback_at=relay)
        for relay in relays
    ]


def _current(work: Work, account: bytes, *, fallback: bool) -> list[OwnMailbox]:
    rows = work.find(OwnMailbox, where={"account": account})
    states = (MailboxState.TO_CREATE, MailboxState.ACTIVE)
    return [row for row in rows if row.state in states and row.fallback == fallback]


def _newest(rows: list[OwnMailbox]) -> OwnMailbox | None:
    return max(rows, key=lambda row: row.created_at, default=None)


def awaited(work: Work) -> list[OwnMailbox]:
    """Those that the relay must make before anything leaves that tells their addresses. A fallback is told only once it
    is there."""
    rows = work.find(OwnMailbox, where={"state": int(MailboxState.TO_CREATE)})
    return [row for row in rows if not row.fallback]


def address_of(work: Work, mailbox: OwnMailbox) -> MailboxAddress:
    return MailboxAddress(host_of(work, mailbox), mailbox.put)


def host_of(work: Work, mailbox: OwnMailbox) -> HostAddress:
    """Where others find the mailbox's host: this device, where it is the host, under the mailbox's own meeting."""
    relay = work.need(OwnRelay, mailbox.relay)
    address = relay.link.address
    if relay.here and isinstance(address, DeviceHost):
        return msgspec.structs.replace(address, meeting=meeting_of(mailbox.admin))
    return _told(address)


def log_host(work: Work, relay: OwnRelay) -> HostAddress:
    """Where members find the host of a new log; this device under a new meeting, where it is the host."""
    address = relay.link.address
    if relay.here and isinstance(address, DeviceHost):
        return msgspec.structs.replace(address, meeting=work.entropy.bytes(MEETING_SIZE))
    return _told(address)


def _told(address: HostAddress) -> HostAddress:
    """As others are told of it: of an onion network with long names only one place where its directory is, so that a
    contact request fits one envelope."""
    if isinstance(address, OnionHost) and len(encode(address)) > MAX_TOLD:
        return msgspec.structs.replace(address, at=(min(address.at, key=lambda at: len(encode(at))),))
    return address


def created(work: Work, admin: bytes) -> None:
    """The relay has it."""
    mailbox = work.get(OwnMailbox, admin)
    if mailbox and mailbox.state == MailboxState.TO_CREATE:
        held = _current(work, mailbox.account, fallback=mailbox.fallback) if mailbox.account else []
        held = [row for row in held if not row.fallback or row.relay == mailbox.relay]
        replaced = any(row.created_at > mailbox.created_at for row in held)
        work.put(msgspec.structs.replace(mailbox, state=MailboxState.RETIRING if replaced else MailboxState.ACTIVE))


def deleted(work: Work, admin: bytes) -> None:
    """The relay has forgotten it."""
    mailbox = work.get(OwnMailbox, admin)
    if mailbox and mailbox.state == MailboxState.TO_DELETE:
        if mailbox.kept:
            work.put(msgspec.structs.replace(mailbox, state=MailboxState.CLOSED))
        else:
            work.delete(mailbox)


def lost(work: Work, admin: bytes) -> None:
    """The relay does not know it any more, or has an older state: make it again under the same capabilities. One that
    was replaced is made again while somebody may know no other: after an older copy was put back, they may not."""
    mailbox = work.get(OwnMailbox, admin)
    if mailbox is None:
        return
    in_use = mailbox.state == MailboxState.ACTIVE
    if in_use or (mailbox.state == MailboxState.RETIRING and not _moved(work, mailbox, _successors(work, mailbox))):
        work.put(msgspec.structs.replace(mailbox, state=MailboxState.TO_CREATE, cursor=0, trimmed=0))
        invitation = work.get(InvitationRow, mailbox.invitation) if mailbox.invitation else None
        if invitation is not None and invitation.state == InvitationState.OPEN:  # then its card is gone as well
            work.put(msgspec.structs.replace(invitation, state=int(InvitationState.TO_PUT)))
    elif mailbox.state == MailboxState.RETIRING:
        work.delete(mailbox)


def trimmed(work: Work, admin: bytes, upto: int) -> None:
    mailbox = work.get(OwnMailbox, admin)
    if mailbox and mailbox.trimmed < upto <= mailbox.cursor:
        work.put(msgspec.structs.replace(mailbox, trimmed=upto))


def drop(work: Work, mailbox: OwnMailbox) -> None:
    """Have it deleted at the relay; one that was never created is simply forgotten."""
    work.put(msgspec.structs.replace(mailbox, state=MailboxState.TO_DELETE, kept=False))


def close(work: Work, account: bytes) -> None:
    """A blocked account's mailboxes are deleted at the relay; of those in use the capabilities are kept."""
    used = [row for fallback in (False, True) for row in _current(work, account, fallback=fallback)]
    for mailbox in work.find(OwnMailbox, where={"account": account}):
        if mailbox.state != MailboxState.CLOSED and not mailbox.kept:
            kept = mailbox in used
            work.put(msgspec.structs.replace(mailbox, state=MailboxState.TO_DELETE, kept=kept))


def reopen(work: Work, account: bytes) -> None:
    """The account is not blocked any more, and gets new mailboxes. Those that it knew are made again, as replaced ones:
    who had blocked me as well cannot be told of others before it hears me, nor I of its."""
    for mailbox in work.find(OwnMailbox, where={"account": account}):
        if not mailbox.kept:
            continue
        relay = work.get(OwnRelay, mailbox.relay)
        if relay is None or relay.leaving:
            drop(work, mailbox)
        else:
            rotate(work, mailbox)
            again = msgspec.structs.replace(mailbox, state=MailboxState.TO_CREATE, kept=False, cursor=0, trimmed=0)
            work.put(again)


def drop_all(work: Work, **where: object) -> None:
    for mailbox in work.find(OwnMailbox, where=where):
        drop(work, mailbox)


def rotate(work: Work, mailbox: OwnMailbox) -> None:
    """Replace a contact's mailbox; the old one is read until all their devices have moved."""
    work.put(msgspec.structs.replace(mailbox, state=MailboxState.RETIRING))
    if mailbox.fallback:
        fallbacks_for(work, mailbox.account)
    else:
        new_mailbox(work, account=mailbox.account)


def leave_relay(work: Work, relay: OwnRelay) -> None:
    """Move all mailboxes away from a relay; it is forgotten with the last of them."""
    work.put(msgspec.structs.replace(relay, leaving=True))
    for mailbox in work.find(OwnMailbox, where={"relay": relay.relay}):
        if mailbox.state == MailboxState.ACTIVE and mailbox.account:
            rotate(work, mailbox)
        elif mailbox.state in (MailboxState.TO_CREATE, MailboxState.CLOSED):
            work.delete(mailbox)
        elif not mailbox.account:
            drop(work, mailbox)
    forget_left_relays(work)


def forget_left_relays(work: Work) -> None:
    for relay in work.find(OwnRelay):
        if relay.leaving and not work.find(OwnMailbox, where={"relay": relay.relay}, limit=1):
            work.delete(relay)


def retire(work: Work) -> None:
    """Delete replaced mailboxes that nobody writes to any more, or that are too old to hold anything."""
    for mailbox in work.find(OwnMailbox, where={"state": int(MailboxState.RETIRING)}):
        if work.find(StoredFile, where={"mailbox": mailbox.admin, "state": int(FileState.REMOTE)}, limit=1):
            continue
        successors = _successors(work, mailbox)
        old = work.now - mailbox.created_at > ROTATE_AFTER_MS + RETIRE_AFTER_MS
        if not old and work.find(Stash, where={"mailbox": mailbox.admin}, limit=1):
            continue  # files may hang on what waits for earlier frames
        if (successors or mailbox.fallback) and (old or _moved(work, mailbox, successors)):
            drop(work, mailbox)


def _successors(work: Work, mailbox: OwnMailbox) -> set[bytes]:
    """Those of its account's mailboxes that whoever writes there knows a newer card."""
    return {
        row.admin
        for row in work.find(OwnMailbox, where={"account": mailbox.account})
        if row.created_at > mailbox.created_at and row.state == MailboxState.ACTIVE and mailbox.fallback >= row.fallback
    }


def _moved(work: Work, mailbox: OwnMailbox, successors: set[bytes]) -> bool:
    """Whether all devices of its account have written to a newer one."""
    peers = work.find(PeerDevice, where={"account": mailbox.account})
    return all(peer.wrote_to in successors for peer in peers if peer.announced)
