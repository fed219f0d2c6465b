"""Make a failing plan small: leave out what is not needed for it to fail."""

from __future__ import annotations

from collections.abc import Callable

from .plan import Action, Plan
from .world import Broken, World


def failure(plan: Plan) -> tuple[str, World] | None:
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


def report(plan: Plan, *, shrink: bool = True, lines: int = 60) -> str:
    """What one needs to know of a failing plan: what is left of it, the last steps of its log, what is wrong.

    ML-KEM draws its own randomness, which decides between sessions begun at once; so a plan is tried more than once.
    """
    tries = 2
    if shrink:
        plan = shrunk(plan, lambda smaller: any(failure(smaller) for _ in range(tries)))
    found = next(filter(None, (failure(plan) for _ in range(3 * tries))), None)
    if found is None:
        return f"{describe(plan)}\ndid not fail again"
    what, world = found
    return "\n".join([describe(plan), *list(world.lines)[-lines:], "", what])


def describe(plan: Plan) -> str:
    def line(action: Action) -> str:
        return f"  {action}"

    head = f"seed {plan.seed}, devices {plan.people}, friends {plan.friends}, federated {plan.federated}"
    return "\n".join([head, *map(line, plan.actions)])
