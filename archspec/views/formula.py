"""Relations as formulas in the notation of masks: the input positions that an output position may depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.relation.atoms import Atom, Difference, Flat, Guard, PrefixBound, Range, Relation, SegmentEquality
from archspec.relation.forms import Place, as_place
from archspec.views.sides import positions


def formula(relation: Relation, output: Value, source: Value) -> str:
    """The formula of a relation, such as `causal & key_valid(valid) | ...`, with one term for each atom.

    i is a position of the output and j one of the input. If both values have batch rows, these are not written.

    Args:
        relation: the relation from output coordinates to input coordinates.
        output: the output.
        source: the input.

    Returns:
        the formula; `all` for a term without a condition, `nothing` for a relation without terms.
    """
    names = _Names(relation, output, source)
    terms = dict.fromkeys(" & ".join(_parts(atom, names)) or "all" for atom in relation.atoms)
    return " | ".join(terms) or "nothing"


class _Names:
    """Names of the coordinates of both sides.

    A position is `i` in the output and `j` in the input, with a number if there are several (`i1`, `i2`). Any other
    coordinate has its index: `i.0`.
    """

    def __init__(self, relation: Relation, output: Value, source: Value) -> None:
        self.positions = positions(relation, output, source, "out"), positions(relation, source, output, "in")
        self.out = _called(output, self.positions[0], "i")
        self.inp = _called(source, self.positions[1], "j")
        self.lengths = source.type.space
        self.single = all(len(places) == 1 for places in self.positions)

    def is_row(self, out: int, inp: int) -> bool:
        """Whether the two coordinates are the batch row, which formulas omit."""
        return out == inp == 0 and 0 not in self.positions[0] and 0 not in self.positions[1]

    def between(self, out: Place, inp: Place) -> bool:
        """Whether the two are the only position coordinates of their sides, so that names of masks apply to them."""
        return self.single and out == self.positions[0][0] and inp == self.positions[1][0]


def _called(value: Value, own: Sequence[int], letter: str) -> list[str]:
    """The names of all coordinates of a value, of which `own` are its positions."""
    found = []
    for place in range(len(value.type.space)):
        if place not in own:
            found.append(f"{letter}.{place}")
        else:
            found.append(letter if len(own) == 1 else f"{letter}{own.index(place) + 1}")
    return found


def _parts(atom: Atom, names: _Names) -> Iterator[str]:
    """The conditions of an atom as text, in a fixed order and without that of the batch row."""
    for difference in sorted(atom.differences, key=lambda d: (d.out, d.inp, d.a, d.b)):
        if not names.is_row(difference.out, difference.inp):
            yield _difference(difference, names)
    for found in sorted(atom.ranges, key=lambda r: (r.side, r.coordinate)):
        yield _range(found, names)
    yield from sorted(_flat(one, names) for one in atom.flats)
    yield from sorted(_prefix(bound, names) for bound in atom.prefixes)
    yield from sorted(_guard(guard, names) for guard in atom.guards)
    yield from sorted(_segment(equality, names) for equality in atom.segments)


def _difference(d: Difference, names: _Names) -> str:
    """An interval for `a*i - b*j`: a mask if there is one with the same pairs, an equation, or an inequality."""
    if d.a == d.b == 1 and names.between(d.out, d.inp):
        known = _window(d.lo, d.hi)
        if known:
            return known
    i = names.out[d.out] if d.a == 1 else f"{d.a}*{names.out[d.out]}"
    j = names.inp[d.inp] if d.b == 1 else f"{d.b}*{names.inp[d.inp]}"
    if d.lo is not None and d.lo == d.hi:
        return f"{j} = {i}" if d.lo == 0 else f"{i} - {j} = {d.lo}"
    low = "" if d.lo is None else f"{d.lo} <= "
    return f"{low}{i} - {j}" + ("" if d.hi is None else f" <= {d.hi}")


def _flat(one: Flat, names: _Names) -> str:
    """An interval for the difference of two flat positions, which are linear in the coordinates of a merged axis."""
    i, j = _place(as_place(one.out), names.out), _place(as_place(one.inp), names.inp)
    if one.lo is not None and one.lo == one.hi:
        return f"{j} = {i}" if one.lo == 0 else f"{i} - ({j}) = {one.lo}"
    low = "" if one.lo is None else f"{one.lo} <= "
    return f"{low}{i} - ({j})" + ("" if one.hi is None else f" <= {one.hi}")


def _place(place: Place, names: Sequence[str]) -> str:
    """A coordinate by its name, or a linear form such as `4*n + k`."""
    if isinstance(place, int):
        return names[place]
    return " + ".join(names[k] if stride == 1 else f"{stride}*{names[k]}" for k, stride in place) or "0"


def _window(lo: Dim | None, hi: Dim | None) -> str:
    """The mask that bounds a difference of positions in the same way; "" if there is none."""
    # The difference is i - j: 0 or more means that the key is not later than the query.
    if lo == 0 and hi is None:
        return "causal"
    if lo == 0 and hi is not None and hi != 0:
        return f"last({hi + 1})"
    if lo is not None and hi is not None and lo == -hi and hi != 0:
        return f"within({hi})"
    return ""


def _range(found: Range, names: _Names) -> str:
    """An interval for one coordinate of one side."""
    name = (names.out if found.side == "out" else names.inp)[found.coordinate]
    if found.lo is not None and found.lo == found.hi:
        return f"{name} = {found.lo}"
    low = "" if found.lo is None else f"{found.lo} <= "
    return f"{low}{name}" + ("" if found.hi is None else f" <= {found.hi}")


def _prefix(bound: PrefixBound, names: _Names) -> str:
    """An upper bound of an input position by a value: `prefix(p)`, or an inequality where the position is shifted."""
    if bound.offset == 0 and names.single and bound.inp == names.positions[1][0]:
        return f"prefix({bound.prefix})"
    return f"{_place(bound.inp, names.inp)} < {bound.prefix}{_shift(bound.offset)}"


def _guard(guard: Guard, names: _Names) -> str:
    """A predicate at a position: `key_valid(p)` for the key itself, else `p[position]`."""
    negated = "not " if guard.negated else ""
    places, own = (names.out, names.positions[0]) if guard.side == "out" else (names.inp, names.positions[1])
    last = guard.coordinates[-1]
    if guard.side == "in" and guard.offset == 0 and own == [last]:
        return f"key_valid({negated}{guard.predicate})"
    predicate = f"({guard.predicate})" if " " in str(guard.predicate) else str(guard.predicate)
    return f"{negated}{predicate}[{_place(last, places)}{_shift(guard.offset)}]"


def _segment(equality: SegmentEquality, names: _Names) -> str:
    """An equality of segments: `same_segment(s)` for query and key themselves, else `s[...] = s[...]`."""
    if names.between(equality.out[-1], equality.inp[-1]):
        return f"same_segment({equality.segments})"
    there, here = _place(equality.inp[-1], names.inp), _place(equality.out[-1], names.out)
    return f"{equality.segments}[{here}] = {equality.segments}[{there}]"


def _shift(offset: Dim | int) -> str:
    """An offset as text to append: ` + 1`, ` - 1`, or nothing for 0."""
    size = Dim.of(offset)
    if size == 0:
        return ""
    return f" - {-size}" if (size.constant or 0) < 0 else f" + {size}"
