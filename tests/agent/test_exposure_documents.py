"""The documents' table of who sees what is the one that the app shows: src/roost/agent/who_sees_what.json."""

from __future__ import annotations

import re
from pathlib import Path

from roost.agent.exposure import documented, exposure, who_sees_what
from roost.agent.views import NetworkKind

THREATS = Path(__file__).resolve().parents[2] / "docs" / "threat-model.md"


def test_the_threat_models_table_is_the_apps() -> None:
    section = THREATS.read_text(encoding="utf-8").partition("who_sees_what.json")[2]
    written = "\n".join(re.findall(r"^\|.*\|$", section, flags=re.MULTILINE))
    assert written == documented().replace("\n\n", "\n"), "write it anew: python -m roost.agent.exposure"


def test_nobody_but_the_two_sees_contents_and_every_party_of_a_route_is_told_of() -> None:
    table = who_sees_what()
    shown = (table.networks, table.groups, table.channels, table.behind)
    for network in (network for ways in shown for network in ways.values()):
        stations = {hop for hop in network.hops if hop != "me"}
        assert stations <= set(network.parties)
        assert {fact for party in network.parties.values() for fact in (*party.sees, *party.hidden)} <= set(table.facts)


def test_the_own_entry_does_not_see_when_something_is_sent_that_is_mixed() -> None:
    table = who_sees_what()
    for way in (ways[NetworkKind.ONION] for ways in (table.networks, table.groups, table.channels)):
        fast, mixed = ({row.party: row for row in exposure(way, mixed=mixed)} for mixed in (False, True))
        assert "times" in fast["entry"].sees
        assert "times" not in mixed["entry"].sees
        assert {party for party in fast if fast[party] != mixed[party]} == {"entry"}
