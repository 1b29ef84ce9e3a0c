"""The interface of every primitive: one class an op, in one file, and nothing about it anywhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.init import Init
from archspec.ir.motion import UNKNOWN, Everywhere, Lost, Motion, Still, lost
from archspec.ir.placement import Shard, Sharding
from archspec.ir.types import TensorType
from archspec.record import record
from archspec.relation.atoms import EVERYTHING, Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Role = Literal["weight", "bias", "norm", "scale", "mean", "variance", "count", "range"]
BUFFERS = frozenset({"mean", "variance", "count", "range"})
"""Roles of statistics, which are stored with the weights but not trained: those of batch norm, and ranges of values."""
Reads = tuple[tuple[Relation, ...], ...]
"""`reads[output][operand]`"""
Coefficients = tuple[frozenset[int], ...]
"""For each operand, the operands on which the derivative of the results with respect to it depends."""


@record(kw_only=False)
class PositionsOf:
    """The positions of the entries along one axis: of an operand, or of the first output where `operand` is None."""

    operand: int | None
    axis: int


@record(kw_only=False)
class OwnEntries:
    """The entries of an operand at the positions of the result, where it is also read at others."""

    operand: int


@record
class ParameterSpec:
    """A parameter that an op declares: its type, its role (which selects the default initialisation), and its own init.

    `stacked` says that axis 0 numbers independent maps, so that it does not count towards their fans; `chooses` that it
    decides only what is chosen, so that it has no gradient. Along each of its first `channels` axes, entries are
    coefficients of results of their own, so that each may have a scale of its own; with 0, the parameter stays as it
    is where others are stored as integers. `rows` says that the op looks up rows and computes nothing else of them.
    """

    type: TensorType
    role: Role = "weight"
    init: Init | None = None
    stacked: bool = False
    chooses: bool = False
    channels: int = 0
    rows: bool = False


class Emitter(Protocol):
    """What `emit` may request of the code generator while it writes one function body."""

    @property
    def types(self) -> Sequence[TensorType]:
        """Types of the operands of the node being written."""
        ...

    @property
    def training(self) -> str:
        """Source that is true in training (`self.training`)."""
        ...

    def size(self, dim: Dim) -> str:
        """Source of a size: a literal, or an expression over shapes of tensors in scope."""
        ...

    def shared_size(self, dim: Dim, axis: int) -> str:
        """Source of the size of an axis that other tensors share, of which a shard of the module has only a part."""
        ...

    def number(self, value: Scalar) -> str:
        """Source of a number."""
        ...

    def assign(self, hint: str, source: str) -> str:
        """Write `name = source` and return the name: `hint`, made unique."""
        ...

    def helper(self, source: str) -> str:
        """Add a module-level helper function or class to the file, once; return its name."""
        ...


class Op(ABC):
    """An operation. Subclasses are frozen keyword-only dataclasses whose docstring is their reference page.

    `signature` names the axes, for readers and for `infer` (see `archspec.ir.signature`).
    """

    name: ClassVar[str]
    signature: ClassVar[str]
    sized: ClassVar[frozenset[str]] = frozenset()
    """The fields that give the size of a result, and decide nothing of its values."""
    carried: ClassVar[int] = 0
    """How many of the first operands are only where the regions start: each run gives the next its own."""

    @property
    def stacked(self) -> Mapping[int, int]:
        """The operands of which each run of one region takes its own part, with the number of that region."""
        return {}

    def of_operands(self, kept: Sequence[int]) -> Op:
        """The op where only these operands are left."""
        return self

    @abstractmethod
    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """Types of the outputs. Raises ShapeError when the inputs do not fit."""

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """Learned tensors and buffers by the op's own names, for inputs of these types."""
        return {}


class Primitive(Op):
    """An operation without regions: it declares its cost, what it reads, its formula and its PyTorch code.

    `view` says that the output shares the memory of operand 0; `reads_more` gives the reason where `reads` may contain
    more than the op depends on, and is empty where it is exact. `anywhere` says that an entry is the same function of
    what it reads wherever it stands, so that the op runs on some positions of a sequence as on all of them. `acts` says
    how the results depend on the values of the operands that are read: `affine` in all together, or `nonlinear`, where
    the effect of each depends on every one; None where it is not known, or where `coefficients` tells.
    """

    view: ClassVar[bool] = False
    reads_more: ClassVar[str] = ""
    anywhere: ClassVar[bool] = False
    acts: ClassVar[Literal["affine", "nonlinear"] | None] = None
    unread: ClassVar[bool] = False
    """Results are computed from sizes alone: operands only give device and precision, and the reference needs none."""
    factors: ClassVar[tuple[int, ...]] = ()
    """The operands that are multiplied with the op's weights, and that engines can take as integers where these are."""
    rounds: ClassVar[bool] = False
    """Operand 0 is rounded: between two numbers of the result, a change of it that is ever so small makes one step."""
    rescales: ClassVar[bool] = False
    """An entry of the result is that of operand 0 at the same place, times a number and plus one: a norm."""

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Dim:
        """FLOPs: twice the multiply-adds of matrix products, convolutions and attention; everything else counts 0."""
        return Dim.of(0)

    def kept_inside(self, inputs: Sequence[TensorType]) -> Dim:
        """Elements of floats that the emitted code makes on its way to the results and keeps for the backward pass."""
        return Dim.of(0)

    def exported(self, inputs: Sequence[TensorType]) -> str:
        """What exported programs compute that the emitted module does not, for manifests; empty if they are equal."""
        return ""

    def indexes(self, inputs: Sequence[TensorType]) -> Mapping[int, Dim]:
        """How many rows or positions the values of an integer operand number, by the number of the operand."""
        return {}

    @property
    def choosing(self) -> tuple[int, ...]:
        """Bool operands that decide which positions of the others are read: no single value shows all of these."""
        return ()

    def inner(self) -> Mapping[str, Primitive]:
        """Values that the op computes on the way, by name: the same op with that value as one more, last output."""
        return {}

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """Which input positions each output position may depend on, as `reads[output][operand]`.

        Must contain every dependence, at all sizes; an op that does not declare it reads everything.
        """
        # The sound default: too large a relation makes a proof fail, too small a one makes it wrong.
        return tuple(tuple(EVERYTHING for _ in inputs) for _ in outputs)

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """How the outputs change when a source moves, given how the operands do.

        Must hold for every value of the operands and parameters, at all sizes; an op that does not declare it loses
        track of what moves.
        """
        # The sound default: a motion that is not known proves nothing.
        known: Motion | None = next((one for one in operands if isinstance(one, Everywhere)), None)
        known = known or next((one for one in operands if isinstance(one, Lost)), None)
        if known is None and all(isinstance(one, Still) for one in operands):
            known = Still()
        return tuple(known or lost(UNKNOWN) for _ in outputs)

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The operands of which `reads` may hold more than is read at these types, each with the reason."""
        return dict.fromkeys(range(len(inputs)), self.reads_more) if self.reads_more else {}

    def reaches(self, inputs: Sequence[TensorType]) -> Mapping[int, frozenset[int]]:
        """By operand, the coordinates along which `reads` begins and ends where what is read does, loose or not.

        The gaps between taps that a bound closes are inside its ends.
        """
        return {}

    def coefficients(self, inputs: Sequence[TensorType]) -> Coefficients | None:
        """For each operand, the operands on which the effect of a change of it depends; None where it is not known.

        The results are affine in an operand that is not in its own set, and jointly in several, none of which is in the
        set of another. What an integer or a bool changes has no derivative, so that it is in its own set.
        """
        # No default for what is unknown: an op that declares nothing is neither affine nor nonlinear.
        if self.acts is None:
            return None
        rows = self.reads(inputs, self.infer(*inputs))
        read = frozenset(k for row in rows for k, relation in enumerate(row) if relation.atoms)
        return tuple(read if k in read and self.acts == "nonlinear" else frozenset() for k in range(len(inputs)))

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """The ways in which the emitted code of the op runs on parts of its operands, one part a rank.

        Each must hold for every number of ranks that divides the outermost factor of every axis that is parted.
        """
        # The sound default: what is not known to shard is computed whole on every rank.
        return ()

    def on_rank(self, inputs: Sequence[TensorType], way: Sharding, ranks: int, rank: int) -> Primitive:
        """The op that one rank runs on its parts, in one of the ways that `shardings` declares for these operands.

        Of parts of the operands it infers parts of the results, and so differs where a field is a size of the whole.
        """
        return self

    @property
    def draws(self) -> bool:
        """Whether the emitted code draws random numbers in training."""
        return False

    def drawn(self, sharding: Sharding) -> Shard | None:
        """The parts for which random numbers are drawn, where the op runs in one way; None where all ranks draw alike.

        Values that are whole, and terms of a sum, need the same numbers on every rank. Of attention, they are those of
        the weights, which queries and keys have, whatever a rank has of the values.
        """
        return next((one for one in sharding.operands[:2] if isinstance(one, Shard)), None)

    @property
    def wraps(self) -> bool:
        """Whether what goes over one end of an axis comes back at the other one."""
        return False

    @property
    def selects(self) -> bool:
        """Whether every entry of the results is one of those that are read: a maximum, and no sum."""
        return False

    @property
    def integers(self) -> tuple[Primitive, Primitive] | None:
        """For an op that rounds: what makes integers of its operand, and what makes its result of them.

        Both take its parameters. None where the result takes more than eight bits.
        """
        return None

    def placed(self, count: int) -> Placement | None:
        """The op with positions as operands, for `count` operands; None where it is not known how it depends on them.

        An op that computes something from positions (a table of angles, a causal mask) takes them from its entries'
        indices; in a step of decoding entry 0 is another position in each row.
        """
        return Placement(op=self, operands=tuple(range(count))) if self.anywhere else None

    @abstractmethod
    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula in NumPy, computed in float64.

        Floating-point arrays are float64 in and out; `sizes` gives the run-time dims (and `layer`). The oracle for the
        emitted code.
        """

    def layer(self, *inputs: TensorType) -> str | None:
        """Constructor source of the module that equals this op (`nn.Linear(512, 64)`), or None.

        It is used where the op's parameters are its own and share one name prefix (`q.weight`, `q.bias`).
        """
        return None

    @property
    def layer_class(self) -> str:
        """Source of the class that `layer` constructs, for the top of the file; empty if it is one of `torch.nn`."""
        return ""

    @property
    def calls_layer(self) -> bool:
        """Whether that module is called; otherwise it only holds the parameters, which `emit` reads."""
        return True

    @abstractmethod
    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """Source expressions of the outputs, given source expressions of the inputs and parameters."""


@record
class Placement:
    """An op that takes positions: `op` is applied to `operands`.

    These are numbers of the original op's operands, and the positions along their axes, int64 [rows, entries] or
    [entries]; where a position is negative, nothing stands.
    """

    op: Primitive
    operands: tuple[int | PositionsOf | OwnEntries, ...]


class ShapeError(Exception):
    """Inputs that do not fit an op. `operands` are the numbers of the inputs that disagree, `help` says what to do."""

    def __init__(self, message: str, operands: tuple[int, ...] = (), help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.operands = operands
        self.help = help
