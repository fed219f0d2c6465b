"""Make a failing plan small: leave out what is not needed for it to fail."""

from __future__ import annotations

from collections.abc import Callable

from .plan import Action, Plan
from .world import Broken, World

TRIES = 6  # of a plan that failed, until it fails again
Failure = tuple[str, World]


def failure(plan: Plan) -> Failure | None:
    """What is wrong after the plan, and its world; None when all holds."""
    world = World(plan)
    try:
        world.run()
    except Broken as error:
        return str(error), world
    except Exception as error:  # noqa: BLE001 - a defect of the core is as much a failure as a broken invariant
        import traceback

        return "".join(traceback.format_exception(error)[-6:]), world
    return None


def shrunk(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan with as few actions as still fail: chunks of halving size are left out while that keeps it failing."""
    size = max(len(plan.actions) // 2, 1)
    while size:
        at = 0
        while at < len(plan.actions):
            smaller = plan.without(set(plan.actions[at : at + size]))
            if fails(smaller):
                plan = smaller
            else:
                at += size
        size //= 2
    return plan


def report(plan: Plan, found: Failure, lines: int = 60) -> str:
    """What one needs to know of a plan that failed: the plan, the last steps of that very run, what was wrong."""
    what, world = found
    return "\n".join([describe(plan), *list(world.lines)[-lines:], "", what])


def replay(plan: Plan, *, shrink: bool = True, lines: int = 60) -> str:
    """The same of a failing plan that was run anew, without what it does not need to fail.

    ML-KEM draws its own randomness, which decides between sessions begun at once and in which order many things happen;
    so a plan is tried more than once, and may not fail again: only what was reported of its first run tells why.
    """
    found = _again(plan, TRIES)
    if found is None:
        return f"did not fail again in {TRIES} runs"

    def fails(smaller: Plan) -> bool:
        nonlocal found
        again = _again(smaller, 2)
        found = again or found
        return again is not None

    return report(shrunk(plan, fails) if shrink else plan, found, lines)


def _again(plan: Plan, tries: int) -> Failure | None:
    return next(filter(None, (failure(plan) for _ in range(tries))), None)


def describe(plan: Plan) -> str:
    def line(action: Action) -> str:
        return f"  {action}"

    head = f"seed {plan.seed}, devices {plan.people}, friends {plan.friends}, federated {plan.federated}"
    return "\n".join([head, *map(line, plan.actions)])
