"""Links between people's own devices, over carriers that promise nothing: what other rooms use of them.

A handshake (peer_handshake.py) proves both ends' static keys to each other and to nobody else; records
(peer_records.py) carry what is said. Every byte of both looks random to whoever does not hold the meeting. Pure and
sans-I/O: docs/protocol/peer-links.md.
"""

from roost.crypto.meetings import MEETING_SIZE, REMEMBER_S
from roost.crypto.peer_handshake import Established, PeerLinkInitiator, PeerLinkResponder
from roost.crypto.peer_records import MAX_RECORD, MAX_RECORD_DATA, Records

__all__ = [
    "MAX_RECORD",
    "MAX_RECORD_DATA",
    "MEETING_SIZE",
    "REMEMBER_S",
    "Established",
    "PeerLinkInitiator",
    "PeerLinkResponder",
    "Records",
]
