"""A session against a node that may send anything: nothing is raised, nothing grows without bound, and deliveries keep
their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roost.errors import WireError
from roost.network.link_core import Answered, Delivered
from roost.network.onion.blocks import IDLE, MOST, Blocks
from roost.network.onion.incoming import Incoming
from roost.network.onion.members import Members
from roost.network.onion.requests import DOWN_DATA, UP_DATA, answer_parts, blocks_beside, up_parts
from roost.network.onion.session import Session
from roost.network.onion.session_parts import Began
from roost.network.onion.window import FAST, RoundTrip, Window
from roost.wire import mailbox as m
from roost.wire.codec import decode, encode
from roost.wire.onion import SessionDown
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE, MAX_CARD_SIZE
from tests.network.onion.onion_world import SeededEntropy, capability, envelope

GET = capability("get")
NODES = [bytes([number]) * 32 for number in range(3)]


def session() -> Session:
    members = Members()
    members.known = frozenset(NODES)
    made = Session(members, RoundTrip(FAST), SeededEntropy(1))
    made.led_by(NODES, 0.0)
    return made


def down(to: Session, message: int, frame: m.ServerFrame, left: int = 8) -> SessionDown:
    return SessionDown(to.id, message, 0, 1, encode(frame), left)


calls = st.integers(0, 6)
frames = st.one_of(
    st.builds(m.Reply, calls, st.sampled_from([m.Done(), m.Stored(1), m.Subscribed(0), m.Subscribed(7)])),
    st.builds(
        m.Reply,
        calls,
        st.builds(m.Refusal, st.sampled_from(m.RefusalCode), st.just(0), st.sampled_from([b"", b"?", *NODES])),
    ),
    st.builds(m.Delivery, calls, st.integers(0, 20), st.just(envelope(1))),
    st.builds(m.Goodbye, st.sampled_from([0, 1_000])),
)
whole = st.tuples(st.integers(0, 40), st.just(0), st.just(1), frames.map(encode))
pieces = st.tuples(st.integers(0, 2**53), st.integers(0, 31), st.integers(1, 32), st.binary(max_size=40))


@given(st.lists(st.tuples(whole | pieces, st.integers(0, 2**53), st.floats(0, 5)), max_size=60))
def test_whatever_a_node_sends(sent: list[tuple[tuple[int, int, int, bytes], int, float]]) -> None:
    client, now, last = session(), 0.0, 0
    client.subscribe(GET, lambda: last, now)
    client.call(m.Put(capability("put"), envelope(1)), now)
    for (message, part, parts, data), left, pause in sent:
        now += pause
        client.tick(now)
        for _ in range(64):
            if client.next_up(now) is None:
                break
        client.receive(SessionDown(client.id, message, part, parts, data, left), now)
        for event in client.events():
            if isinstance(event, Delivered) and event.number:
                assert event.number > last
                last = event.number
            elif isinstance(event, Began):
                last = 0 if event.end < last else last
        assert client.next_deadline(now) is None or client.host is not None
    assert client.host in NODES


def test_deliveries_wait_for_what_is_missing_and_are_asked_for_again() -> None:
    client = session()
    call = client.subscribe(GET, lambda: 0, 0.0)
    assert client.next_up(0.0) is not None
    client.receive(down(client, 1, m.Reply(call, m.Subscribed(3))), 0.1)
    client.receive(down(client, 3, m.Delivery(call, 2, envelope(2))), 0.2)
    client.receive(down(client, 4, m.Delivery(call, 3, envelope(3))), 0.2)
    assert client.events() == [Began(call, 3)]
    client.tick(10.0)
    client.receive(down(client, 5, m.Reply(call, m.Subscribed(3))), 10.1)
    for number in (1, 2, 3):
        client.receive(down(client, 5 + number, m.Delivery(call, number, envelope(number))), 10.2)
    delivered = [event.number for event in client.events() if isinstance(event, Delivered)]
    assert delivered == [1, 2, 3]


def test_a_subscription_whose_end_was_lost_begins_again() -> None:
    """The node began to lead the mailbox anew, and the frame that ended the subscription was lost: what is missing is
    looked for in the mailbox, where it cannot be found."""
    client = session()
    call = client.subscribe(GET, lambda: 0, 0.0)
    assert client.next_up(0.0) is not None
    client.receive(down(client, 1, m.Reply(call, m.Subscribed(0))), 0.1)

    def asked(now: float) -> list[m.Call]:
        client.tick(now)
        found = []
        while (up := client.next_up(now)) is not None:
            if up.data:
                found.append(decode(m.Call, up.data))
        return found

    (beat,) = asked(20.0)
    assert isinstance(beat.request, m.Ping)
    client.receive(down(client, 3, m.Reply(beat.id, m.Done())), 20.1)
    (hole,) = asked(30.0)
    assert isinstance(hole.request, m.Get)
    found = m.Entries((m.Entry(4, envelope(4)),), False)
    client.receive(down(client, 4, m.Reply(hole.id, found)), 30.1)
    assert [event.number for event in client.events() if isinstance(event, Delivered)] == [4]
    assert asked(60.0) == [m.Call(call, m.Subscribe(GET, 4))]
    client.receive(down(client, 5, m.Reply(call, m.Subscribed(4))), 60.1)
    (beat,) = asked(90.0)
    assert isinstance(beat.request, m.Ping)


def test_a_late_part_closes_the_gap_without_asking() -> None:
    client = session()
    call = client.subscribe(GET, lambda: 0, 0.0)
    client.receive(down(client, 1, m.Reply(call, m.Subscribed(2))), 0.1)
    client.receive(down(client, 3, m.Delivery(call, 2, envelope(2))), 0.2)
    client.receive(down(client, 2, m.Delivery(call, 1, envelope(1))), 0.3)
    numbers = [event.number for event in client.events() if isinstance(event, Delivered)]
    assert numbers == [1, 2]


def test_an_answer_that_fits_no_request_is_no_answer() -> None:
    client = session()
    call = client.call(m.Put(capability("put"), envelope(1)), 0.0)
    assert client.next_up(0.0) is not None
    first = client.host
    client.receive(down(client, 1, m.Reply(call, m.Done())), 0.1)
    assert client.host != first
    assert client.next_up(0.1) is not None
    client.receive(down(client, 1, m.Reply(call, m.Stored(4))), 0.2)
    assert client.events() == [Answered(call, m.Stored(4))]


@given(st.data(), st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 8))
def test_holes_are_filled_with_every_entry_once_and_in_order(
    data: st.DataObject, frames: list[bool], page: int
) -> None:
    """Frames that are deliveries (of entries 1, 2, …) or answers; some are lost, the others come in any order, some of
    them while the answer about a hole is on its way."""
    entries = [frame for frame, delivers in enumerate(frames, 1) if delivers]
    numbers = {frame: number for number, frame in enumerate(entries, 1)}
    order = data.draw(st.permutations(range(1, len(frames) + 1)))
    arriving = order[: data.draw(st.integers(0, len(order)))]
    late = [frame for frame in order if frame not in arriving][: data.draw(st.integers(0, 3))]
    incoming, ready = Incoming(), []

    def come(frame: int) -> None:
        delivery = (m.Delivery(1, numbers[frame], envelope(0)),) if frame in numbers else ()
        ready.extend(incoming.take(frame, *delivery))

    for frame in arriving:
        come(frame)
    while holes := incoming.holes():
        asked = [(hole, min(hole.size, page)) for hole in holes]
        if late:
            come(late.pop())
        for hole, limit in asked:
            after = hole.after or max((one.number for _, one in ready), default=0)
            found = [m.Entry(number, envelope(0)) for number in range(after + 1, len(entries) + 1)][:limit]
            missing, whole = hole.missing(m.Entries(tuple(found), after + len(found) < len(entries)))
            ready.extend(incoming.fill(hole, [m.Delivery(1, one.number, one.envelope) for one in missing], whole))
    handed = []
    for _, delivery in ready:
        if delivery.number > (handed[-1] if handed else 0):
            handed.append(delivery.number)
    assert handed == list(range(1, len(handed) + 1))
    assert set(handed) >= {numbers[frame] for frame in arriving if frame in numbers}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 4)), max_size=80))
def test_what_is_kept_is_bounded(sent: list[tuple[int, int]]) -> None:
    incoming = Incoming()
    try:
        for number, parts in sent:
            incoming.whole(SessionDown(bytes(16), number, 0, parts, b"", 0))
            incoming.take(number + 1_000)
    except WireError:
        return
    assert incoming.expected <= 64 * 32


@given(st.sampled_from([0, 1, UP_DATA[2], UP_DATA[1], UP_DATA[1] + 1, UP_DATA[0], UP_DATA[0] + 1, 70_000]))
def test_a_call_in_parts_leaves_room_for_a_reply_block(size: int) -> None:
    frame = bytes(size)
    parts = up_parts(frame)
    assert b"".join(parts) == frame
    assert all(len(part) <= UP_DATA[0] for part in parts)
    assert blocks_beside(parts[-1]) >= 1


def test_every_answer_fits_its_parts() -> None:
    blob, entry = bytes(BLOB_SIZE), m.Entry(2**53, bytes(ENVELOPE_SIZE))
    for request, answer in (
        (m.GetBlob(GET, bytes(32)), m.BlobData(blob)),
        (m.GetCard(bytes(32)), m.CardData(bytes(MAX_CARD_SIZE))),
        (m.Get(GET, 0, 8), m.Entries((entry,) * 8, True)),
        (m.GetInfo(), m.SignedInfo(bytes(4_096), bytes(64))),
    ):
        assert len(encode(m.Reply(2**32 - 1, answer))) <= answer_parts(request) * DOWN_DATA


# --- blocks and windows -----------------------------------------------------------------------------------------------


def test_blocks_are_topped_up_by_what_is_left() -> None:
    blocks = Blocks()
    assert blocks.wanted(1, False, 0.0) == 1
    blocks.given(1, 0.0)
    assert blocks.wanted(1, False, 0.0) == 0
    assert blocks.wanted(0, True, 0.0) == IDLE - 1
    blocks.given(IDLE - 1, 0.0)
    blocks.said((1, 0), IDLE, 0.0)
    assert blocks.wanted(0, True, 1.0) == 0
    for number in range(2, 40):
        blocks.said((number, 0), 0, 1.0)
        blocks.delivered(1.0)
    assert blocks.wanted(0, True, 1.0) == MOST
    assert blocks.wanted(0, True, 60.0) == IDLE


@given(st.lists(st.sampled_from(["sent", "arrived", "lost", "gone"]), max_size=300))
def test_the_window_stays_within_its_bounds(happened: list[str]) -> None:
    window = Window()
    for at, what in enumerate(happened):
        match what:
            case "sent" if window.room(at):
                window.sent()
            case "arrived":
                window.arrived()
            case "lost":
                window.lost(1, 0.5, at)
            case "gone":
                window.gone()
        assert 1 < window.size <= 256
        assert window.under_way >= 0
        assert window.room(at) >= 0


def test_losses_halve_the_window_once_in_a_round_trip() -> None:
    window = Window()
    before = window.size
    for _ in range(5):
        window.lost(1, 1.0, 10.0)
    assert window.size == before / 2
    window.close(2.0, 11.0)
    assert window.room(12.0) == 0
    assert window.room(13.0) > 0


def test_few_large_answers_are_asked_for_at_one_time() -> None:
    """A node drops what it would have to keep beyond that, and the way to it is full."""
    client = session()
    for _ in range(16):
        client.call(m.GetBlob(GET, bytes(32)), 0.0)
    small = client.call(m.Put(capability("put"), envelope(1)), 0.0)
    asked = set[int]()
    for _ in range(200):
        up = client.next_up(0.0)
        if up is not None and up.data:
            asked.add(up.message)
    assert len(asked) == 5  # four blobs of nine packets each, and what is small
    assert small in asked
