"""Add to a diagnostic where the names in the marked text are defined, and their values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Diagnostic, Label, Span, SpecError
from archspec.spec.numbers import Numbers
from archspec.spec.values import Values
from archspec.text.path import Path

_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_LABELLED = ("E3", "E4")
_MOST = 3
CALLED = "in this call of"
"""The beginning of the label at the call of a user-defined block whose body has an error."""


def with_places(found: Diagnostic, numbers: Numbers, values: Values | None = None) -> Diagnostic:
    """The diagnostic with labels at the definitions of values, constants and dims that the marked text names.

    Only size and mask errors (E3xx, E4xx) and E219 get labels, at most three; others are returned unchanged.
    """
    if found.primary is None or not (found.code.startswith(_LABELLED) or found.code == "E219"):
        return found
    # The message already shows the sizes of a type, and names in the body of a block are not names of the file.
    if "[" in found.primary.span.text or any(label.text.startswith(CALLED) for label in found.secondary):
        return found
    known = {found.primary.span, *(label.span for label in found.secondary)}
    names = dict.fromkeys(re.findall(_NAME, found.primary.span.text))
    labels = [_label(name, found.primary.span, numbers, values) for name in names]
    new = [label for label in labels if label is not None and label.span not in known][:_MOST]
    return replace(found, secondary=(*found.secondary, *new)) if new else found


@contextmanager
def placed(numbers: Numbers, values: Values | None = None) -> Iterator[None]:
    """Context manager that adds labels to the diagnostics of a SpecError raised inside it, as `with_places` does."""
    try:
        yield
    except SpecError as error:
        raise SpecError(dict.fromkeys(with_places(one, numbers, values) for one in error.diagnostics)) from None


def _label(name: str, span: Span, numbers: Numbers, values: Values | None) -> Label | None:
    """The label at the definition of a value, constant or dim; None for any other word."""
    value = None if values is None else values.get(Path(parts=tuple(name.split(".")), span=span))
    if values is not None and value is not None:
        return values.label(value)
    # Not `Names.get`, which raises for a failed name: a label is only an addition.
    number, place = dict.get(numbers.names, name), numbers.places.get(name)
    return None if number is None or place is None else Label(place, f"`{name}` is {_shown(number)}")


def _shown(value: Scalar) -> str:
    """A number as text, or the range of a size that depends on dims."""
    dim = value.as_dim()
    if dim is not None and not dim.is_constant:
        return f"{dim.minimum()} to {dim.maximum()}"
    constant = value.constant()
    return str(value if constant is None else constant)
