"""What an authority keeps: what it has said in this period, so that a restart never makes it say something else, and
the nodes' descriptors.

vote         a period and its own vote for it
signed       a period and the consensus that it signed for it
descriptors  the nodes' own words
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from roost.errors import SurroundingsError, WireError
from roost.relay.files import write_secret
from roost.wire.codec import Record, decode, encode
from roost.wire.onion import MAX_CONSENSUS, MAX_NODES, Period, SignedDescriptor


class _Said(Record, frozen=True):
    period: Period
    data: Annotated[bytes, Meta(max_length=MAX_CONSENSUS)]


_Descriptors = Annotated[tuple[SignedDescriptor, ...], Meta(max_length=MAX_NODES)]


class AuthorityFiles:
    """Raises SurroundingsError where the folder cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable() from error

    def vote(self, period: int, make: bytes) -> bytes:
        """The vote for this period: the one that was cast already, or `make`, which is kept before anybody sees it."""
        return self._once("vote", period, make)

    def signed(self, period: int, made: bytes) -> bytes:
        """The consensus that is signed for this period: the one that was already, or `made`."""
        return self._once("signed", period, made)

    def already_signed(self, period: int) -> bytes | None:
        return self._said("signed", period)

    def descriptors(self) -> tuple[SignedDescriptor, ...]:
        try:
            return decode(_Descriptors, (self._folder / "descriptors").read_bytes())
        except (OSError, WireError):
            return ()  # nodes bring them again each period

    def keep_descriptors(self, descriptors: tuple[SignedDescriptor, ...]) -> None:
        self._write("descriptors", encode(descriptors))

    def _once(self, name: str, period: int, data: bytes) -> bytes:
        said = self._said(name, period)
        if said is None:
            self._write(name, encode(_Said(period, data)))
            return data
        return said

    def _said(self, name: str, period: int) -> bytes | None:
        """What was said for this period. Raises SurroundingsError when that cannot be told: better to say nothing."""
        try:
            said = decode(_Said, (self._folder / name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, WireError) as error:
            raise _unusable() from error
        if said.period > period:
            raise SurroundingsError(
                "This authority has voted for a later period already.",
                code="bad_clock",
                hint="Set this machine's clock.",
            )
        return said.data if said.period == period else None

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_secret(self._folder / name, data)
        except OSError as error:
            raise _unusable() from error


def _unusable() -> SurroundingsError:
    return SurroundingsError(
        "What this authority keeps cannot be read or written.",
        code="data_unusable",
        hint="Look into onion/authority of the data directory; delete a damaged file only after a whole period.",
    )
