"""What an operator sets: flags over a TOML file over defaults (packaging/relay.sample.toml)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from roost.errors import CallerError
from roost.network.direct.carrier import CarrierName
from roost.network.direct.making import Reach
from roost.relay.core.forwarding import IpNetwork
from roost.relay.core.limits import Limits
from roost.wire.addresses import OnionHost, canonical_host
from roost.wire.links import parse_relay_link

_MAX_ACCESS = 64  # bytes; it travels in the relay's link
_GIB = 1024**3

Positive = Annotated[int, Meta(ge=1)]


class BadConfig(CallerError):
    """A setting is wrong. The operator should correct it."""

    code = "bad_config"
    hint = "See packaging/relay.sample.toml and docs/operating-a-relay.md."


class QuotaConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[quotas]`: see `relay.core.limits.Limits`."""

    total_gib: Annotated[float, Meta(gt=0)] = 20.0
    mailbox_envelopes: Positive = 10_000
    shared_envelopes: Positive = 50_000
    mailbox_blob_gib: Annotated[float, Meta(ge=0)] = 5.0
    request_slots: Annotated[int, Meta(ge=1, le=256)] = 16
    mailbox_idle_days: Annotated[int, Meta(ge=30)] = 180
    connections: Positive = 15_000
    remembered_packets: Annotated[int, Meta(ge=1_000_000)] = 32_000_000


class TorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[tor]`: bridges, or an existing tor's control port with its password."""

    bridges: tuple[str, ...] = ()
    control: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "TorSettings()"


class RelayConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A relay's settings. `access` None and not `open`: a secret is made and kept in the data directory. `listen`
    empty: it has no address and is met over its `carriers` alone. `directory` is the link of an onion network in which
    it is a node (`onion`), one of the `authority`s, or both."""

    data: Path
    listen: str = "0.0.0.0:7777"
    carriers: tuple[CarrierName, ...] = ()
    tor: TorSettings = msgspec.field(default_factory=TorSettings)
    access: str | None = None
    access_file: Path | None = None
    open: bool = False
    public_url: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    proxy_certificate: Path | None = None
    envelope_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    work_bits: Annotated[int, Meta(ge=0, le=24)] = 16
    requests_per_second: Annotated[float, Meta(gt=0)] = 2_000.0
    packets_per_second: Annotated[float, Meta(ge=1)] = 300.0
    metrics_listen: str | None = None
    forward_networks: tuple[str, ...] = ()
    directory: str | None = None
    onion: bool = False
    authority: bool = False
    operator: Annotated[str, Meta(max_length=64)] = ""
    quotas: QuotaConfig = msgspec.field(default_factory=QuotaConfig)

    def __post_init__(self) -> None:
        """Raises BadConfig."""
        if self.listen:
            split_listen(self.listen)
        elif not self.carriers:
            raise BadConfig("A relay that nobody can reach: give it an address to listen on, or carriers.")
        elif self.public_url is not None or self.tls_certificate is not None or self.proxy_certificate is not None:
            raise BadConfig("A public URL and certificates belong to a relay that listens on an address.")
        if self.metrics_listen is not None:
            split_listen(self.metrics_listen)
        if self.open and (self.access is not None or self.access_file is not None):
            raise BadConfig("A relay is either open or has an access secret.")
        if self.access is not None and not 0 < len(self.access.encode()) <= _MAX_ACCESS:
            raise BadConfig(f"The access secret has 1 to {_MAX_ACCESS} bytes.")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise BadConfig("A TLS certificate and its key are given together.")
        if self.public_url is not None:
            public_endpoint(self.public_url)
        self.networks()
        if self.onion or self.authority:
            if not self.listen:
                raise BadConfig("A node of an onion network listens on an address.")
            if self.directory is not None or not self.authority:  # an authority knows its network
                self.network_host()
        elif self.directory is not None or self.operator:
            raise BadConfig("A directory and an operator belong to a node of an onion network.")

    def __repr__(self) -> str:
        """Without the access secret."""
        return f"RelayConfig(data={str(self.data)!r}, listen={self.listen!r})"

    def reach(self) -> Reach:
        """How the carriers reach what they need."""
        return Reach(bridges=self.tor.bridges, control=self.tor.control, password=self.tor.password)

    def networks(self) -> tuple[IpNetwork, ...]:
        """The private networks that packets may be forwarded into."""
        try:
            return tuple(ipaddress.ip_network(text) for text in self.forward_networks)
        except ValueError as error:
            raise BadConfig("forward_networks lists networks such as 10.1.0.0/16.") from error

    def network_host(self) -> OnionHost:
        """The onion network in which the relay has a part. Raises BadConfig."""
        try:
            host = parse_relay_link(self.directory or "").address
        except CallerError as error:
            raise BadConfig("The directory is the link of an onion network: roost-network:…") from error
        if not isinstance(host, OnionHost):
            raise BadConfig("The directory is the link of an onion network, not of a relay.")
        return host

    def limits(self) -> Limits:
        quotas = self.quotas
        return Limits(
            envelope_days=self.envelope_days,
            mailbox_envelopes=quotas.mailbox_envelopes,
            shared_envelopes=quotas.shared_envelopes,
            mailbox_blob_bytes=int(quotas.mailbox_blob_gib * _GIB),
            total_bytes=int(quotas.total_gib * _GIB),
            request_slots=quotas.request_slots,
            mailbox_idle_days=quotas.mailbox_idle_days,
            work_bits=self.work_bits,
            work_bits_max=max(28, self.work_bits + 8),
            requests_per_second=self.requests_per_second,
            request_burst=self.requests_per_second * 4,
            forwards_per_second=self.requests_per_second / 10,
            forward_burst=self.requests_per_second / 2,
            packets_per_second=self.packets_per_second,
            packet_burst=self.packets_per_second * 10,
            remembered_packets=quotas.remembered_packets,
        )

    def given_access(self) -> str | None:
        """The access secret from the settings. Raises BadConfig."""
        if self.access_file is None:
            return self.access
        try:
            text = self.access_file.read_text().strip()
        except (OSError, ValueError) as error:
            raise BadConfig("The file with the access secret cannot be read.") from error
        if not 0 < len(text.encode()) <= _MAX_ACCESS:
            raise BadConfig(f"The access secret has 1 to {_MAX_ACCESS} bytes.")
        return text


def load_config(path: Path | None, **given: object) -> RelayConfig:
    """Settings from the TOML file at `path`, if any, under those `given` that are not None. With carriers, an address
    to listen on is one that is named.

    Raises:
        BadConfig: unreadable, unknown or wrong settings.
    """
    settings: dict[str, object] = {}
    if path is not None:
        import tomllib  # where there is no file, without

        try:
            settings = tomllib.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:  # tomllib: also for an endless number, endless nesting
            raise BadConfig("The configuration file cannot be read as TOML.") from error
    settings.update({name: value for name, value in given.items() if value is not None})
    if settings.get("carriers"):
        settings.setdefault("listen", "")
    return _convert(settings)


def _convert(settings: Mapping[str, object]) -> RelayConfig:
    try:
        return msgspec.convert(dict(settings), RelayConfig, dec_hook=_path, strict=True)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, BadConfig):
            raise error.__cause__ from error
        raise BadConfig(f"A setting is wrong: {error}") from error


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        try:
            return Path(value).expanduser()
        except RuntimeError as error:  # nobody's home
            raise msgspec.ValidationError("no such home folder") from error
    raise msgspec.ValidationError(f"expected {kind.__name__}")


def split_listen(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (every address). Raises BadConfig."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise BadConfig("An address to listen on is HOST:PORT, such as 0.0.0.0:7777 or [::]:7777.")
    return host or "0.0.0.0", int(port)  # noqa: S104


def public_endpoint(url: str) -> tuple[str, int | None]:
    """Host, and port where one is given, of a public URL such as `https://relay.example:443`. Raises BadConfig."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        port = parts.port
        host = canonical_host(parts.hostname or "")
    except (ValueError, CallerError) as error:
        raise BadConfig("The public URL is one such as https://relay.example:443") from error
    return host, port
