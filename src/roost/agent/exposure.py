"""Who on a conversation's way sees what (DESIGN section 10): one data file, read by the app, the docs and the tests."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec
from msgspec.structs import replace

from roost.agent.browsing import Exposure
from roost.agent.views import ConversationKind, NetworkKind


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Facts, by id, that a party sees, and those that it might be thought to see and does not."""

    sees: tuple[str, ...]
    hidden: tuple[str, ...]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hops: tuple[str, ...]
    parties: dict[str, Party]


class WhoSeesWhat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`networks`: of conversations with contacts; `groups` and `channels`: of those. `behind`: of what goes through an
    onion network to another's relay, by kind of conversation. `mixed`: what parties do not see where it is mixed."""

    facts: dict[str, str]
    networks: dict[NetworkKind, Network]
    groups: dict[NetworkKind, Network]
    channels: dict[NetworkKind, Network]
    behind: dict[ConversationKind, Network]
    mixed: dict[str, tuple[str, ...]]

    def ways(self, kind: ConversationKind) -> dict[NetworkKind, Network]:
        """The networks that a conversation of this kind may take."""
        match kind:
            case ConversationKind.GROUP:
                return self.groups
            case ConversationKind.CHANNEL:
                return self.channels
            case _:
                return self.networks


@cache
def who_sees_what() -> WhoSeesWhat:
    """The table."""
    data = resources.files("roost.agent").joinpath("who_sees_what.json").read_bytes()
    return msgspec.json.decode(data, type=WhoSeesWhat)


def mixing(way: Network) -> Network:
    """The same way in mixed timing."""
    unseen = who_sees_what().mixed
    parties = {
        name: replace(row, sees=tuple(fact for fact in row.sees if fact not in unseen.get(name, ())))
        for name, row in way.parties.items()
    }
    return replace(way, parties=parties)


def exposure(way: Network, *, mixed: bool) -> tuple[Exposure, ...]:
    """What each party on a way sees."""
    parties = (mixing(way) if mixed else way).parties
    return tuple(Exposure(party=name, sees=row.sees, hidden=row.hidden) for name, row in parties.items())


_PARTIES = {
    "relay": "the relay",
    "my_relay": "one's own relay",
    "their_relay": "the contact's relay",
    "both_relays": "both relays together",
    "contact": "the contact",
    "outsider": "somebody who watches one's connection",
    "entry": "one's entry station",
    "middle": "the middle station",
    "exit": "the exit station",
    "their_entry": "the other side's entry station",
    "forwarder": "the station that passes it on",
    "all_stations": "all of these together",
    "swarm": "the mailbox's hosts",
    "host": "the relay that hosts it",
    "host_member": "the device that hosts it",
    "member": "its members",
    "reader": "whoever has its link",
}
_HEADINGS = {
    ConversationKind.DIRECT: "a contact",
    ConversationKind.GROUP: "a group",
    ConversationKind.CHANNEL: "a channel",
}


def documented() -> str:
    """The tables as docs/threat-model.md has them: a fact a row, a network a column, who sees it in the cells."""
    return "\n\n".join(_table(kind) for kind in _HEADINGS)


def _table(kind: ConversationKind) -> str:
    table = who_sees_what()
    ways = {str(name): way for name, way in table.ways(kind).items()}
    ways |= {"onion, then a relay": table.behind[kind], "onion, mixed": mixing(table.ways(kind)[NetworkKind.ONION])}
    lines = [f"| {_HEADINGS[kind]} | " + " | ".join(ways) + " |", "| --- |" + " --- |" * len(ways)]
    told = {fact for way in ways.values() for party in way.parties.values() for fact in (*party.sees, *party.hidden)}
    for fact, words in table.facts.items():
        if fact in told:
            seeing = [[_PARTIES[n] for n, party in way.parties.items() if fact in party.sees] for way in ways.values()]
            lines.append(f"| {words} | " + " | ".join("; ".join(names) or "nobody" for names in seeing) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(documented())
