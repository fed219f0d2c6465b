"""Packet keys of an onion node: which opens what and for how long, and that no packet is opened twice."""

from __future__ import annotations

import shutil
from array import array
from copy import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.crypto import PacketPublic, SigningKey
from roost.crypto.onion import Arrived, Cover, DropReason, Forwarded, Hop, make_packet
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.relay.core.limits import Limits
from roost.relay.core.onion_packets import (
    CLOCKS_S,
    MAX_DELAY_MS,
    Dropped,
    NodeKey,
    NodeKeys,
    Refused,
    is_over,
    newest_key,
    pace,
)
from roost.relay.core.packets import TagSet
from roost.relay.onion.keys import KeyFiles
from roost.wire.onion import KEYS_AHEAD
from roost.wire.sizes import MAX_PERIOD_S
from tests.relay.onion_helpers import Keys

OWN = Keys.made()
OTHER = Keys.made()
PERIOD = 500


def node_keys(*periods: int) -> NodeKeys:
    return NodeKeys(OWN.node, [NodeKey(period, OWN.secret, TagSet()) for period in periods], lambda _p, _t: True)


def dropped(keys: NodeKeys, packet: bytes, newest: int = PERIOD) -> str:
    with pytest.raises(Refused) as caught:
        keys.open(packet, newest, ENTROPY)
    return caught.value.reason


def test_a_packet_is_opened_once() -> None:
    keys = node_keys(PERIOD)
    packet = make_packet([OWN.hop(PERIOD), OTHER.hop(PERIOD)], b"x", ENTROPY)
    opened = keys.open(packet, PERIOD, ENTROPY)
    assert isinstance(opened.outcome, Forwarded)
    assert opened.outcome.node == OTHER.node
    assert dropped(keys, packet) == Dropped.REPLAYED
    filler = bytearray(packet)
    filler[-8_192 - 1] ^= 1  # the room of layers that are not there
    assert dropped(keys, bytes(filler)) == Dropped.REPLAYED, "what nobody reads makes no other packet of it"


def test_what_cannot_be_opened_is_dropped_by_name_and_spends_nothing() -> None:
    keys = node_keys(PERIOD)
    packet = make_packet([OWN.hop(PERIOD)], b"x", ENTROPY)
    assert dropped(keys, make_packet([OWN.hop(PERIOD + 1)], b"x", ENTROPY)) == Dropped.NO_KEY
    assert dropped(keys, make_packet([OTHER.hop(PERIOD)], b"x", ENTROPY)) == DropReason.HEADER
    assert dropped(keys, packet[:-1] + bytes([packet[-1] ^ 1])) == DropReason.PAYLOAD
    assert dropped(keys, packet[:1] + b"\x07" + packet[2:]) == DropReason.LENGTH
    assert keys.open(packet, PERIOD, ENTROPY).outcome == Arrived(b"x")
    assert keys.open(make_packet([OWN.hop(PERIOD)], b"", ENTROPY, cover=True), PERIOD, ENTROPY).outcome == Cover()


def test_what_leads_back_or_stays_too_long_is_dropped() -> None:
    keys = node_keys(PERIOD)
    there_and_back = make_packet([OTHER.hop(PERIOD), OWN.hop(PERIOD)], b"x", ENTROPY)
    assert dropped(keys, there_and_back) == DropReason.HEADER, "not its turn"
    long = make_packet([OWN.hop(PERIOD, MAX_DELAY_MS + 1)], b"x", ENTROPY)
    assert dropped(keys, long) == Dropped.DELAY


def test_a_node_that_sends_to_itself_is_dropped() -> None:
    twice = [NodeKey(PERIOD, OWN.secret, TagSet())]
    keys = NodeKeys(OTHER.node, twice, lambda _p, _t: True)  # the packet's next node is this very one
    assert dropped(keys, make_packet([OWN.hop(PERIOD), OTHER.hop(PERIOD)], b"x", ENTROPY)) == Dropped.SELF_LOOP


def test_a_key_opens_nothing_before_its_time_but_for_clocks() -> None:
    """Else its list could be filled beforehand."""
    keys = node_keys(PERIOD, PERIOD + 1)
    packet = make_packet([OWN.hop(PERIOD + 1)], b"x", ENTROPY)
    hour = 3_600
    assert newest_key(PERIOD * hour, hour) == newest_key((PERIOD + 1) * hour - CLOCKS_S - 1, hour) == PERIOD
    assert dropped(keys, packet) == Dropped.EARLY
    assert newest_key((PERIOD + 1) * hour - CLOCKS_S, hour) == PERIOD + 1
    assert keys.open(packet, PERIOD + 1, ENTROPY).outcome == Arrived(b"x"), "what was dropped was not spent"
    assert newest_key(PERIOD * 10, 10) == PERIOD + 1, "never one beyond the next"


@given(
    st.integers(2, MAX_PERIOD_S),
    st.lists(st.tuples(st.floats(0, 30_000), st.integers(1, 20_000_000)), max_size=40),
)
def test_a_node_never_remembers_more_than_it_has_room_for(period_s: int, floods: list[tuple[float, int]]) -> None:
    """Whoever floods, however many they are, with whichever keys: packets wait, and none is refused."""
    limits = Limits()
    now = 1_000_000.0 * period_s
    bucket = pace(limits.remembered_packets, period_s, now)
    held: list[tuple[int, int]] = []  # the period that a tag's key is of at the most, and how many there are
    for pause, wanted in floods:
        now += pause
        low, high = 0, wanted  # as many as the pace lets pass at once
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if not copy(bucket).take(middle, now) else (low, middle - 1)
        bucket.take(low, now)
        held.append((newest_key(now, period_s), low))
        alive = sum(count for key, count in held if not is_over(key, int(now) // period_s))
        assert alive <= limits.remembered_packets + 1


@pytest.mark.parametrize(("period_s", "rate"), [(15, 80_000), (3_600, 3_000), (MAX_PERIOD_S, 500)])
def test_the_pace_is_beyond_what_a_core_or_one_token_can(period_s: int, rate: int) -> None:
    limits = Limits()
    bucket = pace(limits.remembered_packets, period_s, 0.0)
    assert bucket.take(8_000_000, 0.0) == 0
    assert bucket.take(rate, 1.0) == 0
    assert limits.packets_per_second < rate


# --- on disk ----------------------------------------------------------------------------------------------------------


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_keys_are_made_ahead_and_erased_after_the_next_period(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path / "keys", OWN.node, ENTROPY)
    keys = files.open(PERIOD)
    assert [key.period for key in keys.public(PERIOD)] == list(range(PERIOD, PERIOD + KEYS_AHEAD))
    first = keys.public(PERIOD)[0].public
    files.rotate(keys, PERIOD + 1)
    assert stored(tmp_path / "keys") == [*(f"{PERIOD + ahead}.key" for ahead in range(KEYS_AHEAD + 1)), "run"]
    files.rotate(keys, PERIOD + 2)
    assert "500.key" not in stored(tmp_path / "keys")
    assert first not in {key.public for key in keys.public(PERIOD + 2)}
    files.close()
    assert "run" not in stored(tmp_path / "keys")


def opened_once(folder: Path) -> tuple[KeyFiles, NodeKeys, bytes]:
    files = KeyFiles(folder, OWN.node, ENTROPY)
    keys = files.open(PERIOD)
    packet = make_packet([Hop(OWN.node, PacketPublic(keys.public(PERIOD)[0].public), PERIOD)], b"x", ENTROPY)
    assert keys.open(packet, PERIOD, ENTROPY).outcome == Arrived(b"x")
    return files, keys, packet


@pytest.mark.parametrize("clean", [True, False])
def test_after_a_restart_no_packet_is_accepted_again(tmp_path: Path, clean: bool) -> None:
    files, keys, packet = opened_once(tmp_path)
    if clean:
        files.close()
    again = KeyFiles(tmp_path, OWN.node, ENTROPY).open(PERIOD)
    assert again.public(PERIOD) == keys.public(PERIOD), "what the directory says of the node stays true"
    assert dropped(again, packet) == Dropped.REPLAYED


def test_all_that_was_opened_is_known_after_a_restart_but_for_half_a_tag(tmp_path: Path) -> None:
    files, _, _ = opened_once(tmp_path)
    files.close()
    (tmp_path / f"{PERIOD}.tags").write_bytes(array("Q", range(50_000)).tobytes() + b"half")
    again = KeyFiles(tmp_path, OWN.node, ENTROPY).open(PERIOD)
    assert again.remembered == 50_000


def test_after_a_power_cut_the_keys_are_others(tmp_path: Path) -> None:
    """The list of packets was not flushed, so some of it may be missing."""
    _files, keys, packet = opened_once(tmp_path)
    (tmp_path / "run").write_bytes(b"another run of the machine")
    (tmp_path / "500.tags").unlink()
    again = KeyFiles(tmp_path, OWN.node, ENTROPY).open(PERIOD)
    assert {key.public for key in again.public(PERIOD)}.isdisjoint(key.public for key in keys.public(PERIOD))
    assert dropped(again, packet) == DropReason.HEADER


def test_a_full_disk_lets_no_packet_through_unremembered(tmp_path: Path) -> None:
    files, keys, _ = opened_once(tmp_path / "keys")
    files.close()
    shutil.rmtree(tmp_path / "keys")
    packet = make_packet([Hop(OWN.node, PacketPublic(keys.public(PERIOD)[0].public), PERIOD)], b"x", ENTROPY)
    assert dropped(keys, packet) == Dropped.NO_ROOM


def test_damaged_keys_are_erased(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path, OWN.node, ENTROPY)
    files.open(PERIOD)
    files.close()
    (tmp_path / "501.key").write_bytes(b"short")
    again = KeyFiles(tmp_path, SigningKey.generate(ENTROPY).public.raw, ENTROPY).open(PERIOD)
    assert len(again.public(PERIOD)) == KEYS_AHEAD
