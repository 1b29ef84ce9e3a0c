"""The section `dims`: sizes that are only known at run time, with their ranges."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.algebra.dim import Symbol
from archspec.diagnostics import Collector, Label, fail
from archspec.spec.document import DimFields
from archspec.spec.numbers import Names, Numbers


def evaluate_dims(fields: Mapping[str, DimFields], constants: Names, errors: Collector) -> dict[str, Symbol]:
    """The symbol of each dim, without those that have an error; every independent error is collected.

    E212 for a range that is not 1 <= min <= typical <= max, or not made of multiples of `multiple`.
    """
    numbers = Numbers(names=constants)
    symbols: dict[str, Symbol] = {}
    for name, range_ in fields.items():
        with errors.catching():
            symbols[name] = _symbol(name, range_, numbers)
    return symbols


def _symbol(name: str, fields: DimFields, numbers: Numbers) -> Symbol:
    """The symbol of a dim. Raises SpecError E212 for a range that is not in order."""
    ends = {"min": fields.min, "typical": fields.typical, "max": fields.max}
    sizes = {word: numbers.integer(expr) for word, expr in ends.items()}
    multiple = 1 if fields.multiple is None else numbers.integer(fields.multiple)
    if fields.multiple is not None and multiple < 1:
        fail("E212", f"`multiple` must be at least 1, got {multiple}", fields.multiple.span, help="write 1 or more")
    if sizes["min"] < 1:
        message = f"the smallest `{name}` must be at least 1, got {sizes['min']}"
        fail("E212", message, fields.min.span, help="write 1 or more")
    for low, high in (("min", "typical"), ("typical", "max")):
        if sizes[low] > sizes[high]:
            fail(
                "E212",
                f"{low} of `{name}` is larger than {high}",
                ends[low].span,
                f"this is {sizes[low]}",
                secondary=[Label(ends[high].span, f"this is {sizes[high]}")],
                help="write [min, typical, max]",
            )
    for word, expr in ends.items():
        if fields.multiple is not None and sizes[word] % multiple:
            message = f"{word} of `{name}` is not a multiple of {multiple}"
            label = f"this is {sizes[word]}"
            # The help offers the nearest multiples on both sides.
            below = sizes[word] // multiple * multiple
            near = [str(size) for size in (below, below + multiple) if size > 0]
            places = [Label(fields.multiple.span, "the multiple")]
            fail("E212", message, expr.span, label, secondary=places, help=f"write {' or '.join(near)}")
    return Symbol(name, sizes["min"], sizes["typical"], sizes["max"], multiple)
