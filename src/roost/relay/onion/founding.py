"""How operators found an onion network: each makes a line about its authority, and gives it to all others.

Once an operator has all lines, the network's document follows from them, whatever their order, and with it the
network's id: who got another line gets another id, so nobody is led into a network of somebody else's making.

onion/authority/lines    one line for each authority that is known, the own one first
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from roost.errors import CallerError, SurroundingsError, WireError
from roost.relay.files import write_secret
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.links import LINK_VERSION, AuthorityLine, RelayLink, parse_authority_line
from roost.wire.onion import AuthorityAddress, NetworkDocument

_LINES = "lines"


class CannotFound(CallerError):
    """The network cannot be founded in this way. `code` says why."""

    code = "bad_terms"


@dataclass(frozen=True)
class Terms:
    """What all authorities of a network agree on."""

    name: str = ""
    authorities: int = 3
    threshold: int = 0
    """0: the smallest majority."""
    period_s: int = 3_600
    replicas: int = 3
    quorum: int = 0


@dataclass(frozen=True)
class Founding:
    """The authorities that are known here, the own one first."""

    lines: tuple[AuthorityLine, ...]

    @property
    def own(self) -> AuthorityLine:
        return self.lines[0]

    @property
    def missing(self) -> int:
        return self.own.authorities - len(self.lines)

    @property
    def document(self) -> NetworkDocument | None:
        """The network's document, once all authorities are known."""
        if self.missing:
            return None
        own = self.own
        addresses = sorted((line.address for line in self.lines), key=lambda address: address.key)
        authorities = tuple(AuthorityAddress(address) for address in addresses)
        return NetworkDocument(own.name, authorities, own.threshold, own.period_s, own.replicas, own.quorum)

    @property
    def link(self) -> str:
        """The network's link; empty while authorities are missing."""
        return str(RelayLink(network_host(self.document))) if self.document is not None else ""


def network_host(document: NetworkDocument) -> OnionHost:
    """The network as an address, the same for all operators."""
    return OnionHost(document.id, tuple(authority.address for authority in document.authorities[:2]))


def found(folder: Path, address: RelayAddress, terms: Terms) -> Founding:
    """Begin a network with this authority; again with the same terms changes nothing. `folder` is the data directory's
    `onion`. Raises CannotFound: bad_terms, already_founded; SurroundingsError."""
    threshold = terms.threshold or terms.authorities // 2 + 1
    quorum = terms.quorum or terms.replicas // 2 + 1
    if not terms.authorities // 2 < threshold <= terms.authorities:
        raise CannotFound("More than half of the authorities must sign, and no more than there are.")
    if not terms.replicas // 2 < quorum <= terms.replicas:
        raise CannotFound("A quorum is more than half of the replicas, and no more than all.")
    try:
        own = AuthorityLine(
            LINK_VERSION, address, terms.name, terms.authorities, threshold, terms.period_s, terms.replicas, quorum
        )
        decode(AuthorityLine, encode(own))  # the bounds
    except (CallerError, WireError) as error:
        raise CannotFound(
            "A network has 1 to 16 authorities, periods of 2 seconds to 6 hours, 1 to 9 replicas."
        ) from error
    known = founding(folder)
    if known is None:
        _write(folder, Founding((own,)))
    elif known.own != own:
        raise CannotFound(
            "In this data directory is an authority already, of another network or at another address.",
            code="already_founded",
            hint="Use another --data directory; or delete its onion/authority, if that network never ran.",
        )
    return known or Founding((own,))


def add_authority(folder: Path, text: str) -> Founding:
    """Add another operator's line; one that is known already changes nothing.

    Raises:
        CannotFound: not_an_authority, other_terms, authority_known, network_complete.
        MalformedLink: it is no authority's line.
    """
    known = founding(folder)
    if known is None:
        raise not_an_authority()
    line = parse_authority_line(text)
    if line in known.lines:
        return known
    own = known.own
    if msgspec.structs.replace(line, address=own.address) != own:
        raise CannotFound(
            "That authority was made with other terms.",
            code="other_terms",
            hint="All operators give the same --name, --authorities, --threshold, --period, --replicas and --quorum.",
        )
    if any(line.address.key == one.address.key for one in known.lines):
        raise CannotFound("This authority is known with another address.", code="authority_known")
    if not known.missing:
        raise CannotFound("The network has all of its authorities already.", code="network_complete")
    grown = Founding((*known.lines, line))
    _write(folder, grown)
    return grown


def founding(folder: Path) -> Founding | None:
    """What is known in this folder, None where no authority was made. Raises SurroundingsError: data_unusable."""
    try:
        text = (folder / "authority" / _LINES).read_text()
        lines = tuple(parse_authority_line(line) for line in text.splitlines() if line)
    except FileNotFoundError:
        return None
    except (OSError, CallerError) as error:
        raise _unusable() from error
    if not lines:
        raise _unusable()
    return Founding(lines)


def authority_of(folder: Path, address: RelayAddress, network: OnionHost | None) -> tuple[NetworkDocument, OnionHost]:
    """The document and the network of which the relay at `address` is an authority. `network` is the one that its
    operator named, if any.

    Raises:
        CannotFound: not_an_authority, authorities_missing, other_network.
    """
    known = founding(folder)
    if known is None:
        raise not_an_authority()
    document = known.document
    if document is None:
        raise CannotFound(
            f"The lines of {known.missing} more of the network's authorities are missing.",
            code="authorities_missing",
            hint="Add each with: roost network add-authority --data DIR LINE",
        )
    if network is not None and network.key != document.id:
        raise CannotFound("The directory's link is of another network.", code="other_network")
    if known.own.address != address:
        raise CannotFound(
            "The network knows this authority at another address than the one it has now.",
            code="other_address",
            hint="Give the --listen and --public-url that roost network init was given.",
        )
    return document, network or network_host(document)


def not_an_authority() -> CannotFound:
    return CannotFound(
        "In this data directory is no authority of an onion network.",
        code="not_an_authority",
        hint="Make one with: roost network init --data DIR --listen HOST:PORT",
    )


def _write(folder: Path, founding: Founding) -> None:
    try:
        (folder / "authority").mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(folder / "authority" / _LINES, "".join(f"{line}\n" for line in founding.lines).encode())
    except OSError as error:
        raise _unusable() from error


def _unusable() -> SurroundingsError:
    return SurroundingsError(
        "What is known of the network's authorities cannot be read or written.",
        code="data_unusable",
        hint="Check the file onion/authority/lines in the data directory.",
    )
