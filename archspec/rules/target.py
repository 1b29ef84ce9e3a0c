"""The pairs that a rule allows between its output and its input, and those that `ignores` forbids.

These relations state what is expected: they must be exact, or allow less. Where they cannot be written exactly the
functions raise Inexpressible, and the verdict is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from archspec.algebra.dim import Dim, compare
from archspec.ir.coordinates import places
from archspec.ir.graph import Value
from archspec.masks.atom import MaskAtom
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.coordinates import Coordinates, MaskSide
from archspec.masks.leaf import ControlUse, Leaf
from archspec.masks.mask import Mask
from archspec.masks.relation import relation
from archspec.masks.walk import leaves
from archspec.ops.elementwise.logical import Logical
from archspec.record import record
from archspec.relation.atoms import Atom, Guard, Relation, Side, apart
from archspec.rules.fixed import Clause
from archspec.rules.reads import named
from archspec.rules.terms import Terms
from archspec.spec import Rule
from archspec.spec.rule_axes import spread


class Inexpressible(Exception):
    """The rule cannot be written exactly between these two values; the message says why."""


@record
class RuleTarget:
    """The pairs that an upper rule is about: none of them may be related if `forbidden`, else no others may."""

    pairs: Relation
    forbidden: bool


@record
class Forbidden:
    """The pairs that `ignores` forbids: a clause of `where` holds at the input and a clause of `at` at the output."""

    where: tuple[frozenset[Guard], ...]
    at: tuple[frozenset[Guard], ...]

    def clauses(self) -> list[frozenset[Guard]]:
        """Sets of guards, none of which may hold at a related pair."""
        return [w | a for w, a in product(self.where, self.at)]

    def relation(self) -> Relation:
        """The forbidden pairs as a relation."""
        return Relation(tuple(Atom(guards=clause) for clause in self.clauses()))


def window(rule: Rule, back: Dim | None, ahead: Dim | None) -> Relation:
    """The pairs with `i - back <= j <= i + ahead`, where None is infinite.

    i and j are positions on the rule's axes, flat where an axis has factors.
    """
    # `j <= i + ahead` is `i - j >= -ahead`.
    i, j = places(rule.output.type)[rule.axis[0]], places(rule.input.type)[rule.axis[1]]
    return Relation((apart(i, j, None if ahead is None else -ahead, back),))


def one_segment(by: Value, output: Value, source: Value, axes: tuple[int, int], terms: Terms) -> Relation:
    """The pairs that are in one segment of `by`, on one axis of the output and one of the source.

    Raises Inexpressible.
    """
    return masked(SameSegment(0), (by,), output, source, axes, terms)


def masked(
    mask: Mask, controls: Sequence[Value], output: Value, source: Value, axes: tuple[int, int], terms: Terms
) -> Relation:
    """The pairs that a mask allows between positions on one axis of each of two values.

    Args:
        mask: the mask.
        controls: its controls, by number.
        output: the value whose positions are the queries.
        source: the value whose positions are the keys.
        axes: the axis of `output` and the axis of `source`.
        terms: names of the controls.

    Raises:
        Inexpressible: where a control has other axes, or depends on parameters.
    """
    out, inp = places(output.type), places(source.type)
    uses = [use for leaf in leaves(mask) for use in _uses(leaf)]
    for use in uses:
        _fits(use, controls[use.control], {"query": (output, axes[0]), "key": (source, axes[1])})
    # A control that has the axis of its positions alone has no leading axes.
    plain = frozenset(use.control for use in uses if controls[use.control].type.rank == (1 if use.at else 0))
    at = Coordinates(
        query=(out[axes[0]],),
        key=(inp[axes[1]],),
        out_leading=(out[0],) if axes[0] else (),
        in_leading=(inp[0],) if axes[1] else (),
        plain=plain,
    )
    found = relation(mask, at)
    # A constraint without a term must not be dropped here: the rule would allow more than it says.
    known = tuple(named(atom, controls, terms, exactly=True) for atom in found.atoms)
    if None in known:
        raise Inexpressible("a control that depends on parameters")
    return Relation(tuple(atom for atom in known if atom is not None))


def _uses(leaf: Leaf) -> tuple[ControlUse, ...]:
    """How a leaf reads its controls. The mask of a rule is written as text, so all its leaves are atoms."""
    assert isinstance(leaf, MaskAtom)
    return leaf.uses()


def _fits(use: ControlUse, control: Value, sides: Mapping[MaskSide, tuple[Value, int]]) -> None:
    """Raise Inexpressible unless a control has the axes that index it."""
    own = control.type.shape
    if not use.at and own and not _equal(own, sides["key"][0].type.shape[:1]):
        raise Inexpressible("a prefix whose axes are not the leading axes of the input")
    for side in use.at:
        value, axis = sides[side]
        shape = value.type.shape
        if not _equal(own, (shape[0], shape[axis]) if len(own) == 2 else (shape[axis],)):
            raise Inexpressible("a control whose axes differ from the positions")


def _equal(left: Sequence[Dim], right: Sequence[Dim]) -> bool:
    """Whether two shapes are proved equal."""
    return len(left) == len(right) and all(compare(a, "==", b) is True for a, b in zip(left, right, strict=True))


def promised_clauses(rule: Rule, terms: Terms) -> tuple[frozenset[Guard], ...]:
    """Sets of guards, one of which holds at every output position that the rule is about. Raises Inexpressible."""
    return (frozenset(),) if rule.at is None else guards_of(rule.at, rule.output, "out", terms)


def restricted(found: Relation, clauses: Sequence[frozenset[Guard]]) -> Relation:
    """The pairs of a relation at which one of the sets of guards holds."""
    return Relation(tuple(replace(atom, guards=atom.guards | clause) for atom in found.atoms for clause in clauses))


def with_exempt(rule: Rule, allowed: Relation, terms: Terms) -> Relation:
    """The allowed pairs, and every pair of an output position that the rule is not about. Raises Inexpressible."""
    if rule.at is None:
        return allowed
    return allowed | Relation(
        tuple(Atom(guards=clause) for clause in guards_of(rule.at, rule.output, "out", terms, negated=True))
    )


def hidden_by(predicate: Value, truth: bool, output: Value, source: Value, terms: Terms) -> Forbidden:
    """What `ignores` forbids where a predicate has the given truth value.

    Args:
        predicate: a bool value over axes of `source`.
        truth: its value at the input positions that are hidden.
        output: the value that must not depend on them.
        source: the value whose positions are hidden.
        terms: names of the controls.

    Where the output has the axes of the predicate, only its positions with the other truth value are restricted.
    Raises Inexpressible.
    """
    where = guards_of(predicate, source, "in", terms, negated=not truth)
    at = guards_of(predicate, output, "out", terms, negated=truth) if carries(output, predicate) else (frozenset(),)
    return Forbidden(where=where, at=at)


def carries(value: Value, predicate: Value) -> bool:
    """Whether a value has the axes of a predicate."""
    return over_axes(value, predicate) is not None


def over_axes(value: Value, predicate: Value) -> tuple[int, ...] | None:
    """The axes of a value that a predicate is over; None where it lacks one of them."""
    return spread(predicate.type.shape, value.type.shape)


def last_axis(value: Value, predicate: Value) -> int:
    """The axis of a value that the last axis of a predicate or of segments corresponds to. Raises Inexpressible."""
    found = over_axes(value, predicate)
    if not found:
        raise Inexpressible("positions that the value does not have")
    return found[-1]


def disjunction(value: Value, terms: Terms, negated: bool = False) -> list[Clause]:
    """A predicate (or its negation) in disjunctive normal form: clauses, one of which holds. Raises Inexpressible."""
    source = terms.source(value)
    node = None if source is None else source.producer
    if node is not None and isinstance(node.op, Logical):
        if node.op.kind == "not":
            return disjunction(node.inputs[0], terms, not negated)
        parts = [disjunction(x, terms, negated) for x in node.inputs]
        # By De Morgan a negated `and` is a disjunction of the negated operands, and a negated `or` a conjunction.
        if (node.op.kind == "or") is not negated:
            return [clause for part in parts for clause in part]
        # A conjunction of disjunctions is multiplied out: one clause for each choice of parts.
        return [tuple(literal for clause in chosen for literal in clause) for chosen in product(*parts)]
    found = terms.literals(value, negated)
    if found is None:
        raise Inexpressible("a predicate that depends on parameters")
    return [found]


def guards_of(
    value: Value, of: Value, side: Side, terms: Terms, *, negated: bool = False
) -> tuple[frozenset[Guard], ...]:
    """A predicate over axes of a value as sets of guards, one of which holds at each position where it is true.

    Args:
        value: the predicate.
        of: the value over whose axes it is.
        side: the side of the relation that `of` is on.
        terms: names of the controls.
        negated: take the positions where the predicate is false.

    Raises:
        Inexpressible: where a part of the predicate has other axes, or depends on parameters.
    """
    axes = over_axes(of, value)
    if axes is None:
        raise Inexpressible("a predicate whose axes differ from those of the value")
    own_places = tuple(places(of.type)[axis] for axis in axes)
    result = []
    for clause in disjunction(value, terms, negated):
        guards = []
        for literal in clause:
            own = literal.term.type.rank
            # A literal over fewer axes holds for whole rows; a guard can only index the axes that it has.
            if own == 0 or not _equal(literal.term.type.shape, value.type.shape[value.type.rank - own :]):
                raise Inexpressible("a predicate that is broadcast")
            at = own_places[len(own_places) - own :]
            guards.append(Guard(side=side, predicate=literal.term, coordinates=at, negated=literal.negated))
        result.append(frozenset(guards))
    return tuple(result)
