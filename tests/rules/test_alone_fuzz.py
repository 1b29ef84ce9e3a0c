"""Random padded encoders: no row of a batch differs from the row alone where `alone` is proved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archspec.checking import check
from archspec.oracle.interpreter import interpret
from archspec.rules.wiring.values import filled
from archspec.spec import Spec

HEAD = """archspec: 1
name: padded
dims: {batch: [1, 2, 4], time: [2, 6, 16]}
inputs:
  x: float[batch, time, 4]
  valid: {type: "bool[batch, time]", padding: PADDING}
graph:
  s0: x * 1
"""
MASKS = [
    "key_valid(valid)",
    "causal",
    "all",
    "causal & key_valid(valid)",
    "within(1) & key_valid(valid)",
    "last(2)",
    "key_valid(valid) | causal",
    "key_valid(valid) & query_valid(valid)",
    "key_valid(not valid)",
]
TURN, BACK = "{block: rearrange, pattern: b t c -> b c t}", "{block: rearrange, pattern: b c t -> b t c}"
POSITIONS = ["kind: sinusoidal", "kind: learned, length: 16", "kind: learned, length: 16, count: valid"]
EVEN = {
    "ones": "{block: constant, shape: [time, time], value: 1}",
    "even": "{block: constant, shape: [batch, time, 4], value: 1}",
    "given": "{block: learned, shape: [time, 4]}",
}
"""Values that no input decides, over positions."""


def step(r: random.Random, source: str) -> str:
    """One random block over the sequence `source`."""
    into = f"{{block: rearrange, input: {source}, pattern: b t c -> b c t}}"
    kept = f"{{block: select, input: {source}, where: {r.choice(['valid', 'valid', 'not valid'])}}}"
    keys = f"key: {r.choice(['even', source])}, value: {r.choice(['even', source])}"
    weights = r.choice(["softmax", "relu_squared", "sigmoid"])
    norm = r.choice(["batch_norm", "group_norm, groups: 2"])
    conv = r.choice(["same", "causal"])
    attention = f"mask: {r.choice(MASKS)}" + r.choice(
        ["", "", ", positions: alibi", ", positions: {kind: rotary, layout: half}"]
    )
    return r.choice(
        [
            f"{{block: attention, query: {source}, heads: 2, {attention}}}",
            f"{{block: attention, query: {source}, heads: 2, {attention}}}",
            f"[{kept}, {TURN}, {{block: conv, channels: 4, kernel: {r.choice([1, 3])}, padding: {conv}}}, {BACK}]",
            f"[{into}, {{block: conv, channels: 4, kernel: 2, padding: causal}}, {BACK}]",
            f"{{block: select, input: {source}, where: valid}}",
            f"{{block: add_positions, input: {source}, {r.choice(POSITIONS)}}}",
            f"{{block: shift, input: {source}, axis: 1, by: {r.choice([1, -1])}}}",
            f"[{{block: select, input: {source}, where: valid}}, {{block: shift, axis: 1, by: {r.choice([1, -1])}}}]",
            f"{{block: matmul, left: ones, right: {source}}}",
            f"{source} + {r.choice(['even', 'given'])}",
            f"{{block: attend, query: {source}, {keys}, mask: {r.choice(MASKS)}, weights: {weights}}}",
            f"{source} / {r.choice(['time', '3'])}",
            f"{{block: linear, input: {source}, dim: 4, activation: relu}}",
            f"{{block: norm, input: {source}, kind: {r.choice(['layer_norm', 'rms_norm'])}}}",
            f"[{into}, {{block: norm, kind: {norm}, axis: 1}}, {BACK}]",
        ]
    )


def text(r: random.Random) -> str:
    """A random spec: blocks in a row, then perhaps a pool."""
    lines, last = [], "s0"
    for number in range(1, r.randint(2, 4)):
        lines.append(f"  s{number}: {step(r, last)}")
        last = f"s{number}"
        if r.random() < 0.3:
            lines.append(f"  r{number}: {last} + {r.choice(['x', 's0'])}")
            last = f"r{number}"
    pool = r.choice(
        [
            "",
            "",
            "kind: first",
            "kind: mean",
            "kind: last",
            "kind: mean, valid: valid",
            "kind: max, valid: valid",
            "kind: last, valid: valid",
        ]
    )
    lines.append(f"  y: {{block: pool, input: {last}, {pool}}}" if pool else f"  y: {last} * 1")
    graph = "\n".join(lines)
    lines = [f"  {name}: {made}" for name, made in EVEN.items() if name in graph] + lines
    outputs = "float[batch, 4]" if pool else "float[batch, time, 4]"
    # Whatever the graph does, something reads the mask.
    lines.append("  z: {block: select, input: x, where: valid}")
    tail = f"outputs: {{y: '{outputs}', z: 'float[batch, time, 4]'}}\nrules:\n"
    rule = "  - alone: {output: y, input: x, valid: valid}\n"
    return HEAD.replace("PADDING", r.choice(["any", "right", "left"])) + "\n".join(lines) + "\n" + tail + rule


def spots(padding: str, length: int) -> Iterator[tuple[int, int]]:
    """Every place of the valid positions that the promise admits."""
    for count in range(2, length + 1):
        for first in range(length - count + 1):
            if (
                padding == "any"
                or (padding == "right" and first == 0)
                or (padding == "left" and first + count == length)
            ):
                yield first, count


def farthest(spec: Spec, seed: int) -> float:
    """The largest difference of a row in a padded batch from the row alone, over all places, in float64."""
    r, far = np.random.default_rng(seed), 0.0
    parameters = {
        one.path: filled(one, one.path, seed) for node in spec.graph.walk() for one in node.parameters.values()
    }
    for length in (3, 6):
        found = list(spots(spec.inputs["valid"].padding, length))
        x, valid = r.normal(size=(len(found), length, 4)), np.zeros((len(found), length), dtype=bool)
        for row, (first, count) in enumerate(found):
            valid[row, first : first + count] = True
        padded = interpret(spec.graph, {"x": x, "valid": valid}, parameters)["y"]
        for row, (first, count) in enumerate(found):
            own = {"x": x[row : row + 1, first : first + count], "valid": np.ones((1, count), dtype=bool)}
            single = interpret(spec.graph, own, parameters)["y"][0]
            mine = padded[row, first : first + count] if single.ndim == 2 else padded[row]
            far = max(far, float(np.abs(mine - single).max()))
    return far


def tried(tmp_path: Path, seeds: range) -> dict[str, int]:
    """Judge random specs, and run the rows of each: how often each verdict was given."""
    path, counts = tmp_path / "padded.yaml", {"proved": 0, "violated": 0, "unknown": 0}
    for seed in seeds:
        path.write_text(text(random.Random(seed)))
        found = check(path)
        (one,) = (verdict for verdict in found.verdicts if getattr(verdict.rule, "kind", "") == "alone")
        counts[one.status] += 1
        if one.status == "proved":
            assert max(farthest(found.spec, seed), farthest(found.spec, seed + 1)) < 1e-10, path.read_text()
    return counts


def test_no_proof_is_broken_by_a_row(tmp_path: Path) -> None:
    counts = tried(tmp_path, range(40))
    assert counts["proved"] >= 5 and counts["violated"] >= 10


@pytest.mark.slow
def test_no_proof_is_broken_by_many_rows(tmp_path: Path) -> None:
    counts = tried(tmp_path, range(1000, 1300))
    assert counts["proved"] >= 40 and counts["unknown"] <= 60
