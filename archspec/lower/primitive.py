"""Lowering of primitives: the interface that an op's `emit` writes to, and the statements that result."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.graph import Node, Parameter, Value
from archspec.ir.op import Primitive
from archspec.ir.scope import join
from archspec.ir.storage import SCALE
from archspec.ir.types import DType, TensorType
from archspec.lower.attributes import Attribute, access
from archspec.lower.code import Assignment, ClassCode, Need, Variable, hint_of
from archspec.lower.stored import held, held_dtype, is_stored, rows_of, values_of
from archspec.lower.syntax import parse
from archspec.record import record


class Helpers:
    """Helper functions and classes that ops put at the top of the file, by name, each once."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def add(self, source: str) -> str:
        """Add the source of a function or class; returns its name.

        Raises ValueError if the source has neither, or another helper has the same name.
        """
        found = re.search(r"^(?:def|class) (\w+)", source, re.MULTILINE)
        if found is None:
            raise ValueError("a helper is a function or class")
        # Two ops may use the same helper, but not two helpers of one name: the second would replace the first.
        text = source.strip("\n") + "\n"
        if self.sources.setdefault(found[1], text) != text:
            raise ValueError(f"two helpers are called {found[1]}")
        return found[1]


class PrimitiveWriter:
    """The `Emitter` of one node: appends statements to the code of the class that contains the node."""

    training = "self.training"

    def __init__(self, code: ClassCode, types: Sequence[TensorType], helpers: Helpers) -> None:
        self.types = types
        self._code = code
        self._helpers = helpers

    def size(self, dim: Dim) -> str:
        """Source of a size: a literal, or a token that is resolved later."""
        return self._code.size(dim)

    def shared_size(self, dim: Dim, axis: int) -> str:
        """Source of a size that is read off a tensor with this size on the same axis, if there is one."""
        return self._code.size(dim, axis)

    def number(self, value: Scalar) -> str:
        """Source of a number, which may depend on sizes."""
        return value.python(self._code.size)

    def assign(self, hint: str, source: str) -> str:
        """Append `variable = source`; returns the token of the variable, whose preferred name is `hint`."""
        token = self._code.variable(Variable(hint=hint))
        self._code.statements.append(Assignment(targets=(token,), value=parse(source)))
        return token

    def helper(self, source: str) -> str:
        """Add a function or class at the top of the file; returns its name."""
        return self._helpers.add(source)


@record(kw_only=False)
class Primitives:
    """Lowers the primitives of one body, whose parameters have paths below `prefix`.

    `frozen` means that an enclosing module turns training off. `layers` collects the paths of the modules that are
    called in place of ops.
    """

    code: ClassCode
    prefix: str
    helpers: Helpers
    frozen: bool
    layers: dict[Node, str]

    def lower(self, node: Node, operands: Sequence[str]) -> list[str]:
        """Append the statements of a node.

        Args:
            node: a node whose op is a primitive.
            operands: the tokens of its inputs.

        Returns:
            the tokens of its outputs.
        """
        # Calls and repeats, the only other ops, are lowered by the body itself.
        assert isinstance(node.op, Primitive)
        types = [value.type for value in node.inputs]
        # Variables with later numbers are made by the op's own `emit`.
        before, start = len(self.code.variables), len(self.code.statements)
        layer = self.layer(node, node.op, types)
        if layer and node.op.calls_layer and not is_stored(node):
            self.layers[node] = join(self.prefix, layer)
            sources: tuple[str, ...] = (f"{access(layer)}({', '.join(operands)})",)
        else:
            sources = self.emitted(node, node.op, types, operands)
        made = list(self.code.variables)[before:]
        outputs = [self.output(node, value, source, made) for value, source in zip(node.outputs, sources, strict=True)]
        if node.op.draws:
            drawn = (one for one in self.code.statements[start:] if _reads_training(one.value))
            self.code.draws.update((one.targets[0], node) for one in drawn)
        return outputs

    def emitted(
        self, node: Node, op: Primitive, types: Sequence[TensorType], operands: Sequence[str]
    ) -> tuple[str, ...]:
        """Sources of the outputs as the op writes them."""
        writer = PrimitiveWriter(self.code, types, self.helpers)
        for local in (local for local, spec in op.parameters(*types).items() if spec.rows):
            table = self.tensor(node, local)
            if table is not None and node.parameters[local].stored is not None:
                # The rows that are looked up are few: the values of the whole table are not computed.
                rows, scales = (op.emit(writer, operands, {local: f"{table}{end}"}) for end in ("", SCALE))
                parameter = node.parameters[local]
                return tuple(rows_of(parameter, one, scale) for one, scale in zip(rows, scales, strict=True))
        return op.emit(writer, operands, {local: self.source(node, local) for local in node.parameters})

    def output(self, node: Node, value: Value, source: str, made: Sequence[str]) -> str:
        """The token of an output with this source; a variable that the op itself has made is reused for it."""
        variable = Variable(hint=hint_of(node, value), type=value.type)
        if source in made:
            hint = variable.hint or self.code.variables[source].hint
            self.code.variables[source] = replace(variable, hint=hint)
            return source
        token = self.code.variable(variable)
        self.code.statements.append(Assignment(targets=(token,), value=parse(source)))
        return token

    def layer(self, node: Node, op: Primitive, types: Sequence[TensorType]) -> str | None:
        """Declare the `torch.nn` layer that a node corresponds to; returns its path in the class.

        None if the op has no such layer, or if the node's parameters are not all its own and under one path.
        """
        if not node.parameters or node.owned != frozenset(node.parameters):
            return None
        owners = {self.owner(parameter, local) for local, parameter in node.parameters.items()}
        constructor = held(node.parameters, self.helpers.add) if is_stored(node) else op.layer(*types)
        (path,) = owners if len(owners) == 1 else ("",)
        if not path or constructor is None:
            return None
        if op.layer_class and not is_stored(node):
            self.helpers.add(op.layer_class)
        # What holds integers has buffers alone.
        if self.freezes(node) and not is_stored(node):
            constructor += ".requires_grad_(False)"
        self.code.attributes.declare(path, Attribute(made=parse(constructor), parameters=dict(node.parameters)))
        return path

    def owner(self, parameter: Parameter, local: str) -> str:
        """The path, relative to the class, of the layer that could hold a parameter as `local`; "" if none could."""
        path = relative(parameter.path, self.prefix)
        return path[: -len(local) - 1] if path.endswith(f".{local}") else ""

    def source(self, node: Node, local: str) -> str:
        """Source of the values of a parameter."""
        parameter = node.parameters[local]
        found = self.tensor(node, local)
        # What is handed in are the values.
        if found is None:
            return self.code.need(Need(what=parameter))
        return values_of(parameter, found, self.helpers.add)

    def tensor(self, node: Node, local: str) -> str | None:
        """Source of the tensor of a parameter: an attribute of this class or below it, declared if need be.

        None if the class does not hold it.
        """
        parameter = node.parameters[local]
        found = self.code.attributes.locate(parameter)
        if found or local not in node.owned:
            return found
        path = relative(parameter.path, self.prefix)
        module, _, name = path.rpartition(".")
        if module and parameter.stored is not None:
            # A dict of parameters takes no integers.
            own = {name: parameter}
            made = parse(held(own, self.helpers.add))
            self.code.attributes.declare(module, Attribute(made=made, parameters=own))
            return f"{access(module)}.{name}"
        self.code.attributes.declare(path, self.bare(node, parameter))
        if parameter.scale is not None:
            scale = relative(parameter.scale.path, self.prefix)
            self.code.attributes.declare(scale, self.bare(node, parameter.scale))
        return access(path)

    def bare(self, node: Node, parameter: Parameter) -> Attribute:
        """A parameter or buffer without a layer that holds it."""
        shape = ", ".join(str(size) for size in parameter.type.shape)
        frozen = ", requires_grad=False" if self.freezes(node) else ""
        made = parse(f"nn.Parameter(torch.empty({shape or '()'}){frozen})")
        if parameter.buffer or parameter.stored is not None:
            dtype = str(parameter.type.dtype) if parameter.stored is None else held_dtype(parameter.stored)
            written = "" if dtype == DType.FLOAT else f", dtype=torch.{dtype}"
            made = parse(f"nn.Buffer(torch.empty({shape or '()'}{written}))")
        return Attribute(made=made, parameters={"": parameter}, is_module=False)

    def freezes(self, node: Node) -> bool:
        """Whether one of a node's own parameters does not train and no enclosing module turns training off."""
        return not self.frozen and not all(node.parameters[local].trainable for local in node.owned)


def _reads_training(tree: ast.expr) -> bool:
    """Whether an expression tells training from evaluation, as one that draws does."""
    return any(isinstance(one, ast.Attribute) and one.attr == "training" for one in ast.walk(tree))


def relative(path: str, prefix: str) -> str:
    """A path relative to the module at `prefix`. Raises ValueError if it is not inside that module."""
    if prefix and not path.startswith(f"{prefix}."):
        raise ValueError(f"{path} is not inside {prefix}")
    return path[len(prefix) + 1 :] if prefix else path
