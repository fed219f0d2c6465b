"""Each command line of docs/cli.md: what it asks of the agent, and what it prints, as JSON and for people."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.agent import groups as g
from roost.agent import operations as ask
from roost.agent import polls
from roost.agent.views import DeviceState, MessageState
from roost.apps.cli.root import run
from roost.errors import CallerError, RoostError
from tests.apps.answering_agent import BOB, EVENTS, MESSAGE, AnsweringBackend, answering_agent

_CHANGED = {"ok", "group", "title", "done", "state", "members"}
CASES: list[tuple[str, list[ask.Request[Any]], set[str]]] = [
    ("whoami", [ask.WhoAmI()], {"account", "device", "name", "relays"}),
    ("invite", [ask.Invite()], {"link"}),
    ("invite --one-time --expire 7d", [ask.Invite(one_time=True, expire_s=604_800)], {"link"}),
    ("invite --reusable", [ask.Invite(one_time=False)], {"link"}),
    ("invitations", [ask.Invitations()], {"ok", "id", "link"}),
    ("revoke roost:abc", [ask.Revoke(invitation="roost:abc")], {"ok", "id"}),
    ("add roost:abc", [ask.Add(link="roost:abc")], {"contact", "state"}),
    ("add roost:abc --greeting hi", [ask.Add(link="roost:abc", greeting="hi")], {"contact", "state"}),
    ("requests", [ask.Requests()], {"id", "name", "greeting"}),
    ("accept r1", [ask.Accept(id="r1")], {"contact", "name"}),
    ("accept r1 --name B", [ask.Accept(id="r1", name="B")], {"contact", "name"}),
    ("decline r1", [ask.Decline(id="r1")], {"ok", "contact"}),
    ("contacts", [ask.Contacts()], {"contact", "name", "state", "verified", "networks"}),
    ("verify Bob", [ask.Verify(conversation="Bob")], {"safety_number", "verified"}),
    ("verify Bob --confirm", [ask.Verify(conversation="Bob", confirm=True)], {"safety_number", "verified"}),
    ("rename Bob Bobby", [ask.Rename(contact="Bob", name="Bobby")], {"ok", "contact"}),
    ("block Bob", [ask.Block(contact="Bob")], {"ok", "contact"}),
    ("unblock Bob", [ask.Unblock(contact="Bob")], {"ok", "contact"}),
    ("introduce Bob Carol", [ask.Introduce(first="Bob", second="Carol")], {"ok"}),
    ("send Bob hi", [ask.Send(conversation="Bob", text="hi")], {"id", "conversation", "state"}),
    (
        "send Bob **hi** --markup",
        [ask.Send(conversation="Bob", text="**hi**", markup=True)],
        {"id", "conversation", "state"},
    ),
    ("pin m1 --off", [ask.Pin(id="m1", pinned=False)], {"id"}),
    ("send Bob -- -hi", [ask.Send(conversation="Bob", text="-hi")], {"id", "conversation", "state"}),
    (
        "send Bob hi --file /a --file /b --reply-to m1 --expire 1h --id k --wait sent --timeout 5",
        [
            ask.Send(
                conversation="Bob",
                text="hi",
                files=("/a", "/b"),
                reply_to="m1",
                expire_s=3_600,
                key="k",
                wait=MessageState.SENT,
                wait_timeout_s=5,
            )
        ],
        {"id", "conversation", "state"},
    ),
    ("group create Trip Bob Carol", [g.GroupCreate(title="Trip", members=("Bob", "Carol"))], _CHANGED),
    (
        "group create Trip --description hills --timeout 1",
        [g.GroupCreate(title="Trip", description="hills", wait_timeout_s=1)],
        _CHANGED,
    ),
    ("group add Trip Bob", [g.GroupAdd(group="Trip", members=("Bob",))], _CHANGED),
    ("group remove Trip Bob", [g.GroupRemove(group="Trip", members=("Bob",))], _CHANGED),
    ("group ban Trip Bob --yes", [g.GroupBan(group="Trip", members=("Bob",))], _CHANGED),
    ("group unban Trip Bob", [g.GroupUnban(group="Trip", members=("Bob",))], _CHANGED),
    ("group leave Trip", [g.GroupLeave(group="Trip")], _CHANGED),
    ("group reopen Trip", [g.GroupReopen(group="Trip")], _CHANGED),
    ("group cancel Trip 3", [g.GroupCancel(group="Trip", number=3)], _CHANGED),
    ("group resume Trip", [g.GroupResume(group="Trip")], _CHANGED),
    ("group forget Trip", [g.GroupForget(group="Trip")], _CHANGED),
    ("group role Trip Bob read-only", [g.GroupRole(group="Trip", member="Bob", role=g.Role.READ_ONLY)], _CHANGED),
    ("group title Trip Holiday", [g.GroupTitle(group="Trip", title="Holiday")], _CHANGED),
    ("group description Trip hills", [g.GroupDescription(group="Trip", description="hills")], _CHANGED),
    ("group avatar Trip /p.png", [g.GroupAvatar(group="Trip", picture="/p.png")], _CHANGED),
    ("group timer Trip 1h", [g.GroupTimer(group="Trip", seconds=3_600)], _CHANGED),
    (
        "group permissions Trip --post admin --history 5 --no-approval",
        [g.GroupPermissions(group="Trip", post=g.Role.ADMIN, history=5, approval=False)],
        _CHANGED,
    ),
    ("group join roost:x --greeting hi", [g.GroupJoin(link="roost:x", greeting="hi")], _CHANGED),
    ("group accept Dave", [g.GroupAccept(id="Dave")], _CHANGED),
    ("group decline q1", [g.GroupDecline(id="q1")], _CHANGED),
    ("group link Trip", [g.GroupLink(group="Trip")], {"group", "link", "approval"}),
    ("group link Trip --renew", [g.GroupLink(group="Trip", renew=True)], {"group", "link", "approval"}),
    ("group link Trip --revoke", [g.GroupLink(group="Trip", revoke=True)], {"group", "link", "approval"}),
    ("group requests", [g.GroupRequests()], {"id", "group", "name", "greeting", "account"}),
    ("group requests Trip", [g.GroupRequests(group="Trip")], {"id", "group", "name", "greeting", "account"}),
    (
        "group info Trip",
        [g.GroupInfo(group="Trip")],
        {"group", "title", "state", "role", "members", "permissions", "banned", "waiting"},
    ),
    ("group members Trip", [g.GroupMembers(group="Trip")], {"member", "name", "role", "me"}),
    ("group list --all", [g.Groups(all=True)], {"group", "title", "state", "role", "members"}),
    ("groups", [g.Groups()], {"group", "title", "state", "role", "members"}),
    (
        "poll Bob When? May June -s",
        [polls.AskPoll(conversation="Bob", question="When?", options=("May", "June"), several=True)],
        {"id"},
    ),
    ("vote m1 1", [polls.Vote(id="m1", options=(1,))], {"id", "ok"}),
    ("edit m2 new", [ask.Edit(id="m2", text="new")], {"id"}),
    ("delete m2", [ask.Show(id="m2"), ask.DeleteMessage(id="m2")], {"id", "ok"}),
    ("delete m2 --everyone", [ask.Show(id="m2"), ask.DeleteMessage(id="m2", everyone=True)], {"id", "ok"}),
    ("delete Bob", [ask.Show(id="Bob"), ask.DeleteContact(contact="Bob")], {"ok", "contact"}),
    ("react m1 👍", [ask.React(id="m1", emoji="👍")], {"id"}),
    ("read Bob", [ask.Read(conversation="Bob")], {"id", "from", "text", "sent_at", "network", "attachments"}),
    ("read Bob --limit 2 --before m3", [ask.Read(conversation="Bob", limit=2, before="m3")], {"id"}),
    ("search two words", [ask.Search(words="two words")], {"id", "conversation"}),
    ("save m1 --to /tmp/x", [ask.Save(id="m1", to="/tmp/x")], {"path", "size"}),
    ("save m1 --attachment 1 --to /tmp/x", [ask.Save(id="m1", attachment=1, to="/tmp/x")], {"path", "size"}),
    ("timer Bob 1h", [ask.Timer(conversation="Bob", seconds=3_600)], {"ok", "seconds"}),
    ("timer Bob off", [ask.Timer(conversation="Bob", seconds=0)], {"ok"}),
    ("clear Bob", [ask.Clear(conversation="Bob")], {"ok"}),
    ("export Bob --to /tmp/bob", [ask.Export(conversation="Bob", to="/tmp/bob")], {"ok", "path"}),
    ("status", [ask.Status()], {"connected", "waiting", "relays"}),
    ("sync", [ask.Sync()], {"received", "sent", "waiting"}),
    ("sync --timeout 5", [ask.Sync(timeout_s=5)], {"received", "sent", "waiting"}),
    ("relays list", [ask.RelaysList()], {"host", "reachable"}),
    ("relays add roost-relay://x", [ask.RelaysAdd(link="roost-relay://x")], {"host", "reachable"}),
    ("relays remove host", [ask.RelaysRemove(host="host")], {"host", "reachable"}),
    ("device link --confirm CODE", [ask.DeviceConfirm(code="CODE")], {"device", "name", "this"}),
    ("device list", [ask.DeviceList()], {"device", "name", "this"}),
    ("device remove d1", [ask.DeviceRemove(device="d1")], {"device", "name", "this"}),
    ("about --name A --status s", [ask.About(name="A", status="s")], {"ok", "name"}),
    ("about --picture /p.png", [ask.About(picture="/p.png")], {"ok"}),
]


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnsweringBackend]:
    monkeypatch.setenv("ROOST_PROFILE", str(tmp_path))
    monkeypatch.delenv("ROOST_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with answering_agent(tmp_path) as backend:
        yield backend


@pytest.mark.parametrize(("line", "asked", "keys"), CASES, ids=[case[0] for case in CASES])
def test_commands_with_json(
    agent: AnsweringBackend,
    capfd: pytest.CaptureFixture[str],
    line: str,
    asked: list[ask.Request[Any]],
    keys: set[str],
) -> None:
    assert run(["--json", *line.split()]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert agent.asked == asked
    objects = [json.loads(text) for text in out.splitlines()]
    assert objects
    for item in objects:
        assert keys <= set(item)
        assert item.get("ok", True) is True


@pytest.mark.parametrize("line", [case[0] for case in CASES])
def test_commands_for_people(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str], line: str) -> None:
    assert run(line.split()) == 0
    out, err = capfd.readouterr()
    assert out.strip()
    assert "\x1b" not in out + err  # not a terminal; and nobody else steers it either
    assert "Traceback" not in err


@pytest.mark.parametrize("line", ["contacts --json", "--json contacts", "--json contacts --json"])
def test_json_stands_anywhere(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str], line: str) -> None:
    assert run(line.split()) == 0
    assert json.loads(capfd.readouterr().out)["contact"] == BOB


@pytest.mark.parametrize("line", ["--profile {} whoami", "whoami --profile {}", "relays --profile {} list"])
def test_profile_stands_anywhere(
    agent: AnsweringBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("ROOST_PROFILE", "/nonexistent")
    assert run(line.format(tmp_path).split()) == 0
    assert len(agent.asked) == 1


def test_text_from_stdin(agent: AnsweringBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("zwei\nZeilen ä\n".encode())))
    assert run(["send", "Bob", "-"]) == 0
    assert agent.asked == [ask.Send(conversation="Bob", text="zwei\nZeilen ä")]


def test_stdin_that_is_not_text(
    agent: AnsweringBackend, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    assert run(["--json", "send", "Bob", "-"]) == 1
    assert "UTF-8" in json.loads(capfd.readouterr().out)["error"]["message"]
    assert not agent.asked


def test_nothing_to_send(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["send", "Bob", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "empty_message"
    assert not agent.asked


def test_files_are_named_from_where_one_stands(
    agent: AnsweringBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["send", "Bob", "--file", "a.txt"]) == 0
    assert agent.asked == [ask.Send(conversation="Bob", files=(os.path.join(os.getcwd(), "a.txt"),))]


def test_a_state_that_is_not_reached_is_told_after_the_message(
    agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["send", "Bob", "hi", "--wait", "delivered", "--json"]) == 1
    first, last = map(json.loads, capfd.readouterr().out.splitlines())
    assert (first["id"], first["state"]) == ("m2", "sent")
    assert last["error"]["code"] == "not_reached"


def test_refusals_with_json(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    agent.errors[ask.Read] = CallerError("No such conversation.", code="unknown_conversation", hint="Try contacts.")
    assert run(["read", "Nobody", "--json"]) == 1
    out, err = capfd.readouterr()
    assert json.loads(out) == {
        "error": {"code": "unknown_conversation", "message": "No such conversation.", "hint": "Try contacts."}
    }
    assert err == ""


def test_refusals_for_people(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    agent.errors[ask.Read] = CallerError("No such conversation.", code="unknown_conversation", hint="Try contacts.")
    assert run(["read", "Nobody"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "No such conversation." in err
    assert "Try contacts." in err


def test_device_changes_ask_for_the_passphrase_only_where_it_is_needed(
    agent: AnsweringBackend, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.errors[ask.DeviceRemove] = RoostError("It is needed.", code="passphrase_needed")
    assert run(["device", "remove", "d1", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "passphrase_needed"
    monkeypatch.setenv("ROOST_PASSPHRASE", "secret")
    assert run(["device", "remove", "d1", "--json"]) == 1
    assert agent.asked[-1] == ask.DeviceRemove(device="d1", passphrase="secret")


def test_lists_that_are_empty_print_nothing(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    agent.answers |= dict.fromkeys((ask.Contacts, ask.Requests, ask.RelaysList, ask.DeviceList), ())
    for line in ("contacts", "requests", "relays list", "device list"):
        assert run(["--json", *line.split()]) == 0
        assert capfd.readouterr().out == ""
        assert run(line.split()) == 0  # words for people
        capfd.readouterr()


def test_qr_code(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["invite", "--qr"]) == 0
    assert "▀" in capfd.readouterr().out
    assert run(["invite", "--qr", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["link"] == "roost:abc"
    assert "▀" in err


# --- listen ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_now", [True, False])
def test_listen_with_json(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str], from_now: bool) -> None:
    assert run(["listen", "--json", *(["--from-now"] if from_now else [])]) == 1  # this agent's events end
    *lines, last = map(json.loads, capfd.readouterr().out.splitlines())
    assert [line["type"] for line in lines] == [type(event).__struct_config__.tag for event in EVENTS]
    assert last["error"]["code"] == "agent_gone"
    message = lines[0]
    assert (message["from"], message["text"], message["id"]) == (BOB, MESSAGE.text, "m1")
    assert message["sent_at"] == "2026-11-22T06:00:00Z"
    assert agent.listened == [from_now]


def test_listen_for_people(agent: AnsweringBackend, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["listen"]) == 1
    out = capfd.readouterr().out
    for words in ("hello", "asks to become a contact", "read", "reacted", "typing", "accepted", "not reachable"):
        assert words in out
    assert "\x1b" not in out


def test_device_that_waits(agent: AnsweringBackend) -> None:
    assert agent.answers[ask.DeviceLink].state is DeviceState.WAITING
