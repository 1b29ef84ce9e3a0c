"""What every rank computes or stores whole, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.plan import WHOLE, Unsplit
from archspec.analyses.sharding.ways import Ways
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.ir.graph import Node
from archspec.ir.placement import Sharding


def unsplit(
    wiring: WiredGraph, nodes: Mapping[Node, Sharding], ways: Mapping[int, Ways], reasons: Mapping[int, str]
) -> tuple[Unsplit, ...]:
    """The ops with FLOPs or tables that run whole.

    Args:
        wiring: the wires of the graph.
        nodes: how every op runs.
        ways: the ways of every op, by its number.
        reasons: why the group of an op did not close, by its number.
    """
    return tuple(_found(wiring, nodes, ways, reasons))


def _found(
    wiring: WiredGraph, nodes: Mapping[Node, Sharding], ways: Mapping[int, Ways], reasons: Mapping[int, str]
) -> Iterator[Unsplit]:
    for number, wired in enumerate(wiring.ops):
        if nodes[wired.node] is not WHOLE:
            continue
        flops, elements = runs_flops(wired), _elements(wired)
        if flops == 0 and not elements:
            continue
        reason = _reason(ways[number], reasons.get(number))
        path = wired.node.path or wired.op.name
        yield Unsplit(
            path=path,
            flops=flops,
            elements=elements,
            reason=reason,
            span=wired.node.span,
            help=_help(wired, ways[number]),
        )


def runs_flops(wired: WiredOp) -> Dim:
    """FLOPs of all runs of an op in a forward pass."""
    return wired.times * wired.op.flops([x.type for x in wired.node.inputs], [y.type for y in wired.node.outputs])


def _elements(wired: WiredOp) -> int:
    """Elements of the tables and matrices that an op owns; vectors, as those of norms, are not worth a line."""
    owned = (wired.node.parameters[name] for name in wired.node.owned)
    return wired.times * sum(one.type.elements().constant or 0 for one in owned if one.type.rank > 1)


def _reason(ways: Ways, reason: str | None) -> str:
    own = next((one for one in ways.refused if "divisible" in one), None)
    if own is not None or reason is not None:
        return own or reason or ""
    return "every way of splitting it would cost more than it saves" if ways.possible else "it does not run on parts"


def _help(wired: WiredOp, ways: Ways) -> str | None:
    """What would let an op be split."""
    return None
