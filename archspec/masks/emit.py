"""PyTorch source of masks: comparisons of positions, and the controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.masks.mask import And, Causal, Given, KeyValid, Last, Mask, Or, Prefix, SameSegment, Within
from archspec.masks.walk import leaves
from archspec.record import record

_COMPARISON, _OR, _AND, _PRIMARY = range(4)


class Writer(Protocol):
    """What is asked of the code generator."""

    def size(self, dim: Dim) -> str:
        """Source of a size."""
        ...

    def assign(self, hint: str, source: str) -> str:
        """Write `name = source` and return the name."""
        ...


@record(kw_only=False)
class Control:
    """Source of a control operand (a name), and its number of axes."""

    source: str
    rank: int


@record(kw_only=False)
class _Text:
    """Source of a part of a mask, its number of axes and how tightly its outermost operator binds."""

    source: str
    rank: int
    binding: int = _COMPARISON

    def beside(self, binding: int) -> str:
        return self.source if self.binding >= binding else f"({self.source})"


def emit(mask: Mask, w: Writer, keys: Dim, device: str, controls: Sequence[Control]) -> str:
    """Source of the bool mask [batch or 1, 1, queries or 1, keys]: True may attend.

    `device` is the source of the device on which positions are made. Positions are assigned to variables first.
    """
    found = list(leaves(mask))
    positions = distance = ""
    if not all(isinstance(leaf, KeyValid | SameSegment | Given) for leaf in found):
        positions = w.assign("positions", f"torch.arange({w.size(keys)}, device={device})")
    if any(isinstance(leaf, Last | Within) for leaf in found):
        distance = w.assign("distance", f"{positions}[:, None] - {positions}")
    text = _Emission(w, positions, distance, controls).text(mask)
    missing = ", ".join(["None"] * (4 - text.rank))
    return f"{text.beside(_PRIMARY)}[{missing}]" if missing else text.source


@record(kw_only=False)
class _Emission:
    """`positions` is the name of the key positions, `distance` that of query less key position, where one is made."""

    writer: Writer
    positions: str
    distance: str
    controls: Sequence[Control]

    def text(self, mask: Mask) -> _Text:
        match mask:
            case And(terms=terms):
                return self._joined(" & ", _AND, terms)
            case Or(terms=terms):
                return self._joined(" | ", _OR, terms)
            case Causal():
                p = self.positions
                return _Text(f"{self.distance} >= 0" if self.distance else f"{p} <= {p}[:, None]", 2)
            case Last(count=count):
                return _Text(f"({self.distance} >= 0) & ({self.distance} < {self.writer.size(count)})", 2, _AND)
            case Within(distance=distance):
                return _Text(f"{self.distance}.abs() <= {self.writer.size(distance)}", 2)
            case Prefix(length=Dim() as length):
                return _Text(f"{self.positions} < {self.writer.size(length)}", 1)
            case KeyValid(control=number) | SameSegment(control=number) | Prefix(control=int(number)):
                return self._control(mask, self.controls[number])
            case Given(control=number):
                return _Text(self.controls[number].source, 4, _PRIMARY)
            case _:
                return _Text(f"torch.ones_like({self.positions}, dtype=torch.bool)", 1, _PRIMARY)

    def _joined(self, sign: str, binding: int, terms: Sequence[Mask]) -> _Text:
        parts = [self._named(term) for term in terms]
        # A comparison binds looser than `&` and `|` in Python, so it is bracketed beside either.
        source = sign.join(part.beside(binding) for part in parts)
        return _Text(source, max(part.rank for part in parts), binding)

    def _named(self, mask: Mask) -> _Text:
        """A term; one that spreads a control over four axes is long, and gets a name."""
        found = self.text(mask)
        if not isinstance(mask, SameSegment | Prefix) or found.rank < 4:
            return found
        hint = "same_segment" if isinstance(mask, SameSegment) else "in_prefix"
        return _Text(self.writer.assign(hint, found.source), found.rank, _PRIMARY)

    def _control(self, mask: KeyValid | SameSegment | Prefix, control: Control) -> _Text:
        name, single = control.source, control.rank == (0 if isinstance(mask, Prefix) else 1)
        if isinstance(mask, KeyValid):
            return _Text(name, 1, _PRIMARY) if single else _Text(f"{name}[:, None, None, :]", 4, _PRIMARY)
        if isinstance(mask, SameSegment):
            if single:
                return _Text(f"{name}[:, None] == {name}", 2)
            return _Text(f"{name}[:, None, :, None] == {name}[:, None, None, :]", 4)
        if single:
            return _Text(f"{self.positions} < {name}", 1)
        return _Text(f"{self.positions} < {name}[:, None, None, None]", 4)
