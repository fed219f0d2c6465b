"""What will happen in one simulated world, as plain data drawn from a seed: people, what they do, what goes wrong.

An action names its people by numbers that the world takes modulo what it has, so that any action can be left out and
the rest still makes sense: that is what makes a failing plan shrinkable.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Action:
    """`kind` at `at` milliseconds after the world is set up; `a`, `b`, `c` mean what `kind` makes of them."""

    at: int
    kind: str
    a: int = 0
    b: int = 0
    c: int = 0

    def __str__(self) -> str:
        return f"{self.at / 1000:9.2f}s {self.kind} {self.a} {self.b} {self.c}"


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    federated: bool
    people: tuple[int, ...]  # devices of each person at the start
    friends: tuple[tuple[int, int], ...]
    actions: tuple[Action, ...]
    fallbacks: bool = False  # every other person has a second relay
    group: bool = False  # the first person makes a group
    outside: int = 0  # how many of its contacts are not in it at first
    network: bool = False  # the second relay is an onion network: everybody reaches it without a relay

    def without(self, actions: set[Action]) -> Plan:
        return replace(self, actions=tuple(action for action in self.actions if action not in actions))


SAYING = {
    "say": 40,
    "say_long": 3,
    "burst": 4,
    "edit": 8,
    "delete": 4,
    "react": 8,
    "read": 6,
    "timer": 2,
    "pause": 10,
}
PEOPLE = {"add": 3, "link": 2, "remove_device": 2, "block": 3, "unblock": 4, "remove": 1, "week": 2, "rename": 2}
FAULTS = {
    "crash": 12,
    "disk": 4,
    "clock": 5,
    "cut": 8,
    "cut_relays": 2,
    "storm": 6,
    "relay_crash": 4,
    "relay_down": 2,
    "relay_full": 3,
    "disk_full": 2,
    "lies": 5,
    "forget": 2,
    "relay_backup": 2,
    "relay_restore": 2,
    "backup": 2,
    "restore": 2,
}
IN_GROUP = {
    "g_say": 36,
    "g_burst": 3,
    "g_edit": 4,
    "g_delete": 2,
    "g_react": 4,
    "g_read": 4,
    "g_title": 5,
    "g_describe": 2,
    "g_add": 7,
    "g_remove": 5,
    "g_role": 6,
    "g_ban": 3,
    "g_move": 2,
    "g_leave": 2,
    "g_race": 6,
    "absent": 4,
    "days": 2,
    "link": 2,
    "remove_device": 2,
    "say": 4,
    "add": 1,
    "week": 1,
    "pause": 6,
}
LIARS = ("lies", "forget", "relay_backup", "relay_restore")  # hosts that show members different things
MAX_DEVICES = 8


def draw(seed: int, *, faults: bool = True, size: int = 40) -> Plan:
    """The plan of a seed: always the same."""
    rng = random.Random(f"plan/{seed}")
    people = [1 + (rng.random() < 0.45) + (rng.random() < 0.15) for _ in range(rng.randrange(2, 5))]
    while sum(people) > MAX_DEVICES - 1:
        people[people.index(max(people))] -= 1
    pairs = [(one, other) for one in range(len(people)) for other in range(one)]
    friends = [pair for pair in pairs if rng.random() < 0.75] or pairs[:1]
    weights = {**SAYING, **PEOPLE, **(FAULTS if faults else {})}
    kinds = rng.choices(list(weights), list(weights.values()), k=rng.randrange(size // 2, size * 3 // 2))
    actions, at = [], 0
    for kind in kinds:
        at += int(rng.expovariate(1 / rng.choice((200, 2_000, 10_000, 60_000))))
        actions.append(Action(at, kind, rng.randrange(1 << 16), rng.randrange(1 << 16), rng.randrange(1 << 16)))
    federated, fallbacks = rng.random() < 0.4, rng.random() < 0.5
    return Plan(seed, federated, tuple(people), tuple(friends), tuple(actions), federated and fallbacks)


def draw_group(seed: int, *, size: int = 40) -> Plan:
    """A world with a group; in two of three of them no relay lies or loses what it stored."""
    rng = random.Random(f"group/{seed}")
    people = [1 + (rng.random() < 0.35) for _ in range(rng.randrange(3, 6))]
    while sum(people) > MAX_DEVICES - 1:
        people[people.index(max(people))] -= 1
    friends = [(one, 0) for one in range(1, len(people))]
    friends += [(one, two) for one in range(2, len(people)) for two in range(1, one) if rng.random() < 0.6]
    weights = {**IN_GROUP, **FAULTS}
    if rng.random() < 2 / 3:
        weights = {kind: weight for kind, weight in weights.items() if kind not in LIARS}
    kinds = rng.choices(list(weights), list(weights.values()), k=rng.randrange(size // 2, size * 3 // 2))
    actions, at = [], 0
    for kind in kinds:
        at += int(rng.expovariate(1 / rng.choice((200, 2_000, 10_000, 60_000, 60_000))))
        at += rng.randrange(1, 4 * DAY) if kind == "days" else 0
        actions.append(Action(at, kind, rng.randrange(1 << 16), rng.randrange(1 << 16), rng.randrange(1 << 16)))
    federated, fallbacks = rng.random() < 0.5, rng.random() < 0.3
    outside = int(len(people) > 3 and rng.random() < 0.5)
    return Plan(seed, federated, tuple(people), tuple(friends), tuple(actions), federated and fallbacks, True, outside)


def draw_network(seed: int) -> Plan:
    """The world of a seed with an onion network, where some have mailboxes beside their relay, and people choose by
    which of the two they write."""
    plan = draw(seed)
    chosen = {"pause": "prefer", "rename": "prefer", "timer": "prefer"}
    actions = tuple(replace(action, kind=chosen.get(action.kind, action.kind)) for action in plan.actions)
    return replace(plan, federated=True, fallbacks=seed % 2 == 0, actions=actions, network=True)


def draw_files(seed: int) -> Plan:
    """The world of a seed where many messages have files. Its relays do not lie: what they lose, nobody has again."""
    return _with_files(draw(seed), ("pause", "read", "say_long", "rename"), "attach")


def draw_group_files(seed: int) -> Plan:
    """Likewise with a group."""
    return _with_files(draw_group(seed), ("pause", "g_read", "g_describe", "g_title"), "g_attach")


def _with_files(plan: Plan, kinds: tuple[str, ...], attach: str) -> Plan:
    chosen = dict.fromkeys(kinds, attach)
    chosen |= {"lies": "storm", "forget": "storm", "relay_backup": "cut", "relay_restore": "relay_crash"}
    actions = tuple(replace(action, kind=chosen.get(action.kind, action.kind)) for action in plan.actions)
    return replace(plan, actions=actions)


def crowd(seed: int, people: int) -> Plan:
    """Many people with two devices each, in pairs and a few larger circles; they speak, and some things go wrong."""
    rng = random.Random(f"crowd/{seed}")
    weights = {"say": 20, "react": 3, "edit": 2, "crash": 2, "cut": 1, "storm": 1, "relay_crash": 1}
    kinds = rng.choices(list(weights), list(weights.values()), k=people * 2)
    actions = [
        Action(rng.randrange(60 * SECOND), kind, rng.randrange(1 << 16), rng.randrange(1 << 16), rng.randrange(1 << 16))
        for kind in kinds
    ]
    pairs = [(number, number + 1) for number in range(people - 1) if number % 2 == 0 or number % 10 == 1]
    return Plan(seed, False, (2,) * people, tuple(pairs), tuple(sorted(actions, key=lambda action: action.at)))
