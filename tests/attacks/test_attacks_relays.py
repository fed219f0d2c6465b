"""Attacks of relays, and on relays. Each test names the source from which the attack is known."""

from __future__ import annotations

import itertools
import statistics
import time

import msgspec
import pytest

from roost.crypto import Label, PacketSecret, capability_hash, open_packet, seal_packet
from roost.errors import RoostError
from roost.messaging import identity, inbox, peers
from roost.messaging.invitations import BadInvitation, SpentInvitation, open_invitation
from roost.messaging.records import InvitationRow, OwnMailbox, PeerDevice, SessionRow
from roost.network import SYSTEM_ENTROPY
from roost.relay.core.admission import Client
from roost.relay.core.forwarding import ForwardPolicy
from roost.relay.core.limits import Limits
from roost.relay.core.packets import ALLOWED, PacketKeys, TagSet, WeeklyKey, allowed
from roost.relay.core.refusal import RefusedRequest
from roost.relay.server.forwarder import Forwarder
from roost.relay.storage import MemoryEngine
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.identity import Card, DeviceEntry, DeviceList, SignedCard, SignedDeviceList
from roost.wire.links import InvitationKind, parse_invitation
from roost.wire.sizes import PACKET_LARGE, PACKET_SMALL
from tests.crypto.crypto_helpers import SeededEntropy
from tests.messaging.harness import Device, World
from tests.relay.relay_core import NOW, CoreRelay, capability, code, create, envelope


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def friends(world: World) -> tuple[Device, Device]:
    alice, bob = world.person("Alice"), world.person("Bob")
    world.friends(alice, bob)
    return alice, bob


def test_a_device_that_the_server_adds(friends: tuple[Device, Device]) -> None:
    """A server that adds a device of its own to somebody's account reads along ("ghost" device; Levy and Robinson,
    Lawfare 2018; Matrix, Albrecht and others, S&P 2023). Only the account's key signs lists, each device its own
    card."""
    alice, bob = friends
    ghost = World(seed=9).person("Ghost").work().me
    held = decode(DeviceList, bob.work().me.devices.list)
    added = DeviceEntry(ghost.device, bytes(range(32)), 1)
    longer = encode(DeviceList(held.account, held.version + 1, held.previous, (*held.devices, added)))
    for signature in (bob.work().me.devices.signature, identity.device_key(ghost).sign(Label.DEVICE_LIST, longer)):
        with pytest.raises(RoostError):
            alice.do(peers.learn_list, bob.account, SignedDeviceList(longer, signature))
    known = alice.work().find(PeerDevice, where={"account": bob.account})
    assert [peer.device for peer in known] == [bob.work().me.device]


def test_a_relay_swaps_and_brings_back_cards(world: World) -> None:
    """A server that hands out prekeys hands out its own, or used ones (Signal's X3DH specification, 4.7; IACR ePrint
    2024/918). The link pins a one-time card by its hash, a reusable one by its account; an old one has expired."""
    alice, mallory = world.person("Alice"), world.person("Mallory")
    link, foreign = alice.invite(), mallory.invite()
    mine, theirs = parse_invitation(link), parse_invitation(foreign)
    with pytest.raises(BadInvitation):
        open_invitation(mallory.work(), mine, world.host.cards[theirs.secret])
    reusable = parse_invitation(alice.invite(InvitationKind.REUSABLE))
    old = world.host.cards[reusable.secret]
    world.wait(15 * 86_400_000)
    alice.do(_renew, reusable.secret)
    world.settle()
    assert world.host.cards[reusable.secret] != old
    open_invitation(mallory.work(), reusable, world.host.cards[reusable.secret])
    with pytest.raises(SpentInvitation):
        open_invitation(mallory.work(), reusable, old)


def _renew(work, secret: bytes) -> None:  # type: ignore[no-untyped-def]
    from roost.messaging import invitations

    invitations.renew(work, work.need(InvitationRow, secret))


def test_an_old_card_inside_a_conversation_changes_nothing(friends: tuple[Device, Device]) -> None:
    """A card recorded earlier would lead back to an address and prekeys that are gone: versions never fall."""
    alice, bob = friends
    before = alice.work().find(PeerDevice, where={"account": bob.account})[0]
    assert before.card is not None
    card = decode(Card, before.card.card)
    key = identity.device_key(bob.work().me)
    older = identity.sign_card(key, msgspec.structs.replace(card, version=card.version - 1, name="older"))
    assert not alice.do(peers.learn_card, bob.account, older)
    assert alice.work().find(PeerDevice, where={"account": bob.account})[0] == before
    forged = SignedCard(encode(msgspec.structs.replace(card, version=card.version + 1)), before.card.signature)
    with pytest.raises(RoostError):
        alice.do(peers.learn_card, bob.account, forged)


def test_old_envelopes_under_new_numbers(friends: tuple[Device, Device]) -> None:
    """A relay that plays recorded envelopes again as new ones, in any order and long after (Briar audit 2023; Signal's
    threat model). They are known by their hash and by the ratchet; nothing is shown twice, and the talk goes on."""
    alice, bob = friends
    world, recorded = alice.world, []
    put = world.host.put
    world.host.put = lambda capability, sealed: (recorded.append(sealed), put(capability, sealed))[1]  # type: ignore[func-returns-value,method-assign]
    for number in range(6):
        (alice if number % 2 else bob).say((bob if number % 2 else alice).account, f"{number}")
        world.settle()
    world.host.put = put  # type: ignore[method-assign]
    shown = bob.texts(alice.account)
    sessions = len(bob.work().find(SessionRow))
    for later in (0, 46 * 86_400_000):  # once while they are remembered, once when all marks are gone
        world.wait(later)
        world.tick_all()
        for number, sealed in enumerate(reversed(recorded)):
            for box in bob.work().find(OwnMailbox, where={"account": alice.account}):
                bob.do(inbox.receive, box, 10_000 + number, sealed)
        world.settle()
        assert bob.texts(alice.account) == shown
    assert len(bob.work().find(SessionRow)) <= sessions + 3
    alice.say(bob.account, "still here")
    world.settle()
    assert bob.texts(alice.account) == [*shown, "still here"]


# --- on relays --------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay() -> CoreRelay:
    relay = CoreRelay(MemoryEngine())
    assert code(relay.ask(create("box"))) == "Done"
    return relay


def test_a_damaged_copy_of_what_was_delivered_ends_no_session(friends: tuple[Device, Device]) -> None:
    """A copy whose beginning is whole opens up to its header and then lacks its key, like something new from a profile
    that was put back, which would end the session (found by the simulated world). It is told by its salt."""
    alice, bob = friends
    alice.say(bob.account, "one")
    alice.send()
    (log,) = [log for log in bob.world.host.logs.values() if log]
    number, sealed = log[0]
    before = {row.id for row in bob.work().find(SessionRow)}
    bob.world.settle()
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    (mailbox,) = bob.work().find(OwnMailbox, where={"account": alice.account})
    for again in (damaged, damaged[:2_500] + bytes(len(damaged) - 2_500), sealed):
        bob.do(inbox.receive, mailbox, number + 100, again)
    alice.say(bob.account, "two")
    bob.world.settle()
    assert bob.texts(alice.account)[-2:] == ["one", "two"]
    assert not any(kind == "session_reset" for kind, _ in alice.told + bob.told)
    assert {row.id for row in bob.work().find(SessionRow)} == before


def test_capabilities_cannot_be_guessed(relay: CoreRelay) -> None:
    """Bearer secrets fall to guessing where guesses are free (OWASP: brute force). They have 256 bits, and whoever
    is denied waits: a connection gets a few hundred guesses, then some a second."""
    client = Client(Limits(), NOW)

    def guess(number: int) -> None:
        client.pace(NOW)
        assert code(relay.ask(m.Get(number.to_bytes(32, "big"), 0), client)) == "denied"
        client.punish(NOW)

    guesses = itertools.count()
    with pytest.raises(RefusedRequest, match="slow_down"):
        [guess(number) for number in guesses]
    assert next(guesses) < 500


def test_one_members_guesses_do_not_slow_the_others() -> None:
    """Throttling by what many share lets one of them shut out the rest (CWE-645). All members of a relay reach
    another one over one link: what one of them guesses inside packets is refused, and slows nobody."""
    link = Client(Limits(), NOW)
    guest = link.stranger()
    for _ in range(10_000):
        guest.punish(NOW)
    link.pace(NOW)
    guest.admitted = True
    assert not link.admitted
    link.punish(NOW)
    assert link.requests.take(Limits().request_burst - 10, NOW) > 0  # who guesses over their own link is slowed


def test_capabilities_do_not_leak_by_time(relay: CoreRelay) -> None:
    """Comparing byte by byte tells how much of a guess was right (Lawson and Nelson, Black Hat 2010). Capabilities
    are looked up by their hash: a guess that shares 31 bytes takes as long as one that shares none."""
    right = capability("box get")
    near, far = right[:31] + bytes([right[31] ^ 1]), bytes(32)
    times: dict[bytes, list[int]] = {near: [], far: []}
    for _ in range(600):
        for guess, taken in times.items():
            began = time.perf_counter_ns()
            capability_hash(guess)
            relay.desk.shelf.mailbox(capability_hash(guess))
            taken.append(time.perf_counter_ns() - began)
    middle = {guess: statistics.median(taken) for guess, taken in times.items()}
    assert abs(middle[near] - middle[far]) < 0.5 * middle[far] + 500
    assert capability_hash(near)[:4] != capability_hash(right)[:4]


def test_one_answer_for_everything_that_is_not_yours(relay: CoreRelay) -> None:
    """Different refusals enumerate what exists (CWE-204). A wrong right, another's and a missing mailbox are one
    answer."""
    wrong = [
        m.Get(capability("box put"), 0),
        m.Get(capability("no such"), 0),
        m.Trim(capability("box get"), 5),
        m.Put(capability("box get"), envelope("x")),
        m.Delete(capability("box put")),
        m.Seal(capability("nobody")),
    ]
    assert {encode(relay.ask(request)) for request in wrong} == {encode(m.Refusal(m.RefusalCode.DENIED))}


def packet_for(keys: PacketKeys, request: m.Request) -> bytes:
    from roost.crypto import PacketPublic

    return seal_packet(PacketPublic(keys.public(NOW).public), encode(request), PACKET_SMALL, SYSTEM_ENTROPY)[0]


@pytest.fixture
def keys() -> PacketKeys:
    return PacketKeys([WeeklyKey(int(NOW) // 604_800, PacketSecret.generate(SYSTEM_ENTROPY), TagSet())])


def test_a_packet_is_opened_once(keys: PacketKeys) -> None:
    """A forwarder that keeps packets plays them again to see what they do (Danezis and Goldberg, Sphinx, S&P 2009)."""
    packet = packet_for(keys, m.Put(capability("box put"), envelope("x")))
    keys.opened(packet, NOW)
    with pytest.raises(RefusedRequest) as caught:
        keys.opened(packet, NOW)
    assert caught.value.refusal.code == m.RefusalCode.STALE_PACKET


def test_no_packet_makes_a_relay_ask_another(keys: PacketKeys) -> None:
    """Relays that forward what was forwarded can be made to talk in circles or to each other for ever (loops in
    Tor's circuits: Evans, Dingledine, Grothoff, USENIX Security 2009). What is inside a packet is never passed on,
    nor asked."""
    address = RelayAddress("relay.example", 443, bytes(32))
    for request in (
        m.Forward(address, b"x" * 100),
        m.Packet(b"x" * 100),
        m.GetInfo(address),
        m.Subscribe(bytes(32), 0),
    ):
        opened = keys.opened(packet_for(keys, request), NOW)
        assert opened.request is not None
        assert not allowed(opened.request)
    assert not {m.Forward, m.Packet, m.Subscribe} & set(ALLOWED)


def test_forwarding_to_itself_goes_nowhere() -> None:
    """A relay that connects to itself, over and over, runs out of everything. What is addressed to it is handled as
    if it had come; nothing is dialled, and it costs what a packet costs."""
    own, seen = bytes(range(32)), []

    async def dialled(*_: object) -> object:
        raise AssertionError("it dialled itself")

    forwarder = Forwarder(ForwardPolicy((), "0.0.0.0", Limits()), own, lambda: None, lambda: NOW, dialled)  # type: ignore[arg-type,return-value]
    forwarder.own = lambda packet, client, respond: seen.append(packet)
    for host in ("relay.example", "127.0.0.1", "another.example"):  # the key counts, whatever the name
        forwarder.forward(m.Forward(RelayAddress(host, 443, own), b"p" * 9), Client(Limits(), NOW), lambda _: None)
    assert len(seen) == 3
    assert forwarder.forwarded == 0


def test_forwarding_does_not_amplify(keys: PacketKeys) -> None:
    """Reflection that answers with more than it was asked turns a relay into a weapon (Rossow: "Amplification
    hell", NDSS 2014). A sealed answer is as large as the packet's class, or at most nine times where a page or a
    blob was asked for, goes back over the link that asked, and each client's and each destination's packets are
    paced."""
    small = len(packet_for(keys, m.Get(capability("box get"), 0)))
    assert small > PACKET_SMALL
    assert PACKET_LARGE / small < 9
    policy = ForwardPolicy((), "0.0.0.0", Limits())
    for _ in range(int(Limits().forward_burst)):
        policy.pace(bytes(32), NOW)
    with pytest.raises(RefusedRequest) as caught:
        policy.pace(bytes(32), NOW)
    assert caught.value.refusal.code == m.RefusalCode.SLOW_DOWN


@pytest.mark.parametrize(
    "resolved",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:192.168.0.1",
        "64:ff9b::a00:1",
        "0.0.0.0",
        "fe80::1%eth0",
    ],
)
def test_no_name_leads_into_the_operators_network(resolved: str) -> None:
    """Server-side request forgery by a name that resolves inside, also on the second look (OWASP SSRF; DNS
    rebinding). The resolved address is judged, and exactly that one is dialled."""
    with pytest.raises(RefusedRequest) as caught:
        ForwardPolicy((), "203.0.113.5", Limits()).choose([resolved])
    assert caught.value.refusal.code == m.RefusalCode.BAD_DESTINATION


def test_an_answer_is_its_packets_own() -> None:
    """A forwarder that answers in the name of the other relay (confused deputy). Only who opened the packet has its
    key."""
    secret, entropy = PacketSecret.generate(SYSTEM_ENTROPY), SeededEntropy("answer")
    packet, key = seal_packet(secret.public, b"question", PACKET_SMALL, entropy)
    _, other = seal_packet(secret.public, b"question", PACKET_SMALL, entropy)
    _, opened, _ = open_packet(secret, packet)
    sealed = opened.seal(b"answer", PACKET_SMALL)
    assert key.open(sealed) == b"answer"
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), bytes(len(sealed))):
        with pytest.raises(RoostError):
            key.open(wrong)
    with pytest.raises(RoostError):
        other.open(sealed)
