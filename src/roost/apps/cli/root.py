"""`roost` itself: the commands by name, imported only when used, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from roost.apps.cli.common import RoostGroup, wants_json
from roost.apps.cli.output import Output
from roost.errors import CallerError, RoostError, SurroundingsError

# name: (module under roost.apps.cli, what the list of commands says). Kept apart so that `--help` imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("profile", "Make a profile."),
    "whoami": ("profile", "Show whose profile this is."),
    "about": ("profile", "Change your name, status or picture."),
    "passphrase": ("profile", "Change what protects the profile."),
    "invite": ("contacts", "Make an invitation."),
    "invitations": ("contacts", "List invitations that can still be used."),
    "revoke": ("contacts", "End an invitation."),
    "add": ("contacts", "Open an invitation and ask to become contacts."),
    "requests": ("contacts", "List pending contact requests."),
    "accept": ("contacts", "Accept a contact request."),
    "decline": ("contacts", "Decline a contact request."),
    "contacts": ("people", "List contacts."),
    "verify": ("people", "Compare safety numbers."),
    "rename": ("people", "Give a contact a name of your own."),
    "block": ("people", "Block a contact."),
    "unblock": ("people", "Let a blocked contact write again."),
    "introduce": ("people", "Introduce two contacts to each other."),
    "route": ("people", "Show or limit the way that a conversation takes."),
    "group": ("groups", "Make, fill, change and leave groups."),
    "groups": ("groups", "List your groups."),
    "send": ("messages", "Send a message, files, or both."),
    "read": ("reading", "Show a conversation."),
    "search": ("reading", "Find messages by words."),
    "listen": ("reading", "Print what happens, as it happens."),
    "edit": ("messages", "Change a message of yours."),
    "delete": ("messages", "Delete a message, or a contact."),
    "react": ("messages", "React to a message."),
    "pin": ("messages", "Keep a message at hand for both sides."),
    "poll": ("polls", "Ask everybody in a conversation."),
    "vote": ("polls", "Choose in a poll."),
    "save": ("messages", "Save an attachment."),
    "timer": ("messages", "Let new messages of a conversation disappear."),
    "clear": ("messages", "Delete all messages of a conversation."),
    "export": ("messages", "Write a conversation into a folder."),
    "status": ("connection", "Show connections, and what waits."),
    "sync": ("connection", "Send and fetch all that is waiting."),
    "relays": ("connection", "List, add and remove your relays."),
    "carriers": ("carriers", "Ways from device to device: show them, turn them on and off."),
    "nearby": ("carriers", "Find people on the local network, and be found."),
    "courier": ("carriers", "Carry parcels of your contacts."),
    "carry": ("carriers", "Carry what waits in a file."),
    "device": ("devices", "Link, list and remove your devices."),
    "agent": ("agent", "Keep the profile connected; other commands then use it."),
    "relay": ("relay", "Host a relay, or check one."),
    "network": ("network", "Onion networks: found one, look at one."),
    "channel": ("channels", "Open channels: make, join, look after them."),
    "completion": ("completion", "Print shell completion."),
}


class _Root(RoostGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"roost.apps.cli.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


@click.group(
    "roost",
    cls=_Root,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=(
        "roost relay --data ./relay --listen 0.0.0.0:7777",
        "roost init --name Alice --relay 'roost-relay://…'",
        "roost invite --qr",
        "roost add 'roost:…' --greeting 'Hi, it is Bob'",
        "roost send Bob 'Good morning'",
    ),
)
@click.option("--version", is_flag=True, help="Print the version.")
@click.option("--no-browser", is_flag=True, help="Without a command: print the app's address, open nothing.")
@click.pass_context
def root(context: click.Context, version: bool, no_browser: bool) -> None:
    """Roost, a private messenger. Without a command: the app, in your browser.

    COMMAND --help shows each command's options and examples.
    """
    if version:
        _print_version(Output(json=wants_json(context)))
        context.exit(0)
    if context.invoked_subcommand is None:
        from roost.apps.cli.app import start_app

        start_app(context, browser=not no_browser)


def _print_version(out: Output) -> None:
    from roost import __version__

    if out.json:
        out.line({"ok": True, "version": __version__})
    else:
        print(f"roost {__version__}")


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code: 0 done, 1 refused or failed, 2 usage."""
    out = Output(json="--json" in _options(arguments))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = root.main(args=list(arguments), prog_name="roost", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        return _usage(out, error)
    except click.Abort:
        return _failed(out, RoostError("Stopped.", code="interrupted"))
    except BrokenPipeError:
        _forget_stdout()
        return 1
    except BaseException as error:
        if isinstance(error, (SystemExit, GeneratorExit)):
            raise
        return _failed(out, explain(error))


def explain(error: BaseException) -> RoostError:
    """What a person should be told. ROOST_DEBUG=1 shows where it happened."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if os.environ.get("ROOST_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    if isinstance(error, RoostError):
        return error
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return RoostError("Stopped.", code="interrupted")
    if isinstance(error, click.ClickException):
        return CallerError(error.format_message())
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return SurroundingsError("The disk is full.", code="disk_full", hint="Make room and repeat the command.")
    if isinstance(error, PermissionError):
        return SurroundingsError(
            f"Not allowed: {error.filename}", code="no_permission", hint="Check its owner and rights."
        )
    return RoostError(
        f"Something went wrong that should not ({type(error).__name__}).",
        code="internal",
        hint="Run it again with ROOST_DEBUG=1 to see where, and please report it.",
    )


def _usage(out: Output, error: click.UsageError) -> int:
    if out.json:
        hint = error.ctx.get_usage() if error.ctx else ""
        out.line({"error": {"code": "usage", "message": error.format_message(), "hint": hint}})
    error.show(sys.stderr)
    return 2


def _failed(out: Output, error: RoostError) -> int:
    try:
        out.error(error)
    except BrokenPipeError:
        _forget_stdout()
    return 1


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments before `--`: behind it nothing is an option."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _forget_stdout() -> None:
    """The reader of a pipe went away: let the interpreter's last flush go nowhere."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def main_group() -> Any:
    """The click group, for shell completion."""
    return root
