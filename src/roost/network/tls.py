"""TLS 1.3 as links use it: encryption and proof of the certificate's key; who that key belongs to is `identity`'s
business, so no authority is asked. docs/protocol/links.md, "TLS"."""

from __future__ import annotations

import ssl

ALPN_ROOST = "roost/1"  # raw frames
ALPN_HTTP = "http/1.1"  # WebSocket
WEBSOCKET_PATH = "/roost"


def client_context(*, raw: bool = True) -> ssl.SSLContext:
    """A context for dialling relays. With `raw` it offers raw frames first, WebSocket second; else WebSocket alone.

    The certificate is not checked against authorities here: `identity.prove` checks it before anything is sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN_ROOST, ALPN_HTTP] if raw else [ALPN_HTTP])
    return context
