"""Mask expressions to masks with their control values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from archspec.algebra.dim import Dim, compare
from archspec.diagnostics import Label, Span, fail
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.masks.mask import All, Causal, KeyValid, Last, Mask, Prefix, SameSegment, Within
from archspec.text.expr import Expr, Name
from archspec.text.mask import (
    MaskAll,
    MaskAnd,
    MaskCausal,
    MaskField,
    MaskKeyValid,
    MaskLast,
    MaskOr,
    MaskPrefix,
    MaskSameSegment,
    MaskSyntax,
    MaskWithin,
)
from archspec.text.path import Path
from archspec.text.pred import PredExpr

_SMALLER = "choose a smaller window, or a mask without one"


@dataclass(kw_only=True)
class MaskReader:
    """Turns mask syntax into a mask over the position axes of queries and keys; `controls` collects what it reads.

    `value`, `predicate` and `size` read the parts; `find` gives the value of a name, None where it names none;
    `label` tells where a value is defined; `warn` hears of windows that mask nothing; `given` reads the field of the
    block around that has a name, None where there is none.
    """

    queries: TensorType
    keys: TensorType
    value: Callable[[Path], Value]
    predicate: Callable[[PredExpr], Value]
    size: Callable[[Expr, int], Dim]
    find: Callable[[Path], Value | None]
    label: Callable[[Value], Label | None]
    warn: Callable[[str, Span, str], None]
    given: Callable[[str, MaskReader], Mask | None]
    controls: list[Value] = field(default_factory=list)

    def read(self, syntax: MaskSyntax) -> Mask:
        """The mask. Raises SpecError E401 to E404 at the atom that does not fit."""
        match syntax:
            case MaskAnd():
                return self.read(syntax.left) & self.read(syntax.right)
            case MaskOr():
                return self.read(syntax.left) | self.read(syntax.right)
            case MaskAll():
                return All()
            case MaskKeyValid():
                return self._key_valid(syntax)
            case MaskPrefix():
                return self._prefix(syntax)
            case MaskField():
                return self._given(syntax)
        self._same_axes(syntax)
        match syntax:
            case MaskCausal():
                return Causal()
            case MaskLast():
                return Last(self._window(syntax.count, least=1, spare=0))
            case MaskWithin():
                return Within(self._window(syntax.distance, least=0, spare=1))
            case MaskSameSegment():
                return self._same_segment(syntax)

    def _given(self, syntax: MaskField) -> Mask:
        mask = self.given(syntax.name, self)
        if mask is None:
            fail("E123", f"unknown mask `{syntax.name}`", syntax.span)
        return mask

    @property
    def _query_axis(self) -> Dim:
        return self.queries.shape[1]

    @property
    def _key_axis(self) -> Dim:
        return self.keys.shape[1]

    def _same_axes(self, syntax: MaskCausal | MaskLast | MaskWithin | MaskSameSegment) -> None:
        if compare(self._query_axis, "==", self._key_axis) is not True:
            word = str(syntax).partition("(")[0]
            fail(
                "E403",
                f"`{word}` compares positions, and queries and keys have different axes",
                syntax.span,
                notes=[f"there are `{self._query_axis}` queries and `{self._key_axis}` keys"],
                help="use `key_valid` or `prefix`, which speak of keys alone",
            )

    def _window(self, expr: Expr, *, least: int, spare: int) -> Dim:
        """A window; `spare` is how much shorter than the axis it may be and still mask nothing."""
        size = self.size(expr, least)
        longest = self._key_axis.maximum() - spare
        if compare(size, ">=", longest) is True:
            self.warn(
                f"a window of {size} masks nothing: the axis has at most {self._key_axis.maximum()} positions",
                expr.span,
                _SMALLER,
            )
        return size

    def _key_valid(self, syntax: MaskKeyValid) -> Mask:
        value = self.predicate(syntax.pred)
        self._last_axis(value, syntax, self._key_axis)
        self._leading(value, syntax, value.type.shape[:-1])
        return KeyValid(self._control(value))

    def _same_segment(self, syntax: MaskSameSegment) -> Mask:
        value = self.value(syntax.path)
        if not value.type.dtype.is_integer:
            self._refuse("E401", f"`{syntax.path}` is {value.type}, and segments are integers", value, syntax)
        self._last_axis(value, syntax, self._key_axis)
        self._leading(value, syntax, value.type.shape[:-1])
        return SameSegment(self._control(value))

    def _prefix(self, syntax: MaskPrefix) -> Mask:
        path = _as_path(syntax.length)
        value = None if path is None else self.find(path)
        if value is None:
            if isinstance(syntax.length, Path):
                value = self.value(syntax.length)
            else:
                return Prefix(length=self._prefix_length(syntax.length))
        if not value.type.dtype.is_integer:
            self._refuse("E401", f"`{path}` is {value.type}, and a prefix is an integer", value, syntax)
        self._leading(value, syntax, value.type.shape)
        return Prefix(control=self._control(value))

    def _prefix_length(self, expr: Expr) -> Dim:
        length = self.size(expr, 0)
        if compare(length, ">", self._key_axis):
            message = f"a prefix of {length} is longer than the `{self._key_axis}` keys"
            fail("E404", message, expr.span, help="choose one that fits the shortest sequence")
        return length

    def _last_axis(self, value: Value, syntax: MaskSyntax, keys: Dim) -> None:
        if value.type.rank == 0 or compare(value.type.shape[-1], "==", keys) is not True:
            found = f"`{value.type.shape[-1]}`" if value.type.rank else "no axis"
            self._refuse("E402", f"`{syntax}` is over {found}, and there are `{keys}` keys", value, syntax)

    def _leading(self, value: Value, syntax: MaskSyntax, leading: tuple[Dim, ...]) -> None:
        wanted = self.keys.shape[:1]
        same = (compare(a, "==", b) is True or a == 1 for a, b in zip(leading, wanted, strict=False))
        if len(leading) > len(wanted) or not all(same):
            text = ", ".join(map(str, wanted))
            self._refuse("E402", f"the leading axes of `{syntax}` do not match [{text}]", value, syntax)

    def _control(self, value: Value) -> int:
        if value not in self.controls:
            self.controls.append(value)
        return self.controls.index(value)

    def _refuse(self, code: str, message: str, value: Value, syntax: MaskSyntax) -> None:
        label = self.label(value)
        fail(code, message, syntax.span, secondary=[] if label is None else [label])


def _as_path(length: Expr | Path) -> Path | None:
    if isinstance(length, Path):
        return length
    return Path(parts=(length.name,), span=length.span) if isinstance(length, Name) else None
