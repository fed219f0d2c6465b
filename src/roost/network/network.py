"""The network as the agent uses it: own relays over persistent links, all others through them, and onion networks.

One class joins the keepers of own relays and of onion networks with the federated route. It decides which route a
request takes, and fills in the access secrets of own relays; it does not decide what to send, to whom, or when to send
it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import msgspec

from roost.crypto import Entropy
from roost.errors import CallerError, Unreachable
from roost.network.backoff import BackoffPolicy
from roost.network.dial import Connect, connect_relay, link_over
from roost.network.direct.direct import Direct
from roost.network.direct.here import HereConnection
from roost.network.direct.host_end import HostProtocol
from roost.network.errors import no_answer
from roost.network.federation import DestinationUnreachable, Federation
from roost.network.keeper import Keeper, OnState
from roost.network.link import Link
from roost.network.onion.memory import Forgetful, OnionMemory
from roost.network.subscription import Subscription
from roost.wire.addresses import DeviceHost, HostAddress, OnionHost, RelayAddress
from roost.wire.links import RelayLink
from roost.wire.mailbox import Create, Forward, GetInfo, PutCard, Request, Response

if TYPE_CHECKING:
    from roost.network.onion.keeper import OnionKeeper

Route = Literal["central", "federated", "onion", "direct"]
AnyKeeper: TypeAlias = "Keeper | OnionKeeper"

# Packets are lost and sent again, on a path that may have to be found first; mixed ones wait at each hop.
_ONION_CALL_S, _MIXED_CALL_S = 45.0, 150.0


@dataclass(frozen=True)
class Here:
    """The device's own host."""

    key: bytes
    host: HostProtocol


class Network:
    """Requests to relays, and subscriptions at own ones. An async context manager; leaving it ends every link.

    `on_state(relay key, reachable, reason)` is called when an own relay comes or goes, with a sentence for people.
    `entered(network)`: whether the person did something that leads into this onion network of others. Its nodes learn
    their address, and anybody can make up a network: what others write is no reason to call there.
    """

    def __init__(
        self,
        entropy: Entropy,
        on_state: OnState,
        *,
        connect: Connect = connect_relay,
        backoff: BackoffPolicy | None = None,
        now: Callable[[], float] = time.time,
        memory: OnionMemory | None = None,
        entered: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self.direct: Direct | None = None  # links to other devices, where this profile has any carriers
        self.here: Here | None = None  # the host in this process
        self._entropy = entropy
        self._on_state = on_state
        self._connect = connect
        self._policy = backoff
        self._memory = memory if memory is not None else Forgetful()  # of onion networks
        self._entered = entered
        self._keepers: dict[bytes, AnyKeeper] = {}  # by relay key, the primary first
        self._followed: dict[bytes, AnyKeeper] = {}  # other devices where something is subscribed to, other networks
        self._closing: set[asyncio.Task[None]] = set()
        self._now = now
        self._federation = Federation(entropy, now)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all links and wait until they are gone."""
        self.set_relays(())
        followed, self._followed = self._followed, {}
        for keeper in followed.values():
            self._end(keeper)
        if self._closing:
            await asyncio.wait(self._closing)
        if self.direct is not None:
            await self.direct.close()

    # --- own relays ---------------------------------------------------------------------------------------------------

    def set_relays(self, links: Sequence[RelayLink]) -> None:
        """These are the own relays from now on; the first is the primary, which forwards.

        Links that stay keep standing. A relay whose link changed is connected anew, with its subscriptions; those of a
        relay that is gone are closed.
        """
        before, self._keepers = self._keepers, {}
        for link in links:
            key = link.address.key
            if key in self._keepers:
                continue
            if isinstance(link.address, OnionHost) and key in self._followed:
                before[key] = self._followed.pop(key)
            kept = before.get(key)
            if kept is not None and kept.relay == link:
                self._keepers[key] = before.pop(key)
            else:
                self._keepers[key] = self._started(link, kept.take_subscriptions() if kept else ())
        for keeper in before.values():
            self._end(keeper)

    def _end(self, keeper: AnyKeeper) -> None:
        """With its subscriptions."""
        for subscription in keeper.take_subscriptions():
            subscription.close()
        ending = asyncio.create_task(keeper.close())
        self._closing.add(ending)
        ending.add_done_callback(self._closing.discard)

    def _started(self, link: RelayLink, subscriptions: Sequence[Subscription]) -> AnyKeeper:
        keeper: AnyKeeper
        if isinstance(link.address, OnionHost):
            from roost.network.onion.keeper import OnionKeeper  # a fifth of this room, for those in such a network

            keeper = OnionKeeper(
                link, self._connect, self._entropy, self._on_state, self._policy, self._memory, clock=self._now
            )
        else:
            shared = isinstance(link.address, DeviceHost) and not self._is_here(link.address.key)
            keeper = Keeper(link, self._connected, self._entropy, self._on_state, self._policy, shared=shared)
        for subscription in subscriptions:
            keeper.subscribe(subscription)
        keeper.start()
        return keeper

    async def _connected(self, address: HostAddress) -> Link:
        if isinstance(address, RelayAddress):
            return await self._connect(address)
        if self.here is not None and self._is_here(address.key):
            return await link_over(HereConnection(self.here.host), address)
        assert isinstance(address, DeviceHost)  # networks have keepers of their own kind
        return await self._to_device(address)

    def _is_here(self, key: bytes) -> bool:
        return self.here is not None and key == self.here.key

    async def _to_device(self, host: DeviceHost) -> Link:
        if self.direct is None:
            raise carriers_off()
        return await self.direct.link(host)

    def path_to(self, host: OnionHost, place: bytes) -> tuple[list[str], list[str]]:
        """For showing: where the three nodes listen by which something could go to a mailbox there now, and those that
        keep it. Empty while there is no way."""
        keeper = _of_network(self._keeper(host.key))
        try:
            path, swarm = keeper.path_to(place) if keeper is not None else ([], [])
        except Unreachable:
            return [], []
        return [node.address.endpoint for node in path], [node.address.endpoint for node in swarm]

    def knows_nodes(self, host: OnionHost) -> bool:
        """Whether the list of an onion network's nodes is at hand."""
        keeper = _of_network(self._keeper(host.key))
        return keeper is not None and keeper.directory.consensus is not None

    def expected_delay_s(self, host: OnionHost, *, mixed: bool) -> float | None:
        """How long what is sent to a reader there takes on average; None while nothing is known of the network."""
        keeper = _of_network(self._keeper(host.key))
        return keeper.expected_delay_s(mixed) if keeper is not None else None

    def route(self, relay: HostAddress) -> Route:
        """How a request to this host travels."""
        if isinstance(relay, DeviceHost):
            return "direct"
        if isinstance(relay, OnionHost):
            return "onion"
        return "central" if relay.key in self._keepers else "federated"

    def standing(self, key: bytes) -> bool:
        """Whether a request to the host with this key can leave over a link that stands."""
        direct = self.direct is not None and self.direct.carrier_to(key) is not None
        return direct or self.reachable(key)

    def any_reachable(self) -> bool:
        """Whether the link to some own relay stands."""
        return any(keeper.up for keeper in self._keepers.values())

    def reachable(self, relay_key: bytes) -> bool:
        """Whether the link to this own relay stands."""
        keeper = self._keepers.get(relay_key)
        return keeper is not None and keeper.up

    def problem(self, relay_key: bytes) -> Unreachable | None:
        """Why the link to this own relay does not stand: an error with message, code and hint."""
        keeper = self._keepers.get(relay_key)
        return keeper.problem if keeper else None

    async def connected(self, relay_key: bytes, timeout_s: float) -> bool:
        """Wait until the link to this own relay stands: True; False after a failed attempt or `timeout_s` seconds."""
        keeper = self._keepers.get(relay_key)
        if keeper is None:
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await keeper.standing(insist=True)
        except (Unreachable, TimeoutError):
            return False
        return True

    def retry_now(self) -> None:
        """Connect at once wherever a link is down, without waiting out the back-off."""
        for keeper in (*self._keepers.values(), *self._followed.values()):
            keeper.retry_now()

    def near(self, key: bytes) -> None:
        """A link to this device stands now: what is kept up with it goes on."""
        for keepers in (self._keepers, self._followed):
            if key in keepers:
                keepers[key].retry_now()

    # --- requests -----------------------------------------------------------------------------------------------------

    async def call(
        self, relay: HostAddress, request: Request, *, timeout_s: float = 20, mixed: bool = False
    ) -> Response:
        """The relay's answer to `request`, never a `Refusal`; over the own link, or federated through an own relay, or
        through an onion network, where `mixed` has its packets delayed and hidden among cover traffic.

        Cancelling gives the request up; the relay may have acted on it all the same. Every request may be repeated.

        Raises:
            Refused: the relay said no; `code` is one of RefusalCode's.
            Unreachable: no answer, for whatever reason; at once when the link is down and connecting fails.
        """
        if self._by_onion(relay):
            timeout_s = max(timeout_s, _MIXED_CALL_S if mixed else _ONION_CALL_S)
        try:
            async with asyncio.timeout(timeout_s):
                keeper = self._network(relay) if isinstance(relay, OnionHost) else self._keepers.get(relay.key)
                if keeper is not None:
                    return await _own_call(keeper, request, mixed)
                if isinstance(relay, DeviceHost):
                    return await self._direct_call(relay, request)
                assert isinstance(relay, RelayAddress)
                return await self._federated(relay, request, mixed)
        except TimeoutError as error:
            raise no_answer() from error

    async def _direct_call(self, host: DeviceHost, request: Request) -> Response:
        """A link that gave way to a better one, or was lost, is replaced once."""
        link = await self._to_device(host)
        try:
            return await link.call(request, timeout_s=None)
        except Unreachable:
            if link.usable:
                raise
        return await (await self._to_device(host)).call(request, timeout_s=None)

    def _by_onion(self, relay: HostAddress) -> bool:
        """Whether a request there goes through an onion network, if only on its way to a relay."""
        if isinstance(relay, OnionHost):
            return True
        first = next(iter(self._keepers.values()), None)
        return isinstance(relay, RelayAddress) and relay.key not in self._keepers and _of_network(first) is not None

    def may_enter(self, host: OnionHost) -> bool:
        """Whether this network is called at all."""
        return host.key in self._keepers or self._entered(host.key)

    def leave_networks(self) -> None:
        """Keep up with those of others no longer that the person has nothing to do with any more."""
        for key, keeper in tuple(self._followed.items()):
            if _of_network(keeper) is not None and not self._entered(key):
                self._end(self._followed.pop(key))

    def _network(self, host: OnionHost) -> AnyKeeper:
        """A network's keeper; one that is not an own one is kept in touch with from the first call on. Raises
        Unreachable for one that the person has nothing to do with."""
        if not self.may_enter(host):
            raise foreign_network()
        keeper = self._keeper(host.key)
        if keeper is None:
            keeper = self._followed[host.key] = self._started(RelayLink(host), ())
        return keeper

    async def _federated(self, relay: RelayAddress, request: Request, mixed: bool) -> Response:
        """Through the first own relay that can be reached, with an address or at home."""
        failure = Unreachable("This profile has no relay.", code="no_relay", hint="Add one: roost relays add LINK.")
        for keeper in tuple(self._keepers.values()):
            if self._is_here(keeper.relay.address.key):
                continue  # this device forwards nothing
            try:
                return await self._federation.call(partial(_own_call, keeper, mixed=mixed), relay, request)
            except DestinationUnreachable:
                raise  # another own relay would only be one more to learn who is written to
            except Unreachable as error:
                failure = error
        raise failure

    def subscribe(
        self,
        relay: HostAddress,
        get: bytes,
        after: Callable[[], int],
        deliver: Callable[[int, bytes], None],
        on_refused: Callable[[], None] | None = None,
        *,
        mixed: bool = False,
    ) -> Subscription:
        """Have everything after entry `after()` of a mailbox at an own relay, a device or an onion network delivered,
        over every link to come.

        `deliver(number, envelope)` runs on the event loop and must only hand over; `after` is asked again after every
        reconnect, so what was delivered and not yet stored comes again. `on_refused` is called when the relay's
        answer is a final no.

        Raises:
            CallerError: the relay is not an own one.
            Unreachable: it is a network that the person has nothing to do with.
        """
        keeper = self._network(relay) if isinstance(relay, OnionHost) else self._keeper(relay.key)
        if keeper is None and isinstance(relay, DeviceHost):
            keeper = self._followed[relay.key] = self._started(RelayLink(relay), ())
        if keeper is None:
            raise CallerError("Only mailboxes at one of your own relays can be subscribed to.", code="not_own_relay")
        subscription = Subscription(get, after, deliver, partial(self._unsubscribe, relay.key), on_refused, mixed=mixed)
        keeper.subscribe(subscription)
        return subscription

    def _keeper(self, key: bytes) -> AnyKeeper | None:
        return self._keepers.get(key) or self._followed.get(key)

    def _unsubscribe(self, relay_key: bytes, subscription: Subscription) -> None:
        keeper = self._keeper(relay_key)
        if keeper is None:
            return
        keeper.unsubscribe(subscription)
        if not keeper.subscriptions and self._followed.get(relay_key) is keeper and isinstance(keeper, Keeper):
            self._end(self._followed.pop(relay_key))


def _of_network(keeper: AnyKeeper | None) -> OnionKeeper | None:
    """`keeper`, if it is an onion network's."""
    return None if isinstance(keeper, Keeper) else keeper


def carriers_off() -> Unreachable:
    return Unreachable(
        "Talking from device to device is off.", code="carriers_off", hint="Turn it on: roost carriers on lan"
    )


def foreign_network() -> Unreachable:
    return Unreachable(
        "This is on an onion network that you do not use, and whose nodes would learn your network address.",
        code="foreign_network",
        hint="If you trust whoever is there or leads you there, use it: roost route CONVERSATION --enter",
    )


async def _own_call(keeper: AnyKeeper, request: Request, mixed: bool) -> Response:
    """Only an own relay gets the access secret in its link, and only where it asks for one."""
    network = _of_network(keeper)
    if network is not None:
        return await network.call(request, mixed=mixed)
    if isinstance(request, (Create, PutCard, Forward, GetInfo)):
        request = msgspec.structs.replace(request, admission=keeper.relay.access.encode())
    return await keeper.call(request)
