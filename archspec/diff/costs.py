"""Parameters, FLOPs, the cache of decoding and receptive fields that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec.algebra.dim import Dim
from archspec.analyses.cache import CacheSize
from archspec.analyses.cost import flops, parameter_counts
from archspec.analyses.figures import grouped, scaled
from archspec.analyses.memory import in_words
from archspec.checking.decoding_cache import cache_bytes
from archspec.checking.fields import field_text, output_fields
from archspec.diagnostics import Diagnostic
from archspec.diff.changes import Change
from archspec.diff.sizes import JointSizes, Over
from archspec.spec import Spec


def cost_changes(before: Spec, after: Spec, sizes: JointSizes) -> Iterator[Change]:
    """One change with all counts that differ; FLOPs at the typical sizes of the second spec."""
    (old, old_trains), (new, new_trains) = parameter_counts(before.graph), parameter_counts(after.graph)
    parts = []
    if old != new:
        parts.append(f"{grouped(old)} -> {grouped(new)} parameters ({new - old:+,})")
    if old - old_trains != new - new_trains:
        parts.append(f"{grouped(old_trains)} -> {grouped(new_trains)} trainable")
    computed = flops(before.graph), flops(after.graph)
    if sizes.before.of(computed[0]) != sizes.after.of(computed[1]):
        parts.append(_flops(*computed, sizes))
    if parts:
        yield Change(kind="cost", places=(), text=", ".join(parts))


def _flops(old: Dim, new: Dim, sizes: JointSizes) -> str:
    """FLOPs of both at one set of sizes, where both admit it, else each at its own."""
    read = {symbol.name for symbol in new.symbols()}
    at = ", ".join(f"{symbol.name} {symbol.typical}" for _, symbol in sizes.pairs if symbol.name in read)
    try:
        shared = old.value({one.name: other.typical for one, other in sizes.pairs})
    except (KeyError, ValueError):
        return f"{scaled(old.typical(), 'FLOP')} -> {scaled(new.typical(), 'FLOP')} at the typical sizes of each"
    return f"{scaled(shared, 'FLOP')} -> {scaled(new.typical(), 'FLOP')}{f' at {at}' if at else ''}"


def cache_changes(before: Spec, after: Spec, sizes: JointSizes) -> Iterator[Change]:
    """The bytes that decoding keeps, where both specs decode."""
    if before.decode is None or after.decode is None:
        return
    old, new = cache_bytes(before), cache_bytes(after)
    if old is None or new is None or _formulas(old, sizes.before) == _formulas(new, sizes.after):
        return
    one, other = _kept(old), _kept(new)
    yield Change(kind="cache", places=(), text=f"cache in float32: {one} -> {other}", before=one, after=other)


def _formulas(cache: CacheSize | Diagnostic, over: Over) -> object:
    return (over.of(cache.position), over.of(cache.row)) if isinstance(cache, CacheSize) else None


def _kept(cache: CacheSize | Diagnostic) -> str:
    if not isinstance(cache, CacheSize):
        return f"none ({cache.message})"
    parts = [f"{in_words(cache.position.typical())} per position and row"] if cache.position != 0 else []
    parts += [f"{in_words(cache.row.typical())} per row"] if cache.row != 0 else []
    return " and ".join(parts) or "nothing"


Pair = tuple[str, str]
"""The names of an output and of an input."""


def field_changes(before: Spec, after: Spec, pairs: Mapping[Pair, Pair]) -> Iterator[Change]:
    """Receptive fields that differ; `pairs` are those of the first spec, with the same ones of the second."""
    old = {(one.value, one.source): field_text(one, brief=True) for one in output_fields(before)}
    new = {(one.value, one.source): field_text(one, brief=True) for one in output_fields(after)}
    for pair, now in pairs.items():
        # A field that is not told is that of a sequence, and global.
        one, other = old.get(pair, "global"), new.get(now, "global")
        if one.split(" from ")[0] == other.split(" from ")[0]:
            continue
        told = f"field of `{now[1]}` at `{now[0]}`: {one} -> {other}"
        yield Change(kind="field", places=(now[0],), text=told, before=one, after=other)
