from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.op import ShapeError
from archspec.ir.types import TensorType
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.same_segment import SameSegment
from archspec.masks.atoms.within import Within
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.given import Given
from archspec.masks.mask import Mask
from archspec.masks.walk import controls
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.relation.evaluate import matrix
from tests.masks.worlds import SIZE, World, masks, table, worlds
from tests.ops.case import BATCH, SRC, TGT, Case, bools, factored, floats, integers
from tests.ops.emit_module import module_of
from tests.ops.emit_one import run, write

CAUSAL, VALID = Causal(), KeyValid(0)
HEADS, KV_HEADS, WIDTH, VALUE_WIDTH = 4, 2, 3, 5


def qkv(batch: int, positions: int) -> list[torch.Tensor]:
    torch.manual_seed(batch + positions)
    shapes = ((HEADS, WIDTH), (KV_HEADS, WIDTH), (KV_HEADS, VALUE_WIDTH))
    return [torch.randn(batch, heads, positions, width, dtype=torch.float64) for heads, width in shapes]


def operands_of(mask: Mask, world: World) -> tuple[list[TensorType], list[torch.Tensor], dict[str, int]]:
    """Types and values of q, k, v and the controls, at the sizes of a world."""
    sizes = {BATCH.name: world.batch, SRC.name: world.positions, **world.sizes}
    lead = (BATCH,) if world.batched else ()
    types = [floats(BATCH, h, SRC, d) for h, d in ((HEADS, WIDTH), (KV_HEADS, WIDTH), (KV_HEADS, VALUE_WIDTH))]
    types += [bools(*lead, SRC), bools(*lead, SRC), integers(*lead, SRC), integers(*lead)]
    return types, [*qkv(world.batch, world.positions), *map(torch.tensor, world.controls)], sizes


def by_torch(mask: Mask, world: World, scale: float | None = None) -> torch.Tensor:
    """PyTorch's own attention in float64, over a table of the mask, rows without a key zeroed."""
    q, k, v = qkv(world.batch, world.positions)
    allowed = torch.tensor(table(mask, world))[:, None]
    k, v = (x.repeat_interleave(HEADS // KV_HEADS, dim=1) for x in (k, v))
    bias = torch.zeros(allowed.shape, dtype=torch.float64).masked_fill(~allowed, -torch.inf)
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
    return torch.where(allowed.any(-1, keepdim=True), attended, 0)


@given(masks(), worlds(), st.sampled_from([None, Scalar.of(2)]))
def test_the_reference_is_torch_attention(mask: Mask, world: World, scale: Scalar | None) -> None:
    _, values, sizes = operands_of(mask, world)
    (found,) = Attention(mask=mask, scale=scale).reference([value.numpy() for value in values], {}, sizes)
    expected = by_torch(mask, world, None if scale is None else 2.0)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-10, atol=1e-12)


@settings(max_examples=60)
@given(masks(), worlds(), st.booleans(), st.sampled_from([None, Scalar.of(3)]))
def test_the_emitted_code_is_the_reference(mask: Mask, world: World, weights: bool, cap: Scalar | None) -> None:
    """Whatever the mask leaves empty, also backwards: gradients stay finite."""
    types, values, sizes = operands_of(mask, world)
    op = Attention(mask=mask, weights=weights, softcap=cap)
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in values]
    results = run(op, types, leaves, sizes=sizes)
    expected = op.reference([x.detach().numpy() for x in values], {}, sizes)
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-9, atol=1e-10)
    results[0].sum().backward()
    assert all(x.grad is None or bool(x.grad.isfinite().all()) for x in leaves)


@settings(max_examples=60)
@given(masks(), worlds(), st.booleans())
def test_a_mask_made_apart_gives_the_same(mask: Mask, world: World, weights: bool) -> None:
    types, values, sizes = operands_of(mask, world)
    keep = may_leave_row_empty(mask)
    make = MakeMask(mask=mask, queries=Dim.of(SRC), keys=Dim.of(SRC), keep=keep)
    made = run(make, [types[0], *types[3:]], [values[0], *values[3:]], sizes=sizes)
    made_types = make.infer(types[0], *types[3:])
    for tensor, type_ in zip(made, made_types, strict=True):
        assert tuple(tensor.shape) == tuple(dim.value(sizes) for dim in type_.shape)
    attend = Attention(mask=Given(0, 1 if keep else None), weights=weights)
    found = run(attend, [*types[:3], *made_types], [*values[:3], *made], sizes=sizes)
    np.testing.assert_allclose(found[0].numpy(), by_torch(mask, world).numpy(), rtol=1e-9, atol=1e-10)
    (again, *_) = attend.reference([x.numpy() for x in (*values[:3], *made)], {}, sizes)
    np.testing.assert_allclose(again, found[0].numpy(), rtol=1e-9, atol=1e-10)
    if keep:
        assert bool(made[0].any(-1).all())


def test_weights_of_a_row_without_a_key_are_zero() -> None:
    types = [floats(BATCH, 1, SRC, 2)] * 3 + [bools(BATCH, SRC)]
    q = torch.randn(1, 1, 2, 2)
    valid = torch.tensor([[False, False]])
    result, weights = run(Attention(mask=VALID, weights=True), types, [q, q, q, valid], sizes={SRC.name: 2})
    assert not result.any() and not weights.any()


SELF = [floats(BATCH, 2, SRC, 4)] * 3
ATTEND = "F.scaled_dot_product_attention(x0, x1, x2"


@pytest.mark.parametrize(
    ("op", "types", "expected"),
    [
        (Attention(mask=All()), SELF, f"{ATTEND})"),
        (Attention(mask=Causal()), SELF, f"{ATTEND}, is_causal=True)"),
        (Attention(mask=CAUSAL & Last(Dim.of(SRC)) | CAUSAL), SELF, f"{ATTEND}, is_causal=True)"),
        (Attention(mask=Given(0)), [*SELF, bools(1, 1, SRC, SRC)], f"{ATTEND}, attn_mask=x3)"),
        (Attention(mask=All(), scale=Scalar.of(2)), SELF, f"{ATTEND}, scale=2)"),
        (Attention(mask=All(), dropout=0.1), SELF, f"{ATTEND}, dropout_p=0.1 if training else 0.0)"),
        (
            Attention(mask=Causal()),
            [floats(BATCH, 8, SRC, 4), *[floats(BATCH, 2, SRC, 4)] * 2],
            f"{ATTEND}, is_causal=True, enable_gqa=True)",
        ),
    ],
)
def test_the_fused_kernel_is_called_as_a_person_would(op: Attention, types: list[TensorType], expected: str) -> None:
    assert write(op, types).splitlines()[1:] == [f"    return ({expected},)"]


def test_guards_are_written_where_rows_may_be_empty_and_only_there() -> None:
    types = [*SELF, bools(BATCH, SRC)]
    assert "torch.where" in write(Attention(mask=CAUSAL & VALID), types)
    assert "torch.where" not in write(Attention(mask=CAUSAL | VALID), types)
    assert "torch.where" in write(Attention(mask=Given(0, 1)), [*SELF, bools(1, 1, SRC, SRC), bools(1, 1, SRC, 1)])


def test_dropout_acts_in_training_alone() -> None:
    values = [torch.ones(1, 2, 6, 4)] * 3
    for weights in (False, True):
        op = Attention(mask=All(), dropout=0.5, weights=weights)
        assert bool((run(op, SELF, values)[0] == 1).all())
        torch.manual_seed(0)
        found = run(op, SELF, values, training=True)
        assert not bool((found[0] == 1).all())
        if weights:
            assert torch.equal(found[1], torch.full((1, 2, 6, 6), 1 / 6))


@pytest.mark.parametrize(
    ("op", "types", "message"),
    [
        (Attention(mask=All()), [floats(BATCH, 3, SRC, 4), *SELF[1:]], "3 query heads cannot share 2 key heads evenly"),
        (Attention(mask=Causal()), [floats(BATCH, 2, TGT, 4), *SELF[1:]], "but their axes are tgt and src"),
        (Attention(mask=SameSegment(0)), [floats(BATCH, 2, TGT, 4), *SELF[1:], integers(BATCH, SRC)], "compares"),
        (Attention(mask=VALID), [*SELF, bools(BATCH, TGT)], "needs bool[batch, src], with or without the first axis"),
        (Attention(mask=VALID), [*SELF, integers(BATCH, SRC)], "got int64[batch, src]"),
        (Attention(mask=VALID), [*SELF, bools(1, SRC)], "got bool[1, src]"),
        (Attention(mask=VALID), SELF, "the mask reads control 0, but there are 0"),
        (Attention(mask=SameSegment(0)), [*SELF, bools(BATCH, SRC)], "needs int64[batch, src]"),
        (Attention(mask=Prefix(control=0)), [*SELF, integers(BATCH, SRC)], "needs int64[batch]"),
        (Attention(mask=Given(0)), [*SELF, bools(BATCH, SRC)], "a precomputed mask must be bool[batch, 1, src, src]"),
        (Attention(mask=Given(0)), [*SELF, bools(BATCH, 1, SRC, 1)], "a precomputed mask must be"),
        (Attention(mask=Given(0, 1)), [*SELF, bools(1, 1, SRC, SRC), bools(1, 1, SRC, SRC)], "src, 1], got"),
        (Attention(mask=All()), SELF[:2], "needs queries, keys and values"),
        (Attention(mask=All()), [*SELF[:2], integers(BATCH, 2, SRC, 4)], "needs float"),
    ],
)
def test_operands_that_do_not_fit(op: Attention, types: list[TensorType], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        op.infer(*types)
    assert message in caught.value.message


def test_a_mask_without_leading_axes_and_one_that_compares_nothing() -> None:
    types = [floats(BATCH, 2, TGT, 4), *SELF[1:], bools(SRC), integers()]
    assert Attention(mask=VALID | Prefix(control=1)).infer(*types)[0].shape[2] == Dim.of(TGT)
    (made,) = MakeMask(mask=VALID, queries=Dim.of(TGT), keys=Dim.of(SRC), keep=False).infer(types[0], bools(SRC))
    assert str(made) == "bool[1, 1, 1, src]"


def declared(op: Attention, types: list[TensorType], operand: int, values: dict[int, np.ndarray]) -> np.ndarray:
    case = Case(op=op, inputs=tuple(types))
    (row,) = op.reads(types, case.outputs)
    sizes = [case.factors(case.outputs[0]), case.factors(types[operand])]
    return matrix(row[operand], *sizes, values, case.sizes)


def test_causality_is_kept_over_positions_with_factors() -> None:
    grid = factored(2, SRC)
    types = [floats(BATCH, 2, grid, 4)] * 3
    found = declared(Attention(mask=CAUSAL), types, 1, {})
    flat = found.reshape(2, 2, 6, 4, 2, 2, 6, 4)[1, 0, :, 0, 1, 0, :, 0]
    assert np.array_equal(flat, np.tril(np.ones((6, 6), dtype=bool)))


def test_a_control_whose_factors_differ_guards_the_flat_position() -> None:
    types = [floats(BATCH, 2, factored(2, SRC), 4)] * 3 + [bools(BATCH, Dim.of(SRC) * 2)]
    (row,) = Attention(mask=VALID).reads(types, Attention(mask=VALID).infer(*types))
    (atom,) = row[1].atoms
    (guard,) = atom.guards
    assert guard.coordinates == (0, ((2, Dim.of(SRC)), (3, Dim.of(1))))
    found = declared(Attention(mask=VALID), types, 3, {})
    assert found[0, 0, 0, 0, 0, 0].all() and not found[0, 0, 0, 0, 0, 1].any()


@pytest.mark.slow
@pytest.mark.parametrize("mask", [CAUSAL & VALID, VALID, Within(Dim.of(1)) & VALID | CAUSAL & VALID])
def test_an_exported_file_gives_zeros_where_no_key_is_left(mask: Mask, tmp_path: Path) -> None:
    """ONNX opset 18 has no attention of its own, and a softmax over nothing is uniform there."""
    case = Case(op=Attention(mask=mask), inputs=(*[floats(BATCH, 2, SRC, 2)] * 3, bools(BATCH, SRC)))
    q, k, v = (torch.randn(2, 2, 3, 2) for _ in range(3))
    valid = torch.tensor([[True, False, True], [False, False, True]])
    batch, src = torch.export.Dim("batch", min=1, max=4), torch.export.Dim("src", min=1, max=6)
    shapes = [{0: batch, 2: src}] * 3 + [{0: batch, 1: src}]
    program = torch.export.export(
        module_of(case, {}), (q, k, v, valid), dynamic_shapes={f"x{n}": shape for n, shape in enumerate(shapes)}
    )
    path = tmp_path / "attention.onnx"
    exported = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False)
    assert exported is not None
    exported.save(path)
    values = [torch.randn(3, 2, 5, 2).numpy() for _ in range(3)]
    valid = np.array([[False] * 5, [False, True, False, False, True], [True] * 5])
    named = {f"x{n}": value for n, value in enumerate([*values, valid])}
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, named)
    (expected,) = case.op.reference([*values, valid], {}, {SRC.name: 5, BATCH.name: 3})
    assert not expected[0].any()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_controls_that_the_mask_does_not_read_are_not_read() -> None:
    types = [*SELF, bools(BATCH, SRC), bools(BATCH, SRC)]
    op = Attention(mask=KeyValid(1))
    assert controls(op.mask) == (1,)
    assert op.reads(types, op.infer(*types))[0][3].atoms == ()


def test_windows_may_depend_on_sizes() -> None:
    op = Attention(mask=Last(Dim.of(SIZE) + 1))
    assert "distance < sizes['n'] + 1" in write(op, SELF)
