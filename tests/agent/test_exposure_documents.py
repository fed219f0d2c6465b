"""The documents' table of who sees what is the one that the app shows: src/roost/agent/who_sees_what.json."""

from __future__ import annotations

import re
from pathlib import Path

from roost.agent.exposure import documented, who_sees_what

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
