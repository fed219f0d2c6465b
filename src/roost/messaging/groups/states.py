"""The group state inside MLS's group context, and the person behind each leaf."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roost.crypto import mls
from roost.crypto.mls.leaf import LeafNode
from roost.errors import CallerError, PeerError
from roost.messaging import identity
from roost.messaging.records import GroupMember, GroupRow
from roost.messaging.work import Work
from roost.wire.codec import decode, encode
from roost.wire.groups import MEMBER_EXTENSION, STATE_EXTENSION, GroupState, MemberInfo
from roost.wire.identity import DeviceList

CAPABILITIES = mls.Capabilities(extensions=(STATE_EXTENSION, MEMBER_EXTENSION))


class BadMember(PeerError):
    """A leaf that is not what a Roost device's is: its commit is ignored, its group not joined."""

    code = "bad_member"


def extensions_of(state: GroupState) -> tuple[mls.Extension, ...]:
    """The group context's extensions: the state, and nothing else."""
    return (mls.Extension(STATE_EXTENSION, encode(state)),)


def state_of(extensions: Iterable[mls.Extension]) -> GroupState:
    """Raises PeerError unless there is exactly a group state."""
    found = tuple(extensions)
    if len(found) != 1 or found[0].type != STATE_EXTENSION:
        raise PeerError("a group's context is none of Roost's", code="bad_state")
    return decode(GroupState, found[0].data)


def held_state(row: GroupRow) -> GroupState:
    """The state of a group that was joined. Raises CallerError before."""
    if not row.state:
        raise CallerError("This group is still being joined.", code="group_joining", hint="Try again in a moment.")
    return decode(GroupState, row.state)


def own_info(work: Work) -> MemberInfo:
    """What my leaves say of me."""
    return MemberInfo(work.me.devices, work.me.about.name)


def info_extension(info: MemberInfo) -> mls.Extension:
    return mls.Extension(MEMBER_EXTENSION, encode(info))


@dataclass(frozen=True)
class Certified:
    """A leaf whose device its account's list certifies."""

    account: bytes
    device: bytes
    name: str
    version: int  # of the device list


def read_leaf(leaf: LeafNode) -> Certified:
    """Who a leaf is, everything verified. Raises PeerError."""
    who = _identity(leaf)
    if len(leaf.extensions) != 1 or leaf.extensions[0].type != MEMBER_EXTENSION:
        raise BadMember("a leaf does not say whose it is")
    info = decode(MemberInfo, leaf.extensions[0].data)
    devices = identity.read_list(info.devices, who.account.raw)
    if all(entry.signing != who.device.raw for entry in devices.devices):
        raise BadMember("a leaf's device is not one of its account's")
    return Certified(who.account.raw, who.device.raw, info.name, devices.version)


def _identity(leaf: LeafNode) -> mls.DeviceIdentity:
    return mls.DeviceIdentity.of(mls.Member.of(0, leaf))


@dataclass
class Person:
    """A member. `devices` are leaf indexes by device."""

    name: str = ""
    devices: dict[bytes, int] = field(default_factory=dict)
    version: int = 0  # the highest of the device lists that its leaves carry


def roster(group: mls.Group) -> dict[bytes, Person]:
    """The members of an epoch, whose leaves were verified when they came."""
    people: dict[bytes, Person] = {}
    for index, leaf in group.epoch.tree.members():
        who = _identity(leaf)
        info = decode(MemberInfo, leaf.extensions[0].data)
        person = people.setdefault(who.account.raw, Person())
        person.devices[who.device.raw] = index
        version = decode(DeviceList, info.devices.list).version
        if version >= person.version:
            person.version, person.name = version, info.name
    return people


def sender(member: mls.Member) -> tuple[bytes, bytes]:
    """(account, device) of a message's sender. Raises PeerError."""
    who = mls.DeviceIdentity.of(member)
    return who.account.raw, who.device.raw


def members(work: Work, group: bytes) -> dict[bytes, GroupMember]:
    return {row.account: row for row in work.find(GroupMember, where={"group": group})}
