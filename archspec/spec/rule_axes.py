"""Choose the axes of a value that a rule is about if the rule does not name one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archspec.algebra.dim import Dim, Symbol, compare
from archspec.ir.graph import Value
from archspec.ir.types import DType, TensorType
from archspec.record import record


def leading_dims(inputs: Iterable[TensorType]) -> frozenset[Symbol]:
    """The dims of the first axes of inputs (batch dims), except those that also occur at another axis of an input."""
    types = tuple(inputs)
    first = {symbol for type_ in types for size in type_.shape[:1] for symbol in size.symbols()}
    inner = {symbol for type_ in types for size in type_.shape[1:] for symbol in size.symbols()}
    return frozenset(first - inner)


@record
class RulePositions:
    """Distinguishes axes of positions from batch rows and from features.

    `leading` are the batch dims; `sequences` are the values of sequence blocks, whose axes are batch, positions,
    features.
    """

    leading: frozenset[Symbol]
    sequences: frozenset[Value] = frozenset()

    def axis(self, value: Value) -> int | None:
        """The axis whose positions are compared if a rule names none; None if it is ambiguous.

        It is the only axis with a dim that is not leading; otherwise axis 1 of a value of rank 2 or of a value from a
        sequence block. Channels are never taken for positions.
        """
        found = [number for number, size in enumerate(value.type.shape) if size.symbols() - self.leading]
        if len(found) == 1:
            return found[0]
        return 1 if value.type.rank == 2 or value in self.sequences else None

    def axes(self, value: Value) -> tuple[int, ...]:
        """All axes of positions: neither the leading axes nor the features of a sequence."""
        shape = value.type.shape
        kept = [k for k in range(1, len(shape)) if not shape[k].symbols() or shape[k].symbols() - self.leading]
        return tuple(kept[:-1] if kept and kept[-1] == len(shape) - 1 and self._has_features(value) else kept)

    def _has_features(self, value: Value) -> bool:
        """Whether the last axis of a value holds features: of a sequence, or of one vector per row."""
        type_ = value.type
        if type_.dtype is not DType.FLOAT or type_.shape[-1].symbols():
            return False
        return type_.rank == 2 or (type_.rank == 3 and self.axis(value) == 1)


def spread(part: Sequence[Dim], whole: Sequence[Dim]) -> tuple[int, ...] | None:
    """Match the axes of a predicate or of segments, `part`, to axes of a value, `whole`; None if they do not fit.

    The first axes are taken if they fit, otherwise for each axis the next one of equal size. After the first matched
    axis a fixed size is not matched: it could equal the number of channels by chance.
    """
    if len(part) <= len(whole) and all(map(_same, part, whole)):
        return tuple(range(len(part)))
    found: list[int] = []
    for size in part:
        if found and not size.symbols():
            return None
        start = found[-1] + 1 if found else 0
        place = next((k for k in range(start, len(whole)) if _same(size, whole[k])), None)
        if place is None:
            return None
        found.append(place)
    return tuple(found)


def _same(left: Dim, right: Dim) -> bool:
    return compare(left, "==", right) is True
