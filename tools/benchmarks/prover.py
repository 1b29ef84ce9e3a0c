"""The prover alone, in process, on many layers of windowed attention."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from statistics import median

from row import Row, spread

RUNS = 9
LAYERS = 1000
SPEC = f"""archspec: 1
name: windowed
constants: {{vocab: 97, d: 32, layers: {LAYERS}}}
dims:
  batch: [1, 2, 4]
  length: [1, 900, 100000]
inputs:
  ids: int64[batch, length] < vocab
defaults: {{norm: layer_norm}}
graph:
  source: {{block: token_embedding, ids: ids, vocab: vocab, dim: d, positions: sinusoidal}}
  states:
    block: decoder
    input: source
    layers: layers
    residual: pre
    final_norm: true
    attention: {{heads: 4, mask: last(5)}}
    feed_forward: {{hidden: 64, activation: relu}}
  logits: {{block: lm_head, input: states, tie: source.table}}
outputs:
  logits: float[batch, length, vocab]
rules:
  - window: {{output: logits, input: ids, back: 4*layers, ahead: 0}}
"""


def prover_rows() -> list[Row]:
    """The time of all verdicts, nothing remembered from the run before."""
    from archspec.relation import closure, compose, normal, rename, union
    from archspec.rules.judge import judge
    from archspec.spec import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "windowed.yaml"
        path.write_text(SPEC, encoding="utf-8")
        spec = load(path)
    times = []
    for _ in range(RUNS):
        for function in (closure.close, normal.normal, compose.compose, union.contained, rename.renaming):
            function.cache_clear()
        gc.collect()
        started = time.perf_counter()
        verdicts = judge(spec)
        times.append(time.perf_counter() - started)
        if any(verdict.status != "proved" for verdict in verdicts):
            raise SystemExit(f"not proved: {[str(verdict.rule) for verdict in verdicts]}")
    return [
        Row(
            what=f"prover, {LAYERS:,} windowed layers, in process",
            value=median(times),
            unit="s",
            bound=0.1,
            detail=f"median of {RUNS}: {spread(times)}",
        )
    ]
