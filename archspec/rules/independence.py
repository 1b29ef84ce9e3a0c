"""The rule that is always checked: different positions of a dim that leads inputs (a batch) do not mix."""

from __future__ import annotations

from archspec.algebra.dim import Dim
from archspec.ir.graph import Graph, Value
from archspec.record import record
from archspec.relation.atoms import Atom, Relation, equal
from archspec.rules.flow import Dependence
from archspec.rules.prove import within


@record
class Pair:
    """An output, and an input whose first axis is the dim.

    The first coordinate of the input must equal one of the coordinates `out` of the output, which are those along the
    dim, factors of a merged axis included. An output without any may not depend on the input at all; but where the dim
    is part of an axis in another form, as in `2*batch`, its rows cannot be identified (`is_lost`), and the pair is
    never reported as violated.
    """

    output: Value
    output_name: str
    input: Value
    out: tuple[int, ...]
    is_lost: bool = False

    def allowed(self) -> list[Relation]:
        """Relations one of which must contain all related pairs."""
        return [Relation((Atom(differences=frozenset({equal(place, 0)})),)) for place in self.out]

    def proved(self, dependence: Dependence) -> bool:
        """Whether positions along the dim are proved not to mix."""
        found = dependence.relation(self.output, self.input)
        out, inp = self.output.type.space, self.input.type.space
        return not found.atoms or any(within(found, one, out, inp, {}) for one in self.allowed())


@record
class Independent:
    """The rule that the positions of one dim are independent, for every output and every input that it leads."""

    size: Dim
    pairs: tuple[Pair, ...]
    kind: str = "independent"

    @property
    def dim(self) -> str:
        """The name of the dim."""
        return str(self.size)

    def __str__(self) -> str:
        return f"independent(dim: {self.dim})"


def independence(graph: Graph) -> list[Independent]:
    """A rule for each dim that leads inputs.

    A dim that is also a later axis of some input is left out: its positions are then not a batch.
    """
    found: dict[Dim, list[Pair]] = {}
    for source in graph.inputs:
        dim = _leading(source)
        if dim is None or any(axis.size == dim for value in graph.inputs for axis in value.type.axes[1:]):
            continue
        for name, output in zip(graph.output_names, graph.outputs, strict=True):
            own = tuple(place for place, size in enumerate(output.type.space) if size == dim)
            # The dim occurs in the output, but not as a coordinate: its rows exist and cannot be identified.
            lost = not own and any(size.symbols() & dim.symbols() for size in output.type.space)
            pair = Pair(output=output, output_name=name, input=source, out=own, is_lost=lost)
            found.setdefault(dim, []).append(pair)
    return [Independent(size=dim, pairs=tuple(pairs)) for dim, pairs in found.items()]


def _leading(value: Value) -> Dim | None:
    """The size of the first axis, where it is exactly one dim."""
    if not value.type.rank or len(value.type.axes[0].factors) != 1:
        return None
    size = value.type.axes[0].size
    symbols = size.symbols()
    # A product or quotient of dims does not number the rows of one of them.
    return size if len(symbols) == 1 and str(size) == next(iter(symbols)).name else None
