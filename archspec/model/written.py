"""An interface as plain data, for manifests and other processes; types are written as in a spec."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.types import DType, TensorType
from archspec.model.ports import Interface, Port
from archspec.spec.inputs import Padding
from archspec.text.expr import size
from archspec.text.nodes import TextNode
from archspec.text.types import parse_type


class _Plain(BaseModel):
    # Strict and without extra fields: an unknown field is an error and not ignored.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DimRange(_Plain):
    """The admitted sizes of a dim: multiples of `multiple` from `min` to `max`."""

    min: int
    typical: int
    max: int
    multiple: int = 1


class InputPort(_Plain):
    """An input as the spec declares it, with its type as text."""

    type: str
    default: bool | int | float | None = None
    padding: Padding = "any"
    sorted: bool = False


class WrittenInterface(_Plain):
    """Dims, inputs and outputs of a model; a type is a text such as `int64[batch, src] < 37000`."""

    dims: dict[str, DimRange]
    inputs: dict[str, InputPort]
    outputs: dict[str, str]

    def read(self) -> Interface:
        """The interface with its types read.

        Raises:
            SpecError: for a type that does not parse.
            ValueError: for a range of sizes that does not rise in multiples.
        """
        # Types are parsed after the dims, whose names they use.
        dims = {name: Symbol(name, d.min, d.typical, d.max, d.multiple) for name, d in self.dims.items()}
        symbols = tuple(dims.values())
        inputs = {name: _port(name, given, symbols) for name, given in self.inputs.items()}
        outputs = {name: Port(name=name, type=read_type(text, symbols)) for name, text in self.outputs.items()}
        return Interface(dims=dims, inputs=inputs, outputs=outputs)


def written(interface: Interface) -> WrittenInterface:
    """An interface as plain data; `read` is the inverse."""
    dims = {
        name: DimRange(min=d.min, typical=d.typical, max=d.max, multiple=d.multiple)
        for name, d in interface.dims.items()
    }
    inputs = {
        name: InputPort(type=str(port.type), default=port.default, padding=port.padding, sorted=port.sorted)
        for name, port in interface.inputs.items()
    }
    outputs = {name: str(port.type) for name, port in interface.outputs.items()}
    return WrittenInterface(dims=dims, inputs=inputs, outputs=outputs)


def read_type(text: str, symbols: tuple[Symbol, ...]) -> TensorType:
    """The type that a text denotes, whose names are dims. Raises SpecError as `parse_type` and `size` do."""
    syntax = parse_type(TextNode.of(text, "--interface"), DType.INT8)
    names = {symbol.name: Scalar.of(Dim.of(symbol)) for symbol in symbols}
    bound = None if syntax.bound is None else size(syntax.bound, names)
    return TensorType.of(DType(syntax.dtype), *(size(axis, names) for axis in syntax.axes), bound=bound)


def _port(name: str, given: InputPort, symbols: tuple[Symbol, ...]) -> Port:
    type_ = read_type(given.type, symbols)
    return Port(name=name, type=type_, default=given.default, padding=given.padding, sorted=given.sorted)
