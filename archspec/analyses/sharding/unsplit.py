"""What every rank computes or stores whole, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.algebra.dim import Dim
from archspec.analyses.sharding.plan import WHOLE, Unsplit
from archspec.analyses.sharding.ways import UnevenSize, Ways
from archspec.analyses.sharding.wiring import WiredGraph, WiredOp
from archspec.diagnostics import Span
from archspec.ir.graph import Node
from archspec.ir.placement import Sharding
from archspec.record import record


@record
class Reason:
    """Why an op is not split: in words, the line of the op that prevents it, and what would let it be."""

    words: str
    span: Span | None = None
    help: str | None = None


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
    return tuple(_Explained(wiring, nodes, ways, reasons).all())


@record(eq=False, kw_only=False)
class _Explained:
    """The ops of a graph that run whole."""

    wiring: WiredGraph
    nodes: Mapping[Node, Sharding]
    ways: Mapping[int, Ways]
    reasons: Mapping[int, Reason]

    def all(self) -> Iterator[Unsplit]:
        """Those with FLOPs or tables, with the reasons."""
        for number, wired in enumerate(self.wiring.ops):
            flops, elements = runs_flops(wired), _elements(wired)
            if self.nodes[wired.node] is not WHOLE or (flops == 0 and not elements):
                continue
            reason = self.reason(number)
            yield Unsplit(
                path=path_of(wired),
                flops=flops,
                elements=elements,
                reason=reason.words,
                span=wired.node.span,
                cause=reason.span or wired.node.span,
                help=reason.help,
            )

    def reason(self, number: int) -> Reason:
        """Why an op is not split: a size that the ranks do not divide, or another op that its parts would meet."""
        found = self.ways[number]
        wired = self.wiring.ops[number]
        maker = self.maker(wired)
        if maker is not None and (size := sized(self.ways[maker])) is not None:
            # A map of what attention gives: its sum over heads has to follow the heads.
            return _of_size(size, self.wiring.ops[maker])
        if (size := next((one for one in found.refused if one.of_results and one.size is not None), None)) is not None:
            return _of_size(size, wired)
        if number in self.reasons:
            return self.reasons[number]
        if (size := sized(found)) is not None:
            return _of_size(size, wired)
        if not found.possible:
            return Reason(words="it does not run on parts")
        if wired.parameters:
            return Reason(words="its parts would be gathered at once, which costs more than it saves")
        return Reason(words="nothing around it is split")

    def maker(self, wired: WiredOp) -> int | None:
        """The op that computes what an op with weights is given, up to moves of entries, if it runs whole."""
        wire = wired.operands[0] if wired.parameters and wired.operands else None
        while wire is not None:
            made_by = [number for number, one in enumerate(self.wiring.ops) if wire in one.results]
            handed = [link.source for link in self.wiring.links if link.target == wire]
            if not made_by and len(handed) == 1:
                (wire,) = handed
                continue
            if len(made_by) != 1 or handed:
                return None
            (number,) = made_by
            one = self.wiring.ops[number]
            if runs_flops(one) != 0:
                return number if self.nodes[one.node] is WHOLE else None
            wire = one.operands[0] if len(one.operands) == 1 and not one.parameters else None
        return None


def path_of(wired: WiredOp) -> str:
    """The path of an op, or what it is where it has none."""
    return wired.node.path or wired.op.name


def _of_size(size: UnevenSize, wired: WiredOp) -> Reason:
    return Reason(words=str(size), span=wired.node.span, help=size.help)


def runs_flops(wired: WiredOp) -> Dim:
    """FLOPs of all runs of an op in a forward pass."""
    return wired.times * wired.op.flops([x.type for x in wired.node.inputs], [y.type for y in wired.node.outputs])


def _elements(wired: WiredOp) -> int:
    """Elements of the tables and matrices that an op owns; vectors, as those of norms, are not worth a line."""
    owned = (wired.node.parameters[name] for name in wired.node.owned)
    return wired.times * sum(one.type.elements().constant or 0 for one in owned if one.type.rank > 1)


def sized(ways: Ways) -> UnevenSize | None:
    """The size that keeps an op from being split: one that is known, if there is any."""
    return next((one for one in ways.refused if one.size is not None), None)
