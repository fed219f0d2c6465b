"""What can be wrong with a relay, told apart by what the person should do (docs/protocol/links.md).

All of them are `Unreachable`: nothing was lost and trying again may help. Texts name no host, because the relay may
be a contact's.
"""

from __future__ import annotations

from roost.errors import Unreachable

TRY_AGAIN = "Check the network connection; Roost tries again by itself."


class NotARelay(Unreachable):
    """Something answered at the address, but not as a relay of Roost does."""

    code = "not_a_relay"
    hint = "Check the relay link, and that nothing else listens at its address."


class RelayKeyChanged(Unreachable):
    """A relay answered that does not prove the key in its link. Nothing was sent to it."""

    code = "relay_key_changed"
    hint = "Ask the relay's operator for its new link; until then, take it as an attempt to stand in for the relay."


class RelayTooNew(Unreachable):
    """The relay proved its key, but no longer speaks a version of the protocol that this Roost knows."""

    code = "relay_too_new"
    hint = "Update Roost on this machine."


def no_answer() -> Unreachable:
    return Unreachable("The relay does not answer.", hint=TRY_AGAIN)


def link_lost() -> Unreachable:
    return Unreachable("The connection to the relay was lost.", hint=TRY_AGAIN)


def answered_wrongly() -> NotARelay:
    return NotARelay("The relay broke the protocol, so the connection was closed.", hint="Update Roost, here or there.")
