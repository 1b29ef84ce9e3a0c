"""What every rank computes or stores whole, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.plan import WHOLE, Unsplit
from archspec.analyses.sharding.ways import UnevenSize, Ways
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.ir.graph import Node
from archspec.ir.placement import Sharding

Reason = tuple[str, str | None]
"""Why an op is not split, and what would let it be."""


def unsplit(
    wiring: WiredGraph, nodes: Mapping[Node, Sharding], ways: Mapping[int, Ways], reasons: Mapping[int, Reason]
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
    wiring: WiredGraph, nodes: Mapping[Node, Sharding], ways: Mapping[int, Ways], reasons: Mapping[int, Reason]
) -> Iterator[Unsplit]:
    for number, wired in enumerate(wiring.ops):
        if nodes[wired.node] is not WHOLE:
            continue
        flops, elements = runs_flops(wired), _elements(wired)
        if flops == 0 and not elements:
            continue
        reason, help = _reason(ways[number], reasons.get(number))
        path = wired.node.path or wired.op.name
        yield Unsplit(
            path=path,
            flops=flops,
            elements=elements,
            reason=reason,
            span=wired.node.span,
            help=help,
        )


def runs_flops(wired: WiredOp) -> Dim:
    """FLOPs of all runs of an op in a forward pass."""
    return wired.times * wired.op.flops([x.type for x in wired.node.inputs], [y.type for y in wired.node.outputs])


def _elements(wired: WiredOp) -> int:
    """Elements of the tables and matrices that an op owns; vectors, as those of norms, are not worth a line."""
    owned = (wired.node.parameters[name] for name in wired.node.owned)
    return wired.times * sum(one.type.elements().constant or 0 for one in owned if one.type.rank > 1)


def _reason(ways: Ways, reason: Reason | None) -> Reason:
    size = sized(ways)
    if size is not None:
        return str(size), size.help
    if reason is not None:
        return reason
    # Either nothing that it stands beside is split, or it declares nothing.
    return ("nothing around it is split" if ways.possible else "it does not run on parts"), None


def sized(ways: Ways) -> UnevenSize | None:
    """The size that keeps an op from being split: one that is known, if there is any."""
    return next((one for one in ways.refused if one.size is not None), None)
