"""What a worker of the browser runs: requests and answers as JSON."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

MOST_WEIGHTS = 4_000_000
"""Arrays in lists are slow: of larger specs a violation is confirmed by the wiring alone, as on any host of very large
ones."""
_NOTE = "Too large to run in a browser: the violation is confirmed by the wiring, and not by a run of the graph as in `archspec check`."


def start() -> None:
    """Prepare the interpreter: plain arrays in the place of NumPy, and what the first answer imports."""
    if "numpy" not in sys.modules:
        sys.modules["numpy"] = import_module("archspec.page.arrays")
    replay = import_module("archspec.rules.wiring.replay")
    replay.MOST_WEIGHTS = MOST_WEIGHTS
    import_module("archspec.page.answer")


def ask(request: str) -> str:
    """The answer to a request, `{"text", "file", "parts", "sizes"}`, both as JSON."""
    from archspec.page.answer import answer

    wanted: dict[str, Any] = json.loads(request)
    found = answer(wanted["text"], wanted["file"], wanted["parts"], wanted["sizes"])
    if found["violated"] and found["parameters"] > MOST_WEIGHTS:
        found["note"] = _NOTE
    return json.dumps(found)
