"""What is said of a checkpoint is what PyTorch says when it loads one."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from archspec.checking import compile
from archspec.diff import compare_meaning
from archspec.spec import load

FAMILIES = (
    ("gpt2", "gpt2-xl", "gpt-neo-125m"),
    ("llama-2-7b", "mistral-7b", "qwen2.5-0.5b"),
    ("bert-base", "roberta-base"),
    ("resnet-50", "mobilenet-v2"),
)
PAIRS = [pair for family in FAMILIES for pair in permutations(family, 2)]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[f"{one}-{other}" for one, other in PAIRS])
def test_a_state_dict_is_refused_for_the_reasons_that_are_told(before: str, after: str) -> None:
    old, new = load(before, reduced=True), load(after, reduced=True)
    found = compare_meaning(old, new).checkpoint
    with torch.device("meta"):
        held, module = compile(old, unproved=True).state_dict(), compile(new, unproved=True)
    wanted = module.state_dict()
    if found.moves:
        # Tensors under other names are moved; the other tests load those.
        return
    shapes = {name for name in held.keys() & wanted.keys() if held[name].shape != wanted[name].shape}
    assert sum(one.count for one in found.misfits) == len(shapes)
    assert sum(count for _, count in found.missing) == len(wanted.keys() - held.keys())
    assert sum(count for _, count in found.unused) == len(held.keys() - wanted.keys())
    assert found.loads == (not shapes and wanted.keys() <= held.keys())
