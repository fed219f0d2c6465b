"""Invitations, requests and contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from roost.agent import browsing as b
from roost.agent import naming, opening, showing, syncing
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.actions.registry import handles
from roost.crypto import account_id, safety_number
from roost.errors import CallerError, RoostError, Unreachable
from roost.messaging import accounts, contact_sync, introductions, invitations, parcels, requests
from roost.messaging import records as r
from roost.messaging.groups import actions
from roost.messaging.work import Work
from roost.wire.addresses import DeviceHost
from roost.wire.identity import SignedCard
from roost.wire.links import Invitation, InvitationKind, parse_invitation
from roost.wire.sizes import MAX_GREETING

if TYPE_CHECKING:
    from roost.agent.service import Service

CONNECT_S = 10.0
KNOCK_S = 15.0
FETCH_S = 3.0
_NOT_FOR_CONTACTS = (InvitationKind.DEVICE, InvitationKind.GROUP)
_USABLE = (r.InvitationState.TO_PUT, r.InvitationState.OPEN)


# --- invitations -----------------------------------------------------------------------------------------------------


@handles(o.Invite)
async def invite(service: Service, request: o.Invite) -> v.InvitationView:
    engine = service.engine
    await syncing.connect(engine, CONNECT_S)
    kind = InvitationKind.ONE_TIME if request.one_time else InvitationKind.REUSABLE
    expires_at = engine.now_ms + request.expire_s * 1000 if request.expire_s else 0
    row = engine.step(invitations.make, kind, expires_at=expires_at)
    try:
        await engine.outgoing.settle_invitation(row.secret)
    except RoostError:
        engine.step(lambda work: invitations.end(work, work.need(r.InvitationRow, row.secret)))
        raise
    return showing.invitation(engine.look(), row)


@handles(o.Invitations)
async def list_invitations(service: Service, _: o.Invitations) -> tuple[v.InvitationView, ...]:
    work = service.engine.look()
    rows = [row for row in work.find(r.InvitationRow) if row.state in _USABLE and row.kind not in _NOT_FOR_CONTACTS]
    made = tuple(showing.invitation(work, row) for row in sorted(rows, key=lambda row: row.created_at))
    return (*made, *(showing.followed(row) for row in work.find(r.Followed)))


@handles(o.Revoke)
async def revoke(service: Service, request: o.Revoke) -> v.InvitationView:
    engine = service.engine

    named = request.invitation.strip()
    followed = next(
        (row for row in engine.look().find(r.Followed) if named in (row.link, showing.followed(row).id)), None
    )
    if followed is not None:
        engine.step(invitations.forget_followed, followed.secret)
        return showing.followed(followed)

    def end(work: Work) -> r.InvitationRow:
        row = invitations.find(work, request.invitation.strip())
        if row.state in _USABLE:
            invitations.end(work, row)
        return row

    row = engine.step(end)
    return showing.invitation(engine.look(), row)


async def fetch_card(service: Service, invitation: Invitation) -> SignedCard:
    """The checked card behind an invitation, once a relay of mine is there."""
    await syncing.connect(service.engine, CONNECT_S)
    return await opening.fetch_card(service.engine, invitation)


@handles(o.Add)
async def add(service: Service, request: o.Add) -> v.AddedContact:
    invitation = parse_invitation(request.link)
    if invitation.kind == InvitationKind.DEVICE:
        raise CallerError(
            "This is the code of a new device of somebody's.",
            code="device_code",
            hint="If it is yours: roost device link --confirm CODE",
        )
    if invitation.kind == InvitationKind.GROUP:
        raise CallerError("This link leads into a group.", code="group_link", hint="Follow it: roost group join LINK")
    if len(request.greeting.encode()) > MAX_GREETING:
        raise CallerError("This greeting is too long.", code="too_long", hint=f"Use at most {MAX_GREETING} bytes.")
    engine = service.engine
    await syncing.connect(engine, CONNECT_S)
    try:
        contact = await opening.ask(engine, invitation, request.greeting)
    except Unreachable as error:
        if not isinstance(invitation.relay, DeviceHost) or error.code == "carriers_off":
            raise
        engine.step(invitations.follow_later, invitation, request.greeting)
        return v.AddedContact(contact="", waiting=True)

    def settled() -> bool:
        rows = engine.look().find(r.Outbox, where={"account": contact.account})
        return all(row.state == r.OutboxState.STORED or row.problem for row in rows if row.address is not None)

    await syncing.until(engine, settled, KNOCK_S)
    contact = engine.look().get(r.Contact, contact.account) or contact
    return v.AddedContact(
        contact=account_id(contact.account),
        name=showing.contact_name(contact),
        state=showing.CONTACT_STATES[r.ContactState(contact.state)],
    )


# --- requests --------------------------------------------------------------------------------------------------------


@handles(o.Requests)
async def list_requests(service: Service, _: o.Requests) -> tuple[v.RequestView, ...]:
    await syncing.refresh(service.engine, FETCH_S)
    work = service.engine.look()
    rows = work.find(r.Request, where={"state": int(r.RequestState.PENDING)})
    return tuple(showing.request(work, row) for row in sorted(rows, key=lambda row: row.received_at))


async def _pending(service: Service, named: str) -> r.Request:
    """The named request; fetched first when it is not here yet."""
    try:
        return requests.pending(service.engine.look(), named)
    except CallerError:
        await syncing.refresh(service.engine, FETCH_S)
        return requests.pending(service.engine.look(), named)


@handles(o.Accept)
async def accept(service: Service, request: o.Accept) -> v.NamedContact:
    knock = await _pending(service, request.id)
    if request.name:
        accounts.check_name(request.name)
    contact = service.engine.step(requests.accept, knock, request.name or "")
    opening.enter_networks(service.engine, contact.account)
    return v.NamedContact(
        contact=account_id(contact.account),
        name=showing.contact_name(contact),
        compare=showing.came_nearby(service.engine.look(), knock),
    )


@handles(o.Decline)
async def decline(service: Service, request: o.Decline) -> v.ContactChange:
    knock = await _pending(service, request.id)
    service.engine.step(requests.decline, knock)
    return v.ContactChange(contact=account_id(knock.account), name=knock.name, done="declined")


@handles(o.Introduce)
async def introduce(service: Service, request: o.Introduce) -> v.Introduced:
    work = service.engine.look()
    first, second = naming.contact(work, request.first), naming.contact(work, request.second)
    service.engine.step(introductions.introduce, first.account, second.account)
    return v.Introduced(first=account_id(first.account), second=account_id(second.account))


@handles(b.Introductions)
async def list_introductions(service: Service, _: b.Introductions) -> tuple[b.IntroductionView, ...]:
    work = service.engine.look()
    found = []
    for id in introductions.unanswered(work):
        content = introductions.content_of(work, id)
        introducer = work.get(r.Contact, work.need(r.Message, id).conversation)
        known = work.get(r.Contact, content.account) is not None or content.account == work.me.account
        if introducer is not None and not known:
            found.append(
                b.IntroductionView(
                    id=id.hex(),
                    by=account_id(introducer.account),
                    by_name=showing.contact_name(introducer),
                    name=content.name,
                    account=account_id(content.account),
                )
            )
    return tuple(found)


@handles(b.FollowIntroduction)
async def follow_introduction(service: Service, request: b.FollowIntroduction) -> v.AddedContact:
    id = naming.message_id(request.id)
    content = introductions.content_of(service.engine.look(), id)
    added = await add(service, o.Add(link=content.link, greeting=request.greeting))
    service.engine.step(introductions.answered, id)
    return added


@handles(b.DeclineIntroduction)
async def decline_introduction(service: Service, request: b.DeclineIntroduction) -> v.Done:
    id = naming.message_id(request.id)
    introductions.content_of(service.engine.look(), id)
    service.engine.step(introductions.answered, id)
    return v.Done()


# --- contacts --------------------------------------------------------------------------------------------------------


@handles(o.Contacts)
async def contacts(service: Service, _: o.Contacts) -> tuple[v.ContactView, ...]:
    await syncing.refresh(service.engine, FETCH_S)
    work = service.engine.look()
    rows = [row for row in work.find(r.Contact) if row.state not in r.HIDDEN_CONTACTS]
    near, couriers = service.engine.devices.near(), parcels.carriers(work)
    shown = (
        (row, showing.contact(work, row)) for row in sorted(rows, key=lambda row: showing.contact_name(row).lower())
    )
    return tuple(
        msgspec.structs.replace(view, near=near.get(row.account, ""), courier=row.account in couriers)
        for row, view in shown
    )


@handles(o.Verify)
async def verify(service: Service, request: o.Verify) -> v.SafetyNumber:
    engine = service.engine
    account = _whom_to_verify(engine.look(), request.conversation)
    if request.confirm is not None:
        engine.step(actions.verify, account, request.confirm)
    held = engine.look().get(r.Contact, account)
    number = safety_number(engine.look().me.account, account)
    return v.SafetyNumber(
        safety_number=number, verified=held is not None and held.verified, contact=account_id(account)
    )


def _whom_to_verify(work: Work, named: str) -> bytes:
    """A contact, or somebody who is in a group with me. Raises CallerError."""
    try:
        contact = naming.contact_of(
            work,
            named,
            why="Safety numbers are those of two people: verify the members one by one.",
            hint="Who is in it: roost group members GROUP, then roost verify NAME-OR-ID",
        )
    except CallerError as error:
        if error.code != "unknown_conversation":
            raise
        try:
            return naming.fellow(work, named)[0]
        except CallerError as fellow:
            if fellow.code != "unknown_member":
                raise
        raise
    return contact.account


def _changed(contact: r.Contact, done: str) -> v.ContactChange:
    return v.ContactChange(contact=account_id(contact.account), name=showing.contact_name(contact), done=done)


@handles(o.Block)
async def block(service: Service, request: o.Block) -> v.ContactChange:
    contact = naming.contact(service.engine.look(), request.contact)
    service.engine.step(requests.block, contact.account)
    return _changed(contact, "blocked")


@handles(o.Unblock)
async def unblock(service: Service, request: o.Unblock) -> v.ContactChange:
    contact = naming.contact(service.engine.look(), request.contact)
    service.engine.step(requests.unblock, contact.account)
    return _changed(contact, "unblocked")


@handles(o.Rename)
async def rename(service: Service, request: o.Rename) -> v.ContactChange:
    contact = naming.contact(service.engine.look(), request.contact)
    if request.name:
        accounts.check_name(request.name)

    def change(work: Work) -> r.Contact:
        held = work.need(r.Contact, contact.account)
        renamed = contact_sync.changed(work, msgspec.structs.replace(held, alias=request.name))
        work.tell("contact", contact.account, contact.account, "renamed")
        return renamed

    return _changed(service.engine.step(change), "renamed")


@handles(o.DeleteContact)
async def delete_contact(service: Service, request: o.DeleteContact) -> v.ContactChange:
    contact = naming.contact(
        service.engine.look(),
        request.contact,
        why="A group or channel is left, not deleted.",
        hint="roost group leave GROUP, then roost group forget GROUP; roost channel leave CHANNEL",
    )
    service.engine.step(requests.remove, contact.account)
    return _changed(contact, "deleted")
