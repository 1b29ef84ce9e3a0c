"""Rules about inner values, and about an input that the rule's own predicate reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.checking import check
from archspec.rules.verdict import Verdict
from archspec.spec.rules import Rule


def statuses(folder: Path, text: str) -> list[str]:
    path = folder / "spec.yaml"
    path.write_text("archspec: 1\nname: t\ndims: {batch: [1, 2, 4], length: [4, 8, 40]}\n" + text, encoding="utf-8")
    return [verdict.status for verdict in check(path).verdicts if isinstance(verdict, Verdict) and _own(verdict)]


def _own(verdict: Verdict) -> bool:
    return isinstance(verdict.rule, Rule)


LAYERS = """
inputs: {{x: "float[batch, length, 8]"}}
defaults: {{norm: layer_norm}}
graph:
  y:
    block: transformer
    input: x
    layers: 5
    residual: pre
    final_norm: false
    attention: {{heads: 2, mask: last(3)}}
    feed_forward: none
outputs: {{y: "float[batch, length, 8]"}}
rules:
  - window: {{output: {output}, input: {input}, back: {back}, ahead: 0}}
  - {second}
"""


@pytest.mark.parametrize(
    ("output", "input", "reach"),
    [
        ("y", "x", 10),
        ("y", "y.layers.0", 8),
        ("y", "y.layers.2", 4),
        ("y", "y.layers.2.attention", 4),
        ("y.layers.3", "y.layers.0", 6),
        ("y.layers.3", "y.layers.1.attention", 4),
        ("y.layers.3.attention", "y.layers.1", 4),
        ("y.layers.3.attention", "y.layers.1.attention", 4),
    ],
)
def test_an_inner_source_reaches_as_far_as_the_layers_after_it(
    output: str, input: str, reach: int, tmp_path: Path
) -> None:
    nearer = f"window: {{output: {output}, input: {input}, back: {reach - 1}, ahead: 0}}"
    text = LAYERS.format(output=output, input=input, back=reach, second=nearer)
    assert statuses(tmp_path, text) == ["proved", "violated"]


@pytest.mark.parametrize(
    ("output", "input"),
    [("y.layers.1", "y.layers.3"), ("y.layers.1", "y"), ("y.layers.1.attention", "y.layers.1")],
)
def test_what_comes_later_is_not_read(output: str, input: str, tmp_path: Path) -> None:
    text = LAYERS.format(output=output, input=input, back=0, second=f"sees: {{output: {output}, input: {input}}}")
    assert statuses(tmp_path, text) == ["proved", "violated"]


@pytest.mark.parametrize(("output", "input"), [("y", "y.layers.4"), ("y.layers.2", "y.layers.2.attention")])
def test_within_one_step_a_value_is_read_at_its_own_position(output: str, input: str, tmp_path: Path) -> None:
    second = f"covers: {{output: {output}, input: {input}, mask: last(1)}}"
    text = LAYERS.format(output=output, input=input, back=0, second=second)
    assert statuses(tmp_path, text) == ["proved", "wired"]


MASKED = """
inputs:
  x: float[batch, length, 8]
  ids: int64[batch, length] < 9
  valid: bool[batch, length]
graph:
  y: {{block: attend, query: x, key: x, value: x, heads: 2, mask: key_valid({mask})}}
  z: {{block: attend, query: x, key: x, value: x, heads: 2, mask: key_valid(valid)}}
outputs: {{y: "float[batch, length, 8]", z: "float[batch, length, 8]"}}
rules:
  - ignores: {{output: y, input: ids, where: {where}}}
"""


@pytest.mark.parametrize(
    ("where", "mask", "wanted"),
    [
        ("ids == 0", "ids != 0", "proved"),
        ("ids == 0", "ids != 1", "proved"),
        ("ids == 0 or ids == 1", "ids != 0", "violated"),
        ("ids == 0 or ids == 1", "ids != 0 and ids != 1", "proved"),
        ("ids == 0 or ids == 1", "not (ids == 0 or ids == 1)", "proved"),
        ("ids == 0 or ids == 1", "ids > 1", "proved"),
        ("ids == 0 or ids == 1", "ids > 0", "violated"),
        ("ids < 2", "ids >= 2", "proved"),
        ("ids < 2", "ids < 4", "proved"),
        ("ids < 2", "ids >= 1", "violated"),
        ("ids < 4", "ids < 2", "violated"),
        ("ids == 0 and valid", "ids != 0", "proved"),
        ("ids == 0 and valid", "ids == 0 and valid", "proved"),
        ("ids == 0 or valid", "ids == 0 or valid", "proved"),
        ("ids == 0 or valid", "ids == 0", "violated"),
    ],
)
def test_of_a_mask_over_the_input_only_what_the_predicate_fixes_stays(
    where: str, mask: str, wanted: str, tmp_path: Path
) -> None:
    """`y` reads `ids` through the mask alone, so it ignores them where the mask's truth is fixed, and nowhere else."""
    assert statuses(tmp_path, MASKED.format(where=where, mask=mask)) == [wanted]
