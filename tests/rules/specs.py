"""Small specs whose verdicts are known."""

from __future__ import annotations

from pathlib import Path

from archspec.checking import Report, check

HEAD = """archspec: 1
name: known
constants: {{vocab: 97, d: 32, layers: {layers}}}
dims:
  batch: [1, 2, 4]
  length: [1, 9, 512]
inputs:
  ids: int64[batch, length] < vocab
{inputs}
defaults: {{norm: layer_norm}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d, positions: sinusoidal}}
  states:
    block: transformer
    input: source
    layers: layers
    residual: {residual}
    final_norm: true
    attention: {{heads: 4, mask: {mask}}}
    feed_forward: {{hidden: 64, activation: relu}}
{more}
  logits: {{block: lm_head, input: states, tie: source.table}}
outputs:
  logits: float[batch, length, vocab]
rules:
{rules}
"""


def report(
    folder: Path,
    mask: str,
    rules: str,
    *,
    inputs: str = "",
    more: str = "",
    layers: int = 12,
    residual: str = "pre",
) -> Report:
    """Check a model of layers under one mask; `rules` are lines without their dash, `inputs` more input lines."""
    text = HEAD.format(
        mask=mask,
        rules="\n".join(f"  - {line.strip()}" for line in rules.strip().splitlines()),
        inputs="\n".join(f"  {line.strip()}" for line in inputs.strip().splitlines()),
        more=more,
        layers=layers,
        residual=residual,
    )
    path = folder / "known.yaml"
    path.write_text("".join(line for line in text.splitlines(keepends=True) if line.strip()), encoding="utf-8")
    return check(path)


def statuses(found: Report) -> list[str]:
    """The status of each written rule."""
    return [verdict.status for verdict in found.verdicts[:-1]]
