"""`alone`: verdicts on known padded encoders, and against rows that are run alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from archspec.checking import check
from archspec.rules.alone_run import row_witness
from archspec.rules.terms import Terms
from archspec.rules.verdict import Verdict
from archspec.spec import SpecError, load

HEAD = """archspec: 1
name: padded
dims: {batch: [1, 2, 4], time: [1, 6, 16]}
inputs:
  x: float[batch, time, 8]
  valid: {type: "bool[batch, time]", padding: PADDING}
"""


def judged(tmp_path: Path, graph: str, output: str = "float[batch, time, 8]", padding: str = "any") -> Verdict:
    """The verdict on `alone` of the output `y` of a graph."""
    return verdict(tmp_path, written(graph, output, padding))


def written(graph: str, output: str, padding: str) -> str:
    rules = "rules:\n  - alone: {output: y, input: x, valid: valid}\n"
    return f"{HEAD.replace('PADDING', padding)}graph:\n{graph}\noutputs: {{y: '{output}'}}\n{rules}"


def verdict(tmp_path: Path, text: str) -> Verdict:
    path = tmp_path / "padded.yaml"
    path.write_text(text)
    found = check(path).verdicts
    return next(one for one in found if getattr(one.rule, "kind", "") == "alone")


def encoder(mask: str, positions: str = "") -> str:
    more = f", position: {positions}" if positions else ""
    return (
        "  y: {block: encoder, input: x, layers: 1, attention: {heads: 2, mask: "
        f"{mask}{more}}}, feed_forward: {{hidden: 8}}}}"
    )
