"""`@Name` in what a person writes to a group: whom it means."""

from __future__ import annotations

import re
from collections.abc import Mapping

from roost.messaging.groups import states
from roost.messaging.records import Contact
from roost.messaging.work import Work
from roost.wire.content import Mention

MOST = 64
_MIDDLE = re.compile(r"\w")


def find(work: Work, group: bytes, text: str) -> tuple[Mention, ...]:
    """The mentions of members in a text, by their names in the group and by what I call them. No names, no mentions."""
    names: dict[str, bytes] = {}
    for member in states.members(work, group).values():
        contact = work.get(Contact, member.account)
        for name in (member.name, contact.alias if contact else ""):
            if name.strip():
                names.setdefault(name.casefold(), member.account)
    return parse(names, text)


def parse(names: Mapping[str, bytes], text: str) -> tuple[Mention, ...]:
    """`names` are case-folded. Of several that fit the longest is meant; a name ends where a word does."""
    found: list[Mention] = []
    longest = sorted(names, key=len, reverse=True)
    place = text.find("@")
    while place >= 0 and len(found) < MOST:
        name = None
        if place == 0 or not _MIDDLE.match(text[place - 1]):
            name = next((name for name in longest if _stands(text, place + 1, name)), None)
        if name is not None:
            found.append(Mention(place, len(name) + 1, names[name]))
        place = text.find("@", place + 1 + (len(name) if name else 0))
    return tuple(found)


def _stands(text: str, place: int, name: str) -> bool:
    end = place + len(name)
    return text[place:end].casefold() == name and not (end < len(text) and _MIDDLE.match(text[end]))
