"""Values, ops and places as a reader of a review sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from archspec.diff.flat import Step
from archspec.ir.repeat import Repeat

MOST = 4
"""Of more places than this, only the first are named."""


def written(value: object) -> str:
    """A field of an op."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"({', '.join(map(written, value))})"
    if hasattr(value, "__dataclass_fields__") and type(value).__str__ is object.__str__:
        return f"{type(value).__name__}{written(tuple(getattr(value, one.name) for one in fields(value)))}"  # type: ignore[arg-type]
    return str(value)


def op_word(step: Step) -> str:
    """What a step does, in a word: `layer_norm`, `add`, `gelu`."""
    if isinstance(step.op, Repeat):
        return "layers"
    kind = getattr(step.op, "kind", None)
    return str(kind) if isinstance(kind, str) and step.op.name in _BY_KIND else step.op.name


_BY_KIND = ("binary", "activation", "unary", "logical", "with_number", "reduce", "masked_pool", "window_pool")


def listed(places: Sequence[str]) -> str:
    """Places in one text: `states.layers.*.attention.(q k v)`; the first of many, and how many more."""
    grouped = _grouped(list(dict.fromkeys(places)))
    if len(grouped) > MOST:
        return f"{', '.join(f'`{one}`' for one in grouped[: MOST - 1])} and {len(grouped) - MOST + 1} more"
    quoted = [f"`{one}`" for one in grouped]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _grouped(places: list[str]) -> list[str]:
    """Places that differ in their last part alone are written as one."""
    stems: dict[str, list[str]] = {}
    for place in places:
        stem, _, last = place.rpartition(".")
        stems.setdefault(stem, []).append(last)
    found = []
    for stem, lasts in stems.items():
        last = lasts[0] if len(lasts) == 1 else f"({' '.join(lasts)})"
        if stem:
            found.append(f"{stem}.{last}")
        else:
            found += lasts
    return found


def numbers(layers: Sequence[int]) -> str:
    """Numbers of layers, in order: `3`, `0-2`, `0,2,4` or `0,2,..,16`."""
    if len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"{layers[0]}-{layers[-1]}"
    if len(layers) > MOST:
        return f"{layers[0]},{layers[1]},..,{layers[-1]}"
    return ",".join(map(str, layers))


def shortened(before: str, after: str) -> tuple[str, str]:
    """Two paths without the parts that they share at their ends."""
    one, other = before.split("."), after.split(".")
    while len(one) > 1 and len(other) > 1 and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return ".".join(one), ".".join(other)
