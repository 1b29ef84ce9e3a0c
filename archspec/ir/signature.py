"""Signatures in axis names: `"b h s d, b g t d, b g t v -> b h s v"`; a leading `...` matches any number of axes.

Binding a signature to types gives each name its axis and refuses sizes that disagree, so that shape rules are
written once, as readable text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from archspec.algebra.dim import Dim, compare
from archspec.ir.op import ShapeError
from archspec.ir.types import Axis, TensorType
from archspec.record import record


@record(kw_only=False)
class AxisBinding:
    """The axes by name, and the axes that `...` matched."""

    axes: Mapping[str, Axis]
    leading: tuple[Axis, ...]

    def __getitem__(self, name: str) -> Axis:
        return self.axes[name]

    def size(self, name: str) -> Dim:
        """Size of the axis with this name."""
        return self.axes[name].size


@cache
def _parse(signature: str) -> tuple[tuple[str, ...], ...]:
    """Axis names of each operand."""
    left, _, _ = signature.partition("->")
    return tuple(tuple(one.split()) for one in left.split(",") if one.strip())


def bind(signature: str, types: Sequence[TensorType], given: Mapping[str, Axis] | None = None) -> AxisBinding:
    """Match input types against a signature; `given` binds names that attributes of the op determine.

    Raises ShapeError with the operands that disagree or have too few axes.
    """
    axes: dict[str, Axis] = dict(given or {})
    where: dict[str, int] = {}
    leading: tuple[Axis, ...] | None = None
    # Operands that the signature does not name are for the op to check.
    for number, (pattern, type_) in enumerate(zip(_parse(signature), types, strict=False)):
        names = pattern
        if names and names[0] == "...":
            names = names[1:]
            count = type_.rank - len(names)
            if count < 0:
                raise ShapeError(f"needs at least {len(names)} axes, got {type_}", (number,))
            found = type_.axes[:count]
            if leading is not None and not _same(leading, found):
                raise ShapeError(f"leading axes of {type_} do not match {_text(leading)}", (0, number))
            leading = leading or found
        elif type_.rank != len(names):
            raise ShapeError(f"needs {len(names)} axes ({' '.join(names)}), got {type_}", (number,))
        for name, axis in zip(names, type_.axes[type_.rank - len(names) :], strict=True):
            # Sizes that may differ at some admitted size are refused, not only those that always do.
            if name in axes and compare(axes[name].size, "==", axis.size) is not True:
                raise ShapeError(
                    f"axis `{name}` is {axes[name].size} in one operand and {axis.size} in another",
                    (where.get(name, number), number),
                )
            axes.setdefault(name, axis)
            where.setdefault(name, number)
    return AxisBinding(axes, leading or ())


def _same(left: Sequence[Axis], right: Sequence[Axis]) -> bool:
    """Whether two groups of axes have the same sizes; factors do not count."""
    return [a.size for a in left] == [a.size for a in right]


def _text(axes: Sequence[Axis]) -> str:
    return f"[{', '.join(map(str, axes))}]"
