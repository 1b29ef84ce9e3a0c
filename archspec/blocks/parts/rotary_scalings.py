"""The field `scaling` of rotary positions: how frequencies change for sequences longer than those of training."""

from __future__ import annotations

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.attention_positions import ScalingFields
from archspec.blocks.parts.context import Context
from archspec.blocks.parts.numbers import fixed, positive
from archspec.diagnostics import Span, fail
from archspec.ops.position.length_scaling import DynamicScaling, FactorScaling, LongScaling
from archspec.ops.position.rotary_scaling import LinearScaling, Llama3Scaling, Scaling, YarnScaling
from archspec.text.expr import Expr

BY_LENGTH = ("dynamic", "longrope")
"""Kinds whose frequencies depend on the number of positions."""


def plan_scaling(cx: Context, fields: ScalingFields, size: int, length: Dim) -> Scaling | None:
    """The scaling of the frequencies of `size` features over `length` positions; None where it changes nothing.

    A choice that all sizes of `length` make alike does not depend on it. Raises SpecError E244 for numbers out of range
    or lists of another length, E341 for an `original` that is only known at run time.
    """
    match fields.kind:
        case "linear":
            return LinearScaling(factor=_number(cx, fields.factor, "factor"))
        case "llama3":
            return _llama3(cx, fields)
        case "yarn":
            return _yarn(cx, fields)
        case "dynamic":
            return _dynamic(cx, fields, size, length)
        case "longrope":
            return _long(cx, fields, size, length)


def _llama3(cx: Context, fields: ScalingFields) -> Scaling:
    low, high = _number(cx, fields.low, "low"), _number(cx, fields.high, "high")
    _ordered(low, high, "low", "high", None if fields.high is None else fields.high.span)
    factor, original = _number(cx, fields.factor, "factor"), _number(cx, fields.original, "original")
    return Llama3Scaling(factor=factor, low=low, high=high, original=original)


def _yarn(cx: Context, fields: ScalingFields) -> Scaling:
    slow, fast = _number(cx, fields.slow, "slow", 1.0), _number(cx, fields.fast, "fast", 32.0)
    _ordered(slow, fast, "slow", "fast", fields.at if fields.fast is None else fields.fast.span)
    factor, original = _number(cx, fields.factor, "factor"), _number(cx, fields.original, "original")
    magnitude = None if fields.magnitude is None else positive(cx, fields.magnitude, "magnitude")
    return YarnScaling(
        factor=factor, original=original, fast=fast, slow=slow, truncate=bool(fields.truncate), given=magnitude
    )


def _dynamic(cx: Context, fields: ScalingFields, size: int, length: Dim) -> Scaling | None:
    assert fields.original is not None and fields.factor is not None
    original, factor = fixed(cx, fields.original, "original"), positive(cx, fields.factor, "factor")
    if factor < 1:
        help = "write a number of at least 1"
        fail("E244", f"`factor` must be at least 1, got {factor:g}", fields.factor.span, help=help)
    if compare(length, "<=", original) is True:
        return None
    # The base grows by a power of size / (size - 2), as in transformers, which 2 features leave undefined.
    if size == 2:
        fail("E244", "`dynamic` needs more than 2 rotary features", fields.at)
    return DynamicScaling(factor=factor, original=original, length=length)


def _long(cx: Context, fields: ScalingFields, size: int, length: Dim) -> Scaling:
    assert fields.original is not None
    short, long = (_factors(cx, fields, name, size // 2) for name in ("short", "long"))
    original, given = fixed(cx, fields.original, "original"), _number(cx, fields.magnitude, "magnitude")
    if compare(length, "<=", original) is True:
        return FactorScaling(factors=short, given=given)
    if compare(length, ">", original) is True:
        return FactorScaling(factors=long, given=given)
    return LongScaling(short=short, long=long, original=original, given=given, length=length)


def _factors(cx: Context, fields: ScalingFields, name: str, count: int) -> tuple[float, ...]:
    """A list with a factor for each frequency. Raises SpecError E244 for another number of them, or one not above 0."""
    given: list[Expr] = getattr(fields, name)
    if len(given) != count:
        place = given[0].span.to(given[-1].span)
        fail("E244", f"`{name}` has {len(given)} factors, but there are {count} frequencies", place)
    return tuple(positive(cx, one, name) for one in given)


def _number(cx: Context, expr: Expr | None, name: str, default: float = 0.0) -> float:
    """A number above 0; `default` if it is not given, which only optional fields are."""
    return default if expr is None else positive(cx, expr, name)


def _ordered(low: float, high: float, lower: str, upper: str, span: Span | None) -> None:
    """Raise SpecError E244 unless `low` is below `high`."""
    if low >= high:
        fail(
            "E244",
            f"`{upper}` is {high:g}, but `{lower}` is {low:g}",
            span,
            help=f"`{upper}` must be larger than `{lower}`",
        )
