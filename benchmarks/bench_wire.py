"""Encoding and strict, canonical decoding, against msgspec's own decoder without our checks."""

from __future__ import annotations

import msgspec

from benchmarks.measure import Clock, Result, cost
from roost.wire.codec import Record, decode, encode
from roost.wire.content import Acknowledgement, Entry, Frame, Text, encode_content
from roost.wire.frames import FrameReader, frame
from roost.wire.mailbox import Call, Delivery, Put
from roost.wire.sizes import ENVELOPE_SIZE

PUT = Call(7, Put(bytes(32), bytes(ENVELOPE_SIZE)))
SAID = encode(Entry(bytes(16), 1, 1, encode_content(Text("Good morning, how are you? " * 4))))
BODY = Frame(5, 3, 0, 1, SAID, (Acknowledgement(bytes(16), 4, 4, bytes(8)),))
STREAM = frame(encode(Delivery(1, 2, bytes(ENVELOPE_SIZE)))) * 64


def run(clock: Clock) -> list[Result]:
    results = [*_codec(clock, "put", PUT), *_codec(clock, "frame", BODY)]
    split = clock.microseconds(lambda: FrameReader().feed(STREAM)) / 64
    return [*results, cost("split one delivery off a stream", split)]


def _codec(clock: Clock, name: str, value: Record) -> list[Result]:
    kind, encoded = type(value), encode(value)
    plain = msgspec.msgpack.Decoder(kind)
    floor = cost(f"{name}: msgspec decode alone", clock.microseconds(lambda: plain.decode(encoded)))
    return [
        floor,
        cost(f"{name}: encode", clock.microseconds(lambda: encode(value)), floor),
        cost(f"{name}: decode, canonical", clock.microseconds(lambda: decode(kind, encoded)), floor),
    ]
