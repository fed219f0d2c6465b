"""Where a person's side keeps its state: one folder for each account and device. DESIGN section 9.

`ProfileFolder` finds, makes and unlocks it; `Profile` holds it open, with its `Store` (the encrypted database) and its
`FileStore` (encrypted attachments). docs/protocol/profile-format.md describes every byte.
"""

from roost.store.download import Download
from roost.store.fileref import FileRef
from roost.store.files import AddedFile, FileStore, Progress
from roost.store.lock import WAIT_S, ProfileLock
from roost.store.profile import Profile, ProfileFolder
from roost.store.protection import Keyring, Passphrase, Protection, Unprotected
from roost.store.store import Store

__all__ = [
    "WAIT_S",
    "AddedFile",
    "Download",
    "FileRef",
    "FileStore",
    "Keyring",
    "Passphrase",
    "Profile",
    "ProfileFolder",
    "ProfileLock",
    "Progress",
    "Protection",
    "Store",
    "Unprotected",
]
