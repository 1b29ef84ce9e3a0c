"""A file of many nodes, each of which reads the one before."""

from __future__ import annotations

from pathlib import Path


def chain_file(folder: Path, count: int) -> Path:
    """Write a spec of so many linear maps of [batch, 4], one after the other."""
    nodes = "\n".join(f"  n{k}: {{block: linear, input: {f'n{k - 1}' if k else 'x'}, dim: 4}}" for k in range(count))
    path = folder / "deep.yaml"
    path.write_text(
        f"archspec: 1\nname: deep\ndims: {{batch: [1, 2, 4]}}\ninputs: {{x: 'float[batch, 4]'}}\ngraph:\n{nodes}\n"
        f"outputs: {{n{count - 1}: 'float[batch, 4]'}}\n",
        encoding="utf-8",
    )
    return path
