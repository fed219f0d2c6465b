"""Carrying out a change of a group, for groups.py and groups_joining.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import SECONDS
from roost.apps.cli.session import Session

if TYPE_CHECKING:
    from roost.agent.groups import GroupChanged
    from roost.agent.operations import Request

SETTLE_S = 10.0
wait_option = click.option(
    "--timeout", type=SECONDS, default=SETTLE_S, metavar="SECONDS", help="Seconds to wait for the change at most (10)."
)


def change(here: Session, request: Request[GroupChanged]) -> GroupChanged:
    """Carry out a change and show what became of it."""
    from roost.apps.cli.render_groups import changed

    done = here.call(request)
    if here.json:
        here.out.line(done)
    else:
        here.out.say(changed(done))
    return done
