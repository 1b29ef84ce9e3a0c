"""`none` for a number has one answer, wherever the number stands; the fields that name it take it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.diagnostics import SpecError
from archspec.spec import load

TEXT = """\
archspec: 1
name: none
constants: {size: 16}
dims: {batch: {min: 1, typical: 2, max: 8, multiple: 1}, n: [1, 4, 8]}
inputs: {x: "float[batch, n, 16]"}
defaults: {norm: layer_norm, dropout: 0}
graph:
  s:
    block: encoder
    input: x
    layers: 2
    residual: {kind: pre, drop_path: 0}
    final_norm: true
    attention: {heads: 2, kv_heads: 1, mask: all, dropout: 0, scale: 1, softcap: none}
    feed_forward: {hidden: 8, activation: relu, dropout: 0}
  p: {block: slice, input: s, axis: 1, start: 0, stop: none}
  y: {block: linear, input: p, dim: 16, repeat: 2}
outputs: {y: "float[batch, n, 16]"}
"""
NUMBERS = (
    "size: 16",
    "typical: 2",
    "multiple: 1",
    "kind: pre, drop_path: 0",
    "layer_norm, dropout: 0",
    "layers: 2",
    "heads: 2",
    "kv_heads: 1",
    "all, dropout: 0",
    "scale: 1",
    "hidden: 8",
    "relu, dropout: 0",
    "start: 0",
    "dim: 16",
    "repeat: 2",
)


def refusals(text: str, folder: Path) -> list[tuple[str, str, str]]:
    path = folder / "none.yaml"
    path.write_text(text)
    try:
        load(path)
    except SpecError as error:
        return [(found.code, found.message, found.primary.span.text) for found in error.diagnostics if found.primary]
    return []


def test_the_fields_that_name_none_take_it(tmp_path: Path) -> None:
    assert refusals(TEXT, tmp_path) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_none_for_a_number_has_one_answer(number: str, tmp_path: Path) -> None:
    field = number.rpartition(": ")[0]
    assert TEXT.count(number) == 1
    found = refusals(TEXT.replace(number, f"{field}: none"), tmp_path)
    assert found == [("E204", "expected a number, found `none`", "none")]
