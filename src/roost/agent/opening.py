"""Opening somebody's invitation: at once where their host answers, or when their device is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.agent import showing
from roost.agent.networks import relay_name
from roost.crypto import card_keys
from roost.errors import CallerError, PeerError, Refused, RoostError, Unreachable
from roost.messaging import entered, invitations, requests
from roost.messaging.records import Contact, Followed, OwnRelay, PeerDevice
from roost.wire.addresses import DeviceHost, HostAddress, OnionHost
from roost.wire.identity import SignedCard
from roost.wire.links import Invitation, parse_invitation
from roost.wire.mailbox import CardData, GetCard, RefusalCode

if TYPE_CHECKING:
    from roost.agent.engine import Engine


def enter(engine: Engine, host: HostAddress) -> None:
    """The person follows a link that leads to this host: a network of nodes may be called from now on."""
    if isinstance(host, OnionHost):
        engine.step(entered.enter, host.key)


def enter_networks(engine: Engine, account: bytes) -> None:
    """The person wants this contact: the networks where they were when they asked may be called from now on."""
    peers = engine.look().find(PeerDevice, where={"account": account})
    for host in dict.fromkeys(address.relay for peer in peers for address in peer.addresses):
        enter(engine, host)


def foreign_networks(engine: Engine, conversation: bytes) -> list[OnionHost]:
    """The networks of others on which a conversation is, and which were not entered."""
    hosts = showing.hosts(engine.look(), conversation)
    return [host for host in hosts if isinstance(host, OnionHost) and not engine.network.may_enter(host)]


async def fetch_card(engine: Engine, invitation: Invitation) -> SignedCard:
    """The checked card behind an invitation, through my own relay where it is a foreign one. Raises Unreachable, and
    BadInvitation or SpentInvitation for what it leads to."""
    host = invitation.relay
    enter(engine, host)
    try:
        with engine.devices.seeking(host):
            if isinstance(host, DeviceHost) and engine.look().get(OwnRelay, host.key) is None:
                await engine.devices.reach(host)
            answer = await engine.network.call(host, GetCard(card_keys(invitation.secret).locator))
    except Unreachable as error:
        if not isinstance(host, OnionHost):
            raise
        raise Unreachable(
            f"The onion network that this invitation leads into ({relay_name(host)}) cannot be reached now.",
            code=error.code,
            hint="Open the invitation again later. Whether the network works: roost relay check NETWORK-LINK",
        ) from error
    except Refused as error:
        if error.code == RefusalCode.NOT_FOUND:
            raise invitations.SpentInvitation("This invitation does not work any more.") from error
        raise
    assert isinstance(answer, CardData)
    return invitations.open_invitation(engine.look(), invitation, answer.card)


async def ask(engine: Engine, invitation: Invitation, greeting: str) -> Contact:
    """Fetch the card, and ask the person behind it to become a contact."""
    with engine.devices.seeking(invitation.relay):
        card = await fetch_card(engine, invitation)
        contact = engine.step(requests.ask, card, greeting)
        engine.step(invitations.forget_followed, invitation.secret)
    engine.wake()
    return contact


async def open_followed(engine: Engine, row: Followed) -> None:
    """Their device is near. What cannot be opened is forgotten, and told; who has gone again is met another time."""
    try:
        await ask(engine, parse_invitation(row.link), row.greeting)
    except Unreachable:
        return
    except (CallerError, PeerError) as error:
        engine.step(invitations.forget_followed, row.secret)
        engine.trouble(error)
    except RoostError as error:
        engine.trouble(error)
