"""Logits that stay in parts of the vocabulary, and the loss on them: values and gradients are those of one process."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor.parallel import loss_parallel

from archspec.parallel import next_token_loss
from archspec.spec import load
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, whole
from tests.parallel.ranks import Ranks
from tests.parallel.test_exchanges import Measured, imagined


def split(texts: Emitted, count: int) -> nn.Module:
    mesh = init_device_mesh("cpu", (count,), mesh_dim_names=("tensor",))
    made: nn.Module = loaded(texts.parallelize)["parallelize"](whole(texts), mesh, split_outputs=True)
    return made


def parity(texts: Emitted, labels: Tensor, count: int) -> tuple[float, float]:
    """The differences of the loss and of the gradients from those of one process."""
    reference, module = whole(texts), split(texts, count)
    wanted = next_token_loss(reference(**texts.inputs), labels)
    wanted.backward()  # type: ignore[no-untyped-call]
    with loss_parallel():
        logits = module(**texts.inputs)
        assert logits.placements == (Shard(2),)
        found = next_token_loss(logits, labels)
        found.backward()
    assert isinstance(found, DTensor)
    expected, given = gradients(reference), gradients(module)
    assert expected.keys() == given.keys()
    difference = differs(found.full_tensor().detach(), wanted.detach())
    return difference, max(differs(given[name], one) for name, one in expected.items())


def test_the_loss_on_parts_of_the_vocabulary(ranks: Ranks) -> None:
    spec = load("llama-3-8b", reduced=True, set=["vocab=96"])
    texts, _ = emitted(spec, 2)
    labels = texts.inputs["ids"].clone()
    labels[0, 3:5] = -100
    for forward, backward in ranks.run(2, parity, texts, labels, 2):
        assert forward < 1e-10
        assert backward < 1e-10


def test_logits_are_not_gathered() -> None:
    spec = load("llama-3-8b", reduced=True, set=["vocab=96"])
    texts, _ = emitted(spec, 2)
    rows = texts.inputs["ids"].numel()
    with imagined(2):
        module = split(texts, 2)
        with Measured() as found, loss_parallel():
            next_token_loss(module(**texts.inputs), texts.inputs["ids"]).backward()
    assert not [key for key in found.rows if key[1] == "all-gather"]
    # The largest logit, the sum and the chosen logit of each position are exchanged in their place.
    assert max(size for _, kind, size in found.rows if kind == "all-reduce") == rows * 32


def test_results_that_every_rank_has_are_told() -> None:
    texts, _ = emitted(load("gpt2", reduced=True), 2)
    with imagined(2), pytest.raises(ValueError, match="split_outputs: every rank has all of each result"):
        split(texts, 2)
    assert torch.distributed.is_initialized() is False
