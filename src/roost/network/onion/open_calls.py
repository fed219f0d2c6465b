"""The calls of a session that have no answer yet, and the order in which they are asked. Pure."""

from __future__ import annotations

from collections import deque

from roost.network.onion.requests import answer_parts, up_parts
from roost.network.onion.session_parts import Message, Outcome
from roost.wire.codec import encode
from roost.wire.mailbox import Call, Request

_LARGE = 4  # messages of several parts that are under way at one time: nodes put few together
_MOST_DOWN = 36  # packets of answers that are waited for at one time: four blobs


class OpenCalls:
    """By their ids, which are never used again."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.queue: deque[Message] = deque()  # those of which packets are to be sent
        self.outcomes: list[Outcome] = []
        self._next_call = 1
        self._next_message = 1

    def new_id(self) -> int:
        call, self._next_call = self._next_call, self._next_call + 1
        return call

    def ask(self, call: int, request: Request, *, ours: bool = False, not_before: float = 0.0) -> int:
        number, self._next_message = self._next_message, self._next_message + 1
        parts = up_parts(encode(Call(call, request)))
        message = Message(call, request, number, parts, answer_parts(request), ours, not_before=not_before)
        self.messages[call] = message
        self.queue.append(message)
        return call

    def forget(self, call: int, *, arrived: bool | None = None, seconds: float | None = None) -> None:
        message = self.messages.pop(call, None)
        if message is not None and message.ups:
            self.outcomes.append(Outcome(tuple(message.ups), arrived, seconds))

    def next(self, now: float) -> Message | None:
        """The message of which a packet is to be sent now."""
        for message in tuple(self.queue):
            if self.messages.get(message.call) is not message:
                self.queue.remove(message)
            elif message.not_before <= now and self._may_begin(message):
                return message
        return None

    def _may_begin(self, message: Message) -> bool:
        """Nodes put few messages of several parts together at one time, and keep few large answers."""
        if message.unsent or message.attempts:
            return True
        begun = [one for one in self.messages.values() if one.unsent or one.attempts]
        answers = sum(one.needs for one in begun)
        if message.needs > 1 and answers and answers + message.needs > _MOST_DOWN:
            return False
        return len(message.parts) == 1 or sum(len(one.parts) > 1 for one in begun) < _LARGE
