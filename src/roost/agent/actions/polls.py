"""Polls: asking, and voting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.agent import naming, polls, showing
from roost.agent import views as v
from roost.agent.actions.messages import writable
from roost.agent.actions.registry import handles
from roost.crypto import account_id
from roost.messaging import conversations
from roost.wire import content as c

if TYPE_CHECKING:
    from roost.agent.service import Service


@handles(polls.AskPoll)
async def ask(service: Service, request: polls.AskPoll) -> v.SentMessage:
    engine = service.engine
    talk = await writable(service, request.conversation)
    poll = c.Poll(request.question, request.options, request.several)
    way = showing.way_of(engine.look(), talk)
    message = engine.step(conversations.say, talk, poll, id=engine.entropy.bytes(16), **way)
    shown = showing.message(engine.look(), message)
    return v.SentMessage(id=shown.id, conversation=shown.conversation, state=shown.state, sent_at=shown.sent_at)


@handles(polls.Vote)
async def vote(service: Service, request: polls.Vote) -> v.MessageRef:
    row = naming.message(service.engine.look(), request.id)
    service.engine.step(conversations.vote, row.id, request.options)
    return v.MessageRef(id=request.id, conversation=account_id(row.conversation))
