"""What an operator does before an authority of an onion network runs: found the network, and tell it of the others."""

from __future__ import annotations

from pathlib import Path

from roost.relay.config import BadConfig, RelayConfig, split_listen
from roost.relay.files import DataDirectory
from roost.relay.onion import founding
from roost.relay.onion.founding import Founding, Terms
from roost.relay.server.run import SystemEntropy, relay_address


def init_network(config: RelayConfig, terms: Terms) -> Founding:
    """Make the relay of `config` an authority of a new network.

    Raises:
        BadConfig: it has no address that stays.
        CannotFound, SurroundingsError: as relay.onion.founding.
    """
    port = split_listen(config.listen)[1] if config.listen else 0
    if not port:
        raise BadConfig("An authority has an address that stays: HOST:PORT with a port of your choice.")
    with DataDirectory(config.data) as directory:
        key = directory.identity(SystemEntropy()).public.raw
        return founding.found(directory.onion, relay_address(config, key, port), terms)


def add_authority(data: Path, line: str) -> Founding:
    """Tell the authority in this data directory of another one. Raises as relay.onion.founding.add_authority."""
    if not data.is_dir():
        raise founding.not_an_authority()
    with DataDirectory(data) as directory:
        return founding.add_authority(directory.onion, line)
