"""What a training step asks of compiled modules: gradients, modes, compilation, states, mixed precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import archspec
from archspec.spec import Spec, load

SPECS = ("gpt2", "t5-small", "transformer-base", "vit-b16", "mixtral-8x7b", "bert-base", "resnet-50", "convnext-tiny")


def batch(spec: Spec, sizes: dict[str, int] | None = None) -> dict[str, Tensor]:
    """Inputs drawn by a seed at small sizes, padded at the right where they say what is valid."""
    generator = torch.Generator().manual_seed(0)
    given = {name: 4 if number == 0 else 5 + number for number, name in enumerate(spec.dims)} | (sizes or {})
    found = {}
    for name, one in spec.inputs.items():
        shape = [size.value(given) for size in one.type.shape]
        if one.type.dtype.is_integer:
            bound = one.type.bound.constant if one.type.bound is not None else 2
            found[name] = torch.randint(bound or 2, shape, generator=generator)
        elif one.type.dtype.value == "bool":
            found[name] = torch.arange(shape[1]) < torch.tensor([shape[1], 3, 2, 1])[: shape[0], None]
        else:
            found[name] = torch.randn(shape, generator=generator)
    return found


def loss_of(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    """A loss in which every output element has a part of its own."""
    outputs = result if isinstance(result, tuple) else (result,)
    total = torch.zeros(())
    for one in outputs:
        weights = torch.randn(one.shape, generator=torch.Generator().manual_seed(1))
        total = total + (one.float() * weights).mean() + one.float().square().mean()
    return total


def started(name: str, **constants: str) -> tuple[Spec, nn.Module]:
    torch.manual_seed(0)
    spec = load(name, reduced=True, set=constants)
    return spec, archspec.compile(spec)


@pytest.mark.parametrize("name", SPECS)
def test_gradients_reach_all_that_trains(name: str) -> None:
    spec, module = started(name)
    loss_of(module.eval()(**batch(spec))).backward()
    without = [
        name
        for name, one in module.named_parameters()
        if one.requires_grad and (one.grad is None or not bool(one.grad.any()))
    ]
    # Nothing that a softmax over keys gives depends on what is added to every key alike.
    assert [name for name in without if not name.endswith("attention.k.bias")] == []
    assert all(bool(one.grad.isfinite().all()) for one in module.parameters() if one.grad is not None)


def test_what_is_frozen_has_no_gradient_and_stays() -> None:
    spec = load("vit-b16", reduced=True, set={"graph.tokens.frozen": "true"})
    module = archspec.compile(spec)
    before = {name: one.detach().clone() for name, one in module.named_parameters()}
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    loss_of(module(**batch(spec))).backward()
    optimizer.step()
    for name, one in module.named_parameters():
        frozen = name.startswith("tokens.")
        assert one.requires_grad != frozen
        assert (one.grad is None) == frozen
        # A bias of keys has the gradient zero, but for rounding.
        assert name.endswith("k.bias") or torch.equal(one, before[name]) == frozen, name


@pytest.mark.parametrize("name", ["gpt2", "t5-small"])
def test_dropout_in_training_alone(name: str) -> None:
    spec, module = started(name)
    inputs = batch(spec)
    module.train()
    assert not torch.equal(module(**inputs), module(**inputs))
    torch.manual_seed(5)
    first = module(**inputs)
    torch.manual_seed(5)
    assert torch.equal(module(**inputs), first)
    module.eval()
    assert torch.equal(module(**inputs), module(**inputs))


def test_whole_rows_take_another_path(tmp_path: Path) -> None:
    """With one layer, every row of a batch either has both branches of it, one, or none, each scaled."""
    rate = 0.4
    path = tmp_path / "dropping.yaml"
    path.write_text(
        "archspec: 1\nextends: vit-b16\nname: dropping\ngraph:\n  states: {residual: {kind: bare}, final_norm: false}\n"
    )
    options = {"layers": "1", "graph.states.residual.drop_path": "0"}
    torch.manual_seed(0)
    # The inherited layouts name norms that this spec has not; no weights are loaded here.
    plain = archspec.compile(load(path, reduced=True, set=options), unproved=True).eval()
    options["graph.states.residual.drop_path"] = str(rate)
    dropping = archspec.compile(load(path, reduced=True, set=options), unproved=True)
    dropping.load_state_dict(plain.state_dict())
    x = torch.randn(1, 17, 32).expand(600, -1, -1)
    layer = plain.states.layers[0]
    with torch.no_grad():
        attended = layer.attention(x[:1]) / (1 - rate)
        found = dropping.train().states(x)
        rows: list[tuple[bool, bool]] = []
        for row in found:
            options_of_row = {}
            for first in (False, True):
                middle = x[:1] + attended if first else x[:1]
                for second in (False, True):
                    whole = middle + layer.feed_forward(middle) / (1 - rate) if second else middle
                    options_of_row[first, second] = float((whole[0] - row).abs().max())
            nearest = min(options_of_row, key=options_of_row.__getitem__)
            assert options_of_row[nearest] < 1e-5
            rows.append(nearest)
        torch.testing.assert_close(dropping.eval().states(x[:2]), plain.states(x[:2]))
    for branch in (0, 1):
        assert abs(sum(row[branch] for row in rows) / len(rows) - (1 - rate)) < 0.07


@pytest.mark.slow
def test_a_compiled_training_step_is_the_same_step() -> None:
    spec, module = started("gpt2", layers="1")
    inputs = batch(spec)
    # Dropout draws in another order once compiled, so it is off here.
    module.eval()
    plain = {name: one.clone() for name, one in _stepped(module, module, inputs).items()}
    _, again = started("gpt2", layers="1")
    again.eval()
    compiled = torch.compile(again, fullgraph=True, backend="aot_eager")
    for name, one in _stepped(again, compiled, inputs).items():
        torch.testing.assert_close(one, plain[name], rtol=1e-5, atol=1e-6)


def _stepped(module: nn.Module, called: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    loss_of(called(**inputs)).backward()
    optimizer.step()
    return dict(module.state_dict())


def test_a_state_goes_on_where_it_was_left(tmp_path: Path) -> None:
    spec, module = started("resnet-50")
    inputs = batch(spec)
    module.train()(**inputs)  # the statistics of batch norm are part of the state
    torch.save(module.state_dict(), tmp_path / "state.pt")
    fresh = archspec.compile(spec)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    fresh.load_state_dict(state, strict=True)
    assert list(state) == list(fresh.state_dict())
    torch.testing.assert_close(fresh.eval()(**inputs), module.eval()(**inputs), rtol=0, atol=0)
    loss_of(module(**inputs)).backward()
    loss_of(fresh(**inputs)).backward()
    for one, other in zip(module.parameters(), fresh.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["t5-small", "transformer-base", "gpt2", "llama-3-8b"])
def test_masks_hold_under_mixed_precision(name: str) -> None:
    """What must not matter changes no bit, and values stay near those in full precision."""
    spec, module = started(name)
    module.eval()
    inputs = batch(spec)
    changed = dict(inputs)
    if "src_valid" in inputs:
        others = torch.randint(97, inputs["src_ids"].shape, generator=torch.Generator().manual_seed(9))
        changed["src_ids"] = inputs["src_ids"].where(inputs["src_valid"], others)
        assert not torch.equal(changed["src_ids"], inputs["src_ids"])
        kept = slice(None)
    else:
        changed["ids"] = inputs["ids"].clone()
        changed["ids"][:, -1] = (inputs["ids"][:, -1] + 1) % 97
        kept = slice(None, -1)
    with torch.autocast("cpu", torch.bfloat16):
        found, other = module(**inputs), module(**changed)
        loss = loss_of(found)
    assert torch.equal(found[:, kept], other[:, kept])
    assert bool(found.isfinite().all())
    full = module(**inputs).detach()
    assert float((found.detach().float() - full).abs().max()) < 0.05 * float(full.abs().max())
    loss.backward()
    assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in module.parameters())


def test_a_row_without_a_key_has_gradients_that_are_numbers() -> None:
    spec, module = started("transformer-base")
    inputs = batch(spec)
    inputs["src_valid"][0] = False
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            result = module.train()(**inputs)
            loss = F.cross_entropy(result.float().flatten(0, 1), inputs["tgt_ids"].flatten())
        module.zero_grad()
        loss.backward()
        assert bool(result.isfinite().all())
        assert all(bool(one.grad.isfinite().all()) for one in module.parameters() if one.grad is not None)
