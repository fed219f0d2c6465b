"""Sockets to listen on, with one clear sentence for each way in which that fails, and word to the service manager."""

from __future__ import annotations

import errno
import os
import socket

from roost.errors import SurroundingsError

_BACKLOG = 1_024


def listening_socket(host: str, port: int) -> socket.socket:
    """One bound, listening, non-blocking socket; port 0 takes a free one. `::` listens on IPv4 too.

    Raises:
        SurroundingsError: codes port_in_use, port_not_allowed, bad_listen.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _no_address() from error
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _failed(error) from error
    return listener


def _failed(error: OSError) -> SurroundingsError:
    if error.errno == errno.EADDRINUSE:
        return SurroundingsError(
            "Another program already listens on this port.",
            code="port_in_use",
            hint="Stop it, or choose another port with --listen HOST:PORT.",
        )
    if error.errno == errno.EACCES:
        return SurroundingsError(
            "This user may not listen on this port.",
            code="port_not_allowed",
            hint="Choose a port above 1023, or let systemd grant CAP_NET_BIND_SERVICE.",
        )
    return _no_address()


def _no_address() -> SurroundingsError:
    return SurroundingsError(
        "The address to listen on is not one of this machine's.",
        code="bad_listen",
        hint="Use 0.0.0.0:PORT to listen on every address.",
    )


def endpoint(listener: socket.socket) -> tuple[str, int]:
    """Where it really listens."""
    name = listener.getsockname()
    return str(name[0]), int(name[1])


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)) where it asked to be told."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(state.encode(), path)
    except OSError:
        return  # nobody listens; the relay runs all the same
