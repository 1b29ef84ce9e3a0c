"""Whether a plan splits anything."""

from __future__ import annotations

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
