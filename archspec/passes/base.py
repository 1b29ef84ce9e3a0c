"""What every pass is: a graph in, a graph out, verified before and after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from archspec.ir.graph import Graph
from archspec.ir.verifier import verify
from archspec.record import record


@record
class PassResult:
    """The graph after a pass, and whether it is another than before."""

    graph: Graph
    modified: bool


@record
class Pass(ABC):
    """A transformation of graphs. Subclasses are frozen dataclasses whose fields are their options.

    Graphs are not changed: a pass builds new nodes where something differs.
    """

    name: ClassVar[str]

    def run(self, graph: Graph) -> PassResult:
        """Apply the pass. Raises InvalidGraph where the graph is broken before it or after it."""
        verify(graph)
        result = self.apply(graph)
        if result is graph:
            return PassResult(graph=graph, modified=False)
        verify(result)
        return PassResult(graph=result, modified=True)

    @abstractmethod
    def apply(self, graph: Graph) -> Graph:
        """The new graph, or the graph itself where there is nothing to do."""


def run_passes(graph: Graph, passes: Sequence[Pass]) -> PassResult:
    """Apply passes in order."""
    modified = False
    for one in passes:
        result = one.run(graph)
        graph, modified = result.graph, modified or result.modified
    return PassResult(graph=graph, modified=modified)
