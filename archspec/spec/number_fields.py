"""Find the errors of all numbers in the fields of a block, so that they are reported together with the first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, get_args

from archspec.algebra.dim import Symbol
from archspec.diagnostics import Collector, Diagnostic
from archspec.schema.model import Model
from archspec.schema.sorts import SIZE
from archspec.spec.numbers import Numbers
from archspec.text.expr import Expr

_LAYER = Symbol("layer", 0, 0, 0)


def number_errors(body: Any, numbers: Numbers) -> tuple[Diagnostic, ...]:
    """The errors of every number and size in a model, each evaluated independently."""
    found = Collector()
    # Numbers inside layers may use `layer`; which fields are inside layers is not known here.
    inner = replace(numbers, layer=_LAYER)
    for expr, is_size in _numbers(body, False):
        with found.catching():
            if is_size:
                inner.size(expr)
            else:
                inner.number(expr)
    return found.diagnostics


def _numbers(thing: Any, is_size: bool) -> Iterator[tuple[Expr, bool]]:
    """Every expression in a model, and whether it is a size."""
    if isinstance(thing, Model):
        sizes = _sizes(type(thing))
        for name in type(thing).model_fields:
            yield from _numbers(getattr(thing, name), name in sizes)
    elif isinstance(thing, (list, tuple, dict)):
        for item in thing.values() if isinstance(thing, dict) else thing:
            yield from _numbers(item, is_size)
    elif isinstance(thing, Expr):
        yield thing, is_size


@cache
def _sizes(model: type[Model]) -> frozenset[str]:
    """The fields of a model that hold sizes."""
    fields = model.model_fields.items()
    return frozenset(name for name, field in fields if SIZE in (*field.metadata, *_marks(field.annotation)))


def _marks(annotation: Any) -> Iterator[Any]:
    """All type arguments inside an annotation, among them its metadata."""
    for inner in get_args(annotation):
        yield inner
        yield from _marks(inner)
