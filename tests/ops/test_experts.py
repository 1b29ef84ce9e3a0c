"""Experts that are chosen alone are computed, held to all of them computed and weighted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archspec.ir.types import DType, TensorType
from archspec.ops.routing.experts import Experts
from archspec.ops.routing.routing import Routing
from tests.ops.emit_one import compiled, run

EXPERTS, TOP, TOKENS = 6, 2, 17
# With 32 and 48 features every row fills whole 16 bytes, as grouped products want it; with 6 and 10 it does not.
WIDTHS = [(32, 48), (6, 10)]
EXACT = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}


class Mixture(nn.Module):
    """The emitted op with its own router: a module over x [tokens, d]."""

    def __init__(self, width: int, hidden: int, **options: Any) -> None:
        super().__init__()
        self.routing = Routing(top_k=TOP, scores="softmax", normalise=True)
        fields: dict[str, Any] = {"activation": "silu", "gated": True, **options}
        self.op = Experts(top_k=TOP, hidden=hidden, **fields)
        self.types = [TensorType.of(DType.FLOAT, TOKENS, width), TensorType.of(DType.FLOAT, TOKENS, EXPERTS)]
        generator = torch.Generator().manual_seed(1)
        draw = {name: [size.constant or 0 for size in s.type.shape] for name, s in self.parameter_specs().items()}
        self.given = nn.ParameterDict({n: 0.3 * torch.randn(shape, generator=generator) for n, shape in draw.items()})
        self.router = nn.Parameter(torch.randn(EXPERTS, width, generator=generator))

    def parameter_specs(self) -> dict[str, Any]:
        return self.op.parameters(*self.types)

    def weights(self, x: Tensor) -> Tensor:
        (weights,) = run(self.routing, self.types[1:], [F.linear(x, self.router)])
        return weights

    def forward(self, x: Tensor) -> Tensor:
        (y,) = run(self.op, self.types, [x, self.weights(x)], dict(self.given))
        return y

    def dense(self, x: Tensor) -> Tensor:
        """All experts, weighted: the formula in torch, written apart from the op."""

        def apply(name: str, expert: int, h: Tensor) -> Tensor:
            return F.linear(h, self.given[name][expert], self.given[f"{name}_bias"][expert] if self.op.bias else None)

        weights, total = self.weights(x), torch.zeros_like(x)
        for expert in range(EXPERTS):
            h = apply("gate" if self.op.gated else "up", expert, x)
            h = F.silu(h) if self.op.activation else h
            h = h * apply("up", expert, x) if self.op.gated else h
            total = total + weights[:, expert, None] * apply("down", expert, h)
        return total


def tokens(width: int, dtype: torch.dtype = torch.float32, seed: int = 2) -> Tensor:
    return torch.randn(TOKENS, width, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", EXACT, ids=str)
@pytest.mark.parametrize(("width", "hidden"), WIDTHS)
@pytest.mark.parametrize("options", [{}, {"bias": True}, {"gated": False}, {"gated": False, "activation": None}])
def test_values_and_gradients_are_those_of_all_experts(
    dtype: torch.dtype, width: int, hidden: int, options: dict[str, Any]
) -> None:
    module = Mixture(width, hidden, **options).to(dtype)
    x = tokens(width, dtype).requires_grad_()
    leaves = [x, *module.parameters()]
    # The gradient of a sum is one number that is expanded: not contiguous.
    for loss in (Tensor.sum, lambda y: y.square().sum()):
        found, wanted = module(x), module.dense(x)
        pairs = [(found, wanted)]
        pairs += zip(torch.autograd.grad(loss(found), leaves), torch.autograd.grad(loss(wanted), leaves), strict=True)
        for one, other in pairs:
            assert (one - other).abs().max() <= EXACT[dtype] * other.abs().max().clamp(min=1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("count", [1, TOKENS])
def test_experts_that_no_token_passes_are_not_read(dtype: torch.dtype, count: int) -> None:
    module = Mixture(32, 48).to(dtype)
    x = tokens(32, dtype)[:count]
    with torch.no_grad():
        # Every token now prefers experts 1 and 4.
        module.router[:] = 0
        module.router[[1, 4]] = torch.stack([x.sum(0), 0.5 * x.sum(0)])
        x = x + 10 * x.sum(0)
        wanted = module(x)
        for parameter in module.given.values():
            parameter[[0, 2, 3, 5]] = torch.nan
        assert torch.isfinite(wanted).all()
        assert torch.equal(module(x), wanted)


@pytest.mark.parametrize(("width", "hidden"), WIDTHS)
def test_a_token_that_is_not_finite_leaves_all_others_as_they_are(width: int, hidden: int) -> None:
    module, x = Mixture(width, hidden), tokens(width)
    poisoned = x.clone()
    poisoned[3], poisoned[7] = torch.nan, torch.inf
    others = [n for n in range(TOKENS) if n not in (3, 7)]
    found = module(poisoned)
    assert not torch.isfinite(found[[3, 7]]).any()
    torch.testing.assert_close(found[others], module(x)[others], rtol=1e-5, atol=1e-6)


def test_products_are_those_of_the_chosen_experts() -> None:
    module = Mixture(32, 48).double()
    x = tokens(32, torch.float64)
    with FlopCounterMode(display=False) as counter:
        module(x)
    router = 2 * TOKENS * 32 * EXPERTS
    assert counter.get_total_flops() - router == 3 * 2 * TOKENS * TOP * 32 * 48
    assert module.op.flops(module.types, module.types[:1]).constant == 3 * 2 * TOKENS * TOP * 32 * 48


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "width"), [(torch.bfloat16, 32), (torch.float32, 32), (torch.bfloat16, 6)], ids=str)
def test_one_graph_is_compiled(dtype: torch.dtype, width: int) -> None:
    module = Mixture(width, dict(WIDTHS)[width], bias=True).to(dtype)
    x = tokens(width, dtype).requires_grad_()
    # The op is emitted once, before: what is compiled is the code that it wrote.
    parameters, weights = dict(module.given), module.weights(x).detach()
    code = emitted(module)
    found = torch.compile(code, fullgraph=True)(x, weights, *parameters.values(), {}, False)[0]
    wanted = module.dense(x)
    leaves = [x, *parameters.values()]
    expected = torch.autograd.grad(run(module.op, module.types, [x, weights], parameters)[0].square().sum(), leaves)
    pairs = [(found, wanted), *zip(torch.autograd.grad(found.square().sum(), leaves), expected, strict=True)]
    for one, other in pairs:
        assert (one - other).abs().max() <= EXACT[dtype] * other.abs().max().clamp(min=1)


def emitted(module: Mixture) -> Any:
    """The function that the op writes."""
    return compiled(module.op, module.types, list(module.given))


def test_rows_of_whole_bytes_take_one_grouped_product(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[torch.dtype] = []
    grouped = F.grouped_mm

    def counted(rows: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(rows.dtype)
        return grouped(rows, *args, **kwargs)

    monkeypatch.setattr(F, "grouped_mm", counted)
    for dtype in EXACT:
        for width, hidden in WIDTHS:
            Mixture(width, hidden).to(dtype)(tokens(width, dtype))
    # Three maps each; float64 has no such product, and neither have rows of 6 features.
    assert calls == 3 * [torch.float32] + 3 * [torch.bfloat16] + 3 * [torch.float16]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_no_token_gives_no_rows(dtype: torch.dtype) -> None:
    module = Mixture(32, 48, bias=True).to(dtype)
    assert module(tokens(32, dtype)[:0]).shape == (0, 32)


def test_weights_in_another_dtype_than_the_maps_under_autocast() -> None:
    module, x = Mixture(32, 48), tokens(32)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x.bfloat16())
    np.testing.assert_allclose(found.detach().float(), module(x).detach(), atol=0.2)


@pytest.mark.filterwarnings("ignore:Converting a tensor", "ignore:`torch.jit")
def test_a_trace_computes_all_experts() -> None:
    module, x = Mixture(32, 48), tokens(32)
    weights, others = module.weights(x).detach(), module.weights(tokens(32, seed=5)).detach()
    parameters = tuple(parameter.detach() for parameter in module.given.values())
    code = emitted(module)
    traced = torch.jit.trace(lambda x, w: code(x, w, *parameters, {}, False)[0], (x, weights))
    wanted = code(x, others, *parameters, {}, False)[0]
    np.testing.assert_allclose(traced(x, others), wanted, rtol=1e-5, atol=1e-5)


class Network(nn.Module):
    """What the op writes, without its router."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.code, self.given = emitted(mixture), mixture.given

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        (y,) = self.code(x, weights, *self.given.values(), {}, False)
        return y


def test_networks_compute_what_the_module_computes(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    mixture, path = Mixture(32, 48, bias=True), tmp_path / "experts.onnx"
    sizes = {0: torch.export.Dim("tokens", min=2, max=64)}
    given = (tokens(32), mixture.weights(tokens(32)).detach())
    program = torch.onnx.export(
        Network(mixture).eval(), given, dynamic_shapes=(sizes, sizes), dynamo=True, opset_version=18, verbose=False
    )
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    other = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (2, TOKENS):
        x = tokens(32, seed=8)[:count]
        arrays = [x.numpy(), mixture.weights(x).detach().numpy()]
        (found,) = session.run(None, dict(zip([port.name for port in session.get_inputs()], arrays, strict=True)))
        for one in (found, other(arrays)[0]):
            np.testing.assert_allclose(one, mixture.dense(x).detach(), rtol=1e-5, atol=1e-5)
