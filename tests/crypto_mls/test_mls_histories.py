"""Random histories of several clients: whatever they do and however the host mixes it, all end in the same state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mls_world import NOW, World, extension

from roost.crypto.mls import (
    Add,
    ApplicationReceived,
    CommitOptions,
    Group,
    GroupContextExtensions,
    JoinOptions,
    MlsError,
    PreSharedKey,
    PskId,
    Remove,
    StaleEpoch,
    load,
    save_epoch,
    save_keys,
)

MAX_MEMBERS = 9
STEPS = ("add", "remove", "commit", "update", "propose", "extension", "psk", "external", "race", "say", "late", "store")


class History(World):
    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self.data = data
        self.in_flight: list[tuple[str, bytes]] = []

    def pick(self, label: str) -> str:
        return self.data.draw(st.sampled_from(sorted(self.groups)), label)

    def options(self) -> CommitOptions:
        path, public = self.data.draw(st.tuples(st.booleans(), st.booleans()), "path, public")
        return CommitOptions(path=path, public=public)

    def step(self) -> None:
        getattr(self, "do_" + self.data.draw(st.sampled_from(STEPS), "step"))()

    def author(self) -> str:
        """One who may commit what waits: not the author of an update, nor one who is to be removed."""
        waiting = next(iter(self.groups.values())).proposals.values()
        barred = {sent.sender.index for sent in waiting if sent.proposal.type == 2}
        barred |= {sent.proposal.removed for sent in waiting if isinstance(sent.proposal, Remove)}
        able = [name for name in sorted(self.groups) if self.index(name) not in barred]
        return self.data.draw(st.sampled_from(able), "author") if able else ""

    def do_commit(self, *proposals: Any) -> None:
        author = self.author()
        if not author:
            self.groups = {name: group.drop_proposals() for name, group in self.groups.items()}
            return
        try:
            self.commit(author, proposals, self.options())
        except MlsError:  # what waits does not go together, e.g. two changes of one leaf
            self.groups = {name: group.drop_proposals() for name, group in self.groups.items()}
        self.check()

    def do_add(self) -> None:
        if len(self.groups) >= MAX_MEMBERS or not (author := self.author()):
            return
        name, secrets = self.newcomer()
        try:
            welcome = self.commit(author, [Add(secrets.package)], self.options())
        except MlsError:
            return
        assert welcome is not None
        self.groups[name] = Group.join(welcome, secrets)
        self.check()

    def do_remove(self) -> None:
        author, victim = self.author(), self.pick("victim")
        waiting = self.groups[victim].proposals
        if author and author != victim and not waiting:
            self.commit(author, [Remove(self.index(victim))], self.options())
            assert victim not in self.groups
            self.check()

    def do_update(self) -> None:
        self.propose(self.pick("updater"), None)

    def do_propose(self) -> None:
        victim = self.pick("victim")
        self.propose(self.pick("proposer"), Remove(self.index(victim)))

    def do_extension(self) -> None:
        value = self.data.draw(st.binary(max_size=4), "extension")
        self.do_commit(GroupContextExtensions((extension(value),)))

    def do_psk(self) -> None:
        self.do_commit(PreSharedKey(PskId.external(self.suite, b"psk", self.entropy)))

    def do_external(self) -> None:
        """Someone comes by external commit, perhaps in the place of an old leaf."""
        if len(self.groups) >= MAX_MEMBERS:
            return
        name, secrets = self.newcomer()
        info = self.groups[self.pick("informer")].group_info()
        replaced = self.pick("replaced") if len(self.groups) > 1 and self.data.draw(st.booleans()) else None
        options = JoinOptions(replaces=None if replaced is None else self.index(replaced))
        staged = Group.join_by_commit(info, secrets, self.entropy, options=options)
        self.deliver_commit(staged.message, name)
        self.groups[name] = Group.accept_join(staged)
        assert replaced not in self.groups
        self.check()

    def do_race(self) -> None:
        """Two commit at once; the host takes one, the other's loses and changes nothing."""
        if len(self.groups) < 2 or any(group.proposals for group in self.groups.values()):
            return
        winner, loser = self.data.draw(st.permutations(sorted(self.groups)), "order")[:2]
        self.groups[loser], lost = self.groups[loser].commit([], self.entropy, now=NOW)
        self.groups[winner], won = self.groups[winner].commit([], self.entropy, now=NOW)
        self.groups[winner] = self.groups[winner].accept(won)
        self.deliver_commit(won.message, winner)
        for name, group in self.groups.items():
            with pytest.raises(MlsError):
                group.receive(lost.message)
            with pytest.raises(StaleEpoch):
                group.accept(lost)
            assert self.groups[name] is group
        self.check()

    def do_say(self) -> None:
        author = self.pick("author")
        if self.groups[author].proposals:
            return
        message = self.say(author, self.data.draw(st.binary(max_size=40), "text"))
        for former in self.gone:
            with pytest.raises(MlsError):
                former.receive(message)

    def do_late(self) -> None:
        """Messages that are sent now and read by one member after whatever comes between."""
        author = self.pick("author")
        if self.in_flight:
            sender, message = self.in_flight.pop()
            for name, group in self.groups.items():
                try:
                    received = group.receive(message)
                except MlsError:
                    continue
                assert isinstance(received, ApplicationReceived)
                assert received.data == sender.encode()
                self.groups[name] = received.group
        elif not self.groups[author].proposals:
            self.groups[author], message = self.groups[author].seal(author.encode(), self.entropy)
            self.in_flight.append((author, message))

    def do_store(self) -> None:
        name = self.pick("stored")
        group = self.groups[name]
        self.groups[name] = load(save_epoch(group), save_keys(group), group.settings)


@settings(max_examples=150)
@given(st.data())
def test_all_histories_converge(data: st.DataObject) -> None:
    history = History(data)
    history.add("0", data.draw(st.integers(1, 5), "members"))
    for _ in range(data.draw(st.integers(1, 14), "steps")):
        history.step()
    history.groups = {name: group.drop_proposals() for name, group in history.groups.items()}
    for name in sorted(history.groups):
        history.say(name, b"the end")
