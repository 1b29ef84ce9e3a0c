"""Every norm with every combination of its options, in the compiled module, against torch's functions."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.checking import compile
from tests.editing import edited
from tests.lower.running import filled
from tests.options import option
from tests.parity.options import draft

TEXT = """
archspec: 1
name: normed
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 6, 5, 4]
graph:
  y: {block: norm, input: x, axis: AXIS, kind: KIND, FIELDS}
outputs:
  y: float[batch, 6, 5, 4]
"""
X = torch.randn(3, 6, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
CASES = [
    (kind, axis, weight, bias, offset, eps)
    for kind, axis in (
        ("layer_norm", -1),
        ("layer_norm", 2),
        ("rms_norm", -1),
        ("batch_norm", 1),
        ("frozen_batch_norm", 1),
        ("group_norm", 1),
    )
    for weight, bias, offset in product((True, False), repeat=3)
    for eps in ("", "1e-2")
    if (weight or not offset) and not (kind == "rms_norm" and bias)
    # There is no batch norm with a bias alone, which is refused by name.
    if weight or not bias or "batch_norm" not in kind
    if not offset or kind != "frozen_batch_norm"
]


def expected(kind: str, x: Tensor, module: nn.Module, offset: bool, eps: float) -> Tensor:
    """The norm along the last axis, or along axis 1 of channels."""
    state = {name.rpartition(".")[2]: value for name, value in module.state_dict().items()}
    weight, bias = state.get("weight"), state.get("bias")
    weight = weight + 1 if offset and weight is not None else weight
    if kind == "layer_norm":
        return F.layer_norm(x, x.shape[-1:], weight, bias, eps)
    if kind == "rms_norm":
        return F.rms_norm(x, x.shape[-1:], weight, eps)
    if kind == "group_norm":
        return F.group_norm(x, 3, weight, bias, eps)
    return F.batch_norm(x, state["running_mean"], state["running_var"], weight, bias, eps=eps)


def also(kind: str, _: int, weight: bool, bias: bool, offset: bool, eps: str) -> list[str]:
    """The options of a case that not all cases have."""
    found = [f"norm.weight@{kind}"]
    found += (
        [] if kind == "frozen_batch_norm" else [f"norm.unit_offset@{kind}", f"norm.unit_offset={str(offset).lower()}"]
    )
    found += [] if kind == "rms_norm" else [f"norm.bias={str(bias).lower()}", f"norm.bias@{kind}"]
    return [*found, f"norm.eps@{kind}"] if eps else found


@option("norm.kind={kind}", "norm.weight={weight}", "norm.axis", "norm.input")
@pytest.mark.parametrize(
    ("kind", "axis", "weight", "bias", "offset", "eps"),
    [pytest.param(*case, marks=option(*also(*case))) for case in CASES],
)
def test_norm(kind: str, axis: int, weight: bool, bias: bool, offset: bool, eps: str) -> None:
    fields = {"weight": weight, **({} if kind == "rms_norm" else {"bias": bias})}
    fields |= {} if kind == "frozen_batch_norm" else {"unit_offset": offset}
    given = [f"{name}: {str(value).lower()}" for name, value in fields.items()]
    given += ["groups: 3"] if kind == "group_norm" else []
    given += [f"eps: {eps}"] if eps else []
    text = edited(TEXT, ("AXIS", str(axis)), ("KIND", kind), ("FIELDS", ", ".join(given)))
    module = filled(compile(draft(text))).double().eval()
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            buffer.copy_(torch.rand(buffer.shape, generator=torch.Generator().manual_seed(len(name))) + 0.5)
    last = axis if kind.endswith(("batch_norm", "group_norm")) else -1
    number = float(eps) if eps else 1e-6 if kind == "rms_norm" else 1e-5
    x = X.movedim(axis, last) if last == -1 else X
    wanted = expected(kind, x, module, offset, number)
    found = module(X)
    torch.testing.assert_close(found, wanted.movedim(-1, axis) if last == -1 else wanted, rtol=1e-9, atol=1e-9)
    trained = weight + (bias and kind != "rms_norm")
    assert len(list(module.parameters())) == (0 if kind == "frozen_batch_norm" else trained)


@option("norm.kind=frozen_batch_norm", "norm.weight@frozen_batch_norm", "norm.bias@frozen_batch_norm")
def test_a_frozen_norm_stays_as_it_is_in_training() -> None:
    fields = "weight: true, bias: true"
    module = compile(draft(edited(TEXT, ("AXIS", "1"), ("KIND", "frozen_batch_norm"), ("FIELDS", fields)))).double()
    generator = torch.Generator().manual_seed(0)
    for buffer in module.buffers():
        buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    names = {name.rpartition(".")[2] for name, _ in module.named_buffers()}
    assert names == {"weight", "bias", "running_mean", "running_var"} and not list(module.parameters())
    before = {name: one.clone() for name, one in module.state_dict().items()}
    assert torch.equal(module.train()(X), module.eval()(X))
    assert all(torch.equal(one, before[name]) for name, one in module.state_dict().items())
