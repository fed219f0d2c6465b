"""`relay`: host a relay; `relay check`: an operator's self-test of one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from roost.apps.cli.agent import loop_factory
from roost.apps.cli.common import LISTEN, RoostGroup
from roost.apps.cli.session import absolute, session, text_argument

if TYPE_CHECKING:
    from roost.relay import Ready


CARRIERS = ("lan", "bluetooth", "internet", "tor")


@click.group(
    "relay",
    cls=RoostGroup,
    invoke_without_command=True,
    examples=(
        "roost relay --data ./relay --listen 0.0.0.0:7777",
        "roost relay --data /var/lib/roost --listen '[::]:7777' --public-url https://chat.example.org:7777",
        "roost relay --data ./relay --carrier lan --carrier tor",
        "roost relay --data ./node --listen 0.0.0.0:7777 --onion --directory 'roost-network:…' --operator example.org",
        "roost relay --config /etc/roost/relay.toml",
        "roost relay check 'roost-relay://…'",
    ),
)
@click.option("--data", metavar="DIR", help="Where key and data are kept; made if missing.")
@click.option("--listen", type=LISTEN, metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@click.option(
    "--carrier",
    "carriers",
    multiple=True,
    type=click.Choice(CARRIERS),
    help="Be met over this carrier by holders of the link, with no address of its own; may be given several times.",
)
@click.option("--access", metavar="SECRET", help="Who may keep mailboxes here: holders of a link with this secret.")
@click.option("--access-file", metavar="FILE", help="A file with the access secret, out of sight of other users.")
@click.option("--open", "open_", is_flag=True, help="Anyone may keep mailboxes here, within limits.")
@click.option("--public-url", metavar="URL", help="How others reach the relay; it stands in the link.")
@click.option("--onion", is_flag=True, help="Also be a node of an onion network.")
@click.option("--authority", is_flag=True, help="Also be one of an onion network's directory authorities.")
@click.option("--directory", metavar="LINK", help="The onion network's link.")
@click.option("--operator", metavar="NAME", help="Who runs this node: no path takes two nodes of one operator.")
@click.option("--config", metavar="FILE", help="Settings as TOML; options given here go over them.")
@click.pass_context
def relay(
    context: click.Context,
    data: str | None,
    listen: str | None,
    carriers: tuple[str, ...],
    access: str | None,
    access_file: str | None,
    open_: bool,
    public_url: str | None,
    onion: bool,
    authority: bool,
    directory: str | None,
    operator: str | None,
    config: str | None,
) -> None:
    """Host a relay until Ctrl-C or SIGTERM. It prints its link: people need it for roost init.

    Without --access, --access-file and --open a random access secret is made and kept in DIR. With --carrier the relay
    may stand at home: whoever has its link meets it on the local network or over Tor, and --listen is not needed.
    With --onion it also passes on packets of an onion network and keeps mailboxes there, without anybody's link.
    """
    if context.invoked_subcommand is not None:
        return
    if data is None and config is None:
        raise click.UsageError("Missing option '--data'.")
    if sum((access is not None, access_file is not None, open_)) > 1:
        raise click.UsageError("--access, --access-file and --open exclude each other.")
    _serve(
        config,
        data=None if data is None else absolute(data),
        listen=listen,
        carriers=carriers or None,
        access=access,
        access_file=None if access_file is None else absolute(access_file),
        open=open_ or None,
        public_url=public_url,
        onion=onion or None,
        authority=authority or None,
        directory=None if directory is None else text_argument(directory),
        operator=operator,
    )


def _serve(config: str | None, **given: str | bool | tuple[str, ...] | None) -> None:
    from pathlib import Path

    from roost.relay import load_config, run_relay

    here = session()
    settings = load_config(None if config is None else Path(absolute(config)), **given)

    def on_ready(ready: Ready) -> None:
        if here.json:
            line = {"event": "ready", "link": ready.link, "listen": ready.listen}
            here.out.line({**line, "home_link": ready.home_link} if ready.home_link else line)
            return
        if ready.listen:
            here.out.say(f"The relay listens at {ready.listen}. Its link:\n\n{ready.link}")
        if ready.home_link:
            here.out.say(
                f"{'Also, the' if ready.listen else 'The'} link to meet it over carriers:\n\n{ready.home_link}"
            )
        here.out.say("\nGive the link to those who may keep mailboxes here: roost init --name NAME --relay LINK")

    with asyncio.Runner(loop_factory=loop_factory()) as runner, suppress(KeyboardInterrupt):
        runner.run(run_relay(settings, on_ready))


@relay.command("check", examples=("roost relay check 'roost-relay://…'", "roost relay check 'roost-network:…'"))
@click.argument("link")
def check(link: str) -> None:
    """Test a relay, or an onion network: is it reached, is its key right, does a mailbox work, and how fast."""
    from roost.agent.relay_check import check_relay_link

    here = session()
    report = asyncio.run(check_relay_link(text_argument(link)))
    if here.json:
        here.out.line(report)
        return
    how = f"{report.carrier} carrier, {'open' if report.open else 'closed'}"
    here.out.say(f"{report.host}: reachable, key right, {report.software if report.carrier == 'onion' else how}")
    for step, took in report.steps_ms.items():
        here.out.say(f"  {step:<8} {took:8.1f} ms")
    here.out.say("All is well.")
