"""What every primitive declares: one class an op, in one file, and nothing about it anywhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.init import Init
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Role = Literal["weight", "bias", "norm", "scale", "mean", "variance", "count"]
BUFFERS = frozenset({"mean", "variance", "count"})
"""Roles of the statistics of batch norm: they are kept with the weights, and no training step fits them."""
Reads = tuple[tuple[Relation, ...], ...]
"""`reads[output][operand]`"""


@record
class ParameterSpec:
    """A parameter that an op wants: its type, its role (which picks the initialisation), and an init of its own.

    `stacked` says that axis 0 numbers maps that stand side by side, so that it is no part of their fans.
    """

    type: TensorType
    role: Role = "weight"
    init: Init | None = None
    stacked: bool = False


class Emitter(Protocol):
    """What `emit` may ask of the code generator while it writes one function body."""

    @property
    def types(self) -> Sequence[TensorType]:
        """Types of the operands of the node that is being written."""
        ...

    @property
    def training(self) -> str:
        """Source that is true in training (`self.training`)."""
        ...

    def size(self, dim: Dim) -> str:
        """Source of a size: a literal, or an expression over shapes of tensors in reach."""
        ...

    def number(self, value: Scalar) -> str:
        """Source of a number."""
        ...

    def assign(self, hint: str, source: str) -> str:
        """Write `name = source` and return the name, which is `hint` made unique."""
        ...

    def helper(self, source: str) -> str:
        """Put a module-level helper function into the file once; return its name."""
        ...


class Op(ABC):
    """An operation. Subclasses are frozen keyword-only dataclasses whose docstring is their reference page.

    `signature` names the axes, for people and for `infer` (see `archspec.ir.signature`).
    """

    name: ClassVar[str]
    signature: ClassVar[str]

    @abstractmethod
    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Types of the outputs; raises `ShapeError` when the inputs do not fit."""

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """Learned tensors by the op's own names."""
        return {}


class Primitive(Op):
    """An operation without regions: it knows its cost, what it reads, its formula and its PyTorch code.

    `view` says that the output shares the memory of operand 0; `reads_more` gives the reason where `reads` may hold
    more than the op depends on, and is empty where it is exact.
    """

    view: ClassVar[bool] = False
    reads_more: ClassVar[str] = ""

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """Twice the multiply-adds of matrix products, convolutions and attention; all else counts 0."""
        return Dim.of(0)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Which input positions each output position may depend on; what is not declared reads everything."""
        return tuple(tuple(EVERYTHING for _ in inputs) for _ in outputs)

    @abstractmethod
    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula in NumPy: float64 arrays in, float64 out; `sizes` gives the run-time dims (and `layer`)."""

    def layer(self, *inputs: TensorType) -> str | None:
        """Constructor source of the `torch.nn` module that is this op (`nn.Linear(512, 64)`), if there is one.

        It is used where the op's parameters are its own and stand under one name (`q.weight`, `q.bias`).
        """
        return None

    @property
    def calls_layer(self) -> bool:
        """Whether that module is called; where it is not it holds the parameters, which `emit` reads."""
        return True

    @abstractmethod
    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Source expressions of the outputs, from source expressions of inputs and parameters."""


class ShapeError(Exception):
    """Inputs that do not fit an op. `operands` are the numbers of the inputs that disagree."""

    def __init__(self, message: str, operands: tuple[int, ...] = (), help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operands = operands
        self.help = help
