"""The pass: a graph over all positions becomes a step over new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.ir.graph import Graph, Value
from archspec.ir.verifier import verify
from archspec.passes.absorb_latents import AbsorbLatents
from archspec.passes.incremental.body import MASK, Body, CountOf, MaskOf, Operand, StateOf
from archspec.passes.incremental.build import build_body
from archspec.passes.incremental.forms import Fed
from archspec.passes.incremental.once import once_graph
from archspec.passes.incremental.plan import Planner
from archspec.passes.incremental.refusal import refusal
from archspec.passes.prune import Prune
from archspec.record import record

PAST, COUNT = CountOf(name="past"), CountOf(name="count")


@record(eq=False)
class Incremental:
    """A graph as steps.

    `step` takes the inputs that it reads, those that are fed at new positions; `past` (int64 [rows], the number of
    positions that each row has had); with `has_count` `count` (int64 [rows], how many of the new entries are positions
    of the row: the first ones); and the state. It returns the outputs at the new positions and what replaces the state.
    `once` makes the part of the state of kind `once`; None where there is none. With `has_prefix` the positions of a
    prefix read later ones of it, so that the first chunk of a row must cover it, or all of a shorter row. `new` is the
    dim of new positions; the dim of the full graph, `length`, is the capacity.

    A step that grows has in place of the counts `attention_mask` (int64 [rows, past entries + new ones], 1 for an entry
    that is a position of the row): it returns each part of the state with the new entries behind the past ones, whose
    number is the dim `past`. Masked entries may stand anywhere; positions count the others.
    """

    step: Graph
    once: Graph | None
    state: tuple[KeptValue, ...]
    length: Symbol
    new: Symbol
    rows: Dim
    has_count: bool
    has_prefix: bool
    past: Symbol | None = None


def incremental(graph: Graph, fed: str, outputs: Sequence[str] | None = None, *, grows: bool = False) -> Incremental:
    """Make the step of a graph.

    Given:  `(%x[b, n, d]): %k = linear(%x); %y = attention(%q, %k, %v) {causal}; return %y`
    Result: `(%x[b, new, d], %past[b], %k[b, n, d]): %1 = linear(%x); %k.1 = write_positions(%k, %1, %past); ...`

    Args:
        graph: the graph; all inputs that carry the dim of the fed one's positions are fed with it.
        fed: the name of the fed input, whose axis 1 is the positions and axis 0 the rows.
        outputs: names of the outputs that are wanted; all if left out.
        grows: whether what is kept grows with each step, in place of buffers of a fixed capacity.

    Raises:
        SpecError: E748 at the node that bars it: it reads later positions or other rows, is computed from the number of
            positions, or does not say how it depends on them.
        KeyError: for an unknown input or output.
    """
    return _finished(*_built(graph, fed, outputs, grows=grows))


def kept_state(graph: Graph, fed: str, outputs: Sequence[str] | None = None) -> tuple[KeptValue, ...]:
    """The `state` of the step of a graph, for who asks for its bytes and not for the step. Raises as `incremental`."""
    body, _, _ = _built(graph, fed, outputs)
    return tuple(_state(body).values())


def kept_values(graph: Graph, fed: str, outputs: Sequence[str] | None = None) -> list[Value]:
    """The values of a graph of which a step keeps past entries, without those that only the step computes.

    Arguments and errors are those of `incremental`.
    """
    planner = _planner(graph, fed, outputs)
    own = {value for node in graph.walk() for value in node.outputs}
    return [value for plan in planner.plans() for value in plan.kept if value in own]


def _built(
    graph: Graph, fed: str, outputs: Sequence[str] | None, *, grows: bool = False
) -> tuple[Body, list[str], list[Value]]:
    """The body of the step, and the names of its outputs with their values."""
    planner = _planner(graph, fed, outputs, grows=grows)
    body = build_body(planner, planner.root)
    named = dict(zip(planner.graph.output_names, planner.graph.outputs, strict=True))
    names = list(named) if outputs is None else list(outputs)
    return body, names, [body.get(named[name], planner.needs.new(named[name])) for name in names]


def _planner(graph: Graph, fed: str, outputs: Sequence[str] | None, *, grows: bool = False) -> Planner:
    source = {value.name: value for value in graph.inputs}[fed]
    symbol = _dim(source)
    graph = AbsorbLatents(length=symbol).apply(graph)
    rows = source.type.shape[0]
    # All positions that the dim admits may come in one step.
    largest = max(symbol.max // symbol.multiple * symbol.multiple, 1)
    new = Symbol(_fresh(graph, "new"), 1, 1, largest)
    # From 0: before the first step nothing is kept.
    past = Symbol(_fresh(graph, "past_length"), 0, symbol.typical, symbol.max) if grows else None
    layout = Fed(length=symbol, new=new, rows=rows, past=past)
    named = dict(zip(graph.output_names, graph.outputs, strict=True))
    return Planner(graph, layout, [named[name] for name in (named if outputs is None else outputs)])


def _dim(source: Value) -> Symbol:
    size = source.type.shape[1] if source.type.rank > 1 else None
    symbols = () if size is None else tuple(size.symbols())
    if size is None or len(symbols) != 1 or size != Dim.of(symbols[0]):
        raise refusal(None, f"the positions of `{source.name}`, {source.type}, are not an axis of one dim")
    return symbols[0]


def _fresh(graph: Graph, name: str) -> str:
    taken = {symbol.name for value in graph.inputs for size in value.type.shape for symbol in size.symbols()}
    while name in taken:
        name += "_"
    return name


def _finished(body: Body, names: Sequence[str], results: Sequence[Value]) -> Incremental:
    """The graph with its inputs in order and its state named."""
    graph, fed = body.plan.graph, body.fed
    # In the order of the graph's inputs, not in that in which they were asked for.
    operands = sorted((key.number, value) for key, value in body.inputs.items() if isinstance(key, Operand))
    counts = [body.inputs[key] for key in (PAST, COUNT, MaskOf()) if key in body.inputs]
    state = _state(body)
    changed = [(one.update, body.updates[asked]) for asked, one in state.items() if one.update is not None]
    step = Graph(
        name=graph.name,
        inputs=(*(value for _, value in operands), *counts, *(body.inputs[asked] for asked in state)),
        nodes=tuple(body.nodes),
        outputs=(*results, *(value for _, value in changed)),
        output_names=(*names, *(name for name, _ in changed)),
    )
    # Values of integers that nothing reads: only kept ones are.
    step = Prune().apply(step)
    verify(step)
    return Incremental(
        step=step,
        once=once_graph(body.plan, {asked.value: one.name for asked, one in state.items()}),
        state=tuple(state.values()),
        length=fed.length,
        new=fed.new,
        rows=fed.rows,
        has_count=COUNT in body.inputs,
        has_prefix=body.planner.needs.has_prefix,
        past=fed.past,
    )


def _state(body: Body) -> dict[StateOf, KeptValue]:
    """The state in the order of its inputs, which get names of their own."""
    found: dict[StateOf, KeptValue] = {}
    used = {*(value.name for value in body.plan.graph.inputs), "past", "count", MASK}
    for asked, value in body.inputs.items():
        if isinstance(asked, StateOf):
            value.name = _unique("_".join(part for part in asked.path.split(".") if part != "*"), used)
            used.add(value.name)
            found[asked] = _kept_value(value, asked, body.fed)
    return found


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _kept_value(value: Value, asked: StateOf, fed: Fed) -> KeptValue:
    # Each enclosing repeat has stacked the value along a new first axis.
    layers = value.type.rank - asked.value.type.rank
    kept = KeptValue(name=value.name, path=asked.path, kind=asked.kind, type=value.type, layers=layers)
    if asked.kind == "once":
        return kept
    ((axis, _),) = fed.axes(asked.value.type)
    return replace(kept, axis=axis + layers, update=f"{value.name}_next")
