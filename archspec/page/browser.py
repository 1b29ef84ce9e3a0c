"""What a worker of the browser runs: requests and answers as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from archspec.page.arrays.products import multiply_by

MOST_WEIGHTS = 4_000_000
"""Arrays in lists are slow: a violation in a larger spec is confirmed by its wiring alone, not by runs of the graph."""
_NOTE = (
    "This spec is too large to be run in a browser: that it is violated is confirmed by its wiring alone. "
    "`archspec check` runs the graph as well."
)
_LEAK = """\
archspec: 1
name: leak
dims: {batch: [1, 4, 8], length: [1, 4, 8]}
inputs: {x: "float[batch, length, 4]"}
graph: {y: {block: attention, query: x, heads: 1, mask: all}}
outputs: {y: "float[batch, length, 4]"}
rules: [{causal: {output: y, input: x}}]
"""


def start(multiply: Callable[[Any, Any, Any, int], None] | None = None) -> None:
    """Prepare the interpreter: plain arrays in the place of NumPy, and what the first answer imports.

    Args:
        multiply: computes large products, as `multiply_by` says.
    """
    if "numpy" not in sys.modules:
        sys.modules["numpy"] = import_module("archspec.page.arrays")
    if multiply is not None:
        multiply_by(multiply)
    vars(import_module("archspec.rules.wiring.replay"))["MOST_WEIGHTS"] = MOST_WEIGHTS
    import_module("archspec.page.requests")


def prepare() -> None:
    """Check a leak while nobody waits: what the first one that a person writes needs takes a second to import."""
    from archspec.page.answer import checked

    checked(_LEAK, "leak.yaml")


def ask(request: str) -> str:
    """The reply to a request, both as JSON; the request names the `file` as well."""
    from archspec.page.requests import reply

    wanted: dict[str, Any] = json.loads(request)
    found = reply(wanted, str(wanted["file"]))
    if wanted["ask"] == "answer" and found["violated"] and found["parameters"] > MOST_WEIGHTS:
        found["note"] = _NOTE
    return json.dumps(found)
