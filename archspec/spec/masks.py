"""Resolve mask expressions into masks with their control values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from archspec.algebra.dim import Dim, compare
from archspec.diagnostics import Label, Span, fail
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.masks.coordinates import MaskSide
from archspec.masks.mask import Mask
from archspec.masks.registry import atoms
from archspec.record import record
from archspec.text.expr import Expr, at_the_ends, written
from archspec.text.mask import MaskAnd, MaskCall, MaskName, MaskOr, MaskSyntax
from archspec.text.path import Path
from archspec.text.pred import PredExpr

_SMALLER = "choose a smaller window, or a mask without one"


@record(eq=False)
class MaskReader:
    """Resolves mask syntax into a mask over the position axes of queries and keys; `controls` collects what it reads.

    `value`, `find`, `build` and `size` resolve the parts: the value of a path, the value of a name or None, the bool
    value of a predicate, a size. `label` gives where a value is defined; `warn` receives windows that mask nothing;
    `given` reads a field of the enclosing block by its name, None if there is none.
    """

    queries: TensorType
    keyed: TensorType
    value: Callable[[Path], Value]
    build: Callable[[PredExpr], Value]
    size: Callable[[Expr, int], Dim]
    find: Callable[[Path], Value | None]
    label: Callable[[Value], Label | None]
    warn: Callable[[str, Span, str], None]
    given: Callable[[str, MaskReader], Mask | None]
    controls: list[Value] = field(default_factory=list)

    def read(self, syntax: MaskSyntax) -> Mask:
        """Resolve a mask expression. Raises SpecError E401 to E404 at the atom that does not fit, E123 if unknown."""
        match syntax:
            case MaskAnd():
                return self.read(syntax.left) & self.read(syntax.right)
            case MaskOr():
                return self.read(syntax.left) | self.read(syntax.right)
            case MaskName():
                return self._given(syntax)
            case MaskCall():
                atom = atoms()[syntax.word]
                if atom.compares:
                    self._same_axes(syntax)
                return atom.read(syntax, self)

    def _given(self, syntax: MaskName) -> Mask:
        """The mask of a field of the enclosing block. Raises SpecError E123 if there is none."""
        mask = self.given(syntax.name, self)
        if mask is None:
            fail("E123", f"unknown mask `{syntax.name}`", syntax.span)
        return mask

    @property
    def keys(self) -> Dim:
        """The size of the position axis of the keys."""
        return self.keyed.shape[1]

    def _same_axes(self, syntax: MaskCall) -> None:
        """Raise SpecError E403 for an atom that compares positions of different axes."""
        queries = self.queries.shape[1]
        if compare(queries, "==", self.keys) is not True:
            words = [word for word, atom in atoms().items() if atom.argument is not None and not atom.compares]
            listed = ", ".join(f"`{word}`" for word in words[:-1])
            fail(
                "E403",
                f"`{syntax.word}` compares positions, but queries and keys have different axes",
                syntax.span,
                notes=[f"there are `{queries}` queries and `{self.keys}` keys"],
                help=f"use {listed} or `{words[-1]}`, which do not compare positions",
            )

    def window(self, expr: Expr, *, least: int, spare: int) -> Dim:
        """Evaluate the size of a window of at least `least` positions.

        Raises SpecError as `size` does, E304 if the window is smaller at the least or at the largest sizes.
        A window at most `spare` positions shorter than the longest axis masks nothing, which is reported to `warn`.
        """
        size = self.size(expr, least)
        self._is_admitted(size, expr, least)
        longest = self.keys.maximum() - spare
        if compare(size, ">=", longest) is True:
            self.warn(
                f"a window of {size} masks nothing: the axis has at most {self.keys.maximum()} positions",
                expr.span,
                _SMALLER,
            )
        return size

    def _is_admitted(self, size: Dim, expr: Expr, least: int) -> None:
        """Check a window at the ends of the dims. Raises SpecError E304 where it is smaller than `least`."""
        for at in at_the_ends(size):
            if size.value(at) < least:
                where = ", ".join(f"{name} = {end}" for name, end in at.items())
                message = f"`{written(expr)}` is {size.value(at)} at {where}, but must be at least {least}"
                fail("E304", message, expr.span, help=f"choose a value of at least {least} at all sizes")

    def predicate(self, pred: PredExpr, side: MaskSide, written: MaskCall) -> int:
        """The control number of a predicate over the positions of a side. Raises SpecError E402 for other axes."""
        return self._over(self.build(pred), side, written)

    def integers(self, value: Value, side: MaskSide | None, written: MaskCall, what: str) -> int:
        """The control number of integers over the positions of a side; with side None, over the leading axes only.

        `what` completes the message for another dtype. Raises SpecError E401 for a value that is not integer, E402 for
        other axes.
        """
        if not value.type.dtype.is_integer:
            self._refuse("E401", f"`{written.argument}` is {value.type}, but {what}", value, written)
        return self._over(value, side, written)

    def _over(self, value: Value, side: MaskSide | None, written: MaskCall) -> int:
        """The control number of a value after a check of its axes. A value that a mask reads twice is one control."""
        if side is None:
            self._leading(value, written, self.keyed, value.type.shape)
        else:
            of = self.queries if side == "query" else self.keyed
            self._last_axis(value, written, of.shape[1], "queries" if side == "query" else "keys")
            self._leading(value, written, of, value.type.shape[:-1])
        if value not in self.controls:
            self.controls.append(value)
        return self.controls.index(value)

    def _last_axis(self, value: Value, written: MaskCall, size: Dim, what: str) -> None:
        """Raise SpecError E402 unless the last axis of a control has this size for all sizes of the dims."""
        if value.type.rank == 0 or compare(value.type.shape[-1], "==", size) is not True:
            found = f"`{value.type.shape[-1]}`" if value.type.rank else "no axis"
            self._refuse("E402", f"`{written}` is over {found}, but there are `{size}` {what}", value, written)

    def _leading(self, value: Value, written: MaskCall, of: TensorType, leading: Sequence[Dim]) -> None:
        """Raise SpecError E402 unless the other axes of a control are absent, of size 1, or the batch axis."""
        wanted = of.shape[:1]
        same = (compare(a, "==", b) is True or a == 1 for a, b in zip(leading, wanted, strict=False))
        if len(leading) > len(wanted) or not all(same):
            text = ", ".join(map(str, wanted))
            self._refuse("E402", f"the leading axes of `{written}` do not match [{text}]", value, written)

    def _refuse(self, code: str, message: str, value: Value, written: MaskCall) -> None:
        label = self.label(value)
        fail(code, message, written.span, secondary=[] if label is None else [label])
