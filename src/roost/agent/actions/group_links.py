"""Groups by link or introduction: making and following either, people who ask, letting them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from roost.agent import groups as g
from roost.agent import naming, settling, showing, showing_groups, syncing
from roost.agent.actions.groups import changed, group
from roost.agent.actions.people import CONNECT_S, KNOCK_S, fetch_card
from roost.agent.actions.registry import handles
from roost.crypto import account_id
from roost.errors import CallerError, RoostError
from roost.messaging import conversations, invitations
from roost.messaging import records as r
from roost.messaging.groups import actions, introducing, links
from roost.messaging.work import Work
from roost.wire.links import InvitationKind, parse_invitation

if TYPE_CHECKING:
    from roost.agent.service import Service

APPROVAL_S = 1.0
_INTRODUCED = "The device that invited you lets you in when it is online."


@handles(g.GroupLink)
async def link(service: Service, request: g.GroupLink) -> g.GroupLinkView:
    engine = service.engine
    row = await group(service, request.group)
    if request.revoke or request.renew:
        engine.step(links.revoke, row.id)
    made = ""
    if not request.revoke:
        await syncing.connect(engine, CONNECT_S)
        invitation = engine.step(links.make, row.id)
        try:
            await engine.outgoing.settle_invitation(invitation.secret)
        except RoostError:
            engine.step(lambda work: invitations.end(work, work.need(r.InvitationRow, invitation.secret)))
            raise
        made = invitation.link
    approval = actions.state(engine.look(), row.id).approval
    return g.GroupLinkView(group=account_id(row.id), title=row.title, link=made, approval=approval)


@handles(g.GroupJoin)
async def join(service: Service, request: g.GroupJoin) -> g.GroupChanged:
    introduction = _introduction(service.engine.look(), request.link)
    if introduction is not None:
        return await _follow(service, introduction, request)
    invitation = parse_invitation(request.link)
    if invitation.kind != InvitationKind.GROUP:
        raise CallerError(
            "This link is a person's, not a group's.", code="not_a_group_link", hint="Open it with: roost add LINK"
        )
    engine = service.engine
    card = await fetch_card(service, invitation)
    try:
        row = engine.step(links.join, card, request.greeting)
    except CallerError as error:
        if error.code != "already_member":
            raise
        await syncing.refresh(engine, KNOCK_S)  # one may have been removed and not heard of it
        row = engine.step(links.join, card, request.greeting)
    patience = request.wait_timeout_s
    if links.group_of(card).approval:  # a person has to decide
        patience = min(patience, APPROVAL_S)
    return await _let_in(service, row, patience)


async def _let_in(service: Service, row: r.GroupRow, patience: float) -> g.GroupChanged:
    """Wait until the question has left, and for a while until one is inside."""
    engine = service.engine
    engine.wake()

    def asked() -> bool:
        return all(out.state == r.OutboxState.STORED or out.problem for out in _knocks(engine.look(), row))

    def inside() -> bool:
        now = engine.look().get(r.GroupRow, row.id)
        return now is None or now.status == r.GroupStatus.ACTIVE

    await syncing.until(engine, asked, KNOCK_S)
    came = await syncing.until(engine, inside, patience)
    return changed(engine.look(), row.id, "joined" if came else "asked", came=came)


def _knocks(work: Work, row: r.GroupRow) -> list[r.Outbox]:
    return [out for out in work.find(r.Outbox, where={"account": row.inviter}) if out.address is not None]


# --- by introduction -------------------------------------------------------------------------------------------------


@handles(g.GroupIntroduce)
async def introduce(service: Service, request: g.GroupIntroduce) -> g.GroupChanged:
    row = await group(service, request.group)
    engine = service.engine
    people = [naming.contact(engine.look(), named).account for named in dict.fromkeys(request.members)]
    ways = {account: showing.way_of(engine.look(), account) for account in people}

    def say(work: Work) -> None:
        for account in people:
            content = introducing.introduce(work, row.id, account)
            conversations.say(work, account, content, id=work.entropy.bytes(16), **ways[account])

    engine.step(say)
    return changed(engine.look(), row.id, "introduced", people=people)


@handles(g.GroupIntroductions)
async def introductions(service: Service, _: g.GroupIntroductions) -> tuple[g.GroupIntroductionView, ...]:
    await syncing.refresh(service.engine, settling.FETCH_S)
    work = service.engine.look()
    found = introducing.unanswered(work)
    return tuple(showing_groups.introduction(work, message, content) for message, content in found)


def _introduction(work: Work, named: str) -> r.Message | None:
    """The message that introduces me to the named group, the newest; None where the name is none of these."""
    for message, content in reversed(introducing.unanswered(work)):
        names = (message.id.hex(), account_id(content.group), content.title)
        if named.strip().casefold() in (name.casefold() for name in names):
            return message
    return None


async def _follow(service: Service, introduction: r.Message, request: g.GroupJoin) -> g.GroupChanged:
    row = service.engine.step(links.follow, introduction.id, request.greeting)
    done = await _let_in(service, row, request.wait_timeout_s)
    waits = done.state is g.ChangeState.WAITING
    return msgspec.structs.replace(done, reason=_INTRODUCED) if waits else done


# --- who asks --------------------------------------------------------------------------------------------------------


@handles(g.GroupRequests)
async def requests(service: Service, request: g.GroupRequests) -> tuple[g.JoinRequestView, ...]:
    await syncing.refresh(service.engine, settling.FETCH_S)
    work = service.engine.look()
    id = naming.group(work, request.group).id if request.group is not None else b""
    return tuple(showing_groups.join_request(work, row) for row in links.requests(work, id))


async def _asking(service: Service, named: str) -> r.GroupRequest:
    """The named request; fetched first when it is not here yet. Raises CallerError `unknown_request`, `ambiguous`."""
    try:
        return _request(service.engine.look(), named)
    except CallerError as error:
        if error.code != "unknown_request":
            raise
    await syncing.refresh(service.engine, settling.FETCH_S)
    return _request(service.engine.look(), named)


def _request(work: Work, named: str) -> r.GroupRequest:
    rows = links.requests(work)
    found = [row for row in rows if row.id.hex() == named.lower()]
    found = found or [row for row in rows if named and named in (row.name, account_id(row.account))]
    found = found or [row for row in rows if named and named.casefold() == row.name.casefold()]
    if not found:
        raise CallerError(
            "There is no such request.", code="unknown_request", hint="List them: roost group requests GROUP"
        )
    if len(found) > 1:
        raise CallerError("Several people ask under this name.", code="ambiguous", hint="Use the request's id.")
    return found[0]


@handles(g.GroupAccept)
async def accept(service: Service, request: g.GroupAccept) -> g.GroupChanged:
    row = await _asking(service, request.id)
    engine = service.engine
    engine.step(links.decide, row.id, accept=True)

    def inside() -> bool:
        return engine.look().get(r.GroupMember, row.group, row.account) is not None

    came = await syncing.until(engine, inside, request.wait_timeout_s)
    reason = "" if came else "They are let in as soon as their device and the one that made the link are online."
    return changed(engine.look(), row.group, "accepted", came=came, people=(row.account,), reason=reason)


@handles(g.GroupDecline)
async def decline(service: Service, request: g.GroupDecline) -> g.GroupChanged:
    introduction = _introduction(service.engine.look(), request.id)
    if introduction is not None:
        _, content = introducing.received_in(service.engine.look(), introduction.id)
        service.engine.step(introducing.answered, introduction.id)
        return g.GroupChanged(group=account_id(content.group), title=content.title, done="declined")
    row = await _asking(service, request.id)
    service.engine.step(links.decide, row.id, accept=False)
    return changed(service.engine.look(), row.group, "declined", people=(row.account,))
