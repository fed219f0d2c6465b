"""The library, in this process and over an agent; the echo bot of examples/, whole; and the demo."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import roost
from roost.apps.web.site import Site
from tests.apps.processes import Person, environment

ROOT = Path(__file__).resolve().parent.parent.parent


async def test_sending_and_answering(friends: tuple[Person, Person], tmp_path: Path) -> None:
    alice, bob = friends
    (tmp_path / "a.txt").write_text("attached")
    async with roost.open(alice.folder) as one, roost.open(str(bob.folder)) as two:
        assert (one.name, two.name) == ("Alice", "Bob")
        assert [contact.contact for contact in await one.contacts()] == [two.account]
        sent = await one.send("Bob", "question", files=[tmp_path / "a.txt"], key="k", wait="sent")
        assert (await one.send("Bob", "question", key="k")).id == sent.id
        async for event in two.events():
            if isinstance(event, roost.Message):
                assert (event.text, event.sender, event.mine) == ("question", one.account, False)
                assert (await event.save(tmp_path / "b.txt")).size == 8
                await event.react("👍")
                await event.reply("answer")
                break
        async for event in one.events():
            if isinstance(event, roost.Message) and not event.mine:
                assert (event.text, event.data.reply_to) == ("answer", sent.id)
                await event.mark_read()
                break
        assert [message.text for message in await one.read("Bob")] == ["question", "answer"]
        assert [message.text for message in await one.search("answer")] == ["answer"]
        assert (await two.status()).connected


async def test_the_way_of_a_conversation_is_shown_and_chosen(friends: tuple[Person, Person]) -> None:
    async with roost.open(friends[0].folder) as me:
        shown = await me.route("Bob", prefer="central", floor="federated", timing="fast")
        assert (shown.network, shown.prefers, shown.floor, shown.timing) == ("central", "central", "federated", "fast")
        assert shown.held
        assert (await me.route("Bob", prefer="any", floor="central")).prefers is None
        for wrong in ({"prefer": "onion"}, {"floor": "onion"}, {"timing": "mixed"}):
            with pytest.raises(roost.RoostError) as raised:
                await me.route("Bob", **wrong)
            assert raised.value.code == "not_available"


async def test_over_an_agent(alice: Person) -> None:
    with alice.agent():
        async with roost.open(alice.folder) as me:
            assert me.name == "Alice"
            assert (await me.invite()).link.startswith("roost:")


async def test_refusals_are_errors_of_the_library(tmp_path: Path) -> None:
    with pytest.raises(roost.RoostError) as raised:
        async with roost.open(tmp_path / "none"):
            pass
    assert raised.value.code == "no_profile"


def test_the_echo_bot(alice: Person, make_person: Callable[[str], Person]) -> None:
    bot = make_person("Echo")
    example = ROOT / "examples" / "echo_bot.py"
    body = example.read_text().partition("import roost\n")[2]
    assert len([line for line in body.splitlines() if line.strip()]) < 15
    process = subprocess.Popen(
        (sys.executable, str(example), str(bot.folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        link = process.stdout.readline().decode().strip()
        with alice.agent(), alice.listening() as heard:
            alice.one("add", link)
            heard.until(lambda event: event["type"] == "contact" and event["state"] == "accepted")
            for text in ("one", "two"):
                sent = alice.one("send", "Echo", text)
                answer = heard.until(lambda event: event["type"] == "message")
                assert (answer["text"], answer["reply_to"]) == (text, sent["id"])
        process.terminate()
        process.wait(20)
    finally:
        process.kill()
        process.communicate()


# --- the demo --------------------------------------------------------------------------------------------------------

DEMO = (sys.executable, "-m", "roost.apps.demo")


def test_the_demo_greets_and_ends() -> None:
    done = subprocess.run((*DEMO, "--once"), capture_output=True, text=True, env=environment(), timeout=90)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("Alice writes: Hello Bob", "Bob sees: Hello Bob", "Bob writes:", "Alice sees: I can", "What next"):
        assert words in done.stdout


@pytest.mark.skipif(not Site().built, reason="the web app is not built (make web)")
def test_the_demo_leaves_nothing_behind_when_its_terminal_is_closed() -> None:
    process = subprocess.Popen(DEMO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    try:
        shown = b""
        while b"/#code=" not in shown:
            shown = process.stdout.readline()
            assert shown
        port = int(shown.split(b"127.0.0.1:")[1].split(b"/")[0])
        socket.create_connection(("127.0.0.1", port), 5).close()
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_demo_has_two_prompts() -> None:
    process = subprocess.Popen(
        (*DEMO, "--terminal"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        _until(process.stdout.fileno(), b"alice> ")
        process.stdin.write(b"good evening\n")
        process.stdin.flush()
        _until(process.stdout.fileno(), b"Bob sees: good evening")
        process.stdin.write(b"b: and to you\n")
        process.stdin.flush()
        _until(process.stdout.fileno(), b"Alice sees: and to you")
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


def _until(descriptor: int, words: bytes, within_s: float = 60) -> None:
    seen, deadline = b"", time.monotonic() + within_s
    while words not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
        data = os.read(descriptor, 65_536) if ready else b""
        assert data, seen.decode()
        seen += data


async def test_a_channel(friends: tuple[Person, Person], tmp_path: Path) -> None:
    async with roost.open(friends[0].folder) as alice, roost.open(friends[1].folder) as bob:
        made = await alice.create_channel("News", posting="all", name="Editor")
        await made.post("welcome")
        joined = await bob.join_channel(await made.link(), "Bob")
        posts = await joined.read()
        for _ in range(20):
            posts = posts or await joined.read()
            await asyncio.sleep(0 if posts else 0.5)
        assert (posts[0].text, posts[0].sender_name) == ("welcome", "Editor")
        await joined.post("hello", wait="sent")
        assert [item.title for item in await bob.channels()] == ["News"]
        pseudonym = (await joined.info()).pseudonym
        await made.set_role(pseudonym, "moderator")
        await made.ban(pseudonym)
        await made.unban(pseudonym)
        await made.change(title="Old news", slow=60)
        assert (await (await alice.channel("Old news")).info()).slow_s == 60
        (post,) = [item for item in await made.read() if item.text == "hello"]
        await made.remove(post.id)
        await joined.leave()
        await made.leave(delete=True)
        assert await alice.channels() == []
