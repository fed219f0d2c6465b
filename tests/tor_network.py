"""A private Tor network on loopback, of real `tor` processes, for whichever tests need one.

    async def test_something(tor_network: TorNetwork) -> None:
        TorConfig(data=tmp_path / "tor", extra=tor_network.torrc)      # a client of this network alone

The fixture `tor_network` (import it, or let a conftest do so) lasts for the session. All processes of a test run share
one network: whoever comes first starts a keeper process, which ends every tor that it has started, by its id, when the
last one who uses the network lets go of it or dies. Without Debian's `tor` package the fixture skips.

By hand: python -m tests.tor_network FOLDER prints what a client's torrc needs and keeps the network until Ctrl-C.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import pytest

ROOT = Path(__file__).resolve().parents[1]
AUTHORITIES = 3  # as many as it takes to agree on bandwidths that they say to have measured
RELAYS = 4
START_S = 120.0  # a busy machine; ten seconds is usual

_EVERY_NODE = """\
TestingTorNetwork 1
PathsNeededToBuildCircuits 0.25
Schedulers Vanilla
V3AuthNIntervalsValid 3
AssumeReachable 1
ExitRelay 0
SocksPort 0
ShutdownWaitLength 0
NumCPUs 1
DisableDebuggerAttachment 0
ContactInfo test
Address 127.0.0.1
"""
_AUTHORITY = """\
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 20
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TestingMinExitFlagThreshold 0
MinUptimeHidServDirectoryV2 0
AuthDirVoteStableGuaranteeMinUptime 0
AuthDirVoteStableGuaranteeMTBF 0
AuthDirVoteGuardGuaranteeTimeKnown 0
AuthDirVoteGuardGuaranteeWFU 0
ConsensusParams cc_alg=2
"""


@dataclass(frozen=True)
class TorNetwork:
    """What a client needs to know: lines of its torrc, and the line of a bridge (address and fingerprint)."""

    torrc: tuple[str, ...]
    bridge: str


class TorNetworkFailed(Exception):
    """It did not come up; the text says which node, and what it said last."""


class _Node:
    """One tor process."""

    def __init__(self, folder: Path, torrc: str) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "torrc").write_text(
            f"DataDirectory {folder}\nNickname {folder.name}\nControlSocket {folder}/control\nCookieAuthentication 1\n"
            f"CookieAuthFile {folder}/cookie\n__OwningControllerProcess {os.getpid()}\n{_EVERY_NODE}{torrc}"
        )

    def start(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*_tor(self.folder.parent), "-f", str(self.folder / "torrc")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def restart(self) -> None:
        self.stop()
        for stale in (*self.folder.glob("cached-*"), self.folder / "cookie", self.folder / "control"):
            stale.unlink(missing_ok=True)
        self.start()

    def ask(self, key: str) -> str:
        """What its control socket answers; empty while it does not."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as control:
            control.settimeout(5)
            control.connect(str(self.folder / "control"))
            cookie = (self.folder / "cookie").read_bytes().hex()
            control.sendall(f"AUTHENTICATE {cookie}\r\nGETINFO {key}\r\nQUIT\r\n".encode())
            answer = b""
            while data := control.recv(65_536):
                answer += data
            return answer.decode()
        return ""

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def failed(self, what: str) -> TorNetworkFailed:
        return TorNetworkFailed(f"{self.folder.name}: {what}; {(self.folder / 'log').read_text()[-600:]}")


class _Nodes:
    """All processes of one network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[_Node] = []

    def start(self) -> TorNetwork:
        ports = _free_ports(2 * AUTHORITIES + RELAYS)
        or_ports, dir_ports = ports[: AUTHORITIES + RELAYS], ports[AUTHORITIES + RELAYS :]
        (self.folder / "empty").touch()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            lines = tuple(pool.map(self._authority, range(AUTHORITIES), or_ports, dir_ports))
            identities = list(pool.map(self._identity, range(AUTHORITIES + RELAYS)))
        # All are equally fast. Else the first that has carried anything is weighed against zeros, and clients build
        # circuits from it to itself for as long as that lasts.
        measured = [f"node_id=${identity} bw=1000 nick=node{number}" for number, identity in enumerate(identities)]
        (self.folder / "bandwidths").write_text("\n".join([str(int(time.time())), *measured, ""]))
        every = "".join(f"{line}\n" for line in lines)
        for number, port in enumerate(or_ports):
            torrc = f"{every}ORPort 127.0.0.1:{port} IPv4Only\n"
            if number < AUTHORITIES:
                torrc += f"DirPort 127.0.0.1:{dir_ports[number]} IPv4Only\n{_AUTHORITY}"
                torrc += f"V3BandwidthsFile {self.folder}/bandwidths\n"
            self.nodes.append(_Node(self.folder / f"node{number}", torrc))
            self.nodes[-1].start()
        deadline = time.monotonic() + START_S
        self._wait_for_consensus(deadline)
        # Relays that asked for the consensus too early wait for up to a minute before they ask again; started afresh
        # now, they find it at once.
        for node in self.nodes[AUTHORITIES:]:
            node.restart()
        for node in self.nodes:
            _wait(lambda node=node: _progress(node) >= 75, node, "has no directory", deadline)  # type: ignore[misc]
        bridge = f"127.0.0.1:{or_ports[-1]} {identities[-1]}"
        return TorNetwork(
            ("TestingTorNetwork 1", "PathsNeededToBuildCircuits 0.25", "Schedulers Vanilla", *lines), bridge
        )

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def _authority(self, number: int, or_port: int, dir_port: int) -> str:
        """Make an authority's keys; returns the line with which everybody else knows it."""
        folder = self.folder / f"node{number}"
        (folder / "keys").mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        names = {"-i": "authority_identity_key", "-s": "authority_signing_key", "-c": "authority_certificate"}
        files = [word for option, name in names.items() for word in (option, str(folder / "keys" / name))]
        _run("tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-a", f"127.0.0.1:{dir_port}", *files)
        certificate = (folder / "keys" / "authority_certificate").read_text()
        identity = certificate.partition("\nfingerprint ")[2].split()[0]
        fingerprint = self._identity(number)
        return (
            f"DirAuthority {folder.name} orport={or_port} no-v2 v3ident={identity} 127.0.0.1:{dir_port} {fingerprint}"
        )

    def _identity(self, number: int) -> str:
        """Make a node's keys; returns its fingerprint."""
        folder = self.folder / f"node{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        # Options that make it a relay and an authority; their values do not matter here.
        options = ["--nickname", folder.name, "--orport", "1", "--dirauthority", "x 127.0.0.1:1 " + "f" * 40]
        empty = str(self.folder / "empty")
        listed = _run(*_tor(self.folder), "-f", empty, "--list-fingerprint", "--datadirectory", str(folder), *options)
        return "".join(listed.split()[1:])

    def _wait_for_consensus(self, deadline: float) -> None:
        """Until every authority's consensus has every node, with the flags that onion services need."""

        def listed(node: _Node) -> int:
            return len(
                re.findall(
                    r"^s .*Guard HSDir.*Running Stable.*Valid",
                    node.ask("ns/all"),
                    re.MULTILINE,
                )
            )

        for node in self.nodes[:AUTHORITIES]:
            _wait(lambda node=node: listed(node) >= len(self.nodes), node, "has no full consensus", deadline)  # type: ignore[misc]


def _tor(folder: Path) -> list[str]:
    return ["tor", "--quiet", "--defaults-torrc", str(folder / "empty")]


def _run(*words: str) -> str:
    return subprocess.run(words, input="test\n", check=True, capture_output=True, text=True).stdout


def _wait(done: object, node: _Node, what: str, deadline: float) -> None:
    assert callable(done)
    while not done():
        if time.monotonic() > deadline or node.process is None or node.process.poll() is not None:
            raise node.failed(what)
        time.sleep(0.05)


def _progress(node: _Node) -> int:
    found = re.search(r"PROGRESS=(\d+)", node.ask("status/bootstrap-phase"))
    return int(found[1]) if found else 0


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [found.getsockname()[1] for found in sockets]


@contextlib.contextmanager
def running() -> Iterator[TorNetwork]:
    """A network of one's own, in this process."""
    folder = Path(tempfile.mkdtemp(prefix="tor-network-"))
    nodes = _Nodes(folder)
    try:
        yield nodes.start()
    finally:
        nodes.stop()
        shutil.rmtree(folder, ignore_errors=True)


# --- one for all processes of a test run ------------------------------------------------------------------------------


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[TorNetwork]:
    """The network of all who name the same `folder`."""
    with _use(folder) as using, using.makefile("r") as answers:
        answer = json.loads(answers.readline() or '{"failed": "its keeper has ended"}')
        if "failed" in answer:
            raise TorNetworkFailed(answer["failed"])
        try:
            yield TorNetwork(tuple(answer["torrc"]), answer["bridge"])
        finally:
            using.shutdown(socket.SHUT_WR)
            answers.read()  # to the end: the keeper has counted us out and, after the last one, ended the network


def _use(folder: Path) -> socket.socket:
    """A connection to the keeper, who answers on it when the network is there."""
    with (folder / "tor-network.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        using = _join(folder)
        if using is not None:
            using.settimeout(START_S)  # one that is starting answers when it is there, and one that is ending never
            if using.recv(1) == b"\n":
                return using
            using.close()
        words = [sys.executable, "-m", "tests.tor_network", "--keeper", str(folder)]
        subprocess.run(words, cwd=ROOT, check=True)  # returns when it has gone into the background
        using = _join(folder)
    assert using is not None
    using.settimeout(START_S)
    using.recv(1)
    return using


def _join(folder: Path) -> socket.socket | None:
    using = socket.socket(socket.AF_UNIX)
    try:
        using.connect((folder / "tor-network").read_text())
    except OSError:
        using.close()
        return None
    return using


def _keep(folder: Path) -> None:
    """The keeper: starts the network, and ends it when nobody uses it any more."""
    home = Path(tempfile.mkdtemp(prefix="tor-keeper-"))  # short: a socket's path may have 107 bytes
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / "socket"))
    listener.listen()
    (folder / "tor-network").write_text(str(home / "socket"))
    if os.fork():
        os._exit(0)
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    users: list[socket.socket] = []
    try:
        users = _serve(listener)
    finally:
        listener.close()
        shutil.rmtree(home, ignore_errors=True)
        for user in users:
            user.close()


def _serve(listener: socket.socket) -> list[socket.socket]:
    """Returns those who let go last, after the network has ended."""
    first, _ = listener.accept()
    first.sendall(b"\n")
    try:
        with running() as network:
            answer = json.dumps(asdict(network)) + "\n"
            last = _until_unused(listener, first, answer.encode())
    except (TorNetworkFailed, subprocess.CalledProcessError, OSError) as error:
        with contextlib.suppress(OSError):
            first.sendall(json.dumps({"failed": str(error)}).encode() + b"\n")
        last = [first]
    return last


def _until_unused(listener: socket.socket, first: socket.socket, answer: bytes) -> list[socket.socket]:
    with selectors.DefaultSelector() as selector:

        def join(user: socket.socket) -> None:
            with contextlib.suppress(OSError):
                user.sendall(b"\n" * (user is not first) + answer)
            selector.register(user, selectors.EVENT_READ)

        selector.register(listener, selectors.EVENT_READ)
        join(first)
        while True:
            for key, _ in selector.select():
                found = key.fileobj
                assert isinstance(found, socket.socket)
                if found is listener:
                    join(listener.accept()[0])
                    continue
                selector.unregister(found)
                if len(selector.get_map()) == 1:
                    return [found]
                found.close()


# --- for pytest -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tor_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorNetwork]:
    """The private Tor network of this test run."""
    missing = [program for program in ("tor", "tor-gencert") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing; on Debian: apt install tor")
    base = tmp_path_factory.getbasetemp()
    with shared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) as network:
        yield network


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    if sys.argv[1:2] == ["--keeper"]:
        _keep(Path(sys.argv[2]))
        return
    signal.signal(signal.SIGTERM, _interrupt)
    start = time.monotonic()
    with running() as network, contextlib.suppress(KeyboardInterrupt):
        print(f"# ready after {time.monotonic() - start:.1f} s; a bridge: {network.bridge}", file=sys.stderr)
        print("\n".join(network.torrc), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
