"""Hugging Face's models with random weights, and what they take: the other side of every comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOKENS = 128


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A model of Hugging Face, the spec that is the same, and one input of each by the names of either."""

    name: str
    spec: str
    model: Any
    output: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]


def vit() -> Peer:
    """ViT-B/16 on one image."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(num_labels=1000, attn_implementation="sdpa")).eval()
    pixels = torch.randn(1, 3, 224, 224)
    inputs = {"pixel_values": pixels}
    return Peer(name="ViT-B/16", spec="vit-b16", model=model, output="logits", ours={"pixels": pixels}, theirs=inputs)


def bert() -> Peer:
    """BERT-base on one sequence, all of it valid."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    model = BertModel(BertConfig(attn_implementation="sdpa")).eval()
    ids = torch.randint(0, 30522, (1, TOKENS))
    valid = torch.ones(1, TOKENS, dtype=torch.bool)
    theirs = {"input_ids": ids, "attention_mask": valid.long(), "token_type_ids": torch.zeros_like(ids)}
    return Peer(
        name="BERT-base",
        spec="bert-base",
        model=model,
        output="states",
        ours={"ids": ids, "valid": valid},
        theirs=theirs,
    )


def gpt2() -> Peer:
    """GPT-2 on one sequence."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(attn_implementation="sdpa", use_cache=False)).eval()
    ids = torch.randint(0, 50257, (1, TOKENS))
    return Peer(name="GPT-2", spec="gpt2", model=model, output="logits", ours={"ids": ids}, theirs={"input_ids": ids})


PEERS = (vit, bert, gpt2)
