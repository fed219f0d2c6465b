"""The corpus: inputs made from the regression vectors, so that the fuzzer begins with what parsers accept.

Files that begin with `found-` are inputs that once broke a property; they are kept by hand.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fuzz.runner import CORPUS
from fuzz.targets import TARGETS, directory, files, groups, logs, mls, network, swarm, wire
from fuzz.targets.crypto import states, vector
from fuzz.tools import CountedEntropy
from roost.agent.operations import OPERATIONS
from roost.crypto import LOG_BODY_SIZE, AgreementPublic, Label, account_id, post_id
from roost.crypto.mls.framing import MlsMessage
from roost.crypto.mls.key_package import make_key_package
from roost.crypto.mls.leaf import Credential, Lifetime
from roost.crypto.mls.suites import MLS_128_X25519, MLS_256_XWING
from roost.messaging.records import ROWS
from roost.network.direct.lan_packets import Said
from roost.relay.core.ballots import Ballots, vote_hash
from roost.relay.core.directory import make_consensus, make_vote, read_vote
from roost.store import protection
from roost.store.protection import ByKeyring, ByNothing, ByPassphrase, KeyFile
from roost.wire import padding
from roost.wire.addresses import MailboxAddress
from roost.wire.ballots import BallotBox, VotedNode
from roost.wire.channels import ChannelBan, ChannelPost, ChannelState, Posting
from roost.wire.codec import encode
from roost.wire.content import Entry, Reaction, Text
from roost.wire.frames import frame
from roost.wire.identity import Card
from roost.wire.mailbox import (
    Call,
    Delivery,
    Entries,
    Get,
    GetBlob,
    Hello,
    Ping,
    Put,
    Reply,
    Request,
    SignedInfo,
    Stored,
    Subscribed,
    Trim,
)
from roost.wire.onion import AuthoritySignature, SignedConsensus, SignedDescriptor
from roost.wire.parcels import Parcel, file_record, write_file
from tests.relay.relay_core import capability, envelope

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"
MAX_SEED = 8_192

Seeds = Iterator[tuple[str, bytes]]


def write() -> int:
    """Write fuzz/corpus anew but for what was found. The number of inputs."""
    made = expected()
    for folder in {CORPUS / name for name, _ in made}:
        folder.mkdir(parents=True, exist_ok=True)
    for old in CORPUS.glob("*/*"):
        if not old.name.startswith("found-"):
            old.unlink()
    for name, data in made:
        (CORPUS / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(made)


def expected() -> list[tuple[str, bytes]]:
    """Target and input of all seeds, without repetitions."""
    rooms = (
        _wire,
        _links,
        _crypto,
        _onion_packets,
        _onion_sessions,
        _peers,
        _logs,
        _groups,
        _mls,
        _network,
        _parcels,
        _relay,
        _directory,
        swarm.seeds,
        _files,
    )
    found = {(name, data) for room in rooms for name, data in room() if len(data) <= MAX_SEED}
    unknown = {name for name, _ in found} - set(TARGETS)
    if unknown:
        raise ValueError(f"seeds for no target: {unknown}")
    return sorted(found)


def _cases(name: str) -> list[Any]:
    cases: list[Any] = json.loads((VECTORS / f"{name}.json").read_text())["cases"]
    return cases


def _bytes(written: Any) -> bytes:
    """Bytes as the wire's vectors write them: hexadecimal, with long repetitions shortened."""
    if isinstance(written, str):
        return bytes.fromhex(written)
    parts = written if isinstance(written, list) else [written]
    return b"".join(bytes.fromhex(p) if isinstance(p, str) else bytes.fromhex(p["byte"]) * p["times"] for p in parts)


def _kind(name: str) -> bytes:
    return bytes([wire.NAMES.index(name)])


def _wire() -> Seeds:
    for file, union in (("contents", "Content"), ("requests", "Request"), ("responses", "Response")):
        for case in _cases(f"wire/{file}"):
            encoded = _bytes(case["encoded"])
            yield "wire-structures", _kind(union) + encoded
            yield "wire-structures", _kind(case["value"]["structure"]) + encoded
            if union == "Content":
                yield "wire-contents", encoded
            if union == "Request":
                yield "wire-calls", b"\x92\x01" + encoded
            if union == "Response":
                yield "network-answers", b"\x01" + encoded
    yield "wire-contents", b"\x92\xcd\x03\xe8\xc0"
    yield "wire-calls", b"\x92\x07\x91\xcd\x03\xe8"
    for file in ("frames", "identity"):
        for case in _cases(f"wire/{file}"):
            if case["value"]["structure"] in wire.NAMES:
                yield "wire-structures", _kind(case["value"]["structure"]) + _bytes(case["encoded"])
            if case["value"]["structure"] == "Call":
                yield "wire-calls", _bytes(case["encoded"])
            yield "wire-stream", b"\x02" + _bytes(case["encoded"])
    for case in _cases("wire/stream"):
        yield "wire-stream", b"\x00" + _bytes(case["frame"]) * 2
    for case in _cases("wire/padding"):
        yield "wire-padding", _bytes(case["padded"])


def _links() -> Seeds:
    for case in _cases("wire/links"):
        yield "wire-links", b"\x00" + case["link"].encode()
    for host in ("relay.example", "[::1]", "::ffff:10.0.0.1", "127.0.0.1", "0x7f.1", "Bücher.Example.", "a_b.c"):
        yield "wire-hosts", host.encode()
    yield "crypto-account-ids", account_id(bytes(range(32))).encode()


def _crypto() -> Seeds:
    for message in vector("handshake")["messages"]:
        envelope_bytes = bytes.fromhex(message["envelope"])
        yield "crypto-handshakes", b"\x00" + envelope_bytes
        for state in range(4):
            yield "crypto-envelopes", bytes((state, 1)) + envelope_bytes
    yield "crypto-envelopes", b"\x02\x00\x00\x10\x00\x01"
    for which, stored in enumerate(states()):
        yield "crypto-stored-sessions", b"\x01" + stored
        yield "crypto-stored-sessions", bytes((0, which)) + b"\x00\x01\x01"
    prekeys = bytes.fromhex(vector("handshake")["responder"]["prekeys"])
    yield "crypto-stored-sessions", b"\x01" + prekeys
    for shape in range(16):
        yield "crypto-hostile-turns", struct.pack(">BBHII", shape & 1, shape, 0, 0, shape) * 3
        yield "crypto-hostile-turns", struct.pack(">BBHI", shape & 1, shape | 1, 40 * shape, shape) * 2
    yield "crypto-handshakes", b"\x01\x00\x00\x00\x00\x00\x00"
    yield "crypto-handshakes", b"\x01\x00\x00\x00\x05\x00\x20" + bytes(32)
    packet = vector("packet")
    for how in range(4):
        yield "crypto-packets", bytes((how,)) + bytes(32) + b"\0\0\0\2hi" + bytes(8)
    yield "crypto-packets", b"\x01" + bytes.fromhex(packet["packet"])
    yield "crypto-packets", b"\x03" + bytes.fromhex(packet["public"])
    yield "crypto-cards", b"\x01\0\0\0\4card"
    yield "crypto-cards", b"\x02" + bytes(6_112)
    yield "crypto-blobs", b"\x02\0\1\1\x80\0\0\4blob"
    yield "crypto-blobs", b"\x01\0\1\1blob"


def _directory() -> Seeds:
    descriptor, vote = directory.node_descriptor(), directory.honest_encoded()
    signed = SignedDescriptor(descriptor, directory.NODE.sign(Label.ONION_NODE, descriptor))
    yield "onion-descriptors", b"\x00" + encode(signed)
    yield "onion-descriptors", b"\x01" + descriptor
    own = make_vote(directory.DOCUMENT, directory.PERIOD, directory.KEYS[0], None, [VotedNode(signed, 700)])
    yield "onion-votes", own
    yield "onion-votes", make_vote(directory.DOCUMENT, directory.PERIOD, directory.KEYS[0], None, ())
    ballots = Ballots(directory.DOCUMENT, directory.PERIOD, directory.KEYS[0])
    ballots.cast(own)
    yield "onion-boxes", b"\x01" + encode(ballots.box())
    other = read_vote(directory.DOCUMENT, directory.PERIOD, directory.KEYS[0].public.raw, own)
    consensus = make_consensus(directory.DOCUMENT, directory.PERIOD, [directory.honest_vote(), other], None)
    ballots.sign(encode(consensus))
    yield "onion-boxes", b"\x00" + encode(ballots.box())
    yield "onion-boxes", b"\x01" + encode(_voted_by_another(vote))
    yield "onion-documents", encode(directory.DOCUMENT)
    yield "onion-consensuses", b"\x01" + encode(consensus)
    yield "onion-consensuses", b"\x02" + encode(consensus)
    signature = directory.KEYS[0].sign(Label.ONION_CONSENSUS, encode(consensus))
    made = AuthoritySignature(directory.KEYS[0].public.raw, signature)
    yield "onion-consensuses", b"\x00" + encode(SignedConsensus(encode(consensus), (made,)))
    for case in _cases("wire/onion"):
        yield "wire-structures", _kind(case["value"]["structure"]) + _bytes(case["encoded"])


def _voted_by_another(vote: bytes) -> BallotBox:
    """The vote of authority 1 as authority 2 shows it."""
    ballots = Ballots(directory.DOCUMENT, directory.PERIOD, directory.KEYS[1])
    ballots.cast(vote)
    second = Ballots(directory.DOCUMENT, directory.PERIOD, directory.KEYS[2])
    second.take_in(ballots.box(), {vote_hash(vote): vote}, 1)
    return second.box()


def _onion_packets() -> Seeds:
    for hops in range(3):
        yield "crypto-onion-packets", bytes((1, hops))
        yield "crypto-onion-packets", bytes((1, hops, 0, 2, 1))
    yield "crypto-onion-packets", bytes((0, 7, 1)) + bytes(8_000)
    for left in range(4):
        for command in range(6):
            routing = bytes((left, command)) + bytes(4) + bytes(range(32))
            yield "crypto-onion-packets", b"\x02" + routing + b"\x01\x01carried"
            yield "crypto-onion-packets", b"\x03" + routing + b"\x00\x00" + bytes(19) + b"\x07carried"
    yield "crypto-onion-replies", b"\x00payload"
    yield "crypto-onion-replies", b"\x01" + bytes(19) + b"\x07carried"
    yield "crypto-onion-replies", b"\x02block"


def _onion_sessions() -> Seeds:
    """Calls in one part and in three, an answer, time, blocks alone."""
    for call in range(4):
        asked = bytes((4, 2, 0, 1, call, 0, 0, 0))
        yield "onion-sessions", asked + bytes((1, 0, call)) + asked
        parts = b"".join(bytes((5, 1, 0, 1, call, 2, part, 3)) for part in (2, 0, 1))
        yield "onion-sessions", parts + bytes((1, 0, 1)) + bytes((7, 2, 0, 0, 0, 0)) * 5 + bytes((2, 255, 255)) + asked


def _peers() -> Seeds:
    link = vector("peer_link")["link"]
    for which, message in enumerate(link["messages"]):
        yield "crypto-peer-handshakes", bytes((which & 1,)) + bytes.fromhex(message)
    yield "crypto-peer-handshakes", b"\x02\x00\x00\x40\x01"
    yield "crypto-peer-handshakes", b"\x02\x01\x04\xa2\x01"
    for shape in range(8):
        yield "crypto-peer-handshakes", bytes((3, shape, 0, 32)) + (bytes(range(32)) + bytes(1_184))[: 40 * shape]
    yield "crypto-peer-handshakes", b"\x04" + bytes(range(64))
    yield "crypto-peer-records", b"\x00\x01\x00" + bytes.fromhex(link["host_records"])
    yield "crypto-peer-records", b"\x01\x00\x10\x03\x00\x05\x10\x00\x20\x00"
    yield "crypto-peer-records", b"\x01\x00\x10\x02\x00\x05\x10\x00\x00\x13\x01"
    for units, length in ((1, 5), (32, 16_349), (129, 0), (0, 0), (33, 1), (1, 478)):
        yield "crypto-peer-records", b"\x02\x01\xff\x01" + struct.pack(">BHB", units, length, 5) + b"hello"
    yield "crypto-announcements", b"\x03\x01" + bytes.fromhex(vector("peer_link")["announcement"]["announcement"])
    for count in (0, 1, 9, 56):
        yield "crypto-announcements", bytes((count, 0)) + b"\x00\x12\x01"[: 3 * (count & 1)]


def _logs() -> Seeds:
    for case in _cases("wire/logs"):
        kind = {"LogFrame": b"\0", "SpilledRecord": b"\1"}[case["value"]["structure"]]
        encoded = _bytes(case["encoded"])
        yield "logs-structures", kind + encoded
        if kind == b"\0":
            yield "logs-landing", b"\1" + len(encoded).to_bytes(2, "big") + encoded
            yield "logs-envelopes", b"\1" + padding.pad(encoded, LOG_BODY_SIZE)
    yield "logs-envelopes", bytes(4_097)
    yield "channels-capabilities", bytes(range(80))
    place = b"CHANNEL-ID-HERE-32-BYTES-LONG!!!"
    key, nonce = logs.STRANGER.public, bytes(16)
    entry = Entry(post_id(logs._channel()[1], key, nonce), logs.NOW, 1, encode(Text("hello")))
    for kind, body in (
        (1, ChannelPost(place, nonce, "Mallory", encode(entry))),
        (2, ChannelPost(place, nonce, "", encode(Entry(nonce, logs.NOW, 1, encode(Reaction(nonce, "x")))))),
        (2, ChannelBan(place, logs.NOW, key.raw, True, True)),
        (2, ChannelState(place, 9, logs.NOW, "Mine", "", b"", Posting.ALL, 0, (), (), ())),
    ):
        yield "channels-records", bytes([kind]) + encode(body)
    for case in _cases("wire/channels"):
        yield "channels-records", b"\0" + _bytes(case["encoded"])


def _groups() -> Seeds:
    for case in _cases("wire/groups"):
        name, encoded = case["value"]["structure"], _bytes(case["encoded"])
        yield "groups-structures", bytes([groups.NAMES.index(name)]) + encoded
        if name in ("GroupMessage", "SealedRecord", "Rejoin"):
            yield "groups-landing", b"\0\1" + encoded
        elif name == "GroupState":
            yield "groups-states", encoded
        else:
            yield "groups-telling", encoded
    yield from groups.seeds()


def _mls() -> Seeds:
    entropy = CountedEntropy()
    for suite in (MLS_128_X25519, MLS_256_XWING):
        key = suite.signature_key(entropy.bytes(32))
        package = make_key_package(suite, Credential.basic(b"someone"), key, Lifetime(0, 2**32), entropy).package
        yield "mls-structures", bytes([mls.KINDS.index(type(package))]) + package.encode()
        yield "mls-structures", b"\0" + MlsMessage(package).encode()


def _network() -> Seeds:
    hello = encode(Hello(SignedInfo(encode(network.INFO), bytes(64))))
    entries, ping = encode(Reply(1, Entries((), False))), encode(Reply(3, Subscribed(0)))
    delivery = encode(Delivery(2, 1, envelope("one")))
    array = msgspec.msgpack.encode
    raws = [[hello, entries, ping], [hello, encode(Reply(1, Stored(1)))], [hello, entries, delivery]]
    for raw in raws:
        yield "network-link", array([msgspec.Raw(part) for part in raw])
    for case in _cases("network/proofs"):
        yield "network-proofs", b"\x00" + bytes.fromhex(case["certificate"])
    yield "network-proofs", b"\x01" + encode(network.INFO)
    link = next(case["link"] for case in _cases("wire/links") if case["link"].startswith("roost:"))
    names, data = ("0123456789abcdef", "fedcba9876543210"), bytes(range(80))
    yield "network-neighbours", network.lan.SERVICE.say(Said(*names, 4_444, data))
    yield "network-neighbours", network.nearby.SERVICE.say(Said(*names, 0, network.nearby.shown("Zoë", link)))
    yield "network-neighbours", network.lan.SERVICE.ask(names[0])
    yield "network-websocket", b"\x01\x82\x03abc\x81\x01a\x89\x00\x88\x00"
    yield "network-websocket", b"\x00HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    account, device, devices = network._account()
    address = network.ADDRESS
    card = Card(
        account.public.raw,
        device.public.raw,
        devices,
        AgreementPublic(bytes(range(32))).raw,
        bytes(1_184),
        bytes(32),
        MailboxAddress(address, bytes(32)),
        1,
        2**32,
    )
    yield "messaging-cards", b"\x00" + encode(card)
    yield "messaging-cards", b"\x02" + devices.list
    yield "messaging-cards", b"\x03" + devices.list


def _parcels() -> Seeds:
    for case in _cases("wire/parcels"):
        encoded = _bytes(case["encoded"])
        if case["value"]["structure"] in ("OfferParcels", "WantParcels", "HandParcel", "TookParcels"):
            yield "parcels-messages", encoded
        if case["value"]["structure"] == "CarriedPut":
            yield "parcels-bodies", encoded
    for case in _cases("wire/parcel_files"):
        yield "parcels-files", b"\x07\x00" + _bytes(case["file"])
    parcel = Parcel(2, 20_724, bytes(range(32)) + bytes(5_088))
    yield "parcels-files", b"\x07\x00" + b"".join(write_file([parcel]))
    yield "parcels-files", b"\x20\x01\x01\x00" + file_record(parcel)
    for first in range(12):
        yield "parcels-courier", bytes((first & 3, first % 3, 3)) + bytes(range(first, first + 60))
        yield "parcels-courier", bytes((0, 0, 1, 1, 2, 9, first, 0, 0, 1, 2)) * 4


def _relay() -> Seeds:
    yield "relay-web", b"\x00\x07GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "relay-web", b"\x01\x3f\x82\x83\0\0\0\0abc\x89\x80\0\0\0\0\x88\x80\0\0\0\0"
    yield "relay-web", b"\x01\x3f\x02\x81\0\0\0\0a\x80\x81\0\0\0\0b"
    for call in (5, 200, 300, 70_000):
        put = frame(encode(Call(call, Put(bytes(32), envelope("one")))))
        yield "relay-raw", b"\xff" + frame(b"a") + put + frame(b"b")
    for case in _cases("wire/requests"):
        encoded = _bytes(case["encoded"])
        yield "relay-packets", b"\x01" + struct.pack(">I", len(encoded)) + encoded
        yield "relay-requests", b"\x91" + encoded
    for box in range(3):
        put, get, admin = (capability(f"box {box} {right}") for right in ("put", "get", "admin"))
        asked: list[Request] = [Put(put, envelope("one")), Get(get, 0), Trim(admin, 1), GetBlob(get, bytes(32)), Ping()]
        yield "relay-requests", msgspec.msgpack.encode([msgspec.Raw(encode(one)) for one in asked])
    sample = Path(__file__).resolve().parent.parent / "packaging" / "relay.sample.toml"
    yield "relay-config", sample.read_bytes()[:2_000].rsplit(b"\n", 1)[0]
    yield (
        "relay-config",
        b'open = true\nlisten = "[::]:7777"\nforward_networks = ["10.0.0.0/8"]\n[quotas]\ntotal_gib = 1\n',
    )
    yield "relay-config", b"https://relay.example:443/path"


def _files() -> Seeds:
    kinds = ByPassphrase(bytes(16), 65_536, 3), ByKeyring("0" * 32), ByNothing(bytes(32))
    for kind in kinds:
        yield "store-key-file", protection.encode(KeyFile(protection.VERSION, kind, bytes(protection._WRAPPED_SIZE)))
    yield "agent-file", b'{"version":1,"pid":1,"socket":"/s","url":"","token":""}'
    yield "store-names", b"0123456789abcdef" * 2
    for place, name in enumerate(files.NAMES):
        fields = msgspec.structs.fields(OPERATIONS[name].request)
        given = {field.encode_name: 1 if field.type is int else "x" for field in fields}
        yield "agent-operations", bytes([place]) + b"{}"
        yield "agent-operations", bytes([place]) + msgspec.json.encode(given)
    for place, row in enumerate(ROWS):
        empty = {field.name: _empty(field.type) for field in msgspec.structs.fields(row)}
        yield "store-rows", bytes([place]) + msgspec.msgpack.encode(empty)
    refusal = b'{"error":{"code":"c","message":"m","hint":"h"}}'
    yield "agent-answers", b"\x00" + refusal
    yield "agent-answers", b"\x00HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    yield from (("agent-media", picture) for picture in _pictures())


def _empty(kind: Any) -> Any:
    return {int: 0, bytes: b"", str: "", bool: False}.get(kind)


def _pictures() -> Iterator[bytes]:
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    size = b"\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"
    yield b"\xff\xd8" + exif + size + b"\xff\xda\x00\x02data\xff\xd9"
    yield b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 9, 9) + bytes(9) + b"\0\0\0\1tEXta\0\0\0\0"
    chunks = b"VP8X\x0a\0\0\0\x0c\0\0\0\x08\0\0\x08\0\0" + b"EXIF\x02\0\0\0ab"
    yield b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    yield b"GIF89a\x10\0\x10\0"
    yield b"\0\0\0\x18ftypisom"
