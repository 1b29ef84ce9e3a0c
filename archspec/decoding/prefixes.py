"""Prefixes that masks open to all of their positions, and how long each row's is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.diagnostics import Collector
from archspec.ir.graph import Graph, Node, Value
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.passes.scopes import Scopes
from archspec.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@record
class Prefixes:
    """The lengths of the prefixes of a graph: numbers, and inputs that hold one number a row."""

    numbers: frozenset[int] = frozenset()
    inputs: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.numbers or self.inputs)


def prefixes(graph: Graph, rows: Dim) -> Prefixes | None:
    """The prefixes of the masks of a graph whose inputs have `rows` rows; None if a length is known in no such way."""
    scopes = Scopes(graph)
    numbers: set[int] = set()
    inputs: set[str] = set()
    for node, leaf in _opened(graph):
        number = None if leaf.length is None else leaf.length.constant
        given = _given(node, leaf, scopes)
        if number is not None:
            numbers.add(number)
        elif given is not None and given in graph.inputs and given.type.shape == (rows,):
            inputs.add(given.name)
        else:
            return None
    return Prefixes(numbers=frozenset(numbers), inputs=frozenset(inputs))


def _opened(graph: Graph) -> Iterator[tuple[Node, Prefix]]:
    """The prefixes in the masks of a graph, each with its node."""
    for node in graph.walk():
        if isinstance(node.op, Attention | MakeMask):
            yield from ((node, leaf) for leaf in leaves(node.op.mask) if isinstance(leaf, Prefix))


def _given(node: Node, leaf: Prefix, scopes: Scopes) -> Value | None:
    """The value that gives the length of a prefix of an attention."""
    if leaf.control is None or not isinstance(node.op, Attention):
        return None
    return scopes.origin(node.inputs[node.op.first + leaf.control])


def check_prefixes(
    prefixes: Prefixes, sequences: Sequence[Sequence[int]], inputs: Mapping[str, Array], found: Collector
) -> None:
    """Report E742 for each row that is shorter than its prefix, where a new id would change earlier positions.

    Args:
        prefixes: the lengths of the prefixes.
        sequences: the ids of each row.
        inputs: every input that holds lengths, [rows].
        found: takes the diagnostics.
    """
    for number, row in enumerate(sequences):
        # At least 0, since `max` takes no empty sequence.
        length = max((0, *prefixes.numbers, *(int(inputs[name][number]) for name in prefixes.inputs)))
        if len(row) < length:
            message = f"row {number} starts with {len(row)} ids, but its prefix covers {length}"
            notes = ["positions of a prefix see all of it, so a new id inside it would change the earlier ones"]
            found.error("E742", message, None, notes=notes, help="give a prompt that covers the prefix")
