"""Where a body stands in the model."""

from __future__ import annotations

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
