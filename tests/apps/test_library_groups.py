"""Groups in the library, and the group bot of examples/, whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import roost
from roost.agent.events import GroupEvent
from tests.apps.processes import Person, environment

ROOT = Path(__file__).resolve().parent.parent.parent


async def test_a_group_in_the_library(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    async with roost.open(alice.folder) as one, roost.open(bob.folder) as two, asyncio.timeout(60):
        trip = await one.create_group("Trip", ["Bob"], description="to the hills")
        async for event in two.events():
            if isinstance(event, GroupEvent):
                assert (event.change, event.title, event.group) == ("joined", "Trip", trip.id)
                break
        here = await two.group("trip")
        assert [group.id for group in await two.groups()] == [here.id] == [trip.id]
        assert [(each.name, each.role, each.me) for each in await here.members()] == [
            ("Alice", "admin", False),
            ("Bob", "member", True),
        ]
        sent = await here.send("who drives?", wait="sent")
        async for event in one.events():
            if isinstance(event, roost.Message):
                assert (event.id, event.sender_name, event.conversation) == (sent.id, "Bob", trip.id)
                await event.reply("I do")
                break
        async for event in two.events():
            if isinstance(event, roost.Message):
                assert (event.text, event.sender_name) == ("I do", "Alice")
                break
        assert (await trip.set_title("Holiday")).state == "done"
        assert trip.title == "Holiday"
        assert (await trip.set_role("Bob", "moderator")).done == "role"
        texts = [message.text for message in await trip.read()]
        assert texts[-2:] == ["You changed the title to “Holiday”.", "You made Bob a moderator."]
        assert (await trip.link()).startswith("roost:")
        assert (await trip.info()).description == "to the hills"


async def test_asked_in_and_what_may_be_done(friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    async with roost.open(alice.folder) as one, roost.open(bob.folder) as two, asyncio.timeout(60):
        choir = await one.create_group("Choir")
        assert (await choir.introduce("Bob")).done == "introduced"
        async for event in two.events():
            if isinstance(event, roost.Message):
                assert event.data.invites is not None
                break
        (asked,) = await two.group_introductions()
        assert (asked.id, asked.title, asked.by_name) == (event.id, "Choir", "Alice")
        await two.join_group(asked.id)
        async for event in two.events():
            if isinstance(event, GroupEvent) and event.change == "joined":
                break
        await choir.permit(post="admin", history=20, approval=False)
        info = await choir.info()
        assert (info.permissions.post, info.history, info.approval) == ("admin", 20, False)
        assert (await choir.link()).startswith("roost:")
        await choir.end_link()
        assert (await choir.info()).link == ""
        here = await two.group("Choir")
        assert (await here.leave()).done == "left"
        assert (await here.forget()).done == "forgotten"
        assert await two.groups() == []


def test_the_group_bot(alice: Person, make_person: Callable[[str], Person]) -> None:
    bot = make_person("Host")
    example = ROOT / "examples" / "group_bot.py"
    process = subprocess.Popen(
        (sys.executable, str(example), str(bot.folder), "Choir"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        link = process.stdout.readline().decode().strip()
        with alice.agent(), alice.listening() as heard:
            assert alice.one("group", "join", link)["title"] == "Choir"
            heard.until(lambda event: event["type"] == "group" and event["change"] == "joined")
            greeting = heard.until(lambda event: event["type"] == "message")
            assert (greeting["text"], greeting["from_name"]) == ("Welcome, Alice!", "Host")
        process.terminate()
        process.wait(20)
    finally:
        process.kill()
        process.communicate()
