"""A primitive at one set of types and sizes: what the contract test runs on, and random values for it.

Files `cases_*.py` beside this one list the cases of the ops that they are named after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.op import ParameterSpec, Primitive
from archspec.ir.types import Axis, DType, TensorType

BATCH = Symbol("batch", 1, 2, 4)
SRC = Symbol("src", 1, 3, 6)
TGT = Symbol("tgt", 3, 4, 6)
HEIGHT = Symbol("height", 2, 4, 8, 2)
LAYER = Symbol("layer", 0, 1, 5)
SIZES = {symbol.name: symbol.typical for symbol in (BATCH, SRC, TGT, HEIGHT, LAYER)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """`loose` numbers the operands for which `reads` holds more than the op depends on at these values."""

    op: Primitive
    inputs: tuple[TensorType, ...]
    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)
    loose: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.inputs))})".replace("archspec.", "")

    @property
    def outputs(self) -> tuple[TensorType, ...]:
        """Inferred types."""
        return self.op.infer(*self.inputs)

    def shape(self, type_: TensorType) -> tuple[int, ...]:
        """The sizes of a type's axes."""
        return tuple(size.value(self.sizes) for size in type_.shape)

    def factors(self, type_: TensorType) -> tuple[int, ...]:
        """The sizes of a type's coordinates."""
        return tuple(factor.value(self.sizes) for axis in type_.axes for factor in axis.factors)

    def parameters(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random parameters."""
        specs = self.op.parameters(*self.inputs)
        return {name: self.parameter(spec, rng) for name, spec in specs.items()}

    def parameter(self, spec: ParameterSpec, rng: np.random.Generator) -> np.ndarray:
        """A random parameter: variances and scales are above zero, counts whole."""
        values = rng.normal(size=self.shape(spec.type))
        if spec.role == "count":
            return np.zeros_like(values, dtype=np.int64)
        if spec.role == "range":
            # Steps so small that a change of an operand is one of the result too.
            return 1e-2 * (0.5 + np.abs(values))
        return 0.5 + np.abs(values) if spec.role == "variance" else values

    def values(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Random operands."""
        return [self.value(type_, rng) for type_ in self.inputs]

    def value(self, type_: TensorType, rng: np.random.Generator) -> np.ndarray:
        """A random operand."""
        shape = self.shape(type_)
        if type_.dtype == DType.FLOAT:
            return rng.normal(size=shape)
        if type_.dtype == DType.BOOL:
            return rng.random(size=shape) < rng.choice([0.1, 0.5, 0.9])
        return rng.integers(0, self.bound(type_), size=shape).astype(str(type_.dtype))

    def bound(self, type_: TensorType) -> int:
        """What integers of a type stay below."""
        return 4 if type_.bound is None else type_.bound.value(self.sizes)


def floats(*sizes: Dim | Symbol | int | Axis) -> TensorType:
    """A float type."""
    return TensorType.of(DType.FLOAT, *sizes)


def integers(*sizes: Dim | Symbol | int | Axis, bound: Dim | int | None = None) -> TensorType:
    """An int64 type."""
    return TensorType.of(DType.INT64, *sizes, bound=None if bound is None else Dim.of(bound))


def short_integers(*sizes: Dim | Symbol | int | Axis, bound: Dim | int) -> TensorType:
    """An int32 type."""
    return TensorType.of(DType.INT32, *sizes, bound=Dim.of(bound))


def bools(*sizes: Dim | Symbol | int | Axis) -> TensorType:
    """A bool type."""
    return TensorType.of(DType.BOOL, *sizes)


def factored(*sizes: Dim | Symbol | int) -> Axis:
    """An axis of several factors."""
    return Axis(tuple(Dim.of(size) for size in sizes))


def all_cases() -> list[Case]:
    """The cases of every file."""
    files = sorted(Path(__file__).parent.glob("cases_*.py"))
    return [case for file in files for case in import_module(f"tests.ops.{file.stem}").CASES]


def without_case(ops: Iterable[type[Primitive]], cases: Iterable[Case]) -> Iterator[str]:
    """Names of the ops that no case is for."""
    covered = {type(case.op) for case in cases}
    return (op.name for op in ops if op not in covered)
