"""Makes a group, lets in whoever follows its link, greets them. Run: python examples/group_bot.py PROFILE TITLE"""

import asyncio
import sys

import roost
from roost.agent.events import GroupEvent


async def main() -> None:
    async with roost.open(sys.argv[1]) as me:
        mine = {group.title: group for group in await me.groups()}
        group = mine.get(sys.argv[2]) or await me.create_group(sys.argv[2])
        print(await group.link(), flush=True)
        async for event in me.events():
            if not isinstance(event, GroupEvent) or event.group != group.id:
                continue
            if event.change == "request":
                await group.accept(event.member)
            elif event.change == "added":
                await group.send(f"Welcome, {event.name}!", key=event.id)


asyncio.run(main())
