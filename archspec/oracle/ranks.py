"""The interpreter of the graphs of all ranks, run in step: where they exchange values, each is given what it would be.

As for one graph, the ops' `reference` methods run, and `RankExchange.exchange`; never their emitted source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.rank_exchange import RankExchange
from archspec.oracle.interpreter import Interpretation, exact
from archspec.oracle.sizes import sizes_of

if TYPE_CHECKING:
    from archspec.ir.op import Array

Each = list[Any]
"""An array for every rank."""


class RanksDiffer(Exception):
    """Ranks that do not run the same nodes in the same order, so that some would wait for an exchange for ever."""


def interpret_ranks(
    graphs: Sequence[Graph],
    inputs: Mapping[str, Array],
    parameters: Sequence[Mapping[str, Array]],
    sizes: Mapping[str, int] | None = None,
) -> list[dict[str, Array]]:
    """Run the graphs of all ranks together.

    Args:
        graphs: the graph of each rank, in their order.
        inputs: arrays by the names of inputs, which every rank is given.
        parameters: for each rank its own arrays by real name.
        sizes: dims that cannot be read off the shape of an input; they override those that can.

    Returns:
        the outputs of each rank by name, floats in float64.

    Raises:
        RanksDiffer: if ranks do not run the same nodes.
        KeyError, ValueError: as `interpret`.
    """
    first = graphs[0]
    run = _Ranks(dict(_alike(graphs)), parameters, {**sizes_of(first, inputs), **(sizes or {})})
    arguments: list[Any] = [[exact(inputs[value.name])] * len(graphs) for value in first.inputs]
    results = run.graph(first, arguments, ())
    named = dict(zip(first.output_names, results, strict=True))
    return [{name: each[rank] for name, each in named.items()} for rank in range(len(graphs))]


def _alike(graphs: Sequence[Graph]) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every node of the first rank, with those of all ranks. Raises RanksDiffer."""
    if len({len(graph.nodes) for graph in graphs}) > 1:
        counts = ", ".join(str(len(graph.nodes)) for graph in graphs)
        raise RanksDiffer(f"the bodies of `{graphs[0].name}` have {counts} nodes")
    for nodes in zip(*(graph.nodes for graph in graphs), strict=True):
        names = [node.op.name for node in nodes]
        if len(set(names)) > 1:
            raise RanksDiffer(f"ranks run {', '.join(names)} in place of each other")
        yield nodes[0], nodes
        for regions in zip(*(node.regions for node in nodes), strict=True):
            yield from _alike(regions)


class _Ranks(Interpretation):
    """One evaluation, in which a value of the first rank's graph stands for those of all ranks."""

    def __init__(
        self,
        alike: Mapping[Node, tuple[Node, ...]],
        parameters: Sequence[Mapping[str, Array]],
        sizes: Mapping[str, int],
    ) -> None:
        super().__init__({}, sizes)
        self.alike, self.each = alike, parameters

    def node(self, node: Node, known: Mapping[Value, Any], layers: tuple[int, ...]) -> list[Any]:
        """The outputs of one node, for each an array of every rank."""
        if not isinstance(node.op, Primitive):
            return super().node(node, known, layers)
        arguments: list[Each] = [known[value] for value in node.inputs]
        if isinstance(node.op, RankExchange):
            return [node.op.exchange(arguments[0])]
        made = [
            self.on(rank, own, [each[rank] for each in arguments], layers) for rank, own in enumerate(self.alike[node])
        ]
        return [list(each) for each in zip(*made, strict=True)]

    def on(self, rank: int, node: Node, arguments: Sequence[Array], layers: tuple[int, ...]) -> tuple[Array, ...]:
        """The outputs of a primitive on one rank."""
        assert isinstance(node.op, Primitive)
        self.parameters = self.each[rank]
        return node.op.reference(arguments, self.of(node, layers), self.sizes)
