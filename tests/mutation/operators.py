"""What an operator is, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Literal, TypeVar

from archspec.algebra.dim import Dim
from archspec.ir.graph import Node
from archspec.ir.op import ShapeError
from archspec.ir.verifier import InvalidGraph
from archspec.record import record
from archspec.rules.independence import independence
from archspec.spec import Spec
from tests.mutation.edit import Change, Site, changed, sites

Judge = Literal["rules", "contract"]
T = TypeVar("T")


class Setting:
    """What operators ask of the spec around a node: which sizes lead its inputs, and which count positions."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    @cached_property
    def leading(self) -> frozenset[Dim]:
        """The sizes whose places must not mix."""
        return frozenset(rule.size for rule in independence(self.spec.graph))

    @cached_property
    def positions(self) -> frozenset[Dim]:
        """Run-time sizes of the second axes of inputs."""
        sizes = (value.type.shape[1] for value in self.spec.graph.inputs if value.type.rank > 1)
        return frozenset(size for size in sizes if not size.is_constant)

    def is_led(self, node: Node) -> bool:
        """Whether the first axis of a node's output leads the inputs, too."""
        type_ = node.outputs[0].type
        return type_.dtype == "float" and type_.rank > 1 and type_.shape[0] in self.leading

    def is_sequence(self, node: Node) -> bool:
        """Whether a node gives floats by position: [batch, positions, ...]."""
        type_ = node.outputs[0].type
        return self.is_led(node) and type_.rank == 3 and type_.shape[1] in self.positions


Changes = Callable[[Node, Setting], Iterator[Change]]
"""The ways in which an operator changes a node; none where it does not apply."""


@record
class Operator:
    """A mistake: what it is called, who should catch it, and what it does to a node."""

    name: str
    judge: Judge
    changes: Changes


@record(eq=False)
class Mutant:
    """A spec that computes something else at one place."""

    operator: Operator
    site: Site
    spec: Spec


def mutants(spec: Spec, operators: Sequence[Operator], most: int | None = None) -> Iterator[Mutant]:
    """Every operator at every site where it applies; with `most` at so many, spread over all, an operator."""
    setting, places = Setting(spec), sites(spec.graph)
    for operator in operators:
        found = [(site, change) for site in places for change in operator.changes(site.node, setting)]
        for site, change in found if most is None else spread(found, most):
            made = _made(spec, site, change)
            if made is not None:
                yield Mutant(operator=operator, site=site, spec=made)


def spread(found: Sequence[T], most: int) -> list[T]:
    """Some of many, the first and the last among them; of one alone, the first."""
    if len(found) <= most:
        return list(found)
    return [found[round(k * (len(found) - 1) / max(1, most - 1))] for k in range(most)]


def _made(spec: Spec, site: Site, change: Change) -> Spec | None:
    """None where shapes do not admit the change."""
    try:
        return changed(spec, site, change)
    except (ShapeError, InvalidGraph):
        return None
