"""Example sizes and inputs for pictures of masks: small sizes, and values at which the masks have an effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod

from archspec.ir.graph import Graph, Value
from archspec.ir.types import DType
from archspec.masks import examples
from archspec.masks.atom import MaskAtom
from archspec.masks.leaf import ControlUse
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.compare import Compare
from archspec.record import record
from archspec.rules.terms import Term, Terms
from archspec.rules.wiring.world import Tensor, World
from archspec.rules.wiring.worlds import small_sizes
from archspec.spec import InputSpec, Spec

POSITIONS = 12


@record
class Example:
    """Sizes and input values for a picture; `terms` are the terms of what the graph computes from them."""

    world: World
    terms: Terms

    @property
    def sizes(self) -> Mapping[str, int]:
        """The size of each dim."""
        return self.world.sizes

    def values(self, value: Value) -> list[int] | None:
        """The elements of a value along its last axis, in the first row; None if no term is known for it."""
        term = self.terms.of(value)
        if term is None:
            return None
        tensor = self.world.value(term)
        return list(tensor.items[: tensor.shape[-1] if tensor.shape else 1])

    def notes(self, values: Iterable[Value]) -> list[str]:
        """Lines `name = elements` for the inputs from which the given values are computed, each once."""
        known = [term for value in values if (term := self.terms.of(value)) is not None]
        leaves_ = {leaf.text: leaf for term in known for leaf in term.leaves() if leaf.op is None}
        return [f"{name} = {_row(self.world.value(leaf))}" for name, leaf in leaves_.items()]


def example(spec: Spec, positions: int = POSITIONS) -> Example:
    """An example of one batch row in which masks have a visible effect: some padding, several segments, a prefix.

    Args:
        spec: the spec.
        positions: about how many positions each dim gets; ranges and multiples of dims may require other sizes.

    Returns:
        the sizes, and a value for every input that is not float. Masks do not read floats.
    """
    terms = Terms(spec.graph)
    roles = dict(_roles(spec.graph, terms))
    sizes = small_sizes(spec, positions, batch=1)
    given = {
        value.name: _tensor(value, roles.get(value.name), spec.inputs.get(value.name), sizes)
        for value in spec.graph.inputs
        if value.type.dtype is not DType.FLOAT
    }
    return Example(world=World(sizes, given), terms=terms)


Role = tuple[ControlUse | None, Compare | None]
"""How a mask uses an input, and the comparison through which it reads it."""


def _roles(graph: Graph, terms: Terms) -> Iterator[tuple[str, Role]]:
    """The inputs that masks read, with their roles; if an input has several, the last one counts."""
    for node in graph.walk():
        if isinstance(node.op, Attention):
            for leaf in leaves(node.op.mask):
                for use in leaf.uses() if isinstance(leaf, MaskAtom) else ():
                    yield from _of_term(terms.of(node.inputs[node.op.first + use.control]), use, None)


def _of_term(term: Term | None, use: ControlUse, compare: Compare | None) -> Iterator[tuple[str, Role]]:
    """The inputs of a term that a mask uses, each with the innermost comparison around it."""
    if term is None:
        return
    if term.op is None:
        yield term.text, (use, compare)
    for operand in term.operands:
        yield from _of_term(operand, use, term.op if isinstance(term.op, Compare) else compare)


def _tensor(value: Value, role: Role | None, spec: InputSpec | None, sizes: Mapping[str, int]) -> Tensor:
    """The example of an input, by its role for masks: the same elements in every row, below the bound of its type."""
    shape = tuple(size.value(sizes) for size in value.type.space)
    use, compare = role or (None, None)
    length = shape[-1] if shape else 1
    values = examples.valid if use is None else use.example
    row = values(length, max(sizes.values(), default=1), "right" if spec is None else spec.padding)
    # A mask that needs a bool reads an integer input through a comparison, such as `ids != 0`.
    holds = use is None or use.dtypes == (DType.BOOL,)
    if holds and value.type.dtype is not DType.BOOL:
        row = [_compared(k, held, compare, sizes) for k, held in enumerate(row)]
    if value.type.bound is not None:
        row = [min(item, value.type.bound.value(sizes) - 1) for item in row]
    return Tensor(shape, tuple(row * (prod(shape) // length)) if length else ())


def _compared(place: int, held: int, compare: Compare | None, sizes: Mapping[str, int]) -> int:
    """An integer that a comparison classifies as valid, if `held` is true, or as padding; without one, the position."""
    if compare is None:
        return place
    number = round(compare.number.evaluate(sizes))
    if compare.kind == "==":
        # A comparison for equality holds in the exceptional case, such as that of the padding id.
        return number if not held else number + 1 + place
    return max(0, number - 1) if held else number


def _row(tensor: Tensor) -> str:
    """The elements of the first row of a tensor, as text."""
    items = tensor.items[: tensor.shape[-1]] if tensor.shape else tensor.items
    return " ".join(map(str, items))
