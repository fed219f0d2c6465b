"""Groups shared with ts-mls, an independent implementation from npm: either side creates, speaks and commits."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mls_helpers import SystemEntropy, commit_received, data_received

from roost.crypto.mls.committing import CommitOptions
from roost.crypto.mls.framing import MlsMessage
from roost.crypto.mls.group import Group
from roost.crypto.mls.key_package import KeyPackage, KeyPackageSecrets, make_key_package
from roost.crypto.mls.leaf import Credential, Lifetime
from roost.crypto.mls.proposals import Add, PreSharedKey, Remove
from roost.crypto.mls.psk import PskId, Psks
from roost.crypto.mls.suites import MLS_128_X25519, MLS_256_XWING, CipherSuite

HERE = Path(__file__).parent / "interop"
ENTROPY = SystemEntropy()
GROUP = b"a group for two implementations!"
suites = pytest.mark.parametrize("suite", [MLS_128_X25519, MLS_256_XWING], ids=lambda suite: suite.name)


@pytest.fixture(scope="module")
def node() -> str:
    """Node with ts-mls installed as interop/package-lock.json says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not here; the independent MLS implementation needs them")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < 20:
        pytest.skip("the independent MLS implementation needs Node.js 20 or newer")
    modules = HERE / "node_modules"
    with (HERE / "package.json").open() as lock:  # several test processes, one installation
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = modules / ".roost-lock"
        wanted = (HERE / "package-lock.json").read_bytes()
        if not stamp.is_file() or stamp.read_bytes() != wanted:
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=HERE, capture_output=True, check=False, timeout=150)
            if done.returncode:
                pytest.skip("npm could not install ts-mls; the registry cannot be reached")
            stamp.write_bytes(wanted)
    return node


class Peer:
    """One client of ts-mls in a process of its own."""

    def __init__(self, node: str, suite: CipherSuite, identity: bytes) -> None:
        self._process = subprocess.Popen(
            [node, "peer.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        made = self.tell("begin", name=suite.name, identity=identity.hex())
        package = MlsMessage.decode(bytes.fromhex(made["keyPackage"])).body
        assert isinstance(package, KeyPackage)
        self.package = package

    def tell(self, command: str, **rest: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **rest}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer

    def commit(self, group: Group, psks: Psks | None = None, **rest: Any) -> tuple[Group, dict[str, Any]]:
        """The peer's commit, taken over by our `group`."""
        answer = self.tell("commit", **rest)
        group = commit_received(group, bytes.fromhex(answer["commit"]), psks)
        assert group.authenticator.hex() == answer["authenticator"]
        return group, answer

    def follow(self, group: Group, message: bytes) -> None:
        """The peer takes a message that led our side to `group`."""
        answer = self.tell("receive", message=message.hex())
        assert (answer["epoch"], answer["authenticator"]) == (group.number, group.authenticator.hex())

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(10)
        self._process.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    found: list[Peer] = []
    yield found
    for peer in found:
        peer.close()


def ours(suite: CipherSuite, name: bytes) -> KeyPackageSecrets:
    signer, now = suite.scheme.generate(ENTROPY), now_s()
    return make_key_package(suite, Credential.basic(name), signer, Lifetime(now - 60, now + 86_400), ENTROPY)


def now_s() -> int:
    return int(time.time())


def say(group: Group, peer: Peer) -> Group:
    """Both say something that the other reads."""
    group, message = group.seal(b"from here", ENTROPY, padding=32)
    answer = peer.tell("receive", message=message.hex())
    assert bytes.fromhex(answer["data"]) == b"from here"
    answer = peer.tell("seal", data=b"from there".hex())
    group, data = data_received(group, bytes.fromhex(answer["message"]))
    assert data == b"from there"
    exported = peer.tell("export", label="a label", context="0102", length=40)
    assert group.export(b"a label", b"\1\2", 40).hex() == exported["secret"]
    return group


def commit(group: Group, *proposals: Any, psks: Psks | None = None, public: bool = False) -> tuple[Group, bytes, Any]:
    group, staged = group.commit(proposals, ENTROPY, now=now_s(), psks=psks, options=CommitOptions(public=public))
    return group.accept(staged), staged.message, staged.welcome


@suites
def test_our_group_their_member(node: str, peers: list[Peer], suite: CipherSuite) -> None:
    bob = Peer(node, suite, b"bob")
    peers.append(bob)
    group = Group.create(ours(suite, b"alice"), GROUP, ENTROPY)
    group, _, welcome = commit(group, Add(bob.package))
    assert bob.tell("join", welcome=welcome.hex())["authenticator"] == group.authenticator.hex()
    group = say(group, bob)
    for public in (False, True):
        group, message, _ = commit(group, public=public)
        bob.follow(group, message)
        group = say(group, bob)
        group, _ = bob.commit(group, isPublic=public)
        group = say(group, bob)


@suites
def test_their_group_our_members(node: str, peers: list[Peer], suite: CipherSuite) -> None:
    """Five members in all, so that paths, unmerged leaves and blank nodes meet; then one is removed by each side."""
    alice = Peer(node, suite, b"alice")
    peers.append(alice)
    alice.tell("create", groupId=GROUP.hex())
    mine = [ours(suite, f"ours {i}".encode()) for i in range(4)]
    added = [MlsMessage(secrets.package).encode().hex() for secrets in mine]
    welcome = bytes.fromhex(alice.tell("commit", add=added[:3])["welcome"])
    groups = [Group.join(welcome, secrets) for secrets in mine[:3]]
    groups[0] = say(groups[0], alice)
    message = everyone_commits(groups, 1, Add(mine[3].package))
    alice.follow(groups[1], message[0])
    groups.append(Group.join(message[1], mine[3]))
    answer = alice.tell("commit", remove=[3])
    for i in (0, 1, 3):
        groups[i] = commit_received(groups[i], bytes.fromhex(answer["commit"]))
        assert groups[i].authenticator.hex() == answer["authenticator"]
    del groups[2]
    message = everyone_commits(groups, 2, Remove(1))
    alice.follow(groups[2], message[0])
    groups[2] = say(groups[2], alice)


def everyone_commits(groups: list[Group], author: int, *proposals: Any) -> tuple[bytes, Any]:
    groups[author], message, welcome = commit(groups[author], *proposals)
    for i, group in enumerate(groups):
        if i != author:
            groups[i] = commit_received(group, message)
    return message, welcome


@suites
def test_external_commits_and_proposals(node: str, peers: list[Peer], suite: CipherSuite) -> None:
    bob, carol = Peer(node, suite, b"bob"), Peer(node, suite, b"carol")
    peers.extend((bob, carol))
    group = Group.create(ours(suite, b"alice"), GROUP, ENTROPY)
    joined = bob.tell("joinByCommit", groupInfo=group.group_info().hex())
    group = commit_received(group, bytes.fromhex(joined["commit"]))
    assert group.authenticator.hex() == joined["authenticator"]
    group = say(group, bob)
    info = bytes.fromhex(bob.tell("groupInfo")["groupInfo"])
    staged = Group.join_by_commit(info, ours(suite, b"dora"), ENTROPY)
    dora = Group.accept_join(staged)
    group = commit_received(group, staged.message)
    bob.follow(group, staged.message)
    assert dora.authenticator == group.authenticator
    for public in (False, True):
        group, _, welcome = _with_carol(group, bob, carol)
        assert carol.tell("join", welcome=welcome.hex())["authenticator"] == group.authenticator.hex()
        proposal = bytes.fromhex(bob.tell("proposeRemove", removed=3, isPublic=public)["message"])
        group = group.receive(proposal).group
        group, message, _ = commit(group)
        bob.follow(group, message)
        carol = Peer(node, suite, b"carol")
        peers.append(carol)
    say(group, bob)


def _with_carol(group: Group, bob: Peer, carol: Peer) -> tuple[Group, bytes, Any]:
    group, message, welcome = commit(group, Add(carol.package))
    bob.follow(group, message)
    return group, message, welcome


@suites
def test_pre_shared_keys(node: str, peers: list[Peer], suite: CipherSuite) -> None:
    bob = Peer(node, suite, b"bob")
    peers.append(bob)
    psks = Psks({b"shared": b"some secret that both hold"})
    bob.tell("psk", id=b"shared".hex(), secret=psks.external[b"shared"].hex())
    group = Group.create(ours(suite, b"alice"), GROUP, ENTROPY)
    group, _, welcome = commit(group, Add(bob.package))
    bob.tell("join", welcome=welcome.hex())
    group, message, _ = commit(group, PreSharedKey(PskId.external(suite, b"shared", ENTROPY)), psks=psks)
    bob.follow(group, message)
    nonce = ENTROPY.bytes(suite.hash_size).hex()
    group, _ = bob.commit(group, psks, psk=[{"id": b"shared".hex(), "nonce": nonce}])
    say(group, bob)
