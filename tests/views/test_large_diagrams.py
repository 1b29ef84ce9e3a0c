"""Architectures with many parts are drawn in time that grows as they do, or said to be too large at once."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest

from archspec.diagnostics import SpecError
from archspec.spec import Spec, load
from archspec.views.diagram.draw import diagram, plan_of
from archspec.views.diagram.survey import LARGEST
from tests.views.drawn import read

LINEAR = "{{block: linear, input: {}, dim: 4}}"


def chain(count: int) -> list[str]:
    return [LINEAR.format(f"n{k - 1}" if k else "x") for k in range(count)]


def tree(count: int) -> list[str]:
    """Each value is read by two others, and the last ones are put together: every column crosses every other."""
    leaves = ", ".join(f"n{k}" for k in range(count // 2, count - 1))
    inner = [LINEAR.format(f"n{k // 2}") for k in range(1, count - 1)]
    return [LINEAR.format("x"), *inner, f"{{block: concat, axis: 1, inputs: [{leaves}]}}"]


def spec(folder: Path, nodes: list[str], ends: str) -> Spec:
    path = folder / "large.yaml"
    lines = "\n".join(f"  n{k}: {node}" for k, node in enumerate(nodes))
    path.write_text(
        f"archspec: 1\nname: large\ndims: {{batch: [1, 2, 4]}}\ninputs: {{x: 'float[batch, 4]'}}\ngraph:\n{lines}\n"
        f"outputs: {{n{len(nodes) - 1}: 'float[batch, {ends}]'}}\n",
        encoding="utf-8",
    )
    return load(path)


@pytest.mark.parametrize("shape", [chain, tree])
def test_what_is_not_too_large_is_drawn_in_seconds(tmp_path: Path, shape: object) -> None:
    count = 300
    nodes = shape(count)  # type: ignore[operator]
    loaded = spec(tmp_path, nodes, "4" if shape is chain else str(4 * (count - 1 - count // 2)))
    began = process_time()
    found = diagram(loaded)
    assert process_time() - began < 5
    assert len(read(found).boxes) == count


@pytest.mark.parametrize("count", [LARGEST, 2000])
def test_what_is_too_large_is_said_to_be_at_once(tmp_path: Path, count: int) -> None:
    loaded = spec(tmp_path, chain(count), "4")
    began = process_time()
    with pytest.raises(SpecError) as raised:
        diagram(loaded)
    assert process_time() - began < 5
    (found,) = raised.value.diagnostics
    # The input and the output are parts, too.
    assert (found.code, found.message) == (
        "E752",
        f"the architecture has more than {LARGEST} parts, too many for one picture",
    )


def test_parts_are_counted_as_they_are_drawn(tmp_path: Path) -> None:
    """Thousands of nodes inside equal blocks are few parts: blocks like one that was drawn are closed."""
    path = tmp_path / "blocks.yaml"
    block = (
        "{{block: encoder, input: {}, layers: 1, residual: pre, norm: layer_norm, final_norm: false, "
        "attention: {{heads: 2, mask: all}}, feed_forward: {{hidden: {}, activation: relu}}}}"
    )
    lines = "\n".join(f"  n{k}: {block.format(f'n{k - 1}' if k else 'x', 4 + k)}" for k in range(60))
    path.write_text(
        "archspec: 1\nname: blocks\ndims: {batch: [1, 2, 4], length: [1, 5, 9]}\ninputs: {x: 'float[batch, length, 4]'}"
        f"\ngraph:\n{lines}\noutputs: {{n59: 'float[batch, length, 4]'}}\n",
        encoding="utf-8",
    )
    loaded = load(path)
    assert sum(1 for _ in loaded.graph.walk()) > 2 * LARGEST
    assert len(list(plan_of(loaded).walk())) < LARGEST
    assert "<svg" in diagram(loaded)
