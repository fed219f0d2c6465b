"""What an operator sets: the sample file, flags over it, what is refused, and what becomes of it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from relay_process import launch, running

from roost.network import connect_relay
from roost.relay import BadConfig, Ready, load_config
from roost.relay.config import public_endpoint, split_listen
from roost.relay.files import DataDirectory
from roost.relay.server.run import SystemEntropy

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "packaging" / "relay.sample.toml"


def test_the_sample_shows_the_defaults(tmp_path: Path) -> None:
    default = load_config(None, data=Path("/var/lib/roost-relay"))
    assert load_config(SAMPLE) == default
    shown = re.sub(r"^# (?=\w+ = )", "", SAMPLE.read_text(), flags=re.MULTILINE)
    chosen = (
        "public_url",
        "access",
        "access_file",
        "tls_",
        "proxy_",
        "metrics_listen",
        "forward_networks",
        "directory",
        "operator",
    )
    kept = [line for line in shown.splitlines() if not line.startswith(chosen)]
    (tmp_path / "all.toml").write_text("\n".join(kept))
    assert load_config(tmp_path / "all.toml") == default
    assert len(kept) > 40


def test_flags_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text('data = "~/there"\nlisten = "[::]:1"\n[quotas]\ntotal_gib = 1.5\n')
    config = load_config(path, listen="127.0.0.1:2", open=None)
    assert (config.data, config.listen, config.open) == (Path.home() / "there", "127.0.0.1:2", False)
    assert config.limits().total_bytes == 3 * 2**29


def test_with_carriers_an_address_is_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text('data = "there"\ncarriers = ["lan", "tor"]\n[tor]\ncontrol = "127.0.0.1:9051"\n')
    config = load_config(path)
    assert (config.listen, config.carriers) == ("", ("lan", "tor"))
    assert config.reach().control == "127.0.0.1:9051"
    assert load_config(path, listen=":80").listen == ":80"
    assert load_config(None, data=tmp_path, carriers=("lan",)).listen == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "data = 5",
        "nothing = 1\ndata = 'x'",
        "listen = '127.0.0.1:1'",
        "data = 'x'\nlisten = '127.0.0.1'",
        "data = 'x'\nlisten = '127.0.0.1:70000'",
        "data = 'x'\nopen = true\naccess = 'secret'",
        "data = 'x'\naccess = ''",
        f"data = 'x'\naccess = '{'x' * 65}'",
        "data = 'x'\ntls_key = 'key.pem'",
        "data = 'x'\npublic_url = 'https://'",
        "data = 'x'\nlisten = ''",
        "data = 'x'\ncarriers = ['pigeon']",
        "data = 'x'\nonion = true",
        "data = 'x'\nonion = true\ndirectory = 'roost-network:broken'",
        "data = 'x'\ndirectory = 'roost-network:without-a-part-in-it'",
        "data = 'x'\noperator = 'nobody'",
        "data = 'x'\nonion = true\ncarriers = ['lan']",
        "data = 'x'\ncarriers = ['lan']\npublic_url = 'https://relay.example'",
        "data = 'x'\ncarriers = ['lan']\ntls_certificate = 'a.pem'\ntls_key = 'a.key'",
        "data = 'x'\n[tor]\nother = 1",
        "data = 'x'\npublic_url = 'https://127.1'",
        "data = 'x'\nforward_networks = ['10.0.0.1/8']",
        "data = 'x'\nenvelope_days = 0",
        "data = 'x'\n[quotas]\ntotal_gib = -1",
        "data = 'x'\n[quotas]\nother = 1",
        "not toml",
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(wrong)
    with pytest.raises(BadConfig) as caught:
        load_config(path)
    assert caught.value.code == "bad_config"


def test_endpoints() -> None:
    assert split_listen(":80") == ("0.0.0.0", 80)
    assert split_listen("[::]:80") == ("::", 80)
    assert public_endpoint("https://Relay.Example:8443/x") == ("relay.example", 8443)
    assert public_endpoint("relay.example") == ("relay.example", None)


def test_the_access_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    with running(tmp_path / "data", access_file=str(tmp_path / "secret")) as relay:
        assert relay.link.access == "from a file"
    config = load_config(None, data=tmp_path, access_file=tmp_path / "gone")
    with pytest.raises(BadConfig):
        config.given_access()


@pytest.mark.parametrize(("url", "endpoint"), [("https://relay.example", "relay.example:443"), ("[::1]:9", "[::1]:9")])
def test_the_link_names_the_public_host(tmp_path: Path, url: str, endpoint: str) -> None:
    with running(tmp_path / "data", public_url=url) as relay:
        assert relay.link.address.endpoint == endpoint


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    made = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"]
    command += [f"/CN={name}", "-days", "2", "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(command, check=True, capture_output=True)
    return made


async def test_an_operators_certificate_is_shown_and_read_again_at_sighup(tmp_path: Path) -> None:
    path, key = certificate(tmp_path, "first")
    other = certificate(tmp_path, "second")
    with running(tmp_path / "data", tls_certificate=str(path), tls_key=str(key)) as relay:
        link = await connect_relay(relay.link.address)
        before = link.info.tls_key_hash
        await link.close()
        path.write_bytes(other[0].read_bytes())
        key.write_bytes(other[1].read_bytes())
        relay.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
        link = await connect_relay(relay.link.address)
        assert link.info.tls_key_hash != before
        await link.close()
        key.write_text("broken")
        relay.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.3)
        link = await connect_relay(relay.link.address)
        await link.close()


def test_a_proxys_fingerprint_stands_in_the_link(tmp_path: Path) -> None:
    path, _ = certificate(tmp_path, "proxy")
    with running(tmp_path / "data", proxy_certificate=str(path)) as relay:
        assert len(relay.link.address.tls_fingerprint) == 32


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        with running(tmp_path / "data") as relay:
            assert manager.recv(100) == b"READY=1"
            assert relay.terminate() == 0
            assert manager.recv(100) == b"STOPPING=1"


def test_standard_output_is_the_callers_and_errors_are_few(tmp_path: Path) -> None:
    process = launch(tmp_path / "data")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert out == ""
    assert [line.rpartition(":")[2] for line in errors.splitlines()] == ["ready", "stopping", "stopped"]


def test_settings_and_readiness_print_no_secret(tmp_path: Path) -> None:
    config = load_config(None, data=tmp_path, access="open sesame")
    assert "sesame" not in repr(config)
    assert "roost-relay" not in repr(Ready("roost-relay://…", "127.0.0.1:1", "roost-relay:…"))
    reach = load_config(None, data=tmp_path, tor={"password": "sesame", "bridges": ["sesame"]})
    assert "sesame" not in repr((reach, reach.tor, reach.reach()))
    home = DataDirectory(tmp_path).home(SystemEntropy())
    assert home.meeting.hex() not in repr(home)
    assert repr(home.meeting) not in repr(home)
