"""What the nodes of a graph read, with controls named by what they compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.ir.graph import Graph, Node
from archspec.ir.types import TensorType
from archspec.ops.base import Primitive
from archspec.relation.atoms import Atom, Guard, PrefixBound, Relation, SameSegment, Space
from archspec.relation.union import in_normal_form
from archspec.rules.terms import Term, Terms

Rows = tuple[tuple[Relation, ...], ...]
"""`rows[output][operand]`"""


def space(type_: TensorType) -> Space:
    """The sizes of the coordinates of a type."""
    return tuple(factor for axis in type_.axes for factor in axis.factors)


class Reads:
    """Reads of primitives in normal form. The keys of their constraints are terms; what has none is dropped.

    `fixed` are terms that a rule holds fixed while an input changes, so that constraints by them stand.
    """

    def __init__(self, graph: Graph, terms: Terms | None = None, fixed: frozenset[Term] = frozenset()) -> None:
        self.terms = Terms(graph) if terms is None else terms
        self.fixed = fixed
        self._rows: dict[Node, Rows] = {}
        self._erased: dict[tuple[Node, str], Rows] = {}
        self._mentioned: dict[Graph, frozenset[str]] = {}

    def of(self, node: Node, changing: str | None = None) -> Rows:
        """What a primitive reads; with `changing`, for any values of the input of that name."""
        if node not in self._rows:
            self._rows[node] = self._read(node)
        rows = self._rows[node]
        if changing is None or not any(self._reads_input(row, changing) for row in rows):
            return rows
        key = (node, changing)
        if key not in self._erased:
            self._erased[key] = self._normal(node, [[self._without(r, changing) for r in row] for row in rows])
        return self._erased[key]

    def mentioned(self, graph: Graph) -> frozenset[str]:
        """Names of the inputs that controls inside a graph depend on."""
        if graph not in self._mentioned:
            found = (
                name
                for node in graph.walk()
                if isinstance(node.op, Primitive)
                for row in self.of(node)
                for relation in row
                for atom in relation.atoms
                for term in keys(atom)
                if term not in self.fixed
                for name in term.inputs
            )
            self._mentioned[graph] = frozenset(found)
        return self._mentioned[graph]

    def _read(self, node: Node) -> Rows:
        assert isinstance(node.op, Primitive)
        ins, outs = [x.type for x in node.inputs], [y.type for y in node.outputs]
        rows = node.op.reads(ins, outs)
        return self._normal(node, [[self._named(node, relation) for relation in row] for row in rows])

    def _normal(self, node: Node, rows: list[list[Relation]]) -> Rows:
        return tuple(
            tuple(
                in_normal_form(relation, space(y.type), space(x.type))
                for relation, x in zip(row, node.inputs, strict=True)
            )
            for row, y in zip(rows, node.outputs, strict=True)
        )

    def _named(self, node: Node, relation: Relation) -> Relation:
        return Relation(tuple(self._atom(node, atom) for atom in relation.atoms))

    def _atom(self, node: Node, atom: Atom) -> Atom:
        if not (atom.guards or atom.prefixes or atom.segments):
            return atom
        return replace(
            atom,
            guards=frozenset(found for guard in atom.guards for found in self._guards(node, guard)),
            prefixes=frozenset(
                replace(bound, prefix=term)
                for bound in atom.prefixes
                if (term := self.terms.of(node.inputs[_operand(bound)])) is not None
            ),
            segments=frozenset(
                replace(equality, segments=term)
                for equality in atom.segments
                if (term := self.terms.of(node.inputs[_operand(equality)])) is not None
            ),
        )

    def _guards(self, node: Node, guard: Guard) -> Iterator[Guard]:
        literals = self.terms.literals(node.inputs[_operand(guard)], guard.negated)
        for literal in literals or () if guard.coordinates else ():
            yield replace(guard, predicate=literal.term, negated=literal.negated)

    def _reads_input(self, row: tuple[Relation, ...], name: str) -> bool:
        return any(self._mentions(term, name) for relation in row for atom in relation.atoms for term in keys(atom))

    def _mentions(self, term: Term, name: str) -> bool:
        return name in term.inputs and term not in self.fixed

    def _without(self, relation: Relation, name: str) -> Relation:
        return Relation(tuple(self._erased_atom(atom, name) for atom in relation.atoms))

    def _erased_atom(self, atom: Atom, name: str) -> Atom:
        return replace(
            atom,
            guards=frozenset(g for g in atom.guards if not self._mentions(key_of(g), name)),
            prefixes=frozenset(p for p in atom.prefixes if not self._mentions(key_of(p), name)),
            segments=frozenset(s for s in atom.segments if not self._mentions(key_of(s), name)),
        )


Constraint = Guard | PrefixBound | SameSegment


def key_of(constraint: Constraint) -> Term:
    """The term that a constraint names."""
    match constraint:
        case (
            Guard(predicate=Term() as term) | PrefixBound(prefix=Term() as term) | SameSegment(segments=Term() as term)
        ):
            return term
        case _:
            raise TypeError(f"the key of {constraint} is no term")


def _operand(constraint: Constraint) -> int:
    """The number of the operand that a constraint of an op's own reads names."""
    match constraint:
        case Guard(predicate=int(n)) | PrefixBound(prefix=int(n)) | SameSegment(segments=int(n)):
            return n
        case _:
            raise TypeError(f"the key of {constraint} is no operand")


def keys(atom: Atom) -> Iterator[Term]:
    """The terms that an atom's constraints name."""
    yield from map(key_of, atom.guards)
    yield from map(key_of, atom.prefixes)
    yield from map(key_of, atom.segments)
