"""A visit to a host that is met over carriers, by somebody with no profile: for testing a relay at home."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from roost.crypto import AgreementSecret, Entropy
from roost.errors import Unreachable
from roost.network.direct.carrier import CarrierName
from roost.network.direct.direct import Direct, Way
from roost.network.direct.making import Making, Reach, make_carrier
from roost.network.link import Link
from roost.wire.addresses import DeviceHost

FIND_S: Final = 15.0
FIND_OVER_TOR_S: Final = 90.0  # a Tor of one's own has to start
_AGAIN_S: Final = 0.25


@asynccontextmanager
async def visiting(host: DeviceHost, entropy: Entropy) -> AsyncIterator[Visit]:
    """Look for the host as long as the context lasts: on the local network, and over Tor where it is there."""
    names = [CarrierName.LAN, CarrierName.TOR] if host.onion else [CarrierName.LAN]
    with tempfile.TemporaryDirectory(prefix="roost-visit-", ignore_cleanup_errors=True) as folder:
        making = Making(Path(folder), entropy.bytes(32), entropy, Reach())
        direct = Direct(
            AgreementSecret.generate(entropy),
            [make_carrier(name, making) for name in names],
            entropy,
            on_peer=lambda _key, _up: None,
            on_message=lambda _link, _message: None,
            on_carriers=lambda: None,
        )
        direct.serve({}, [(host, Way())])
        await direct.start()
        try:
            yield Visit(direct, host)
        finally:
            await direct.close()


class Visit:
    def __init__(self, direct: Direct, host: DeviceHost) -> None:
        self._direct = direct
        self._host = host

    async def link(self) -> Link:
        """A link to the host, as soon as it is found. Raises Unreachable when it is not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (FIND_OVER_TOR_S if self._host.onion else FIND_S)
        while True:
            try:
                return await self._direct.link(self._host)
            except Unreachable as error:
                if loop.time() >= deadline:
                    raise _not_found() from error
            await asyncio.sleep(_AGAIN_S)


def _not_found() -> Unreachable:
    return Unreachable(
        "The relay at home was not found, on no network that this machine and it both use.",
        code="not_near",
        hint="Look at the relay's own log, and try from the same local network.",
    )
