"""Experts of one rank alone: rows of others are not multiplied, and what is left in memory for them reaches nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archspec.algebra.scalar import Scalar
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.activation import Kind
from archspec.ops.elementwise.clamp import GateClamp
from archspec.ops.routing.experts import Experts
from tests.ops.emit_one import compiled

EXPERTS, TOP, TOKENS, WIDTH, HIDDEN = 6, 3, 17, 32, 48
EXACT = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 3e-2}
OPTIONS: list[dict[str, Any]] = [{}, {"bias": True}, {"gated": False, "bias": True}]
Routed = Callable[[Tensor], Tensor]
"""Logits of the router [tokens, experts] to the weights of experts."""


def spread(logits: Tensor) -> Tensor:
    """Softmax over the best experts of each token."""
    best = logits.topk(TOP, dim=-1)
    return torch.zeros_like(logits).scatter(-1, best.indices, best.values.softmax(-1))


def first(logits: Tensor) -> Tensor:
    """Every token passes the first three experts, and no other."""
    return F.pad(logits[:, :TOP].softmax(-1), (0, EXPERTS - TOP))


def none(logits: Tensor) -> Tensor:
    """Scores that all round to zero."""
    return logits * 0


class Poisoned(torch.autograd.Function):
    """A grouped product that leaves NaN where no expert multiplies, forward and backward."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, maps: Tensor, ends: Tensor) -> Tensor:
        ctx.save_for_backward(rows, maps, ends)
        y = rows.new_full((len(rows), maps.shape[-1]), torch.nan)
        for one, own in zip(maps, parts(ends), strict=True):
            y[own] = rows[own] @ one
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        rows, maps, ends = ctx.saved_tensors
        back, of_maps = torch.full_like(rows, torch.nan), torch.zeros_like(maps)
        for number, own in enumerate(parts(ends)):
            back[own] = grad[own] @ maps[number].mT
            of_maps[number] = rows[own].mT @ grad[own]
        return back, of_maps, None


def parts(ends: Tensor) -> list[slice]:
    """The rows of each expert."""
    return [slice(a, b) for a, b in zip([0, *ends.tolist()], ends.tolist(), strict=False)]


def grouped(rows: Tensor, maps: Tensor, offs: Tensor) -> Tensor:
    """Stands for `F.grouped_mm`."""
    found: Tensor = Poisoned.apply(rows, maps, offs)  # type: ignore[no-untyped-call]
    return found


class Split:
    """The op whole and as the ranks run it, with its operands and parameters."""

    def __init__(self, dtype: torch.dtype, routed: Routed, width: int = WIDTH, **options: Any) -> None:
        fields: dict[str, Any] = {"activation": "silu", "gated": True, **options}
        self.op = op = Experts(top_k=TOP, hidden=HIDDEN, **fields)
        self.types = types = [TensorType.of(DType.FLOAT, TOKENS, one) for one in (width, EXPERTS)]
        generator = torch.Generator().manual_seed(3)

        def drawn(*shape: int) -> Tensor:
            return (0.3 * torch.randn(shape, generator=generator)).to(dtype)

        specs = op.parameters(*types)
        self.given = [drawn(*(size.constant or 0 for size in spec.type.shape)) for spec in specs.values()]
        self.x, self.weights = drawn(TOKENS, width), routed(drawn(TOKENS, EXPERTS)).to(dtype)
        self.code = compiled(op, types, list(specs))

    def run(self, weights: Tensor, given: list[Tensor]) -> list[Tensor]:
        """The result, and the gradients of x, the weights of experts and the parameters."""
        leaves = [one.detach().requires_grad_() for one in (self.x, weights, *given)]
        (y,) = self.code(*leaves, {}, False)
        return [y.detach(), *torch.autograd.grad(y.square().sum(), leaves)]

    def of_ranks(self, ranks: int) -> list[list[Tensor]]:
        """What each rank finds, with the gradient that comes back to the sum."""
        leaves = [
            [one.detach().requires_grad_() for one in (self.x, *own)]
            for own in zip(
                self.weights.chunk(ranks, dim=-1), *(one.chunk(ranks, dim=0) for one in self.given), strict=True
            )
        ]
        each = [self.code(*own, {}, False)[0] for own in leaves]
        total = sum(one.detach() for one in each)
        assert isinstance(total, Tensor)
        return [[y.detach(), *torch.autograd.grad(y, own, 2 * total)] for y, own in zip(each, leaves, strict=True)]


def close(found: Tensor, wanted: Tensor) -> None:
    scale = wanted.abs().max().clamp(min=1)
    assert (found - wanted).abs().max() <= EXACT[wanted.dtype] * scale


@pytest.mark.parametrize("dtype", EXACT, ids=str)
@pytest.mark.parametrize("routed", [spread, first, none])
@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_ranks_add_up_to_the_whole(
    dtype: torch.dtype, routed: Routed, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options in OPTIONS:
        one = Split(dtype, routed, **options)
        wanted = one.run(one.weights, one.given)
        with monkeypatch.context() as patched:
            patched.setattr(F, "grouped_mm", grouped)
            each = one.of_ranks(ranks)
        assert all(bool(torch.isfinite(found).all()) for own in each for found in own)
        y, x, weights, *given = wanted
        close(sum(own[0] for own in each), y)  # type: ignore[arg-type]
        close(sum(own[1] for own in each), x)  # type: ignore[arg-type]
        # An expert that is not chosen passes no gradient on to the router, whose derivative is zero there.
        found = torch.cat([own[2] for own in each], dim=-1)
        close(found * (one.weights != 0), weights * (one.weights != 0))
        for number, gradient in enumerate(given, 3):
            close(torch.cat([own[number] for own in each]), gradient)


def test_a_rank_without_tokens_gives_zeros() -> None:
    for dtype in EXACT:
        _, (y, *gradients) = Split(dtype, first, bias=True).of_ranks(2)
        assert not y.any()
        assert not any(one.any() for one in gradients)


@pytest.mark.parametrize(("routed", "rows"), [(spread, None), (first, [TOP * TOKENS, 0]), (none, [0, 0])])
def test_rows_of_other_experts_are_not_multiplied(routed: Routed, rows: list[int] | None) -> None:
    one = Split(torch.float64, routed)
    own = [int((part != 0).sum()) for part in one.weights.chunk(2, dim=-1)]
    assert rows is None or own == rows
    assert sum(own) == (0 if routed is none else TOP * TOKENS)
    halves = zip(one.weights.chunk(2, dim=-1), *(parameter.chunk(2) for parameter in one.given), strict=True)
    for count, (weights, *given) in zip(own, halves, strict=True):
        with FlopCounterMode(display=False) as counter:
            one.code(one.x, weights, *given, {}, False)
        assert counter.get_total_flops() == 3 * 2 * count * WIDTH * HIDDEN


def test_no_more_rows_are_held_than_a_rank_has_experts() -> None:
    """On six ranks a token passes at most one expert of each, of the three that it passes."""
    sizes = []

    def counted(rows: Tensor, maps: Tensor, offs: Tensor) -> Tensor:
        sizes.append(len(rows))
        return F.linear(rows, maps[0].mT)

    one = Split(torch.float32, spread)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(F, "grouped_mm", counted)
        one.code(one.x, one.weights[:, :1], *(parameter[:1] for parameter in one.given), {}, False)
        one.code(one.x, one.weights[:, :3], *(parameter[:3] for parameter in one.given), {}, False)
    assert sizes == [TOKENS] * 3 + [3 * TOKENS] * 3


@pytest.mark.parametrize("ranks", [1, 2, 6])
@pytest.mark.parametrize(
    "options",
    [
        *({"activation": one} for one in (*get_args(Kind), None)),
        {"gated": False},
        {"activation": "quick_gelu", "clamp": GateClamp(limit=1.5, offset=Scalar.of(1)), "bias": True},
        {"dropout": 0.1},
    ],
)
def test_what_is_kept_for_the_backward_pass(options: dict[str, Any], ranks: int) -> None:
    one = Split(torch.float32, spread, **options)
    leaves = [one.x, one.weights.chunk(ranks, dim=-1)[0], *(parameter.chunk(ranks)[0] for parameter in one.given)]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    given = {leaf.untyped_storage().data_ptr() for leaf in leaves}
    kept: dict[int, Tensor] = {}

    def pack(x: Tensor) -> Tensor:
        if x.is_floating_point() and x.untyped_storage().data_ptr() not in given:
            kept[x.untyped_storage().data_ptr()] = x
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        y = one.code(*leaves, {}, True)
    assert y[0].requires_grad
    way = one.op.shardings(one.types, one.types[:1])[1]
    of_rank = one.op.on_rank(one.types, way, ranks, 0).kept_inside(one.types)
    assert sum(x.untyped_storage().nbytes() // x.element_size() for x in kept.values()) == of_rank.constant


@pytest.mark.parametrize("ranks", [2, 6])
def test_the_op_of_a_rank_is_that_of_the_whole_on_parts(ranks: int) -> None:
    one = Split(torch.float32, spread, bias=True)
    way = one.op.shardings(one.types, one.types[:1])[1]
    for rank, (weights, *given) in enumerate(
        zip(one.weights.chunk(ranks, dim=-1), *(parameter.chunk(ranks) for parameter in one.given), strict=True)
    ):
        own = one.op.on_rank(one.types, way, ranks, rank)
        assert (own.top_k, own.every) == (min(TOP, EXPERTS // ranks), EXPERTS)
        types = [one.types[0], TensorType.of(DType.FLOAT, TOKENS, EXPERTS // ranks)]
        code = compiled(own, types, list(own.parameters(*types)))
        assert torch.equal(code(one.x, weights, *given, {}, False)[0], one.code(one.x, weights, *given, {}, False)[0])
        # A token may pass none of them: what has weight zero is not multiplied.
        with FlopCounterMode(display=False) as counter:
            code(one.x.double(), weights.double(), *(parameter.double() for parameter in given), {}, False)
        assert counter.get_total_flops() == 3 * 2 * int((weights != 0).sum()) * WIDTH * HIDDEN


@pytest.mark.slow
def test_a_part_is_compiled_to_one_graph() -> None:
    one = Split(torch.bfloat16, spread, bias=True)
    weights, given = one.weights[:, 3:], [parameter[3:] for parameter in one.given]
    found = torch.compile(one.code, fullgraph=True)(one.x, weights, *given, {}, False)[0]
    close(found, one.code(one.x, weights, *given, {}, False)[0])
