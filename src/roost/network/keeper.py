"""One persistent link to an own relay: connects, resumes what was subscribed, and connects again when it is lost.

    CONNECTING --stands--> UP --lost, goodbye--> PAUSED --time, a call, retry_now--> CONNECTING
        \\____________________failed_______________/

A call while paused cuts the pause short, so that a person's act never waits out a back-off; but not right after a
failed attempt, and not while a restarting relay has asked for time.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import math
from collections.abc import Callable

from roost.crypto import Entropy
from roost.errors import Refused, Unreachable
from roost.network.backoff import Backoff, BackoffPolicy
from roost.network.dial import Reach
from roost.network.errors import link_lost
from roost.network.link import Link
from roost.network.link_core import Over
from roost.network.subscription import Subscription
from roost.wire.links import RelayLink
from roost.wire.mailbox import RefusalCode, Request, Response

GAP_S = 1.0  # calls do not cause attempts more often than this
_PASSING = frozenset({RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL, RefusalCode.FULL})

OnState = Callable[[bytes, bool, str], None]


class _State(enum.Enum):
    CONNECTING = "connecting"
    UP = "up"
    PAUSED = "paused"


class Keeper:
    """Keeps a link to the relay of `relay`. `start` it, and `close` it from the same event loop."""

    def __init__(
        self,
        relay: RelayLink,
        connect: Reach,
        entropy: Entropy,
        on_state: OnState,
        policy: BackoffPolicy | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`shared`: others use the links as well, which are not ended with this keeper."""
        self.relay = relay
        self._shared = shared
        self.problem: Unreachable | None = None  # why the last attempt or link ended; None while it stands
        self.subscriptions: list[Subscription] = []
        self._connect = connect
        self._on_state = on_state
        self._backoff = Backoff(policy or BackoffPolicy(), entropy)
        self._loop = asyncio.get_running_loop()
        self._state = _State.CONNECTING
        self._link: Link | None = None
        self._outcome: asyncio.Future[Link | Unreachable] = self._loop.create_future()  # of the next attempt, or this
        self._wake = asyncio.Event()
        self._patient = False  # the pause was asked for by the relay
        self._failed_at = -math.inf  # the end of the last failed attempt
        self._waiting = 0  # calls that wait for the next attempt
        self._jobs: asyncio.TaskGroup | None = None  # of the link that stands
        self._reported: tuple[bool, str] | None = None
        self._task: asyncio.Task[None] | None = None

    # --- for Network --------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        return self._link is not None and self._link.usable

    def start(self) -> None:
        self._task = self._loop.create_task(self._run(), name="roost relay link")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """End the link and wait until it is gone. Calls under way raise Unreachable."""
        if self._task is not None:
            await asyncio.sleep(0)  # what a shared link's end is told may leave
            self._task.cancel()
            await asyncio.wait([self._task])

    def retry_now(self) -> None:
        """Cut any pause short, one that the relay asked for too."""
        self._patient = False
        self._failed_at = -math.inf
        self._wake.set()

    async def call(self, request: Request) -> Response:
        """One request over the link; a link that is lost meanwhile is replaced once, for every request may be repeated.

        Raises:
            Refused: the relay said no.
            Unreachable: at once, when the link is down and an attempt to connect fails.
        """
        link = await self.standing()
        try:
            return await link.call(request, timeout_s=None)
        except Unreachable:
            if link.usable:
                raise
        return await (await self.standing()).call(request, timeout_s=None)

    async def standing(self, *, insist: bool = False) -> Link:
        """The link, as soon as it stands. Raises Unreachable when an attempt has failed.

        `insist` makes an attempt even right after a failed one.
        """
        if self._link is not None and self.up:
            return self._link
        if self._state is _State.PAUSED:
            if self._patient or (not insist and self._loop.time() < self._failed_at + GAP_S):
                raise self.problem or link_lost()
            self._wake.set()
        self._waiting += 1
        try:
            outcome = await asyncio.shield(self._outcome)
        finally:
            self._waiting -= 1
        if isinstance(outcome, Unreachable):
            raise outcome
        return outcome

    def subscribe(self, subscription: Subscription) -> None:
        """Carry this subscription on the present link and every later one."""
        self.subscriptions.append(subscription)
        if self._jobs is not None and self._link is not None:
            self._jobs.create_task(self._resume(self._link, subscription))

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self.subscriptions:
            self.subscriptions.remove(subscription)
        if self._jobs is not None and self._link is not None and subscription.call is not None:
            self._jobs.create_task(_unsubscribe(self._link, subscription.call))

    def take_subscriptions(self) -> list[Subscription]:
        """All subscriptions, which this keeper carries no longer: another does, or they are closed."""
        taken, self.subscriptions = self.subscriptions, []
        for subscription in taken:
            subscription.interrupted()
        return taken

    # --- the task -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._state = _State.CONNECTING
            try:
                link = await self._connect(self.relay.address)
            except Unreachable as error:
                self._failed_at = self._loop.time()
                await self._pause(self._backoff.next_delay(), error)
                continue
            over = await self._serve(link)
            if over.retry_after_ms:
                self._patient = True
                await self._pause(self._backoff.after_goodbye(over.retry_after_ms / 1000), over.error)
                self._patient = False
            else:
                self._report(over.error)
                await self._pause(self._backoff.next_delay())

    async def _serve(self, link: Link) -> Over:
        since = self._loop.time()
        self._link, self._state = link, _State.UP
        self._resolve(link)
        self._report(None)
        try:
            return await self._carry(link)
        finally:
            self._link = None
            for subscription in self.subscriptions:
                subscription.interrupted()
            self._backoff.stood(self._loop.time() - since)
            if not self._shared:
                await link.close()

    async def _carry(self, link: Link) -> Over:
        """Resume all subscriptions on `link` and wait for its end; its end also ends every job of the group."""
        async with asyncio.TaskGroup() as jobs:
            self._jobs = jobs
            for subscription in self.subscriptions:
                jobs.create_task(self._resume(link, subscription))
            try:
                return await link.ended()
            finally:
                self._jobs = None

    async def _resume(self, link: Link, subscription: Subscription) -> None:
        """Subscribe on this link; ask again for as long as the relay only says "later".

        A relay whose newest entry is below our cursor may have been put back from a backup: then everything it has is
        asked for, since what it took in meanwhile lies below the cursor too.
        """
        anew = False
        while not subscription.closed:
            try:
                cursor = subscription.starting(anew=anew)
                begun = await link.subscribe(subscription.get, cursor, subscription.delivered)
            except Unreachable:
                if link.usable:  # no answer to this one call: the link is of no use
                    await link.close()
                return
            except Refused as error:
                if error.code not in _PASSING:
                    subscription.refuse(error)
                    return
                if await _over_within(link, max(error.retry_after_ms / 1000, GAP_S)):
                    return
            else:
                if 0 < begun.end < cursor and not subscription.closed:
                    anew = True
                    await _unsubscribe(link, begun.call)
                    continue
                subscription.began(begun.call, begun.end)
                if subscription.closed:
                    await _unsubscribe(link, begun.call)
                return

    async def _pause(self, delay: float, failure: Unreachable | None = None) -> None:
        """Wait, unless woken; `failure` is the outcome for those who wait for an attempt. Without one, the link that
        stood was lost, and whoever waits gets an attempt at once."""
        self._state = _State.PAUSED
        self._wake.clear()
        if failure is not None:
            self._report(failure)
            self._resolve(failure)
        elif self._waiting:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()

    # --- telling ------------------------------------------------------------------------------------------------------

    def _resolve(self, outcome: Link | Unreachable) -> None:
        """Tell who waits for an attempt, and let the next ones wait for the next attempt."""
        self._outcome.set_result(outcome)
        self._outcome = self._loop.create_future()

    def _report(self, problem: Unreachable | None) -> None:
        self.problem = problem
        report = (problem is None, problem.message if problem else "")
        if report != self._reported:
            self._reported = report
            self._on_state(self.relay.address.key, *report)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._resolve(link_lost())
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler(
                {"message": "a relay link's task failed", "exception": error, "task": task}
            )


async def _unsubscribe(link: Link, call: int) -> None:
    with contextlib.suppress(
        Refused, Unreachable
    ):  # then the link is over, or the relay has forgotten it: just as well
        await link.unsubscribe(call)


async def _over_within(link: Link, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await link.ended()
    except TimeoutError:
        return False
    return True
