"""Groups: making, filling, changing and leaving them. Every change refreshes first and waits for its commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from roost.agent import groups as g
from roost.agent import naming, settling, showing_groups, syncing
from roost.agent.actions.registry import handles
from roost.agent.pictures import HEAD, media_of
from roost.agent.thumbnail_worker import MAX_INPUT
from roost.agent.thumbnails import Thumbnails
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.groups import actions, forks
from roost.messaging.work import Work
from roost.wire.groups import MAX_AVATAR, Permissions

if TYPE_CHECKING:
    from roost.agent.service import Service

_ICON = 128  # pixels of a picture that had to be made small


async def group(service: Service, named: str) -> r.GroupRow:
    """The named group, with what its other members did; fetched first when it is not known yet. Raises CallerError."""
    engine = service.engine
    try:
        naming.group(engine.look(), named)
    except CallerError as error:
        if error.code != "unknown_group" or not await syncing.refresh(engine, settling.FETCH_S):
            raise
    await settling.current(service)
    return naming.group(engine.look(), named)


def changed(
    work: Work, id: bytes, done: str, *, came: bool = True, people: Sequence[bytes] = (), reason: str = ""
) -> g.GroupChanged:
    row = work.get(r.GroupRow, id)
    return g.GroupChanged(
        group=account_id(id),
        title=row.title if row else "",
        done=done,
        state=g.ChangeState.DONE if came else g.ChangeState.WAITING,
        members=tuple(account_id(account) for account in people),
        reason=reason,
    )


# --- who is in it ----------------------------------------------------------------------------------------------------


@handles(g.GroupCreate)
async def create(service: Service, request: g.GroupCreate) -> g.GroupChanged:
    engine = service.engine
    people = [naming.contact(engine.look(), named).account for named in dict.fromkeys(request.members)]
    id = engine.step(actions.create, request.title, (), description=request.description)
    came, reason = await settling.change(
        service, id, lambda work: actions.add(work, id, people), request.wait_timeout_s
    )
    if not people:
        came = await syncing.until(engine, lambda: _has_a_log(engine.look(), id), request.wait_timeout_s)
    return changed(engine.look(), id, "created", came=came, people=people, reason=reason)


def _has_a_log(work: Work, id: bytes) -> bool:
    logs = work.find(r.SharedLog, where={"owner": id})
    return any(log.state == r.LogState.OPEN for log in logs)


@handles(g.GroupAdd)
async def add(service: Service, request: g.GroupAdd) -> g.GroupChanged:
    row = await group(service, request.group)
    work = service.engine.look()
    people = [naming.contact(work, named).account for named in dict.fromkeys(request.members)]
    for account in people:
        if work.get(r.GroupMember, row.id, account) is not None:
            name = showing_groups.name_of(work, row.id, account)
            raise CallerError(f"{name} is in the group already.", code="already_member")
    return await _about(service, row, "added", people, actions.add, request.wait_timeout_s)


async def _about(
    service: Service,
    row: r.GroupRow,
    done: str,
    people: list[bytes],
    act: Callable[[Work, bytes, list[bytes]], None],
    timeout_s: float,
) -> g.GroupChanged:
    came, reason = await settling.change(service, row.id, lambda work: act(work, row.id, people), timeout_s)
    return changed(service.engine.look(), row.id, done, came=came, people=people, reason=reason)


@handles(g.GroupRemove)
async def remove(service: Service, request: g.GroupRemove) -> g.GroupChanged:
    row = await group(service, request.group)
    work = service.engine.look()
    people = [naming.member(work, row, named) for named in dict.fromkeys(request.members)]
    return await _about(service, row, "removed", people, actions.remove, request.wait_timeout_s)


@handles(g.GroupBan)
async def ban(service: Service, request: g.GroupBan) -> g.GroupChanged:
    row = await group(service, request.group)
    work = service.engine.look()
    people = [naming.person(work, row, named) for named in dict.fromkeys(request.members)]
    return await _about(service, row, "banned", people, actions.ban, request.wait_timeout_s)


@handles(g.GroupUnban)
async def unban(service: Service, request: g.GroupUnban) -> g.GroupChanged:
    row = await group(service, request.group)
    work = service.engine.look()
    people = [naming.person(work, row, named) for named in dict.fromkeys(request.members)]
    state = actions.state(work, row.id)
    if not set(people) <= set(state.banned):
        raise CallerError("This person is not banned.", code="not_banned", hint="roost group info GROUP lists bans.")
    return await _about(service, row, "unbanned", people, actions.unban, request.wait_timeout_s)


@handles(g.GroupRole)
async def role(service: Service, request: g.GroupRole) -> g.GroupChanged:
    row = await group(service, request.group)
    account = naming.member(service.engine.look(), row, request.member)
    wanted = showing_groups.ROLES_NAMED[request.role]
    came, reason = await settling.change(
        service, row.id, lambda work: actions.set_role(work, row.id, account, wanted), request.wait_timeout_s
    )
    return changed(service.engine.look(), row.id, "role", came=came, people=(account,), reason=reason)


@handles(g.GroupLeave)
async def leave(service: Service, request: g.GroupLeave) -> g.GroupChanged:
    row = await group(service, request.group)
    if showing_groups.is_closed(row):
        raise CallerError("You are not in this group any more.", code="not_a_member")
    engine = service.engine
    engine.step(actions.leave, row.id)

    def gone() -> bool:
        now = engine.look().get(r.GroupRow, row.id)
        return now is None or showing_groups.is_closed(now)

    came = await syncing.until(engine, gone, request.wait_timeout_s)
    return changed(engine.look(), row.id, "left", came=came)


@handles(g.GroupForget)
async def forget(service: Service, request: g.GroupForget) -> g.GroupChanged:
    row = naming.group(service.engine.look(), request.group)
    done = changed(service.engine.look(), row.id, "forgotten")
    service.engine.step(_forget, row.id)
    service.engine.transfers.sweep()
    return done


def _forget(work: Work, id: bytes) -> None:
    from roost.messaging import conversations

    actions.forget(work, id)
    conversations.clear(work, id)


@handles(g.GroupMove)
async def move(service: Service, request: g.GroupMove) -> g.GroupChanged:
    row = await group(service, request.group)
    came, reason = await settling.change(
        service, row.id, lambda work: actions.move(work, row.id), request.wait_timeout_s
    )
    return changed(service.engine.look(), row.id, "moved", came=came, reason=reason)


@handles(g.GroupReopen)
async def reopen(service: Service, request: g.GroupReopen) -> g.GroupChanged:
    row = naming.group(service.engine.look(), request.group)
    new = service.engine.step(actions.reopen, row.id)
    came = await syncing.until(service.engine, lambda: _has_a_log(service.engine.look(), new), request.wait_timeout_s)
    return changed(service.engine.look(), new, "reopened", came=came)


@handles(g.GroupResume)
async def resume(service: Service, request: g.GroupResume) -> g.GroupChanged:
    row = naming.group(service.engine.look(), request.group)
    service.engine.step(forks.resume, row.id)
    return changed(service.engine.look(), row.id, "resumed")


@handles(g.GroupCancel)
async def cancel(service: Service, request: g.GroupCancel) -> g.GroupChanged:
    row = naming.group(service.engine.look(), request.group)
    if all(intent.number != request.number for intent in showing_groups.waiting_changes(service.engine.look(), row.id)):
        raise CallerError("No such change waits.", code="unknown_change", hint="roost group info GROUP lists them.")
    service.engine.step(actions.cancel, request.number)
    return changed(service.engine.look(), row.id, "cancelled")


# --- what it is like -------------------------------------------------------------------------------------------------


@handles(g.GroupTitle)
async def title(service: Service, request: g.GroupTitle) -> g.GroupChanged:
    row = await group(service, request.group)
    came = await settling.change_group(service, row, request.wait_timeout_s, title=request.title)
    return changed(service.engine.look(), row.id, "title", came=came)


@handles(g.GroupDescription)
async def description(service: Service, request: g.GroupDescription) -> g.GroupChanged:
    row = await group(service, request.group)
    came = await settling.change_group(service, row, request.wait_timeout_s, description=request.description)
    return changed(service.engine.look(), row.id, "description", came=came)


@handles(g.GroupAvatar)
async def avatar(service: Service, request: g.GroupAvatar) -> g.GroupChanged:
    picture = await read_picture(request.picture) if request.picture else b""
    row = await group(service, request.group)
    came = await settling.change_group(service, row, request.wait_timeout_s, avatar=picture)
    return changed(service.engine.look(), row.id, "avatar", came=came)


async def read_picture(path: str) -> bytes:
    """A picture of at most MAX_AVATAR bytes. Raises CallerError `no_such_file`, `not_a_picture`, `too_large`."""
    try:
        data = await asyncio.to_thread(_read, Path(path))
    except OSError as error:
        raise CallerError("The picture cannot be read.", code="no_such_file", hint="Check the path.") from error
    media = media_of(data[:HEAD])
    if media is None or not media.type.startswith("image/"):
        raise CallerError("This is not a picture.", code="not_a_picture", hint="Use a JPEG, PNG or WebP.")
    if len(data) <= MAX_AVATAR:
        return data
    thumbnails = Thumbnails()
    try:
        small = await thumbnails.make(data, _ICON)
    finally:
        await thumbnails.close()
    if not small or len(small) > MAX_AVATAR:
        raise CallerError("The picture is too large.", code="too_large", hint=f"Use at most {MAX_AVATAR} bytes.")
    return small


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_INPUT + 1)


@handles(g.GroupTimer)
async def timer(service: Service, request: g.GroupTimer) -> g.GroupChanged:
    row = await group(service, request.group)
    came = await settling.change_group(service, row, request.wait_timeout_s, timer_s=request.seconds)
    return changed(service.engine.look(), row.id, "timer", came=came)


@handles(g.GroupPermissions)
async def permissions(service: Service, request: g.GroupPermissions) -> g.GroupChanged:
    row = await group(service, request.group)
    held = actions.state(service.engine.look(), row.id).permissions
    given = {name: getattr(request, name) for name in ("invite", "describe", "post", "pin")}
    roles = {name: showing_groups.ROLES_NAMED[role] for name, role in given.items() if role is not None}
    wanted: Permissions | None = msgspec.structs.replace(held, **roles) if roles else None
    if wanted is None and request.history is None and request.approval is None:
        raise CallerError("There is nothing to change.", code="nothing_to_change")
    came = await settling.change_group(
        service,
        row,
        request.wait_timeout_s,
        permissions=wanted,
        history=request.history,
        approval=request.approval,
    )
    return changed(service.engine.look(), row.id, "permissions", came=came)


# --- looking at it ---------------------------------------------------------------------------------------------------


@handles(g.GroupInfo)
async def info(service: Service, request: g.GroupInfo) -> g.GroupInfoView:
    await syncing.refresh(service.engine, settling.FETCH_S)
    work = service.engine.look()
    return showing_groups.info(work, naming.group(work, request.group))


@handles(g.GroupMembers)
async def members(service: Service, request: g.GroupMembers) -> tuple[g.MemberView, ...]:
    await syncing.refresh(service.engine, settling.FETCH_S)
    work = service.engine.look()
    row = naming.group(work, request.group)
    return tuple(showing_groups.member(work, each) for each in actions.members(work, row.id))


@handles(g.Groups)
async def list_groups(service: Service, request: g.Groups) -> tuple[g.GroupView, ...]:
    await syncing.refresh(service.engine, settling.FETCH_S)
    work = service.engine.look()
    rows = [row for row in work.find(r.GroupRow) if request.all or not showing_groups.is_closed(row)]
    return tuple(showing_groups.group(work, row) for row in sorted(rows, key=lambda row: row.title.casefold()))
