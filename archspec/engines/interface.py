"""What an artifact takes and gives, in the words of the language: dims with ranges, inputs with promises, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.scalar import Scalar
from archspec.ir.types import DType, TensorType
from archspec.record import record
from archspec.text.expr import size
from archspec.text.nodes import TextNode
from archspec.text.types import parse_type

Padding = Literal["any", "right", "left"]


class DimRange(BaseModel):
    """The admitted sizes of a dim: multiples of `multiple` from `min` to `max`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min: int
    typical: int
    max: int
    multiple: int = 1


class InputPort(BaseModel):
    """An input as the spec declares it; `default` fills it where the caller leaves it out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: str
    default: bool | int | float | None = None
    padding: Padding = "any"
    sorted: bool = False


@record
class Port:
    """A named tensor with its type read."""

    name: str
    type: TensorType
    default: bool | int | float | None = None
    padding: Padding = "any"
    sorted: bool = False


class Interface(BaseModel):
    """Dims, inputs and outputs of a model; types are written as in a spec: `int64[batch, src] < 37000`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dims: dict[str, DimRange]
    inputs: dict[str, InputPort]
    outputs: dict[str, str]

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The dims as symbols. Raises ValueError for a range that is none."""
        return tuple(Symbol(name, d.min, d.typical, d.max, d.multiple) for name, d in self.dims.items())

    @cached_property
    def input_ports(self) -> tuple[Port, ...]:
        """The inputs in the declared order. Raises SpecError for a type that does not parse."""
        return tuple(self._input_ports())

    @cached_property
    def output_ports(self) -> tuple[Port, ...]:
        """The outputs in the declared order. Raises SpecError for a type that does not parse."""
        return tuple(Port(name=name, type=read_type(text, self.symbols)) for name, text in self.outputs.items())

    def narrowed(self, ranges: Mapping[str, Sequence[int]]) -> Interface:
        """The same with other sizes admitted: for each dim named its least, typical and largest."""
        dims = {
            name: DimRange(min=sizes[0], typical=sizes[1], max=sizes[2], multiple=self.dims[name].multiple)
            for name, sizes in ranges.items()
        }
        return Interface(dims={**self.dims, **dims}, inputs=self.inputs, outputs=self.outputs)

    def _input_ports(self) -> Iterator[Port]:
        for name, port in self.inputs.items():
            type = read_type(port.type, self.symbols)
            yield Port(name=name, type=type, default=port.default, padding=port.padding, sorted=port.sorted)


def read_type(text: str, symbols: tuple[Symbol, ...]) -> TensorType:
    """The type that a text gives, its names being dims. Raises SpecError as `parse_type` and `size` do."""
    syntax = parse_type(TextNode.of(text, "--interface"))
    names = {symbol.name: Scalar.of(Dim.of(symbol)) for symbol in symbols}
    bound = None if syntax.bound is None else size(syntax.bound, names)
    return TensorType.of(DType(syntax.dtype), *(size(axis, names) for axis in syntax.axes), bound=bound)


def shape_at(port: Port, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a port at given sizes of the dims."""
    return tuple(dim.value(sizes) for dim in port.type.shape)
