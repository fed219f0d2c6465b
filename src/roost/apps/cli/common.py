"""What every command shares: `--json` and `--profile` before or after its name, examples in its help, types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from roost.apps.cli.formats import parse_duration, parse_size
from roost.apps.folders import default_profile

P = ParamSpec("P")
T = TypeVar("T")
_JSON, _PROFILE = "roost.json", "roost.profile"


def wants_json(context: click.Context) -> bool:
    return bool(context.meta.get(_JSON))


def chosen_profile(context: click.Context) -> Path:
    return Path(context.meta.get(_PROFILE) or default_profile()).expanduser().absolute()


def _keep(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            context.meta[key] = value  # shared with every parent and child context

    return callback


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_keep(_JSON), help="Print JSON, one object a line."
        ),
        click.Option(
            ["--profile"],
            metavar="DIR",
            expose_value=False,
            callback=_keep(_PROFILE),
            help="The profile's folder (environment: ROOST_PROFILE).",
        ),
    ]


class _WithExamples(click.Command):
    """Prints the `examples` after the options, as they are typed."""

    examples: tuple[str, ...] = ()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {' ' * formatter.current_indent}{line}\n" for line in self.examples))
        super().format_epilog(ctx, formatter)


class RoostCommand(_WithExamples):
    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())
        self.examples = examples


class RoostGroup(click.Group, _WithExamples):
    command_class = RoostCommand

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())
        self.examples = examples


def command(name: str, *examples: str, **attributes: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A command of docs/cli.md with examples for its help."""
    return click.command(name, cls=RoostCommand, examples=examples, **attributes)


class DurationType(click.ParamType[int]):
    """`1h`, `30m`, `7d`…; becomes whole seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is not a duration: {error}.", param, ctx)


class SizeType(click.ParamType[int]):
    """`64M`, `2G`…; becomes bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is not a size: {error}.", param, ctx)


class ListenType(click.ParamType[str]):
    """`HOST:PORT`; an IPv6 address stands in brackets."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        host, colon, port = str(value).rpartition(":")
        if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
            self.fail(f"{value!r} is not HOST:PORT, such as 127.0.0.1:7777 or [::]:7777.", param, ctx)
        return str(value)


DURATION = DurationType()
SIZE = SizeType()
LISTEN = ListenType()
SECONDS = click.FloatRange(min=0, max=86_400)

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
