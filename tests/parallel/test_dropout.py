"""Dropout on tensor ranks: what is whole is dropped alike, what is parts apart, and other seeds are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.ranks import Ranks
from tests.parallel.variants import variant

HEADS = 4


def split(texts: Emitted, count: int, *, recompute: bool = False) -> nn.Module:
    """The module in training on tensor ranks."""
    mesh = init_device_mesh("cpu", (count,), mesh_dim_names=("tensor",))
    module = whole(texts).train()
    made: nn.Module = loaded(texts.parallelize)["parallelize"](module, mesh, checkpoint_layers=recompute)
    return made


def trained(texts: Emitted, seeds: tuple[int, ...], recompute: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
    """The output in training and the gradients, whole, on one rank; without a mesh for one seed."""
    rank = torch.distributed.get_rank() if len(seeds) > 1 else 0
    module = split(texts, len(seeds), recompute=recompute) if len(seeds) > 1 else whole(texts).train()
    torch.manual_seed(seeds[rank])
    (found,) = outputs(module, texts.inputs)
    loss([found]).backward()  # type: ignore[no-untyped-call]
    return found.detach(), gradients(module)


def both(texts: Emitted) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """What is trained with layers kept, and with layers computed again."""
    return [trained(texts, (3, 3), recompute) for recompute in (False, True)]


@pytest.mark.parametrize("sequence", [False, True], ids=["whole", "parts of the length"])
def test_whole_values_are_the_same_bits_on_every_rank(sequence: bool, ranks: Ranks, tmp_path: Path) -> None:
    texts, _ = emitted(variant("plain", tmp_path), 2, sequence=sequence)
    assert texts.source.count("dropout_p=0.1") == 1
    assert texts.source.count("F.dropout") == 3
    (kept, again), (other, _) = ranks.run(2, both, texts)
    assert torch.equal(kept[0], other[0])
    assert all(torch.equal(kept[1][name], other[1][name]) for name in kept[1])
    # Layers that are computed again drop the same again.
    assert torch.equal(kept[0], again[0])
    assert all(differs(kept[1][name], again[1][name]) < 1e-12 for name in kept[1])


def dropped(texts: Emitted, count: int) -> Tensor:
    """The hidden features of a rank after dropout."""
    return given_to("states.layers.0.feed_forward.down", split(texts, count), texts)


def given_to(name: str, module: nn.Module, texts: Emitted) -> Tensor:
    """What a module is given in a forward pass."""
    seen: list[Tensor] = []
    module.get_submodule(name).register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    torch.manual_seed(3)
    outputs(module, texts.inputs)
    return seen[0]


def test_parts_are_dropped_apart(ranks: Ranks, tmp_path: Path) -> None:
    texts, _ = emitted(variant("plain", tmp_path), HEADS)
    seen = ranks.run(HEADS, dropped, texts, HEADS)
    hidden = torch.stack(seen) == 0
    assert float(hidden.double().mean()) == pytest.approx(0.1, abs=0.03)
    for number in range(HEADS):
        for other in range(number):
            # Of two ranks that drop apart, a tenth of what one drops is dropped by the other.
            shared = float((hidden[number] & hidden[other]).sum() / hidden[number].sum())
            assert shared < 0.5


def attended(texts: Emitted, count: int) -> Tensor:
    """What attention gives on a rank for values of one, which all weights of a row are summed up in."""
    module = split(texts, count)
    module.get_submodule("states.layers.0.attention.v").register_forward_hook(lambda _, x, y: torch.ones_like(y))
    return given_to("states.layers.0.attention.out", module, texts)


def test_heads_are_dropped_apart(ranks: Ranks, tmp_path: Path) -> None:
    texts, _ = emitted(variant("plain", tmp_path), HEADS)
    seen = ranks.run(HEADS, attended, texts, HEADS)
    assert all(not torch.equal(seen[number], seen[other]) for number in range(HEADS) for other in range(number))
    # The first query sees one key with a weight of 1, which is dropped or divided by 0.9.
    first = torch.stack(seen)[:, :, 0].flatten().tolist()
    assert all(one == 0 or one == pytest.approx(1 / 0.9) for one in first)


@pytest.mark.parametrize("expert_parallel", [False, True], ids=["hidden features", "whole experts"])
def test_rows_of_experts_are_dropped_apart(expert_parallel: bool, ranks: Ranks, tmp_path: Path) -> None:
    variant("plain", tmp_path)
    text = (tmp_path / "small.yaml").read_text()
    mixture = "experts: {count: 4, top_k: 2, scores: softmax, normalise: true}}"
    (tmp_path / "small.yaml").write_text(text.replace("silu, dropout: 0.1}", f"silu, dropout: 0.1, {mixture}"))
    texts, _ = emitted(load(tmp_path / "small.yaml"), 2, expert_parallel=expert_parallel)
    assert '"states.layers.*.feed_forward.experts": (1,)' in texts.parallelize
    (kept, again), (other, _) = ranks.run(2, both, texts)
    assert torch.equal(kept[0], other[0])
    assert all(torch.equal(kept[1][name], other[1][name]) for name in kept[1])
    # Layers that are computed again drop the same again.
    assert torch.equal(kept[0], again[0])
    assert all(differs(kept[1][name], again[1][name]) < 1e-12 for name in kept[1])


def test_values_that_are_whole_are_dropped_as_in_one_process(ranks: Ranks, tmp_path: Path) -> None:
    # The weights of attention are parts, of which each rank would draw for its own heads.
    text = (shipped_specs_dir() / "gpt2.yaml").read_text().replace("mask: causal, dropout: 0.1}", "mask: causal}")
    (tmp_path / "gpt2.yaml").write_text(text)
    texts, _ = emitted(load(tmp_path / "gpt2.yaml", reduced=True), 2)
    wanted, expected = trained(texts, (3,))
    found, given = ranks.run(2, trained, texts, (3, 3))[0]
    assert differs(found, wanted) < 1e-10
    assert max(differs(given[name], one) for name, one in expected.items()) < 1e-10


def refused(texts: Emitted) -> str:
    """What ranks of which each has its own seed are told."""
    with pytest.raises(ValueError, match="different random numbers") as found:
        trained(texts, (3, 4))
    return str(found.value)


def test_ranks_with_other_seeds_are_refused(ranks: Ranks, tmp_path: Path) -> None:
    texts, _ = emitted(variant("plain", tmp_path), 2)
    for message in ranks.run(2, refused, texts):
        assert message.startswith("tensor ranks draw different random numbers, but hold the same values: ")
        assert message.endswith("call torch.manual_seed with one seed on all of them")
