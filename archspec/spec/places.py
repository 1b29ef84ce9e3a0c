"""Where the names in a refused text are defined, and what they are."""

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

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_TOLD = ("E3", "E4")
_MOST = 3
CALLED = "in this call of"
"""How the label begins that shows the call of the block in whose body a finding stands."""


def with_places(found: Diagnostic, numbers: Numbers, values: Values | None = None) -> Diagnostic:
    """The finding with the places of the values, constants and dims that the marked text names."""
    if found.primary is None or not (found.code.startswith(_TOLD) or found.code == "E219"):
        return found
    # The names in a type are told by the message, those in the body of a block are not the caller's.
    if "[" in found.primary.span.text or any(label.text.startswith(CALLED) for label in found.secondary):
        return found
    known = {found.primary.span, *(label.span for label in found.secondary)}
    names = dict.fromkeys(_NAME.findall(found.primary.span.text))
    labels = [_label(name, found.primary.span, numbers, values) for name in names]
    new = [label for label in labels if label is not None and label.span not in known][:_MOST]
    return replace(found, secondary=(*found.secondary, *new)) if new else found


@contextmanager
def placed(numbers: Numbers, values: Values | None = None) -> Iterator[None]:
    """Tell what is refused inside with the places of the names in it."""
    try:
        yield
    except SpecError as error:
        raise SpecError(dict.fromkeys(with_places(one, numbers, values) for one in error.diagnostics)) from None


def _label(name: str, span: Span, numbers: Numbers, values: Values | None) -> Label | None:
    value = None if values is None else values.get(Path(parts=tuple(name.split(".")), span=span))
    if values is not None and value is not None:
        return values.label(value)
    number, place = dict.get(numbers.names, name), numbers.places.get(name)
    return None if number is None or place is None else Label(place, f"`{name}` is {_shown(number)}")


def _shown(value: Scalar) -> str:
    """A number, or the range of a dim."""
    dim = value.as_dim()
    if dim is not None and not dim.is_constant:
        return f"{dim.minimum()} to {dim.maximum()}"
    constant = value.constant()
    return str(value if constant is None else constant)
