"""What is believed of an onion network: its document, and the newest consensus that enough authorities signed. Pure.

The document proves itself, because the network is named by its hash. A consensus is believed if more authorities than
the document's threshold signed exactly its bytes, and it is newer than the one that is held: nobody can lead back to an
older network, in which nodes that were thrown out still stand.
"""

from __future__ import annotations

from roost.crypto import Label, VerifyKey
from roost.errors import CryptoError, PeerError, WireError
from roost.wire.codec import decode, encode
from roost.wire.onion import USABLE_PERIODS, Consensus, NetworkDocument, SignedConsensus

PERIODS_AHEAD = 1  # the next period's consensus is signed before that period begins; clocks differ


class DirectoryRefused(PeerError):
    """What was offered as a network's document or consensus is not; nothing was changed. `code` says why."""

    code = "directory_refused"


def read_document(network: bytes, data: bytes) -> NetworkDocument:
    """The document of the network with this id (32 bytes). Raises DirectoryRefused: other_network."""
    try:
        document = decode(NetworkDocument, data)
    except WireError as error:
        raise DirectoryRefused("A network's document cannot be read.", code="other_network") from error
    if document.id != network:
        raise DirectoryRefused("This is the document of another network.", code="other_network")
    return document


def read_consensus(document: NetworkDocument, signed: SignedConsensus) -> tuple[Consensus, int]:
    """The consensus, if authorities of this network signed it, as many as must; and how many did.

    Raises:
        DirectoryRefused: other_network, not_signed.
    """
    count = signers(document, signed)
    if count < document.threshold:
        raise DirectoryRefused("Too few of the network's authorities signed its consensus.", code="not_signed")
    try:
        consensus = decode(Consensus, signed.consensus)
    except WireError as error:  # made by a newer Roost
        raise DirectoryRefused("A network's consensus cannot be read.", code="other_network") from error
    if consensus.network != document.id:
        raise DirectoryRefused("This is the consensus of another network.", code="other_network")
    return consensus, count


def signers(document: NetworkDocument, signed: SignedConsensus) -> int:
    """How many different authorities signed it."""
    authorities = {authority.key for authority in document.authorities}
    found: set[bytes] = set()
    for made in signed.signatures:
        if made.authority in authorities - found:
            try:
                VerifyKey(made.authority).verify(Label.ONION_CONSENSUS, signed.consensus, made.signature)
            except CryptoError:
                continue
            found.add(made.authority)
    return len(found)


class Directory:
    """A network as far as it is known here. `consensus` is the newest that was believed, usable or not any more."""

    def __init__(self, document: NetworkDocument) -> None:
        self.document = document
        self.consensus: Consensus | None = None
        self.encoded = b""
        """The signed consensus, for those who ask for it."""
        self.signatures = 0
        """By so many authorities."""

    def accept(self, data: bytes, now: float) -> Consensus:
        """Believe an encoded `SignedConsensus` that is newer than the one held; the same again changes nothing.

        Raises:
            DirectoryRefused: `rolled_back`, older than the one held; `contradiction`, another one of the same period,
                which honest authorities never sign; `too_early`, of a period that is far away;
                `other_network`, `not_signed`, `malformed`.
        """
        if self.consensus is not None and data == self.encoded:
            return self.consensus
        try:
            signed = decode(SignedConsensus, data)
        except WireError as error:
            raise DirectoryRefused("A network's consensus cannot be read.", code="malformed") from error
        consensus, count = read_consensus(self.document, signed)
        self._check_newer(consensus)
        if consensus.period > self.document.period(now) + PERIODS_AHEAD:
            raise DirectoryRefused(
                "The network's consensus is of a time to come.", code="too_early", hint="Set this machine's clock."
            )
        if consensus != self.consensus:
            self.consensus, self.encoded, self.signatures = consensus, data, count
        return consensus

    def _check_newer(self, consensus: Consensus) -> None:
        held = self.consensus
        if held is None or consensus.period > held.period or consensus == held:
            return
        if consensus.period == held.period:
            raise DirectoryRefused("Two consensuses were signed for one period.", code="contradiction")
        raise DirectoryRefused("An older consensus of the network was offered.", code="rolled_back")

    def usable(self, now: float) -> Consensus | None:
        """The consensus, if it is not too old to be used."""
        if self.consensus is None or self.document.period(now) > self.consensus.period + USABLE_PERIODS:
            return None
        return self.consensus

    def encoded_document(self) -> bytes:
        return encode(self.document)
