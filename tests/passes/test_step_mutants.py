"""Caches that are wrong in the ways that caches are wrong give other results: the comparison sees each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.masks.at_positions import AtPositions
from archspec.masks.leaf import Pairs
from archspec.ops.state.row_positions import RowPositions
from archspec.ops.state.write_positions import WritePositions
from archspec.passes.hoist_masks import HoistMasks
from archspec.passes.incremental import reach
from archspec.spec import load
from tests.decoding import specs
from tests.passes.stepping import Stepping, largest

RAGGED = [(5, 1, 3), (1, 1, 1), (0, 4, 2), (2, 2, 2), (3, 0, 1)]
WRITE, POSITIONS, EVALUATE, MOST = (
    WritePositions.reference,
    RowPositions.reference,
    AtPositions.evaluate,
    reach._most,
)


def written(change: Callable[[list[Any]], None]) -> Callable[..., Any]:
    """Writing with other operands."""

    def reference(self: WritePositions, inputs: Any, parameters: Any, sizes: Any) -> Any:
        operands = list(inputs)
        change(operands)
        return WRITE(self, operands, parameters, sizes)

    return reference


def one_later(operands: list[Any]) -> None:
    operands[2] = operands[2] + 1


def all_new_ones(operands: list[Any]) -> None:
    if len(operands) == 4:
        operands[3] = np.full_like(operands[3], operands[1].shape[2])


def not_advanced(self: RowPositions, inputs: Any, parameters: Any, sizes: Any) -> Any:
    return POSITIONS(self, [np.zeros_like(inputs[0])], parameters, sizes)


def moved(change: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[..., Any]:
    """A mask at other positions of queries and keys."""

    def evaluate(self: AtPositions, at: Pairs) -> Any:
        controls = list(at.controls)
        queries, keys = change(controls[self.queries], controls[self.keys])
        controls[self.queries], controls[self.keys] = queries, keys
        return EVALUATE(self, replace(at, controls=controls))

    return evaluate


MUTANTS = {
    "write index off by one": (WritePositions, "reference", written(one_later), "causal"),
    "ring write index off by one": (WritePositions, "reference", written(one_later), "last(3)"),
    "ring takes what fills up a row": (WritePositions, "reference", written(all_new_ones), "last(3)"),
    "position not advanced": (RowPositions, "reference", not_advanced, "causal"),
    "upper-left causality": (AtPositions, "evaluate", moved(lambda q, k: (q - q[:, :1], k)), "causal"),
    "mask off by one": (AtPositions, "evaluate", moved(lambda q, k: (q - 1, k)), "last(3)"),
    "empty places seen": (AtPositions, "evaluate", moved(lambda q, k: (q, np.where(k < 0, q[:, :1], k))), "last(3)"),
    "ring one short": (reach, "_most", lambda *one: (MOST(*one) or 1) - 1, "last(3)"),
}


KEPT = {"heads": {}, "latents": {"source": "", "attention": f", {specs.LATENTS}"}}


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_cache_is_seen(mutant: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, changed, mask = MUTANTS[mutant]
    spec = specs.decoder(tmp_path, mask=mask, **KEPT[kept])
    assert largest(Stepping(spec.graph, "ids", "logits", rows=3, total=11), RAGGED) < 1e-10
    monkeypatch.setattr(owner, name, changed)
    assert largest(Stepping(spec.graph, "ids", "logits", rows=3, total=11), RAGGED) > 1e-3


@pytest.mark.parametrize("name", ["gemma-2-2b", "t5-small"])
def test_masks_of_a_step_are_made_once(name: str) -> None:
    spec = load(name, reduced=True)
    assert spec.decode is not None
    run = Stepping(spec.graph, spec.decode.input, spec.decode.output, rows=3, total=11)
    hoisted = HoistMasks().run(run.found.step).graph
    made = [node for node in hoisted.nodes if node.op.name == "make_mask"]
    assert [node.op.name for node in hoisted.walk()].count("make_mask") == len(made) == 2
    run.found = replace(run.found, step=hoisted)
    assert largest(run, RAGGED) < 1e-10
