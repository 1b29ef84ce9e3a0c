"""PyTorch source of masks: comparisons of positions, and the controls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask
from archspec.masks.source import AND, OR, PRIMARY, Control, MaskSource, joined
from archspec.masks.walk import fold, leaves


class CodeWriter(Protocol):
    """What masks request of the code generator."""

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        ...

    def assign(self, hint: str, source: str) -> str:
        """Write `name = source` and return the name."""
        ...


def emit(mask: Mask, w: CodeWriter, keys: Dim, device: str, controls: Sequence[Control]) -> str:
    """Source of the bool mask [batch or 1, 1, queries or 1, keys]; True means that the pair may attend.

    `device` is the source of the device on which positions are made. Positions are assigned to variables first.
    """
    writing = _Emission(w, keys, device, controls, list(leaves(mask)))
    text = fold(
        mask, lambda leaf: leaf.emit(writing), partial(writing.joined, " & ", AND), partial(writing.joined, " | ", OR)
    )
    # Axes are aligned at the end; the result has all four.
    missing = ", ".join(["None"] * (4 - text.rank))
    source = f"{text.beside(PRIMARY)}[{missing}]" if missing else text.source
    if any(leaf.by_key for leaf in leaves(mask)):
        return source
    # No leaf varies by key, so the key axis has size 1 and is expanded.
    return f"{source if missing else text.beside(PRIMARY)}.expand(-1, -1, -1, {w.size(keys)})"


class _Emission:
    """The source of one mask; `positions` and `distance` are variables, assigned only where a leaf uses them."""

    def __init__(
        self, writer: CodeWriter, keys: Dim, device: str, controls: Sequence[Control], found: Sequence[Leaf]
    ) -> None:
        self._writer = writer
        self._controls = controls
        measured = {leaf.measures for leaf in found}
        self.positions = self.distance = ""
        # Masks of controls alone need no positions.
        if not measured <= {"nothing"}:
            self.positions = writer.assign("positions", f"torch.arange({writer.size(keys)}, device={device})")
        if "distance" in measured:
            self.distance = writer.assign("distance", f"{self.positions}[:, None] - {self.positions}")

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        return self._writer.size(dim)

    def control(self, number: int) -> Control:
        """Source of a control operand."""
        return self._controls[number]

    def joined(self, sign: str, binding: int, terms: Sequence[MaskSource]) -> MaskSource:
        """Terms joined by an operator; comparisons bind less tightly than `&` and `|` in Python and get parentheses."""
        return joined(sign, binding, [self._named(term) for term in terms])

    def _named(self, part: MaskSource) -> MaskSource:
        """A term, assigned to a variable first if it requests one."""
        if not part.variable:
            return part
        return MaskSource(self._writer.assign(part.variable, part.source), part.rank, PRIMARY)
