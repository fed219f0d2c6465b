"""Being seen on the local network, and seeing others there, while an app asks for it (`roost nearby`).

Who is shown is public: the name and a one-time invitation. So showing ends by itself soon after it was asked for last,
also when the app that asked has died. Place: agent, for actions.direct.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from roost.agent import direct as d
from roost.errors import CallerError
from roost.messaging import hosting, invitations
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.network.direct.carrier import CarrierName
from roost.wire.links import InvitationKind

if TYPE_CHECKING:
    from roost.agent.engine import Engine
    from roost.network.direct.nearby import Nearby

SHOWN_FOR_S = 30.0  # after it was asked for last
LISTENED_FOR_S = 90.0  # as long as somebody who says nothing is still believed to be there
INVITATION_MS = 15 * 60_000
RENEW_MS = 5 * 60_000  # a link that is shown works for so long at least
_LOOK_AGAIN_S = 0.25


class Neighbourhood:
    """Who shows themselves. Nothing is said or heard before the first `ask`; `close` it in the end."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._nearby: Nearby | None = None
        self._shown = b""  # the secret of the invitation that is shown
        self._name = ""
        self._show_until = 0.0
        self._listen_until = 0.0
        self._ending: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def ask(self, show: bool | None) -> d.NearbyView:
        """Listen from now on, and show oneself or hide where that is said. Raises RoostError."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            self._listen_until = now + LISTENED_FOR_S
            nearby = await self._started()
            if show:
                await self._show(nearby)
                self._show_until = now + SHOWN_FOR_S
            elif show is False:
                self._hide(nearby)
            return self._view(nearby)

    async def find(self, name: str, timeout_s: float) -> d.NearbyPerson:
        """The one who shows this name. Raises CallerError `unknown_nearby`, `ambiguous`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            view = await self.ask(None)
            found = [one for one in view.people if one.name == name] or [
                one for one in view.people if one.name.casefold() == name.casefold()
            ]
            if len(found) > 1:
                raise CallerError(
                    "Several people show this name.",
                    code="ambiguous",
                    hint="Use the link: roost nearby, then roost add",
                )
            if found:
                return found[0]
            if loop.time() >= deadline:
                raise CallerError(
                    "Nobody shows this name on the local network.",
                    code="unknown_nearby",
                    hint="The other side has to show itself meanwhile: roost nearby --show",
                )
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            with suppress(asyncio.CancelledError):
                await self._ending
        async with self._lock:
            await self._end()

    def _view(self, nearby: Nearby) -> d.NearbyView:
        people = tuple(d.NearbyPerson(name=one.name, link=one.link) for one in nearby.people())
        return d.NearbyView(
            showing=bool(self._shown), name=self._name or self._engine.look().me.about.name, people=people
        )

    async def _started(self) -> Nearby:
        if self._nearby is None:
            from roost.network.direct.nearby import Nearby

            self._nearby = Nearby(lambda: self._engine.tell(r.Event("nearby")))
            await self._nearby.start()
            self._ending = asyncio.get_running_loop().create_task(self._end_in_time(), name="roost nearby")
        return self._nearby

    async def _show(self, nearby: Nearby) -> None:
        work = self._engine.look()
        row = work.get(r.InvitationRow, self._shown) if self._shown else None
        name = work.me.about.name
        fresh = row is not None and row.state == r.InvitationState.OPEN and row.expires_at > work.now + RENEW_MS
        if row is not None and fresh and name == self._name:
            return
        row = self._engine.step(make_invitation)
        await self._engine.outgoing.settle_invitation(row.secret)
        nearby.show(name, row.link)
        self._shown, self._name = row.secret, name

    def _hide(self, nearby: Nearby) -> None:
        """The invitation goes on for its quarter of an hour: somebody may be about to use it."""
        nearby.hide()
        self._shown, self._show_until = b"", 0.0

    async def _end_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            ends = self._show_until if self._shown else self._listen_until
            await asyncio.sleep(max(ends - loop.time(), 0.05))
            async with self._lock:
                now = loop.time()
                if self._nearby is not None and self._shown and now >= self._show_until:
                    self._hide(self._nearby)
                    self._engine.tell(r.Event("nearby"))
                if now >= self._listen_until:
                    await self._end()
                    return

    async def _end(self) -> None:
        nearby, self._nearby, self._shown = self._nearby, None, b""
        if nearby is not None:
            await nearby.stop()


def make_invitation(work: Work) -> r.InvitationRow:
    """A one-time invitation to be shown: at this very device where it is met on the local network."""
    host = hosting.own_host(work)
    here = hosting.key_of(host) if host is not None and CarrierName.LAN in host.carriers else b""
    row = invitations.make(work, InvitationKind.ONE_TIME, expires_at=work.now + INVITATION_MS, relay=here)
    return work.put(msgspec.structs.replace(row, nearby=True))
