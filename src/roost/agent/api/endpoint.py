"""Where a running agent listens, as its profile's `agent.json` says, and how stale traces of a dead one are told.

The socket lies in the profile's folder; where that path is too long for a socket address, in a private folder of its
own below XDG_RUNTIME_DIR or the system's temporary folder. Place: agent; used by the server and by whoever connects.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import msgspec

SOCKET_NAME = "agent.sock"
FILE_NAME = "agent.json"
MAX_SOCKET_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux, with a final zero
UNIX_HOST = "roost"
"""The `Host` of requests over the Unix socket."""
_PREFIX = "roost-"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of agent.json. `token` is what HTTP on localhost asks for; the socket's rights need none."""

    version: int = 1
    pid: int
    socket: str
    url: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return f"<Endpoint pid={self.pid}>"


def read_endpoint(folder: Path) -> Endpoint | None:
    """What agent.json says, or None where there is none, or none of ours that can be read."""
    try:
        return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Endpoint)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Replace agent.json at once, readable by the owner only."""
    new = folder / f"{FILE_NAME}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(endpoint) + b"\n")
    os.replace(new, folder / FILE_NAME)


def forget_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Take away agent.json, the socket, and the folder made for it. Only who holds the profile's lock may call this."""
    (folder / FILE_NAME).unlink(missing_ok=True)
    path = Path(endpoint.socket)
    path.unlink(missing_ok=True)
    if path.parent != folder and path.parent.name.startswith(_PREFIX):
        shutil.rmtree(path.parent, ignore_errors=True)


def bind_socket(folder: Path) -> socket.socket:
    """A listening Unix socket that only the owner can reach. What a dead agent left is taken away first.

    Only who holds the profile's lock may call this: then no living agent serves this profile.
    """
    if (stale := read_endpoint(folder)) is not None and _ours(Path(stale.socket)):
        forget_endpoint(folder, stale)
    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        path = _private_folder() / SOCKET_NAME
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(os.fspath(path))
        path.chmod(0o600)  # nobody can connect before `listen`
        listening.listen(128)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _private_folder() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = runtime if runtime and os.path.isdir(runtime) and len(os.fsencode(runtime)) < 60 else None
    if base is None and len(os.fsencode(tempfile.gettempdir())) >= 60:
        base = "/tmp"  # noqa: S108 - mkdtemp makes a folder of mode 0700 there
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))


def _ours(path: Path) -> bool:
    """Whether this is a socket of our own user: agent.json may have been copied with the folder from elsewhere."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()
