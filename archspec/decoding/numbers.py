"""Numbers that a caller gives: a value of another type is reported before it is compared with a range."""

from __future__ import annotations

import numpy as np

from archspec.diagnostics import Collector


def is_whole(value: object) -> bool:
    """Whether a value is an integer of Python or NumPy; true and false are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def whole(name: str, value: object, found: Collector) -> bool:
    """Whether the value of an option is an integer; reports E744 otherwise."""
    if not is_whole(value):
        found.error("E744", f"`{name}` must be a whole number, got {short(value)}", None)
    return is_whole(value)


def real(name: str, value: object, found: Collector) -> bool:
    """Whether the value of an option is a number; reports E744 otherwise."""
    fits = is_whole(value) or isinstance(value, (float, np.floating))
    if not fits:
        found.error("E744", f"`{name}` must be a number, got {short(value)}", None)
    return fits


def short(thing: object) -> str:
    """The text of a value in a message, cut after 40 characters."""
    text = repr(thing)
    return text if len(text) <= 40 else f"{text[:37]}..."
