"""A relay at home: the people of its link meet it over carriers, beside its address or without one.

To them it is a device that hosts mailboxes (network.direct): it shows itself under the one meeting that its link names,
looks for nobody, and who opens a link to it speaks the same protocol as over TLS. It decides nothing about requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Sequence

from roost.crypto import Entropy, SigningKey
from roost.network.direct.carrier import CarrierName
from roost.network.direct.direct import Direct, Way
from roost.network.direct.host_end import HostProtocol
from roost.network.direct.link import PeerLink
from roost.network.direct.making import Making, Reach, make_carrier
from roost.relay.files import DataDirectory
from roost.wire.addresses import DeviceHost

_log = logging.getLogger("roost.relay")
_CLOSE_S = 1.2


class Home:
    """The relay's links over carriers. Made on the event loop; `start` and `close` once.

    Raises, when it is made, SurroundingsError or CallerError: its keys are damaged, or a carrier cannot be.
    """

    def __init__(
        self,
        directory: DataDirectory,
        carriers: Sequence[CarrierName],
        reach: Reach,
        entropy: Entropy,
        host: HostProtocol,
    ) -> None:
        keys = directory.home(entropy)
        making = Making(directory.carriers, keys.onion_seed, entropy, reach)
        made = [make_carrier(name, making) for name in dict.fromkeys(carriers)]
        onion = SigningKey.from_seed(keys.onion_seed).public.raw if CarrierName.TOR in carriers else b""
        self.address = DeviceHost(keys.link.public.raw, keys.meeting, onion)
        self._told: dict[CarrierName, tuple[bool, str]] = {}
        self._started = False
        self._direct = Direct(
            keys.link, made, entropy, host=host, on_peer=_nothing, on_message=_unheard, on_carriers=self._tell
        )
        self._direct.serve({keys.meeting: Way()}, ())

    async def start(self) -> None:
        """Be there. A carrier that is not ready yet, as Tor, goes on by itself."""
        await self._direct.start()
        self._started = True
        self._tell()

    async def close(self) -> None:
        """End what stands; a carrier that takes long is left to end by itself. Once is enough."""
        if not self._started:
            return
        self._started = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._direct.close()

    def links(self) -> dict[str, int]:
        """How many links stand over each carrier."""
        standing = Counter(link.carrier for link in self._direct.standing())
        return {name.value: standing[name] for name in self._direct.carriers}

    def _tell(self) -> None:
        """A line for each carrier that works now, or does not, or for another reason than before."""
        for state in self._direct.states() if self._started else ():
            now = state.ready, state.hint
            if self._told.get(state.name) != now:
                self._told[state.name] = now
                if state.ready:
                    _log.info("carrier %s: ready", state.name)
                else:
                    _log.warning("carrier %s: not ready: %s %s", state.name, state.why, state.hint)


def _nothing(_key: bytes, _up: bool) -> None:
    """Who comes and goes is nobody's business."""


def _unheard(_link: PeerLink, _message: bytes) -> None:
    """What devices say to each other beside their calls is not for a relay."""
