"""Hypothesis strategies for every wire structure, derived from the types themselves; invariants that types do not show
are written by hand. Long bytes are repetitions, so that drawing them stays cheap.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import ModuleType
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as mi

from roost.wire import (
    addresses,
    ballots,
    channels,
    codec,
    content,
    groups,
    identity,
    links,
    logs,
    mailbox,
    onion,
    parcels,
    swarm,
    travel,
)
from roost.wire.addresses import DeviceHost, RelayAddress
from roost.wire.ballots import BallotBox, DirectoryVote
from roost.wire.channels import ChannelState
from roost.wire.codec import Extension, Record, TextRecord
from roost.wire.content import Acknowledgement, BlobPointer, Frame
from roost.wire.groups import GapRange, GroupState, MemberRole, Role
from roost.wire.identity import DeviceEntry, DeviceList
from roost.wire.logs import MAX_RECORD, LogFrame, SpilledRecord, frames_of
from roost.wire.mailbox import Create, RelayInfo
from roost.wire.onion import (
    AuthorityAddress,
    Commitment,
    Consensus,
    ConsensusNode,
    NetworkDocument,
    NodeDescriptor,
    PeriodKey,
)
from roost.wire.parcels import OfferParcels, Parcel, TookParcels, WantParcels
from roost.wire.sizes import MAX_FRAGMENTS

MODULES: tuple[ModuleType, ...] = (
    addresses,
    channels,
    codec,
    content,
    groups,
    identity,
    links,
    logs,
    mailbox,
    onion,
    ballots,
    parcels,
    swarm,
    travel,
)
ALL_KINDS: tuple[type[Record], ...] = tuple(
    sorted(
        {
            kind
            for module in MODULES
            for kind in vars(module).values()
            if inspect.isclass(kind) and issubclass(kind, Record) and kind not in (Record, TextRecord)
        },
        key=lambda kind: (kind.__module__, kind.__name__),
    )
)
"""Every structure, private ones too."""

LONG = 256  # from this many bytes on, a value is a repetition
HUGE = 2**20  # from this many on, a value's greatest length is not drawn

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,12}[a-z0-9_])?", fullmatch=True)
names = st.lists(labels, min_size=1, max_size=4).map(".".join).filter(lambda name: not name[-1].isdigit())
hosts = st.one_of(
    names.map(lambda name: f"{name}.example"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: str(address.ipv4_mapped or address.compressed)),
)


@cache  # making one takes longer than drawing from it
def values(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for values of a wire structure or union."""
    return _of(mi.type_info(kind))


def _of(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case mi.StructType():
            return _structure(info.cls)
        case mi.UnionType():
            return st.one_of([_of(kind) for kind in info.types])
        case mi.VarTupleType():
            return st.lists(_of(info.item_type), min_size=info.min_length or 0, max_size=_few(info)).map(tuple)
        case mi.EnumType():
            return st.sampled_from(info.cls)
        case mi.BoolType():
            return st.booleans()
        case mi.NoneType():
            return st.none()
        case mi.IntType():
            return _ints(info)
        case mi.BytesType():
            return _byte_strings(info)
        case mi.StrType():
            return _texts(info)
    raise AssertionError(f"no strategy for {info}")


def _few(info: mi.VarTupleType) -> int:
    return max(min(info.max_length or 3, 3), info.min_length or 0)


def _ints(info: mi.IntType) -> st.SearchStrategy[int]:
    low = info.ge if info.ge is not None else (info.gt or 0) + 1
    high = info.le if info.le is not None else (info.lt or 0) - 1
    return st.integers(low, high)


def _byte_strings(info: mi.BytesType) -> st.SearchStrategy[bytes]:
    low, high = info.min_length or 0, info.max_length or LONG
    if high <= LONG:
        return st.binary(min_size=low, max_size=high)
    high = min(high, HUGE)
    lengths = st.sampled_from([low, high]) | st.integers(low, min(low + LONG, high))
    return st.builds(lambda length, byte: bytes([byte]) * length, lengths, st.integers(0, 255))


def _texts(info: mi.StrType) -> st.SearchStrategy[str]:
    limit = info.max_length or LONG
    text = st.text(st.characters(codec="utf-8"), min_size=info.min_length or 0, max_size=min(limit, 20))
    fits = text.filter(lambda drawn: len(drawn.encode()) <= limit)
    return fits | st.sampled_from(["x", "ü"]).map(lambda letter: letter * (limit // len(letter.encode())))


extensions = (
    st.dictionaries(st.integers(0, 2**16 - 1), st.binary(max_size=40), max_size=3)
    .map(lambda drawn: tuple(Extension(kind, data) for kind, data in sorted(drawn.items())))
)  # fmt: skip


@st.composite
def acknowledgements(draw: st.DrawFn) -> Acknowledgement:
    upto = draw(st.integers(0, 2**32 - 1))
    return Acknowledgement(
        draw(st.binary(min_size=16, max_size=16)),
        upto,
        draw(st.integers(upto, 2**32 - 1)),
        draw(st.sampled_from([b"", b"12345678"])),
    )


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    parts = draw(st.integers(0, MAX_FRAGMENTS))
    part = draw(st.integers(0, parts - 1)) if parts else 0
    payload = draw(st.binary(min_size=1, max_size=LONG)) if parts else b""
    number, floor = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**32 - 1))
    acknowledge = tuple(draw(st.lists(acknowledgements(), max_size=4)))
    return Frame(number, floor, part, parts, payload, acknowledge, draw(st.booleans()))


@st.composite
def log_frames(draw: st.DrawFn) -> LogFrame:
    size = draw(st.sampled_from([1, 100, 4_021, 4_022, 9_000]))
    frame = draw(st.sampled_from(frames_of(bytes([draw(st.integers(0, 255))]) * size)))
    return frame if frame.digests else LogFrame(0, (), frame.payload, draw(st.booleans()))


@st.composite
def spilled_records(draw: st.DrawFn) -> SpilledRecord:
    size = draw(st.integers(1, MAX_RECORD))
    least = -(-size // 65_516)
    key, hold = draw(st.binary(min_size=32, max_size=32)), draw(st.binary(min_size=16, max_size=16))
    return SpilledRecord(BlobPointer(key, hold, draw(st.integers(least, least + 500))), size)


@st.composite
def device_entries(draw: st.DrawFn) -> tuple[DeviceEntry, ...]:
    keys = draw(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=6, unique=True))
    pairs = zip(keys[::2], keys[1::2], strict=False)
    return tuple(DeviceEntry(signing, identity, draw(st.integers(0, 2**40))) for signing, identity in pairs)


@st.composite
def network_documents(draw: st.DrawFn) -> NetworkDocument:
    authorities = draw(st.lists(values(AuthorityAddress), min_size=1, max_size=4, unique_by=lambda one: one.key))
    replicas = draw(st.integers(1, 9))
    return NetworkDocument(
        draw(st.text(max_size=20)),
        tuple(sorted(authorities, key=lambda one: one.key)),
        draw(st.integers(len(authorities) // 2 + 1, len(authorities))),
        draw(st.integers(2, 21_600)),
        replicas,
        draw(st.integers(replicas // 2 + 1, replicas)),
    )


def period_keys(first: int, count: int) -> tuple[PeriodKey, ...]:
    return tuple(PeriodKey(first + ahead, bytes([ahead]) * 1_216) for ahead in range(count))


@cache
def _structure(kind: type[Record]) -> st.SearchStrategy[Any]:
    if kind is Frame:
        return frames()
    if kind is Acknowledgement:
        return acknowledgements()
    if kind is LogFrame:
        return log_frames()
    if kind is SpilledRecord:
        return spilled_records()
    if kind is NetworkDocument:
        return network_documents()
    fields = {field.name: _of(field.type) for field in _info(kind).fields}
    if kind is Create:
        fields["place"] = st.sampled_from([b"", bytes(range(16))])
    if kind is ConsensusNode:
        fields["salt"] = st.sampled_from([b"", bytes(range(32))])
    if kind is Consensus:
        nodes = st.lists(values(ConsensusNode), max_size=3, unique_by=lambda node: node.key)
        fields["nodes"] = nodes.map(lambda drawn: tuple(sorted(drawn, key=lambda node: node.key)))
        commitments = st.lists(values(Commitment), max_size=3, unique_by=lambda made: made.authority)
        fields["commitments"] = commitments.map(lambda drawn: tuple(sorted(drawn, key=lambda made: made.authority)))
    if kind is DirectoryVote:
        fields["reveal"] = st.sampled_from([b"", bytes(range(32))])
    if kind is BallotBox:
        fields["consensus"] = st.sampled_from([b"", bytes(range(32))])
    if kind is NodeDescriptor:
        del fields["keys"]
        fields["period"] = st.integers(0, 2**53 - 3)  # that of the last of three keys is a number too
        return st.builds(
            lambda count, period, **others: NodeDescriptor(period=period, keys=period_keys(period, count), **others),
            st.integers(1, 3),
            **fields,
        )
    if kind is RelayAddress:
        fields |= {"host": hosts, "tls_fingerprint": st.sampled_from([b"", bytes(range(32))])}
    if kind is DeviceHost:
        fields["onion"] = st.sampled_from([b"", bytes(range(32))])
    if kind is RelayInfo:
        fields["tls_key_hash"] = st.sampled_from([b"", bytes(range(32))])
    if kind is DeviceList:
        fields["devices"] = device_entries()
    if kind is ChannelState:
        fields |= {name: _ascending(fields[name]) for name in ("banned", "removed")}
        fields["roles"] = _ascending(fields["roles"])
    if kind is GroupState:
        fields["banned"] = _ascending(fields["banned"])
        fields["roles"] = _roles()
    if kind is Parcel:
        fields["sealed"] = st.builds(
            lambda size, byte: bytes([byte]) * size, st.sampled_from([5_120, 66_560]), st.integers(0, 255)
        )
    if kind is OfferParcels:
        heads = fields["heads"].map(lambda drawn: tuple({head.id: head for head in drawn}.values()))
        fields["heads"] = heads.map(lambda drawn: tuple(sorted(drawn, key=lambda head: head.id)))
    if kind is WantParcels:
        return st.tuples(_ascending(fields["own"]), _ascending(fields["carry"])).map(
            lambda both: WantParcels(both[0], tuple(id for id in both[1] if id not in both[0]))
        )
    if kind is TookParcels:
        fields["ids"] = _ascending(fields["ids"])
    if kind is GapRange:
        return st.tuples(st.integers(0, 2**53), st.integers(0, 2**53)).map(lambda pair: GapRange(*sorted(pair)))
    if "extensions" in fields:
        fields["extensions"] = extensions
    return st.builds(kind, **fields)


def _roles() -> st.SearchStrategy[tuple[MemberRole, ...]]:
    """Roles by rising accounts, none of which goes without saying."""
    roles = st.sampled_from([role for role in Role if role is not Role.MEMBER])
    found = st.dictionaries(st.binary(min_size=32, max_size=32), roles, max_size=3)
    return found.map(lambda held: tuple(MemberRole(account, role) for account, role in sorted(held.items())))


def _ascending(drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists by rising keys, each once."""
    return drawn.map(lambda found: tuple(one for _, one in sorted({getattr(o, "key", o): o for o in found}.items())))


def _info(kind: type[msgspec.Struct]) -> mi.StructType:
    info = mi.type_info(kind)
    assert isinstance(info, mi.StructType)
    return info
