"""What relays get to see of two people's whole life together: everything that they receive, store and log is
searched."""

from __future__ import annotations

import asyncio
import base64
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from roost.agent import operations as o
from roost.agent.service import Service, create_profile, link_device
from roost.crypto import account_id, capability_hash
from roost.messaging import mailboxes, upkeep
from roost.messaging import records as r
from roost.wire import mailbox as m
from roost.wire.calls import decode_call
from roost.wire.codec import decode, encode
from roost.wire.frames import FrameReader
from roost.wire.identity import Card
from roost.wire.links import parse_invitation
from tests.faults.people import Child, accepted, opened, until
from tests.leaks.recording_relay import connections

TEXTS = ["the quick brown secret", "s", "long secret " * 700, "of middle length " * 40]
FILE = b"what the file says in confidence; " * 9_000
WORDS = ["Alice Liddell", "Robert Tables", "greetings from the rabbit hole", "edited in private", "whistleblower.pdf"]


@dataclass
class Relay:
    """A relay with what it saw."""

    folder: Path
    record: Path
    child: Child = field(init=False)
    link: str = ""

    def __post_init__(self) -> None:
        self.child = Child("tests.leaks.recording_relay", str(self.folder), str(self.record), "127.0.0.1:0")

    async def start(self) -> None:
        await self.child.start()
        self.link = (await self.child.line()).split()[0]

    async def stop(self) -> None:
        assert self.child.process is not None
        self.child.process.send_signal(signal.SIGTERM)
        await self.child.process.wait()
        await self.child.kill()

    def calls(self) -> Iterator[tuple[int, m.Request]]:
        """Every request, with the number of its connection."""
        for connection, sent in connections(self.record).items():
            for body in FrameReader().feed(sent):
                yield connection, decode_call(body).request

    def inner(self) -> list[m.Request]:
        """The requests that it handled, those inside packets too."""
        data = self.record.with_suffix(".requests").read_bytes()
        return [decode(m.Request, body) for body in FrameReader().feed(data)]  # type: ignore[arg-type]

    def seen(self) -> dict[str, bytes]:
        """All bytes that it received, understood, stored or logged, by where."""
        found = {name: self.record.with_suffix(f".{name}").read_bytes() for name in ("requests", "log")}
        found["received"] = b"".join(connections(self.record).values())
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                found[path.name] = path.read_bytes()
        return found


@dataclass
class Life:
    """Two relays, which may be the same one, and the secrets of those who used them."""

    relays: list[Relay]
    secrets: dict[str, bytes]
    puts: dict[str, set[bytes]]  # the put capabilities of each person's mailboxes


def _add_secrets(service: Service, name: str, found: dict[str, bytes]) -> None:
    """Whatever tells one person, device, card, message or session from another."""
    work = service.engine.look()
    me = work.me
    found |= {f"{name}'s account": me.account, f"{name}'s device": me.device, f"{name}'s list": me.devices.list}
    for number, peer in enumerate(work.find(r.PeerDevice)):
        found[f"identity key {number} that {name} knows"] = peer.identity
    for number, own in enumerate(work.find(r.OwnCard)):
        card = decode(Card, own.card.card)
        found |= {f"{name}'s card {number}": own.card.card[:200], f"{name}'s signature {number}": own.card.signature}
        found |= {f"{name}'s prekey {number}": card.agreement, f"{name}'s ML-KEM prekey {number}": card.kem[:64]}
    for number, row in enumerate(work.find(r.Message)):
        found[f"id of {name}'s message {number}"] = row.id
    for number, session in enumerate(work.find(r.SessionRow)):
        found[f"id of {name}'s session {number}"] = session.id
    for number, stored in enumerate(work.find(r.StoredFile)):
        found[f"key of {name}'s file {number}"] = stored.file_key


async def _live(folder: Path, alice_at: str, bob_at: str) -> tuple[dict[str, bytes], dict[str, set[bytes]]]:
    """From the first invitation to the last message, with everything that people do."""
    alice, bob, phone = folder / "alice", folder / "bob", folder / "phone"
    await create_profile(alice, WORDS[0], alice_at, None, "none")
    await create_profile(bob, WORDS[1], bob_at, None, "none")
    path = folder / WORDS[4]
    path.write_bytes(FILE)
    secrets: dict[str, bytes] = {}
    async with opened(alice, bob) as (one, other):
        link = (await one.call(o.Invite())).link
        await other.call(o.Add(link=link, greeting=WORDS[2]))
        await until(one, lambda: one.engine.look().find(r.Request))
        await one.call(o.Accept(id=(await one.call(o.Requests()))[0].id))
        await until(other, lambda: accepted(other))
        sent = [await one.call(o.Send(conversation=WORDS[1], text=text)) for text in TEXTS]
        await one.call(o.Send(conversation=WORDS[1], text="see this", files=(str(path),)))
        await one.call(o.Edit(id=sent[0].id, text=WORDS[3]))
        await until(other, lambda: len(other.engine.look().find(r.Message)) == 5)
        await other.call(o.React(id=sent[1].id, emoji="\N{PARTY POPPER}"))
        await other.call(o.Read(conversation=WORDS[0]))
        await other.call(o.Send(conversation=WORDS[0], text="an answer", reply_to=sent[2].id))
        code = (await link_device(phone, "phone of alice", alice_at, None, "none")).code
        await one.call(o.DeviceConfirm(code=code))
        async with Service.open(phone) as third:
            await until(third, lambda: accepted(third))
            await other.call(o.Send(conversation=WORDS[0], text="to both devices"))
            await until(third, lambda: third.engine.look().find(r.Message))
            _add_secrets(third, "phone", secrets)
        puts = {"alice": set[bytes](), "bob": set[bytes]()}
        for service, name in ((one, "alice"), (other, "bob")):
            _add_secrets(service, name, secrets)
            for row in service.engine.look().find(r.OwnMailbox):
                puts[name].add(row.put)
                if row.account and row.state == r.MailboxState.ACTIVE:
                    service.engine.step(mailboxes.rotate, row)
            service.engine.step(upkeep.tick)
        await other.call(o.Send(conversation=WORDS[0], text="after the move"))
        await until(one, lambda: any(row.text == "after the move" for row in one.engine.look().find(r.Message)))
        for service, name in ((one, "alice"), (other, "bob")):
            _add_secrets(service, name, secrets)
            puts[name] |= {row.put for row in service.engine.look().find(r.OwnMailbox)}
    secrets |= {"invitation": parse_invitation(link).secret, "file": FILE[:64], "emoji": "\N{PARTY POPPER}".encode()}
    secrets |= {f"words {number}": word.encode() for number, word in enumerate([*WORDS, *TEXTS]) if len(word) > 1}
    return secrets, puts


async def _recorded(folder: Path, count: int) -> Life:
    relays = [Relay(folder / f"relay{number}", folder / f"record{number}") for number in range(count)]
    for relay in relays:
        await relay.start()
    try:
        async with asyncio.timeout(60):
            secrets, puts = await _live(folder, relays[0].link, relays[-1].link)
    finally:
        for relay in relays:
            await relay.stop()
    return Life(relays, secrets, puts)


@pytest.fixture(scope="module")
def central(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_recorded(tmp_path_factory.mktemp("central"), 1))


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_recorded(tmp_path_factory.mktemp("federated"), 2))


@pytest.fixture(params=["central", "federated"])
def life(request: pytest.FixtureRequest) -> Life:
    found: Life = request.getfixturevalue(request.param)
    return found


def spellings(secret: bytes) -> set[bytes]:
    """As bytes, and as programs write bytes down."""
    text = {secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")}
    text |= {base64.urlsafe_b64encode(secret).rstrip(b"="), base64.b32encode(secret).rstrip(b"=")}
    if len(secret) == 32:
        text.add(account_id(secret).encode())
    return {secret} | {each for each in text if len(each) >= 12}


def test_nothing_that_a_relay_sees_names_anybody_or_anything(life: Life) -> None:
    for relay in life.relays:
        seen = relay.seen()
        assert len(seen["received"]) > 100_000  # a life was lived
        for name, secret in life.secrets.items():
            for spelling in spellings(secret):
                found = [where for where, data in seen.items() if spelling in data]
                assert not found, (name, found)


def test_no_size_speaks(life: Life) -> None:
    """Texts from 1 to 8,400 bytes, edits, reactions, receipts: the same sizes of everything."""
    for relay in life.relays:
        requests = [request for _, request in relay.calls()] + relay.inner()
        puts = [request for request in requests if isinstance(request, m.Put)]
        assert puts
        assert {len(put.envelope) for put in puts} == {4_096}
        assert len({len(encode(put)) for put in puts if not put.needs and not put.work}) == 1
        for kind, most in (
            (m.PutCard, 1),
            (m.GetCard, 1),
            (m.Forward, 2),
            (m.Packet, 2),
            (m.PutBlob, 1),
            (m.Create, 1),
        ):
            assert len({len(encode(each)) for each in requests if isinstance(each, kind)}) <= most, kind


def test_stored_capabilities_are_hashes(life: Life) -> None:
    for relay in life.relays:
        stored = b"".join(data for name, data in relay.seen().items() if name.startswith("relay.db"))
        assert stored
        for put in life.puts["alice"] | life.puts["bob"]:
            assert put not in stored
        asked = {request.get for _, request in relay.calls() if isinstance(request, m.Subscribe | m.Get)}
        assert asked
        assert not any(get in stored for get in asked)


def test_nothing_stored_ties_two_mailboxes_together(life: Life) -> None:
    """No value of more than eight bytes stands in rows of two mailboxes."""
    for relay in life.relays:
        owners = mailboxes_of_values(relay)
        assert owners
        assert not [value for value, boxes in owners.items() if len(boxes) > 1]


def mailboxes_of_values(relay: Relay) -> dict[bytes, set[int]]:
    """Every value of more than eight bytes that the relay stores, with the mailboxes in whose rows it stands."""
    database = sqlite3.connect(relay.folder / "relay.db")
    try:
        owners: dict[bytes, set[int]] = {}
        for table, columns in _tables(database):
            for row in database.execute(f'SELECT * FROM "{table}"'):
                mailbox = dict(zip(columns, row, strict=True)).get("mailbox")
                for value in row:
                    if isinstance(value, bytes) and len(value) > 8 and mailbox is not None:
                        owners.setdefault(value, set()).add(mailbox)
        return owners
    finally:
        database.close()


def _tables(database: sqlite3.Connection) -> list[tuple[str, list[str]]]:
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return [(name, [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')]) for name in names]


def test_nothing_is_logged_of_anybodys_acts(life: Life) -> None:
    for relay in life.relays:
        log = relay.seen()["log"].decode()
        lines = [line for line in log.splitlines() if "selector" not in line]
        assert len(lines) <= 10, lines
        assert "127.0.0.1:" not in "".join(lines)


def test_the_forwarding_relay_never_sees_the_others_mailboxes(federated: Life) -> None:
    alices, bobs = federated.relays
    for relay, own, foreign in ((alices, "alice", "bob"), (bobs, "bob", "alice")):
        assert any(put in relay.seen()["requests"] for put in federated.puts[own])  # what is there is found
        for where, data in relay.seen().items():
            for put in federated.puts[foreign]:
                assert put not in data, where
                assert capability_hash(put) not in data, where


def test_the_other_relay_never_sees_the_client(federated: Life) -> None:
    """What concerns the other relay comes in packets, over links that carry nothing else and answer for many
    clients."""
    for relay in federated.relays:
        kinds: dict[int, set[type]] = {}
        for connection, request in relay.calls():
            kinds.setdefault(connection, set()).add(type(request))
        forwarded = [each for each in kinds.values() if m.Packet in each]
        assert forwarded
        for each in forwarded:
            assert each <= {m.Packet, m.GetInfo, m.Ping}
        own = [each for each in kinds.values() if m.Packet not in each and each != {m.GetInfo}]
        for _, request in relay.calls():
            if isinstance(request, m.Forward):
                assert len(request.packet) in (9_328, 70_768)
        assert own
