"""How parameters start and which of them train, in the compiled module, against torch's own initialisers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archspec.checking import compile
from archspec.diagnostics import SpecError
from tests.editing import edited
from tests.options import option
from tests.parity.options import draft

TEXT = """
archspec: 1
name: starts
dims: {{batch: [1, 4, 8]}}
inputs:
  x: float[batch, 100]
{more}
graph:
  y: {{block: linear, input: x, dim: 400{fields}}}
outputs:
  y: float[batch, 400]
"""


def started(fields: str = "", more: str = "") -> nn.Module:
    torch.manual_seed(0)
    return compile(draft(TEXT.format(fields=fields, more=more)))


def drawn(function: str, **options: float) -> Tensor:
    torch.manual_seed(1)
    made: Tensor = getattr(nn.init, function)(torch.empty(400, 100), **options)
    return made


DRAWS = {
    "{kind: normal, std: 0.3}": drawn("normal_", std=0.3),
    "{kind: truncated_normal, std: 1.5}": drawn("trunc_normal_", std=1.5),
    "{kind: uniform, limit: 1/4}": drawn("uniform_", a=-0.25, b=0.25),
    "xavier_uniform": drawn("xavier_uniform_"),
    "kaiming_normal": drawn("kaiming_normal_"),
    "zeros": torch.zeros(400, 100),
    "ones": torch.ones(400, 100),
    "-1e-3": torch.full((400, 100), -1e-3),
}
OPTIONS = {
    "{kind: normal, std: 0.3}": ["init.kind=normal", "init.std", "init.std@normal"],
    "{kind: truncated_normal, std: 1.5}": ["init.kind=truncated_normal", "init.std", "init.std@truncated_normal"],
    "{kind: uniform, limit: 1/4}": ["init.kind=uniform", "init.limit"],
    "-1e-3": ["init.kind=number", "init.value"],
}


def alike(found: Tensor, wanted: Tensor) -> None:
    """Draws of one distribution: moments and quantiles agree, and the ends do not go beyond."""
    places = torch.tensor([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    spread = wanted.std() if wanted.std() else torch.tensor(1e-6)
    assert abs(found.mean() - wanted.mean()) < 0.03 * spread
    assert abs(found.std() - wanted.std()) < 0.03 * spread
    assert (found.flatten()[::3].quantile(places) - wanted.flatten()[::3].quantile(places)).abs().max() < 0.1 * spread
    assert found.abs().max() < 1.5 * wanted.abs().max() + 1e-9


@option("block.init")
@pytest.mark.parametrize(
    "init", [pytest.param(one, marks=option(*OPTIONS.get(one, [f"init.kind={one}"]))) for one in DRAWS]
)
def test_every_start_is_torchs(init: str) -> None:
    module = started(f", init: {init}")
    alike(module.y.weight.detach(), DRAWS[init])
    # Biases start at zero whatever is said of weights.
    assert not module.y.bias.any()


@option("init.kind=truncated_normal")
def test_what_is_truncated_ends_at_two_as_torchs_does() -> None:
    weight = started(", init: {kind: truncated_normal, std: 1.5}").y.weight
    assert 1.99 < weight.abs().max() <= 2


@option("block.init=none", "defaults.init=none")
def test_the_start_that_nobody_names() -> None:
    alike(started(more="defaults: {dropout: 0}").y.weight.detach(), drawn("trunc_normal_", std=0.02))


@option("defaults.init", "block.init")
def test_the_files_own_default() -> None:
    more = "defaults: {init: {kind: uniform, limit: 0.5}}"
    alike(started(more=more).y.weight.detach(), drawn("uniform_", a=-0.5, b=0.5))
    assert torch.equal(started(", init: ones", more).y.weight, torch.ones(400, 100))


@option("block.frozen=true", "block.frozen=false")
def test_what_is_frozen_does_not_train() -> None:
    for word, trains in (("true", False), ("false", True)):
        module = started(f", frozen: {word}")
        assert [one.requires_grad for one in module.parameters()] == [trains] * 2
        before = module.y.weight.detach().clone()
        optimizer = torch.optim.SGD(
            [one for one in module.parameters() if one.requires_grad] or [torch.zeros(1)], lr=1.0
        )
        loss = module(torch.ones(2, 100)).sum()
        if trains:
            loss.backward()
        optimizer.step()
        assert torch.equal(module.y.weight, before) != trains


@option("defaults.bias=true", "defaults.bias=false", "linear.bias=true", "linear.bias=false")
def test_biases_by_default_and_by_word() -> None:
    for fields, more, has in (
        ("", "defaults: {bias: false}", False),
        ("", "defaults: {bias: true}", True),
        (", bias: true", "defaults: {bias: false}", True),
        (", bias: false", "defaults: {bias: true}", False),
    ):
        assert (started(fields, more).y.bias is not None) == has


@option("block.repeat", "block.share={share}")
@pytest.mark.parametrize("share", [True, False])
def test_repeats_with_weights_of_their_own_or_shared(share: bool) -> None:
    text = TEXT.format(fields="", more="").replace("dim: 400", f"dim: 100, repeat: 3, share: {str(share).lower()}")
    module = compile(draft(edited(text, ("float[batch, 400]", "float[batch, 100]"))))
    weights = [one for one in module.parameters() if one.ndim == 2]
    assert len(weights) == (1 if share else 3)
    x = torch.randn(2, 100)
    wanted = x
    for number in range(3):
        wanted = wanted @ weights[0 if share else number].T
    torch.testing.assert_close(module(x), wanted, rtol=1e-4, atol=1e-6)


EXPERTS = """
archspec: 1
name: starts
dims: {{batch: [1, 4, 8], length: [1, 4, 8]}}
inputs:
  x: float[batch, length, 64]
defaults: {{norm: layer_norm}}
graph:
  y:
    block: encoder
    input: x
    layers: 1
    residual: bare
    attention: none
    feed_forward:
      hidden: 160
      activation: relu
      experts: {{count: 5, top_k: 2, scores: softmax, normalise: true}}
    init: {init}
outputs:
  y: float[batch, length, 64]
"""


@pytest.mark.parametrize(("init", "function"), [("xavier_uniform",) * 2, ("kaiming_normal",) * 2])
def test_each_expert_starts_as_a_map_of_its_own(init: str, function: str) -> None:
    torch.manual_seed(0)
    experts = compile(draft(EXPERTS.format(init=init))).y.layers[0].feed_forward.experts
    for name, shape in (("up", (160, 64)), ("down", (64, 160))):
        torch.manual_seed(1)
        wanted = torch.stack([getattr(nn.init, f"{function}_")(torch.empty(shape)) for _ in range(5)])
        alike(getattr(experts, name).detach(), wanted)


@pytest.mark.parametrize("init", ["xavier_uniform", "kaiming_normal"])
def test_a_vector_has_no_fans(init: str) -> None:
    nodes = f"graph:\n  b: {{block: learned, shape: [400], init: {init}}}\n  z: y + b\n"
    text = edited(TEXT.format(fields="", more=""), ("graph:\n", nodes))
    with pytest.raises(SpecError) as raised:
        draft(edited(text, ("outputs:\n  y:", "outputs:\n  z:")))
    (found,) = raised.value.diagnostics
    assert found.code == "E242"
    assert found.message == f"`b.value` is float[400], but `{init}` needs a weight with input and output features"
