"""The text form of a graph: one node a line, bodies indented below their node. The same graph gives the same text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Graph, Node, Parameter, Value

_STEP = "  "


def print_graph(graph: Graph) -> str:
    """The text form of a graph.

    `%x` is a value, `@q` the name of a node in its module. Parameters are called by their names in the node; one under
    another path is written with that path, and with `&` where another node owns it. Values without a name get numbers.
    """
    lines = [f"graph {graph.name} {_Body(graph).head()} {{", *_Body(graph).lines(_STEP), "}"]
    return "\n".join(lines) + "\n"


class _Body:
    """One body: the names of its values, unique in it, and its lines."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names: dict[Value, str] = {}
        made = (value for node in graph.nodes for value in node.outputs)
        for value in (*graph.inputs, *made):
            self.names[value] = self.fresh(value.name)

    def fresh(self, hint: str) -> str:
        taken = set(self.names.values())
        # Names are unique in one body; the same name in another body is another value.
        if hint and f"%{hint}" not in taken:
            return f"%{hint}"
        number = 1 if hint else 0
        while f"%{hint}{'.' if hint else ''}{number}" in taken:
            number += 1
        return f"%{hint}{'.' if hint else ''}{number}"

    def head(self) -> str:
        return f"({', '.join(f'{self.names[value]}: {value.type}' for value in self.graph.inputs)})"

    def lines(self, indent: str) -> Iterator[str]:
        for node in self.graph.nodes:
            yield from self.node(node, indent)
        returned = self.list(self.graph.outputs)
        names = f" as {', '.join(self.graph.output_names)}" if self.graph.output_names else ""
        yield f"{indent}return {returned}{names}".rstrip()

    def list(self, values: Iterable[Value]) -> str:
        return ", ".join(self.names.get(value, f"{value!r} (not here)") for value in values)

    def node(self, node: Node, indent: str) -> Iterator[str]:
        line = f"{indent}{self.list(node.outputs)} = {node.op.name}({self.list(node.inputs)})"
        line += f" @{node.name}" if node.name else ""
        attributes = list(_attributes(node))
        line += f" {{{', '.join(attributes)}}}" if attributes else ""
        parameters = [_parameter(name, one, node) for name, one in node.parameters.items()]
        line += f" [{', '.join(parameters)}]" if parameters else ""
        line += f" : {', '.join(str(value.type) for value in node.outputs)}"
        if not node.regions:
            yield line
            return
        yield f"{line} {{"
        for number, region in enumerate(node.regions):
            body = _Body(region)
            yield f"{indent}{_STEP}{number}: {region.name} {body.head()}"
            yield from body.lines(indent + _STEP * 2)
        yield f"{indent}}}"


def _attributes(node: Node) -> Iterator[str]:
    for field in fields(node.op):  # type: ignore[arg-type]
        value = getattr(node.op, field.name)
        # Defaults are left out, and result types are printed at the end of the line.
        if field.name != "results" and value != field.default:
            yield f"{field.name}={_written(value)}"


def _written(value: object) -> str:
    if isinstance(value, Scalar):
        return value.python(str)
    if isinstance(value, tuple):
        return f"({', '.join(_written(part) for part in value)})"
    if hasattr(value, "__dataclass_fields__") and type(value).__str__ is object.__str__:
        inner = [_written(getattr(value, field.name)) for field in fields(value)]  # type: ignore[arg-type]
        return f"{type(value).__name__}({', '.join(inner)})"
    return str(value)


def _parameter(name: str, parameter: Parameter, node: Node) -> str:
    own = node.path and parameter.path == f"{node.path}.{name}"
    path = "" if own else f"@{parameter.path}" if name in node.owned else f"&@{parameter.path}"
    sizes = ", ".join(str(size) for size in parameter.type.shape)
    frozen = "" if parameter.trainable else " frozen"
    stored = "" if parameter.stored is None else f" as {parameter.stored}"
    return f"{name}{'=' if path else ''}{path}: {parameter.type.dtype}[{sizes}]{stored}{frozen}"
