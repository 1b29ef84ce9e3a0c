"""The emitted modules against Hugging Face eager (sdpa) on the same weights: alternating runs, same threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from row import Row, spread

BLOCKS, RUNS, TOKENS = 3, 15, 128


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Our module and the peer, ready to run, and the largest difference of their outputs."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: float


def forward_rows() -> list[Row]:
    """For each model the median over blocks of the ratio of medians, and the peer's ratio to itself beside it."""
    import torch

    with torch.inference_mode():
        return [compare(make()) for make in (vit, bert, gpt2)]


def compare(pair: Pair) -> Row:
    """Three blocks of alternating runs: ours, theirs, theirs again."""
    ratios, selves = [], []
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(BLOCKS):
        timed(pair.ours), timed(pair.theirs)
        runs = [(timed(pair.ours), timed(pair.theirs), timed(pair.theirs)) for _ in range(RUNS)]
        a, b, c = (list(column) for column in zip(*runs, strict=True))
        ratios.append(median(a) / median(b))
        selves.append(median(b) / median(c))
        ours, theirs = ours + a, theirs + b
    return Row(
        what=f"{pair.name} forward / Hugging Face eager (sdpa)",
        value=median(ratios),
        unit="x",
        bound=1.05,
        detail=f"blocks {', '.join(f'{r:.3f}' for r in ratios)}; theirs to itself {median(selves):.3f}; "
        f"ours {spread(ours)}, theirs {spread(theirs)}; largest difference {pair.difference:.1e}",
    )


def timed(run: Callable[[], Any]) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def emitted(spec: str, peer: Any) -> Any:
    """Our module with the peer's weights."""
    import torch

    import archspec
    from archspec.weights import load

    module = archspec.compile(spec)
    tensors = {name: tensor.detach().contiguous() for name, tensor in peer.state_dict().items()}
    module.load_state_dict(load(archspec.load(spec), tensors))
    torch.manual_seed(0)
    return module.eval()


def vit() -> Pair:
    """ViT-B/16 on one image."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    peer = ViTForImageClassification(ViTConfig(num_labels=1000, attn_implementation="sdpa")).eval()
    module = emitted("vit-b16", peer)
    pixels = torch.randn(1, 3, 224, 224)
    difference = (module(pixels) - peer(pixels).logits).abs().max().item()
    return Pair(name="ViT-B/16", ours=lambda: module(pixels), theirs=lambda: peer(pixels), difference=difference)


def bert() -> Pair:
    """BERT-base on one sequence, all of it valid."""
    import torch
    from transformers import BertConfig, BertModel

    peer = BertModel(BertConfig(attn_implementation="sdpa")).eval()
    module = emitted("bert-base", peer)
    ids = torch.randint(0, 30522, (1, TOKENS))
    valid = torch.ones(1, TOKENS, dtype=torch.bool)
    found = module(ids, valid)
    states = found.states if hasattr(found, "states") else found["states"]
    difference = (states - peer(ids, attention_mask=valid.long()).last_hidden_state).abs().max().item()
    mask = valid.long()
    return Pair(
        name="BERT-base",
        ours=lambda: module(ids, valid),
        theirs=lambda: peer(ids, attention_mask=mask),
        difference=difference,
    )


def gpt2() -> Pair:
    """GPT-2 on one sequence."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    peer = GPT2LMHeadModel(GPT2Config(attn_implementation="sdpa", use_cache=False)).eval()
    module = emitted("gpt2", peer)
    ids = torch.randint(0, 50257, (1, TOKENS))
    difference = (module(ids) - peer(ids).logits).abs().max().item()
    return Pair(name="GPT-2", ours=lambda: module(ids), theirs=lambda: peer(ids), difference=difference)
