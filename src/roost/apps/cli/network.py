"""`network`: found an onion network with other operators, and look at one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from roost.apps.cli.common import DURATION, LISTEN, RoostGroup
from roost.apps.cli.formats import count, format_duration, one_line, relative
from roost.apps.cli.network_demo import demo
from roost.apps.cli.session import Session, absolute, session, text_argument

if TYPE_CHECKING:
    from roost.agent.network_check import NetworkReport
    from roost.relay import Founding


@click.group(
    "network",
    cls=RoostGroup,
    examples=(
        "roost network init --data ./relay --listen 0.0.0.0:7777 --public-url https://one.example.org:7777",
        "roost network add-authority --data ./relay 'roost-authority:…'",
        "roost network consensus 'roost-network:…'",
        "roost network demo",
    ),
)
def network() -> None:
    """Onion networks: nobody learns who writes to whom, or from where.

    A few operators who do not depend on each other found one: each runs an authority, and most of these must agree on
    what the network is.
    """


@network.command(
    "init",
    examples=(
        "roost network init --data ./relay --listen 0.0.0.0:7777 --public-url https://one.example.org:7777",
        "roost network init --data ./relay --listen 127.0.0.1:7777 --authorities 1 --period 1m",
    ),
)
@click.option("--data", required=True, metavar="DIR", help="The relay's data directory; made if missing.")
@click.option("--listen", required=True, type=LISTEN, metavar="HOST:PORT", help="Where the relay will listen.")
@click.option("--public-url", metavar="URL", help="How others reach it, if not at the host of --listen.")
@click.option("--name", default="", metavar="NAME", help="The network's name.")
@click.option("--authorities", type=int, default=3, metavar="N", help="How many authorities there will be (3).")
@click.option("--threshold", type=int, default=0, metavar="T", help="How many must sign (more than half of them).")
@click.option("--period", type=DURATION, default=3_600, metavar="TIME", help="How often they agree anew (1h).")
@click.option("--replicas", type=int, default=3, metavar="K", help="How many nodes keep each mailbox (3).")
@click.option("--quorum", type=int, default=0, metavar="W", help="How many of these must have a message (most).")
def init(
    data: str,
    listen: str,
    public_url: str | None,
    name: str,
    authorities: int,
    threshold: int,
    period: int,
    replicas: int,
    quorum: int,
) -> None:
    """Make a relay one of a new network's authorities.

    It prints a line for the operators of the others; all give the same --name, --authorities, --threshold, --period,
    --replicas and --quorum. What is agreed on here never changes.
    """
    from pathlib import Path

    from roost.relay import RelayConfig, Terms, init_network

    config = RelayConfig(data=Path(absolute(data)), listen=listen, public_url=public_url)
    terms = Terms(name, authorities, threshold, period, replicas, quorum)
    _show(session(), init_network(config, terms))


@network.command("add-authority", examples=("roost network add-authority --data ./relay 'roost-authority:…'",))
@click.option("--data", required=True, metavar="DIR", help="The data directory that was given to init.")
@click.argument("line")
def add_authority(data: str, line: str) -> None:
    """Add the line of another operator's authority.

    Every operator adds the lines of all others, in any order; then all print the same network link. Get each line from
    its operator directly: who puts in another one is among those who decide what the network is.
    """
    from pathlib import Path

    from roost.relay import add_authority as add

    _show(session(), add(Path(absolute(data)), text_argument(line)))


def _show(here: Session, known: Founding) -> None:
    if here.json:
        here.out.line(
            {
                "ok": True,
                "authority": str(known.own),
                "known": len(known.lines),
                "authorities": known.own.authorities,
                "threshold": known.own.threshold,
                "network": known.link,
            }
        )
        return
    here.out.say(f"This authority's line, for the operators of the others:\n\n{known.own}\n")
    if not known.link:
        here.out.say(f"{known.missing} of {known.own.authorities} authorities' lines are missing here.")
        here.out.say("Add them with: roost network add-authority --data DIR LINE")
        return
    here.out.say(f"All authorities are known; {known.own.threshold} of {known.own.authorities} must sign.")
    here.out.say(f"The network's link, the same at every operator:\n\n{known.link}\n")
    here.out.say("Start this authority: roost relay --data DIR --listen HOST:PORT --authority")
    here.out.say("Nodes, on other machines: roost relay --data DIR --listen HOST:PORT --onion --directory LINK")


@network.command("consensus", examples=("roost network consensus 'roost-network:…'",))
@click.argument("link")
def consensus(link: str) -> None:
    """Fetch what the authorities agree on, check it, and show it: the nodes, and whether they are live."""
    from roost.agent.network_check import check_network_link

    here = session()
    report = asyncio.run(check_network_link(text_argument(link)))
    if here.json:
        import msgspec

        whole = msgspec.to_builtins(report)
        nodes = whole.pop("nodes")
        here.out.line({**whole, "nodes": len(nodes)})
        here.out.lines(nodes)
        return
    _show_network(here, report)


def _show_network(here: Session, report: NetworkReport) -> None:
    from rich.table import Table

    name = one_line(report.name) or "(no name)"
    here.out.say(f"{name}  network-{report.network[:8]}")
    here.out.say(
        f"period {report.period}, of {format_duration(report.period_s)}, began {relative(report.began)}; signed by "
        f"{report.signed} of {len(report.authorities)} authorities, {report.threshold} must"
    )
    here.out.say(f"each mailbox on {count(report.replicas, 'node')}, a message is kept once {report.quorum} have it")
    if not report.nodes:
        here.out.say("no nodes yet")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("node", "where", "operator", "live", "mailboxes", "since"):
        table.add_column(column)
    for node in report.nodes:
        live, serves = f"{node.live:.0%}", "yes" if node.serves else "not yet"
        table.add_row(node.node[:8], node.host, one_line(node.operator, 30), live, serves, relative(node.since))
    here.out.say(table)


network.add_command(demo)
