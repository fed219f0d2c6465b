"""The rules of commits: each says what it says, on its own; the document has the same ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.messaging.groups import rules
from roost.messaging.groups.rules import Change, NotPermitted
from roost.wire.addresses import RelayAddress
from roost.wire.groups import GroupState, LogPlace, MemberRole, Permissions, Role

ROOT = Path(__file__).resolve().parents[3]
ADMIN, MODERATOR, MEMBER, READER, STRANGER = (bytes([number]) * 32 for number in (1, 2, 3, 4, 9))
PLACE = LogPlace(RelayAddress("relay.example", 443, bytes(32)), 0)
NEXT = LogPlace(PLACE.relay, 1)
ROLES = (
    MemberRole(ADMIN, Role.ADMIN),
    MemberRole(MODERATOR, Role.MODERATOR),
    MemberRole(READER, Role.READ_ONLY),
)
STATE = GroupState("Choir", PLACE, ROLES)
PEOPLE = {account: frozenset({account}) for account in (ADMIN, MODERATOR, MEMBER, READER)}


def of(author: bytes, **state: object) -> Change:
    return Change(author, author, STATE, msgspec.structs.replace(STATE, **state), PEOPLE)


def adding(author: bytes, account: bytes = STRANGER, device: bytes = STRANGER) -> Change:
    return replace(of(author), added=((account, device),))


def removing(author: bytes, account: bytes, **state: object) -> Change:
    roles = tuple(role for role in ROLES if role.account != account)
    return replace(of(author, **({"place": NEXT, "roles": roles} | state)), removed=((account, account),))


ALLOWED = {
    "nothing": of(READER),
    "a member adds": adding(MEMBER),
    "a member's further device": adding(READER, READER, b"d" * 32),
    "an admin removes a moderator": removing(ADMIN, MODERATOR),
    "a moderator removes a member": removing(MODERATOR, MEMBER),
    "a moderator bans a stranger": of(MODERATOR, banned=(STRANGER,)),
    "a moderator renames": of(MODERATOR, title="Chorus"),
    "an admin names another": of(ADMIN, roles=(ROLES[0], MemberRole(MODERATOR, Role.ADMIN), ROLES[2])),
    "an admin opens it": of(ADMIN, permissions=Permissions(describe=Role.MEMBER)),
    "an admin moves": of(ADMIN, place=NEXT),
    "a device comes back": replace(of(MEMBER), external=True, added=((MEMBER, MEMBER),), removed=((MEMBER, MEMBER),)),
}
REFUSED = {
    "external": replace(of(MEMBER), external=True, added=((STRANGER, STRANGER),)),
    "invite": adding(READER),
    "banned": replace(adding(ADMIN), after=msgspec.structs.replace(STATE, banned=(STRANGER,))),
    "remove": removing(MEMBER, READER),
    "ban": of(MODERATOR, banned=(ADMIN,)),
    "roles": of(MODERATOR, roles=(ROLES[0], MemberRole(MODERATOR, Role.ADMIN), ROLES[2])),
    "admin_remains": of(ADMIN, roles=ROLES[1:], place=NEXT),
    "describe": of(MEMBER, title="Mine"),
    "administer": of(MODERATOR, approval=False),
    "place": replace(removing(ADMIN, MEMBER), after=STATE),
    "size": replace(of(ADMIN), members={number.to_bytes(32, "big"): frozenset({b"d"}) for number in range(5_001)}),
    "reopen": replace(of(MODERATOR), reopens=True),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed(name: str) -> None:
    rules.check(ALLOWED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_what_each_rule_refuses(name: str) -> None:
    change = REFUSED[name]
    rule = next(rule for rule in rules.RULES if rule.name == name)
    assert not rule.holds(change)
    with pytest.raises(NotPermitted):
        rules.check(change)


def test_every_rule_has_a_case_and_stands_in_the_document() -> None:
    assert set(REFUSED) == {rule.name for rule in rules.RULES}
    text = (ROOT / "docs/protocol/groups.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", text, flags=re.MULTILINE))
    assert written == {rule.name: rule.says for rule in rules.RULES}


def test_an_admin_who_steps_down_moves_the_log() -> None:
    two = msgspec.structs.replace(STATE, roles=(ROLES[0], MemberRole(MODERATOR, Role.ADMIN), ROLES[2]))
    down = msgspec.structs.replace(two, roles=(two.roles[1], ROLES[2]))
    change = Change(ADMIN, ADMIN, two, down, PEOPLE)
    with pytest.raises(NotPermitted, match="may not"):
        rules.check(change)
    rules.check(replace(change, after=msgspec.structs.replace(down, place=NEXT)))


accounts = st.sampled_from([ADMIN, MODERATOR, MEMBER, READER, STRANGER])


@given(accounts, st.lists(accounts, max_size=3), st.lists(accounts, max_size=3), st.lists(accounts, max_size=2))
def test_nobody_gains_by_what_the_rules_let_through(
    author: bytes, added: list[bytes], removed: list[bytes], admins: list[bytes]
) -> None:
    """Whatever a commit combines: only admins make admins, and nobody removes those above them."""
    roles = {role.account: role.role for role in ROLES} | dict.fromkeys(admins, Role.ADMIN)
    after = msgspec.structs.replace(
        STATE, roles=tuple(MemberRole(account, role) for account, role in sorted(roles.items())), place=NEXT
    )
    change = Change(
        author,
        author,
        STATE,
        after,
        PEOPLE,
        tuple((account, b"new" + account[3:]) for account in set(added)),
        tuple((account, account) for account in set(removed) if account in PEOPLE),
    )
    try:
        rules.check(change)
    except NotPermitted:
        return
    role = rules.role_of(STATE, author)
    assert set(rules.admins(after)) <= {ADMIN} or role is Role.ADMIN
    assert all(account == author or role > rules.role_of(STATE, account) or role is Role.ADMIN
               for account in removed if account in PEOPLE)  # fmt: skip
    assert set(rules.admins(after)) & change.members_after().keys()
