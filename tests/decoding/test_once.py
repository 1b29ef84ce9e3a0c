"""The source is encoded once for all steps: modules are counted as they run, and so are FLOPs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.analyses.cost import cost
from archspec.checking import accepted
from archspec.decoding import Decoder
from archspec.passes.cut import cut
from archspec.spec import load

NEW = 5


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often modules of each class ran."""
    calls: Counter[str] = Counter()

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        calls[type(module).__name__] += 1

    handle = register_module_forward_hook(note)
    try:
        yield calls
    finally:
        handle.remove()


@pytest.mark.parametrize("name", ["t5-small", "transformer-base"])
def test_the_encoder_runs_once(name: str) -> None:
    spec = load(name, reduced=True)
    source = torch.randint(2, 97, (2, 6), generator=torch.Generator().manual_seed(0))
    inputs = {"src_ids": source, "src_valid": torch.ones(2, 6, dtype=torch.bool)}
    state = archspec.compile(spec).state_dict()
    found = Decoder(accepted(spec), state, cached=False)
    with counted() as calls, FlopCounterMode(display=False) as flops, sdpa_kernel(SDPBackend.MATH):
        rows = found.generate([[7], [8]], max_new=NEW, inputs=inputs)
    assert {len(row.ids) for row in rows} == {NEW}
    assert calls["Encoder"] == 1
    assert calls["Decoder"] == NEW
    assert spec.decode is not None
    parts = cut(spec.graph, spec.decode.input, spec.decode.output)
    assert parts.once is not None
    first = len(rows[0].prompt)
    sizes = [{"batch": 2, "src": 6, "tgt": first + step} for step in range(NEW)]
    expected = cost(parts.once).flops.value(sizes[0]) + sum(cost(parts.step).flops.value(size) for size in sizes)
    assert flops.get_total_flops() == expected
    with counted() as calls:
        assert Decoder(accepted(spec), state).generate([[7], [8]], max_new=NEW, inputs=inputs) == rows
    assert calls["Encoder"] == 1
