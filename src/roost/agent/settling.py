"""Asking for changes of a group and waiting until a commit has brought them about. Place: agent; for actions.groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from roost.agent import showing_groups, syncing
from roost.errors import CallerError
from roost.messaging import records as r
from roost.messaging.groups import actions
from roost.messaging.work import Work

if TYPE_CHECKING:
    from roost.agent.service import Service

FETCH_S = 3.0
SETTLE_S = 10.0
_WORDS = {
    "size": "A group cannot have so many people.",
    "banned": "Who is banned cannot be a member.",
    "admin_remains": "A group needs an admin.",
    "no_relay": "None of your relays takes the group.",
    "invalid": "This change cannot be made.",
}


async def current(service: Service) -> None:
    """Before a group is changed: have what its other members did. Quick where the profile is at it anyway."""
    if not service.engine.logs.caught_up:
        await syncing.refresh(service.engine, FETCH_S)


async def change(
    service: Service, group: bytes, ask: Callable[[Work], object], timeout_s: float = SETTLE_S
) -> tuple[bool, str]:
    """Ask for a change, and wait until it came about, nothing more can be done now, or the time is over.

    Whether all that was asked for came about, and if not, why. Raises CallerError when the group's rules refuse it.
    """
    engine = service.engine
    refused: list[r.Event] = []

    def hear(event: r.Event) -> None:
        if event.kind == "group" and event.subject == group and event.detail.startswith("not_permitted"):
            refused.append(event)

    stop = engine.listen(hear)
    try:
        before = {intent.number for intent in engine.look().find(r.GroupIntent, where={"group": group})}
        engine.step(ask)
        asked = {intent.number for intent in engine.look().find(r.GroupIntent, where={"group": group})} - before
        await syncing.until(engine, lambda: bool(refused) or not _moving(engine.look(), group, asked), timeout_s)
    finally:
        stop()
    if refused:
        raise _refusal(refused[0].detail.partition(":")[2])
    work = engine.look()
    left = [intent for intent in work.find(r.GroupIntent, where={"group": group}) if intent.number in asked]
    reasons = (showing_groups.why_waiting(work, intent) for intent in left)
    return not left, next((reason for reason in reasons if reason), "")


def _moving(work: Work, group: bytes, asked: set[int]) -> bool:
    """Whether something of what was asked for can still come about without others' doing."""
    left = [row for row in work.find(r.GroupIntent, where={"group": group}) if row.number in asked]
    commit = work.get(r.GroupCommit, group)
    if commit is not None and asked & set(commit.intents):
        return True
    return any(not showing_groups.why_waiting(work, intent) for intent in left)


def _refusal(rule: str) -> CallerError:
    words = _WORDS.get(rule, "Your role in this group does not allow that.")
    return CallerError(words, code="not_permitted", hint="See what you may do: roost group info GROUP")


async def change_group(service: Service, group: r.GroupRow, timeout_s: float = SETTLE_S, **wanted: Any) -> bool:
    """Change fields of the group's state; whether that came about already. Raises CallerError."""
    await current(service)
    done, _ = await change(service, group.id, lambda work: actions.change(work, group.id, **wanted), timeout_s)
    return done
