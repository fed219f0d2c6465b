"""What members may say in a group, by their roles: as `rules` is for commits, for what does not change the group."""

from __future__ import annotations

from roost.messaging.groups import rules, states
from roost.messaging.records import GroupMember, GroupRow, Message
from roost.messaging.work import Work
from roost.wire import content as c
from roost.wire.groups import GroupState, Role


def may_post(work: Work, group: GroupRow, author: bytes) -> bool:
    """Whether the author's new messages are shown."""
    return is_member(work, group, author) and rules.may_post(states.held_state(group), author)


def may_change(work: Work, group: GroupRow, content: object, author: bytes, message: Message) -> bool:
    """Whether what the author says about a message holds: edits are their own, deletions a moderator's as well."""
    if not is_member(work, group, author) or not message.device:  # a line about what changed is each device's own
        return False
    state = states.held_state(group)
    match content:
        case c.Edit():
            return message.author == author
        case c.Deletion():
            return message.author == author or rules.role_of(state, author) >= Role.MODERATOR
        case c.Pin():
            return rules.may_pin(state, author)
        case _:
            return rules.role_of(state, author) > Role.READ_ONLY


def may_invite(state: GroupState, account: bytes) -> bool:
    role = rules.role_of(state, account)
    return role > Role.READ_ONLY and role >= state.permissions.invite


def is_member(work: Work, group: GroupRow, account: bytes) -> bool:
    return work.get(GroupMember, group.id, account) is not None
