"""One onion network, kept in touch with: its directory, links to entry guards, and calls and subscriptions through it.

To `Network` it is what a `Keeper` is for a relay. The rules are in `exchange`; this shell moves packets between it and
the guards' links, arms its timer, and hands what it says to those who wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from roost.crypto import WORK_NONCE_SIZE, Entropy
from roost.errors import PeerError, Refused, RoostError, Unreachable
from roost.network.answers import accept, refused
from roost.network.backoff import Backoff, BackoffPolicy
from roost.network.dial import Connect
from roost.network.errors import link_lost
from roost.network.keeper import OnState
from roost.network.link_core import Answered, Delivered
from roost.network.onion.chance import fraction
from roost.network.onion.directory_client import DirectoryClient
from roost.network.onion.entries import Entries
from roost.network.onion.exchange import Exchange
from roost.network.onion.memory import Forgetful, OnionMemory
from roost.network.onion.paths import Guards
from roost.network.onion.session import Session
from roost.network.onion.session_parts import Began, Ended, Interrupted, SessionEvent
from roost.network.onion.work import Work
from roost.network.subscription import Subscription
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.links import RelayLink
from roost.wire.mailbox import Create, OnionArrival, PutCard, RefusalCode, Request, Response
from roost.wire.onion import Consensus, ConsensusNode

_UPKEEP_S = 5.0
_RENEWED: Final = (0.05, 0.3)  # of a period: between these, at random, tokens are renewed
_STUCK_S: Final = 2.0  # between two looks, at both of which no packet can be made: then a call has failed
_MOST_PROOFS: Final = 3  # in a row: nodes may ask for more bits than the one before


class OnionKeeper:
    """Keeps up with the network of `relay`. `start` it, and `close` it from the same event loop."""

    def __init__(
        self,
        relay: RelayLink,
        connect: Connect,
        entropy: Entropy,
        on_state: OnState,
        policy: BackoffPolicy | None = None,
        memory: OnionMemory | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        assert isinstance(relay.address, OnionHost)
        self.relay = relay
        self.problem: Unreachable | None = None
        self.subscriptions: list[Subscription] = []
        self.exchange = Exchange(entropy)
        self._host = relay.address
        self._entropy = entropy
        self._on_state = on_state
        self._memory = memory if memory is not None else Forgetful()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._backoff = Backoff(policy or BackoffPolicy(), entropy)
        self._guards = Guards(self._memory.load(self._key("guards")))
        self.exchange.doubt(guard.node for guard in self._guards.kept if guard.drops)
        self.directory = DirectoryClient(
            self._host,
            connect=connect,
            clock=clock,
            entropy=entropy,
            memory=self._memory,
            on_change=self._on_consensus,
            prefer=self._guard_addresses,
        )
        self._entries = Entries(
            connect,
            entropy,
            policy or BackoffPolicy(),
            self._on_arrival,
            self._on_entries,
            self._guards.stood,
            self._on_entry_failure,
            self._on_slow,
            lambda request, asked, guard: self._work.proven_to(guard, request, asked),
        )
        self._replies: dict[tuple[Session, int], asyncio.Future[Response]] = {}
        self._followed: dict[tuple[Session, int], Subscription] = {}
        self._outcome: asyncio.Future[Unreachable | None] = self._loop.create_future()  # of the next attempt
        self._wake = asyncio.Event()
        self._period = -1
        self._before: Consensus | None = None  # the one in use
        self._work = Work()
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None  # of the tokens
        self._reported: tuple[bool, str] | None = None
        self._task: asyncio.Task[None] | None = None

    # --- for Network --------------------------------------------------------------------------------------------------

    @property
    def up(self) -> bool:
        return self.directory.consensus is not None and bool(self._entries.attached()) and not self.exchange.problem

    def start(self) -> None:
        self._task = self._loop.create_task(self._run(), name="roost onion network")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """End everything and wait until it is gone. Calls under way raise Unreachable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def retry_now(self) -> None:
        """Cut any pause short."""
        self._wake.set()
        self._entries.retry_now()

    async def call(self, request: Request, *, mixed: bool = False) -> Response:
        """One request through the network, with the work that a node may ask for.

        Raises:
            Refused: the node that leads said no.
            Unreachable: at once, when there is no way in and an attempt fails; soon, when no path can be chosen;
                otherwise only with the caller's time.
        """
        await self.standing()
        for _ in range(_MOST_PROOFS):
            try:
                return accept(request, await self._answer(request, mixed))
            except Refused as error:
                if error.code != RefusalCode.WORK_NEEDED or not isinstance(request, (Create, PutCard)):
                    raise
                request = await self._work.proven(request, error, self._nonces())
        raise Unreachable("The network's nodes ask for work again and again.")

    def _nonces(self) -> set[bytes]:
        """What nodes may bind proofs of work to: random values of the consensus in use, the one before it, and one that
        is held already."""
        held = self.directory.held
        known = (self.directory.consensus, self._before, held.consensus if held is not None else None)
        return {one.shared_random[:WORK_NONCE_SIZE] for one in known if one is not None}

    @property
    def _stuck(self) -> Unreachable | None:
        """Why packets cannot be made, unless another link that is on its way may change that: the first guard may be
        the very node that something is for."""
        return self.exchange.problem if self._entries.complete else None

    async def standing(self, *, insist: bool = False) -> None:
        """Wait for a way in. Raises Unreachable when an attempt has failed."""
        if self.up:
            return
        if self._stuck is not None:
            raise self._stuck
        if insist or self.problem is not None:
            self.retry_now()
        outcome = await asyncio.shield(self._outcome)
        if outcome is not None:
            raise outcome

    def subscribe(self, subscription: Subscription) -> None:
        """Carry this subscription."""
        self.subscriptions.append(subscription)
        self._follow(subscription)
        self._pump()

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self.subscriptions:
            self.subscriptions.remove(subscription)
        self._unfollow(subscription)
        self._pump()

    def take_subscriptions(self) -> list[Subscription]:
        """All subscriptions, which this keeper carries no longer: another does, or they are closed."""
        taken, self.subscriptions = self.subscriptions, []
        for subscription in taken:
            self._unfollow(subscription)
            subscription.interrupted()
        return taken

    def path_to(self, place: bytes) -> tuple[list[ConsensusNode], list[ConsensusNode]]:
        """For showing, as `Exchange.path_to`."""
        return self.exchange.path_to(place, self._loop.time())

    def expected_delay_s(self, mixed: bool) -> float:
        """From sending to arriving at a reader who is there."""
        return self.exchange.expected_delay_s(mixed)

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _answer(self, request: Request, mixed: bool) -> Response:
        session, call = self.exchange.call(request, self._loop.time(), mixed=mixed)
        reply: asyncio.Future[Response] = self._loop.create_future()
        self._replies[session, call] = reply
        self._pump()
        stuck = False
        try:
            while not (await asyncio.wait([reply], timeout=_STUCK_S))[0]:
                if self._stuck is not None and stuck:
                    raise self._stuck
                stuck = self._stuck is not None
            return reply.result()
        finally:
            del self._replies[session, call]
            if not reply.done():
                session.abandon(call)
                self.exchange.touched(session, self._loop.time())

    def _follow(self, subscription: Subscription) -> None:
        now = self._loop.time()
        asked = self.exchange.subscribe(subscription.get, subscription.starting, now, mixed=subscription.mixed)
        self._followed[asked] = subscription

    def _unfollow(self, subscription: Subscription) -> None:
        for (session, call), followed in tuple(self._followed.items()):
            if followed is subscription:
                del self._followed[session, call]
                session.unsubscribe(call)
                self.exchange.touched(session, self._loop.time())

    def _happened(self, session: Session, event: SessionEvent) -> None:
        if isinstance(event, Answered):
            reply = self._replies.get((session, event.call))
            if reply is not None and not reply.done():
                reply.set_result(event.response)
            return
        subscription = self._followed.get((session, event.call))
        if subscription is None:
            return
        match event:
            case Delivered(_, number, envelope):
                subscription.delivered(number, envelope)
            case Began(call, end):
                subscription.began(call, end)
            case Interrupted():
                subscription.interrupted()
            case Ended(_, refusal):
                del self._followed[session, event.call]
                subscription.refuse(refused(refusal))

    # --- packets ------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Let the exchange go on: now, and at its next deadline."""
        now = self._loop.time()
        self.exchange.tick(now)
        for outgoing in self.exchange.outgoing(now):
            self._entries.send(outgoing.guard, outgoing.packet)
        for session, event in self.exchange.events():
            try:
                self._happened(session, event)
            except Exception as error:  # noqa: BLE001  a subscriber's mistake: what it did not take comes again
                self._loop.call_exception_handler({"message": "a delivery was not taken", "exception": error})
                self._begin_again(session, event.call)
        if self._stuck is not None:
            self._report(self._stuck)
        if self._timer is not None:
            self._timer.cancel()
        at = now if self.exchange.more(now) else self.exchange.next_deadline(now)
        self._timer = None if at is None else self._loop.call_at(at, self._pump)

    def _begin_again(self, session: Session, call: int) -> None:
        subscription = self._followed.get((session, call))
        if subscription is not None:
            self._unfollow(subscription)
            subscription.interrupted()
            self._follow(subscription)

    def _on_arrival(self, arrival: OnionArrival) -> None:
        self.exchange.arrived(arrival.reply, arrival.payload, self._loop.time())
        self._pump()

    def _on_slow(self, seconds: float) -> None:
        self.exchange.pushed_back(seconds, self._loop.time())

    # --- the way in ---------------------------------------------------------------------------------------------------

    def _on_consensus(self, consensus: Consensus, before: Consensus | None) -> None:
        self._before = before
        self._guards.update(consensus, self._clock(), self._entropy)
        self._save_guards()
        self._entries.keep(self._guard_addresses())
        self._on_period(consensus)

    def _on_period(self, consensus: Consensus) -> None:
        document = self.directory.document
        assert document is not None
        period = document.period(self._clock())
        if period != self._period:
            if self._period >= 0:
                self._renew_tokens(document.period_s)
            self._period = period
            self._work.begin_period()
        self.exchange.update(consensus, document, period, self._loop.time())
        self._on_entries()

    def _renew_tokens(self, period_s: int) -> None:
        """Not with all others in the moment in which a period begins: the tokens of the one before serve in it too."""
        if self._renewal is not None:
            self._renewal.cancel()
        at_s = period_s * (_RENEWED[0] + (_RENEWED[1] - _RENEWED[0]) * fraction(self._entropy))
        self._renewal = self._loop.call_later(at_s, self._entries.renew)

    def _guard_addresses(self) -> list[RelayAddress]:
        consensus = self.directory.consensus
        if consensus is None:
            return []
        nodes = {node.key: node for node in consensus.nodes}
        return [nodes[key].address for key in self._guards.in_order() if key in nodes]

    def _on_entries(self) -> None:
        self.exchange.attached(self._entries.attached(), self._loop.time())
        if self.up:
            self._backoff.stood(0.0)
            self._report(None)
        elif self._reported is not None and self._reported[0]:
            self._report(self._entries.failure() or link_lost())
        self._pump()

    def _on_entry_failure(self, node: bytes) -> None:
        if self._entries.attached():
            self._guards.failed(node, self._clock())
            self._save_guards()
        elif (failure := self._entries.failure()) is not None:
            self._report(failure)

    async def _run(self) -> None:
        try:
            async with self.directory:
                while True:
                    await self._directory_at_hand()
                    await self._nap()
        finally:
            for timer in (self._timer, self._renewal):
                if timer is not None:
                    timer.cancel()
            await self._entries.close()

    async def _directory_at_hand(self) -> None:
        """The period may have changed; the directory may be missing."""
        consensus = self.directory.consensus
        if consensus is None:
            try:
                consensus = await self.directory.renew()
            except (Unreachable, PeerError) as error:
                self._report(error if isinstance(error, Unreachable) else _unbelievable(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._backoff.next_delay()):
                        await self._wake.wait()
                self._wake.clear()
                return
        self._on_period(consensus)
        self.exchange.upkeep(self._loop.time())
        self._judge_guards()

    def _judge_guards(self) -> None:
        """A guard whose link stands may lose packets all the same."""
        doubted, before = self.exchange.doubted, self._guards.kept
        self._entries.doubt(doubted)
        trusted = self.exchange.trusted(self._loop.time())
        for guard in doubted if trusted else ():
            self._guards.failed(guard, self._clock(), drops=True)
        for guard in trusted:
            self._guards.passed(guard)
        if self._guards.kept != before:
            self._save_guards()
        self._pump()

    async def _nap(self) -> None:
        document = self.directory.document
        if self.directory.consensus is not None and document is not None:
            left = document.period_s - self._clock() % document.period_s
            await asyncio.sleep(min(_UPKEEP_S, left + 0.01))

    # --- telling ------------------------------------------------------------------------------------------------------

    def _report(self, problem: Unreachable | None) -> None:
        self.problem = problem
        self._outcome.set_result(problem)
        self._outcome = self._loop.create_future()
        report = (problem is None, problem.message if problem else "")
        if report != self._reported:
            self._reported = report
            self._on_state(self.relay.address.key, *report)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._outcome.set_result(link_lost())
        self._outcome = self._loop.create_future()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(link_lost())
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler(
                {"message": "an onion network's task failed", "exception": error, "task": task}
            )

    def _key(self, what: str) -> str:
        return f"{self._host.key.hex()}/{what}"

    def _save_guards(self) -> None:
        encoded = self._guards.encoded()
        if encoded != self._memory.load(self._key("guards")):
            self._memory.save(self._key("guards"), encoded)


def _unbelievable(error: RoostError) -> Unreachable:
    return Unreachable(error.message, code=error.code, hint=error.hint)
