"""Rows of inputs, on which a model is calibrated or compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec.diagnostics import SpecError, fail
from archspec.model.inputs import LABELS, prepare
from archspec.model.ports import Interface
from archspec.model.runner import Array, Arrays


def rows_of(interface: Interface, arrays: Arrays, called: str) -> Iterator[dict[str, Array]]:
    """Yield the inputs of one run for each row, since there may be more rows than the model takes at once.

    Raises SpecError E633 for inputs that have no rows in common, and those of `prepare`.
    """
    given = {name: array for name, array in arrays.items() if name != LABELS or name in interface.inputs}
    rows = {array.shape[0] if array.ndim else 0 for array in given.values()}
    if len(rows) != 1 or rows == {0}:
        fail("E633", f"{called} have no rows in common", None, help="give arrays [rows, ...]")
    for row in range(rows.pop()):
        try:
            made = prepare(interface, {name: array[row : row + 1] for name, array in given.items()}, "float32")
        except SpecError as error:
            # Each row is checked by itself, as the first one of a run.
            note = f"this is row {row} of {called}, each of which is checked by itself"
            raise SpecError([replace(one, notes=(*one.notes, note)) for one in error.diagnostics]) from None
        yield made


def labels_of(interface: Interface, arrays: Arrays) -> Array | None:
    """The right classes among arrays, if they are given: where the model has an input of their name, they are not."""
    return None if LABELS in interface.inputs else arrays.get(LABELS)
