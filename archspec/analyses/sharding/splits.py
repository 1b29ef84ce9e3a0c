"""Whether a plan splits anything, and what it was asked to."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.analyses.sharding.plan import Plan
from archspec.diagnostics import fail

_HELP = "give a number of ranks that divides heads and features"


def splits(made: Plan) -> bool:
    """Whether the ranks run any op on parts."""
    return any(made.is_split(node) for node in made.nodes)


def check_splits(name: str, made: Plan, help: str = _HELP) -> None:
    """Check that a plan splits something.

    Args:
        name: of the model.
        made: its plan.
        help: what would do instead.

    Raises:
        SpecError: E900 where every op runs whole. The op with the most FLOPs is marked.
    """
    if splits(made):
        return
    message = f"nothing in `{name}` can be split over {made.ranks} tensor ranks"
    # Ops without FLOPs and tables are not listed.
    largest = max(made.unsplit, key=lambda one: (one.flops.typical(), one.elements), default=None)
    if largest is None:
        fail("E900", message, None, notes=["it has no weights and no FLOPs"], help="leave the model whole")
    fail("E900", message, largest.span, f"`{largest.path}`: {largest.reason}", help=help)


def check_experts(name: str, made: Sequence[Plan]) -> None:
    """Check that ranks have whole experts somewhere.

    Args:
        name: of the model.
        made: its plan, or those of its stages, which were asked for whole experts.

    Raises:
        SpecError: E900 where no mixture is split by its experts.
    """
    modules = list(dict.fromkeys(one for plan in made for one in plan.experts))
    if any(one.reason is None for one in modules):
        return
    ranks = f"{made[0].ranks} tensor ranks" if made[0].ranks > 1 else "one tensor rank"
    message = f"no experts of `{name}` can be whole on {ranks}"
    span = modules[0].span if modules else None
    notes = [f"{one.path}: {one.reason}" for one in modules] or ["it has no mixture of experts"]
    fail("E900", message, span, notes=notes, help="leave out whole experts (`--expert-parallel`)")
