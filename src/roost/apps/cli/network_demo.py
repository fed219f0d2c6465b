"""`network demo`: a whole onion network on this machine, each authority and each node a process of its own.

The processes are the ordinary `roost relay` commands; this module founds the network, starts them, waits until the
nodes keep mailboxes, and ends them all together.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from roost.apps.cli.common import DURATION, command
from roost.apps.cli.formats import count
from roost.apps.cli.session import Session, absolute, session
from roost.errors import RoostError, SurroundingsError

if TYPE_CHECKING:
    from roost.relay import Founding

_AUTHORITIES = 3
_PORTS = "ports.json"  # in the data directory: a network's link names addresses, so they stay
_START_S = 60.0
_PERIODS = 12  # so many periods, and _START_S, may pass until all nodes keep mailboxes
_STOP_S = 10.0
_LOOK_S = 0.5


@command("demo", "roost network demo", "roost network demo --nodes 5 --data ./network")
@click.option("--nodes", type=click.IntRange(5, 60), default=9, metavar="N", help="How many nodes (9).")
@click.option(
    "--data", metavar="DIR", help="Keep the network here and go on with it next time; otherwise it is deleted."
)
@click.option("--period", type=DURATION, default=15, metavar="TIME", help="How often the authorities agree anew (15s).")
def demo(nodes: int, data: str | None, period: int) -> None:
    """Run a whole onion network on this machine, for trying out, until Ctrl-C or SIGTERM.

    Three authorities and --nodes nodes, each a process of its own that listens on this machine alone. All are in one
    hand here, so it hides nothing from whoever runs it.
    """
    here = session()
    with ExitStack() as stack:
        folder = (
            Path(absolute(data)) if data else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roost-")))
        )
        running = Demo(folder, nodes, period)
        with suppress(KeyboardInterrupt, asyncio.CancelledError):
            asyncio.run(_until_ended(here, running))


@dataclass
class Demo:
    """The network's processes."""

    folder: Path
    nodes: int
    period_s: int
    link: str = ""
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def found(self) -> None:
        """Three operators in one: each authority is made, and told of the others. Raises RoostError."""
        from roost.relay import RelayConfig, Terms, add_authority, init_network

        terms = Terms("demo", _AUTHORITIES, 0, self.period_s)
        names = [f"authority-{number}" for number in range(_AUTHORITIES)]
        made = [init_network(RelayConfig(data=self.folder / n, listen=self.listen(n)), terms) for n in names]
        known: Founding | None = None
        for name in names:
            for founding in made:
                known = add_authority(self.folder / name, str(founding.own))
        assert known is not None
        self.link = known.link

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        from roost.agent import processes

        try:
            for number in range(_AUTHORITIES):
                await self._start(f"authority-{number}", "--authority")
            for number in range(self.nodes):
                name = f"node-{number}"
                await self._start(name, "--onion", "--directory", self.link, "--operator", name)
            yield
        finally:
            await asyncio.gather(*(processes.end(process, _STOP_S) for process in self.processes.values()))

    async def serving(self) -> int:
        """How many nodes keep mailboxes so far. Raises SurroundingsError when a process ended."""
        from roost.agent.network_check import check_network_link

        for name, process in self.processes.items():
            if process.returncode is not None:
                raise SurroundingsError(f"{name} ended.", hint=f"Its messages are in {self.folder / name}.log")
        try:
            return sum(node.serves for node in (await check_network_link(self.link)).nodes)
        except RoostError:  # there is no consensus yet
            return 0

    def listen(self, name: str) -> str:
        """Where this one listens, the same at each run."""
        file = self.folder / _PORTS
        ports = msgspec.json.decode(file.read_bytes(), type=dict[str, int]) if file.exists() else {}
        if name not in ports:
            ports[name] = _free_port(set(ports.values()))
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(msgspec.json.encode(ports))
        return f"127.0.0.1:{ports[name]}"

    async def _start(self, name: str, *options: str) -> None:
        data, nothing = self.folder / name, asyncio.subprocess.DEVNULL
        asked = (sys.executable, "-m", "roost", "relay", "--data", str(data), "--listen", self.listen(name), *options)
        with (self.folder / f"{name}.log").open("ab") as messages:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *asked, stdin=nothing, stdout=nothing, stderr=messages, start_new_session=True
            )


async def _until_ended(here: Session, running: Demo) -> None:
    _end_with_signals()
    running.found()
    here.out.say(f"{_AUTHORITIES} authorities and {running.nodes} nodes start, in {running.folder}")
    async with running.running():
        await _ready(here, running)
        if here.json:
            processes = [{"name": name, "pid": process.pid} for name, process in running.processes.items()]
            here.out.line({"event": "ready", "link": running.link, "processes": processes})
        else:
            _what_next(here, running.link)
        await asyncio.Event().wait()


def _end_with_signals() -> None:
    """A closed terminal ends it as Ctrl-C does: nothing goes on alone. Not by SIGINT, which scripts' `&` ignores."""
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)


async def _ready(here: Session, running: Demo) -> None:
    """Until all nodes keep mailboxes: each does so from the second period on in which it is listed."""
    before = -1
    try:
        async with asyncio.timeout(_START_S + _PERIODS * running.period_s):
            while (serving := await running.serving()) < running.nodes:
                if serving != before:
                    here.out.say(f"{count(serving, 'node')} of {running.nodes} keep mailboxes")
                    before = serving
                await asyncio.sleep(_LOOK_S)
    except TimeoutError as error:
        hint = f"This machine may be too slow for it: --period {4 * running.period_s}s, or fewer --nodes."
        raise SurroundingsError("The network did not get ready in time.", hint=hint) from error


def _what_next(here: Session, link: str) -> None:
    here.out.say(f"\nThe network is ready. Its link:\n\n{link}\n")
    here.out.say("In another terminal, two people whose messages go through it:")
    here.out.say(f"  LINK='{link}'")
    for name in ("alice", "bob"):
        here.out.say(f'  roost --profile ./{name} init --name {name.title()} --onion "$LINK"')
    here.out.say("  roost --profile ./alice invite             and then: roost --profile ./bob add 'THE INVITATION'")
    here.out.say('Who the nodes are: roost network consensus "$LINK". Ctrl-C here ends all of them.')


def _free_port(taken: set[int]) -> int:
    """Nobody listens there now. The authorities' addresses must be known before they start."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
        if port not in taken:
            return port
