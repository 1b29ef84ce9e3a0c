"""Networks of the ops on maps, of resizes with sizes that are known at run time and of cyclic shifts."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.bundle.network import check_network
from archspec.engines.registry import engines
from tests.engines.network.judging import lowered
from tests.engines.network.test_shipped import furthest

TEXT = """
archspec: 1
name: maps
dims: {batch: [2, 2, 4], side: {min: 8, typical: 16, max: 32, multiple: 4}, width: [4, 8, 16]}
inputs:
  x: float[batch, 4, side, width]
graph:
  low: {block: resize, input: x, mode: bilinear, size: [side//2, width]}
  down: {block: conv, input: low, channels: 4, kernel: [3, 1], padding: [1, 0], stride: [2, 1]}
  rolled: {block: roll, input: down, axis: width, by: 1}
  up: {block: conv_transpose, input: rolled, channels: 4, kernel: [2, 1], stride: [2, 1]}
  smooth: {block: resize, input: up, mode: bicubic, factor: 3}
  y: {block: resize, input: smooth, mode: nearest, size: [side, width]}
outputs:
  y: float[batch, 4, side, width]
rules:
  - within: {output: y, input: x, axis: 2, mask: within(12)}
reduced: {}
"""


@pytest.mark.slow
def test_the_network_of_resizes_holds_the_contract(tmp_path: Path) -> None:
    spec = tmp_path / "maps.yaml"
    spec.write_text(TEXT)
    case = lowered(str(spec), tmp_path / "built")
    entry, made = check_network(
        engines()["tensorrt-rtx"],  # type: ignore[arg-type]
        case.onnx,
        case.program,
        case.dtype,
        case.spec,
    )
    assert {"shapes", "finite"} < {finding.claim for finding in entry.findings}
    assert all(finding.status == "holds" for finding in entry.findings)
    assert furthest(made) < 1e-5
