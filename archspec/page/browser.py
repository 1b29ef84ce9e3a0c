"""What a worker of the browser runs: requests and answers as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
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


def prepare(request: str) -> None:
    """Do while nobody waits what the first violation of a spec would wait for.

    That are numbers for the weights of the spec that a request asked about, and at first what a violation imports.
    """
    from archspec.page.answer import checked
    from archspec.rules.wiring.values import filled

    _leaked()
    wanted: dict[str, Any] = json.loads(request)
    report, _ = checked(str(wanted["text"]), str(wanted["file"]))
    if report is not None and report.cost.parameters <= MOST_WEIGHTS:
        for parameter in (one for node in report.spec.graph.walk() for one in node.parameters.values()):
            filled(parameter, parameter.path, 0)


@cache
def _leaked() -> None:
    """Check a leak."""
    from archspec.page.answer import check_text

    check_text(_LEAK, "leak.yaml")


def ask(request: str) -> str:
    """The reply to a request, both as JSON; the request names the `file` as well."""
    from archspec.page.requests import reply

    wanted: dict[str, Any] = json.loads(request)
    found = reply(wanted, str(wanted["file"]))
    if wanted["ask"] == "answer" and found["violated"] and found["parameters"] > MOST_WEIGHTS:
        found["note"] = _NOTE
    return json.dumps(found)
