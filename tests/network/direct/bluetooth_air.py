"""Virtual Bluetooth adapters that share one air: bumble's controllers, each behind a TCP port as if behind a cable."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from bumble import hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport.tcp_server import open_tcp_server_transport_with_socket


class Adapter(Controller):
    """A controller that can give up making a connection, and makes none with who makes one with it at the same moment,
    as real ones."""

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        mine = self.le_connections.get(packet.initiator_address)
        if mine is None:
            super().on_le_connect_ind(packet)
        elif packet.advertiser_address == mine.self_address:
            self.on_le_disconnected(mine, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


class Air(LocalLink):
    """What carries. `heard` is all that anybody advertised: the address and the data."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[bytes, bytes]] = []
        self._news = asyncio.Event()
        self._transports: dict[str, Any] = {}

    async def adapter(self, *, extended: bool = True) -> str:
        """A new adapter: what bumble calls it."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        transport = await open_tcp_server_transport_with_socket(listening)
        number = len(self._transports)
        name = f"tcp-client:127.0.0.1:{port}"
        self._transports[name] = transport
        adapter = Adapter(
            f"adapter {number}",
            host_source=transport.source,
            host_sink=transport.sink,
            link=self,
            public_address=f"F0:F1:F2:F3:F4:{number:02X}",
        )
        adapter.le_acl_data_packet_length = 251  # as of Bluetooth 4.2
        if not extended:
            adapter.le_features &= ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        return name

    def unplug(self, name: str) -> None:
        """The cable is pulled; it can be plugged in again."""
        self._transports[name].sink.transport.abort()

    def cut(self) -> None:
        """Every connection breaks, as when people walk out of reach."""
        for adapter in self.controllers:
            for connection in tuple(adapter.le_connections.values()):
                adapter.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if isinstance(packet, ll.AdvInd | ll.AdvExtInd):
            self.heard.append((bytes(packet.advertiser_address), bytes(packet.data)))
            self._news.set()
        super().send_advertising_pdu(sender_controller, packet)

    async def until(self, what: Callable[[], bool]) -> None:
        """Looked at whenever somebody advertises."""
        while not what():
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        for transport in self._transports.values():
            transport.server.close()
            if transport.sink.transport is not None:
                transport.sink.transport.close()
            await transport.close()
