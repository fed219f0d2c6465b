"""`poll`, `vote`: asking everybody in a conversation, and choosing."""

from __future__ import annotations

import click

from roost.apps.cli.common import command
from roost.apps.cli.session import session, text_argument


@command(
    "poll", "roost poll 'Summer trip' 'When do we go?' May June July", "roost poll Bob 'What to buy?' bread milk -s"
)
@click.argument("conversation")
@click.argument("question")
@click.argument("options", nargs=-1, required=True, metavar="OPTION OPTION…")
@click.option("--several", "-s", is_flag=True, help="One may choose more than one option.")
def poll(conversation: str, question: str, options: tuple[str, ...], several: bool) -> None:
    """Ask everybody in a conversation. `read` shows how it stands."""
    from roost.agent.polls import AskPoll

    if not 2 <= len(options) <= 20:
        raise click.UsageError("A poll has 2 to 20 options.")
    here = session()
    request = AskPoll(conversation=conversation, question=text_argument(question), options=options, several=several)
    asked = here.call(request)
    if here.json:
        here.out.line(asked)
    else:
        here.out.say(f"Asked. Vote with: roost vote {asked.id} NUMBER")


@command("vote", "roost vote ID 0", "roost vote ID 0 2", "roost vote ID")
@click.argument("id")
@click.argument("choices", nargs=-1, type=click.IntRange(0, 19), metavar="[NUMBER]…")
def vote(id: str, choices: tuple[int, ...]) -> None:
    """Choose options of a poll by their numbers, from 0, in place of an earlier choice; none takes it back."""
    from roost.agent.polls import Vote

    here = session()
    done = here.call(Vote(id=id, options=choices))
    if here.json:
        here.out.line(done, ok=True)
    else:
        here.out.say("Done.")
