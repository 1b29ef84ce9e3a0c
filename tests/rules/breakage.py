"""The rules of composition, each broken by one condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from archspec.algebra.dim import Dim
from archspec.relation import closure, compose, join, normal, rename, union
from archspec.relation.atoms import NOTHING, Guard, PrefixBound
from archspec.relation.closure import Closure
from archspec.relation.interval import Interval
from archspec.rules import flow, layers, reads, terms

CACHED = (closure.close, normal.normal, compose.compose, union.contained, union._in_full, rename.renaming)


def forget() -> None:
    for function in CACHED:
        function.cache_clear()


@contextmanager
def broken(*changes: tuple[object, str, object]) -> Iterator[None]:
    """Some attributes replaced, with nothing remembered from before or after."""
    patches = [patch.object(owner, name, new) for owner, name, new in changes]
    forget()
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
        forget()


def empty_too_soon() -> Iterator[None]:
    """(1) An interval of one place is taken for none."""

    def is_empty(interval: Interval) -> bool:
        return interval.lo is not None and interval.hi is not None and interval.lo == interval.hi + 0

    return broken((compose, "is_empty", is_empty))


def ranges_of_the_wrong_end() -> Iterator[None]:
    """(2) A range passes through a difference by the wrong of its ends."""
    real = compose.through_in

    def through(j: Interval, difference: Interval, a: int, b: int) -> Interval:
        return real(j, Interval(difference.hi, difference.lo), a, b)

    return broken((compose, "through_in", through), (closure, "through_in", through))


def lows_not_added() -> Iterator[None]:
    """(2) The lower end of a composed difference is that of the left alone."""
    real = compose._sum

    def total(r: int, x: Dim | None, q: int, y: Dim | None) -> Dim | None:
        return real(r, x, q, y if y is None or y.minimum() >= 0 else Dim.of(0))

    return broken((compose, "_sum", total))


def scales_not_crossed() -> Iterator[None]:
    """(2) The factors multiply the wrong intervals."""
    real = compose._sum
    return broken((compose, "_sum", lambda r, x, q, y: real(q, x, r, y)))


def rounding_outward_becomes_inward_twice() -> Iterator[None]:
    """(2) The lower end is rounded up by one too many."""

    def up(x: Dim, divisor: int) -> Dim:
        return x if divisor == 1 else -(-x // divisor) + 1

    return broken((closure, "_up", up))


def prefix_not_shifted() -> Iterator[None]:
    """(3) The prefix bound moves without the lower end of the difference, where that widens it."""
    real = compose._moved_prefixes

    def moved(a: Closure, b: Closure) -> list[PrefixBound]:
        offset = {(bound.prefix, bound.leading): bound.offset for bound in a.prefixes}
        return [replace(x, offset=offset.get((x.prefix, x.leading), x.offset)) for x in real(a, b)]

    return broken((compose, "_moved_prefixes", moved))


def prefix_moved_by_the_upper_end() -> Iterator[None]:
    """(3) A prefix bound moves by the wrong end of the difference."""
    real = compose._moved_prefixes

    def moved(a: Closure, b: Closure) -> list[PrefixBound]:
        shown = {key: Interval(i.lo if i.hi is None else i.hi, i.hi) for key, i in b.differences.items()}
        return real(a, _with_differences(b, shown))

    return broken((compose, "_moved_prefixes", moved))


def guard_moves_onto_the_input_inexactly() -> Iterator[None]:
    """(4) A guard on m moves to j though no equality carries it."""

    def to_in(guard: Guard, along: Closure) -> Guard | None:
        places = [next((j for o, j, _, _ in along.differences if o == c), None) for c in guard.coordinates]
        return None if None in places else replace(guard, side="in", coordinates=tuple(places))

    return broken((compose, "to_in", to_in))


def guard_moves_onto_the_output_inexactly() -> Iterator[None]:
    """(4) A guard on m moves to i though no equality carries it."""

    def to_out(guard: Guard, along: Closure) -> Guard | None:
        places = [next((o for o, j, _, _ in along.differences if j == c), None) for c in guard.coordinates]
        return None if None in places else replace(guard, side="out", coordinates=tuple(places))

    return broken((compose, "to_out", to_out))


def guard_not_shifted() -> Iterator[None]:
    """(4) A guard moves without the shift of the equality."""

    def to_in(guard: Guard, along: Closure) -> Guard | None:
        moved = closure.to_in(guard, along)
        return None if moved is None else replace(moved, offset=guard.offset)

    return broken((compose, "to_in", to_in))


def guard_shifted_the_other_way() -> Iterator[None]:
    """(4) A guard moves to i with the sign of j."""

    def to_out(guard: Guard, along: Closure) -> Guard | None:
        moved = closure.to_out(guard, along)
        return None if moved is None else replace(moved, offset=guard.offset + (guard.offset - moved.offset))

    return broken((compose, "to_out", to_out))


def guard_stays_though_its_place_is_gone() -> Iterator[None]:
    """(4) Guards on m are kept as guards on i, whatever i is."""
    real = compose._guards

    def guards(a: Closure, b: Closure) -> frozenset[Guard]:
        left = {replace(guard, side="out") for guard in a.guards if guard.side == "in"}
        return real(a, b) | {guard for guard in left if max(guard.coordinates) < len(a.out)}

    return broken((compose, "_guards", guards))


def contradiction_without_the_offset() -> Iterator[None]:
    """(1) A predicate that holds at one place and not at the next is taken for a contradiction."""

    def contradictory(guards: frozenset[Guard]) -> bool:
        signs = [{(g.side, g.predicate, g.coordinates) for g in guards if g.negated is sign} for sign in (False, True)]
        return not signs[0].isdisjoint(signs[1])

    return broken((compose, "contradictory", contradictory), (normal, "contradictory", contradictory))


def segments_by_any_key() -> Iterator[None]:
    """(5) Equality with equality, though the keys, or the places of m, are others."""

    def segments(a: Closure, b: Closure) -> list:
        return [replace(left, inp=right.inp) for left in a.segments for right in b.segments] + real(a, b)

    real = compose._segments
    return broken((compose, "_segments", segments))


def segments_through_an_inexact_right() -> Iterator[None]:
    """(5) Equality survives a difference on the right that is not zero."""
    real = compose._segments
    return broken((compose, "_segments", lambda a, b: real(a, _exact(b))))


def segments_through_an_inexact_left() -> Iterator[None]:
    """(5) Equality survives a difference on the left that is not zero."""
    real = compose._segments
    return broken((compose, "_segments", lambda a, b: real(_exact(a), b)))


def _exact(found: Closure) -> Closure:
    return _with_differences(found, dict.fromkeys(found.differences, Interval(Dim.of(0), Dim.of(0))))


def _with_differences(found: Closure, differences: dict) -> Closure:
    return Closure(
        differences=differences,
        out=found.out,
        inp=found.inp,
        guards=found.guards,
        prefixes=found.prefixes,
        segments=found.segments,
        flats=found.flats,
    )


def contained_without_guards() -> Iterator[None]:
    """Union: an atom is taken for contained in one with more guards."""
    real = union.implies
    return broken((union, "implies", lambda left, right: real(left, replace(right, guards=frozenset()))))


def intervals_merged_over_a_gap() -> Iterator[None]:
    """Union: what touches is taken for one of the two."""
    real = union._touching

    def touching(x: Interval, y: Interval) -> Interval | None:
        return x if real(x, y) is not None else None

    return broken((union, "_touching", touching))


def guards_merged_whatever_they_say() -> Iterator[None]:
    """Union: two atoms are merged with the guards of either."""
    return broken((union, "without_sign", lambda left, right: left))


def join_keeps_all_guards() -> Iterator[None]:
    """Join: the guards of both, not those shared."""
    real = join.join
    return broken(
        (union, "join", lambda a, b, out, inp: replace(real(a, b, out, inp), guards=a.guards | b.guards)),
        (union, "MOST_ATOMS", 2),
    )


def join_keeps_the_nearer_end() -> Iterator[None]:
    """Join: one interval, not the hull."""
    return broken((join, "_hull", lambda x, y: x), (union, "MOST_ATOMS", 2))


def captured_values_once() -> Iterator[None]:
    """Layers: what earlier layers captured does not reach the end."""

    def then(self: layers.Spaces, first: layers.Layers, second: layers.Layers) -> layers.Layers:
        s = self.carried
        carried = compose.compose(second.carried, first.carried, s, s, s)
        return layers.Layers(carried, second.captured)

    return broken((layers.Spaces, "then", then))


def one_layer_less() -> Iterator[None]:
    """Layers: a power is one short."""
    real = layers.Spaces.power

    def power(self: layers.Spaces, found: layers.Layers, times: int) -> layers.Layers:
        return real(self, found, max(1, times - 1))

    return broken((layers.Spaces, "power", power))


def layers_in_the_wrong_order() -> Iterator[None]:
    """Layers: a schedule runs backwards."""
    real = layers.Spaces.product
    return broken((layers.Spaces, "product", lambda self, bodies, numbers: real(self, bodies, numbers[::-1])))


def controls_not_erased() -> Iterator[None]:
    """Controls: guards that read the changing input stay."""
    return broken((reads.Reads, "_mentions", lambda self, term, name: False))


def controls_read_nothing() -> Iterator[None]:
    """Controls: what a mask reads of its operands is left out."""
    real = flow.Flow._primitive

    def primitive(self: flow.Flow, node: object, operands: list) -> list:
        kept = [r if x.type.dtype == "float" else NOTHING for x, r in zip(node.inputs, operands, strict=True)]
        return real(self, node, kept)

    return broken((flow.Flow, "_primitive", primitive))


def negation_forgotten() -> Iterator[None]:
    """Terms: `not p` is taken for p."""
    real = terms.Terms.literals

    def literals(self: terms.Terms, value: object, negated: bool = False) -> object:
        found = real(self, value, False)
        return found and tuple(terms.Literal(literal.term, False) for literal in found)

    return broken((terms.Terms, "literals", literals))


def terms_without_their_op() -> Iterator[None]:
    """Terms: what is computed of one input is taken for one term."""
    real = terms.Terms._interned
    return broken((terms.Terms, "_interned", lambda self, key, term: real(self, (_root(term),), term)))


def _root(term: terms.Term) -> str:
    return _root(term.operands[0]) if term.operands else term.text


BREAKAGES: tuple[Callable[[], object], ...] = (
    empty_too_soon,
    ranges_of_the_wrong_end,
    lows_not_added,
    scales_not_crossed,
    rounding_outward_becomes_inward_twice,
    prefix_not_shifted,
    prefix_moved_by_the_upper_end,
    guard_moves_onto_the_input_inexactly,
    guard_moves_onto_the_output_inexactly,
    guard_not_shifted,
    guard_shifted_the_other_way,
    guard_stays_though_its_place_is_gone,
    contradiction_without_the_offset,
    segments_by_any_key,
    segments_through_an_inexact_right,
    segments_through_an_inexact_left,
    contained_without_guards,
    intervals_merged_over_a_gap,
    guards_merged_whatever_they_say,
    join_keeps_all_guards,
    join_keeps_the_nearer_end,
    captured_values_once,
    one_layer_less,
    layers_in_the_wrong_order,
    controls_not_erased,
    controls_read_nothing,
    negation_forgotten,
    terms_without_their_op,
)
