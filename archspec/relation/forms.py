"""Flat positions: an axis of several factors as one index, `4*n + k`.

A form is a sum of coordinates of one side, each times its stride. A place is where an operand is indexed: a coordinate,
or a form. The form without coordinates is position 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from archspec.algebra.dim import Dim, product
from archspec.relation.interval import Interval

Form = tuple[tuple[int, Dim], ...]
"""Coordinates with their strides, in the order of the coordinates."""
Place = int | Form
ONE = Dim.of(1)


@lru_cache(maxsize=1 << 10)
def form(place: Place) -> Form:
    """A place as a form."""
    return ((place, ONE),) if isinstance(place, int) else place


def as_place(found: Form) -> Place:
    """A form as a place: a coordinate by itself is that coordinate."""
    return found[0][0] if len(found) == 1 and found[0][1] == ONE else found


def flat(numbered: Sequence[tuple[int, Dim]]) -> Place:
    """The flat position of coordinates with their sizes, outermost first (row-major).

    Coordinates of size 1 are left out, because they are always 0.
    """
    kept = [(coordinate, size) for coordinate, size in numbered if size != 1]
    # One coordinate is a place as it is, even of size 1; several of size 1 are position 0.
    if not kept and len(numbered) == 1:
        return numbered[0][0]
    strides = (product(size for _, size in kept[number + 1 :]) for number in range(len(kept)))
    return as_place(total((coordinate, stride) for (coordinate, _), stride in zip(kept, strides, strict=True)))


def total(terms: Iterable[tuple[int, Dim]]) -> Form:
    """The sum of coordinates times strides, as a form sorted by coordinate and without zero strides."""
    found: dict[int, Dim] = {}
    for coordinate, stride in terms:
        found[coordinate] = found[coordinate] + stride if coordinate in found else stride
    # Equal sums must be equal tuples, because forms are keys of constraints.
    return tuple(sorted((pair for pair in found.items() if pair[1] != 0), key=_coordinate))


def _coordinate(pair: tuple[int, Dim]) -> int:
    return pair[0]


def scaled(found: Form, factor: Dim) -> Form:
    """A form times a factor."""
    return found if factor == ONE else tuple((coordinate, stride * factor) for coordinate, stride in found)


def less(left: Form, right: Form) -> Form:
    """The difference of two forms."""
    return total((*left, *((coordinate, -stride) for coordinate, stride in right)))


def used(place: Place) -> tuple[int, ...]:
    """The coordinates that occur in a place."""
    return (place,) if isinstance(place, int) else tuple(coordinate for coordinate, _ in place)


def all_used(places: Iterable[Place]) -> Iterator[int]:
    """The coordinates that occur in places, with repetition."""
    for place in places:
        yield from used(place)


def moved(place: Place, names: Mapping[int, int]) -> Place:
    """The same place over renamed coordinates. Raises KeyError for a coordinate without a new name."""
    return names[place] if isinstance(place, int) else total((names[k], stride) for k, stride in place)


def ratio(whole: Form, part: Form) -> Dim | None:
    """The factor of `part` in `whole`, taken at the first coordinate that is in both.

    None where there is no such coordinate, or the factor is not whole and positive.
    """
    strides = dict(whole)
    for coordinate, stride in part:
        if coordinate in strides:
            # A quotient may be rounded: only the product shows that the stride divides.
            factor = strides[coordinate] // stride
            return factor if factor * stride == strides[coordinate] and factor.minimum() > 0 else None
    return None


def extent(found: Form, ranges: Sequence[Interval]) -> Interval:
    """The range of a form whose coordinates are in the given ranges."""
    result = Interval(Dim.of(0), Dim.of(0))
    for coordinate, stride in found:
        result = plus(result, times(stride, ranges[coordinate]))
    return result


def times(factor: Dim, interval: Interval) -> Interval:
    """An interval times a factor; unbounded where the sign of the factor is not known."""
    if factor == ONE:
        return interval
    lo, hi = (None if end is None else factor * end for end in interval)
    if factor.minimum() >= 0:
        return Interval(lo, hi)
    return Interval(hi, lo) if (-factor).minimum() >= 0 else Interval()


def plus(left: Interval, right: Interval) -> Interval:
    """The sums of two intervals."""
    return Interval(
        None if left.lo is None or right.lo is None else left.lo + right.lo,
        None if left.hi is None or right.hi is None else left.hi + right.hi,
    )


def index_at(place: Place, coordinate: Callable[[int], int], sizes: Mapping[str, int]) -> int:
    """The flat position at given indices of the coordinates and given run-time sizes."""
    if isinstance(place, int):
        return coordinate(place)
    return sum(coordinate(k) * stride.value(sizes) for k, stride in place)
