"""A real agent socket whose backend gives one fixed answer to each operation: what commands ask and print shows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from roost.agent import browsing, events, groups, polls, views
from roost.agent import operations as ask
from roost.agent.api.server import serve
from roost.errors import CallerError, RoostError

R = TypeVar("R")
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
BOB = "b" * 52
ESC = "\x1b[31m"  # what a hostile name or text may hold

MESSAGE = views.MessageView(
    id="m1",
    conversation=BOB,
    sender=BOB,
    text=f"hello {ESC}there",
    sent_at=NOW,
    received_at=NOW,
    state=views.MessageState.RECEIVED,
    reactions={"👍": ["me"]},
    attachments=(views.AttachmentView(name="a.txt", size=2_000, type="text/plain"),),
    reply_to="m0",
)
MINE = views.MessageView(
    id="m2",
    conversation=BOB,
    sender="me",
    text="hi",
    sent_at=NOW,
    received_at=NOW,
    state=views.MessageState.READ,
    edited=True,
)
_CHANGE = views.ContactChange(contact=BOB, name="Bob", done="changed")
_DEVICE = views.DeviceView(device="d1", name="laptop", this=True, added_at=NOW)
_INVITATION = views.InvitationView(
    id="i1", link="roost:abc", kind=views.InvitationKind.ONE_TIME, created_at=NOW, expires_at=NOW
)
_PAGE = views.MessagePage(messages=(MESSAGE, MINE), more=True)
_RELAY = views.RelayView(host="127.0.0.1:7", reachable=True, primary=True)

GROUP = "g" * 52
_OTHERS = ("GroupLink", "GroupIntroductions", "GroupRequests", "GroupInfo", "GroupMembers", "Groups")
_GROUP_CHANGED = groups.GroupChanged(group=GROUP, title=f"Trip{ESC}", done="added", members=(BOB,))
_INFO = groups.GroupInfoView(
    group=GROUP,
    title=f"Trip{ESC}",
    state=groups.GroupState.ACTIVE,
    role=groups.Role.MODERATOR,
    members=3,
    description=f"hills{ESC}",
    unread=2,
    requests=1,
    timer_s=3_600,
    permissions=groups.PermissionsView(
        invite=groups.Role.MEMBER, describe=groups.Role.MODERATOR, post=groups.Role.MEMBER, pin=groups.Role.ADMIN
    ),
    history=20,
    banned=(groups.BannedView(member="e" * 52, name=f"Eve{ESC}"),),
    waiting=(groups.WaitingChange(number=1, done="added", member=BOB, name="Bob", reason="no keys"),),
    link="roost:grp",
    host="127.0.0.1:7",
)

ANSWERS: dict[type[ask.Request[Any]], Any] = {
    ask.WhoAmI: views.Identity(account="a" * 52, device="d1", name="Alice", relays=("127.0.0.1:7",)),
    ask.Invite: _INVITATION,
    ask.Invitations: (_INVITATION,),
    ask.Revoke: _INVITATION,
    ask.Add: views.AddedContact(contact=BOB),
    ask.Requests: (views.RequestView(id="r1", name=f"Bob{ESC}", greeting="hi", contact=BOB, received_at=NOW),),
    ask.Accept: views.NamedContact(contact=BOB, name="Bob"),
    ask.Decline: _CHANGE,
    ask.Introduce: views.Introduced(first=BOB, second="c" * 52),
    ask.Contacts: (
        views.ContactView(
            contact=BOB,
            name=f"Bob{ESC}",
            state=views.ContactState.ACCEPTED,
            verified=True,
            networks=(views.NetworkKind.CENTRAL,),
            unread=2,
            timer_s=3_600,
        ),
    ),
    browsing.Conversations: (
        browsing.ConversationView(
            id=BOB,
            name=f"Bob{ESC}",
            state=views.ContactState.ACCEPTED,
            verified=True,
            network=views.NetworkKind.CENTRAL,
        ),
    ),
    **dict.fromkeys((request for request in groups.REQUESTS if request.__name__ not in _OTHERS), _GROUP_CHANGED),
    groups.GroupLink: groups.GroupLinkView(group=GROUP, title="Trip", link="roost:grp", approval=True),
    groups.GroupIntroductions: (
        groups.GroupIntroductionView(
            id="m9", group=GROUP, title=f"Trip{ESC}", by=BOB, by_name=f"Bob{ESC}", received_at=NOW
        ),
    ),
    groups.GroupRequests: (
        groups.JoinRequestView(
            id="q1", group=GROUP, title="Trip", name=f"Dave{ESC}", greeting="hi", account="d" * 52, received_at=NOW
        ),
    ),
    groups.GroupInfo: _INFO,
    groups.GroupMembers: (
        groups.MemberView(member=BOB, name=f"Bob{ESC}", role=groups.Role.ADMIN),
        groups.MemberView(member="a" * 52, name="Alice", role=groups.Role.READ_ONLY, me=True, devices=2),
    ),
    groups.Groups: (_INFO,),
    polls.AskPoll: views.SentMessage(id="m2", conversation=BOB, state=views.MessageState.SENT, sent_at=NOW),
    polls.Vote: views.MessageRef(id="m1", conversation=BOB),
    ask.Verify: views.SafetyNumber(safety_number="12345" * 12, verified=False, contact=BOB),
    ask.Block: _CHANGE,
    ask.Unblock: _CHANGE,
    ask.Rename: _CHANGE,
    ask.DeleteContact: _CHANGE,
    ask.Send: views.SentMessage(id="m2", conversation=BOB, state=views.MessageState.SENT, sent_at=NOW),
    ask.Edit: views.MessageRef(id="m2", conversation=BOB),
    ask.DeleteMessage: views.MessageRef(id="m2", conversation=BOB),
    ask.Pin: views.MessageRef(id="m1", conversation=BOB),
    ask.React: views.MessageRef(id="m1", conversation=BOB),
    ask.Read: _PAGE,
    ask.Search: _PAGE,
    ask.Show: MESSAGE,
    ask.MarkRead: views.Done(),
    ask.Save: views.SavedFile(path="/tmp/a.txt", size=2_000),
    ask.Typing: views.Done(),
    ask.Timer: views.TimerSet(conversation=BOB, seconds=3_600),
    ask.Clear: views.Cleared(conversation=BOB, messages=2),
    ask.Export: views.Exported(path="/tmp/bob", messages=2, files=1),
    ask.Status: views.StatusView(
        connected=True,
        waiting=1,
        relays=(views.RelayState(link_host="127.0.0.1:7", reachable=False, reason="refused"),),
        agent=True,
    ),
    ask.Sync: views.SyncResult(received=1, sent=2, waiting=0),
    ask.RelaysList: (_RELAY,),
    ask.RelaysAdd: _RELAY,
    ask.RelaysRemove: _RELAY,
    ask.DeviceLink: views.DeviceLinkView(code="roost:dev", device="d2", name="phone"),
    ask.DeviceConfirm: _DEVICE,
    ask.DeviceList: (_DEVICE,),
    ask.DeviceRemove: _DEVICE,
    ask.Passphrase: views.PassphraseChanged(protection="passphrase"),
    ask.About: views.AboutView(name="Alice", status="away"),
}
_WHEN = {"id": "m1", "conversation": BOB, "sender": BOB}
EVENTS: tuple[events.Event, ...] = (
    events.MessageEvent(**{name: getattr(MESSAGE, name) for name in MESSAGE.__struct_fields__}),
    events.RequestEvent(id="r1", name="Bob", greeting="hi", contact=BOB, received_at=NOW),
    events.ReceiptEvent(**_WHEN, state=views.MessageState.READ, at=NOW),
    events.ReactionEvent(**_WHEN, emoji="👍", reactions={"👍": [BOB]}),
    events.EditEvent(**_WHEN, text="new"),
    events.DeleteEvent(**_WHEN, expired=False),
    events.TypingEvent(conversation=BOB, sender=BOB, active=True),
    events.ContactEvent(contact=BOB, name="Bob", state=views.ContactState.ACCEPTED, change="accepted"),
    events.GroupEvent(group=GROUP, title=f"Trip{ESC}", change="added", text=f"Ann{ESC} added Bob.", id="n1", at=NOW),
    events.ConnectionEvent(host="127.0.0.1:7", reachable=False, reason="refused"),
    events.DeviceEvent(device="d2", name="phone", this=False, state=views.DeviceState.LINKED, change="linked"),
    events.TransferEvent(id="m1", number=0, name="a.txt", incoming=True, done=1, total=2),
    events.WarningEvent(code="session_renewed", message="The session was renewed."),
)


class AnsweringBackend:
    """Answers from the table; `errors` overrides it by request type. Ends its events when they were all told."""

    def __init__(self) -> None:
        self.asked: list[ask.Request[Any]] = []
        self.listened: list[bool] = []
        self.errors: dict[type[ask.Request[Any]], RoostError] = {}
        self.answers = dict(ANSWERS)

    async def call(self, request: ask.Request[R], /) -> R:
        self.asked.append(request)
        if error := self.errors.get(type(request)):
            raise error
        if isinstance(request, ask.Show) and not request.id.startswith("m"):
            raise CallerError("No such message.", code="unknown_message")
        return cast(R, self.answers[type(request)])

    async def events(self, *, from_now: bool = True) -> AsyncIterator[events.Event]:
        self.listened.append(from_now)
        for event in EVENTS:
            yield event


@contextmanager
def answering_agent(folder: Path) -> Iterator[AnsweringBackend]:
    """Serve an AnsweringBackend for the profile folder `folder` from a thread of its own."""
    backend, loop, ready, stop = AnsweringBackend(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with serve(backend, folder):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield backend
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
