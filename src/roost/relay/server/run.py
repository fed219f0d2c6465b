"""A relay from start to end: directory, storage, keys, listening and carriers, upkeep, drain.

At SIGTERM or SIGINT it stops accepting, tells every client to come back after a random while, answers what is under
way, commits, and returns within 5 seconds. SIGHUP reads the TLS files again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import randbelow
from typing import TYPE_CHECKING, Any

from roost import __version__
from roost.errors import SurroundingsError
from roost.relay.config import RelayConfig, public_endpoint, split_listen
from roost.relay.core.admission import Admission
from roost.relay.core.desk import Desk
from roost.relay.core.forwarding import ForwardPolicy
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.operations import ForgetTags
from roost.relay.core.packets import PacketKeys
from roost.relay.files import DataDirectory
from roost.relay.server.forwarder import Forwarder
from roost.relay.server.home import Home
from roost.relay.server.link import Link, Server
from roost.relay.server.listening import endpoint, listening_socket, notify
from roost.relay.server.observe import health, serve_metrics
from roost.relay.server.service import Service
from roost.relay.server.statement import Statement, load_packet_keys, rotate_packet_keys
from roost.relay.server.tls import TlsIdentity, self_made
from roost.relay.storage import ProcessStorage, SqliteEngine
from roost.relay.storage.sqlite import open_reader
from roost.wire.addresses import RelayAddress, canonical_host
from roost.wire.links import RelayLink

if TYPE_CHECKING:
    from roost.relay.onion.part import OnionPart

_log = logging.getLogger("roost.relay")
_LAST_RUN = 2**32  # seconds since 1970: whatever the clock says, entry numbers stay below 2**53
_CHECK_S = 5.0
_UPKEEP_S = 60.0
_SWEEP_S = 3_600.0
_ANSWERS_S = 2.5  # of a drain: for requests that are under way
_CLOSE_S = 0.7  # of a drain: for connections to take what was sent
_HANDSHAKE_S = 10.0
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT = 64 * 1024**2
_MAPPED = 256 * 1024 - 64


@dataclass(frozen=True)
class Ready:
    """The relay accepts links. `link` is what clients are given, with the access secret if there is one; `listen` is
    the real HOST:PORT. `home_link` is the link by which the relay is met over carriers, if it has any; without an
    address to listen on, `link` is the same and `listen` is empty."""

    link: str = field(repr=False)
    listen: str
    home_link: str = field(repr=False, default="")


class SystemEntropy:
    """The operating system's random bytes (roost.crypto.Entropy)."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


async def run_relay(
    config: RelayConfig, on_ready: Callable[[Ready], None], *, stop: asyncio.Event | None = None
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain and return.

    Raises:
        SurroundingsError: the directory, the port, the certificate or the storage cannot be used; the code says which.
        BadConfig: the access secret's file cannot be read.
    """
    stop = stop or asyncio.Event()
    with _life_cycle_log(), DataDirectory(config.data) as directory, _listener(config.listen) as listener:
        async with _Relay(config, directory, listener) as relay, relay.metrics():
            _whole_pages()
            with _signals(stop, relay.reload), _rare_collections():
                await relay.start()
                _log.info("ready")
                on_ready(relay.ready())
                notify("READY=1")
                await relay.until(stop)
                notify("STOPPING=1")
                _log.info("stopping")
                await relay.drain()
    _log.info("stopped")


class _Relay:
    """The parts of a running relay."""

    def __init__(self, config: RelayConfig, directory: DataDirectory, listener: socket.socket | None) -> None:
        self._config = config
        self._directory = directory
        self._listener = listener
        self._entropy = SystemEntropy()
        self._identity = directory.identity(self._entropy)
        access = config.given_access()
        self._access = None if config.open else (access or directory.access(self._entropy))
        self._tls = _tls(config, directory)
        self._limits = config.limits()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acceptor: asyncio.Server | None = None
        self._home = self._at_home() if config.carriers else None
        self._swept_at = 0.0

    async def __aenter__(self) -> _Relay:
        now = time.time()
        engine = SqliteEngine(self._directory.database)
        run = engine.begin_run(min(int(now), _LAST_RUN))
        tags = engine.tags()
        engine.close()
        reader = open_reader(self._directory.database)
        totals = reader.totals()
        reader.close()
        self._packets: PacketKeys = load_packet_keys(self._directory, tags, now)
        admission = Admission(None if self._access is None else self._access.encode())
        nonces = KnockNonces(self._entropy.bytes(32))
        desk = Desk(run, totals, self._limits, admission, nonces)
        self._storage = ProcessStorage(self._directory.database, self._on_broken, self._directory.held)
        self._statement = Statement(
            self._identity,
            self._packets,
            open_to_all=self._access is None,
            limits=self._limits,
            software=_software(),
        )
        listens = endpoint(self._listener)[0] if self._listener is not None else ""
        policy = ForwardPolicy(self._config.networks(), listens, self._limits)
        own_key = self._identity.public.raw
        self._forwarder = Forwarder(policy, own_key, self._statement, time.time)
        self._service = Service(desk, self._storage, self._packets, self._forwarder, self._statement, time.time)
        self._forwarder.own = self._service.packet
        self._onion = self._in_network()
        self._service.network = self._onion
        self._server = Server(self._service, self._statement, self._health, time.time, self._config.quotas.connections)
        rotate_packet_keys(self._directory, self._packets, self._entropy, now, self._forget)
        self._statement.renew(self._tls.key_hash, now)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        if self._home is not None:
            await self._home.close()
        for link in tuple(self._server.links):
            link.abort()
        if self._onion is not None:
            await self._onion.close()
        await self._forwarder.close()
        await self._storage.close()

    # --- life -------------------------------------------------------------------------------------------------------

    def ready(self) -> Ready:
        home = str(RelayLink(self._home.address, self._access or "")) if self._home is not None else ""
        if self._listener is None:
            return Ready(home, "", home)
        return Ready(self._link(self._listener), "{}:{}".format(*_bracketed(*endpoint(self._listener))), home)

    def _link(self, listener: socket.socket) -> str:
        return str(RelayLink(self._address(listener), self._access or ""))

    def _address(self, listener: socket.socket) -> RelayAddress:
        return relay_address(self._config, self._identity.public.raw, endpoint(listener)[1])

    async def start(self) -> None:
        """Begin to accept."""
        if self._onion is not None:
            await self._onion.start()
        if self._listener is not None:
            self._acceptor = await asyncio.get_running_loop().create_server(
                lambda: Link(self._server),
                sock=self._listener,
                ssl=self._tls.context,
                ssl_handshake_timeout=_HANDSHAKE_S,
                ssl_shutdown_timeout=_CLOSE_S,
            )
        if self._home is not None:
            await self._home.start()

    async def until(self, stop: asyncio.Event) -> None:
        """Run until `stop`. Raises SurroundingsError if the storage breaks."""
        async with asyncio.TaskGroup() as group:
            upkeep = group.create_task(self._upkeep())
            stopping = group.create_task(stop.wait())
            either: list[asyncio.Future[Any]] = [stopping, self._broken]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            upkeep.cancel()
            stopping.cancel()
        if self._broken.done():
            self._broken.result()

    async def drain(self) -> None:
        """Nothing new; answer what is under way; send everybody away."""
        server = self._server
        server.draining = True
        if self._acceptor is not None:
            self._acceptor.close()
        window_ms = max(2_000, len(server.links))  # handshakes cost about a millisecond each
        for link in tuple(server.links):
            link.goodbye(500 + randbelow(window_ms))
        answered = _wait_until(lambda: not any(link.outstanding for link in server.links), _ANSWERS_S)
        await asyncio.gather(answered, *((self._onion.drain(),) if self._onion is not None else ()))
        for link in tuple(server.links):
            link.close()
        await _wait_until(lambda: not server.links, _CLOSE_S)
        if self._home is not None:
            await self._home.close()

    def reload(self) -> None:
        """SIGHUP."""
        try:
            self._tls.reload()
        except SurroundingsError as error:
            _log.warning("certificate not reloaded: %s", error.message)
            return
        self._statement.renew(self._tls.key_hash, time.time())
        _log.info("certificate reloaded")

    @asynccontextmanager
    async def metrics(self) -> AsyncIterator[None]:
        if self._config.metrics_listen is None:
            yield
            return
        listener = listening_socket(*split_listen(self._config.metrics_listen))
        acceptor = await serve_metrics(listener, self._server, self._forwarder, self._carrier_links, self._onion)
        try:
            yield
        finally:
            acceptor.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _upkeep(self) -> None:
        upkept_at = 0.0
        while True:
            self._server.check()
            now = time.time()
            if abs(now - upkept_at) >= _UPKEEP_S:
                upkept_at = now
                self._forwarder.close_idle()
                self._rotate(now)
            if abs(now - self._swept_at) >= _SWEEP_S:
                self._swept_at = now
                self._service.sweep()
            await asyncio.sleep(_CHECK_S)

    def _rotate(self, now: float) -> None:
        try:
            if rotate_packet_keys(self._directory, self._packets, self._entropy, now, self._forget):
                self._statement.renew(self._tls.key_hash, now)
        except SurroundingsError as error:  # a full disk, most likely; the next minute may find room
            _log.warning("packet key not renewed: %s", error.message)

    def _forget(self, period: int) -> None:
        self._service.submit((ForgetTags(period),))

    def _at_home(self) -> Home:
        names, reach = self._config.carriers, self._config.reach()
        return Home(self._directory, names, reach, self._entropy, lambda: Link(self._server))

    def _in_network(self) -> OnionPart | None:
        """The relay's part in an onion network, if it has one."""
        config, listener = self._config, self._listener
        if listener is None or not (config.onion or config.authority):
            return None
        from roost.relay.onion.founding import authority_of  # most relays need none of this
        from roost.relay.onion.node import Place, Surroundings
        from roost.relay.onion.part import OnionPart

        address, authority = self._address(listener), None
        network = config.network_host() if config.directory is not None else None
        if config.authority:
            authority, network = authority_of(self._directory.onion, address, network)
        assert network is not None
        place = Place(network, address, config.operator, self._directory.onion)
        given = Surroundings(
            self._identity,
            self._forwarder,
            self._forwarder.link_to,
            self._limits,
            self._entropy,
            time.time,
            self._on_broken,
        )
        return OnionPart(place, given, node=config.onion, authority=authority)

    def _carrier_links(self) -> dict[str, int]:
        return self._home.links() if self._home is not None else {}

    def _health(self) -> bytes:
        return health(self._server)

    def _on_broken(self, error: SurroundingsError) -> None:
        _log.error("the storage failed: %s", error.message)
        if not self._broken.done():
            self._broken.set_exception(error)


def relay_address(config: RelayConfig, key: bytes, port: int) -> RelayAddress:
    """Where a relay with these settings and this key is met, if it listens on `port`."""
    if config.public_url is not None:
        host, given = public_endpoint(config.public_url)
        port = given or 443 if config.public_url.startswith("https:") else given or port
    else:
        host = _reachable_host(split_listen(config.listen)[0])
    return RelayAddress(host, port, key, _fingerprint(config))


def _tls(config: RelayConfig, directory: DataDirectory) -> TlsIdentity:
    if config.tls_certificate is not None and config.tls_key is not None:
        return TlsIdentity(config.tls_certificate, config.tls_key)
    return self_made(directory.certificate, directory.certificate_key)


def _fingerprint(config: RelayConfig) -> bytes:
    """SHA-256 of the certificate of a proxy that ends TLS in front of the relay, or nothing."""
    if config.proxy_certificate is None:
        return b""
    try:
        pem = config.proxy_certificate.read_text()
        return sha256(ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 25])).digest()
    except (OSError, ValueError) as error:
        raise SurroundingsError(
            "The proxy's certificate cannot be read.", code="bad_certificate", hint="It is a PEM file."
        ) from error


def _reachable_host(listen: str) -> str:
    """The host for the link: as given, or this machine's name where the relay listens on every address."""
    if listen not in ("0.0.0.0", "::"):  # noqa: S104 - a comparison
        return canonical_host(listen)
    try:
        return canonical_host(socket.gethostname())
    except ValueError:
        return "localhost"


def _bracketed(host: str, port: int) -> tuple[str, int]:
    return (f"[{host}]" if ":" in host else host), port


def _software() -> str:
    return f"roost {__version__}"


@contextmanager
def _listener(listen: str) -> Iterator[socket.socket | None]:
    if not listen:
        yield None
        return
    listener = listening_socket(*split_listen(listen))
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def _life_cycle_log() -> Iterator[None]:
    """Where nobody has set up logging, a line on stderr for each event of the relay's own life."""
    if _log.hasHandlers():
        yield
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("roost relay: %(message)s"))
    level = _log.level
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(level)


def _whole_pages() -> None:
    """uvloop gives every TLS connection a buffer of 256 KiB, of which a few pages are ever used. Once one was freed the
    C library takes such pieces from its heap, where the pages around them stay in use: 20 KiB more for each connection.
    Here they keep pages of their own, and the heap keeps what one busy moment frees for the next. Best effort: other C
    libraries are left alone."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Python looks for garbage in cycles after every 700 new objects, all of which a busy relay is about to free
    without that. Here it does so rarely, and never among what a start leaves behind."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _signals(stop: asyncio.Event, reload: Callable[[], None]) -> Iterator[None]:
    """Where this is not the main thread, signals are somebody else's."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: reload}
    with contextlib.ExitStack() as stack:
        for number, handler in handlers.items():
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, handler)
                stack.callback(loop.remove_signal_handler, number)
        yield


async def _wait_until(done: Callable[[], bool], timeout_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while not done():  # noqa: ASYNC110 - many links, for a moment
                await asyncio.sleep(0.02)
