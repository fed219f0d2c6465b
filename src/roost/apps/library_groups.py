"""Groups for the library: `me.create_group("Choir", ["Ann"])` gives `Group`. Place: apps, a part of library.py."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roost.agent import groups as ask
from roost.agent import views

if TYPE_CHECKING:
    from roost.apps.library import Me, Message


class Group:
    """A group. What it is called here is as of the moment when it was asked for; `info` asks anew.

    Changes come about with a commit that all members see; each method waits for that for up to ten seconds, and its
    answer's `state` is `done` or `waiting`.
    """

    def __init__(self, me: Me, id: str, title: str) -> None:
        self._me = me
        self.id = id
        self.title = title

    async def info(self) -> ask.GroupInfoView:
        return await self._me.call(ask.GroupInfo(group=self.id))

    async def members(self) -> list[ask.MemberView]:
        """Who is in it, those with higher roles first."""
        people = await self._me.call(ask.GroupMembers(group=self.id))
        return list(people)

    async def send(
        self,
        text: str = "",
        *,
        files: Sequence[str | Path] = (),
        reply_to: str | None = None,
        key: str | None = None,
        wait: str | None = None,
    ) -> views.SentMessage:
        """As `Me.send`."""
        return await self._me.send(self.id, text, files=files, reply_to=reply_to, key=key, wait=wait)

    async def read(self, *, limit: int | None = None, mark_read: bool = True) -> list[Message]:
        """What was said. Lines about what changed have a `note` in their `data`."""
        return await self._me.read(self.id, limit=limit, mark_read=mark_read)

    async def add(self, *contacts: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupAdd(group=self.id, members=contacts))

    async def introduce(self, *contacts: str) -> ask.GroupChanged:
        """Invite contacts by a message: each joins who says yes (`Me.join_group` with the message's id)."""
        return await self._me.call(ask.GroupIntroduce(group=self.id, members=contacts))

    async def remove(self, *members: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupRemove(group=self.id, members=members))

    async def ban(self, *people: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupBan(group=self.id, members=people))

    async def unban(self, *people: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupUnban(group=self.id, members=people))

    async def set_role(self, member: str, role: str) -> ask.GroupChanged:
        """`role` is admin, moderator, member or read-only."""
        return await self._me.call(ask.GroupRole(group=self.id, member=member, role=ask.Role(role)))

    async def set_title(self, title: str) -> ask.GroupChanged:
        changed = await self._me.call(ask.GroupTitle(group=self.id, title=title))
        self.title = changed.title
        return changed

    async def set_description(self, text: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupDescription(group=self.id, description=text))

    async def set_avatar(self, picture: str | Path | None) -> ask.GroupChanged:
        """A picture's path; None takes it away."""
        path = absolute(picture) if picture else ""
        return await self._me.call(ask.GroupAvatar(group=self.id, picture=path))

    async def set_timer(self, seconds: int) -> ask.GroupChanged:
        return await self._me.call(ask.GroupTimer(group=self.id, seconds=seconds))

    async def link(self, *, renew: bool = False) -> str:
        """One's link into the group, made if there is none."""
        return (await self._me.call(ask.GroupLink(group=self.id, renew=renew))).link

    async def end_link(self) -> None:
        """Nobody comes by one's link any more."""
        await self._me.call(ask.GroupLink(group=self.id, revoke=True))

    async def permit(
        self,
        *,
        invite: str | None = None,
        describe: str | None = None,
        post: str | None = None,
        pin: str | None = None,
        history: int | None = None,
        approval: bool | None = None,
    ) -> ask.GroupChanged:
        """Change who may do what (the least role for it), how many messages newcomers get, and whether somebody has to
        let in who comes by a link; None leaves it as it is."""
        least = [ask.Role(role) if role is not None else None for role in (invite, describe, post, pin)]
        request = ask.GroupPermissions(
            group=self.id,
            invite=least[0],
            describe=least[1],
            post=least[2],
            pin=least[3],
            history=history,
            approval=approval,
        )
        return await self._me.call(request)

    async def requests(self) -> list[ask.JoinRequestView]:
        """People who ask to join; `accept` takes their `id`."""
        asking = await self._me.call(ask.GroupRequests(group=self.id))
        return list(asking)

    async def accept(self, request: str) -> ask.GroupChanged:
        """Let somebody in: a request's id, or the `member` of a `group` event whose `change` is `request`."""
        return await self._me.call(ask.GroupAccept(id=request))

    async def decline(self, request: str) -> ask.GroupChanged:
        return await self._me.call(ask.GroupDecline(id=request))

    async def move(self) -> ask.GroupChanged:
        """Let it go on at one's own relay."""
        return await self._me.call(ask.GroupMove(group=self.id))

    async def cancel(self, number: int) -> ask.GroupChanged:
        """Give up a change that waits, by its number in `(await group.info()).waiting`."""
        return await self._me.call(ask.GroupCancel(group=self.id, number=number))

    async def reopen(self) -> Group:
        """Go on in a new group, where this one was stopped or its relay is gone."""
        made = await self._me.call(ask.GroupReopen(group=self.id))
        return Group(self._me, made.group, made.title)

    async def resume(self) -> ask.GroupChanged:
        """Go on in a group that was stopped, because it was a false alarm."""
        return await self._me.call(ask.GroupResume(group=self.id))

    async def leave(self) -> ask.GroupChanged:
        return await self._me.call(ask.GroupLeave(group=self.id))

    async def forget(self) -> ask.GroupChanged:
        """Delete a group that one is not in any more from this device."""
        return await self._me.call(ask.GroupForget(group=self.id))


def absolute(path: str | Path) -> str:
    return os.path.abspath(os.path.expanduser(path))
