"""Pictures of the dependence of a value on an input: the proved bound and the exact wiring at small sizes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import product
from math import prod

from archspec.diagnostics import did_you_mean, fail
from archspec.ir.graph import Value
from archspec.record import record
from archspec.relation.atoms import Relation
from archspec.rules.flow import Dependence
from archspec.rules.wiring.cells import Cells
from archspec.rules.wiring.wire import Wiring
from archspec.spec import Spec
from archspec.views.chart import Chart, Level, Panel
from archspec.views.example import example
from archspec.views.formula import formula
from archspec.views.sides import axis_of, positions

IMPOSSIBLE, POSSIBLE, WIRED = 0, 1, 2
LEVELS = (
    Level("·", "#e6e9ee", "proved impossible"),
    Level("▒", "#f2b84b", "allowed by the bound, not wired here", dotted=True),
    Level("■", "#2f6db5", "wired"),
)
# The most cells along one side; more positions are drawn in blocks.
_MOST = 28
# The most characters of the formula above a picture.
_LONGEST = 150
Block = tuple[tuple[int, int], ...]
"""A range of positions for each position coordinate: the first position, and the one after the last."""


@record
class Drawn:
    """Cells of a relation: `levels[row][column]`, where rows and columns are positions or blocks of positions."""

    levels: tuple[tuple[int, ...], ...]
    rows: str
    columns: str
    notes: tuple[str, ...]


def relation_chart(spec: Spec, input: str, output: str) -> Chart:
    """A chart of the positions of `input` that `output` may depend on.

    Args:
        spec: the spec.
        input: the name of a value at the top of the graph.
        output: the name of another one.

    Raises:
        SpecError: E201 for an unknown name, E752 if the picture would be too large.
    """
    source, value = _named(spec, input), _named(spec, output)
    shown = example(spec)
    dependence = Dependence(spec.graph)
    bound = dependence.relation(value, source)
    cells = Cells(spec.graph, dependence.reads, [(value, source, bound)])
    wiring = Wiring(spec.graph, dependence.reads, cells, shown.world)
    sides = _Sides(wiring, bound, value, source, (output, input))
    drawn = _drawn(sides, wiring.between(value, source, bound).image)
    sizes = ", ".join(f"{name} = {size}" for name, size in shown.sizes.items())
    read = [leaf for term in dependence.reads.used() for leaf in term.leaves()]
    values = shown.notes([v for v in spec.graph.inputs if dependence.reads.terms.of(v) in read])
    at = "[i]" if sides.own[0] else ""
    return Chart(
        title=f"Dependence of {output} on {input} in {spec.name}",
        about=_short(f"proved at all sizes: {output}{at} reads {input}[j] {_where(formula(bound, value, source))}"),
        panels=(
            Panel(
                title=f"{output} ← {input}",
                cells=drawn.levels,
                rows=drawn.rows,
                columns=drawn.columns,
                notes=drawn.notes,
            ),
        ),
        levels=LEVELS,
        notes=(
            *((f"wired: what is read at {sizes}, in one row of the batch",) if sizes else ()),
            *(f"for example {line}" for line in values),
        ),
    )


def _named(spec: Spec, name: str) -> Value:
    """A value by its name, or by the path of an exposed one. Raises SpecError E201."""
    known = {**spec.values, **spec.outputs}
    found = known.get(name) or known.get(name.replace(".", "_"))
    if found is None:
        fail("E201", f"unknown value `{name}`", None, help=did_you_mean(name, known, kind="values"))
    return found


def _where(words: str) -> str:
    """A formula as the end of a sentence: `only where causal`."""
    return {"all": "everywhere", "nothing": "nowhere"}.get(words, f"only where {words}")


def _short(words: str) -> str:
    """The text, cut to a length that fits above a picture."""
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


class _Sides:
    """Both values at the example sizes; sets of their positions are the bits of an integer."""

    def __init__(self, wiring: Wiring, bound: Relation, output: Value, source: Value, names: tuple[str, str]) -> None:
        self.wiring, self.output, self.source = wiring, output, source
        self.out_name, self.in_name = names
        self.own = positions(bound, output, source, "out"), positions(bound, source, output, "in")
        self.sizes = self._sizes(output, self.own[0]), self._sizes(source, self.own[1])

    def bits(self, value: Value, own: Sequence[int], block: Block) -> int:
        """The bits of the positions of a block with all their features, in the first row of the batch."""
        grid = self.wiring.grid(value)
        other = self.source if value is self.output else self.output
        numbers = []
        for place, starts in enumerate(grid.starts):
            if place in own:
                first, stop = block[own.index(place)]
                numbers.append(range(bisect_right(starts, first) - 1, bisect_left(starts, stop)))
            else:
                numbers.append(range(1 if place == 0 and _shares_rows(value, other) else len(starts)))
        return grid.product(numbers)

    def column_words(self) -> tuple[str, ...]:
        """A label for each position axis of the input, such as `pixels j1 (axis 2, rows)`."""
        places = self.own[1]
        if len(places) < 2:
            return (f"{self.in_name} j",)
        return tuple(f"{self.in_name} j{k} ({axis_of(self.source, place)})" for k, place in enumerate(places, 1))

    def place_words(self, middle: Sequence[int]) -> str:
        """The label of a position of the output, such as `y at i1 = 8 (axis 1), i2 = 8 (axis 2)`."""
        pairs = zip(self.own[0], middle, strict=True)
        words = [f"i{n} = {at} ({axis_of(self.output, place)})" for n, (place, at) in enumerate(pairs, 1)]
        return f"{self.out_name} at {', '.join(words)}"

    def _sizes(self, value: Value, own: Sequence[int]) -> list[int]:
        return [value.type.space[place].value(self.wiring.world.sizes) for place in own]


def _shares_rows(value: Value, other: Value) -> bool:
    """Whether both values have the same first axis, whose positions are then batch rows."""
    return value.type.rank > 0 and other.type.rank > 0 and value.type.axes[0] == other.type.axes[0]


def _drawn(sides: _Sides, bound_of: Callable[[int], int]) -> Drawn:
    """The cells, with one row for each output position or block of them.

    If a single output position is drawn and the input has two position axes, the picture is a map of the input instead.

    Args:
        sides: both values.
        bound_of: the input positions that the proved bound allows for a set of output positions, both as bits.

    Raises:
        SpecError: E752 if there are too many cells.
    """
    inp = sides.sizes[1]
    rows, notes = _rows(sides, prod(inp) if len(inp) > 1 else 0)
    as_map = len(inp) == 2 and len(rows) == 1
    axes = [_blocks(size, _MOST if as_map or len(inp) == 1 else size) for size in inp]
    columns: list[Block] = list(product(*axes))
    if len(columns) * len(rows) > 4 * _MOST * _MOST:
        fail("E752", f"{len(columns)} positions of `{sides.in_name}` are too many to draw", None, help=_SMALLER)
    levels = [tuple(_level(sides, row, columns, bound_of)) for row in rows]
    row_words, column_words = f"{sides.out_name} i", f"{sides.in_name} j"
    if as_map:
        width = len(axes[1])
        levels = [levels[0][k : k + width] for k in range(0, len(columns), width)]
        row_words, column_words = sides.column_words()
    steps = [blocks[0][1] for blocks in axes]
    if max(steps, default=1) > 1:
        notes = (*notes, f"one cell is {' × '.join(map(str, steps))} positions of {sides.in_name}")
    return Drawn(levels=tuple(levels), rows=row_words, columns=column_words, notes=notes)


_SMALLER = "draw the small copy with `--reduced`"


def _rows(sides: _Sides, columns: int) -> tuple[list[Block], tuple[str, ...]]:
    """The rows of the picture, all output positions, blocks of them or the middle one, and notes that state this."""
    sizes, name = sides.sizes[0], sides.out_name
    if (len(sizes) > 1 and prod(sizes) > _MOST) or (sizes and columns > 2 * _MOST):
        middle = [size // 2 for size in sizes]
        return [tuple((k, k + 1) for k in middle)], (sides.place_words(middle),)
    if len(sizes) == 1 and sizes[0] > _MOST:
        blocks = _blocks(sizes[0], _MOST)
        return [(block,) for block in blocks], (f"one row is {blocks[0][1]} positions of {name}",)
    return list(product(*(_blocks(size, size) for size in sizes))), ()


def _blocks(size: int, most: int) -> list[tuple[int, int]]:
    """An axis divided into at most `most` ranges of the same length, except for a shorter last one."""
    step = max(1, -(-size // max(1, most)))
    return [(k, min(k + step, size)) for k in range(0, size, step)]


def _level(sides: _Sides, row: Block, columns: Sequence[Block], bound_of: Callable[[int], int]) -> list[int]:
    """The level of each cell of a row; a block has the highest level that any pair of its positions has."""
    bits = sides.bits(sides.output, sides.own[0], row)
    allowed, wired = bound_of(bits), sides.wiring.read(sides.output, bits, sides.source)
    found = []
    for column in columns:
        place = sides.bits(sides.source, sides.own[1], column)
        found.append(WIRED if wired & place else POSSIBLE if allowed & place else IMPOSSIBLE)
    return found
