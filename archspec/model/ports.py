"""The inputs and outputs of a model, typed: dims with ranges, inputs with promises, outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Literal, Protocol

from archspec.algebra.dim import Dim, Symbol
from archspec.algebra.substitution import substituted
from archspec.ir.types import Axis, TensorType
from archspec.record import record
from archspec.spec import InputSpec, Spec
from archspec.spec.claims import Claims
from archspec.spec.indexed import indexed
from archspec.spec.inputs import Padding

DTypeName = Literal["float32", "float16", "bfloat16"]
"""The dtype of an artifact's floats."""
DTYPES: tuple[DTypeName, ...] = ("float32", "float16", "bfloat16")
HELD: Mapping[DTypeName, str] = {"float32": "float32", "float16": "float16", "bfloat16": "float32"}
"""The dtype of arrays that hold an artifact's floats: NumPy has no bfloat16, and float32 holds its values exactly."""
Scalar = bool | int | float


class Promised(Protocol):
    """A declared input: its type, the default for a caller that leaves it out, and its promises."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> TensorType: ...
    @property
    def default(self) -> Scalar | None: ...
    @property
    def padding(self) -> Padding: ...
    @property
    def sorted(self) -> bool: ...


class Shaped(Protocol):
    """An array or a tensor."""

    @property
    def shape(self) -> Sequence[int]: ...


class Ports(Protocol):
    """Dims and inputs by name: an interface, or the claims of a spec."""

    @property
    def dims(self) -> Mapping[str, Symbol]: ...
    @property
    def inputs(self) -> Mapping[str, Promised]: ...
    @property
    def indexed(self) -> Mapping[str, Sequence[Dim]]: ...


@record
class Port:
    """A named input or output. `default` fills an input that the caller leaves out, broadcast to its shape."""

    name: str
    type: TensorType
    default: Scalar | None = None
    padding: Padding = "any"
    sorted: bool = False


@record(eq=False)
class Interface:
    """Dims, inputs and outputs of a model by name, each in the declared order.

    `indexed` says how many rows or positions integer inputs number; a manifest does not hold it.
    """

    dims: Mapping[str, Symbol]
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    indexed: Mapping[str, Sequence[Dim]] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The dims, as symbols."""
        return tuple(self.dims.values())

    @property
    def input_ports(self) -> tuple[Port, ...]:
        """The inputs, in the declared order."""
        return tuple(self.inputs.values())

    @property
    def output_ports(self) -> tuple[Port, ...]:
        """The outputs, in the declared order."""
        return tuple(self.outputs.values())

    def narrowed(self, ranges: Mapping[str, Sequence[int]]) -> Interface:
        """The same interface with other sizes admitted.

        Args:
            ranges: the least, typical and largest size of some dims. The others keep theirs.
        """
        others = {name: resized(self.dims[name], sizes) for name, sizes in ranges.items()}
        # Types refer to symbols, which carry their range: they are replaced in every type.
        symbols = {self.dims[name]: symbol for name, symbol in others.items()}
        inputs = {name: replace(port, type=_over(port.type, symbols)) for name, port in self.inputs.items()}
        outputs = {name: replace(port, type=_over(port.type, symbols)) for name, port in self.outputs.items()}
        return Interface(dims={**self.dims, **others}, inputs=inputs, outputs=outputs, indexed=self.indexed)


def interface_of(spec: Spec | Claims) -> Interface:
    """The interface of a spec, or of a model that is tested against claims."""
    inputs = {name: _port(given) for name, given in spec.inputs.items()}
    outputs = {name: Port(name=name, type=value.type) for name, value in spec.outputs.items()}
    numbered = spec.indexed if isinstance(spec, Claims) else indexed(spec.graph)
    return Interface(dims=spec.dims, inputs=inputs, outputs=outputs, indexed=numbered)


def _port(given: InputSpec) -> Port:
    return Port(name=given.name, type=given.type, default=given.default, padding=given.padding, sorted=given.sorted)


def resized(symbol: Symbol, sizes: Sequence[int]) -> Symbol:
    """A dim with another least, typical and largest size. Raises ValueError for sizes that do not rise in multiples."""
    least, typical, most = sizes
    return Symbol(symbol.name, least, typical, most, symbol.multiple)


def shape_at(port: Promised, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a port at given sizes of the dims. Raises KeyError and ValueError as `Dim.value` does."""
    return tuple(dim.value(sizes) for dim in port.type.shape)


def sizes_of(interface: Interface, arrays: Mapping[str, Shaped]) -> dict[str, int]:
    """The size of each dim: that of an axis of an array that consists of the dim alone, else the typical one.

    Args:
        interface: has the types of the arrays, which are inputs.
        arrays: some inputs by name.
    """
    found = {symbol.name: symbol.typical for symbol in interface.symbols}
    for name, array in arrays.items():
        for dim, size in zip(interface.inputs[name].type.shape, array.shape, strict=True):
            if len(dim.symbols()) == 1 and str(dim) in found:
                found[str(dim)] = int(size)
    return found


def _over(type_: TensorType, symbols: Mapping[Symbol, Symbol]) -> TensorType:
    """A type whose dims are replaced by others of the same names."""
    axes = tuple(Axis(tuple(substituted(factor, symbols) for factor in axis.factors)) for axis in type_.axes)
    # A bound may depend on dims too, as for positions below a length.
    bound = None if type_.bound is None else substituted(type_.bound, symbols)
    return TensorType(type_.dtype, axes, bound)
