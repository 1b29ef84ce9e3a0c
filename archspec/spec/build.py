"""Build the nodes of a graph from their blocks, each after the nodes that it uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built
from archspec.diagnostics import Collector, Diagnostic, Label, Span, SpecError, did_you_mean, fail
from archspec.ir.builder import PlacedShapeError
from archspec.ir.graph import Value
from archspec.ir.parameter_book import ParameterMismatch
from archspec.ir.repeat import Schedule
from archspec.ir.scope import RepeatMismatch
from archspec.record import record
from archspec.spec.constants import report_circles
from archspec.spec.context import NodeContext, Surroundings
from archspec.spec.nodes import GraphNode, NodePart
from archspec.spec.order import ordered
from archspec.spec.places import with_places
from archspec.spec.syntax import paths, predicates, syntaxes
from archspec.text.arithmetic import Number
from archspec.text.path import Path
from archspec.text.value import ValueExpr


@record
class NodeNames:
    """The names that the nodes of a graph may use.

    `places` are the spans of all names, `values` the names of values among them, and `failed` the names whose own
    error has been reported; nodes that cannot be built are added to it.
    """

    places: Mapping[str, Span]
    values: Collection[str]
    failed: set[str]


def build_nodes(nodes: Iterable[GraphNode], around: Surroundings, names: NodeNames) -> None:
    """Build all nodes that can be built. Errors are collected; an error in one node does not hide those of others."""
    for node in checked(nodes, names, around.findings):
        _build(node, around, names.failed)


def checked(nodes: Iterable[GraphNode], names: NodeNames, findings: Collector) -> Iterator[GraphNode]:
    """The nodes in order of use, without those on a cycle, with an unknown name, or that use a failed node.

    Cycles (E211) and unknown names (E201) are collected in `findings`; the skipped nodes are added to `names.failed`.
    """
    by_name = {node.name: node for node in nodes}
    order = ordered({name: tuple(node.uses()) for name, node in by_name.items()})
    report_circles(order.circles, names.places, "nodes", findings)
    names.failed.update(name for circle in order.circles for name in circle)
    for node in (by_name[name] for name in order.names):
        if _names_unknown(node, names, findings) or any(name in names.failed for name in node.uses()):
            names.failed.add(node.name)
        else:
            yield node


def _build(node: GraphNode, around: Surroundings, failed: set[str]) -> None:
    """Build the parts of a node in order; after a part that fails, the node is failed."""
    for part in node.parts:
        # A part that was built has defined at least one new name; later parts of a chain need its value.
        before = len(around.values.names)
        with around.findings.catching():
            build_part(part, around)
        if len(around.values.names) == before:
            failed.add(node.name)
            return


def _names_unknown(node: GraphNode, names: NodeNames, findings: Collector) -> bool:
    """Whether a node uses an unknown name; E201 is collected for each."""
    unknown = [path for path in node.paths() if path.parts[0] not in names.places]
    for path in unknown:
        others = [name for name in names.values if name != node.name]
        help = did_you_mean(path.parts[0], others, kind="values")
        findings.error("E201", f"unknown value `{path.parts[0]}`", path.part_span(0), help=help)
    return bool(unknown)


def build_part(part: NodePart, around: Surroundings) -> None:
    """Build a part, and define its value, its ports and the values inside it under their names. Raises SpecError."""
    whole = None if isinstance(part.body, Block) else part.body
    cx = NodeContext(around=around, name=part.name, owner=part.module, result=_result(part), whole=whole)
    with around.builder.settings(span=part.span), _as_diagnostics(part, around):
        built = _block(part, part.body, cx) if isinstance(part.body, Block) else Built(main=cx.value(part.body))
    for name in (part.name, *part.aliases):
        around.values.define(name, built.main)
        for port, value in built.ports.items():
            around.values.define(f"{name}.{port}", value)
    for path, value in around.builder.exposed.items():
        around.values.define(path, value)
    around.values.offer(around.builder.offered)
    # Inner values with the axes of the sequence are sequences too, so that rules on them need no `axis` either.
    block = part.body if isinstance(part.body, Block) else None
    makes_sequence = block is not None and block.makes_sequence
    if built.main.type.rank == 3 and (makes_sequence or _like(part.body, built.main, around, around.values.sequences)):
        inner = (value for path, value in around.builder.exposed.items() if path.startswith(f"{part.name}."))
        for value in (built.main, *(one for one in inner if one.type.axes == built.main.type.axes)):
            around.values.is_sequence(value)
    # A block that moves axes may give others of the same sizes.
    keeps = block is None or block.keeps_axes
    if (block and block.makes_map) or (keeps and _like(part.body, built.main, around, around.values.maps)):
        around.values.is_map(built.main)


def _like(body: Block | ValueExpr, value: Value, around: Surroundings, known: Collection[Value]) -> bool:
    """Whether what a part reads contains a known value that has the axes of the part's own value."""
    read = (around.values.get(path) for one in syntaxes(body) for path in paths(one))
    return any(one in known for one in read if one is not None and one.type.axes == value.type.axes)


def _result(part: NodePart) -> str:
    """The name of the value of a part: its last alias, otherwise its own name."""
    return part.aliases[-1] if part.aliases else part.name


def _block(part: NodePart, block: Block, cx: NodeContext) -> Built:
    """Build the block of a part with its own initialisation and freezing.

    Raises SpecError E242 for `share` without `repeat`, and the errors of the block.
    """
    builder = cx.builder
    if "share" in block.given and block.repeat is None and not block.shares:
        fail(
            "E242",
            "`share` without `repeat`",
            part.span,
            help="add `repeat`, the number of times the block runs, or remove `share`",
        )
    _prepare(block, cx)
    init = None if block.init is None else block.init.resolve(cx.constant)
    settings = builder.settings(init=init, trainable=False if block.frozen else None)
    with settings, builder.reuse() if part.reuses else nullcontext():
        return block.build(cx) if block.repeat is None else _repeat(part, block, cx)


def _prepare(block: Block, cx: NodeContext) -> None:
    """Build the computed values of the fields before the module is opened, so that equal expressions are built once."""
    for syntax in syntaxes(block):
        for pred in predicates(syntax):
            cx.predicate(pred)
        if isinstance(syntax, ValueExpr) and not isinstance(syntax, (Path, Number)):
            cx.value_or_number(syntax)


def _repeat(part: NodePart, block: Block, cx: NodeContext) -> Built:
    """Build the block as one repeated body; the output of each run is the value of the fed field of the next.

    Raises SpecError E304 for fewer than one run, E216 for a block without a field that a value can be fed into.
    """
    assert block.repeat is not None
    times = cx.around.numbers.integer(block.repeat)
    if times < 1:
        fail("E304", f"`repeat` must be at least 1, got {times}", block.repeat.span, help="write 1 or more")
    if block.feeds is None:
        help = "repeat a block that has an `input`"
        fail("E216", f"`{block.block}` has no input, so its output cannot be fed back", block.repeat.span, help=help)
    fed = block.fed
    # The body of the repeat is the module of the node, so the block does not open another one inside it.
    inside = replace(cx.in_layers(times, block.repeat.span), name="")

    def body(x: Value) -> Value:
        return block.build(replace(inside, carried=(fed, x))).main

    kind = "".join(word.capitalize() for word in block.block.split("_"))
    carried = cx.value(fed)
    schedule = Schedule.uniform(times)
    value = cx.builder.repeat(part.name, (kind,), (body,), schedule, carried, shared=block.share, module=part.module)
    return Built(main=value)


@contextmanager
def _as_diagnostics(part: NodePart, around: Surroundings) -> Iterator[None]:
    """Convert errors of the builder into diagnostics of the part.

    With the first error of a part, the errors of all numbers in its fields are reported too.
    """
    try:
        yield
    except SpecError as error:
        # Loaded late: it is needed for errors only.
        from archspec.spec.number_fields import number_errors

        # As keys: the error itself may be that of a number, and is then found a second time.
        found = dict.fromkeys((*error.diagnostics, *number_errors(part.body, around.numbers)))
        raise SpecError(dict.fromkeys(with_places(one, around.numbers, around.values) for one in found)) from None
    except PlacedShapeError as error:
        labels = (around.values.label(value) for value in dict.fromkeys(error.values))
        secondary = tuple(label for label in labels if label is not None)
        raise _error("E305", error.message, error.span, part, secondary, error.help) from None
    except ParameterMismatch as error:
        owner = error.parameter
        secondary = () if owner.span is None else (Label(owner.span, f"`{owner.path}` is {owner.type}"),)
        message = f"the shared `{owner.path}` is {owner.type}, but {error.wanted} is needed here"
        help = "a shared module needs inputs of the same sizes"
        raise _error("E306", message, part.span, part, secondary, help) from None
    except RepeatMismatch as error:
        help = "make the output type of the block equal to its input type, or write the layers one by one"
        repeat = part.body.repeat if isinstance(part.body, Block) else None
        span = part.span if repeat is None else repeat.span
        raise _error("E307", str(error), span, part, (), help) from None


def _error(
    code: str, message: str, span: object, part: NodePart, secondary: tuple[Label, ...], help: str | None
) -> SpecError:
    """A SpecError with one diagnostic, at `span` or at the part if the builder knows no better place."""
    primary = Label(part.span if span is None else span)  # type: ignore[arg-type]
    return SpecError([Diagnostic(code=code, message=message, primary=primary, secondary=secondary, help=help)])
