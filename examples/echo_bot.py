"""Answers every message with the same words. Run: python examples/echo_bot.py PROFILE"""

import asyncio
import sys

import roost


async def main() -> None:
    async with roost.open(sys.argv[1]) as me:
        print((await me.invite(one_time=False)).link, flush=True)
        async for event in me.events():
            if isinstance(event, roost.ContactRequest):
                await event.accept()
            elif isinstance(event, roost.Message) and not event.mine:
                await event.reply(event.text, key=event.id)


asyncio.run(main())
