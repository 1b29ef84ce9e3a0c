"""Pictures of masks at small sizes: which keys each query may attend to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.masks.atoms.all import All
from archspec.masks.evaluate import evaluate
from archspec.masks.leaf import Leaf, Resizable
from archspec.masks.mask import Mask
from archspec.masks.walk import controls, leaves, replaced, text
from archspec.masks.window_parts import WindowParts
from archspec.record import record
from archspec.spec import Spec
from archspec.views.chart import Chart, Level, Panel
from archspec.views.cut_positions import lengths, positions, sides
from archspec.views.example import POSITIONS, Example, example
from archspec.views.sites import Site, sites_at

if TYPE_CHECKING:
    from archspec.masks.evaluate import Array

BARRED, OPEN = 0, 1
LEVELS = (Level("·", "#e6e9ee", "may not attend"), Level("■", "#2f6db5", "may attend"))
_MOST = 16


@record
class DrawnMask:
    """A mask at small sizes: `cells[query][key]` is true where attention is allowed.

    `mask` is the drawn mask, whose windows may be smaller than those of the original, which `text` shows. `shrunk` has
    a line for each such window. `queries` and `keys` are the numbers of drawn positions.
    """

    mask: Mask
    cells: tuple[tuple[bool, ...], ...]
    text: str
    shrunk: tuple[str, ...]
    queries: int
    keys: int


def mask_chart(spec: Spec, path: str) -> Chart:
    """A chart of the masks of the attention that a path names, with one panel for each different mask.

    Args:
        spec: the spec.
        path: the path of a node (`states`), of a part of it (`states.layers.3.attention`), or of a kind of layers
            (`states.local`).

    Raises:
        SpecError: E751 if the path names no attention.
    """
    shown = example(spec)
    panels: dict[object, list[Site]] = {}
    for site in sites_at(spec, path):
        names = tuple(_name(value, shown) for value in _controls(site))
        panels.setdefault((site.op.mask, names, lengths(site)), []).append(site)
    drawn = [(places, drawn_mask(places[0], shown)) for places in panels.values()]
    inputs = dict.fromkeys(line for places, _ in drawn for line in shown.notes(_read(places[0])))
    sizes = ", ".join(f"{name} = {size}" for name, size in shown.sizes.items())
    return Chart(
        title=f"Masks of {path} in {spec.name}",
        about=f"drawn at {sizes}" if sizes else "",
        panels=tuple(_panel(places, one) for places, one in drawn),
        levels=LEVELS,
        notes=tuple(f"for example {line}" for line in inputs),
    )


def _panel(places: Sequence[Site], drawn: DrawnMask) -> Panel:
    """The panel of a mask that several attention nodes share, with notes on what was made smaller or cut off."""
    site = places[0]
    whole = [size.value(typical(site)) if size.constant is None else size.constant for size in lengths(site)]
    notes = list(drawn.shrunk)
    for words, shown, found, size in zip(
        ("queries", "keys"), (drawn.queries, drawn.keys), whole, lengths(site), strict=True
    ):
        # Of a length that varies, any number of positions is an example.
        if size.is_constant and shown < found:
            notes.append(f"the first {shown} of {found} {words}")
    return Panel(
        title=_title(places),
        cells=tuple(tuple(OPEN if cell else BARRED for cell in row) for row in drawn.cells),
        rows=f"queries i: {lengths(site)[0]}",
        columns=f"keys j: {lengths(site)[1]}",
        notes=(drawn.text, *notes),
    )


def _title(places: Sequence[Site]) -> str:
    """The paths of some attention nodes, each once, with the kinds of their layers."""
    kinds: dict[str, list[str]] = {}
    for site in places:
        kinds.setdefault(site.path, []).extend([site.kind] if site.kind else [])
    return ", ".join(f"{path} ({', '.join(found)})" if found else path for path, found in kinds.items())


def typical(site: Site) -> dict[str, int]:
    """Typical sizes of the dims that an attention's lengths depend on."""
    return {symbol.name: symbol.typical for size in lengths(site) for symbol in size.symbols()}


def drawn_mask(site: Site, shown: Example, most: int = _MOST) -> DrawnMask:
    """The mask of an attention in an example.

    Args:
        site: the attention.
        shown: example sizes and inputs.
        most: the largest number of queries and of keys to draw.
    """
    rows = positions(site, shown.sizes)
    if rows is not None:
        return _of_parts(site, shown, most, rows)
    mask = site.op.mask
    queries, keys = (_shown_length(size, site, shown, most) for size in lengths(site))
    controls = [_row(value, shown, keys) for value in _controls(site)]
    names = [_name(value, shown) for value in _controls(site)]
    small, shrunk = _shrunk(mask, min(queries, keys, most))
    allowed = evaluate(small, queries, keys, controls, shown.sizes)
    return _drawn(small, allowed, most, text(mask, names), shrunk)


def _drawn(mask: Mask, allowed: Array, most: int, words: str, shrunk: tuple[str, ...] = ()) -> DrawnMask:
    """The first pairs of a mask [queries, keys]."""
    shown = allowed[:most, :most]
    cells = tuple(tuple(bool(cell) for cell in row) for row in shown)
    return DrawnMask(mask=mask, cells=cells, text=words, shrunk=shrunk, queries=shown.shape[0], keys=shown.shape[1])


def _of_parts(site: Site, shown: Example, most: int, rows: Array) -> DrawnMask:
    """The mask over a sequence that was cut into rows of a batch, whose positions are `rows`."""
    import numpy as np

    controls = [_tensor(value, shown) for value in _controls(site)]
    width, count = rows.shape[1], rows.size
    allowed = np.broadcast_to(evaluate(site.op.mask, width, width, controls, shown.sizes), (len(rows), width, width))
    found = np.zeros((count, count), dtype=bool)
    for row, own in zip(rows, allowed, strict=True):
        found[np.ix_(row, row)] = own
    names = [_name(value, shown) for value in _controls(site)]
    words = text(replaced(site.op.mask, _unnamed), names)
    part = next(
        (leaf.text(names) for leaf in leaves(site.op.mask) if isinstance(leaf, WindowParts)), f"windows({sides(site)})"
    )
    return _drawn(site.op.mask, found, most, part if words == "all" else f"{words} & {part}")


def _unnamed(leaf: Leaf) -> Mask:
    """A leaf that the language can write; everything in place of one that it cannot."""
    return All() if isinstance(leaf, WindowParts) else leaf


def _tensor(value: Value, shown: Example) -> Array:
    """All of the values of a control; true where they are not known."""
    import numpy as np

    term = shown.terms.of(value)
    shape = [size.value(shown.sizes) for size in value.type.shape]
    return np.ones(shape, dtype=bool) if term is None else np.reshape(shown.world.value(term).items, shape)


def _shown_length(size: Dim, site: Site, shown: Example, most: int) -> int:
    """The number of positions at which the mask is evaluated.

    It is that of the example, but if no input is read and the size is not fixed, at least `POSITIONS` within `most`.
    """
    if _read(site) or size.is_constant:
        return size.value(shown.sizes)
    return min(max(size.value(shown.sizes), POSITIONS), most)


def _controls(site: Site) -> Sequence[Value]:
    return site.node.inputs[site.op.first :]


def _read(site: Site) -> list[Value]:
    """The control inputs that the mask of an attention reads."""
    used = controls(site.op.mask)
    return [value for number, value in enumerate(_controls(site)) if number in used]


def _name(value: Value, shown: Example) -> str:
    """What the mask's text shows for a control: its expression over inputs where that is known."""
    term = shown.terms.of(value)
    return term.text if term is not None else value.name or "computed"


def _row(value: Value, shown: Example, keys: int) -> Array:
    """Values of a control input in the first row; if they cannot be computed, the first three quarters are true."""
    import numpy as np

    found = shown.values(value)
    if found is None:
        found = [int(4 * k < 3 * keys) for k in range(keys)]
    is_row = value.type.rank and value.type.shape[-1].value(shown.sizes) == len(found) and len(found) == keys
    return np.asarray(found if is_row else found[0])


def _shrunk(mask: Mask, positions: int) -> tuple[Mask, tuple[str, ...]]:
    """The mask with windows of more than half of the positions made smaller, and a text for each change."""
    windows: dict[type[Leaf], dict[Leaf, Resizable]] = {}
    for leaf in leaves(mask):
        found = leaf.resizable()
        if found is not None and 2 * _fixed(found) > positions:
            windows.setdefault(type(leaf), {})[leaf] = found
    smaller: dict[Leaf, Leaf] = {}
    # Windows of one kind keep their order of size, so that the picture shows which of two is wider.
    for kind in sorted(windows, key=lambda kind: kind.hint):
        ordered = sorted(windows[kind].items(), key=lambda item: _fixed(item[1]))
        smaller |= {
            leaf: own.make(Dim.of(size)) for (leaf, own), size in zip(ordered, ordered[0][1].drawn, strict=False)
        }
    notes = tuple(f"{text(old, [])} is drawn as {text(new, [])}" for old, new in smaller.items())
    return replaced(mask, lambda leaf: smaller.get(leaf, leaf)), notes


def _fixed(found: Resizable) -> int:
    """The size of a window; 0 if it depends on run-time sizes, in which case it is never too large to draw."""
    return found.size.constant or 0
