"""What the command line offers, and how it answers wrong use: help, examples, exit codes, completion, start-up."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from roost.apps.cli.common import RoostCommand, RoostGroup
from roost.apps.cli.root import COMMANDS, root, run
from roost.errors import SurroundingsError

CONTRACT = (
    "relay,init,whoami,invite,add,requests,accept,contacts,send,edit,delete,react,read,save,search,listen,verify,status,"
    "sync,agent,relays,device,invitations,revoke,block,unblock,rename,introduce,passphrase,about,timer,clear,export"
)


def _all_commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root, info_name="roost")
    for name in COMMANDS:
        found = root.get_command(context, name)
        assert found is not None
        yield name, found
        if isinstance(found, click.Group):
            for inner, command in found.commands.items():
                yield f"{name} {inner}", command


ALL = dict(_all_commands())


def test_every_command_of_the_contract_exists() -> None:
    assert set(CONTRACT.split(",")) <= set(COMMANDS)
    nested = {
        "relay check",
        "relays list",
        "relays add",
        "relays remove",
        "device link",
        "device list",
        "device remove",
    }
    assert nested <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_help_has_examples(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    command = ALL[name]
    assert isinstance(command, (RoostCommand, RoostGroup))
    assert command.examples
    assert command.help
    assert run([*name.split(), "--help"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    for part in ("Usage: roost " + name, "--json", "--profile DIR", "Examples:", *command.examples):
        assert part in out


def test_roost_alone_prints_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capfd.readouterr().out
    for name, (_, says) in COMMANDS.items():
        assert f"  {name} " in out
        assert says in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_ROOST_COMPLETE" in capfd.readouterr().out


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capfd.readouterr().out.startswith("roost 0.")
    for line in (["--version", "--json"], ["--json", "--version"]):
        assert run(line) == 0
        said = json.loads(capfd.readouterr().out)
        assert said["ok"] is True
        assert said["version"][0].isdigit()


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "--nonsense",
        "init",
        "init --name A",
        "invite --one-time --reusable",
        "invite --expire soon",
        "invite --expire off",
        "add",
        "accept",
        "send",
        "send Bob hi --wait nowhere",
        "send Bob hi extra",
        "send Bob hi --timeout -1",
        "edit m1",
        "read",
        "read Bob --limit 0",
        "read Bob --limit x",
        "save m1",
        "timer Bob",
        "timer Bob soon",
        "relays nonsense",
        "relays add",
        "device remove",
        "device link --confirm CODE --relay X",
        "relay --data",
        "relay --listen 127.0.0.1:0",
        "relay --data /tmp/x --listen nonsense",
        "relay check",
        "completion tcsh",
        "about",
        "search",
    ],
)
def test_wrong_syntax_is_exit_2(line: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "Usage: roost" in err or "Error: " in err
    assert run([*line.split(), "--json"] if "--data" not in line.split()[-1:] else ["--json", *line.split()]) == 2
    (only,) = capfd.readouterr().out.splitlines()
    assert set(json.loads(only)["error"]) == {"code", "message", "hint"}


def test_init_without_anybody_to_ask(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOST_PASSPHRASE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(["init", "--name", "A", "--relay", "roost-relay://x", "--json", "--profile", "/nonexistent/x"]) == 1
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["code"] == "passphrase_needed"
    for way in ("ROOST_PASSPHRASE", "--keyring", "--no-passphrase"):
        assert way in error["hint"]


# --- errors that nobody expected -------------------------------------------------------------------------------------


def _breaking(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    profile = importlib.import_module("roost.apps.cli.profile")
    monkeypatch.setattr(profile, "session", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZeroDivisionError("secret"), "internal"),
        (OSError(28, "No space left"), "disk_full"),
        (PermissionError(13, "denied", "/some/where"), "no_permission"),
        (KeyboardInterrupt(), "interrupted"),
        (ExceptionGroup("several", [SurroundingsError("One.", code="one"), ValueError()]), "one"),
    ],
)
def test_whatever_happens_is_one_sentence_and_exit_1(
    error: BaseException, code: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _breaking(error, monkeypatch)
    assert run(["whoami", "--json"]) == 1
    out, err = capfd.readouterr()
    assert json.loads(out)["error"]["code"] == code
    assert "Traceback" not in err
    assert "secret" not in out
    assert run(["whoami"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "roost: " in err
    assert "Traceback" not in err


def test_debugging_shows_where(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOST_DEBUG", "1")
    _breaking(ZeroDivisionError("detail"), monkeypatch)
    assert run(["whoami"]) == 1
    assert "ZeroDivisionError: detail" in capfd.readouterr().err


def test_no_profile(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["whoami", "--json", "--profile", str(tmp_path / "none")]) == 1
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["code"] == "no_profile"
    assert "roost init" in error["hint"]
    assert not (tmp_path / "none").exists()


# --- what is imported when -------------------------------------------------------------------------------------------


def _imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_importing_a_room_stays_light() -> None:
    loaded = _imported("import roost, roost.wire")
    assert loaded & {"aiohttp", "asyncio", "click", "rich", "roost.agent", "apsw", "cryptography"} == set()


def test_asking_an_agent_needs_no_heavy_imports() -> None:
    loaded = _imported("from roost.apps.cli.root import run\nassert run(['--version']) == 0")
    assert loaded & {"aiohttp", "asyncio", "rich", "apsw", "cryptography", "segno", "keyring"} == set()
    loaded = _imported("import roost.agent.connect, roost.apps.cli.people")
    assert loaded & {"aiohttp", "websockets", "apsw", "cryptography", "rich"} == set()


def test_the_documented_codes_exist() -> None:
    root_folder = Path(__file__).resolve().parent.parent.parent
    section = (root_folder / "docs" / "cli.md").read_text().partition("## Codes of errors")[2]
    code = "".join(path.read_text() for path in (root_folder / "src" / "roost").rglob("*.py"))
    documented = {word for line in section.splitlines() for word in line.split("`")[1::2] if word.isidentifier()}
    assert len(documented) > 40
    assert [word for word in sorted(documented) if f'"{word}"' not in code] == []
