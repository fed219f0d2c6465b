"""The machine's `tor` as a process of this device, with its own files and ports.

It never outlives its owner: it ends when the control connection that owns it closes, when it notices that the process
that started it is gone, and, should an owner have died before either held, when the next one starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections import deque
from pathlib import Path
from typing import Final

from roost.errors import Unreachable
from roost.network.direct.tor_config import HELP, TorConfig
from roost.network.direct.tor_control import Control, ControlRefused, connect_control

START_S: Final = 30.0  # until it can be controlled; it waits five seconds itself for another one to let its files go
END_S: Final = 5.0


class TorProcess:
    """A running tor; `start_tor` makes one, and `stop` ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=20)
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="tor output")

    async def controlled(self, config: TorConfig) -> Control:
        """A control connection that owns it, as soon as it takes one.

        Raises Unreachable when it does not come to that.
        """
        try:
            async with asyncio.timeout(START_S):
                while (place := read_port(config.port_file)) is None:
                    if self._process.returncode is not None:
                        raise await self._failure()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise Unreachable("Tor did not start.", hint=f"Roost tries again by itself; {HELP}.") from None
        control = await connect_control(place, cookie=config.cookie_file)
        try:
            await control.ask("TAKEOWNERSHIP")
        except BaseException:
            await control.close()
            raise
        return control

    async def stop(self) -> None:
        """End it, however it is, and wait until it has ended."""
        try:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await self._process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            await asyncio.wait([self._reading])

    async def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        while line := await output.readline():
            self._said.append(line.decode(errors="replace"))

    async def _failure(self) -> Unreachable:
        await self._reading
        said = "".join(self._said)
        if "another Tor process is running with the same data directory" in said:
            return Unreachable("A Tor that was left behind has not ended yet.", hint="Roost tries again by itself.")
        refused = re.search(r"Failed to parse/validate config: (.*)", said)
        why = f"Tor refuses its configuration: {refused[1].strip()[:200]}" if refused else "Tor ended at its start."
        return Unreachable(why, hint=f"Check the bridges and other settings of Tor; {HELP}.")


async def start_tor(config: TorConfig) -> TorProcess:
    """Start the machine's tor, after ending what an owner that died left behind.

    Raises Unreachable when it is not installed or cannot be started.
    """
    binary = shutil.which(config.binary)
    if binary is None:
        raise Unreachable("Tor is not installed.", hint="Install it; on Debian and Ubuntu: sudo apt install tor")
    torrc = config.torrc(os.getpid())
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        config.data.chmod(0o700)
        await _end_left_behind(config)
        config.port_file.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            binary,
            *("--hush", "--defaults-torrc", os.devnull, "-f", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for its owner, who ends it
        )
    except OSError as error:
        raise Unreachable("Tor cannot be started.", hint=f"{error.strerror}; {HELP}.") from error
    running = TorProcess(process)
    try:
        assert process.stdin is not None
        process.stdin.write(torrc.encode())
        with contextlib.suppress(OSError):  # it has ended already, and has said why
            await process.stdin.drain()
        process.stdin.close()
    except BaseException:
        await running.stop()
        raise
    return running


async def _end_left_behind(config: TorConfig) -> None:
    """Another process at the old one's port does not know the cookie in our files, and is left alone."""
    place = read_port(config.port_file)
    if place is None:
        return
    with contextlib.suppress(Unreachable, ControlRefused):
        control = await connect_control(place, cookie=config.cookie_file)
        try:
            await control.ask("SIGNAL HALT")
            async with asyncio.timeout(END_S):
                await control.over()
        except TimeoutError:
            pass
        finally:
            await control.close()


def read_port(path: Path) -> str | None:
    """Where tor says that it is controlled, or None while it has not said."""
    with contextlib.suppress(OSError):
        if found := re.match(r"PORT=(\S+)", path.read_text()):
            return found[1]
    return None
