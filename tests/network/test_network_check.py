"""The operator's self-test."""

from __future__ import annotations

import msgspec
import pytest

from roost.network import check_relay
from roost.wire import mailbox as m
from roost.wire.links import RelayLink
from tests.network.tiny_relay import TinyRelay


async def test_a_good_relay() -> None:
    async with TinyRelay(access="secret").listening() as relay:
        report = await check_relay(relay.link)
        assert report.ok
        assert (report.reachable, report.key_right, report.carrier, report.open) == (True, True, "raw", False)
        assert list(report.steps_ms) == ["connect", "create", "put", "deliver", "trim", "delete", "packet"]
        assert all(milliseconds > 0 for milliseconds in report.steps_ms.values())
        assert relay.boxes == {}


async def test_a_relay_that_is_not_there() -> None:
    async with TinyRelay().listening() as relay:
        link = relay.link
    report = await check_relay(link)
    assert not report.ok
    assert not report.reachable
    assert report.problem is not None
    assert report.problem.code == "unreachable"


async def test_another_relay() -> None:
    async with TinyRelay().listening() as relay:
        report = await check_relay(RelayLink(msgspec.structs.replace(relay.address, key=bytes(range(32)))))
    assert (report.reachable, report.key_right) == (True, False)
    assert report.problem is not None
    assert report.problem.code == "relay_key_changed"


async def test_a_wrong_access_secret() -> None:
    async with TinyRelay(access="secret").listening() as relay:
        report = await check_relay(RelayLink(relay.address, "guess"))
    assert report.key_right
    assert report.problem is not None
    assert report.problem.code == "not_admitted"


@pytest.mark.parametrize("kind", [m.Put, m.Trim, m.Packet])
async def test_what_stops_it_is_told_and_the_mailbox_is_deleted(kind: type[m.Request]) -> None:
    async with TinyRelay().listening() as relay:
        relay.reply = lambda request: m.Refusal(m.RefusalCode.FULL) if isinstance(request, kind) else None
        report = await check_relay(relay.link)
        assert report.problem is not None
        assert report.problem.code == "full"
        assert relay.boxes == {}


async def test_a_relay_that_cannot_open_packets() -> None:
    async with TinyRelay().listening() as relay:
        relay.reply = lambda request: m.SealedAnswer(bytes(100)) if isinstance(request, m.Packet) else None
        report = await check_relay(relay.link)
    assert not report.ok
    assert "trim" in report.steps_ms
