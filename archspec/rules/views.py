"""Guards by rearranged, sliced or concatenated predicates, rewritten as guards by the original predicates.

Without this, `key_valid` over `rows*columns` could not be compared with a rule over `rows, columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.algebra.dim import Dim, product
from archspec.ops.elementwise.constant import Constant
from archspec.ops.elementwise.logical import Logical
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.relation.atoms import ZERO, Atom, Flat, Guard, Range, Relation
from archspec.relation.forms import Form, as_place, form, scaled, total
from archspec.relation.meet import meet
from archspec.relation.order import ordered
from archspec.rules.terms import Term

_VIEWS = (Concat, Constant, Merge, Slice, Split, Transpose)


def resolved(atom: Atom) -> Relation:
    """The same pairs, with every guard by a view replaced by guards by the predicates that it is a view of."""
    if not any(isinstance(guard.predicate, Term) and _is_view(guard.predicate) for guard in atom.guards):
        return Relation((atom,))
    found = Relation((replace(atom, guards=frozenset()),))
    # Each guard becomes a disjunction, so the atom becomes the product of all of them.
    for guard in ordered(atom.guards):
        found = meet(found, Relation(tuple(_alternatives(guard))))
    return found


def _is_view(term: Term) -> bool:
    """Whether a term only rearranges, slices or joins other terms, possibly negated."""
    if isinstance(term.op, Logical) and term.op.kind == "not":
        return _is_view(term.operands[0])
    return isinstance(term.op, _VIEWS)


def _alternatives(guard: Guard) -> Iterator[Atom]:
    """Atoms one of which holds exactly where the guard does."""
    term = guard.predicate
    op = term.op if isinstance(term, Term) else None
    if not isinstance(term, Term) or len(guard.coordinates) != term.type.rank:
        yield Atom(guards=frozenset({guard}))
    elif isinstance(op, Constant):
        # A constant is true everywhere or nowhere: no constraint is left, or no atom.
        holds = op.number if isinstance(op.number, bool) else op.number.evaluate({}) != 0
        if holds is not guard.negated:
            yield Atom()
    elif isinstance(op, Logical) and op.kind == "not" and _is_view(term):
        yield from _alternatives(replace(guard, predicate=term.operands[0], negated=not guard.negated))
    elif isinstance(op, Concat) and op.axis % term.type.rank == term.type.rank - 1:
        yield from _pieces(guard, term)
    else:
        moved = _moved(guard, term)
        if moved is None:
            yield Atom(guards=frozenset({guard}))
        else:
            yield from _alternatives(moved)


def _pieces(guard: Guard, term: Term) -> Iterator[Atom]:
    """Alternatives for a concatenation: one for each operand, limited to the positions that it covers."""
    start = Dim.of(0)
    for operand in term.operands:
        size = operand.type.shape[-1]
        # Position p of the concatenation is position `p - start` of this operand.
        inner = replace(guard, predicate=operand, offset=guard.offset - start)
        stretch = _between(guard, start, start + size - 1)
        for found in _alternatives(inner):
            yield from meet(Relation((stretch,)), Relation((found,))).atoms
        start = start + size


def _between(guard: Guard, lo: Dim, hi: Dim) -> Atom:
    """The atom `lo <= place + offset <= hi` for the last place of a guard."""
    last, lo, hi = guard.coordinates[-1], lo - guard.offset, hi - guard.offset
    if isinstance(last, int):
        return Atom(ranges=frozenset({Range(side=guard.side, coordinate=last, lo=lo, hi=hi)}))
    if guard.side == "out":
        return Atom(flats=frozenset({Flat(out=form(last), inp=(), lo=lo, hi=hi)}))
    # A flat constraint is on left minus right: with nothing on the left the ends change sign.
    return Atom(flats=frozenset({Flat(out=(), inp=form(last), lo=-hi, hi=-lo)}))


def _moved(guard: Guard, term: Term) -> Guard | None:
    """The guard by the operand of a view; None where its places cannot be expressed."""
    op, places, rank = term.op, guard.coordinates, term.type.rank
    inner = replace(guard, predicate=term.operands[0]) if term.operands else guard
    match op:
        case Slice():
            start = op.start if (op.start.constant or 0) >= 0 else term.operands[0].type.shape[op.axis] + op.start
            # A guard has one offset, on its last place: only a slice of the last axis can be expressed by it.
            if op.axis % rank == rank - 1:
                return replace(inner, offset=guard.offset + start)
            return inner if start == 0 else None
        case Transpose() if ZERO + guard.offset == 0 or op.order[-1] % rank == rank - 1:
            back = {number % rank: place for number, place in zip(op.order, places, strict=True)}
            # A guard adds its offset to the last place, which the transposition leaves last if there is an offset.
            return replace(inner, coordinates=tuple(back[k] for k in range(rank)))
        case Split():
            return _joined(guard, inner, op)
        case Merge():
            return _parted(guard, inner, op, term)
        case _:
            return None


def _joined(guard: Guard, inner: Guard, op: Split) -> Guard | None:
    """The guard by the operand of a split: the parts of the axis as one flat place."""
    more = len(op.sizes) - 1
    first = op.axis % (len(guard.coordinates) - more)
    parts = guard.coordinates[first : first + more + 1]
    if ZERO + guard.offset != 0 and first + more != len(guard.coordinates) - 1:
        return None
    strides = [product(size.size for size in op.sizes[k + 1 :]) for k in range(len(parts))]
    joined = total(term for place, stride in zip(parts, strides, strict=True) for term in scaled(form(place), stride))
    kept = guard.coordinates
    return replace(inner, coordinates=(*kept[:first], as_place(joined), *kept[first + more + 1 :]))


def _parted(guard: Guard, inner: Guard, op: Merge, term: Term) -> Guard | None:
    """The guard by the operand of a merge: the flat place as places of the merged axes.

    None where some coordinate of the flat place belongs to none of them.
    """
    first, sizes = op.axis % term.type.rank, term.operands[0].type.shape
    if first == term.type.rank - 1 and ZERO + guard.offset != 0:
        return None
    left, parts = list(form(guard.coordinates[first])), []
    for k in range(first, first + op.count):
        stride = product(sizes[k + 1 : first + op.count])
        part = _digits(left, stride, sizes[k])
        left = [one for one in left if one not in [(c, s) for c, s in scaled(part, stride)]]
        parts.append(as_place(part))
    if left:
        return None
    return replace(inner, coordinates=(*guard.coordinates[:first], *parts, *guard.coordinates[first + 1 :]))


def _digits(terms: list[tuple[int, Dim]], stride: Dim, size: Dim) -> Form:
    """The terms of a flat place that belong to an axis with this stride and size, divided by the stride."""
    found = []
    for coordinate, own in terms:
        factor = own // stride
        if factor * stride == own and factor.minimum() > 0 and (size - factor).minimum() >= 0:
            found.append((coordinate, factor))
    return total(found)
