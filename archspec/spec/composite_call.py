"""A call of a user-defined block: the body is built from the arguments of the call only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from archspec.algebra.dim import compare
from archspec.algebra.scalar import Scalar
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Defaults
from archspec.diagnostics import Collector, Diagnostic, Label, SpecError, fail
from archspec.ir.graph import Value
from archspec.record import record
from archspec.spec.build import NodeNames, build_nodes
from archspec.spec.composite_definition import Definition
from archspec.spec.context import GivenMask, NodeContext, Surroundings
from archspec.spec.numbers import Names, Numbers
from archspec.spec.outputs import output_value
from archspec.spec.places import CALLED
from archspec.spec.substitution import settled, written
from archspec.spec.values import Values
from archspec.text.expr import Name
from archspec.text.nodes import Node
from archspec.text.path import Path
from archspec.text.types import TypeSyntax

_MAX_CALLS = 500


class CompositeFields(Block):
    """The arguments of a call of a user-defined block, by the names of the block's fields."""

    def gives(self, name: str) -> bool:
        """Whether the call gives the field itself."""
        return f"field_{name}" in self.model_fields_set

    def held(self, name: str) -> Any:
        """The value of a field: given by the call, or its default."""
        return getattr(self, f"field_{name}")


@record
class CompositeCall:
    """One call; `cx` is the context of the calling node."""

    definition: Definition
    block: CompositeFields
    cx: NodeContext

    def build(self) -> Built:
        """Build the body as a module and return its outputs as ports, the first as the main value.

        Raises SpecError, each finding of the body with the place of the call; E244 for too many calls, E342, E343 or
        E347 for an operand whose type does not fit.
        """
        self._count()
        operands = {name: self.cx.value(getattr(self.block, f"input_{name}")) for name in self.definition.fields.inputs}
        with self._placed():
            numbers, nodes = self._fields()
            numbers = self._bound(operands, numbers)
        ports = tuple(self.definition.fields.outputs)
        # A part of a chain is named as `scores.0`, and results of modules are names of Python.
        result = self.cx.result.replace(".", "_")

        def body(*values: Value) -> list[Value]:
            with self._placed():
                return self._body(dict(zip(operands, values, strict=True)), operands, numbers, nodes)

        kind = "".join(word[:1].upper() + word[1:] for word in self.definition.name.split("_"))
        hints = [result, *(f"{result}_{port}" for port in ports[1:])]
        main, *others = self.cx.module(kind, body, operands, results=hints)
        return Built(main=main, ports=dict(zip(ports[1:], others, strict=True)))

    def _count(self) -> None:
        # Calls inside calls multiply: without a limit a short file could build a graph of exponential size.
        if next(self.cx.around.calls) > _MAX_CALLS:
            fail("E244", f"more than {_MAX_CALLS} calls of user-defined blocks", self.cx.builder.span)

    # -- what the call gives

    def _fields(self) -> tuple[dict[str, Scalar], dict[str, Node]]:
        """The values of sizes and numbers by name, and the nodes to substitute for the other fields but masks."""
        numbers: dict[str, Scalar] = {}
        nodes: dict[str, Node] = {}
        for name, field in self.definition.fields.fields.items():
            cx, held = self._held(name, numbers)
            if field.type == "size":
                numbers[name] = Scalar.of(cx.size(held))
            elif field.type == "number":
                numbers[name] = cx.number(held)
            elif field.type != "mask":
                nodes[name] = written(cx, held, self.definition.places[name])
        return numbers, nodes

    def _held(self, name: str, numbers: Mapping[str, Scalar]) -> tuple[NodeContext, Any]:
        """The value of a field, and the context in which its names are resolved.

        A given field is read in the context of the caller; a default sees only the block's fields before it.
        """
        if self.block.gives(name):
            return self.cx, self.block.held(name)
        inner = replace(self.cx.around, numbers=Numbers(names=Names(numbers)))
        return replace(self.cx, around=inner, layer=None), self.block.held(name)

    def _masks(self) -> dict[str, GivenMask]:
        """The mask fields by name, each with the context in which it is read."""
        fields = self.definition.fields.fields
        return {
            name: GivenMask(syntax=self.block.held(name), cx=self.cx if self.block.gives(name) else None)
            for name, field in fields.items()
            if field.type == "mask"
        }

    def _bound(self, operands: Mapping[str, Value], numbers: dict[str, Scalar]) -> dict[str, Scalar]:
        """The numbers together with the axis sizes that the operands bind.

        Raises SpecError E342 for another dtype or rank than declared, E347 for another size of an axis, E343 for
        integers not known to be below the declared bound.
        """
        names, later = dict(numbers), []
        for name, syntax in self.definition.fields.inputs.items():
            value = operands[name]
            if value.type.dtype != syntax.dtype or value.type.rank != len(syntax.axes):
                self._refuse("E342", name, syntax, value, "another dtype or another number of axes")
            for axis, size in zip(syntax.axes, value.type.shape, strict=True):
                if isinstance(axis, Name) and axis.name not in names:
                    names[axis.name] = Scalar.of(size)
                later.append((name, syntax, axis, size))
        inner = Numbers(names=Names(names))
        # A second pass, because an axis such as `2*n` may be written before the axis that binds `n`.
        for name, syntax, axis, size in later:
            if compare(inner.size(axis), "==", size) is not True:
                self._refuse("E347", name, syntax, operands[name], f"`{axis}` is {inner.size(axis)} and {size}")
        self._check_bounds(operands, inner)
        return names

    def _check_bounds(self, operands: Mapping[str, Value], numbers: Numbers) -> None:
        """Raise SpecError E343 for an operand whose bound is missing or may exceed the declared one."""
        for name, syntax in self.definition.fields.inputs.items():
            if syntax.bound is not None:
                bound, limit = operands[name].type.bound, numbers.size(syntax.bound)
                if bound is None or compare(bound, "<=", limit) is not True:
                    self._refuse("E343", name, syntax, operands[name], f"its values are not known to be below {limit}")

    def _refuse(self, code: str, name: str, syntax: TypeSyntax, value: Value, why: str) -> None:
        span = getattr(self.block, f"input_{name}").span
        made = self.cx.origin(value)
        labels = [Label(syntax.span, "declared here"), *([] if made is None else [made])]
        fail(code, f"`{name}` takes {syntax}, got {value.type}", span, why, secondary=labels)

    # -- the body

    def _body(
        self,
        inputs: Mapping[str, Value],
        operands: Mapping[str, Value],
        numbers: Mapping[str, Scalar],
        given: Mapping[str, Node],
    ) -> list[Value]:
        """Build the nodes of the body in the open module and return its outputs."""
        nodes = self.definition.nodes(given)
        around = self._surroundings(numbers)
        for name, value in inputs.items():
            around.values.define(name, value)
            around.values.alias(operands[name], name)
        sources = self.definition.outputs()
        # Modules expose only inner values that some path names, so these are said before anything is built.
        inner = [*(path for node in nodes for path in node.paths()), *sources.values()]
        around.builder.want(str(path) for path in inner if len(path.parts) > 1)
        values = (*inputs, *(node.name for node in nodes))
        names = NodeNames(places=self.definition.places, values=values, failed=set())
        build_nodes(nodes, around, names)
        outputs = list(self._outputs(sources, around, names.failed))
        self._report(around.findings)
        # Inner values can be named from outside, such as in a rule; the names of the operands are those of the caller.
        for name, value in around.values.names.items():
            if name not in inputs:
                around.builder.expose(name, value)
        return outputs

    def _outputs(self, sources: Mapping[str, Path], around: Surroundings, failed: set[str]) -> Iterator[Value]:
        for name, path in sources.items():
            if path.parts[0] not in failed:
                with around.findings.catching():
                    fields = self.definition.fields.outputs[name]
                    yield output_value(name, fields, path, around.values, around.numbers)

    def _surroundings(self, numbers: Mapping[str, Scalar]) -> Surroundings:
        """The surroundings of the body: its own values and numbers, and the defaults of the file."""
        outer, builder = self.cx.around, self.cx.builder
        # The default norm may name constants of the file, which the body cannot see, so its numbers are evaluated.
        norm = outer.defaults.norm
        defaults: Defaults = outer.defaults if norm is None else replace(outer.defaults, norm=settled(self.cx, norm))
        return Surroundings(
            builder=builder,
            defaults=defaults,
            numbers=Numbers(names=Names(numbers)),
            values=Values(self.definition.places),
            findings=Collector(),
            reduced=outer.reduced,
            scope=builder.path,
            key=builder.key,
            masks=self._masks(),
            calls=outer.calls,
        )

    def _report(self, found: Collector) -> None:
        """Raise the errors of the body; pass its warnings, with the place of the call, to the caller's findings."""
        found.raise_if_errors()
        for warning in found.diagnostics:
            self.cx.around.findings.add(self._with_call(warning))

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Context manager that adds the place of the call to every diagnostic of a SpecError raised inside it."""
        try:
            yield
        except SpecError as error:
            raise SpecError([self._with_call(found) for found in error.diagnostics]) from None

    def _with_call(self, found: Diagnostic) -> Diagnostic:
        """The diagnostic with a label at the call, which is added once."""
        span = self.cx.builder.span
        if span is None:
            return found
        label = Label(span, f"{CALLED} `{self.definition.name}`")
        return found if label in found.secondary else replace(found, secondary=(*found.secondary, label))
