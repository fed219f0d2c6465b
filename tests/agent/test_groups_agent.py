"""Groups over real relays, one for all members and one for each: the operations, and what listeners are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from roost.agent import browsing as b
from roost.agent import channels as ch
from roost.agent import events as e
from roost.agent import groups as g
from roost.agent import log_reader, polls
from roost.agent import operations as o
from roost.agent import views as v
from roost.agent.attachments import ProfileFiles
from roost.agent.service import Service, create_profile, link_device
from roost.errors import CallerError
from tests.agent.test_service import befriend, following
from tests.apps.processes import Relay

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a347d6b0000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "ASK_FIRST_S", 0.2)
    monkeypatch.setattr(log_reader, "ASK_LAST_S", 0.5)


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Relay]]:
    made = [Relay(tmp_path_factory.mktemp("relay") / "data").start() for _ in range(3)]
    yield made
    for relay in made:
        relay.close()


@pytest.fixture(params=["central", "federated"])
def at(request: pytest.FixtureRequest, relays: list[Relay]) -> list[Relay]:
    return relays if request.param == "federated" else [relays[0]] * 3


@asynccontextmanager
async def people(folder: Path, at: list[Relay], *names: str) -> AsyncIterator[list[Service]]:
    """Contacts of the first one, who do not know each other."""
    async with AsyncExitStack() as stack:
        made = []
        for number, name in enumerate(names):
            await create_profile(folder / name, name, at[number % len(at)].link, None, "none")
            made.append(await stack.enter_async_context(Service.open(folder / name)))
        for other in made[1:]:
            await befriend(made[0], other)
        yield made


async def reached(wanted: Callable[[], object], within_s: float = 30) -> None:
    """Wait until the awaited answer is true."""
    async with asyncio.timeout(within_s):
        while not await wanted():  # type: ignore[misc]  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def messages(person: Service, group: str = "Trip") -> list[v.MessageView]:
    return list((await person.call(b.History(conversation=group))).messages)


async def said(person: Service, group: str = "Trip") -> list[str]:
    try:
        return [each.text for each in await messages(person, group) if each.note is None]
    except CallerError:
        return []


async def sees(person: Service, *texts: str, group: str = "Trip") -> None:
    async def all_here() -> bool:  # what one says oneself stands there before what was on its way
        return sorted(await said(person, group)) == sorted(texts)

    try:
        await reached(all_here)
    except TimeoutError:
        raise AssertionError(f"{await said(person, group)} instead of {list(texts)}") from None


async def joined(*members: Service, group: str = "Trip", count: int = 0) -> None:
    """They are in it and know of each other: what somebody says who does not know of a newcomer yet is not for them."""

    async def inside() -> bool:
        found = [await person.call(b.Conversations()) for person in members]
        here = [each for rows in found for each in rows if each.name == group and each.group_state == "active"]
        return [each.members for each in here] == [count or len(members) + 1] * len(members)

    await reached(inside)


async def row(person: Service, name: str = "Trip") -> b.ConversationView:
    return next(each for each in await person.call(b.Conversations()) if each.name == name)


async def say(person: Service, text: str, group: str = "Trip", **more: object) -> str:
    request = o.Send(conversation=group, text=text, wait=v.MessageState.SENT, **more)  # type: ignore[arg-type]
    sent = await person.call(request)
    assert sent.state.reached(v.MessageState.SENT), sent
    return sent.id


async def test_talking_in_a_group(tmp_path: Path, at: list[Relay]) -> None:
    async with people(tmp_path, at, "Ann", "Bob", "Cy") as (ann, bob, cy), aclosing(bob.events()) as heard:
        made = await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
        assert made.state is g.ChangeState.DONE
        await joined(bob, cy)
        told = await following(heard, e.GroupEvent)
        assert (told.change, told.title, told.text, told.group) == ("joined", "Trip", "Ann added you.", made.group)

        shown = await row(cy)
        assert (shown.kind, shown.members, shown.role, shown.may_post) == (v.ConversationKind.GROUP, 3, "member", True)
        id = await say(cy, "who drives?")
        message = await following(heard, e.MessageEvent)
        assert (message.conversation, message.from_name, message.text) == (made.group, "Cy", "who drives?")
        await bob.call(o.React(id=id, emoji="🚗"))
        await sees(ann, "who drives?")
        for reader in (ann, bob):
            await reader.call(o.MarkRead(conversation="Trip"))

        async def all_read() -> bool:
            found = await cy.call(o.Show(id=id))
            return (found.state, found.read_by) == (v.MessageState.READ, 2) and found.reactions != {}

        await reached(all_read)
        assert {reader.name for reader in (await cy.call(b.Details(id=id))).readers} == {"Ann", "Bob"}

        await cy.call(o.Edit(id=id, text="who drives us?"))
        assert (await following(heard, e.EditEvent)).text == "who drives us?"
        await cy.call(o.Typing(conversation="Trip"))
        if at[0] is at[1]:  # elsewhere nobody is told what is only for the moment
            assert (await following(heard, e.TypingEvent)).conversation == made.group
        poll = await bob.call(polls.AskPoll(conversation="Trip", question="When?", options=("May", "June")))
        await sees(ann, "who drives us?", "When?")
        await ann.call(polls.Vote(id=poll.id, options=(1,)))

        async def counted() -> bool:
            found = (await cy.call(o.Show(id=poll.id))).poll if len(await said(cy)) == 2 else None
            return found is not None and [len(option.votes) for option in found.options] == [0, 1]

        await reached(counted)
        await ann.call(o.Pin(id=id))
        assert (await following(heard, e.PinEvent)).pinned
        with pytest.raises(CallerError):
            await bob.call(o.DeleteMessage(id=id, everyone=True))
        await ann.call(o.DeleteMessage(id=id, everyone=True))
        assert (await following(heard, e.DeleteEvent)).id == id
        assert [each.text for each in (await bob.call(o.Search(words="When", conversation="Trip"))).messages] == [
            "When?"
        ]


async def test_what_changes_and_what_is_refused(tmp_path: Path, relays: list[Relay]) -> None:
    picture = tmp_path / "hills.png"
    picture.write_bytes(PNG)
    async with people(tmp_path, relays[:1], "Ann", "Bob") as (ann, bob):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob",)))
        await joined(bob)
        await ann.call(g.GroupAvatar(group="Trip", picture=str(picture)))
        await ann.call(g.GroupDescription(group="Trip", description="to the hills"))
        await ann.call(g.GroupPermissions(group="Trip", post=g.Role.MODERATOR))

        async def told() -> bool:
            return not (await row(bob)).may_post

        await reached(told)
        info = await bob.call(g.GroupInfo(group="trip"))
        assert (info.description, info.permissions.post, info.may) == ("to the hills", "moderator", ("invite",))
        assert (await ProfileFiles(bob).picture(info.group)).size == len(PNG)
        for refused in (
            o.Send(conversation="Trip", text="hello?"),
            g.GroupTitle(group="Trip", title="Mine"),
            g.GroupRemove(group="Trip", members=("Ann",)),
            g.GroupRole(group="Trip", member="me", role=g.Role.ADMIN),
        ):
            with pytest.raises(CallerError) as raised:
                await bob.call(refused)
            assert raised.value.code == "not_permitted", refused
        note = next(each for each in await messages(bob) if each.note)
        with pytest.raises(CallerError):
            await bob.call(o.React(id=note.id, emoji="👍"))
        changes = [each.note.change for each in await messages(bob) if each.note]
        assert changes == ["joined", "avatar", "description", "permissions"]
        with pytest.raises(CallerError) as last:
            await ann.call(g.GroupRole(group="Trip", member="Ann", role=g.Role.MEMBER))
        assert last.value.code == "last_admin"
        with pytest.raises(CallerError) as nobody:
            await ann.call(g.GroupRemove(group="Trip", members=("Zoe",)))
        assert nobody.value.code == "unknown_member"


async def test_an_admin_takes_the_group_to_another_relay(tmp_path: Path, relays: list[Relay]) -> None:
    async with people(tmp_path, relays, "Ann", "Bob", "Cy") as (ann, bob, cy):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
        await joined(bob, cy)
        with pytest.raises(CallerError):
            await bob.call(g.GroupMove(group="Trip"))
        await ann.call(g.GroupRole(group="Trip", member="Bob", role=g.Role.ADMIN, wait_timeout_s=60))

        async def may() -> bool:
            return "administer" in (await bob.call(g.GroupInfo(group="Trip"))).may

        await reached(may)
        assert (await bob.call(g.GroupInfo(group="Trip"))).host == relays[0].listen
        moved = await bob.call(g.GroupMove(group="Trip", wait_timeout_s=60))
        assert (moved.done, moved.state) == ("moved", g.ChangeState.DONE)
        await say(bob, "over here now")
        for person in (ann, cy):
            await sees(person, "over here now")
            assert (await person.call(g.GroupInfo(group="Trip"))).host == relays[1].listen
        await say(ann, "so I see")
        await sees(cy, "over here now", "so I see")


async def test_the_removed_read_nothing_later(tmp_path: Path, at: list[Relay]) -> None:
    async with people(tmp_path, at, "Ann", "Bob", "Cy") as (ann, bob, cy):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
        await joined(bob, cy)
        await say(bob, "before")
        await sees(cy, "before")
        done = await ann.call(g.GroupBan(group="Trip", members=("Cy",), wait_timeout_s=60))
        assert done.state is g.ChangeState.DONE
        await say(ann, "after")
        await sees(bob, "before", "after")

        async def out() -> bool:
            return (await row(cy)).group_state == "removed"

        await reached(out)
        assert await said(cy) == ["before"]
        assert [each.text for each in await messages(cy)][-1] == "Ann banned you."
        with pytest.raises(CallerError):
            await cy.call(o.Send(conversation="Trip", text="still here?"))
        with pytest.raises(CallerError) as raised:
            await ann.call(g.GroupAdd(group="Trip", members=("Cy",)))
        assert raised.value.code == "banned"
        await ann.call(g.GroupUnban(group="Trip", members=("Cy",), wait_timeout_s=60))
        await ann.call(g.GroupAdd(group="Trip", members=("Cy",), wait_timeout_s=60))
        await joined(bob, cy)
        await say(bob, "welcome back")
        await sees(cy, "before", "welcome back")


async def test_the_way_of_what_is_said_and_who_sees_what(tmp_path: Path, at: list[Relay]) -> None:
    async with people(tmp_path, at, "Ann", "Bob") as (ann, bob):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob",), wait_timeout_s=60))
        await joined(bob)
        link = (await ann.call(ch.ChannelCreate(title="News"))).link
        await bob.call(ch.ChannelJoin(link=link))
        far = at[0] is not at[1]
        between = [("my_relay", at[1].listen), ("host", at[0].listen)] if far else [("relay", at[0].listen)]
        for name, last in (("Trip", "member"), ("News", "reader")):
            shown = await bob.call(b.Route(conversation=name))
            assert [(hop.party, hop.name) for hop in shown.hops] == [("me", "Bob"), *between, (last, name)]
            assert shown.network == ("federated" if far else "central")
            seeing = {row.party for row in shown.exposure if "content" in row.sees}
            assert seeing == {last}
            assert shown.choices == ()
            for refused in (
                b.Floor(conversation=name, network=v.NetworkKind.FEDERATED),
                o.Verify(conversation=name),
                o.DeleteContact(contact=name),
            ):
                with pytest.raises(CallerError) as raised:
                    await bob.call(refused)
                assert raised.value.code == "not_a_contact"
        with pytest.raises(CallerError) as raised:
            await bob.call(o.DeleteContact(contact="nobody"))
        assert raised.value.code == "unknown_contact"


async def test_a_member_who_was_away_for_long(tmp_path: Path, at: list[Relay]) -> None:
    """Meanwhile much was said, people came and went, the log moved, the title changed: all of it is caught up with."""
    await create_profile(tmp_path / "Bob", "Bob", at[1].link, None, "none")
    async with people(tmp_path, [at[0], at[2]], "Ann", "Cy") as (ann, cy):
        async with Service.open(tmp_path / "Bob") as bob:
            await befriend(ann, bob)
            await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
            await joined(bob, cy)
            await say(ann, "0")
            await sees(bob, "0")
        for number in range(1, 6):
            await say(ann if number % 2 else cy, f"{number}")
        await ann.call(g.GroupRemove(group="Trip", members=("Cy",), wait_timeout_s=60))
        await say(ann, "6")
        await ann.call(g.GroupTitle(group="Trip", title="Autumn", wait_timeout_s=60))
        await ann.call(g.GroupAdd(group="Autumn", members=("Cy",), wait_timeout_s=60))
        await joined(cy, group="Autumn", count=3)
        await say(cy, "7", "Autumn")
        async with Service.open(tmp_path / "Bob") as bob:
            await joined(bob, cy, group="Autumn")
            await sees(bob, *map(str, range(8)), group="Autumn")
            await say(bob, "8", "Autumn")
            await sees(cy, *map(str, range(6)), "7", "8", group="Autumn")
            assert [each.name for each in await bob.call(g.GroupMembers(group="Autumn"))] == ["Ann", "Bob", "Cy"]


async def test_two_admins_at_once(tmp_path: Path, at: list[Relay]) -> None:
    async with people(tmp_path, at, "Ann", "Bob", "Cy") as (ann, bob, cy):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
        await joined(bob, cy)
        await ann.call(g.GroupRole(group="Trip", member="Bob", role=g.Role.ADMIN, wait_timeout_s=60))

        async def admin() -> bool:
            return (await row(bob)).role == "admin"

        await reached(admin)
        id = (await bob.call(g.GroupInfo(group="Trip"))).group
        done = await asyncio.gather(
            ann.call(g.GroupDescription(group=id, description="by Ann", wait_timeout_s=30)),
            bob.call(g.GroupTimer(group=id, seconds=3_600, wait_timeout_s=30)),
            ann.call(g.GroupRole(group=id, member="Cy", role=g.Role.MODERATOR, wait_timeout_s=30)),
            bob.call(g.GroupPermissions(group=id, history=7, wait_timeout_s=30)),
        )
        assert [each.state for each in done] == [g.ChangeState.DONE] * 4

        async def agreed() -> bool:
            infos = [await person.call(g.GroupInfo(group=id)) for person in (ann, bob, cy)]
            facts = {(each.description, each.timer_s, each.history, each.epoch) for each in infos}
            return len(facts) == 1 and infos[2].role is g.Role.MODERATOR and facts.pop()[:3] == ("by Ann", 3_600, 7)

        await reached(agreed)


async def test_coming_by_link(tmp_path: Path, at: list[Relay]) -> None:
    async with people(tmp_path, at, "Ann", "Bob") as (ann, bob), aclosing(bob.events()) as heard:
        await ann.call(g.GroupCreate(title="Choir", members=("Bob",), wait_timeout_s=60))
        await joined(bob, group="Choir")
        link = (await ann.call(g.GroupLink(group="Choir"))).link
        async with AsyncExitStack() as stack:
            newcomers = []
            for name in ("Dave", "Erin"):
                await create_profile(tmp_path / name, name, at[2].link, None, "none")
                newcomers.append(await stack.enter_async_context(Service.open(tmp_path / name)))
            dave, erin = newcomers
            asked = await dave.call(g.GroupJoin(link=link, greeting="I sing bass"))
            assert (asked.done, asked.state, asked.title) == ("asked", g.ChangeState.WAITING, "Choir")
            event = await following(heard, e.GroupEvent, lambda event: event.change == "request")
            assert event.text == "Dave asks to join."
            (request,) = await bob.call(g.GroupRequests(group="Choir"))
            assert (request.name, request.greeting, request.account) == ("Dave", "I sing bass", event.member)
            accepted = await bob.call(g.GroupAccept(id="dave", wait_timeout_s=30))
            assert accepted.state is g.ChangeState.DONE
            await joined(dave, bob, group="Choir")
            await say(dave, "hello all", "Choir")
            await sees(bob, "hello all", group="Choir")
            assert await dave.call(o.Contacts()) == ()

            await ann.call(g.GroupPermissions(group="Choir", approval=False, wait_timeout_s=60))
            renewed = (await ann.call(g.GroupLink(group="Choir", renew=True))).link
            with pytest.raises(CallerError) as raised:
                await erin.call(g.GroupJoin(link=link))
            assert raised.value.code == "invitation_gone"
            came = await erin.call(g.GroupJoin(link=renewed, wait_timeout_s=30))
            assert (came.done, came.state) == ("joined", g.ChangeState.DONE)
            await sees(erin, group="Choir")
            with pytest.raises(CallerError):
                await erin.call(g.GroupJoin(link=(await ann.call(o.Invite())).link))


async def test_files_in_a_group(tmp_path: Path, at: list[Relay]) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(b"over the hills " * 20_000)
    async with people(tmp_path, at, "Ann", "Bob", "Cy") as (ann, bob, cy):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob", "Cy"), wait_timeout_s=60))
        await joined(bob, cy)
        id = await say(bob, "the map", files=(str(path),))
        for person, name in ((ann, "a"), (cy, "c")):
            await sees(person, "the map")
            await person.call(o.Save(id=id, to=str(tmp_path / name)))
            assert (tmp_path / name).read_bytes() == path.read_bytes()
        exported = await cy.call(o.Export(conversation="Trip", to=str(tmp_path / "out")))
        assert (exported.messages, exported.files) == (2, 1)  # with the line that Cy was added
        forwarded = await cy.call(b.Forward(id=id, to="Ann"))
        assert forwarded.conversation == (await cy.call(o.Contacts()))[0].contact


async def test_a_second_device_is_in_the_group_too(tmp_path: Path, relays: list[Relay]) -> None:
    async with people(tmp_path, relays[:1], "Ann", "Bob") as (ann, bob):
        await ann.call(g.GroupCreate(title="Trip", members=("Bob",)))
        await joined(bob)
        code = (await link_device(tmp_path / "phone", "phone", relays[0].link, None, "none")).code
        await bob.call(o.DeviceConfirm(code=code))
        async with Service.open(tmp_path / "phone") as phone:
            await joined(phone, count=2)
            await say(phone, "from my phone")
            await sees(ann, "from my phone")
            await sees(bob, "from my phone")
            assert (await messages(bob))[-1].sender == "me"
            await bob.call(g.GroupLeave(group="Trip"))

            async def out() -> bool:
                return (await row(phone)).group_state in ("left", "removed") and (await row(ann)).members == 1

            await reached(out)
