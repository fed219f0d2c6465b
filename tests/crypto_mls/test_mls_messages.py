"""Structures and message protection against the working group's vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from mls_helpers import SystemEntropy, private_key_of, signature_key_of, suite_of

from roost.crypto.mls.codec import Reader, Structure
from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.errors import MlsError
from roost.crypto.mls.framing import (
    AuthData,
    AuthenticatedContent,
    Content,
    FramedContent,
    MlsMessage,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.key_schedule import JoinerSchedule
from roost.crypto.mls.proposals import (
    Add,
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    Update,
    read_proposal,
)
from roost.crypto.mls.protection import (
    check_confirmation,
    check_signature,
    open_sender_data,
    protect_private,
    protect_public,
    sign_content,
    unprotect_private,
    unprotect_public,
)
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.welcome import GroupSecrets, Welcome

Vectors = Callable[[str], Any]
unhex = bytes.fromhex

STRUCTURES: dict[str, type[Structure]] = {
    "ratchet_tree": RatchetTree,
    "group_secrets": GroupSecrets,
    "add_proposal": Add,
    "update_proposal": Update,
    "remove_proposal": Remove,
    "pre_shared_key_proposal": PreSharedKey,
    "re_init_proposal": ReInit,
    "external_init_proposal": ExternalInit,
    "group_context_extensions_proposal": GroupContextExtensions,
    "commit": Commit,
}


def test_structures_come_back(vectors: Vectors) -> None:
    for case in vectors("mls/messages.json"):
        for name, value in case.items():
            kind = STRUCTURES.get(name, MlsMessage)
            assert kind.decode(unhex(value)).encode() == unhex(value), name
            for broken in (unhex(value)[:-1], unhex(value) + b"\0"):
                with pytest.raises(MlsError):
                    kind.decode(broken)


def test_protection(vectors: Vectors) -> None:
    for case in vectors("mls/message-protection.json"):
        _Protection(case).check()


class _Protection:
    """One case: members, leaf 1 signs, and what it says comes as public and as private message."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case, self.suite = case, suite_of(case)
        self.bytes = {name: unhex(value) for name, value in case.items() if isinstance(value, str)}
        get = self.bytes
        hashes = get["tree_hash"], get["confirmed_transcript_hash"]
        self.context = GroupContext(self.suite.id, get["group_id"], case["epoch"], *hashes, ())
        self.key = signature_key_of(self.suite, case["signature_priv"])
        self.tree = SecretTree.begin(self.suite, get["encryption_secret"], 2)
        assert self.key.public == get["signature_pub"]

    def check(self) -> None:
        proposal = read_proposal(Reader(self.bytes["proposal"]))
        contents: tuple[tuple[str, Content], ...] = (
            ("proposal", proposal),
            ("commit", Commit.decode(self.bytes["commit"])),
            ("application", self.bytes["application"]),
        )
        for name, content in contents:
            private = MlsMessage.decode(self.bytes[f"{name}_priv"]).body
            assert isinstance(private, PrivateMessage)
            assert self.open_private(private) == content
            assert self.open_private(self.make_private(content)) == content
            if name != "application":
                public = MlsMessage.decode(self.bytes[f"{name}_pub"]).body
                assert isinstance(public, PublicMessage)
                assert self.open_public(public) == content
                assert self.open_public(self.make_public(content)) == content

    def open_private(self, message: PrivateMessage) -> Content:
        sender = open_sender_data(self.suite, self.bytes["sender_data_secret"], message)
        _, opened = unprotect_private(self.suite, self.tree, message, sender)
        assert sender.leaf == 1
        check_signature(self.suite, self.key.public, opened, self.context)
        return opened.content.content

    def open_public(self, message: PublicMessage) -> Content:
        opened = unprotect_public(self.suite, self.bytes["membership_key"], message, self.context)
        check_signature(self.suite, self.key.public, opened, self.context)
        return opened.content.content

    def signed(self, content: Content, wire_format: WireFormat) -> AuthenticatedContent:
        framed = FramedContent(
            self.context.group_id, self.context.epoch, Sender(SenderType.MEMBER, 1), b"with", content
        )
        signature = sign_content(self.suite, self.key, wire_format, framed, self.context)
        tag = bytes(self.suite.hash_size) if isinstance(content, Commit) else None
        return AuthenticatedContent(wire_format, framed, AuthData(signature, tag))

    def make_private(self, content: Content) -> PrivateMessage:
        message = self.signed(content, WireFormat.PRIVATE_MESSAGE)
        secret = self.bytes["sender_data_secret"]
        return protect_private(self.suite, secret, self.tree, message, SystemEntropy(), padding=7)[1]

    def make_public(self, content: Content) -> PublicMessage:
        message = self.signed(content, WireFormat.PUBLIC_MESSAGE)
        return protect_public(self.suite, self.bytes["membership_key"], message, self.context)


def test_welcome(vectors: Vectors) -> None:
    for case in vectors("mls/welcome.json"):
        suite = suite_of(case)
        package = MlsMessage.decode(unhex(case["key_package"])).body
        welcome = MlsMessage.decode(unhex(case["welcome"])).body
        assert isinstance(package, KeyPackage)
        assert isinstance(welcome, Welcome)
        init_key = private_key_of(suite, case["init_priv"])
        secrets = welcome.open_secrets(suite, package, init_key)
        joiner = JoinerSchedule(suite, secrets.joiner_secret, suite.zero)
        info = welcome.open_group_info(suite, joiner.welcome_secret)
        info.check(suite, unhex(case["signer_pub"]))
        epoch = joiner.epoch(info.context)
        confirmed = info.context.confirmed_transcript_hash
        check_confirmation(suite, epoch.confirmation_key, confirmed, info.confirmation_tag)
        assert "redacted" in repr(secrets)
