"""What a rule allows, as a relation between its output and its input, and what an `ignores` forbids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from archspec.ir.coordinates import coordinates, count
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
from archspec.relation.atoms import Atom, Difference, Guard, Relation, Side
from archspec.rules.fixed import Clause
from archspec.rules.reads import named
from archspec.rules.terms import Terms
from archspec.spec import Rule


class Inexpressible(Exception):
    """The rule cannot be written exactly between these two values; the text says why."""


@record
class Forbidden:
    """What `ignores` forbids: pairs at which a clause of `where` holds for the input and one of `at` for the output."""

    where: tuple[frozenset[Guard], ...]
    at: tuple[frozenset[Guard], ...]

    def clauses(self) -> list[frozenset[Guard]]:
        """Guards that must not hold together at a related pair."""
        return [w | a for w, a in product(self.where, self.at)]

    def relation(self) -> Relation:
        """The pairs that are forbidden."""
        return Relation(tuple(Atom(guards=clause) for clause in self.clauses()))


def allowed(rule: Rule, terms: Terms) -> Relation:
    """The pairs that an upper rule allows, and a lower rule wants. Raises Inexpressible."""
    output, source = rule.output, rule.input
    if rule.kind == "window":
        i, j = _position(output), _position(source)
        back_and_ahead = Difference(out=i, inp=j, lo=None if rule.ahead is None else -rule.ahead, hi=rule.back)
        return Relation((Atom(differences=frozenset({back_and_ahead})),))
    if rule.kind == "segments":
        assert rule.by is not None
        return one_segment(rule.by, output, source, terms)
    if rule.kind == "sees":
        return Relation((Atom(),))
    assert rule.mask is not None
    return masked(rule.mask, rule.controls, output, source, terms)


def one_segment(by: Value, output: Value, source: Value, terms: Terms) -> Relation:
    """The pairs that stand in one segment. Raises Inexpressible."""
    return masked(SameSegment(0), (by,), output, source, terms)


def masked(mask: Mask, controls: Sequence[Value], output: Value, source: Value, terms: Terms) -> Relation:
    """The pairs that a mask allows between two values. Raises Inexpressible."""
    out, inp = coordinates(output.type), coordinates(source.type)
    if output.type.rank < 2 or source.type.rank < 2:
        raise Inexpressible("a value without positions")
    windows = any(leaf.window() is not None for leaf in leaves(mask))
    same = output.type.axes[1].factors == source.type.axes[1].factors
    if max(len(out[1]), len(inp[1])) > 1 and (windows or not same):
        raise Inexpressible("positions of several factors, which are not compared here")
    uses = [use for leaf in leaves(mask) for use in _uses(leaf)]
    for use in uses:
        _fits(use, controls[use.control], output, source)
    plain = frozenset(use.control for use in uses if controls[use.control].type.rank == (1 if use.at else 0))
    at = Coordinates(query=out[1], key=inp[1], out_leading=out[0], in_leading=inp[0], plain=plain)
    found = relation(mask, at)
    known = tuple(named(atom, controls, terms, exactly=True) for atom in found.atoms)
    if None in known:
        raise Inexpressible("a control that parameters have a part in")
    return Relation(tuple(atom for atom in known if atom is not None))


def _uses(leaf: Leaf) -> tuple[ControlUse, ...]:
    assert isinstance(leaf, MaskAtom)
    return leaf.uses()


def _fits(use: ControlUse, control: Value, output: Value, source: Value) -> None:
    """Check that a control's axes have the factors of the axes that index it."""
    sides: dict[MaskSide, Value] = {"query": output, "key": source}
    own = control.type.axes
    if not use.at and own and own != source.type.axes[:1]:
        raise Inexpressible("a prefix over other axes than those that lead the input")
    for side in use.at:
        if own != (sides[side].type.axes[:2] if len(own) == 2 else sides[side].type.axes[1:2]):
            raise Inexpressible("a control over other axes than the positions")


def _position(value: Value) -> int:
    places = coordinates(value.type)
    if len(places) < 2 or len(places[1]) > 1:
        raise Inexpressible("positions of several factors, which are not compared here")
    return places[1][0]


def forbidden(rule: Rule, terms: Terms) -> Forbidden:
    """What an `ignores` forbids. Raises Inexpressible."""
    assert rule.where is not None
    where = _clauses(rule.where, rule.input, "in", terms, negated=False)
    if rule.at is not None:
        return Forbidden(where=where, at=_clauses(rule.at, rule.output, "out", terms, negated=False))
    if not carries(rule.output, rule.where):
        return Forbidden(where=where, at=(frozenset(),))
    return Forbidden(where=where, at=_clauses(rule.where, rule.output, "out", terms, negated=True))


def hidden_by(predicate: Value, truth: bool, output: Value, source: Value, terms: Terms) -> Forbidden:
    """What `ignores` forbids where a predicate has that truth. Raises Inexpressible."""
    where = _clauses(predicate, source, "in", terms, negated=not truth)
    at = _clauses(predicate, output, "out", terms, negated=truth) if carries(output, predicate) else (frozenset(),)
    return Forbidden(where=where, at=at)


def carries(value: Value, predicate: Value) -> bool:
    """Whether the first axes of a value are those of a predicate."""
    return value.type.axes[: predicate.type.rank] == predicate.type.axes


def disjunction(value: Value, terms: Terms, negated: bool = False) -> list[Clause]:
    """A predicate (or its contrary) as clauses of which one holds. Raises Inexpressible."""
    source = terms.source(value)
    node = None if source is None else source.producer
    if node is not None and isinstance(node.op, Logical):
        if node.op.kind == "not":
            return disjunction(node.inputs[0], terms, not negated)
        parts = [disjunction(x, terms, negated) for x in node.inputs]
        if (node.op.kind == "or") is not negated:
            return [clause for part in parts for clause in part]
        return [tuple(literal for clause in chosen for literal in clause) for chosen in product(*parts)]
    found = terms.literals(value, negated)
    if found is None:
        raise Inexpressible("a predicate that parameters have a part in")
    return [found]


def _clauses(value: Value, of: Value, side: Side, terms: Terms, *, negated: bool) -> tuple[frozenset[Guard], ...]:
    """The clauses of a predicate over the first axes of a value, as guards on that side."""
    if not carries(of, value):
        raise Inexpressible("a predicate whose axes have other factors than the value's")
    places = tuple(range(count(of.type.axes[: value.type.rank])))
    result = []
    for clause in disjunction(value, terms, negated):
        guards = []
        for literal in clause:
            own = len(literal.term.type.space)
            if own == 0 or literal.term.type.axes != value.type.axes[value.type.rank - literal.term.type.rank :]:
                raise Inexpressible("a predicate that is broadcast")
            at = places[len(places) - own :]
            guards.append(Guard(side=side, predicate=literal.term, coordinates=at, negated=literal.negated))
        result.append(frozenset(guards))
    return tuple(result)
