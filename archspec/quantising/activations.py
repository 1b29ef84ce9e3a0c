"""Which products read rounded values, and on which grid."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import NoReturn

from archspec.diagnostics import did_you_mean, fail
from archspec.ir.graph import Graph, Node
from archspec.ops.elementwise.rounded import LARGEST, Grid
from archspec.passes.quantise import storable
from archspec.passes.round_operands import products
from archspec.quantising.formats import KEPT
from archspec.quantising.plan import Plan, check_one_each, inside, prefixes
from archspec.record import record

Grids = Mapping[str, Grid]
"""The grid of what products read, by their paths, with `*` for the number of a layer."""


@record
class GridWish:
    """One wish: a grid (None keeps floats) for the products of a node, or for all others where `node` is empty."""

    node: str
    grid: Grid | None


def read_grids(texts: Iterable[str], keep: Iterable[str] = ()) -> tuple[GridWish, ...]:
    """Read grids as they are given, `int8`, `NODE=fp8`, and nodes to keep as floats. Raises SpecError E630 or E637."""
    found = list[GridWish]()
    for text in texts:
        node, equals, word = text.rpartition("=")
        if equals and not node:
            fail("E630", f"`{text}` names no node", None, help=f"write `{word}` for all nodes, or `NODE={word}`")
        found.append(GridWish(node=node, grid=None if word == KEPT else _grid(word)))
    found += [GridWish(node=node, grid=None) for node in keep]
    check_one_each((one.node, one.grid or KEPT) for one in found)
    return tuple(found)


def _grid(word: str) -> Grid:
    return next((grid for grid in LARGEST if grid == word), None) or _refuse(word)


def _refuse(word: str) -> NoReturn:
    """Raise E630."""
    help = f"write {', '.join(f'`{grid}`' for grid in LARGEST)} or `{KEPT}`, after `NODE=` for what one node reads"
    fail("E630", f"cannot round activations to `{word}`", None, notes=["it is no format of activations"], help=help)


def grids_of(graph: Graph, wishes: Iterable[GridWish], plan: Plan = MappingProxyType({})) -> Grids:
    """The grid of what every product reads that is rounded; the wish for the innermost node counts.

    Engines multiply numbers of one kind: the product with a table that is stored as `int8` reads what that is, and one
    with a weight in blocks reads floats, unless a wish is for it.

    Raises SpecError E632 for another grid than that of the weight, E631 for a node without products whose operands
    could be rounded, or if nothing is left to round.
    """
    known, found = products(graph), dict[str, Grid]()
    given, tables = tuple(wishes), {path for path, one in storable(graph).items() if one.rows}
    for wish in (one for one in given if one.node and one.grid is not None):
        if not any(inside(path, wish.node) for path in known):
            nodes = sorted({part for path in known for part in (*prefixes(path), path)})
            message = f"nothing that `{wish.node}` reads can be rounded"
            notes = ["only what products with weights read is: linear maps and convolutions"]
            fail("E631", message, None, notes=notes, help=did_you_mean(wish.node, nodes, kind="nodes"))
    for path, node in known.items():
        mine = [wish for wish in given if inside(path, wish.node)]
        best = max(mine, key=lambda wish: len(wish.node), default=None)
        if best is not None and best.grid is not None and (best.node or not _in_blocks(node, plan)):
            found[path] = _fitting(path, node, best.grid, plan, tables)
    if not found:
        blocks = any(_in_blocks(node, plan) for node in known.values())
        notes = ["what is multiplied with weights in blocks stays float"] if blocks else []
        fail("E631", "no activations are left to round", None, notes=notes, help="keep fewer nodes")
    return found


def _in_blocks(node: Node, plan: Plan) -> bool:
    """Whether a weight of a product has a scale for each block."""
    return any(plan[one.path].block is not None for one in node.parameters.values() if one.path in plan)


def _fitting(path: str, node: Node, grid: Grid, plan: Plan, tables: Collection[str]) -> Grid:
    """The grid for a product, or that of its table. Raises SpecError E632 for another than that of its weights."""
    stored = {one.path: plan[one.path] for one in node.parameters.values() if one.path in plan}
    kinds: dict[str, Grid] = {name: "fp8" if one.floating else "int8" for name, one in stored.items()}
    for name, storage in stored.items():
        if storage.block is not None or (kinds[name] != grid and name not in tables):
            message = f"what `{path}` reads cannot be rounded to {grid}: its weight is {storage}"
            notes = ["engines multiply numbers of one kind"]
            fail("E632", message, None, notes=notes, help=f"give `--quantise {grid}`, or leave its operand as floats")
    return next((kind for name, kind in kinds.items() if name in tables), grid)


def planned_grids(graph: Graph, words: Mapping[str, str], plan: Plan = MappingProxyType({})) -> Grids:
    """The grids that a file has for a graph whose weights are stored by a plan.

    Raises SpecError E630, E631 for what the graph does not have, and E632 for another grid than that of the weight.
    """
    known = products(graph)
    for path, word in words.items():
        if path not in known:
            notes = ["no product with weights has this name"]
            help = "the plan is that of another spec"
            fail("E631", f"what `{path}` reads cannot be rounded to `{word}`", None, notes=notes, help=help)
    # A table's grid is written as it is, so that none is put in the place of another.
    return {path: _fitting(path, known[path], _grid(word), plan, ()) for path, word in words.items()}
