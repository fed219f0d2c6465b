"""Sizes and limits that both sides of a wire must agree on, each with its reason. In bytes unless named otherwise."""

from __future__ import annotations

from typing import Final

ENVELOPE_SIZE: Final = 4_096  # DESIGN: always, so that no size speaks
BLOB_SIZE: Final = 65_536  # one stored encrypted chunk of an attachment
CAPABILITY_SIZE: Final = 32
HASH_SIZE: Final = 32
RELAY_KEY_SIZE: Final = 32  # Ed25519
LINK_KEY_SIZE: Final = 32  # X25519
MEETING_SIZE: Final = 16  # so that an invitation to a device stays short
ONION_KEY_SIZE: Final = 32  # Ed25519
HOLD_SIZE: Final = 16
PLACE_SIZE: Final = 16  # the first bytes of all capabilities of a mailbox; the rest of each is its secret
TOKEN_SIZE: Final = 16  # by which an onion node knows a client's link
REPLY_ID_SIZE: Final = 16  # by which that client knows a reply block
BLOB_ID_SIZE: Final = 32
LOCATOR_SIZE: Final = 32
CARD_SIZE: Final = 6_144  # stored cards are padded to this, whatever the number of devices
MAX_CARD_SIZE: Final = CARD_SIZE

PACKET_SMALL: Final = 8_192  # padded plaintext of a forwarded request or answer that carries at most one envelope
PACKET_LARGE: Final = BLOB_SIZE + 4_096  # ... that carries a blob
MAX_FRAME: Final = 131_072  # the largest frame: a page of entries or one large packet with its overhead
ONION_HEADER: Final = 4 * 1_190  # four layers of an onion packet (crypto.onion)
ONION_PAYLOAD: Final = 8_192  # one request with one envelope and one reply block
ONION_PACKET_SIZE: Final = 2 + ONION_HEADER + ONION_PAYLOAD  # on every link, whatever is left to travel
ONION_ZEROS: Final = 32  # at the start of a payload, by which whoever opens it knows that nobody changed it
MAX_REPLY_BLOCK: Final = 3_648  # three layers, the first node, a key
DIRECTORY_PART: Final = 65_536  # a directory's documents travel in parts
SWARM_OPERATIONS: Final = MAX_FRAME - 2_048  # what the nodes that keep a mailbox tell each other at one time
PAGE_ENTRIES: Final = 24  # envelopes in one answer to `get`: 24 * 4,096 stays under MAX_FRAME

# Limits of texts count their UTF-8 bytes.
MAX_HOST: Final = 128  # DNS allows 253; with those a full contact request would not fit one envelope
MAX_TEXT: Final = 65_536  # one message; more goes as a file
MAX_NAME: Final = 128
MAX_GREETING: Final = 400
MAX_DEVICES: Final = 8  # of one account: a contact request with its device list must fit one envelope
MAX_DEVICE_LIST: Final = 1_024  # an encoded list of MAX_DEVICES, with room for extensions
MAX_CARD: Final = 4_096  # an encoded card with that list inside
MAX_PERIOD_S: Final = 21_600  # of an onion network: what a node opens with a key it remembers for two periods
MAX_FILE: Final = 2 * 1024**3
MAX_HOLDS: Final = 32  # attachments that one envelope needs

MAX_FRAGMENTS: Final = 64  # envelopes of one entry
MAX_ACKNOWLEDGEMENTS: Final = 4  # in one frame: as many sessions as are kept with one device
FRAME_OVERHEAD: Final = 18  # the most that an encoded frame without acknowledgements adds to its payload
CHECK_SIZE: Final = 8  # of a frame's payload, in its acknowledgement
ACKNOWLEDGEMENT_SIZE: Final = 29 + 2 + CHECK_SIZE  # the most that each acknowledgement adds
MAX_CONTENT: Final = 97_000  # an encoded content; its entry fits MAX_FRAGMENTS envelopes
MAX_COPIED_CONTENT: Final = 96_900  # a content inside the copy for another device of its author
