"""Work in place of an access secret: on an onion network each mailbox and each new card costs a little."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.relay.core.admission import Client, NetworkNonces, WorkAdmission
from roost.relay.core.limits import Limits
from roost.relay.core.refusal import RefusedRequest
from roost.wire.mailbox import Create, PutCard, RefusalCode, WorkChallenge
from tests.relay.onion_helpers import paid, work_asked
from tests.relay.relay_core import NOW, create, name32

BITS = 8
CLIENT = Client(Limits(), NOW)


def asked(admission: WorkAdmission, request: Create | PutCard) -> WorkChallenge | None:
    return work_asked(lambda: admission.admit_creation(CLIENT, request, NOW))


def worked(request: Create, challenge: WorkChallenge) -> Create:
    return paid(request, challenge, bytes(32))


def test_a_proof_is_for_one_request_and_for_its_time() -> None:
    nonces = NetworkNonces()
    nonces.renew(b"1" * 32)
    admission = WorkAdmission(nonces, BITS)
    challenge = asked(admission, create("a"))
    assert challenge == WorkChallenge(b"1" * 16, BITS)
    proven = worked(create("a"), challenge)
    assert asked(admission, proven) is None
    assert asked(admission, replace(create("b"), admission=proven.admission)) is not None
    nonces.renew(b"1" * 32)
    nonces.renew(b"2" * 32)
    assert asked(admission, proven) is None, "under way when the period ended"
    nonces.renew(b"3" * 32)
    assert asked(admission, proven) is not None


def test_every_node_takes_it() -> None:
    one, other = NetworkNonces(), NetworkNonces()
    for nonces in (one, other):
        nonces.renew(b"1" * 32)
    challenge = asked(WorkAdmission(one, BITS), create("a"))
    assert challenge is not None
    assert asked(WorkAdmission(other, BITS), worked(create("a"), challenge)) is None


@pytest.mark.parametrize("proof", [b"", b"short", bytes(9), b"an access secret"])
def test_what_is_no_proof_is_answered_by_a_challenge(proof: bytes) -> None:
    nonces = NetworkNonces()
    nonces.renew(b"1" * 32)
    admission = WorkAdmission(nonces, 40)
    assert asked(admission, replace(create("a"), admission=proof)) is not None
    card = PutCard(name32("card"), name32("writer"), 1, b"card", int(NOW) + 1, proof)
    assert asked(admission, card) is not None


def test_no_work_counts_that_was_done_before_a_consensus() -> None:
    nonces = NetworkNonces()
    admission = WorkAdmission(nonces, BITS)
    ahead = worked(create("a"), WorkChallenge(bytes(16), BITS))
    with pytest.raises(RefusedRequest) as caught:
        admission.admit_creation(CLIENT, ahead, NOW)
    assert caught.value.refusal.code is RefusalCode.SLOW_DOWN
    nonces.renew(b"1" * 32)
    assert nonces.valid(NOW) == (b"1" * 16,)
    assert asked(admission, ahead) == WorkChallenge(b"1" * 16, BITS)


def test_an_operator_may_ask_for_none() -> None:
    assert asked(WorkAdmission(NetworkNonces(), 0), create("a")) is None
