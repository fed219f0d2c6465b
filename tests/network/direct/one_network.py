"""A network of a test's own with nobody else on it: what is started there meets by multicast, and nothing beyond."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.network.direct.namespaces import inside, ip, namespace

ADDRESS = "192.0.2.1"


@contextmanager
def alone() -> Iterator[None]:
    """This thread, and the processes and threads that it starts, are on it meanwhile. Skips where there can be none."""
    with namespace() as name:
        ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "nobody")
        ip("-n", name, "addr", "add", f"{ADDRESS}/24", "dev", "eth0")
        with inside(name):
            Path("/proc/sys/net/ipv6/conf/nobody/disable_ipv6").write_text("1")
            ip("link", "set", "nobody", "up")
            ip("link", "set", "eth0", "up")
            yield
