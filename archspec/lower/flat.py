"""The file of a module that takes and returns the state of a decoder, one tensor a layer, and writes nothing in place.

Engines build it: what a step keeps goes in as inputs and comes out as outputs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.graph import Graph, Value
from archspec.ir.types import TensorType
from archspec.lower.body_site import BodyInterface, BodySite
from archspec.lower.code import Assignment, ClassCode, Slots, Statement, Variable
from archspec.lower.defaults import bool_checks
from archspec.lower.docs import Header
from archspec.lower.module_file import flat_text
from archspec.lower.region import Lowering
from archspec.lower.syntax import name, parse
from archspec.lower.writes import RING_SLOTS, WHOLE_SLOTS, is_list, is_stack
from archspec.record import record


@record
class FlatPort:
    """A tensor that the module takes or returns: the one of a layer has the number of the layer in its name."""

    name: str
    type: TensorType


@record(eq=False)
class FlatFile:
    """The text of the file, and the inputs and outputs of its module in order."""

    text: str
    inputs: tuple[FlatPort, ...]
    outputs: tuple[FlatPort, ...]


def layer_name(name: str, layer: int) -> str:
    """The name of a layer's part of a stack; names of the spec have no dots."""
    return f"{name}.{layer}"


def flat_file(graph: Graph, header: Header, new: Symbol, length: Symbol) -> FlatFile:
    """Write the module of a step, or of what is made before it.

    Args:
        graph: the graph of `incremental`, or its `once`.
        header: name and origin of the file.
        new: the dim of the new positions.
        length: the dim of the positions that are kept, the capacity.

    Raises:
        LoweringError: if a module cannot express the graph.
    """
    lowering = Lowering(in_place=False)
    code, _ = lowering.body(graph, BodySite(), BodyInterface(forced=range(len(graph.inputs))))
    flat = _Flat(lowering, graph, code, new, length)
    outputs = flat.run()
    return FlatFile(text=flat_text(lowering, code, header), inputs=flat.inputs, outputs=outputs)


class _Flat:
    """Gives the code of the module one argument and one result a layer."""

    def __init__(self, lowering: Lowering, graph: Graph, code: ClassCode, new: Symbol, length: Symbol) -> None:
        self.lowering, self.graph, self.code, self.new, self.length = lowering, graph, code, new, length
        # The arguments behind the inputs are what the code needs besides (see `needs`).
        self.tokens = dict(zip(graph.inputs, code.arguments, strict=False))
        self.needed = code.arguments[len(self.tokens) :]
        self.inputs: tuple[FlatPort, ...] = ()

    def run(self) -> tuple[FlatPort, ...]:
        """Change the code; returns the outputs."""
        code, arguments, lists, ports = self.code, list[str](), list[Statement](), list[FlatPort]()
        for value, token in self.tokens.items():
            if not is_stack(self.graph, value):
                arguments.append(token)
                ports.append(FlatPort(name=value.name, type=value.type))
                continue
            parts = list(_parts(value.name, value))
            own = [code.variable(Variable(hint=part.name.replace(".", "_"), type=part.type)) for part in parts]
            lists.append(Assignment(targets=(token,), value=ast.List([name(one) for one in own])))
            arguments += own
            ports += parts
        self.inputs = tuple(ports)
        code.arguments = arguments
        checks = bool_checks({value: token for value, token in self.tokens.items() if token in arguments})
        code.statements[:0] = [*checks, *lists, *self.needs()]
        code.needs = []
        return tuple(self.results())

    def needs(self) -> Iterator[Statement]:
        """Statements that make what the code needs besides: places to write, and sizes."""
        code, helpers = self.code, self.lowering.helpers
        length, new = Dim.of(self.length), Dim.of(self.new)
        # Where no buffer has this size, as for rings alone, it is the most that it may be.
        if not any(length in value.type.shape for value in self.graph.inputs):
            code.known[length] = str(self.length.max)
        named = {value.name: token for value, token in self.tokens.items()}
        for need, token in zip(code.needs, self.needed, strict=True):
            match need.what:
                case Slots(ring=None):
                    source = f"{helpers.add(WHOLE_SLOTS)}({named['past']}, {code.size(new)}, {code.size(length)})"
                case Slots(ring=ring):
                    counts = f"{named['past']}, {named['count']}"
                    source = f"{helpers.add(RING_SLOTS)}({counts}, {code.size(new)}, {ring})"
                case Symbol() as symbol:
                    source = code.size(Dim.of(symbol))
                case _:
                    raise ValueError(f"a step has no {need.what}")
            yield Assignment(targets=(token,), value=parse(source))

    def results(self) -> Iterator[FlatPort]:
        """Yield the outputs; the code returns the entries of lists one by one."""
        results = zip(self.graph.output_names, self.graph.outputs, self.code.results, strict=True)
        self.code.results = []
        for output, value, result in results:
            if not is_list(value):
                self.code.results.append(result)
                yield FlatPort(name=output, type=value.type)
                continue
            self.code.results.append(ast.Starred(result, ast.Load()))
            yield from _parts(output, value)


def _parts(name: str, value: Value) -> Iterator[FlatPort]:
    """Yield the part of each layer of a stack."""
    count = value.type.shape[0].constant
    assert count is not None
    type_ = TensorType(value.type.dtype, value.type.axes[1:], value.type.bound)
    yield from (FlatPort(name=layer_name(name, layer), type=type_) for layer in range(count))
