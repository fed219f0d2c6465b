"""A profile with a conversation of many messages, written through the store as years of talking would have left it.

    python -m tests.web.long_history FOLDER RELAY_LINK NAME OTHER COUNT

makes two profiles FOLDER/name and FOLDER/other that are contacts, and the long conversation in the first.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

import roost
from roost.messaging import conversations
from roost.messaging.records import Changes, Contact, ContactState, Me, Message, MessageState, ReactionRow, Setting
from roost.network.entropy import SystemEntropy
from roost.store import ProfileFolder
from roost.wire import content as c

BATCH = 1_000
EVERY_MS = 26 * 60_000  # 100,000 messages in five years
_WORDS = (
    *("the", "lake", "train", "morning", "bread", "again", "never", "someone", "garden", "window", "maybe", "Saturday"),
    *("nightingale", "over", "there", "we", "could", "write", "letter", "home", "small", "blue", "bicycle", "kitchen"),
    *("music", "later", "tonight", "seven", "o'clock", "bring", "towel", "photographs", "with", "you", "what", "think"),
)
_EMOJI = ("👍", "❤️", "😂", "🎉")


def write(folder: Path, name: str, count: int, *, until_ms: int | None = None, seed: int = 4) -> list[bytes]:
    """Put `count` read messages into the conversation with the contact `name`; their ids, oldest first.

    The profile must not be open elsewhere. Texts of 1 to 40 words, some formatted, some answers, some with reactions.
    """
    draw = random.Random(seed)
    until = until_ms if until_ms is not None else int(time.time() * 1000)
    with ProfileFolder.open(folder).unlock(SystemEntropy()) as profile:
        store = profile.store
        me = store.get(Me, 0)
        contact = next(row for row in store.find(Contact) if row.state == ContactState.ACCEPTED and row.name == name)
        assert me is not None
        held = store.get(Setting, "position")
        first = int.from_bytes(held.value, "big") if held else 0
        ids = [draw.randbytes(16) for _ in range(count)]
        for start in range(0, count, BATCH):
            rows: list[Message | ReactionRow | Setting] = []
            for number in range(start, min(start + BATCH, count)):
                at = until - (count - number) * EVERY_MS
                rows += _message(draw, number, ids, me, contact, first + number + 1, at)
            rows.append(Setting("position", (first + min(start + BATCH, count)).to_bytes(8, "big")))
            store.apply(Changes(put=tuple(rows)))
    return ids


def _message(
    draw: random.Random, number: int, ids: list[bytes], me: Me, contact: Contact, position: int, at: int
) -> list[Message | ReactionRow]:
    words = [draw.choice(_WORDS) for _ in range(min(40, 1 + int(draw.expovariate(1 / 9))))]
    text = f"{' '.join(words)} {number}"
    spans = (c.Span(0, len(words[0]), int(c.Style.BOLD)),) if draw.random() < 0.05 else ()
    reply = ids[number - draw.randrange(1, 40)] if number > 40 and draw.random() < 0.08 else None
    mine = draw.random() < 0.5
    said = c.Text(text, spans, reply)
    row = Message(
        id=ids[number],
        conversation=contact.account,
        author=me.account if mine else contact.account,
        device=me.device,
        counter=number,
        position=position,
        sent_at=at,
        received_at=at,
        content=c.encode_content(said),
        text=conversations.searchable(said),
        state=int(MessageState.READ if mine else MessageState.SEEN),
        network="central",
    )
    if draw.random() > 0.06:
        return [row]
    who = contact.account if mine else me.account
    return [row, ReactionRow(row.id, who, draw.choice(_EMOJI), at)]


async def befriend(folder: Path, relay: str, name: str, other: str) -> Path:
    """Two new profiles, contacts of each other; the folder of the first."""
    from roost.agent.events import ContactEvent
    from roost.agent.service import create_profile

    mine, theirs = folder / name.lower(), folder / other.lower()
    for path, who in ((mine, name), (theirs, other)):
        await create_profile(path, who, relay, None, "none")
    async with roost.open(mine) as me, roost.open(theirs) as them:
        await them.add((await me.invite()).link)

        async def accepted() -> None:
            async for event in them.events():
                if isinstance(event, ContactEvent) and event.change == "accepted":
                    return

        async def accept() -> None:
            async for event in me.events():
                if isinstance(event, roost.ContactRequest):
                    await event.accept()
                    return

        await asyncio.wait_for(asyncio.gather(accept(), accepted()), 60)
        await me.sync()
        await them.sync()
    return mine


def main() -> None:
    folder, relay, name, other, count = sys.argv[1:]
    write(asyncio.run(befriend(Path(folder), relay, name, other)), other, int(count))


if __name__ == "__main__":
    main()
