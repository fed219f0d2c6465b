"""What relays get to see of a channel's whole life: everything that they receive, store and log is searched.

Without the link it says nothing; with it, all of it opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from roost.agent import channels as ch
from roost.agent import operations as o
from roost.agent.service import Service
from roost.crypto import capability_hash, channel_keys, open_log_envelope
from roost.messaging import records as r
from roost.messaging.channels import states
from roost.wire import mailbox as m
from roost.wire.logs import decode_frame
from tests.faults.people import make_profile, opened
from tests.leaks.test_leaks_relays import FILE, Relay, spellings

NAMES = ["Olga Openly", "Rita Reader", "Mona Moderator"]
WORDS = [
    *NAMES,
    "News for the neighbourhood",
    "what happens in our street",
    "Editor in chief",
    "the moderator's name here",
    "reader by choice",
    "first post of all",
    "an answer by a reader",
    "spam that is removed",
    "written down.pdf",
    "Edited afterwards",
]


@dataclass
class Life:
    relays: list[Relay]
    secrets: dict[str, bytes]
    channel: r.ChannelRow  # the owner's
    common: bytes  # what all wrote with
    own: set[bytes]  # what single pseudonyms wrote with
    profiles: list[bytes] = field(default_factory=list)  # accounts


async def heard(service: Service, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await service.engine.changed(0.1)


def texts(service: Service) -> set[str]:
    return {row.text for row in service.engine.look().find(r.Message) if not row.deleted}


async def _live(folder: Path, at: str, elsewhere: str) -> tuple[dict[str, bytes], r.ChannelRow, set[bytes]]:
    """From its making to its end: posts by all, roles, moderation, files, a newcomer; two read at the channel's relay,
    one from another."""
    paths = [folder / name.split()[0] for name in NAMES]
    for path, name, link in zip(paths, NAMES, (at, elsewhere, at), strict=True):
        await make_profile(path, name, link)
    file = folder / WORDS[11]
    file.write_bytes(FILE)
    secrets: dict[str, bytes] = {}
    async with opened(*paths) as (olga, rita, mona):
        made = await olga.call(
            ch.ChannelCreate(title=WORDS[3], description=WORDS[4], posting=ch.Posting.ALL, name=WORDS[5])
        )
        await olga.call(o.Send(conversation=WORDS[3], text=WORDS[8]))
        for service, name in ((rita, WORDS[7]), (mona, WORDS[6])):
            await service.call(ch.ChannelJoin(link=made.link, name=name))
            await heard(service, lambda service=service: WORDS[8] in texts(service))  # type: ignore[misc]
        await rita.call(o.Send(conversation=WORDS[3], text=WORDS[9], files=(str(file),)))
        spam = await rita.call(o.Send(conversation=WORDS[3], text=WORDS[10]))
        await heard(mona, lambda: WORDS[10] in texts(mona))
        info = await mona.call(ch.ChannelInfo(channel=WORDS[3]))
        await olga.call(ch.ChannelSetRole(channel=WORDS[3], pseudonym=info.pseudonym, role=ch.ChannelRole.MODERATOR))
        await heard(mona, lambda: states.held(_row(mona)).roles != ())  # type: ignore[union-attr]
        await mona.call(ch.ChannelRemove(channel=WORDS[3], id=spam.id))
        await mona.call(ch.ChannelBan(channel=WORDS[3], pseudonym=WORDS[7]))
        await olga.call(ch.ChannelSettings(channel=WORDS[3], posting=ch.Posting.ROLES))
        await heard(mona, lambda: states.held(_row(mona)).posting == 0)  # type: ignore[union-attr]
        sent = await mona.call(o.Send(conversation=WORDS[3], text="by role"))
        await mona.call(o.Edit(id=sent.id, text=WORDS[12]))
        await heard(rita, lambda: WORDS[12] in texts(rita))
        for service in (olga, rita, mona):
            _add_secrets(service, secrets)
            await service.call(o.Sync())
        own = {member.put for member in olga.engine.look().find(r.ChannelMember) if member.put}
        row = _row(olga)
    secrets |= {f"word {number}": word.encode() for number, word in enumerate(WORDS)} | {"file": FILE[:64]}
    return secrets, row, own


def _row(service: Service) -> r.ChannelRow:
    (row,) = service.engine.look().find(r.ChannelRow)
    return row


def _add_secrets(service: Service, found: dict[str, bytes]) -> None:
    """Whatever tells one channel, person, pseudonym, post or file from another."""
    work, row = service.engine.look(), _row(service)
    name = work.me.about.name
    found |= {"channel": row.id, "link secret": row.secret, "log key": channel_keys(row.secret).log}
    found |= {f"{name}'s account": work.me.account, f"{name}'s device": work.me.device}
    found |= {
        f"{name}'s pseudonym": states.my_key(row).public.raw,
        f"{name}'s seed": row.seed,
        "state": row.state[:200],
    }
    for number, message in enumerate(work.find(r.Message)):
        found[f"id of post {number} at {name}"] = message.id
    for number, stored in enumerate(work.find(r.StoredFile)):
        found[f"key of file {number} at {name}"] = stored.file_key
    for number, seen in enumerate(work.find(r.Seen)):
        if seen.what.startswith(b"record"):
            found[f"record {number} at {name}"] = seen.what[-16:]


async def _recorded(folder: Path, count: int) -> Life:
    relays = [Relay(folder / f"relay{number}", folder / f"record{number}") for number in range(count)]
    for relay in relays:
        await relay.start()
    try:
        async with asyncio.timeout(90):
            secrets, row, own = await _live(folder, relays[0].link, relays[-1].link)
    finally:
        for relay in relays:
            await relay.stop()
    return Life(relays, secrets, row, channel_keys(row.secret).put, own | {row.own_put})


@pytest.fixture(scope="module", params=[1, 2], ids=["central", "federated"])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_recorded(tmp_path_factory.mktemp("channel"), request.param))


def _requests(relay: Relay) -> list[m.Request]:
    return [request for _, request in relay.calls()] + relay.inner()


def _posted(life: Life) -> list[m.Put]:
    """All puts into the channel that its relay received, over links of its own clients and in packets."""
    capabilities = {life.common, *life.own}
    return [each for each in _requests(life.relays[0]) if isinstance(each, m.Put) and each.put in capabilities]


def test_without_the_link_nothing_that_a_relay_sees_says_anything(life: Life) -> None:
    for relay in life.relays:
        seen = relay.seen()
        for name, secret in life.secrets.items():
            for spelling in spellings(secret):
                found = [where for where, data in seen.items() if spelling in data]
                assert not found, (name, found)
    assert len(life.relays[0].seen()["received"]) > 100_000  # a life was lived


def test_with_the_link_it_opens(life: Life) -> None:
    """That nothing is found in what relays see is not for want of it."""
    key = channel_keys(life.channel.secret).log
    bodies = {open_log_envelope(key, put.envelope) for put in _posted(life)}
    assert None not in bodies
    said = b"".join(decode_frame(body).payload for body in bodies if body)
    for word in (*WORDS[3:6], *WORDS[8:12]):
        assert word.encode() in said


def test_the_relay_cannot_tell_readers_apart(life: Life) -> None:
    """All ask with one capability and for nothing else."""
    get = channel_keys(life.channel.secret).get
    asked = [each for each in _requests(life.relays[0]) if isinstance(each, m.Subscribe | m.Get) and each.get == get]
    assert len(asked) >= 3
    assert {type(each) for each in asked} <= {m.Subscribe, m.Get}


def test_where_all_post_the_relay_cannot_tell_writers_apart(life: Life) -> None:
    with_common = [put for put in _posted(life) if put.put == life.common]
    assert len(with_common) >= 5  # by three people
    by_role = {put.put for put in _posted(life)} - {life.common}
    assert by_role <= life.own  # where only some may, it sees which of the capabilities wrote


def test_no_size_speaks(life: Life) -> None:
    puts = _posted(life)
    assert {len(put.envelope) for put in puts} == {4_096}


def test_the_capabilities_that_the_link_gives_are_stored_as_hashes(life: Life) -> None:
    keys = channel_keys(life.channel.secret)
    stored = b"".join(data for name, data in life.relays[0].seen().items() if name.startswith("relay.db"))
    assert capability_hash(keys.get) in stored
    for capability in (keys.get, keys.put, *life.own):
        assert capability not in stored


@pytest.mark.parametrize("life", [2], ids=["federated"], indirect=True)
def test_a_readers_own_relay_never_sees_the_channel(life: Life) -> None:
    keys = channel_keys(life.channel.secret)
    for where, data in life.relays[1].seen().items():
        for capability in (keys.get, keys.put, *life.own):
            assert capability not in data, where
            assert capability_hash(capability) not in data, where
