"""Leave out the layers that no output needs."""

from __future__ import annotations

from dataclasses import replace

from archspec.engines.network.plan import NetworkPlan


def needed(plan: NetworkPlan) -> NetworkPlan:
    """Return the plan without layers that no output needs; TensorRT compiles none of them either."""
    wanted = set(plan.outputs)
    kept = []
    for step in reversed(plan.steps):
        # An assertion has no outputs, and must hold all the same.
        if not step.outputs or wanted.intersection(step.outputs):
            kept.append(step)
            wanted.update(number for number in step.inputs if number is not None)
    return replace(plan, steps=tuple(reversed(kept)))
