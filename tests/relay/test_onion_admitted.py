"""Tokens by which a node carries a client's packets: what the work for one is bound to, what it costs, who has it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.crypto import solve_work, work_strength
from roost.relay.core.admission import NetworkNonces, TokenAdmission
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.tokens import MAX_TOKENS, Tokens
from roost.wire.mailbox import AttachOnion, RefusalCode, WorkChallenge
from roost.wire.onion import MAX_ADMISSION_BITS, admission_hash
from tests.relay.onion_helpers import paid, work_asked
from tests.relay.relay_core import NOW

NODE, OTHER = b"n" * 32, b"o" * 32
A, B = AttachOnion(b"a" * 16), AttachOnion(b"b" * 16)
FIRST, SECOND, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))
LOOKS = 12  # until a price goes down


def admission(bits: int = 8, node: bytes = NODE, *randoms: bytes) -> TokenAdmission:
    nonces = NetworkNonces()
    for shared_random in randoms or (FIRST,):
        nonces.renew(shared_random)
    return TokenAdmission(nonces, bits, node)


def challenge(admission: TokenAdmission, request: AttachOnion) -> WorkChallenge | None:
    return work_asked(lambda: admission.admit(request, NOW))


def worked(request: AttachOnion, at: TokenAdmission) -> AttachOnion:
    asked = challenge(at, request)
    assert asked is not None
    return paid(request, asked, NODE)


# --- the work -------------------------------------------------------------------------------------------------------


def test_a_token_costs_as_much_as_four_mailboxes() -> None:
    asked = challenge(admission(8), A)
    assert asked == WorkChallenge(FIRST[:16], 10)


def test_work_is_for_one_token_at_one_node() -> None:
    here = admission()
    token = worked(A, here)
    assert challenge(here, token) is None
    assert challenge(here, token) is None, "the same again, after a lost link"
    assert challenge(here, replace(B, admission=token.admission)) is not None
    assert challenge(admission(8, OTHER), token) is not None
    assert challenge(admission(8, bytes(32)), token) is not None


def test_work_is_for_its_period_and_the_next() -> None:
    token = worked(A, admission())
    assert admission(8, NODE, FIRST, SECOND).admit(token, NOW) == FIRST[:16]
    assert challenge(admission(8, NODE, FIRST, SECOND, THIRD), token) == WorkChallenge(THIRD[:16], 10)
    assert challenge(admission(8, NODE, SECOND), token) is not None, "nor before it"


def test_too_little_work_is_not_enough() -> None:
    here = admission()
    subject = admission_hash(A)
    weak = next(
        proof
        for proof in (solve_work(FIRST[:16], NODE, subject, 5, start) for start in range(0, 10_000, 100))
        if work_strength(FIRST[:16], NODE, subject, proof) < 10
    )
    assert challenge(here, replace(A, admission=weak)) is not None


@pytest.mark.parametrize("proof", [b"", b"short", bytes(9), bytes(64)])
def test_what_is_no_proof_is_answered_by_a_challenge(proof: bytes) -> None:
    assert challenge(admission(18), replace(A, admission=proof)) == WorkChallenge(FIRST[:16], MAX_ADMISSION_BITS)


def test_before_there_is_a_consensus_nobody_is_admitted() -> None:
    for bits in (0, 8):
        with pytest.raises(RefusedRequest) as caught:
            TokenAdmission(NetworkNonces(), bits, NODE).admit(A, NOW)
        assert caught.value.refusal.code is RefusalCode.SLOW_DOWN


def test_where_mailboxes_cost_nothing_tokens_do_not_either() -> None:
    free = admission(0)
    assert free.admit(A, NOW) == FIRST[:16]
    for _ in range(3):
        free.look(1.0)
    assert free.bits == 0


# --- the price ------------------------------------------------------------------------------------------------------


def test_a_node_with_too_much_to_do_asks_for_more_and_comes_back_to_less() -> None:
    here = admission(8)
    cheap = worked(A, here)
    here.look(0.6)
    assert here.bits == 11
    assert challenge(here, B) == WorkChallenge(FIRST[:16], 11)
    for _ in range(4 * LOOKS):
        here.look(0.3)
    assert here.bits == 11, "neither up nor down"
    for _ in range(LOOKS - 1):
        here.look(0.0)
    here.look(0.2)
    for _ in range(LOOKS - 1):
        here.look(0.0)
    assert here.bits == 11, "it was not quiet for long enough"
    here.look(0.0)
    assert here.bits == 10
    for _ in range(4 * LOOKS):
        here.look(0.0)
    assert here.bits == 10
    assert challenge(here, cheap) is None


def test_a_node_never_asks_for_more_than_clients_do() -> None:
    here = admission(16)
    for _ in range(100):
        here.look(1.0)
    assert here.bits == MAX_ADMISSION_BITS
    assert admission(MAX_ADMISSION_BITS).bits == MAX_ADMISSION_BITS


# --- who has it -----------------------------------------------------------------------------------------------------

OLD, NEW = b"old", b"new"


def test_a_link_has_one_share_however_many_tokens() -> None:
    tokens: Tokens[str] = Tokens()
    for number in range(MAX_TOKENS):
        tokens.attach("link", bytes([number]), NEW)
        assert tokens.share("link", (NEW, OLD)) == bytes([0])
    tokens.attach("link", bytes([0]), NEW)
    with pytest.raises(RefusedRequest) as caught:
        tokens.attach("link", b"one more", NEW)
    assert caught.value.refusal.code is RefusalCode.FULL
    assert tokens.link(b"one more") is None
    assert len(tokens) == 1


def test_a_share_goes_with_its_token_to_the_newest_link() -> None:
    tokens: Tokens[str] = Tokens()
    tokens.attach("one", b"a", NEW)
    tokens.attach("other", b"a", NEW)
    assert tokens.share("one", (NEW,)) is None
    assert tokens.share("other", (NEW,)) == b"a"
    assert tokens.link(b"a") == "other"
    tokens.detach("one")
    assert tokens.link(b"a") == "other"
    tokens.detach("other")
    assert tokens.link(b"a") is None
    assert tokens.share("other", (NEW,)) is None
    tokens.detach("stranger")


def test_a_token_whose_period_is_over_has_no_share_and_still_gets_replies() -> None:
    tokens: Tokens[str] = Tokens()
    tokens.attach("link", b"a", OLD)
    assert tokens.share("link", (NEW, OLD)) == b"a"
    assert tokens.share("link", (NEW,)) is None
    assert tokens.link(b"a") == "link"
    tokens.attach("link", b"b", NEW)
    assert tokens.share("link", (NEW, OLD)) == b"a"
    assert tokens.share("link", (NEW,)) == b"b"
