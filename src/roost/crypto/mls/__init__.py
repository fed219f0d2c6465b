"""MLS (RFC 9420): groups whose members are devices. docs/protocol/mls.md says what Roost chooses within the RFC.

Sans-I/O: bytes, keys, `now` and an `Entropy` in; bytes and new values out. `Group` is where to begin.
"""

from roost.crypto.mls.changes import Changes, StagedCommit
from roost.crypto.mls.committing import CommitOptions
from roost.crypto.mls.continuing import branch, reinitialise
from roost.crypto.mls.epoch import Member
from roost.crypto.mls.errors import (
    FutureEpoch,
    GroupClosed,
    InvalidChange,
    Malformed,
    MissingProposal,
    MissingPsk,
    MlsError,
    MlsMisuse,
    NotAuthentic,
    NotForThisClient,
    OwnMessage,
    Replayed,
    StaleEpoch,
    TooFarAhead,
    TooLarge,
    Unsupported,
    WrongGroup,
)
from roost.crypto.mls.extensions import ExternalSender, RequiredCapabilities, external_senders_extension
from roost.crypto.mls.framing import MlsMessage
from roost.crypto.mls.group import Group
from roost.crypto.mls.identity import DeviceIdentity
from roost.crypto.mls.key_package import KeyPackage, KeyPackageSecrets, make_key_package
from roost.crypto.mls.key_schedule import EpochSecrets
from roost.crypto.mls.leaf import Capabilities, Credential, Extension, Lifetime
from roost.crypto.mls.outside import JoinOptions, propose_from_outside, propose_joining
from roost.crypto.mls.proposal_list import SentProposal
from roost.crypto.mls.proposals import Add, GroupContextExtensions, PreSharedKey, Proposal, ReInit, Remove
from roost.crypto.mls.psk import PskId, Psks, PskUsage
from roost.crypto.mls.results import ApplicationReceived, CommitReceived, ProposalReceived, Received, Settings
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.storage import load, load_staged, save_epoch, save_keys, save_staged
from roost.crypto.mls.suites import DEFAULT_SUITE, MLS_128_X25519, MLS_256_XWING, SUITES, CipherSuite, suite_by_id

__all__ = [
    "DEFAULT_SUITE",
    "MLS_128_X25519",
    "MLS_256_XWING",
    "SUITES",
    "Add",
    "ApplicationReceived",
    "Capabilities",
    "Changes",
    "CipherSuite",
    "CommitOptions",
    "CommitReceived",
    "Credential",
    "DeviceIdentity",
    "EpochSecrets",
    "Extension",
    "ExternalSender",
    "FutureEpoch",
    "Group",
    "GroupClosed",
    "GroupContextExtensions",
    "InvalidChange",
    "JoinOptions",
    "KeyPackage",
    "KeyPackageSecrets",
    "Lifetime",
    "Malformed",
    "Member",
    "MissingProposal",
    "MissingPsk",
    "MlsError",
    "MlsMessage",
    "MlsMisuse",
    "NotAuthentic",
    "NotForThisClient",
    "OwnMessage",
    "PreSharedKey",
    "Proposal",
    "ProposalReceived",
    "PskId",
    "PskUsage",
    "Psks",
    "ReInit",
    "Received",
    "Remove",
    "Replayed",
    "RequiredCapabilities",
    "SentProposal",
    "Settings",
    "SignatureKey",
    "StagedCommit",
    "StaleEpoch",
    "TooFarAhead",
    "TooLarge",
    "Unsupported",
    "WrongGroup",
    "branch",
    "external_senders_extension",
    "load",
    "load_staged",
    "make_key_package",
    "propose_from_outside",
    "propose_joining",
    "reinitialise",
    "save_epoch",
    "save_keys",
    "save_staged",
    "suite_by_id",
]
