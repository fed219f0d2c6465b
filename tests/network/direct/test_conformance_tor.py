"""The carrier over Tor keeps every carrier's promises, in a private Tor network.

The devices use two tors that stay, so that not every test has to wait for a tor to start; what a carrier's own tor
adds is in test_tor.py.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_process import read_port
from tests.network.direct.conformance import CarrierConformance, Device, MakeDevice
from tests.network.direct.tor_devices import PATIENCE_S, config, device
from tests.tor_network import TorNetwork, tor_network

__all__ = ["tor_network"]


@pytest.fixture(scope="module")
def tors(tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TorConfig]]:
    """How carriers use the two tors: one for each of the conformance suite's devices."""
    processes = []
    found = {}
    try:
        for who in ("one", "other"):
            settings = config(tmp_path_factory.mktemp("tor") / who, tor_network)
            settings.data.mkdir(mode=0o700)
            process = subprocess.Popen(
                ["tor", "--hush", "--defaults-torrc", os.devnull, "-f", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            processes.append(process)
            assert process.stdin is not None
            process.stdin.write(settings.torrc(os.getpid()).encode())
            process.stdin.close()
            found[who] = settings
        yield found
    finally:
        for process in processes:
            process.kill()
            process.wait()


class TestTor(CarrierConformance):
    finds = False  # that somebody is there shows only when he is dialled
    patience_s: ClassVar[float] = PATIENCE_S
    bulk: ClassVar[int] = 1_024 * 1_024

    @pytest.fixture
    def make(self, tors: dict[str, TorConfig], tmp_path: Path) -> MakeDevice:
        async def make(who: str) -> Device:
            while (place := read_port(tors[who].port_file)) is None:  # noqa: ASYNC110 - a file that tor writes
                await asyncio.sleep(0.02)
            return device(who, config(tmp_path / who, None, control=place))

        return make
