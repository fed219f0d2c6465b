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


def describe(plan: Plan) -> str:
    def line(action: Action) -> str:
        return f"  {action}"

    head = f"seed {plan.seed}, devices {plan.people}, friends {plan.friends}, federated {plan.federated}"
    return "\n".join([head, *map(line, plan.actions)])
