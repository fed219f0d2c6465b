"""Channels for the library: `me.create_channel("News")` gives `Channel`. Place: apps, a part of library.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from roost.agent import channels as ask
from roost.agent import views
from roost.apps.library_groups import absolute

if TYPE_CHECKING:
    from roost.apps.library import Me, Message


class Channel:
    """A channel. What it is called here is as of the moment when it was asked for; `info` asks anew."""

    def __init__(self, me: Me, id: str, title: str) -> None:
        self._me = me
        self.id = id
        self.title = title

    async def info(self) -> ask.ChannelInfoView:
        """All that is known of it, with its link and one's own pseudonym there."""
        return await self._me.call(ask.ChannelInfo(channel=self.id))

    async def link(self) -> str:
        """With it anybody joins."""
        return (await self.info()).link

    async def post(
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
        """What was posted."""
        return await self._me.read(self.id, limit=limit, mark_read=mark_read)

    async def remove(self, message: str) -> ask.ChannelChanged:
        """Remove a post for everybody."""
        return await self._me.call(ask.ChannelRemove(channel=self.id, id=message))

    async def ban(self, pseudonym: str, *, purge: bool = False) -> ask.ChannelChanged:
        """`purge`: remove what they posted before, too."""
        return await self._me.call(ask.ChannelBan(channel=self.id, pseudonym=pseudonym, purge=purge))

    async def unban(self, pseudonym: str) -> ask.ChannelChanged:
        return await self._me.call(ask.ChannelBan(channel=self.id, pseudonym=pseudonym, banned=False))

    async def set_role(self, pseudonym: str, role: str) -> ask.ChannelChanged:
        """`role` is moderator, poster or reader."""
        request = ask.ChannelSetRole(channel=self.id, pseudonym=pseudonym, role=ask.ChannelRole(role))
        return await self._me.call(request)

    async def change(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        avatar: str | Path | None = None,
        posting: str | None = None,
        slow: timedelta | int | None = None,
        name: str | None = None,
    ) -> ask.ChannelChanged:
        """Change what is not None. `posting` is roles or all, `name` what one goes by there, `avatar` a picture's
        path."""
        request = ask.ChannelSettings(
            channel=self.id,
            title=title,
            description=description,
            avatar=absolute(avatar) if avatar else None,
            posting=ask.Posting(posting) if posting else None,
            slow_s=int(slow.total_seconds()) if isinstance(slow, timedelta) else slow,
            name=name,
        )
        changed = await self._me.call(request)
        self.title = changed.title
        return changed

    async def move(self) -> ask.ChannelChanged:
        """The owner: let it go on at one's own relay, under a new link (`link` of the answer)."""
        return await self._me.call(ask.ChannelMove(channel=self.id))

    async def leave(self, *, delete: bool = False) -> ask.ChannelChanged:
        """Forget it with all its posts; `delete`: its owner ends it for everybody."""
        return await self._me.call(ask.ChannelLeave(channel=self.id, delete=delete))
