"""A norm that multiplies by one more than its weight, against Nemotron."""

from __future__ import annotations

import pytest
import torch

from archspec.checking import compile
from tests.parity.options import decoder

transformers = pytest.importorskip("transformers")


def test_the_layer_norm_of_nemotron() -> None:
    from transformers.models.nemotron.modeling_nemotron import NemotronLayerNorm1P

    spec = decoder(
        attention="mask: causal", norm="{kind: layer_norm, unit_offset: true}", map="source: source\nstates: states"
    )
    module = compile(spec)
    norm = module.states
    state = {name: tensor for name, tensor in norm.state_dict().items() if name.startswith("final_norm")}
    assert all(not tensor.any() for tensor in state.values())
    reference = NemotronLayerNorm1P(64)
    filled = {name: torch.randn(64, generator=torch.Generator().manual_seed(len(name))) for name in state}
    module.states.load_state_dict(filled, strict=False)
    reference.load_state_dict({name.removeprefix("final_norm."): tensor for name, tensor in filled.items()})
    module.states.layers = torch.nn.ModuleList()
    x = torch.randn(2, 5, 64)
    torch.testing.assert_close(module.states(x), reference(x), atol=1e-5, rtol=1e-5)
