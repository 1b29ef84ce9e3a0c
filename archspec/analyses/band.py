"""Bands: a stretch of input positions that moves with the position of the output, not clipped at any border."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, lcm
from typing import NamedTuple

from archspec.algebra.dim import Dim
from archspec.record import record
from archspec.relation.atoms import ZERO
from archspec.relation.interval import no_less

STRIDES = "the positions between two strides are counted for every output position"
"""Why the extent of a band is a bound where a stretch is sampled up and then read at several positions."""
PARTS = "parts of a value read differently, and are counted for each of its positions"
"""Why it is one where values are put side by side."""

PHASES = "what a position reads depends on its place in a window, and is counted for the widest"
"""Why it is one where positions that read the same stretch are put together with others."""


class Stretch(NamedTuple):
    """The input positions j with `lo <= a*i - b*j <= hi` for position i of an output; with a = 0 for all i alike."""

    a: int
    b: int
    lo: Dim
    hi: Dim

    @property
    def extent(self) -> Dim:
        """The most positions j, from the first to the last, of any i."""
        low, high = self.lo.constant, self.hi.constant
        if low is None or high is None:
            return (self.hi - self.lo) // self.b + 1
        # The remainders that `a*i` leaves decide how many multiples of b lie in the stretch.
        phases = range(0, self.b, gcd(self.a, self.b))
        return Dim.of(max((r - low) // self.b + (high - r) // self.b + 1 for r in phases))


@record
class Band:
    """Positions of an input that one position of a value reads: at most `extent` from the first to the last.

    `line` tells which; None where only their number is known. `why` says why no output position need read that many;
    it is empty where some one does, for some parameters, on inputs that are large enough. `dense` says that it then
    reads every position of the line, `part` that only some positions of the value, or some of their entries, read it.
    `wraps` says that positions wrapped around on the way, so that neighbours may read positions at both ends.
    """

    line: Stretch | None
    extent: Dim
    why: str = ""
    dense: bool = True
    part: bool = False
    wraps: bool = False

    @property
    def is_uneven(self) -> bool:
        """Whether no position reads all of the line: that of a window, of which all positions read the same."""
        return self.line is not None and self.extent != self.line.extent


ONE = Band(line=None, extent=Dim.of(1))
"""A single position, of which it is not known which."""


def band(a: int, b: int, lo: Dim, hi: Dim, why: str = "", *, part: bool = False) -> Band:
    """All positions of a line."""
    line = Stretch(a, b, lo, hi)
    return Band(line=line, extent=line.extent, why=why, part=part)


SELF = band(1, 1, ZERO, ZERO)
"""Each position by itself."""


def after(outer: Band, inner: Band) -> Band | None:
    """What i reads, if it reads the positions m of one band and each of these the positions j of another.

    None where that is not bounded: several positions, each of which reads an unknown place.
    """
    why, part, steps = outer.why or inner.why, outer.part or inner.part, inner.line
    wraps = outer.wraps or inner.wraps
    if steps is None or steps.a == 0:
        # Positions that are the same for all m are the same for all i; an unknown place is one for each m.
        known = replace(inner, why=why, part=part, wraps=wraps)
        return known if steps is not None or outer.extent == 1 else None
    if outer.line is None:
        if steps.b != 1 and outer.extent != 1:
            return None
        return Band(line=None, extent=_apart(outer, inner, steps), why=why, part=part, wraps=wraps)
    line, dense = _composed(outer.line, steps), outer.dense and inner.dense and _touches(outer.line, steps)
    if inner.is_uneven and outer.extent != 1:
        # The first and the last position may be in different windows.
        inner, why = replace(inner, extent=steps.extent), why or PHASES
    if steps.b == 1:
        # Each m has both ends, so that the first end of the first m and the last of the last one are read.
        return Band(line=line, extent=_apart(outer, inner, steps), why=why, dense=dense, part=part, wraps=wraps)
    exact = dense or outer.line == SELF.line
    extent = inner.extent if outer.extent == 1 else line.extent
    return Band(line=line, extent=extent, why=why or ("" if exact else STRIDES), dense=dense, part=part, wraps=wraps)


def _apart(outer: Band, inner: Band, line: Stretch) -> Dim:
    """The extent of what several positions read, each of which reads a stretch that moves by whole positions."""
    return line.a * (outer.extent - 1) + inner.extent


def _composed(outer: Stretch, inner: Stretch) -> Stretch:
    """`a*i - b*j` where m is between, with the common factor of both strides divided out."""
    lo, hi = (inner.a * first + outer.b * last for first, last in ((outer.lo, inner.lo), (outer.hi, inner.hi)))
    a, b = outer.a * inner.a, outer.b * inner.b
    factor, low, high = gcd(a, b), lo.constant, hi.constant
    if factor == 1 or low is None or high is None:
        return Stretch(a, b, lo, hi)
    # Rounded inward, since positions are whole numbers.
    return Stretch(a // factor, b // factor, Dim.of(-(-low // factor)), Dim.of(high // factor))


def _touches(outer: Stretch, inner: Stretch) -> bool:
    """Whether the stretches that neighbouring positions m read leave no gap between them."""
    if (inner.a == inner.b == 1) or (outer.b == 1 and outer.lo == outer.hi):
        return True
    width = (inner.hi - inner.lo).constant
    return outer.b == 1 and width is not None and width + 1 >= inner.a


def hull(x: Band, y: Band) -> Band | None:
    """The least band that contains two; None where they move by different strides, or a place is unknown."""
    if x.line is None or y.line is None or x.line.a * y.line.b != y.line.a * x.line.b:
        return None
    if x.why and not y.why:
        # Of equal ends the one counts that is known to be read.
        x, y = y, x
    assert x.line is not None
    assert y.line is not None
    b = lcm(x.line.b, y.line.b)
    left, right = (_scaled(line, b // line.b) for line in (x.line, y.line))
    first = x if no_less(right.lo, left.lo) else y if no_less(left.lo, right.lo) else None
    last = x if no_less(left.hi, right.hi) else y if no_less(right.hi, left.hi) else None
    if first is None or last is None:
        return None
    line = Stretch(left.a, b, left.lo if first is x else right.lo, left.hi if last is x else right.hi)
    dense = x.dense and y.dense and (first is last or left == right or _meet(left, right))
    why = first.why or last.why or (PHASES if x.is_uneven or y.is_uneven else "")
    if not why and left != right:
        # At a stride of whole positions both ends are read at every i, unless one of them is read by parts alone.
        why = PARTS if x.part or y.part else "" if b == 1 or dense else STRIDES
    part, wraps = x.part and y.part and left != right, x.wraps or y.wraps
    return Band(line=line, extent=line.extent, why=why, dense=dense, part=part, wraps=wraps)


def _meet(left: Stretch, right: Stretch) -> bool:
    """Whether two stretches overlap or touch."""
    return no_less(left.hi + 1, right.lo) and no_less(right.hi + 1, left.lo)


def _scaled(line: Stretch, factor: int) -> Stretch:
    """The same positions, with all numbers times a factor."""
    return line if factor == 1 else Stretch(factor * line.a, factor * line.b, factor * line.lo, factor * line.hi)
