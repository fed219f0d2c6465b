"""Own relays: links that come back, subscriptions that go on, and errors that come at once."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
import uvloop

from roost.crypto import capability_hash
from roost.errors import CallerError, Refused, Unreachable
from roost.network import SYSTEM_ENTROPY, BackoffPolicy, Link, LinkTiming, Network, connect_relay
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.links import RelayLink
from roost.wire.sizes import ENVELOPE_SIZE
from tests.network.tiny_relay import TinyRelay, eventually

ADMIN, GET, PUT = (bytes([each]) * 32 for each in range(3))
QUICK = BackoffPolicy(first_s=0.02, most_s=0.1, stable_s=0.0)
SLOW = BackoffPolicy(first_s=3_600, most_s=3_600)


def box() -> m.Create:
    grants = zip((ADMIN, GET, PUT), (m.Right.ADMIN, m.Right.GET, m.Right.PUT), strict=True)
    return m.Create(m.MailboxKind.ORDINARY, tuple(m.Grant(capability_hash(cap), right) for cap, right in grants))


def envelope(number: int) -> bytes:
    return number.to_bytes(4, "big") * (ENVELOPE_SIZE // 4)


class States:
    """What `on_state` was told."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, str]] = []

    def __call__(self, key: bytes, reachable: bool, reason: str) -> None:
        self.seen.append((reachable, reason))


class Reader:
    """A subscriber that remembers and, like a store, knows how far it has come."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.envelopes: list[bytes] = []

    def after(self) -> int:
        return max(self.got, default=0)

    def deliver(self, number: int, body: bytes) -> None:
        self.got.append(number)
        self.envelopes.append(body)

    async def until(self, count: int) -> None:
        await eventually(lambda: len(self.got) >= count)


def network(states: States | None = None, policy: BackoffPolicy = QUICK) -> Network:
    return Network(SYSTEM_ENTROPY, states or States(), backoff=policy)


async def test_a_call_over_the_own_link() -> None:
    states = States()
    async with TinyRelay(access="secret").listening() as relay, network(states) as net:
        net.set_relays([relay.link])
        assert net.route(relay.address) == "central"
        assert net.route(TinyRelay().address) == "federated"
        assert await net.connected(relay.key.public.raw, 5)
        assert net.reachable(relay.key.public.raw)
        assert await net.call(relay.address, box()) == m.Done()
        assert await net.call(relay.address, m.Put(PUT, envelope(1))) == m.Stored(1)
        with pytest.raises(Refused) as caught:
            await net.call(relay.address, m.Trim(GET[:31] + b"?", 1))
        assert (caught.value.code, caught.value.message[-1]) == ("denied", ".")
        assert net.problem(relay.key.public.raw) is None
        assert len(relay.clients) == 1
    assert states.seen == [(True, "")]


async def test_the_access_secret_goes_only_where_it_is_asked_for() -> None:
    async with TinyRelay(access="secret").listening() as relay, network() as net:
        net.set_relays([relay.link])
        await net.call(relay.address, box())
        card = m.PutCard(bytes(32), bytes(32), 1, b"card", 0)
        relay.reply = lambda request: m.Done() if isinstance(request, m.PutCard) else None
        await net.call(relay.address, card)
        assert [getattr(request, "admission", None) for request in relay.requests] == [b"secret", b"secret"]
        net.set_relays([msgspec.structs.replace(relay.link, access="wrong")])
        with pytest.raises(Refused) as caught:
            await net.call(relay.address, box())
        assert caught.value.code == "not_admitted"
        assert caught.value.hint


async def test_subscriptions_go_on_after_the_relay_was_killed() -> None:
    states, reader = States(), Reader()
    relay = TinyRelay()
    async with network(states) as net:
        async with relay.listening():
            port = relay.port
            net.set_relays([relay.link])
            await net.call(relay.address, box())
            await net.call(relay.address, m.Put(PUT, envelope(1)))
            subscription = net.subscribe(relay.address, GET, reader.after, reader.deliver)
            await asyncio.wait_for(subscription.caught_up.wait(), 5)
            assert reader.got == [1]
            await net.call(relay.address, m.Put(PUT, envelope(2)))
            await reader.until(2)
        await eventually(lambda: not net.reachable(relay.key.public.raw))
        await eventually(lambda: not subscription.caught_up.is_set())
        relay.in_box(m.Put(PUT, envelope(3)), capability_hash(ADMIN), None, 0)
        async with relay.listening(port):
            await asyncio.wait_for(subscription.caught_up.wait(), 5)
            assert reader.got == [1, 2, 3]
            await net.call(relay.address, m.Put(PUT, envelope(4)))
            await reader.until(4)
            await net.close()
    assert reader.envelopes == [envelope(each) for each in range(1, 5)]
    assert [reachable for reachable, _ in states.seen][:1] == [True]
    assert [reachable for reachable, _ in states.seen][-1:] == [True]
    assert all(reachable or reason.endswith(".") for reachable, reason in states.seen)


async def test_a_call_finds_a_link_that_has_just_died() -> None:
    relay = TinyRelay()
    async with network(policy=SLOW) as net:
        async with relay.listening():
            port = relay.port
            net.set_relays([relay.link])
            assert await net.connected(relay.key.public.raw, 5)
            relay.mute = True
            call = asyncio.ensure_future(net.call(relay.address, m.Ping()))
            await eventually(lambda: bool(relay.requests))
            relay.mute = False
            server_again = relay.listening(port)
        async with server_again:
            assert await asyncio.wait_for(call, 5) == m.Done()
            await net.close()


async def test_an_unreachable_relay_is_reported_at_once_and_tried_again_by_a_call() -> None:
    async with TinyRelay().listening() as relay:
        port = relay.port
    states = States()
    async with network(states, SLOW) as net:
        began = time.monotonic()
        net.set_relays([relay.link])
        with pytest.raises(Unreachable) as caught:
            await net.call(relay.address, m.Ping())
        assert caught.value.code == "unreachable"
        assert not await net.connected(relay.key.public.raw, 5)
        assert time.monotonic() - began < 1
        assert states.seen == [(False, "Nothing listens at the relay's address.")]
        assert net.problem(relay.key.public.raw) is not None
        async with relay.listening(port):
            with pytest.raises(Unreachable):  # the last attempt is too recent for a mere call
                await net.call(relay.address, m.Ping())
            assert await net.connected(relay.key.public.raw, 5)
            assert await net.call(relay.address, m.Ping()) == m.Done()
            await net.close()
    assert [reachable for reachable, _ in states.seen] == [False, True]


async def test_retry_now_skips_the_pause() -> None:
    async with TinyRelay().listening() as relay:
        port = relay.port
    async with network(policy=SLOW) as net:
        net.set_relays([relay.link])
        assert not await net.connected(relay.key.public.raw, 5)
        async with relay.listening(port):
            net.retry_now()
            assert await net.connected(relay.key.public.raw, 5)
            await net.close()


async def test_a_relay_with_another_key_is_not_believed() -> None:
    states = States()
    async with TinyRelay().listening() as relay, network(states, SLOW) as net:
        link = RelayLink(msgspec.structs.replace(relay.address, key=TinyRelay().key.public.raw))
        net.set_relays([link])
        with pytest.raises(Unreachable) as caught:
            await net.call(link.address, m.Put(PUT, envelope(1)))
        assert caught.value.code == "relay_key_changed"
        assert relay.requests == []
        problem = net.problem(link.address.key)
        assert problem is not None
        assert problem.code == "relay_key_changed"


async def test_a_goodbye_is_honoured() -> None:
    states = States()
    async with TinyRelay().listening() as relay, network(states) as net:
        net.set_relays([relay.link])
        assert await net.connected(relay.key.public.raw, 5)
        relay.goodbye(300)
        began = time.monotonic()
        await eventually(lambda: not net.reachable(relay.key.public.raw))
        with pytest.raises(Unreachable, match="restarting"):
            await net.call(relay.address, m.Ping())
        await eventually(lambda: net.reachable(relay.key.public.raw))
        assert 0.29 < time.monotonic() - began < 2
        await net.close()
    assert [reachable for reachable, _ in states.seen] == [True, False, True]


async def test_retry_now_does_not_wait_for_a_relay_that_asked_for_time() -> None:
    async with TinyRelay().listening() as relay, network() as net:
        net.set_relays([relay.link])
        assert await net.connected(relay.key.public.raw, 5)
        relay.goodbye(60_000)
        await eventually(lambda: not net.reachable(relay.key.public.raw))
        assert not await net.connected(relay.key.public.raw, 5)
        net.retry_now()
        assert await net.connected(relay.key.public.raw, 5)


async def test_a_half_open_link_is_replaced_by_the_heart_beat() -> None:
    async def connect(address: RelayAddress) -> Link:
        return await connect_relay(address, timing=LinkTiming(idle_s=0.05, waiting_s=0.05, answer_s=0.05))

    reader = Reader()
    net = Network(SYSTEM_ENTROPY, States(), connect=connect, backoff=QUICK)
    async with TinyRelay().listening() as relay, net:
        net.set_relays([relay.link])
        await net.call(relay.address, box())
        subscription = net.subscribe(relay.address, GET, reader.after, reader.deliver)
        await asyncio.wait_for(subscription.caught_up.wait(), 5)
        (deaf,) = relay.clients
        deaf.send = lambda _: None  # what the relay says on this connection is lost from now on
        await net.call(relay.address, m.Put(PUT, envelope(1)))
        await reader.until(1)
        assert relay.clients != [deaf]


async def test_refused_subscriptions() -> None:
    async with TinyRelay().listening() as relay, network() as net:
        net.set_relays([relay.link])
        reader = Reader()
        gone = net.subscribe(relay.address, GET, reader.after, reader.deliver)
        await asyncio.wait_for(gone.caught_up.wait(), 5)
        assert gone.refused is not None
        assert gone.refused.code == "denied"
        await net.call(relay.address, box())
        asked = 0

        def busy(request: m.Request) -> m.Response | None:
            nonlocal asked
            asked += isinstance(request, m.Subscribe)
            return m.Refusal(m.RefusalCode.SLOW_DOWN, 10) if isinstance(request, m.Subscribe) and asked < 2 else None

        relay.reply = busy
        later = net.subscribe(relay.address, GET, reader.after, reader.deliver)
        await asyncio.wait_for(later.caught_up.wait(), 5)
        assert later.refused is None
        assert asked == 2


async def test_a_closed_subscription_delivers_nothing_more() -> None:
    async with TinyRelay().listening() as relay, network() as net:
        net.set_relays([relay.link])
        await net.call(relay.address, box())
        first, second = Reader(), Reader()
        subscription = net.subscribe(relay.address, GET, first.after, first.deliver)
        net.subscribe(relay.address, GET, second.after, second.deliver)
        await asyncio.wait_for(subscription.caught_up.wait(), 5)
        subscription.close()
        await net.call(relay.address, m.Put(PUT, envelope(1)))
        await second.until(1)
        assert first.got == []
        assert m.Unsubscribe in map(type, relay.requests)
        with pytest.raises(CallerError):
            net.subscribe(TinyRelay().address, GET, first.after, first.deliver)


async def test_changed_relays() -> None:
    async with TinyRelay().listening() as one, TinyRelay().listening() as two, network() as net:
        net.set_relays([one.link])
        await net.call(one.address, box())
        reader = Reader()
        kept = net.subscribe(one.address, GET, reader.after, reader.deliver)
        await asyncio.wait_for(kept.caught_up.wait(), 5)
        net.set_relays([two.link, one.link])
        assert net.reachable(one.key.public.raw)  # the link was not touched
        net.set_relays([two.link, RelayLink(one.address, "another secret"), one.link])
        await asyncio.wait_for(kept.caught_up.wait(), 5)
        await net.call(one.address, m.Put(PUT, envelope(1)))
        await reader.until(1)
        net.set_relays([two.link])
        assert kept.closed
        assert net.route(one.address) == "federated"
        assert not await net.connected(one.key.public.raw, 1)
        assert await net.connected(two.key.public.raw, 5)
        await eventually(lambda: not one.clients)


async def test_calls_under_way_end_when_the_network_closes() -> None:
    async with TinyRelay().listening() as relay:
        net = network()
        net.set_relays([relay.link])
        assert await net.connected(relay.key.public.raw, 5)
        relay.mute = True
        call = asyncio.ensure_future(net.call(relay.address, m.Ping()))
        await asyncio.sleep(0.01)
        await net.close()
        with pytest.raises(Unreachable):
            await call
        assert len(asyncio.all_tasks() - {asyncio.current_task()}) <= 1 + len(relay._jobs)


async def test_a_timeout_and_a_cancelled_call_leave_the_link_alone() -> None:
    async with TinyRelay().listening() as relay, network() as net:
        net.set_relays([relay.link])
        assert await net.connected(relay.key.public.raw, 5)
        relay.mute = True
        with pytest.raises(Unreachable):
            await net.call(relay.address, m.Ping(), timeout_s=0.05)
        call = asyncio.ensure_future(net.call(relay.address, m.Ping()))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        relay.mute = False
        assert await net.call(relay.address, m.Ping()) == m.Done()
        assert len(relay.clients) == 1


async def test_a_profile_without_a_relay() -> None:
    async with network() as net:
        with pytest.raises(Unreachable) as caught:
            await net.call(TinyRelay().address, m.Ping())
        assert caught.value.code == "no_relay"


async def test_over_the_memory_carrier() -> None:
    relay, reader = TinyRelay(), Reader()
    async with Network(SYSTEM_ENTROPY, States(), connect=relay.connect) as net:
        net.set_relays([relay.link])
        await net.call(relay.address, box())
        subscription = net.subscribe(relay.address, GET, reader.after, reader.deliver)
        for number in range(1, 20):
            await net.call(relay.address, m.Put(PUT, envelope(number)))
        await asyncio.wait_for(subscription.caught_up.wait(), 5)
        assert reader.got == list(range(1, 20))
    assert relay.clients == []


def test_on_uvloop() -> None:
    uvloop.run(test_subscriptions_go_on_after_the_relay_was_killed())
    uvloop.run(test_an_unreachable_relay_is_reported_at_once_and_tried_again_by_a_call())
    uvloop.run(test_a_half_open_link_is_replaced_by_the_heart_beat())
    uvloop.run(test_calls_under_way_end_when_the_network_closes())
