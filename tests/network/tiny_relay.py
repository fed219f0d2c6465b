"""A relay of a few lines for the tests of this room: it keeps everything in memory and misbehaves on demand.

It answers over the memory carrier and over real TLS sockets, as raw frames and as a WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hashlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HttpRequest
from websockets.server import ServerProtocol

from roost.crypto import Label, PacketSecret, SigningKey, capability_hash, open_packet
from roost.errors import CryptoError, RoostError
from roost.network import SYSTEM_ENTROPY, Link, LinkTiming, ShownCertificate, link_over
from roost.network.carriers import memory_pair
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.frames import FrameReader, frame
from roost.wire.links import RelayLink
from roost.wire.sizes import PACKET_LARGE, PACKET_SMALL

Send = Callable[[bytes], None]
Reach = Callable[[RelayAddress], Awaitable[Link]]


def make_certificate(folder: Path | None = None) -> tuple[bytes, ssl.SSLContext]:
    """A self-made certificate (DER) and a server context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(certificate.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return certificate.public_bytes(Encoding.DER), context


async def eventually(fact: Callable[[], bool]) -> None:
    """Wait until `fact` holds; for things that only the event loop's next turns bring about."""
    async with asyncio.timeout(5):
        while not fact():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


def key_hash(der: bytes) -> bytes:
    public = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


@dataclass
class Client:
    """One link as the relay sees it."""

    send: Send
    subscriptions: dict[int, bytes] = field(default_factory=dict)  # call id -> get capability hash


class TinyRelay:
    """Mailboxes in memory. The attributes of the second group make it misbehave."""

    def __init__(self, *, access: str = "") -> None:
        self.key = SigningKey.generate(SYSTEM_ENTROPY)
        self.der, self.context = make_certificate()
        self.packet = PacketSecret.generate(SYSTEM_ENTROPY)
        self.access = access
        self.port = 1
        self.rights: dict[bytes, tuple[m.Right, bytes]] = {}  # capability hash -> (right, mailbox)
        self.boxes: dict[bytes, list[m.Entry]] = {}
        self.clients: list[Client] = []
        self.reach: Reach | None = None  # how it connects to another relay
        self.requests: list[m.Request] = []

        self.info_changes: dict[str, object] = {}
        self.future = False  # speaks no version of today
        self.mute = False  # receives, says nothing
        self.reply: Callable[[m.Request], m.Response | None] = lambda _: None  # instead of the usual answer
        self.shown_info: dict[bytes, m.SignedInfo] = {}  # of other relays, to be told once
        self.alpn = ["roost/1", "http/1.1"]

    @property
    def address(self) -> RelayAddress:
        return RelayAddress("127.0.0.1", self.port, self.key.public.raw)

    @property
    def link(self) -> RelayLink:
        return RelayLink(self.address, self.access)

    def signed_info(self) -> m.SignedInfo:
        public = m.PacketKey(self.packet.public.raw, int(time.time()) + 3_600)
        if self.future:
            encoded = encode((2, self.key.public.raw, "what comes later"))
            return m.SignedInfo(encoded, self.key.sign(Label.RELAY_INFO, encoded))
        info = m.RelayInfo(1, self.key.public.raw, key_hash(self.der), public, int(time.time()), not self.access)
        encoded = encode(msgspec.structs.replace(info, **self.info_changes))
        return m.SignedInfo(encoded, self.key.sign(Label.RELAY_INFO, encoded))

    # --- frames -------------------------------------------------------------------------------------------------------

    def arrived(self, send: Send) -> Client:
        client = Client(send)
        self.clients.append(client)
        if not self.mute:
            send(encode(m.Hello(self.signed_info())))
        return client

    async def handle(self, client: Client, body: bytes) -> None:
        call = decode(m.Call, body)
        self.requests.append(call.request)
        if self.mute:
            return
        response = self.reply(call.request)
        if response is None:
            response = await self.answer(call.request, client, call.id)
        client.send(encode(m.Reply(call.id, response)))
        if isinstance(response, m.Subscribed) and isinstance(call.request, m.Subscribe):
            for entry in self.boxes[client.subscriptions[call.id]]:
                if entry.number > call.request.after:
                    client.send(encode(m.Delivery(call.id, entry.number, entry.envelope)))

    async def answer(self, request: m.Request, client: Client | None = None, call: int = 0) -> m.Response:
        match request:
            case m.Ping() | m.Unsubscribe():
                return m.Done()
            case m.GetInfo(of=None):
                return self.signed_info()
            case m.Create(grants=grants, admission=admission):
                if admission != self.access.encode():
                    return m.Refusal(m.RefusalCode.NOT_ADMITTED)
                box = grants[0].capability_hash
                self.boxes.setdefault(box, [])
                self.rights |= {grant.capability_hash: (grant.right, box) for grant in grants}
                return m.Done()
            case m.Forward() | m.Packet() | m.GetInfo():
                return await self.forwarding(request)
        capability = getattr(request, "put", None) or getattr(request, "get", None) or getattr(request, "admin", b"")
        _, box = self.rights.get(capability_hash(capability), (None, b""))
        if box not in self.boxes:
            return m.Refusal(m.RefusalCode.DENIED)
        return self.in_box(request, box, client, call)

    def in_box(self, request: m.Request, box: bytes, client: Client | None, call: int) -> m.Response:
        entries = self.boxes[box]
        match request:
            case m.Put(envelope=envelope):
                number = entries[-1].number + 1 if entries else 1
                entries.append(m.Entry(number, envelope))
                for each in self.clients:
                    for subscription, subscribed in each.subscriptions.items():
                        if subscribed == box:
                            each.send(encode(m.Delivery(subscription, number, envelope)))
                return m.Stored(number)
            case m.Get(after=after, limit=limit):
                found = [entry for entry in entries if entry.number > after]
                return m.Entries(tuple(found[:limit]), len(found) > limit)
            case m.Subscribe() if client is not None:
                client.subscriptions[call] = box
                return m.Subscribed(entries[-1].number if entries else 0)
            case m.Trim(upto=upto):
                entries[:] = [entry for entry in entries if entry.number > upto]
            case m.Delete():
                del self.boxes[box]
        return m.Done()

    async def forwarding(self, request: m.Request) -> m.Response:
        match request:
            case m.Packet(packet=packet):
                try:
                    inner, key, _ = open_packet(self.packet, packet)
                except CryptoError:
                    return m.Refusal(m.RefusalCode.STALE_PACKET)
                answer = encode(await self.answer(decode(m.Request, inner)))
                small = len(answer) < PACKET_SMALL - 64
                return m.SealedAnswer(key.seal(answer, PACKET_SMALL if small else PACKET_LARGE))
            case m.GetInfo(of=RelayAddress() as to) if to.key in self.shown_info:
                return self.shown_info.pop(to.key)
            case m.GetInfo(of=to) | m.Forward(to=to):
                return await self.forwarded(to, request)
        raise AssertionError

    async def forwarded(self, to: RelayAddress, request: m.Request) -> m.Response:
        assert self.reach is not None
        try:
            link = await self.reach(to)
        except RoostError:
            return m.Refusal(m.RefusalCode.UNREACHABLE)
        try:
            if isinstance(request, m.Forward):
                return await link.call(m.Packet(request.packet))
            return link.signed_info
        except RoostError as error:
            return m.Refusal(m.RefusalCode(error.code))
        finally:
            await link.close()

    def goodbye(self, retry_after_ms: int) -> None:
        for client in self.clients:
            client.send(encode(m.Goodbye(retry_after_ms)))

    # --- over the memory carrier --------------------------------------------------------------------------------------

    async def connect(self, address: RelayAddress, timing: LinkTiming | None = None) -> Link:
        """A link to this relay inside the process."""
        near, far = memory_pair(ShownCertificate(self.der))
        far.attach(_MemoryEnd(self, far.send))
        return await link_over(near, address, timing)

    # --- over TLS -----------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[TinyRelay]:
        """Serve real sockets; leaving cuts every connection, as a killed process would."""
        self.context.set_alpn_protocols(self.alpn)
        self._open: set[asyncio.StreamWriter] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await server.wait_closed()
            if self._jobs:
                await asyncio.wait(self._jobs)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        job = asyncio.current_task()
        assert job is not None
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        self._open.add(writer)
        client = None
        try:
            raw = writer.get_extra_info("ssl_object").selected_alpn_protocol() == "roost/1"
            wire = _Raw(writer) if raw else _WebSocket(writer)
            if raw:
                client = self.arrived(wire.send)
            while data := await reader.read(65_536):
                for body in wire.feed(data):
                    if body is None:
                        client = self.arrived(wire.send)
                    else:
                        assert client is not None
                        await self.handle(client, body)
        except OSError:
            pass
        finally:
            if client is not None:
                self.clients.remove(client)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(writer)


class _MemoryEnd:
    def __init__(self, relay: TinyRelay, send: Send) -> None:
        self._relay = relay
        self._client = relay.arrived(send)
        self._jobs: set[asyncio.Task[None]] = set()

    def received(self, body: bytes) -> None:
        job = asyncio.ensure_future(self._relay.handle(self._client, body))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def lost(self, malformed: bool) -> None:
        if self._client in self._relay.clients:
            self._relay.clients.remove(self._client)


class _Raw:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._reader = FrameReader()

    def send(self, body: bytes) -> None:
        self._writer.write(frame(body))

    def feed(self, data: bytes) -> list[bytes | None]:
        return list(self._reader.feed(data))


class _WebSocket:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._protocol = ServerProtocol()

    def send(self, body: bytes) -> None:
        self._protocol.send_binary(body)
        self._writer.write(b"".join(self._protocol.data_to_send()))

    def feed(self, data: bytes) -> list[bytes | None]:
        """Messages, and None for the upgrade."""
        self._protocol.receive_data(data)
        found: list[bytes | None] = []
        for event in self._protocol.events_received():
            if isinstance(event, HttpRequest):
                assert event.path == "/roost"
                self._protocol.send_response(self._protocol.accept(event))
                found.append(None)
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                found.append(bytes(event.data))
        self._writer.write(b"".join(self._protocol.data_to_send()))
        return found
