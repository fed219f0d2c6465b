"""Writes tests/vectors/wire/*.json: regression vectors, made by this implementation from the values below.

    python -m tests.wire.make_vectors

They pin today's bytes; they are not known answers from elsewhere. A changed line in them is a change of the protocol.
Bytes are hex. Long ones are lists of pieces, of which `{"byte": "ab", "times": 4096}` is a repetition.
"""

from __future__ import annotations

import enum
import itertools
import json
from pathlib import Path
from typing import Any

from roost.wire import ballots as b
from roost.wire import channels as ch
from roost.wire import content as c
from roost.wire import groups as g
from roost.wire import identity as i
from roost.wire import links, logs
from roost.wire import mailbox as m
from roost.wire import onion as o
from roost.wire import parcels as p
from roost.wire import swarm as s
from roost.wire.addresses import DeviceHost, MailboxAddress, OnionHost, RelayAddress
from roost.wire.codec import Extension, Record, encode
from roost.wire.frames import frame
from roost.wire.padding import pad
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE, ONION_PACKET_SIZE, ONION_PAYLOAD
from roost.wire.travel import Network, NetworkEntered, TravelChange

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "wire"
NOTE = "Regression vectors, made by this implementation (python -m tests.wire.make_vectors); not independent answers."
REPETITION = 64  # from this many equal bytes on


def counting(first: int, length: int = 32) -> bytes:
    """`length` different bytes, so that swapped fields would show."""
    return bytes((first + step) % 256 for step in range(length))


RELAY = RelayAddress("relay.example", 443, counting(0x00))
DEVICE_HOST = DeviceHost(counting(0x90), counting(0x98, 16), counting(0xA0))
BEHIND_PROXY = RelayAddress("2001:db8::7", 8443, counting(0x20), counting(0x40))
ADDRESS = MailboxAddress(RELAY, counting(0x60))
ENVELOPE = b"\xee" * ENVELOPE_SIZE
BLOB = b"\xbb" * BLOB_SIZE
ID = counting(0xA0, 16)
OTHER_ID = counting(0xB0, 16)
DEVICES = i.DeviceList(
    counting(0x80), 2, counting(0x10), (i.DeviceEntry(counting(0x01), counting(0x21), 1_780_000_000),)
)
SIGNED_LIST = i.SignedDeviceList(encode(DEVICES), counting(0x41, 64))
CARD = i.Card(
    counting(0x80), counting(0x01), SIGNED_LIST, counting(0x22), b"\xcc" * 1_184, counting(0x33), ADDRESS,
    1_780_000_000_123, 1_781_209_600, "Laptop",
)  # fmt: skip
SIGNED_CARD = i.SignedCard(encode(CARD), counting(0x42, 64))
ABOUT = c.About("Ada", "Writing", b"\x89PNG")
ATTACHMENT = c.Attachment(
    "photo.jpg", 123_456, "image/jpeg", counting(0x90), c.BlobPointer(counting(0x91), ID, 3), False
)
VOICE = c.MediaFacts(0, 0, 4_200, counting(0x30, 64), (Extension(1, b"later"),))
TEXT = c.Text("Grüße, Ada", (c.Span(0, 5, int(c.Style.BOLD)),), OTHER_ID, (ATTACHMENT,), 3_600, True)
ENTRY = c.Entry(ID, 1_780_000_000_123, 7, encode(c.Text("Hello")))
INFO = m.RelayInfo(
    1, counting(0x00), counting(0x51), m.PacketKey(b"\xdd" * 1_216, 1_780_604_800), 1_780_000_000, True, 30, "roost 0.1"
)
SIGNED_INFO = m.SignedInfo(encode(INFO), counting(0x43, 64))
NEEDS = m.Needs(ID, 3)
GRANT = m.Grant(counting(0x70), m.Right.PUT, 500)

IDENTITY: tuple[Record, ...] = (
    RELAY,
    BEHIND_PROXY,
    ADDRESS,
    DEVICE_HOST,
    MailboxAddress(DeviceHost(counting(0x90), counting(0x98, 16)), counting(0x10)),
    Extension(1, b"later"),
    DEVICES.devices[0],
    DEVICES,
    i.DeviceList(counting(0x80), 1, bytes(32), DEVICES.devices, (Extension(1, b"\x01"), Extension(300, b""))),
    SIGNED_LIST,
    CARD,
    SIGNED_CARD,
)
CONTENTS: tuple[Record, ...] = (
    c.Text("Hello"),
    TEXT,
    c.Text("", attachments=(c.Attachment("note.ogg", 0, "", bytes(32), None, True, VOICE),)),
    c.Edit(ID, "Hello!", (c.Span(0, 5, int(c.Style.CODE)),)),
    c.Text("@Ada, tea?", mentions=(c.Mention(0, 4, counting(0x80)),)),
    c.Mention(0, 4, counting(0x80)),
    c.Deletion(ID),
    c.Reaction(ID, "👍"),
    c.Reaction(ID, ""),
    c.Receipt((ID, OTHER_ID)),
    c.Typing(True),
    ABOUT,
    c.TimerChange(86_400),
    c.CallSignal(ID, b"offer"),
    c.Poll("Tea or coffee?", ("Tea", "Coffee"), True),
    c.Vote(ID, (0, 1)),
    c.Pin(ID, True),
    c.FloorChange(c.Floor.FEDERATED),
    c.CourierOffer(True),
    c.ContactRequest("Ada", "We met at the library.", SIGNED_LIST, counting(0x01), ADDRESS),
    c.ContactAcceptance(ABOUT, SIGNED_CARD),
    c.DeviceAnnouncement(SIGNED_CARD),
    c.IntroductionRequest(ID, "Ada", counting(0x80)),
    c.IntroductionLink(ID, "roost:AAAA"),
    c.Introduction("Ada", counting(0x80), "roost:AAAA"),
    c.SentCopy(counting(0x80), encode(c.Text("Hello"))),
    c.ReadMark(counting(0x80), (ID,)),
    c.ContactSync(
        counting(0x80),
        "Ada",
        "Mum",
        1,
        True,
        SIGNED_LIST,
        (SIGNED_CARD,),
        3_600,
        1_790_000_000_000,
        1_790_000_500_000,
        c.Floor.FEDERATED,
        c.Floor.ANY,
    ),
    c.ContactRemoved(counting(0x80)),
    c.DeviceWelcome(counting(0x81), SIGNED_LIST, ABOUT, SIGNED_CARD),
    c.DeviceRemoved(SIGNED_LIST),
    TravelChange(counting(0x80), Network.ONION, True, 1_790_000_500_000),
    NetworkEntered(counting(0x82)),
    ENTRY,
    c.Acknowledgement(ID, 4, 6, counting(0x70, 8)),
    c.Frame(5, 3, 0, 1, encode(ENTRY), (c.Acknowledgement(ID, 4, 6, counting(0x70, 8)),), True),
    c.Frame(0, 3, 0, 0, b"", (c.Acknowledgement(ID, 6, 6, b""),)),
)
REQUESTS: tuple[Record, ...] = (
    m.Create(m.MailboxKind.ORDINARY, (m.Grant(counting(0x71), m.Right.ADMIN), GRANT), b"access secret"),
    m.Put(counting(0x60), ENVELOPE),
    m.Put(counting(0x60), ENVELOPE, False, (NEEDS,), counting(0x05, 8)),
    m.Put(counting(0x60), ENVELOPE, True),
    m.Get(counting(0x61), 41, 10),
    m.Subscribe(counting(0x61), 2**40),
    m.Unsubscribe(7),
    m.Trim(counting(0x62), 40, (38, 39)),
    m.Seal(counting(0x62)),
    m.Delete(counting(0x62)),
    m.ChangeGrants(counting(0x62), (GRANT,), (counting(0x72),)),
    m.PutBlob(counting(0x60), ID, counting(0x06), BLOB),
    m.GetBlob(counting(0x61), counting(0x06)),
    m.PutCard(counting(0x07), counting(0x08), 3, b"\xca" * 6_144, 1_781_209_600, b"access secret"),
    m.GetCard(counting(0x07)),
    m.DeleteCard(counting(0x07), counting(0x08)),
    m.GetInfo(),
    m.GetInfo(BEHIND_PROXY),
    m.Forward(BEHIND_PROXY, b"\xfa" * 9_344, b"access secret"),
    m.Packet(b"\xfa" * 9_344),
    m.Ping(),
    m.Create(m.MailboxKind.ORDINARY, (m.Grant(counting(0x61), m.Right.ADMIN),), place=ID),
    m.GetDirectory(counting(0x70), m.DirectoryDocument.CONSENSUS, 494_999, 1),
    m.PutDescriptor(counting(0x70), b"\xd3" * 4_000),
    m.GetBallots(counting(0x70), 495_000),
    m.OnionPacket(b"\xd4" * ONION_PACKET_SIZE),
    m.AttachOnion(ID),
    m.AttachOnion(ID, counting(0x09, 8)),
    m.ProveNode(counting(0x00), 1_780_000_000, counting(0x41, 64)),
    m.SwarmCall(b"\xd5" * 300),
)
RESPONSES: tuple[Record, ...] = (
    m.Refusal(m.RefusalCode.SLOW_DOWN, 1_500),
    m.Refusal(m.RefusalCode.WORK_NEEDED, 0, encode(m.WorkChallenge(ID, 18))),
    m.Done(),
    m.Stored(42),
    m.Entries((m.Entry(42, ENVELOPE), m.Entry(43, ENVELOPE)), True),
    m.Subscribed(43),
    m.BlobData(BLOB),
    m.CardData(b"\xca" * 6_144),
    m.WorkChallenge(ID, 18),
    INFO.packet_key,
    INFO,
    SIGNED_INFO,
    m.SealedAnswer(b"\xfb" * 8_208),
    m.DirectoryPart(b"\xd6" * 65_536, 2),
    m.Refusal(m.RefusalCode.MOVED, detail=counting(0x00)),
    m.SwarmAnswer(b"\xd7" * 300),
)
LOGS: tuple[Record, ...] = (
    *logs.frames_of(b"Hello"),
    *logs.frames_of(b"\xaa" * 5_000),
    logs.LogFrame(0, (), encode(logs.SpilledRecord(c.BlobPointer(counting(0x91), ID, 2), 100_000)), True),
    logs.SpilledRecord(c.BlobPointer(counting(0x91), ID, 2), 100_000),
)
ROLE = ch.RoleEntry(counting(0x31), 2, counting(0x10, 80))
STATE = ch.ChannelState(
    counting(0x80), 3, 1_790_000_000_000, "News", "What happens", b"\x89PNG", ch.Posting.ROLES, 60, (ROLE,),
    (counting(0x32),), (ID,), (Extension(1, b"later"),),
)  # fmt: skip
POST = ch.ChannelPost(counting(0x80), OTHER_ID, "Ada", encode(ENTRY))
SIGNED = ch.SignedRecord(counting(0x31), encode(POST), counting(0x44, 64))
CHANNELS: tuple[Record, ...] = (
    ROLE,
    STATE,
    POST,
    ch.ChannelPlace(RELAY, bytes(range(16))),
    ch.ChannelBan(counting(0x80), 1_790_000_000_000, counting(0x32), True, True),
    SIGNED,
    ch.RepeatedState(ID, ch.SignedRecord(counting(0x31), encode(STATE), counting(0x44, 64))),
)
PLACE = g.LogPlace(RELAY, 3)
GROUP_STATE = g.GroupState(
    "Choir", PLACE, (g.MemberRole(counting(0x10), g.Role.ADMIN), g.MemberRole(counting(0x20), g.Role.READ_ONLY)),
    "We sing.", b"\x89PNG", g.Permissions(g.Role.MODERATOR, g.Role.ADMIN, g.Role.MEMBER, g.Role.MODERATOR), 3_600, 50,
    False, (counting(0x30),), (Extension(1, b"later"),),
)  # fmt: skip
GROUPS: tuple[Record, ...] = (
    GROUP_STATE.roles[0],
    GROUP_STATE.permissions,
    PLACE,
    GROUP_STATE,
    g.GroupState("Choir", PLACE, (g.MemberRole(counting(0x10), g.Role.ADMIN),)),
    g.GroupCard(counting(0x11), "Choir", True),
    g.MemberInfo(SIGNED_LIST, "Ada", (Extension(2, b""),)),
    g.GroupMessage(b"\xaa" * 300),
    g.SealedRecord(counting(0x12), b"\xab" * 300),
    g.Rejoin(counting(0x80), counting(0x01), 7, ID, b"\xac" * 1_216, counting(0x44, 64)),
    g.RejoinInfo(b"\xad" * 300, counting(0x13)),
    g.KeptMessage(counting(0x80), counting(0x01), ID, 1_790_000_000_000, encode(c.Text("Hello")), 0),
    g.History((g.KeptMessage(counting(0x80), counting(0x01), ID, 1_790_000_000_000, encode(c.Text("Hello")), 1),)),
    g.KeyPackageOffer(b"\xae" * 3_000),
    g.GroupWelcome(
        counting(0x11),
        "Choir",
        b"\xaf" * 1_400,
        counting(0x12),
        7,
        PLACE,
        counting(0x14),
        counting(0x15),
        42,
        counting(0x16),
        counting(0x17),
    ),
    g.GroupCheck(counting(0x11), 7, counting(0x18)),
    g.GroupLost(counting(0x11), 3),
    g.GroupFound(counting(0x11), PLACE, counting(0x14), 42),
    g.GroupKnock(counting(0x11), "Ada", "May I?", SIGNED_LIST, counting(0x01), ADDRESS),
    g.KnockAccepted(counting(0x11), SIGNED_CARD),
    g.GroupIntroduction(counting(0x11), "Harbour choir"),
    g.Leave(),
    g.GapRange(3, 5),
    g.HeardUpTo(counting(0x01), 5),
    g.Missing(counting(0x01), (g.GapRange(3, 5), g.GapRange(9, 9))),
    g.SealedKey(counting(0x01), b"\xb0" * 1_170),
    g.AdminKeys(3, (g.SealedKey(counting(0x01), b"\xb0" * 1_170),)),
    g.GroupNote(g.NoteKind.ROLE, counting(0x80), "admin"),
    g.JoinRequest(ID, counting(0x80), "Ada", "May I?"),
    g.JoinAnswer(ID, True),
    g.CatchUp(7, (g.HeardUpTo(counting(0x01), 5),)),
)
HEAD = p.ParcelHead(counting(0x20), False, 2, 20_724)
PARCEL = p.Parcel(2, 20_724, counting(0x20) + b"\xaa" * 5_088)
PARCELS: tuple[Record, ...] = (
    p.CarriedPut(counting(0x60), ENVELOPE, (NEEDS,)),
    p.CarriedPut(counting(0x60), ENVELOPE, bare=True),
    HEAD,
    PARCEL,
    p.OfferParcels((HEAD, p.ParcelHead(counting(0x30), True, 0, 20_725))),
    p.WantParcels((counting(0x30, 16),), (counting(0x20, 16),)),
    p.HandParcel(PARCEL),
    p.HandParcel(p.Parcel(0, 20_725, counting(0x30) + b"\xbb" * 66_528)),
    p.TookParcels((counting(0x20, 16), counting(0x30, 16))),
)
NETWORK = OnionHost(counting(0x70), (RELAY, BEHIND_PROXY))
KEYS = tuple(o.PeriodKey(495_000 + ahead, b"\xc0" * 1_216) for ahead in range(3))
NODE = o.ConsensusNode(RELAY, "Ada", KEYS[:1], 494_998, counting(0x50), 1_000)
COMMITMENT = o.Commitment(RELAY.key, counting(0x73))
CONSENSUS = o.Consensus(counting(0x70), 495_000, counting(0x71), counting(0x72), (NODE,), (COMMITMENT,))
DESCRIPTOR = o.NodeDescriptor(counting(0x70), 495_000, RELAY, "Ada", KEYS)
SIGNED = o.AuthoritySignature(RELAY.key, counting(0x42, 64))
VOTED = b.VotedNode(o.SignedDescriptor(encode(DESCRIPTOR), counting(0x41, 64)), 1_000)
VOTE = b.DirectoryVote(counting(0x70), 495_000, RELAY.key, counting(0x71), counting(0x73), counting(0x74), (VOTED,))
BALLOT = b.Ballot(RELAY.key, counting(0x76), 1, 1, (SIGNED,))
ONION: tuple[Record, ...] = (
    NETWORK,
    o.AuthorityAddress(RELAY),
    KEYS[0],
    o.AuthoritySignature(RELAY.key, counting(0x42, 64)),
    o.NetworkDocument("Coast", (o.AuthorityAddress(RELAY), o.AuthorityAddress(BEHIND_PROXY)), 2, 3_600, 3, 2),
    DESCRIPTOR,
    o.SignedDescriptor(encode(DESCRIPTOR), counting(0x41, 64)),
    NODE,
    COMMITMENT,
    CONSENSUS,
    o.SignedConsensus(encode(CONSENSUS), (o.AuthoritySignature(RELAY.key, counting(0x42, 64)),)),
    VOTED,
    VOTE,
    BALLOT,
    b.BallotBox(counting(0x70), 495_000, (BALLOT,), counting(0x75), (SIGNED,)),
    o.SessionUp(ID, 1, 0, 1, encode(m.Call(1, m.Put(counting(0x60), ENVELOPE))), (b"\xd0" * 3_600,)),
    o.SessionUp(OTHER_ID, 2, 0, 1, b"", (b"\xd0" * 3_600, b"\xd1" * 3_600)),
    o.SessionDown(ID, 1, 0, 1, encode(m.Reply(1, m.Stored(42))), 7),
)
FRAMES: tuple[Record, ...] = (
    m.Call(1, m.Ping()),
    m.Call(2**32 - 1, m.Put(counting(0x60), ENVELOPE)),
    m.Reply(1, m.Done()),
    m.Delivery(3, 42, ENVELOPE),
    m.Hello(SIGNED_INFO),
    m.Goodbye(5_000),
    m.OnionArrival(ID, b"\xd2" * ONION_PAYLOAD),
)


def pieces(data: bytes) -> Any:
    """Hex, or a list of hex and repetitions where that is much shorter."""
    parts: list[Any] = []
    for byte, run in itertools.groupby(data):
        times = len(list(run))
        if times >= REPETITION:
            parts.append({"byte": f"{byte:02x}", "times": times})
        elif parts and isinstance(parts[-1], str):
            parts[-1] += f"{byte:02x}" * times
        else:
            parts.append(f"{byte:02x}" * times)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts or ""


def joined(parts: Any) -> bytes:
    """The bytes that `pieces` describes."""
    if isinstance(parts, str):
        return bytes.fromhex(parts)
    return b"".join(
        bytes.fromhex(part) if isinstance(part, str) else bytes.fromhex(part["byte"]) * part["times"] for part in parts
    )


def readable(value: Any) -> Any:
    """A value in JSON terms: structures are objects with `structure` first, bytes `{"bytes": …}`, enums named."""
    if isinstance(value, Record):
        fields = {name: readable(getattr(value, name)) for name in value.__struct_fields__}
        return {"structure": type(value).__name__, **fields}
    if isinstance(value, bytes):
        return {"bytes": pieces(value)}
    if isinstance(value, enum.Enum):
        return {"enum": type(value).__name__, "name": value.name, "value": value.value}
    return [readable(item) for item in value] if isinstance(value, tuple) else value


def structures(records: tuple[Record, ...]) -> list[dict[str, Any]]:
    return [{"value": readable(record), "encoded": pieces(encode(record))} for record in records]


def link_vectors() -> list[dict[str, Any]]:
    made: list[links.RelayLink | links.Invitation | links.ChannelLink | links.AuthorityLine] = [
        links.RelayLink(RELAY),
        links.RelayLink(RELAY, "open sesame"),
        links.RelayLink(BEHIND_PROXY, "s3cret"),
        links.RelayLink(RelayAddress("192.0.2.7", 7_443, counting(0x00))),
        *(links.Invitation(1, kind, RELAY, counting(0xC0, 16), counting(0xD0, 16)) for kind in links.InvitationKind),
        links.Invitation(1, links.InvitationKind.REUSABLE, BEHIND_PROXY, counting(0xC0, 16), counting(0xD0, 16)),
        links.RelayLink(DEVICE_HOST, "s3cret"),
        links.Invitation(1, links.InvitationKind.ONE_TIME, DEVICE_HOST, counting(0xC0, 16), counting(0xD0, 16)),
        links.ChannelLink(1, RELAY, counting(0xC0, 16), counting(0x80)),
        links.RelayLink(NETWORK),
        links.AuthorityLine(1, RELAY, "Coast", 3, 2, 3_600, 3, 2),
        links.Invitation(1, links.InvitationKind.REUSABLE, NETWORK, counting(0xC0, 16), counting(0xD0, 16)),
    ]
    return [{"value": readable(link), "link": str(link)} for link in made]


def stream_vectors() -> list[dict[str, Any]]:
    return [{"body": pieces(body), "frame": pieces(frame(body))} for body in (b"\x01", encode(FRAMES[0]), ENVELOPE)]


def padding_vectors() -> list[dict[str, Any]]:
    return [{"data": pieces(data), "size": size, "padded": pieces(pad(data, size))} for data, size in PADDED]


def file_vectors() -> list[dict[str, Any]]:
    """Files of parcels: whole, and without their last byte."""
    held = [
        PARCEL,
        p.Parcel(0, 20_725, counting(0x31) + b"\xbb" * 66_528),
        p.Parcel(1, 3, counting(0x40) + bytes(5_088)),
    ]
    files = [(b"".join(p.write_file(held)), 0), (b"".join(p.write_file([])), 0), (b"".join(p.write_file(held))[:-1], 1)]
    return [
        {"file": pieces(file), "parcels": [parcel.id.hex() for parcel in p.ParcelFile().feed(file)], "lost": lost}
        for file, lost in files
    ]


_MEMBERS = tuple(s.Member(bytes([at]) * 32, bytes([at + 1]) * 16) for at in (1, 3))
_STANDING = s.Standing(bytes([9]) * 16, True, 48, bytes([1]) * 32, (_MEMBERS[:1],), 32, 7, _MEMBERS, True, False, True)
_PLACE = counting(0x60)[:16]
SWARM = (
    s.Look(_PLACE),
    s.Prepare(_PLACE, 48, _MEMBERS),
    s.Adopt(_PLACE, 48, _MEMBERS, 32, 7),
    s.Append(_PLACE, 48, 1, b"\x90"),
    s.Deposit(_PLACE, 48, _MEMBERS, 7, 0, last=True, operations=b"\x90"),
    s.Fetch(_PLACE, 48, 2),
    s.Beat((s.BeatItem(_PLACE, 48, 7),)),
    s.Retire(_PLACE, 48, _MEMBERS),
    s.Recall(b""),
    s.Nudge(_PLACE),
    s.Promise(granted=True, standing=_STANDING),
    s.Taken(done=True, incarnation=bytes([9]) * 16, promised=48, sequence=7),
    s.Piece(last=False, operations=b"\x90"),
    s.Heard((1,), (0, 2)),
    s.Recalled((s.RecalledPlace(_PLACE, _STANDING),), _PLACE),
    s.Seen(_STANDING),
    s.BeatItem(_PLACE, 48, 7),
    s.RecalledPlace(_PLACE, _STANDING),
    _STANDING,
    *_MEMBERS,
)
PADDED = ((b"", 4), (b"", 8), (b"abc", 7), (b"abc", 200), (b"\x00", 8))


def vectors() -> dict[str, Any]:
    return {
        "identity": structures(IDENTITY),
        "contents": structures(CONTENTS),
        "requests": structures(REQUESTS),
        "responses": structures(RESPONSES),
        "frames": structures(FRAMES),
        "logs": structures(LOGS),
        "channels": structures(CHANNELS),
        "groups": structures(GROUPS),
        "parcels": structures(PARCELS),
        "onion": structures(ONION),
        "swarm": structures(SWARM),
        "parcel_files": file_vectors(),
        "links": link_vectors(),
        "stream": stream_vectors(),
        "padding": padding_vectors(),
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, cases in vectors().items():
        text = json.dumps({"note": NOTE, "cases": cases}, indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
