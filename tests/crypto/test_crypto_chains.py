"""Receiving chains at their limits, one by one: what the whole-session tests only come near to."""

from __future__ import annotations

import pytest

from roost.crypto.chains import (
    ENDED,
    KEPT_CHAINS,
    MAX_CHAINS,
    MAX_SKIP,
    MAX_SKIPPED,
    NO_KEYS,
    ReceivingChain,
    retained,
)
from roost.crypto.envelope import MAX_INDEX, HandshakeHeader, RatchetHeader
from roost.errors import CryptoError

KEY = bytes(range(32))


def chain(number: int, skipped: int = 0, *, first: bool = False) -> ReceivingChain:
    """An ended chain with so many skipped keys; its header key tells which one it is."""
    header = number.to_bytes(32, "big")
    keys = {index: index.to_bytes(32, "big") for index in range(skipped)}
    return ReceivingChain(HandshakeHeader(header) if first else RatchetHeader(header), ENDED, skipped, keys or NO_KEYS)


def names(chains: tuple[ReceivingChain, ...]) -> list[int]:
    return [int.from_bytes(one.header.key, "big") for one in chains]


def test_the_limits_are_those_of_the_protocol() -> None:
    assert (MAX_SKIP, MAX_SKIPPED, MAX_CHAINS, KEPT_CHAINS) == (1_000, 2_000, 32, 4)
    assert MAX_INDEX == 2**32 - 1


def test_a_chain_ends_at_the_last_index() -> None:
    last = ReceivingChain(RatchetHeader(KEY), KEY, MAX_INDEX - 1, NO_KEYS)
    _, after = last.message_key(MAX_INDEX - 1)
    assert after.index == MAX_INDEX
    for index in (MAX_INDEX, MAX_INDEX + 1):
        for before in (last, after):
            with pytest.raises(CryptoError) as refused:
                before.message_key(index)
            assert refused.value.code == "too_far_ahead"


def test_a_jump_is_as_long_as_allowed_and_no_longer() -> None:
    begun = ReceivingChain(RatchetHeader(KEY), KEY, 5, NO_KEYS)
    _, after = begun.message_key(5 + MAX_SKIP)
    assert sorted(after.skipped) == list(range(5, 5 + MAX_SKIP))
    with pytest.raises(CryptoError) as refused:
        begun.message_key(5 + MAX_SKIP + 1)
    assert refused.value.code == "too_far_ahead"
    assert begun.skipped == NO_KEYS


def test_of_an_ended_chain_at_most_one_jump_is_kept() -> None:
    begun = ReceivingChain(RatchetHeader(KEY), KEY, 5, NO_KEYS)
    assert begun.ended_at(4_000).index == 5 + MAX_SKIP
    assert begun.ended_at(7).index == 7
    assert begun.ended_at(2).index == 5
    assert begun.ended_at(7).key == ENDED


def test_the_oldest_keys_go_first_and_only_those_beyond_the_limit() -> None:
    full = (chain(1, 3), chain(2, MAX_SKIPPED - 3))
    assert retained(full) is full
    over = (chain(1, 3), chain(2, MAX_SKIPPED - 2))
    oldest, other = retained(over)
    assert sorted(oldest.skipped) == [1, 2]
    assert other is over[1]
    oldest, other = retained((chain(1, 3), chain(2, MAX_SKIPPED + 1)))
    assert oldest.skipped == NO_KEYS
    assert min(other.skipped) == 1
    assert len(other.skipped) == MAX_SKIPPED


def test_the_newest_chains_stay_although_nothing_is_missing() -> None:
    chains = tuple(chain(number) for number in range(1, KEPT_CHAINS + 2))
    assert names(retained(chains)) == [1, 2, 3, 4, 5]
    assert names(retained((*chains, chain(6)))) == [2, 3, 4, 5, 6]
    assert names(retained((chain(0, first=True), *chains, chain(6)))) == [0, 2, 3, 4, 5, 6]
    assert names(retained((chain(0, 1), *chains, chain(6)))) == [0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("more", [0, 1, 7])
def test_too_many_chains_lose_the_oldest_but_never_the_handshakes(more: int) -> None:
    plain = tuple(chain(number, 1) for number in range(1, MAX_CHAINS + 1 + more))
    assert names(retained(plain)) == list(range(1 + more, MAX_CHAINS + 1 + more))
    begun = (chain(0, first=True), *plain)
    assert names(retained(begun)) == [0, *range(2 + more, MAX_CHAINS + 1 + more)]
