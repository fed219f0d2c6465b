"""Targets of shared logs and channels: frames, what lands in a log, what stands in a channel.

The target holds the log's key, and where it matters a moderator's, and seals and signs what the fuzzer wrote: as an
insider would.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto import (
    ENVELOPE_SIZE,
    LOG_BODY_SIZE,
    SEALED_CAPABILITY_SIZE,
    Label,
    SigningKey,
    open_capability,
    open_log_envelope,
    seal_log_envelope,
)
from roost.errors import CryptoError, WireError
from roost.messaging import accounts, logs
from roost.messaging.channels import actions, receiving, states
from roost.messaging.records import (
    ChannelMember,
    ChannelRow,
    LogKey,
    LogKind,
    LogPart,
    Message,
    SharedLog,
)
from roost.messaging.work import Work
from roost.wire import channels as wire_channels
from roost.wire import logs as wire_logs
from roost.wire.addresses import RelayAddress
from roost.wire.channels import ChannelRole, Posting, SignedRecord
from roost.wire.codec import decode, encode
from roost.wire.links import RelayLink
from roost.wire.logs import LogFrame, SpilledRecord, decode_frame, encode_frame
from roost.wire.padding import OVERHEAD, pad
from tests.messaging.harness import MemoryRecords

NOW = 1_790_000_000_000
KEY = b"k" * 32
RELAY = RelayLink(RelayAddress("relay.example", 443, bytes(32)))
STRUCTURES: tuple[Any, ...] = (
    LogFrame,
    SpilledRecord,
    wire_channels.ChannelBody,
    wire_channels.ChannelRecord,
    wire_channels.RoleEntry,
)
MODERATOR, STRANGER = SigningKey.from_seed(b"m" * 32), SigningKey.from_seed(b"s" * 32)


def structure(data: bytes) -> None:
    """The first byte names the kind, the others are its encoding."""
    choices = Choices(data)
    kind = STRUCTURES[choices.below(len(STRUCTURES))]
    encoded = choices.rest()
    with only(WireError):
        value = decode(kind, encoded)
        insist(encode(value) == encoded, "another encoding was accepted")
        if isinstance(value, LogFrame):
            insist(len(value.record) == wire_logs.RECORD_ID_SIZE, "a record's id has another size")
            insist(decode_frame(encode_frame(value)) == value, "a frame changes when it is written")


def envelope(data: bytes) -> None:
    """Bytes as they come from a host, and bodies as an insider seals them."""
    choices = Choices(data)
    if choices.below(2):
        body = choices.take(LOG_BODY_SIZE)
        sealed = seal_log_envelope(KEY, body, CountedEntropy())
        insist(open_log_envelope(KEY, sealed) == body, "what is sealed does not open")
        with only(WireError):
            insist(encode_frame(decode_frame(body)) == body, "another frame was accepted")
    else:
        with only(CryptoError):
            insist(open_log_envelope(KEY, choices.rest()) is None, "nobody sealed this")


@cache
def _reader() -> MemoryRecords:
    work = Work(MemoryRecords(), NOW, CountedEntropy())
    log = logs.join_log(work, b"g" * 32, LogKind.GROUP, RELAY.address, get=bytes(32))
    logs.add_key(work, log, KEY, 1)
    return _kept(work)


def _kept(work: Work) -> MemoryRecords:
    return MemoryRecords(
        {(type(row), tuple(getattr(row, name) for name in row.key)): row for row in work.changes().put}
    )


def landing(data: bytes) -> None:
    """A log's envelopes one after the other: frames of the fuzzer's, or junk. The cursor passes all but what waits for
    its blobs; nothing is handed on twice."""
    choices, work = Choices(data), Work(_reader(), NOW, CountedEntropy())
    id = work.find(SharedLog)[0].id
    seen: list[bytes] = []
    for number in range(1, 13):
        if not choices.left:
            break
        kind, size = choices.below(4), choices.number(2) % (LOG_BODY_SIZE - OVERHEAD)
        body = pad(choices.take(size), LOG_BODY_SIZE) if kind else choices.take(size).ljust(LOG_BODY_SIZE, b"\1")
        sealed = seal_log_envelope(KEY, body, work.entropy) if kind < 3 else bytes(ENVELOPE_SIZE)
        deliver = _collect(seen)
        if logs.receive(work, id, number, sealed, deliver) is not None:
            insist(work.need(SharedLog, id).cursor == number - 1, "what waits for blobs moved the cursor")
            insist(logs.receive(work, id, number, sealed, deliver, b"") is None, "it waits for ever")
        insist(work.need(SharedLog, id).cursor == number, "the cursor stands still")
    insist(len(set(seen)) == len(seen), "a record was handed on twice")
    insist(len({row.record for row in work.written(LogPart)}) <= 64, "too much is kept")
    insist(len(work.find(LogKey)) == 1, "keys changed")


def _collect(seen: list[bytes]) -> logs.Deliver:
    return lambda _, landed: seen.append(landed.id)


@cache
def _channel() -> tuple[MemoryRecords, bytes]:
    """A channel where all may post, with a moderator."""
    work = Work(MemoryRecords(), NOW, CountedEntropy())
    accounts.create(work, "Ada", RELAY, "laptop", None)
    row = actions.create(work, "News", posting=Posting.ALL)
    states.keep(work, ChannelMember(row.id, MODERATOR.public.raw, "Mod", ChannelRole.MODERATOR))
    return _kept(work), row.id


def channel(data: bytes) -> None:
    """A record as an insider writes it: raw, or a body that the fuzzer wrote, signed by a stranger or a moderator."""
    choices, (records, id) = Choices(data), _channel()
    work = Work(records, NOW, CountedEntropy())
    row = work.need(ChannelRow, id)
    kind = choices.below(3)
    record = choices.rest()
    if kind:
        key, body = (STRANGER, MODERATOR)[kind - 1], record.replace(b"CHANNEL-ID-HERE-32-BYTES-LONG!!!", id)
        record = encode(SignedRecord(key.public.raw, body or b"\0", key.sign(Label.CHANNEL, body or b"\0")))
    landed = logs.Landed(work.need(SharedLog, row.log), 1, 0, bytes(16), record, None)
    attempt = Work(work, NOW, work.entropy)
    with only(CryptoError, WireError, receiving.PeerError):
        receiving.receive(attempt, landed)
    after = attempt.need(ChannelRow, id)
    insist((after.version, after.title, after.state) == (row.version, row.title, row.state), "the state was changed")
    for message in attempt.written(Message):
        insist(message.conversation == id and message.author != work.me.account, "in somebody else's name or place")


def capability(data: bytes) -> None:
    with only(CryptoError):
        open_capability(MODERATOR, bytes(32), data.ljust(SEALED_CAPABILITY_SIZE, b"\0")[:SEALED_CAPABILITY_SIZE])
        insist(False, "nobody sealed this")


TARGETS = (
    Target(
        "logs-structures", structure, "frames and a channel's records have one encoding; else WireError", structured=1
    ),
    Target("logs-envelopes", envelope, "an envelope opens under the key that sealed it, alone"),
    Target("logs-landing", landing, "the cursor passes everything, each record is handed on once"),
    Target("channels-records", channel, "who is not the owner changes no state and speaks for nobody", structured=1),
    Target("channels-capabilities", capability, "a sealed capability opens or CryptoError", max_size=128),
)
