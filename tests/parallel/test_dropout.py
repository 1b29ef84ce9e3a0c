"""Dropout on tensor ranks: with one seed they agree, as the plan needs; with several they do not."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.ranks import Ranks


def trained(texts: Emitted, seeds: tuple[int, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    """The output in training and the gradients, whole, on one rank; without a mesh for one seed."""
    module = whole(texts).train()
    rank = 0
    if len(seeds) > 1:
        mesh = init_device_mesh("cpu", (len(seeds),), mesh_dim_names=("tensor",))
        loaded(texts.parallelize)["parallelize"](module, mesh)
        rank = mesh.get_local_rank("tensor")
    torch.manual_seed(seeds[rank])
    (found,) = outputs(module, texts.inputs)
    loss([found]).backward()
    return found.detach(), gradients(module)


def test_ranks_with_one_seed_drop_alike(ranks: Ranks) -> None:
    texts, _ = emitted(load("gpt2", reduced=True), 2)
    assert "dropout_p" in texts.source
    (first, one), (second, other) = ranks.run(2, trained, texts, (3, 3))
    assert differs(first, second) < 1e-12
    assert max(differs(one[name], other[name]) for name in one) < 1e-12


def test_values_that_are_whole_are_dropped_as_in_one_process(ranks: Ranks, tmp_path: Path) -> None:
    # The weights of attention are parts, of which each rank would draw for its own heads.
    text = (shipped_specs_dir() / "gpt2.yaml").read_text().replace("mask: causal, dropout: 0.1}", "mask: causal}")
    (tmp_path / "gpt2.yaml").write_text(text)
    texts, _ = emitted(load(tmp_path / "gpt2.yaml", reduced=True), 2)
    wanted, expected = trained(texts, (3,))
    found, given = ranks.run(2, trained, texts, (3, 3))[0]
    assert differs(found, wanted) < 1e-10
    assert max(differs(given[name], one) for name, one in expected.items()) < 1e-10
    # With a seed each, ranks go on from different values.
    (first, _), (second, _) = ranks.run(2, trained, texts, (3, 4))
    assert differs(first, second) > 1e-3
