"""The pass: a graph over all positions becomes a step over new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.ir.graph import Graph, Value
from archspec.ir.verifier import verify
from archspec.passes.incremental.build import Asked, BodyBuilder
from archspec.passes.incremental.forms import Fed
from archspec.passes.incremental.once import once_graph
from archspec.passes.incremental.plan import Planner, refuse
from archspec.record import record


@record(eq=False)
class Incremental:
    """A graph as steps.

    `step` takes the fed inputs at new positions, `past` (int64 [rows], the number of positions that each row has had),
    where a ring is kept `count` (int64 [rows], how many of the new entries are positions of the row: the first ones),
    the inputs that are not fed and that it reads, and the state. It returns the outputs at the new positions and what
    replaces the state. `once` makes the part of the state of kind `once` from the inputs that are not fed; None where
    there is none. `new` is the dim of new positions; the dim of the full graph, `length`, is the capacity.
    """

    step: Graph
    once: Graph | None
    state: tuple[KeptValue, ...]
    length: Symbol
    new: Symbol
    rows: Dim
    has_count: bool


def incremental(graph: Graph, fed: str, outputs: Sequence[str] | None = None) -> Incremental:
    """Make the step of a graph.

    Given:  `(%x[b, n, d]): %k = linear(%x); %y = attention(%q, %k, %v) {causal}; return %y`
    Result: `(%x[b, new, d], %past[b], %k[b, n, d]): %1 = linear(%x); %k.1 = write_positions(%k, %1, %past); ...`

    Args:
        graph: the graph; all inputs that carry the dim of the fed one's positions are fed with it.
        fed: the name of the fed input, whose axis 1 is the positions and axis 0 the rows.
        outputs: names of the outputs that are wanted; all if left out.

    Raises:
        SpecError: E748 at the node that bars it: it reads later positions or other rows, is computed from the number of
            positions, or does not say how it depends on them.
        KeyError: for an unknown input or output.
    """
    source = {value.name: value for value in graph.inputs}[fed]
    symbol = _dim(source)
    rows = source.type.shape[0]
    largest = max(symbol.max // symbol.multiple * symbol.multiple, 1)
    new = Symbol(_fresh(graph, "new"), 1, 1, largest)
    layout = Fed(length=symbol, new=new, rows=rows)
    named = dict(zip(graph.output_names, graph.outputs, strict=True))
    names = list(named) if outputs is None else list(outputs)
    planner = Planner(graph, layout, [named[name] for name in names])
    body = BodyBuilder(planner, planner.root)
    body.run()
    results = [body.get(named[name], planner.new(named[name])) for name in names]
    return _finished(graph, body, layout, names, results)


def _dim(source: Value) -> Symbol:
    size = source.type.shape[1] if source.type.rank > 1 else None
    symbols = () if size is None else tuple(size.symbols())
    if size is None or len(symbols) != 1 or size != Dim.of(symbols[0]):
        refuse(None, f"the positions of `{source.name}`, {source.type}, have no dim of their own")
    return symbols[0]


def _fresh(graph: Graph, name: str) -> str:
    taken = {symbol.name for value in graph.inputs for size in value.type.shape for symbol in size.symbols()}
    while name in taken:
        name += "_"
    return name


def _finished(graph: Graph, body: BodyBuilder, fed: Fed, names: list[str], results: list[Value]) -> Incremental:
    """The graph with its inputs in order and its state named."""
    taken = [*(value.name for value in graph.inputs), "past", "count"]
    updates = {asked.value: value for asked, value in body.updates}
    state: dict[Value, KeptValue] = {}
    for asked, value in body.state.values():
        value.name = _unique(_identifier(asked.path), taken)
        taken.append(value.name)
        state[asked.value] = _kept_value(value, asked, fed)
    file_order = [value.name for value in graph.inputs]
    given = sorted(body.given(), key=lambda value: file_order.index(value.name))
    counts = [body.inputs[(name,)] for name in ("past", "count") if (name,) in body.inputs]
    changed = [(one.update, updates[source]) for source, one in state.items() if one.update is not None]
    step = Graph(
        name=graph.name,
        inputs=(*given, *counts, *(value for _, value in body.state.values())),
        nodes=tuple(body.nodes),
        outputs=(*results, *(value for _, value in changed)),
        output_names=(*names, *(name for name, _ in changed)),
    )
    verify(step)
    return Incremental(
        step=step,
        once=once_graph(body.plan, {source: one.name for source, one in state.items()}),
        state=tuple(state.values()),
        length=fed.length,
        new=fed.new,
        rows=fed.rows,
        has_count=("count",) in body.inputs,
    )


def _identifier(path: str) -> str:
    return "_".join(part for part in path.split(".") if part != "*")


def _unique(name: str, taken: Sequence[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _kept_value(value: Value, asked: Asked, fed: Fed) -> KeptValue:
    layers = value.type.rank - asked.value.type.rank
    kept = KeptValue(name=value.name, path=asked.path, kind=asked.kind, type=value.type, layers=layers)
    if asked.kind == "once":
        return kept
    ((axis, _),) = fed.axes(asked.value.type)
    return replace(kept, axis=axis + layers, update=f"{value.name}_next")
