"""Who on a conversation's way sees what (DESIGN section 10): one data file, read by the app, the docs and the tests."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from roost.agent.browsing import Exposure
from roost.agent.views import NetworkKind


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts, by id, that a party sees, and those that it might be thought to see and does not."""

    sees: tuple[str, ...]
    hidden: tuple[str, ...]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hops: tuple[str, ...]
    parties: dict[str, Party]


class WhoSeesWhat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    facts: dict[str, str]
    networks: dict[NetworkKind, Network]


@cache
def who_sees_what() -> WhoSeesWhat:
    """The table."""
    data = resources.files("roost.agent").joinpath("who_sees_what.json").read_bytes()
    return msgspec.json.decode(data, type=WhoSeesWhat)


def exposure(network: NetworkKind) -> tuple[Exposure, ...]:
    """What each party on a network's route sees."""
    parties = who_sees_what().networks[network].parties
    return tuple(Exposure(party=name, sees=row.sees, hidden=row.hidden) for name, row in parties.items())


_PARTIES = {
    "relay": "the relay",
    "my_relay": "one's own relay",
    "their_relay": "the contact's relay",
    "both_relays": "both relays together",
    "contact": "the contact",
    "outsider": "somebody who watches one's connection",
    "node": "an onion station",
    "swarm": "the mailbox's hosts",
}


def documented() -> str:
    """The table as docs/threat-model.md has it: a fact a row, a network a column, who sees it in the cells."""
    table = who_sees_what()
    lines = ["| | " + " | ".join(table.networks) + " |", "| --- |" + " --- |" * len(table.networks)]
    for fact, words in table.facts.items():
        cells = []
        for network in table.networks.values():
            seeing = [_PARTIES[name] for name, party in network.parties.items() if fact in party.sees]
            cells.append("; ".join(seeing) or "nobody")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(documented())
