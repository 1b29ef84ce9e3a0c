"""Where a body is in the model, and what the method that computes it takes and returns."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.lower.attributes import Attributes
from archspec.lower.code import Need
from archspec.record import record


@record
class BodySite:
    """Where a body stands.

    Fields:
        kind: the kind of the module, for the name of its class; "" for the whole model.
        path: the path of the node, also for names.
        module: the path below which its parameters are held.
        place: its place among all modules (see `archspec.lower.places`).
        around: kinds of the enclosing modules, outermost first.
        frozen: whether this module or an enclosing one turns training off.
    """

    kind: str = ""
    path: str = ""
    module: str = ""
    place: str = ""
    around: tuple[str, ...] = ()
    frozen: bool = False


@record(eq=False)
class BodyInterface:
    """What the method of a body takes and returns, as far as its callers require it.

    Fields:
        forced: numbers of inputs that become arguments even if nothing reads them.
        needs: needs that become arguments, whether they are used or not.
        width: the least number of results; missing ones are None.
        first: the number of the first output that is a result.
        attributes: those of the class, for another method than `forward`, which makes them.
    """

    forced: Sequence[int] = ()
    needs: Sequence[Need] = ()
    width: int = 0
    first: int = 0
    attributes: Attributes | None = None


FREE = BodyInterface()
"""A `forward` that takes what it reads and returns all outputs."""
