"""Mixtures of experts: the emitted module against transformers and against all experts computed, in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from forward import timed
from row import Row, spread

RUNS = 9
WIDTH, HIDDEN = 512, 1792

_SPEC = """\
archspec: 1
name: mixture
dims: {{batch: [1, 1, 4], length: [1, 256, 512]}}
inputs: {{x: "float[batch, length, {width}]"}}
defaults: {{norm: rms_norm, bias: false}}
graph:
  y:
    block: encoder
    input: x
    layers: 1
    residual: bare
    attention: none
    feed_forward:
      hidden: {hidden}
      activation: silu
      gated: true
      experts: {{count: {experts}, top_k: {top_k}, scores: softmax, normalise: true}}
outputs: {{y: "float[batch, length, {width}]"}}
"""


def expert_rows() -> list[Row]:
    """Ratios of medians of alternating runs: float32, one mixture at a time."""
    import torch

    with torch.inference_mode():
        return [row for rows in (_mixtral(256), _many(256), _many(1)) for row in rows]


def _mixtral(tokens: int) -> Iterator[Row]:
    """2 of 8 experts, beside transformers' own block with the same weights."""
    import torch
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    config = MixtralConfig(
        hidden_size=WIDTH, intermediate_size=HIDDEN, num_local_experts=8, num_experts_per_tok=2, num_hidden_layers=1
    )
    # Without a model around it, the block is told which of its products to use: transformers' own default.
    config._experts_implementation = "grouped_mm"
    peer = MixtralSparseMoeBlock(config).eval()
    layer = _layer(8, 2)
    for parameter, other in ((layer.router.weight, peer.gate.weight), (layer.experts.down, peer.experts.down_proj)):
        other.copy_(parameter)
    peer.experts.gate_up_proj.copy_(torch.cat([layer.experts.gate, layer.experts.up], dim=1))
    x = torch.randn(1, tokens, WIDTH, generator=torch.Generator().manual_seed(0))
    runs = {"ours": lambda: layer(x), "transformers": lambda: peer(x), "all experts": lambda: _dense(layer, x, 2)}
    yield from _ratios(f"2 of 8 experts, d {WIDTH}, {tokens} tokens", runs, {"transformers": 1.1, "all experts": 0.5})


def _many(tokens: int) -> Iterator[Row]:
    """8 of 64 experts, beside all 64 of them."""
    import torch

    layer = _layer(64, 8)
    x = torch.randn(1, tokens, WIDTH, generator=torch.Generator().manual_seed(0))
    runs = {"ours": lambda: layer(x), "all experts": lambda: _dense(layer, x, 8)}
    bound = 0.3 if tokens == 1 else 0.35
    yield from _ratios(f"8 of 64 experts, d {WIDTH}, {tokens} tokens", runs, {"all experts": bound})


def _layer(experts: int, top_k: int) -> Any:
    """The emitted mixture, with weights drawn by a seed."""
    import torch

    import archspec

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mixture.yaml"
        path.write_text(_SPEC.format(width=WIDTH, hidden=HIDDEN, experts=experts, top_k=top_k), encoding="utf-8")
        module = archspec.compile(path)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        parameter.normal_(std=0.05, generator=generator)
    return module.eval().y.layers[0].feed_forward


def _dense(layer: Any, x: Any, top_k: int) -> Any:
    """All experts of every token, batched, and weighted by zero where they are not chosen."""
    import torch
    import torch.nn.functional as F

    maps = layer.experts
    logits = layer.router(x).flatten(0, -2)
    best = logits.topk(top_k, dim=-1)
    weights = torch.zeros_like(logits).scatter(-1, best.indices, best.values.softmax(-1))
    tokens = x.flatten(0, -2)
    h = F.silu(tokens @ maps.gate.mT) * (tokens @ maps.up.mT)
    return (h @ maps.down.mT * weights.mT[..., None]).sum(0).view_as(x)


def _ratios(what: str, runs: dict[str, Callable[[], Any]], bounds: dict[str, float]) -> Iterator[Row]:
    """A row for each bound: the median time of ours over that of the other, all run in turn."""
    outputs = {name: run() for name, run in runs.items()}
    rounds = [{name: timed(run) for name, run in runs.items()} for _ in range(RUNS)]
    times = {name: [one[name] for one in rounds] for name in runs}
    for other, bound in bounds.items():
        difference = (outputs["ours"] - outputs[other]).abs().max().item()
        yield Row(
            what=f"{what} / {other}",
            value=median(times["ours"]) / median(times[other]),
            unit="x",
            bound=bound,
            detail=f"median of {RUNS}, alternating; ours {spread(times['ours'])}, {other} {spread(times[other])}; "
            f"largest difference {difference:.1e}",
        )
