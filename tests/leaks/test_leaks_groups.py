"""What relays get to see of a group's whole life: everything that they receive, store and log is searched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from roost.agent import groups as g
from roost.agent import operations as o
from roost.agent import polls
from roost.agent.service import Service, create_profile
from roost.crypto import capability_hash
from roost.crypto.group_keys import group_get, group_put
from roost.messaging import records as r
from roost.wire import mailbox as m
from roost.wire.codec import encode
from roost.wire.links import parse_invitation
from tests.faults.people import befriend, opened, until
from tests.leaks.test_leaks_relays import FILE, Relay, mailboxes_of_values, spellings

NAMES = ("Alice Liddell", "Robert Tables", "Caroline Herschel", "Dorothea Erxleben")
WORDS = (
    "Conspiracy of hatters",
    "Society of dormice",
    "what the group is said to be about",
    "the first of all words in the group",
    "said in private by the second",
    "after one of them had to go",
    "said by the one who came by the link",
    "let me in, it is Dorothea",
    "which day would be best?",
    "on a Thursday perhaps",
    "on a Friday perhaps",
    "plan of the burrow.pdf",
)
PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + bytes(range(256)) * 8


@dataclass
class Life:
    """The relays of the members in turn (the first is the group's host), which may be one; what was secret."""

    relays: list[Relay]
    secrets: dict[str, bytes]
    rights: list[
        dict[bytes, bytes]
    ]  # of each generation of the log: what each device wrote with; b"": what all read with
    boxes: list[set[bytes]]  # each member's capabilities to read and be written to by contacts


def _secrets(service: Service, name: str, life: Life) -> None:
    """Whatever tells one person, device, message or epoch from another, of what this device knows now."""
    work, found = service.engine.look(), life.secrets
    found |= {f"{name}'s account": work.me.account, f"{name}'s device": work.me.device}
    for row in work.find(r.GroupRow):
        found["the group's id"] = row.id
        found[f"the state's {name} of {row.epoch}"] = row.state[-64:]
        found[f"log secret {row.generation}"] = row.log_secret
        found[f"transcript of {row.epoch}"] = row.transcript
        if row.log_secret and row.generation == len(life.rights):
            devices = [device for each in work.find(r.GroupMember) for device in each.devices]
            life.rights.append({device: group_put(row.log_secret, device) for device in devices})
            life.rights[-1][b""] = group_get(row.log_secret)
        if row.log_secret:
            for each in work.find(r.GroupMember):
                rights = life.rights[row.generation]
                rights |= {device: group_put(row.log_secret, device) for device in each.devices}
    for number, key in enumerate(work.find(r.LogKey)):
        found[f"{name}'s log key {number} of {key.tag}"] = key.key_bytes
    for number, message in enumerate(work.find(r.Message)):
        found[f"id of {name}'s message {number}"] = message.id
    for package in work.find(r.OwnKeyPackage):
        found[f"{name}'s key package {package.reference.hex()[:8]}"] = package.reference
    for stored in work.find(r.StoredFile):
        found[f"{name}'s file key"] = stored.file_key


async def _say(service: Service, to: str, text: str, *others: Service, **more: object) -> None:
    await service.call(o.Send(conversation=to, text=text, **more))  # type: ignore[arg-type]
    for other in others:
        await until(other, lambda other=other: any(text in row.text for row in other.engine.look().find(r.Message)))


def _in(service: Service, count: int) -> bool:
    work = service.engine.look()
    rows = work.find(r.GroupRow, where={"status": int(r.GroupStatus.ACTIVE)})
    return bool(rows) and len(work.find(r.GroupMember)) == count


async def _live(folder: Path, life: Life) -> None:
    """A group is made and talked in; roles, title, picture change; one is removed, one comes by link, one leaves."""
    paths = [folder / name.split()[0] for name in NAMES]
    for number, (path, name) in enumerate(zip(paths, NAMES, strict=True)):
        await create_profile(path, name, life.relays[number % len(life.relays)].link, None, "none")
    (folder / WORDS[11]).write_bytes(FILE)
    (folder / "hat.png").write_bytes(PICTURE)
    async with opened(*paths) as (ann, bob, cy, dora):
        everybody = dict(zip(NAMES, (ann, bob, cy, dora), strict=True))

        def note() -> None:
            for name, service in everybody.items():
                _secrets(service, name, life)

        await befriend(ann, bob)
        await befriend(ann, cy)
        made = await ann.call(g.GroupCreate(title=WORDS[0], members=NAMES[1:3], description=WORDS[2]))
        for service in (ann, bob, cy):
            await until(service, lambda service=service: _in(service, 3))
        note()
        await _say(ann, made.group, WORDS[3], bob, cy)
        await _say(bob, made.group, WORDS[4], ann, cy, files=(str(folder / WORDS[11]),))
        poll = polls.AskPoll(conversation=made.group, question=WORDS[8], options=WORDS[9:11])
        await ann.call(poll)
        await ann.call(g.GroupRole(group=made.group, member=NAMES[1], role=g.Role.MODERATOR))
        await ann.call(g.GroupAvatar(group=made.group, picture=str(folder / "hat.png")))
        await ann.call(g.GroupTitle(group=made.group, title=WORDS[1]))
        note()
        await ann.call(g.GroupBan(group=made.group, members=(NAMES[2],)))
        await until(bob, lambda: _in(bob, 2))
        note()
        await _say(bob, made.group, WORDS[5], ann)
        link = (await ann.call(g.GroupLink(group=made.group))).link
        await dora.call(g.GroupJoin(link=link, greeting=WORDS[7]))
        await until(ann, lambda: ann.engine.look().find(r.GroupRequest))
        await ann.call(g.GroupAccept(id=NAMES[3]))
        for service in (ann, bob, dora):
            await until(service, lambda service=service: _in(service, 3))
        note()
        await _say(dora, made.group, WORDS[6], ann, bob)
        await bob.call(g.GroupLeave(group=made.group))
        await until(dora, lambda: _in(dora, 2))
        note()
        for service in everybody.values():
            rows = service.engine.look().find(r.OwnMailbox)
            life.boxes.append({right for row in rows for right in (row.put, row.get)})
    life.secrets |= {f"words {number}": words.encode() for number, words in enumerate((*NAMES, *WORDS))}
    life.secrets |= {"link": parse_invitation(link).secret, "file": FILE[:64], "picture": PICTURE[64:128]}


async def _recorded(folder: Path, count: int) -> Life:
    relays = [Relay(folder / f"relay{number}", folder / f"record{number}") for number in range(count)]
    life = Life(relays, {}, [], [])
    for relay in relays:
        await relay.start()
    try:
        async with asyncio.timeout(120):
            await _live(folder, life)
    finally:
        for relay in relays:
            await relay.stop()
    life.secrets = {name: secret for name, secret in life.secrets.items() if secret}
    return life


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_recorded(tmp_path_factory.mktemp("central"), 1))


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_recorded(tmp_path_factory.mktemp("federated"), 3))


@pytest.fixture(params=["central", "federated"])
def life(request: pytest.FixtureRequest) -> Life:
    found: Life = request.getfixturevalue(request.param)
    return found


def test_nothing_that_a_relay_sees_names_the_group_its_members_or_what_they_say(life: Life) -> None:
    """No title, description, picture, role, name, account, word, key or id of the group or of its people."""
    assert len(life.secrets) > 60
    for relay in life.relays:
        seen = relay.seen()
        assert len(seen["received"]) > 100_000  # a life was lived
        for name, secret in life.secrets.items():
            for spelling in spellings(secret):
                found = [where for where, data in seen.items() if spelling in data]
                assert not found, (name, found)


def test_nothing_stored_ties_members_to_the_group_or_to_each_other(life: Life) -> None:
    """No value of more than eight bytes stands in rows of two mailboxes, a group's log or a member's own."""
    for relay in life.relays:
        owners = mailboxes_of_values(relay)
        assert owners
        assert not [value for value, boxes in owners.items() if len(boxes) > 1]


def test_the_host_sees_a_right_for_each_device_and_new_ones_with_each_log(life: Life) -> None:
    """What a host does see: as many rights to write as there are devices, as hashes; those of the next log are others,
    and none of them is one of the members' own mailboxes."""
    assert len(life.rights) >= 3  # two went
    host, rights = life.relays[0].seen(), [set(each.values()) for each in life.rights]
    for earlier, later in pairwise(rights):
        assert not earlier & later
    stored = b"".join(data for name, data in host.items() if name.startswith("relay.db"))
    for right in set().union(*rights):
        assert right not in stored
        assert not any(right in boxes for boxes in life.boxes)
    made = [each for each in life.relays[0].inner() if isinstance(each, m.Create) and each.kind is m.MailboxKind.SHARED]
    assert len(made) >= len(rights)
    granted = {grant.capability_hash for each in made for grant in each.grants}
    assert {capability_hash(right) for right in rights[1] - {life.rights[1][b""]}} <= granted | {
        grant.capability_hash
        for each in life.relays[0].inner()
        if isinstance(each, m.ChangeGrants)
        for grant in each.add
    }


def test_all_entries_of_a_group_look_alike(life: Life) -> None:
    """Words, commits of one and of many, receipts, votes, leaving: the same sizes of everything."""
    for relay in life.relays:
        requests = [request for _, request in relay.calls()] + relay.inner()
        puts = [request for request in requests if isinstance(request, m.Put)]
        assert {len(put.envelope) for put in puts} == {4_096}
        assert len({len(encode(put)) for put in puts if not put.needs and not put.work}) == 1
        for kind, most in ((m.PutBlob, 1), (m.Forward, 2), (m.Packet, 2)):
            assert len({len(encode(each)) for each in requests if isinstance(each, kind)}) <= most, kind


def test_a_members_relay_never_sees_the_log_nor_the_host_the_members_elsewhere(federated: Life) -> None:
    host, *others = federated.relays
    rights = {right for each in federated.rights for right in each.values()}
    assert any(right in host.seen()["requests"] for right in rights)  # what is there is found
    for relay in others:
        for where, data in relay.seen().items():
            for right in rights:
                assert right not in data, where
                assert capability_hash(right) not in data, where
    for number, boxes in enumerate(federated.boxes):
        if number % len(federated.relays):  # a member whose own relay is another one
            for where, data in host.seen().items():
                assert not [right for right in boxes if right in data or capability_hash(right) in data], where
