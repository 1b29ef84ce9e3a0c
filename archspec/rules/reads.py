"""What the nodes of a graph read, with controls named by the terms that they compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archspec.ir.graph import Graph, Node, Value
from archspec.ir.op import Primitive
from archspec.ir.types import DType
from archspec.relation.atoms import Atom, Guard, PrefixBound, Relation, SegmentEquality
from archspec.relation.union import in_normal_form
from archspec.rules.fixed import Fixed
from archspec.rules.terms import Literal, Term, Terms
from archspec.rules.views import resolved

Rows = tuple[tuple[Relation, ...], ...]
"""`rows[output][operand]`"""


class Reads:
    """What primitives read, in normal form. The keys of constraints are terms; constraints without a term are dropped.

    `fixed` says what a rule holds fixed while an input changes, so that constraints by it remain valid.
    """

    def __init__(self, graph: Graph, terms: Terms | None = None, fixed: Fixed | None = None) -> None:
        self.terms = Terms(graph) if terms is None else terms
        self.fixed = fixed
        self._rows: dict[Node, Rows] = {}
        self._erased: dict[tuple[Node, Term], Rows] = {}
        self._keys: dict[Graph, frozenset[Term]] = {}
        self._used: set[Term] = set()

    def of(self, node: Node, changing: Term | None = None) -> Rows:
        """What a primitive reads, as `rows[output][operand]`.

        With `changing`, constraints by that term are dropped: they hold in one run and need not hold in the other.
        """
        if node not in self._rows:
            self._rows[node] = self._read(node)
        rows = self._rows[node]
        if changing is None or not any(self._restricted(row, changing) for row in rows):
            return rows
        key = (node, changing)
        if key not in self._erased:
            self._erased[key] = self._normal(node, [[self._without(r, changing) for r in row] for row in rows])
        return self._erased[key]

    def restricted(self, graph: Graph, changing: Term) -> bool:
        """Whether something inside a graph is restricted by a term that depends on what changes."""
        if graph not in self._keys:
            rows = (row for node in graph.walk() if isinstance(node.op, Primitive) for row in self.of(node))
            self._keys[graph] = frozenset(term for row in rows for r in row for atom in r.atoms for term in keys(atom))
        return any(self._mentions(term, changing) for term in self._keys[graph])

    def used(self) -> frozenset[Term]:
        """The terms that restrict reads anywhere in the graph, as far as nodes have been asked for."""
        return frozenset(self._used)

    def is_fixed(self, value: Value) -> bool:
        """Whether the rule holds a value fixed although it depends on the changing input."""
        # A predicate decides truth values; integers that depend on the input are taken to change.
        if self.fixed is None or value.type.dtype is not DType.BOOL:
            return False
        term = self.terms.of(value)
        return term is not None and term.depends_on(self.fixed.source) and self.fixed(term)

    def _read(self, node: Node) -> Rows:
        """The op's own reads, with operand numbers replaced by terms."""
        return tuple(
            tuple(self._one_read(node, output, operand, relation) for operand, relation in enumerate(row))
            for output, row in enumerate(node.reads)
        )

    def _one_read(self, node: Node, output: int, operand: int, relation: Relation) -> Relation:
        """What one output reads of one operand."""
        if not any(atom.guards or atom.prefixes or atom.segments for atom in relation.atoms):
            return node.reading(output, operand)
        found = self._named(node, relation)
        # Before the normal form, which joins many atoms and drops what distinguishes them; exact wiring still reads it.
        self._used.update(term for atom in found.atoms for term in keys(atom))
        return in_normal_form(found, node.outputs[output].type.space, node.inputs[operand].type.space)

    def _normal(self, node: Node, rows: list[list[Relation]]) -> Rows:
        """The rows of a node with every relation in normal form."""
        return tuple(
            tuple(
                in_normal_form(relation, y.type.space, x.type.space)
                for relation, x in zip(row, node.inputs, strict=True)
            )
            for row, y in zip(rows, node.outputs, strict=True)
        )

    def _named(self, node: Node, relation: Relation) -> Relation:
        """A relation whose constraints name terms, with views of predicates resolved."""
        found = (named(atom, node.inputs, self.terms) for atom in relation.atoms)
        # First the views are resolved, then what reads floats is dropped: a view may join the two.
        return Relation(tuple(one for atom in found if atom is not None for one in _known(resolved(atom)).atoms))

    def _restricted(self, row: tuple[Relation, ...], changing: Term) -> bool:
        """Whether a constraint of one row depends on what changes."""
        return any(self._mentions(term, changing) for r in row for atom in r.atoms for term in keys(atom))

    def _mentions(self, term: Term, changing: Term) -> bool:
        """Whether a term depends on what changes, other than through terms that the rule fixes."""
        return term.depends_on(changing, self.fixed)

    def _without(self, relation: Relation, changing: Term) -> Relation:
        """A relation without the constraints by what changes."""
        return Relation(tuple(self._erased_atom(atom, changing) for atom in relation.atoms))

    def _erased_atom(self, atom: Atom, changing: Term) -> Atom:
        """The atom without constraints by what changes, except guards that the rule fixes."""
        return replace(
            atom,
            guards=frozenset(self._standing(atom.guards, changing)),
            prefixes=frozenset(p for p in atom.prefixes if not self._mentions(key_of(p), changing)),
            segments=frozenset(s for s in atom.segments if not self._mentions(key_of(s), changing)),
        )

    def _standing(self, guards: frozenset[Guard], changing: Term) -> Iterator[Guard]:
        """The guards that remain valid while a term changes: those by other terms, and those fixed together."""
        places: dict[object, list[Guard]] = {}
        for guard in guards:
            if not self._mentions(key_of(guard), changing):
                yield guard
            else:
                # Guards at one place form one conjunction; the rule may fix it although it fixes none of its parts.
                places.setdefault((guard.side, guard.coordinates, guard.offset), []).append(guard)
        for found in places.values() if self.fixed is not None and self.fixed.source is changing else ():
            if self.fixed is not None and self.fixed.together(Literal(key_of(g), g.negated) for g in found):
                yield from found


def _known(relation: Relation) -> Relation:
    """A relation without constraints by terms computed from floats: the worlds of a search have no float values."""
    return Relation(
        tuple(
            replace(
                atom,
                guards=frozenset(g for g in atom.guards if not key_of(g).reads_floats),
                segments=frozenset(s for s in atom.segments if not key_of(s).reads_floats),
                prefixes=frozenset(p for p in atom.prefixes if not key_of(p).reads_floats),
            )
            for atom in relation.atoms
        )
    )


def named(atom: Atom, operands: Sequence[Value], terms: Terms, *, exactly: bool = False) -> Atom | None:
    """An atom whose constraints name operands by number, with terms instead.

    Constraints without a term are dropped, which widens the atom; with `exactly` the result is then None.
    """
    if not (atom.guards or atom.prefixes or atom.segments):
        return atom
    prefixes = [(bound, terms.of(operands[_operand(bound)])) for bound in atom.prefixes]
    segments = [(equality, terms.of(operands[_operand(equality)])) for equality in atom.segments]
    guards = [(guard, _literals(guard, operands, terms)) for guard in atom.guards]
    if exactly and any(term is None for _, term in (*prefixes, *segments, *guards)):
        return None
    return replace(
        atom,
        guards=frozenset(
            replace(guard, predicate=literal.term, negated=literal.negated)
            for guard, found in guards
            for literal in found or ()
        ),
        prefixes=frozenset(replace(bound, prefix=term) for bound, term in prefixes if term is not None),
        segments=frozenset(replace(equality, segments=term) for equality, term in segments if term is not None),
    )


def _literals(guard: Guard, operands: Sequence[Value], terms: Terms) -> tuple[Literal, ...] | None:
    """The literals of a guard's predicate; None where it has no term or is a single value."""
    return terms.literals(operands[_operand(guard)], guard.negated) if guard.coordinates else None


Constraint = Guard | PrefixBound | SegmentEquality


def key_of(constraint: Constraint) -> Term:
    """The term that a constraint names. Raises TypeError where its key is not a term."""
    match constraint:
        case (
            Guard(predicate=Term() as term)
            | PrefixBound(prefix=Term() as term)
            | SegmentEquality(segments=Term() as term)
        ):
            return term
        case _:
            raise TypeError(f"the key of {constraint} is not a term")


def _operand(constraint: Constraint) -> int:
    """The operand number that a constraint of an op's own reads names. Raises TypeError for another key."""
    match constraint:
        case Guard(predicate=int(n)) | PrefixBound(prefix=int(n)) | SegmentEquality(segments=int(n)):
            return n
        case _:
            raise TypeError(f"the key of {constraint} is not an operand")


def keys(atom: Atom) -> Iterator[Term]:
    """The terms that an atom's constraints name, with repetition."""
    yield from map(key_of, atom.guards)
    yield from map(key_of, atom.prefixes)
    yield from map(key_of, atom.segments)
