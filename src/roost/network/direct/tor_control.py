"""Tor's control protocol, as much of it as a carrier needs (control-spec.txt): commands, answers, events, proving that
one may give commands. It decides nothing."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from roost.errors import Unreachable

ANSWER_S: Final = 20.0  # tor answers at once; one that does not is stuck
_LINE: Final = 1 << 20
_SERVER: Final = b"Tor safe cookie authentication server-to-controller hash"
_CONTROLLER: Final = b"Tor safe cookie authentication controller-to-server hash"


class ControlRefused(Exception):
    """Tor said no to a command; `status` is its three digits."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


class Control:
    """A control connection that may give commands; `connect_control` makes one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.on_event: Callable[[str], None] = lambda _text: None
        self.version: tuple[int, ...] = ()
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[list[tuple[int, str]]]] = deque()
        self._task = asyncio.get_running_loop().create_task(self._read(), name="tor control")

    async def ask(self, command: str) -> list[str]:
        """The lines of tor's answer.

        Raises ControlRefused when it said no, and Unreachable when the connection is over.
        """
        if self._task.done():
            raise _lost()
        answer: asyncio.Future[list[tuple[int, str]]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._writer.write(command.encode() + b"\r\n")
        try:
            async with asyncio.timeout(ANSWER_S):
                lines = await answer
        except TimeoutError:
            self._writer.transport.abort()
            raise _lost() from None
        status, text = lines[-1]
        if status // 100 != 2:
            raise ControlRefused(status, text)
        return [line for _, line in lines]

    async def info(self, key: str) -> str:
        """The value of one GETINFO key."""
        return (await self.ask(f"GETINFO {key}"))[0].partition("=")[2]

    async def over(self) -> None:
        """Returns when the connection is over."""
        await asyncio.wait([self._task])

    async def close(self) -> None:
        self._writer.transport.abort()
        await self.over()

    async def _read(self) -> None:
        try:
            while True:
                lines = await self._answer()
                if lines[0][0] == 650:
                    self.on_event(lines[0][1])
                elif self._waiting:
                    waiting = self._waiting.popleft()
                    if not waiting.done():
                        waiting.set_result(lines)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):  # it has ended, or it is not tor
            self._writer.transport.abort()
        finally:
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_exception(_lost())

    async def _answer(self) -> list[tuple[int, str]]:
        """One answer or event: lines with a status, of which one behind "+" goes on until a single dot."""
        lines = []
        while True:
            line = await self._line()
            status, mark, text = int(line[:3]), line[3:4], line[4:]
            if mark == "+":
                while (data := await self._line()) != ".":
                    text += "\n" + data.removeprefix(".")
            lines.append((status, text))
            if mark == " ":
                return lines
            if mark not in ("+", "-"):
                raise ValueError("not an answer of tor")

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\r\n"))[:-2].decode(errors="replace")


async def connect_control(place: str, *, password: str = "", cookie: Path | None = None) -> Control:
    """A control connection to the tor at `place` ("host:port" or a Unix socket's path), which has taken us as its
    controller: by the cookie in a file, by a password, or because it takes everybody. With `cookie` no other file is
    read than this.

    Raises Unreachable when nothing answers there, when it is not tor, or when it refuses.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await _open(place)
    except (OSError, TimeoutError, ValueError) as error:
        raise Unreachable("No Tor answers at its control port.", hint="Start it, or correct the setting.") from error
    control = Control(reader, writer)
    try:
        await _authenticate(control, password, cookie)
    except ControlRefused as error:
        await control.close()
        raise Unreachable(
            "Tor's control port refused this device.", hint="Check the control port's password or cookie."
        ) from error
    except BaseException:
        await control.close()
        raise
    return control


async def _open(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    path = place.removeprefix("unix:")
    if path.startswith("/"):
        return await asyncio.open_unix_connection(path, limit=_LINE)
    host, _, port = place.rpartition(":")
    return await asyncio.open_connection(host.strip("[]") or "127.0.0.1", int(port), limit=_LINE)


async def _authenticate(control: Control, password: str, cookie: Path | None) -> None:
    offer = "\n".join(await control.ask("PROTOCOLINFO 1"))
    version = re.search(r'VERSION Tor="(\d+)\.(\d+)\.(\d+)', offer)
    control.version = tuple(map(int, version.groups())) if version else ()
    methods = (re.search(r"METHODS=(\S+)", offer) or [""] * 2)[1].split(",")
    shown = re.search(r'COOKIEFILE="((?:[^"\\]|\\.)*)"', offer)
    if "NULL" in methods and cookie is None:
        await control.ask("AUTHENTICATE")
    elif "HASHEDPASSWORD" in methods and password:
        quoted = password.replace("\\", "\\\\").replace('"', '\\"')
        await control.ask(f'AUTHENTICATE "{quoted}"')
    elif "SAFECOOKIE" in methods and (cookie or shown):
        await _prove(control, _read_cookie(cookie or Path(_unescaped(shown[1] if shown else ""))))
    else:
        raise Unreachable("Tor's control port wants a password.", hint="Set the password of Tor's control port.")


def _read_cookie(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreachable(
            "Tor's control cookie cannot be read.",
            hint="On Debian: sudo adduser $USER debian-tor, and log in again.",
        ) from error


async def _prove(control: Control, cookie: bytes) -> None:
    """Both ends show that they know the cookie, and neither shows it (control-spec section 3.24)."""
    nonce = os.urandom(32)
    challenge = "".join(await control.ask(f"AUTHCHALLENGE SAFECOOKIE {nonce.hex()}"))
    found = re.search(r"SERVERHASH=(\w{64}) SERVERNONCE=(\w{64})", challenge)
    if found is None:
        raise ControlRefused(500, "no challenge")
    said, known = bytes.fromhex(found[1]), cookie + nonce + bytes.fromhex(found[2])
    if not hmac.compare_digest(said, hmac.digest(_SERVER, known, sha256)):
        raise ControlRefused(515, "it does not know the cookie")
    await control.ask(f"AUTHENTICATE {hmac.digest(_CONTROLLER, known, sha256).hex()}")


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _lost() -> Unreachable:
    return Unreachable("Tor has ended.", hint="Roost tries again by itself.")
