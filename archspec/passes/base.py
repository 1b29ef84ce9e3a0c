"""The interface of every pass: a graph in, a graph out, verified before and after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from archspec.ir.graph import Graph
from archspec.ir.verifier import verify
from archspec.record import record


@record
class PassResult:
    """The graph after a pass, and whether the pass changed anything."""

    graph: Graph
    modified: bool


@record
class Pass(ABC):
    """A transformation of graphs. Subclasses are frozen dataclasses whose fields are their options.

    Graphs are immutable: a pass builds new nodes where something differs, and returns the same object where nothing
    does.
    """

    name: ClassVar[str]

    def run(self, graph: Graph) -> PassResult:
        """Apply the pass. Raises InvalidGraph where the graph is invalid before or after it."""
        # Before as well: a fault is then attributed to the pass that made it.
        verify(graph)
        result = self.apply(graph)
        # A pass signals "nothing to do" by identity, so that an unchanged graph is not verified twice.
        if result is graph:
            return PassResult(graph=graph, modified=False)
        verify(result)
        return PassResult(graph=result, modified=True)

    @abstractmethod
    def apply(self, graph: Graph) -> Graph:
        """The new graph, or `graph` itself where there is nothing to do."""


def run_passes(graph: Graph, passes: Sequence[Pass]) -> PassResult:
    """Apply passes in order; `modified` is set if any of them changed the graph."""
    modified = False
    for one in passes:
        result = one.run(graph)
        graph, modified = result.graph, modified or result.modified
    return PassResult(graph=graph, modified=modified)
