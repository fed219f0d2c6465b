"""Writes docs/protocol/structures.md: every structure's tag, fields, types and limits, read off the code.

python -m tests.wire.make_reference
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import inspect as mi

from roost.wire import (
    addresses,
    ballots,
    channels,
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
from roost.wire.codec import Extension, Record
from tests.wire.strategies import ALL_KINDS

TARGET = Path(__file__).resolve().parents[2] / "docs" / "protocol" / "structures.md"
HEAD = """\
# Structures

Written by `python -m tests.wire.make_reference` from the types in `src/roost/wire`; a test keeps it current. How a
structure becomes bytes: [envelope-and-frames.md](envelope-and-frames.md), section 1. What it means: the other
documents.

A structure is a msgpack array: its tag first where one is given, then its fields in this order, all of them. `bytes n`
is exactly n bytes, `bytes ..n` at most n; limits of `text` count UTF-8 bytes; `int a..b` includes both ends; `[T] ..n`
is an array of at most n; `T?` may be nil; a name is another structure or enumeration of this page. "Also" gives what
a reader checks beyond that.
"""
SECTIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("Addresses and extensions", (addresses, Extension)),
    ("Accounts, devices, cards", (identity,)),
    ("Links", (links,)),
    ("Contents, entries, frames", (content, travel)),
    ("Shared logs", (logs,)),
    ("Groups", (groups,)),
    ("Channels", (channels,)),
    ("Requests, responses, link frames", (mailbox,)),
    ("Parcels", (parcels,)),
    ("Onion networks", (onion, ballots)),
    ("Swarms", (swarm,)),
)
ALSO = {
    "Create": "`place` of 0 or 16 bytes",
    "NetworkDocument": "authorities ascend by key; more than half of them are the threshold; more than half of the "
    "replicas are the quorum",
    "NodeDescriptor": "keys are of `period` and those that follow, without a gap",
    "ConsensusNode": "`salt` of 0 or 32 bytes",
    "Consensus": "nodes and commitments ascend by key",
    "DirectoryVote": "`reveal` of 0 or 32 bytes",
    "BallotBox": "`consensus` of 0 or 32 bytes",
    "RelayAddress": "host in canonical form; fingerprint of 0 or 32 bytes",
    "DeviceHost": "`onion` of 0 or 32 bytes",
    "DeviceList": "no two keys equal; kinds of extensions ascend",
    "Card": "kinds of extensions ascend",
    "RelayInfo": "`tls_key_hash` of 0 or 32 bytes; kinds of extensions ascend",
    "Acknowledgement": "`highest` ≥ `upto`; `check` has 0 or 8 bytes",
    "ChannelState": "`roles` by key, `banned` and `removed` ascend; kinds of extensions ascend",
    "GroupState": "`roles` and `banned` ascend by account; no role is MEMBER; kinds of extensions ascend",
    "MemberInfo": "kinds of extensions ascend",
    "GapRange": "`first` ≤ `last`",
    "GroupWelcome": "`history` and `replaces` have 0 or 32 bytes",
    "LogFrame": "`part` is one of the parts; not one digest; digests fit the payload; none where `spilled`",
    "SpilledRecord": "`pointer` has blobs enough for `size`",
    "Parcel": "`sealed` has 5120 or 66560 bytes",
    "OfferParcels": "ids (the first 16 bytes of `head`) ascend",
    "WantParcels": "ids ascend in each, and none is in both",
    "TookParcels": "ids ascend",
    "Frame": "`part` < `parts`, or both 0 and no payload; a payload where `parts` > 0",
}


def section(title: str, sources: tuple[Any, ...]) -> str:
    kinds = [kind for kind in ALL_KINDS if any(kind is source or _defines(source, kind) for source in sources)]
    kinds.sort(key=lambda kind: (_tag(kind) is not None, _group(kind), _tag(kind) or 0))
    return "\n".join([f"\n## {title}\n", *(structure(kind) for kind in kinds), *enumerations(kinds)])


def structure(kind: type[Record]) -> str:
    info = mi.type_info(kind)
    assert isinstance(info, mi.StructType)
    tag = f" (tag {_tag(kind)})" if _tag(kind) is not None else ""
    fields = ", ".join(f"`{field.name}` {described(field.type)}" for field in info.fields) or "no fields"
    also = f" Also: {ALSO[kind.__name__]}." if kind.__name__ in ALSO else ""
    return f"- **{kind.__name__.lstrip('_')}**{tag}: {fields}.{also}"


def described(info: Any) -> str:
    match info:
        case mi.IntType():
            return f"int {_power(info.ge)}..{_power(info.le if info.le is not None else (info.lt or 0) - 1)}"
        case mi.BytesType() | mi.StrType():
            name = "bytes" if isinstance(info, mi.BytesType) else "text"
            least, most = info.min_length or 0, info.max_length
            return f"{name} {most}" if least == most else f"{name} {least or ''}..{most}"
        case mi.VarTupleType():
            return f"[{described(info.item_type)}] {info.min_length or ''}..{info.max_length}"
        case mi.UnionType():
            return _described_union([kind for kind in info.types if not isinstance(kind, mi.NoneType)], info)
        case mi.BoolType():
            return "bool"
        case mi.EnumType() | mi.StructType():
            return str(info.cls.__name__)
    raise AssertionError(info)


def _described_union(kinds: list[Any], info: mi.UnionType) -> str:
    name = {len(mailbox.Request.__args__): "Request", len(mailbox.Response.__args__): "Response"}.get(len(kinds))
    return (name or " or ".join(described(kind) for kind in kinds)) + ("?" if len(kinds) < len(info.types) else "")


def enumerations(kinds: list[type[Record]]) -> list[str]:
    found: dict[str, Any] = {}
    for kind in kinds:
        info = mi.type_info(kind)
        assert isinstance(info, mi.StructType)
        found |= {
            field.type.cls.__name__: field.type.cls for field in info.fields if isinstance(field.type, mi.EnumType)
        }
    return [
        f"- *{name}*: " + ", ".join(f"{_value(case)} {case.name}" for case in cases) for name, cases in found.items()
    ]


def _value(case: Any) -> str:
    return str(case.value) if isinstance(case.value, int) else f'"{case.value}"'


def _power(number: int | None) -> str:
    assert number is not None
    for exponent in (53, 50, 40, 32, 31):
        if number in (2**exponent, 2**exponent - 1):
            return f"2^{exponent}" + ("-1" if number == 2**exponent - 1 else "")
    return str(number)


def _tag(kind: type[Record]) -> int | None:
    tag = kind.__struct_config__.tag
    return tag if isinstance(tag, int) else None


def _group(kind: type[Record]) -> int:
    unions = (mailbox.Request, mailbox.Response, mailbox.ServerFrame)
    return next((at for at, union in enumerate(unions, 1) if kind in union.__args__), 0)


def _defines(module: Any, kind: type[Record]) -> bool:
    return kind.__module__ == getattr(module, "__name__", None)


def reference() -> str:
    return HEAD + "\n".join(section(title, sources) for title, sources in SECTIONS) + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
