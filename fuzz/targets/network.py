"""Targets of the client's side of links, and of the signed structures that other people send."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from fuzz.tools import Choices, CountedEntropy, Target, insist, only
from roost.crypto import AnswerKey, Label, SigningKey
from roost.errors import PeerError, Unreachable, WireError
from roost.messaging.identity import newer_list, prekey_bundle, read_card, read_list
from roost.network.carriers.websocket import WebSocketFraming
from roost.network.direct import lan, nearby
from roost.network.federation import open_answer
from roost.network.identity import ShownCertificate, prove, read_info
from roost.network.link_core import Answered, Delivered, LinkCore, LinkState, Opened, Over
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode_parts, encode
from roost.wire.identity import Card, DeviceEntry, DeviceList, SignedCard, SignedDeviceList
from roost.wire.mailbox import Get, PacketKey, Ping, RelayInfo, SealedAnswer, SignedInfo, Subscribe

KEY = SigningKey.from_seed(bytes(range(32)))
ADDRESS = RelayAddress("relay.example", 443, KEY.public.raw)
INFO = RelayInfo(1, KEY.public.raw, bytes(32), PacketKey(bytes(1_216), 0), 0, True)


def link_core(data: bytes) -> None:
    """An array of frames from a relay: every call is answered at most once, and a bad frame only ends the link."""
    link = LinkCore(lambda _: INFO, 0.0)
    with only(WireError):
        calls: set[int] = set()
        answered: set[int] = set()
        over = False
        for now, part in enumerate(decode_parts(data)[:16]):
            link.receive(bytes(part), float(now))
            for event in link.events():
                insist(not over, "something happens after the end")
                insist(isinstance(event, (Opened, Answered, Delivered, Over)), "an event of no kind")
                over = isinstance(event, Over)
                if isinstance(event, Answered):
                    insist(event.call in calls - answered, "an answer to nothing")
                    answered.add(event.call)
                if isinstance(event, Delivered):
                    insist(event.call in calls, "a delivery to nobody")
            if link.state is LinkState.OPEN:
                request = (Get(bytes(32), 0), Subscribe(bytes(32), 0), Ping())[now % 3]
                calls.add(link.call(request, float(now)))
            link.tick(float(now))
            link.outgoing()
        insist(link.in_flight >= 0 and (link.next_deadline() is None) == over, "an end that is none")


def websocket(data: bytes) -> None:
    """What a server answers to the upgrade, or frames behind a proper answer."""
    choices = Choices(data)
    framing, accepted = WebSocketFraming(ADDRESS), choices.below(2)
    framing.opening()
    whole = choices.rest()
    if accepted:
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(framing._protocol.key.encode() + guid, usedforsecurity=False).digest())
        head = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        )
        whole = head + proof + b"\r\n\r\n" + whole
    with only(WireError):
        for body in framing.receive(whole):
            insist(bool(body), "an empty frame")
        framing.replies()
        framing.wrap(b"body")
        framing.closing()


def proof(data: bytes) -> None:
    """A relay's statement, signed or not, under any certificate."""
    choices = Choices(data)
    how = choices.below(4)
    if how == 0:
        shown, info = ShownCertificate(choices.rest()), encode(INFO)
    else:
        shown, info = ShownCertificate(b""), choices.rest()
    signature = KEY.sign(Label.RELAY_INFO, info) if how < 3 else bytes(64)
    with only(Unreachable):
        insist(
            read_info(SignedInfo(info, signature), KEY.public.raw).key == KEY.public.raw, "another relay's statement"
        )
    with only(Unreachable):
        prove(SignedInfo(info, signature), ADDRESS, shown)


def sealed_answer(data: bytes) -> None:
    """What comes back through the own relay: raw, and sealed by who had the packet."""
    choices = Choices(data)
    key, sealed = AnswerKey(bytes(32)), choices.below(2)
    plain = choices.rest()
    with only(Unreachable):
        answer = open_answer(key, SealedAnswer(key.seal(plain, len(plain) + 4) if sealed else plain))
        insist(sealed == 1 and encode(answer) == plain, "another answer came out")


@cache
def _account() -> tuple[SigningKey, SigningKey, SignedDeviceList]:
    entropy = CountedEntropy()
    account, device = SigningKey.generate(entropy), SigningKey.generate(entropy)
    entry = DeviceEntry(device.public.raw, bytes(range(32)), 0)
    encoded = encode(DeviceList(account.public.raw, 1, bytes(32), (entry,)))
    return account, device, SignedDeviceList(encoded, account.sign(Label.DEVICE_LIST, encoded))


def cards(data: bytes) -> None:
    """Cards and device lists of somebody who signs anything with the true keys."""
    choices = Choices(data)
    account, device, known = _account()
    how, encoded = choices.below(4), choices.rest()
    with only(PeerError):
        if how == 0:
            signed = SignedCard(encoded, device.sign(Label.CARD, encoded))
            card, entry = read_card(signed)
            insist(isinstance(card, Card) and entry.signing == card.device, "a card of another device")
            prekey_bundle(signed)
        elif how == 1:
            read_card(SignedCard(encoded, bytes(64)))
            insist(False, "a card without signature was believed")
        else:
            listed = SignedDeviceList(encoded, account.sign(Label.DEVICE_LIST, encoded))
            insist(encode(read_list(listed, account.public.raw)) == encoded, "another encoding was accepted")
            newer_list(known if how == 2 else None, listed, account.public.raw)


def local_network(data: bytes) -> None:
    """A packet from a neighbour, or what somebody shows: read only when a Roost would have written just that."""
    for service in (lan.SERVICE, nearby.SERVICE):
        said, name = service.heard(data), service.asked(data)
        insist(said is None or name is None, "a packet says and asks")
        insist(service.concerns(data) or (said is None and name is None), "a packet that concerns nobody")
        insist(said is None or service.say(said) == data, "what was heard is not what was said")
        insist(name is None or service.ask(name) == data, "what was heard is not what was asked")
        if said is not None:
            person = nearby.read_shown(said.data)
            insist(person is None or nearby.shown(*person) == said.data, "somebody is shown as they are not")


TARGETS = (
    Target("network-link", link_core, "whatever a relay sends, the link stays sound or ends", 16_384, structured=0),
    Target("network-websocket", websocket, "frames or WireError"),
    Target("network-neighbours", local_network, "only what a Roost would write is read", 1_500),
    Target("network-proofs", proof, "only the pinned key's statement is believed; else Unreachable", structured=1),
    Target("network-answers", sealed_answer, "what was sealed comes out; else Unreachable", structured=1),
    Target("messaging-cards", cards, "cards and device lists are whole and signed; else PeerError", structured=1),
)
