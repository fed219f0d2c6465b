"""What tor's events mean for people, and what is made of a setting. No tor is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.errors import CallerError, Unreachable
from roost.network.direct.tor_config import TorConfig
from roost.network.direct.tor_socks import socks_place
from roost.network.direct.tor_status import TorStatus

STEP = 'STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS={} TAG=conn SUMMARY="Connecting to a relay"'
HELD_UP = (
    'STATUS_CLIENT WARN BOOTSTRAP PROGRESS=10 TAG=conn SUMMARY="x" WARNING="y" REASON={} COUNT=9 RECOMMENDATION={}'
)


def why(*events: str) -> str:
    status = TorStatus()
    for event in events:
        status.event(event)
    trouble = status.trouble()
    assert trouble is None or trouble.hint
    return trouble.message if trouble else ""


def test_it_starts_step_by_step() -> None:
    assert why() == "Tor is starting (0 %)."
    assert why(STEP.format(45)) == "Tor is starting (45 %)."
    assert why('NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"') == ""


def test_what_holds_it_up_is_told_until_it_goes_on() -> None:
    refused = HELD_UP.format("CONNECTREFUSED", "warn")
    assert why(refused) == "Tor cannot reach its network (10 %)."
    assert why(HELD_UP.format("CONNECTREFUSED", "ignore")) == "Tor is starting (10 %)."
    assert why(refused, STEP.format(15)) == "Tor is starting (15 %)."
    assert "clock" in why(HELD_UP.format("CLOCK_SKEW", "warn"))
    status = TorStatus()
    status.held_up()
    assert "cannot reach" in str(status.trouble())


@pytest.mark.parametrize("lost", ["NETWORK_LIVENESS DOWN", "STATUS_CLIENT NOTICE CIRCUIT_NOT_ESTABLISHED REASON=X"])
def test_a_network_that_is_lost_comes_back(lost: str) -> None:
    done = STEP.format(100)
    assert why(done, lost) == "Tor has lost its network."
    assert why(done, lost, "STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED") == ""
    assert why(done, "HS_DESC UPLOADED x UNKNOWN y", "NETWORK_LIVENESS UP") == ""


def test_the_socks_port_is_found() -> None:
    assert socks_place('"127.0.0.1:9050" "unix:/run/tor/socks"') == "127.0.0.1:9050"
    assert socks_place('"unix:/run/a \\"b\\"/socks"') == 'unix:/run/a "b"/socks'
    assert socks_place("") is None


def test_a_setting_stays_one_line() -> None:
    for settings in ({"bridges": ("1.2.3.4:1\nControlPort 1",)}, {"extra": ("a\rb",)}, {"password": "a\nb"}):
        with pytest.raises(CallerError):
            TorConfig(Path("/x"), **settings)  # type: ignore[arg-type]
    assert 'DataDirectory "/x \\"y\\""\n' in TorConfig(Path('/x "y"')).torrc(1)


def test_bridges() -> None:
    lines = TorConfig(Path("/x"), bridges=("Bridge 1.2.3.4:1 AA", "5.6.7.8:9")).torrc(1).splitlines()
    assert "UseBridges 1" in lines
    assert [line for line in lines if line.startswith("Bridge ")] == ["Bridge 1.2.3.4:1 AA", "Bridge 5.6.7.8:9"]
    plugin = "obfs4,webtunnel exec /opt/lyrebird"
    lines = TorConfig(Path("/x"), bridges=("obfs4 1.2.3.4:1 AA",), transport_plugins=(plugin,)).torrc(1).splitlines()
    assert [line for line in lines if "exec" in line] == [f"ClientTransportPlugin {plugin}"]
    with pytest.raises(Unreachable, match="unheard"):
        TorConfig(Path("/x"), bridges=("unheard 1.2.3.4:1",)).torrc(1)
    assert "UseBridges" not in TorConfig(Path("/x")).torrc(1)


def test_no_secret_is_printed() -> None:
    assert "hush" not in repr(TorConfig(Path("/x"), password="hush"))
