"""Chains at their limits, one by one, and other places where a change of the code went unnoticed (tests/mutants)."""

from __future__ import annotations

import pytest

from roost.crypto import (
    ENVELOPE_SIZE,
    KEM_CIPHERTEXT_SIZE,
    AgreementSecret,
    KemSecret,
    NotForThisSession,
    Session,
    accept,
)
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
from roost.crypto.envelope import MAX_INDEX, HandshakeHeader, RatchetHeader, mask_opening
from roost.crypto.handshake import initiate
from roost.crypto.ratchet import SendingChain
from roost.errors import CryptoError
from tests.crypto.crypto_helpers import ALICE, BOB, SeededEntropy, begun, body, running

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


def test_a_full_chain_sends_nothing_more() -> None:
    alice, _, entropy = running()
    assert isinstance(alice.sending, SendingChain)
    step, key = alice.sending.step, alice.sending.key
    after, _ = SendingChain(step, key, MAX_INDEX - 1).seal(body(0), entropy)
    with pytest.raises(ValueError, match="full"):
        after.seal(body(1), entropy)


@pytest.mark.parametrize("only_chain", [True, False])
def test_keys_skipped_within_one_chain_are_bounded_at_once(only_chain: bool) -> None:
    alice, bob, entropy = begun() if only_chain else running()
    assert (len(bob.receiving) == 1) is only_chain
    for _ in range(3):
        alice = _skipping(alice, MAX_SKIP, entropy)
        alice, envelope = alice.seal(body(7), entropy)
        bob, opened = bob.open(envelope)
        assert opened == body(7)
        assert sum(len(chain.skipped) for chain in bob.receiving) <= MAX_SKIPPED
    assert sum(len(chain.skipped) for chain in bob.receiving) == MAX_SKIPPED


def _skipping(session: Session, count: int, entropy: SeededEntropy) -> Session:
    """`session` after `count` messages that nobody will see."""
    for _ in range(count):
        session, _ = session.seal(body(0), entropy)
    return session


@pytest.mark.parametrize("size", [0, 15, ENVELOPE_SIZE - 1, ENVELOPE_SIZE + 1])
def test_an_envelope_of_another_size_is_called_malformed(size: int) -> None:
    alice, bob, entropy = running()
    _, envelope = alice.seal(body(0), entropy)
    for refusing in (bob.open, lambda data: accept(BOB.local, BOB.prekeys, data)):
        with pytest.raises(CryptoError) as refused:
            refusing((envelope + b"\0")[:size])
        assert refused.value.code == "malformed"


def test_every_key_of_a_session_has_its_length() -> None:
    """In memory too: the store would cut a longer one off, and the two ends would part."""
    for session in begun()[:2]:
        keys = [session.root, session.next_sending_header, session.next_receiving_header]
        keys += [chain.key for chain in session.receiving] + [chain.header.key for chain in session.receiving]
        if isinstance(session.sending, SendingChain):
            keys += [session.sending.key, session.sending.step.opening.header.key]
        assert {len(key) for key in keys} == {32}
        assert len(session.id) == 16


def test_a_low_order_ephemeral_key_is_no_handshake() -> None:
    salt = bytes(16)
    masked = mask_opening(BOB.prekeys.mask, salt, bytes(32 + KEM_CIPHERTEXT_SIZE))
    with pytest.raises(NotForThisSession):
        accept(BOB.local, BOB.prekeys, (salt + masked).ljust(ENVELOPE_SIZE, b"\0"))


def test_a_handshake_that_claims_to_come_from_the_device_itself_is_refused() -> None:
    """The initiator's code refuses this too; a hostile one's would not."""
    entropy, salt = SeededEntropy("mirror"), bytes(16)
    ephemeral, kem = AgreementSecret.generate(entropy), KemSecret.generate(entropy)
    start = initiate(ALICE.local, BOB.bundle, ephemeral, kem)
    introduction = ALICE.local.account + BOB.local.identity.public.raw + kem.public.raw
    masked = mask_opening(BOB.prekeys.mask, salt, start.opening)
    header = start.header.seal(salt, masked, introduction, 0)
    with pytest.raises(CryptoError, match="itself"):
        accept(BOB.local, BOB.prekeys, (salt + header).ljust(ENVELOPE_SIZE, b"\0"))
