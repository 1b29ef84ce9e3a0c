"""Round what products read."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.ir.graph import Graph, Node, Parameter, Value
from archspec.ir.init import Init
from archspec.ir.op import Primitive
from archspec.ir.rewriter import Rewriter
from archspec.ir.scope import join
from archspec.ir.types import TensorType
from archspec.ops.elementwise.rounded import Grid, Rounded
from archspec.passes.base import Pass
from archspec.record import record

Scales = dict[tuple[str, TensorType], Parameter]
"""Parameters of scales, by path and type."""


@record
class RoundOperands(Pass):
    """What products with weights read is rounded: `plan` has the grid of some by their paths, `*` for a layer.

    A value that several products of one body read on the same grid is rounded once. Scales are buffers, one a layer.

    Given:  `%y = linear(%x) @q [weight: float[8, 64]]`
    Result: `%r = rounded(%x) @q_input {grid=int8} [scale: float[]]; %y = linear(%r) @q [weight: float[8, 64]]`

    Precondition: `products` names each path. Raises KeyError for another.
    """

    name = "round_operands"

    plan: Mapping[str, Grid]

    def apply(self, graph: Graph) -> Graph:
        """Round in every body."""
        return round_operands(graph, self.plan)[0]


def round_operands(graph: Graph, plan: Mapping[str, Grid]) -> tuple[Graph, Rewriter]:
    """The graph with what products read rounded by a plan, and the rewriter that knows the moved values.

    Raises KeyError for a path of the plan that is no product.
    """
    known = products(graph)
    unknown = [path for path in plan if path not in known]
    if unknown:
        raise KeyError(unknown[0])
    return _body(graph, plan, {})


def products(graph: Graph) -> dict[str, Node]:
    """The nodes that multiply operands with weights, by path, in the order of the graph."""
    found: dict[str, Node] = {}
    for node in graph.walk():
        if _factors(node):
            found.setdefault(node.path, node)
    return found


def _factors(node: Node) -> tuple[int, ...]:
    return node.op.factors if isinstance(node.op, Primitive) else ()


def rounds(graph: Graph) -> bool:
    """Whether anything in a graph is rounded."""
    return any(isinstance(node.op, Primitive) and node.op.rounds for node in graph.walk())


def readers(graph: Graph) -> dict[str, str]:
    """The products that read rounded values, by path, each with the path of the scale of what it reads."""
    found = dict[str, str]()
    for path, node in products(graph).items():
        made = node.inputs[_factors(node)[0]].producer
        if made is not None and isinstance(made.op, Rounded):
            found[path] = made.parameters["scale"].path
    return found


def _body(graph: Graph, plan: Mapping[str, Grid], scales: Scales) -> tuple[Graph, Rewriter]:
    """A body in which what products read is rounded; `scales` are those of all bodies."""
    rewriter = Rewriter(graph)
    made: dict[tuple[Value, Grid], Value] = {}
    names = {node.name for node in graph.nodes}
    for node in graph.nodes:
        regions = [_body(region, plan, scales)[0] for region in node.regions]
        if any(new is not old for new, old in zip(regions, node.regions, strict=True)):
            rewriter.change(node, regions=regions)
        grid = plan.get(node.path) if _factors(node) else None
        if grid is None:
            continue
        inputs = list(node.inputs)
        for number in _factors(node):
            key = (inputs[number], grid)
            if key not in made:
                one = _rounding(node, inputs[number], grid, names, scales)
                rewriter.insert(one, before=node)
                made[key] = one.outputs[0]
            inputs[number] = made[key]
        rewriter.change(node, inputs=inputs)
    return rewriter.finish(), rewriter


def _rounding(node: Node, value: Value, grid: Grid, names: set[str], scales: Scales) -> Node:
    """The node that rounds what another one reads, named after it."""
    # Dots would be parts of a path, and parts of names of modules.
    stem = f"{node.name}_input".replace(".", "_").lstrip("_")
    return rounding(Rounded(grid=grid), value, f"{value.name}_rounded", node, stem, names, scales)


def rounding(op: Rounded, value: Value, made: str, beside: Node, stem: str, names: set[str], scales: Scales) -> Node:
    """A node that rounds a value, in the module of the node `beside`.

    Args:
        op: how it is rounded.
        value: what is rounded.
        made: the name of the result.
        beside: a node of the same body.
        stem: the name, if no other node has it.
        names: the names of the body's nodes; that of the new one is added.
        scales: the parameters of all bodies; that of the new node is added.
    """
    name = next(one for one in (stem, *(f"{stem}_{count}" for count in range(2, len(names) + 3))) if one not in names)
    names.add(name)
    path = join(join(beside.scope, name), "scale")
    (spec,) = op.parameters(value.type).values()
    scale = Parameter(
        path=path,
        type=spec.type,
        init=Init(kind="constant", value=1.0),
        span=beside.span,
        buffer=True,
        calibrated=True,
    )
    # A module that is called several times, or has several bodies, holds one of it, unless layers differ in its type.
    return Node(
        op=op,
        inputs=(value,),
        outputs=(Value(made, value.type),),
        parameters={"scale": scales.setdefault((path, scale.type), scale)},
        owned=frozenset({"scale"}),
        name=name,
        scope=beside.scope,
        span=beside.span,
    )
