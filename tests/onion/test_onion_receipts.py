"""The statistical disclosure attack on sealed senders, by the nodes that keep the mailboxes of an onion network.

Martiny, Kaptchuk, Aviv, Roche, Wustrow: "Improving Signal's Sealed Sender", NDSS 2021; the attack and its control are
those of tests/leaks/test_leaks_timing.py. A node sees when an envelope enters a mailbox that it keeps or copies, not
whose the mailbox is: people are places to it. It is granted that it knows which mailbox Alice writes into when she
writes to Bob, and asks which one his acknowledgements go to.
"""

from __future__ import annotations

import pytest

from roost.messaging import rounds
from roost.messaging.records import OwnMailbox
from roost.wire.addresses import RelayAddress
from roost.wire.onion import ConsensusNode, PeriodKey, ranked
from roost.wire.sizes import PLACE_SIZE
from tests.leaks.test_leaks_timing import Observer, bob_and_contacts, singled_out, watch
from tests.messaging.harness import Device, World

__all__ = ["bob_and_contacts"]

NODES, REPLICAS = 9, 3
PERIOD_KEYS = (PeriodKey(1, bytes(1_216)),)


def node(number: int) -> ConsensusNode:
    key = bytes([number]) * 32
    return ConsensusNode(RelayAddress("127.0.0.1", 1 + number, key), "", PERIOD_KEYS, 1, key[::-1], 1_000)


ALL = [node(number) for number in range(NODES)]


class Nodes(Observer):
    """All nodes of a network together: they see which mailbox, by its place, an envelope enters."""

    def put(self, capability: bytes, envelope: bytes) -> bool:
        self.arrivals.append((self.world.now, capability[:PLACE_SIZE].hex()))
        return self._put(capability, envelope)

    def part(self, corrupt: list[ConsensusNode]) -> Observer:
        """What these nodes see of it: the mailboxes in whose swarms they are, and the others' at their own."""
        seen = Observer(World(seed=0))
        keys = {one.key for one in corrupt}
        seen.arrivals = [
            (time, where)
            for time, where in self.arrivals
            if where.startswith("person") or keys & {one.key for one in ranked(ALL, bytes.fromhex(where))[:REPLICAS]}
        ]
        return seen


def mailbox(reader: Device, writer: Device) -> str:
    """The place of the one with which one person is written to by the other."""
    (box,) = reader.work().find(OwnMailbox, where={"account": writer.account})
    return box.put[:PLACE_SIZE].hex()


@pytest.mark.parametrize("number", [0, 2, 5])
def test_the_nodes_do_not_single_out_the_partner(bob_and_contacts: tuple[Device, list[Device]], number: int) -> None:
    """In 100 messages: the mailbox of the partner is one of a circle's, which nothing tells apart, for all nodes
    together and for any third of them, which sees a part of the circle."""
    bob, contacts = bob_and_contacts
    alice = contacts[number]
    (accounts,) = [one for one in rounds._circles(bob.work()) if alice.account in one]
    circle = {mailbox(one, bob) for one in contacts if one.account in accounts}
    everything = Nodes(bob.world)
    watch(everything, bob, alice)
    for observer in (everything, *(everything.part(ALL[first : first + 3]) for first in (0, 3, 6))):
        places = {where for _, where in observer.arrivals}
        if mailbox(bob, alice) not in places:
            continue
        scores = observer.scores(mailbox(bob, alice))
        equals = [scores[one] for one in circle & places]
        assert max(equals, default=0) - min(equals, default=0) <= 2
        if observer is everything:
            suspects = singled_out(scores)
            assert mailbox(alice, bob) in suspects
            assert len(suspects) >= len(equals) == rounds.CIRCLE
