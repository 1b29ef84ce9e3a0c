"""The emitted step of latent attention, which keeps latents: exact, compiled, in half precision, with its FLOPs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from archspec.analyses.cost import flops
from archspec.checking import accepted
from archspec.lower import emit
from archspec.lower.emission import cached
from archspec.lower.modules import class_in
from archspec.spec import Spec
from tests.decoding import specs
from tests.lower.stepping import BOUNDS, ModuleStepping
from tests.passes.test_incremental import RAGGED, SCHEDULES

ROWS, TOTAL = 3, 11
MASKS = ["causal", "last(3)"]
# Values of a head have as many features as the part of its keys that the latent makes, so that one can be taken for
# the other.
ATTENTION = f", value_dim: 8, {specs.LATENTS}"


def decoder(folder: Path, mask: str = "causal", layout: str = "half") -> Spec:
    attention = ATTENTION.replace("layout: half", f"layout: {layout}")
    return specs.decoder(folder, source="", attention=attention, mask=mask)


def stepping(spec: Spec, dtype: torch.dtype = torch.float64) -> ModuleStepping:
    return ModuleStepping(spec, rows=ROWS, total=TOTAL, dtype=dtype)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
@pytest.mark.parametrize("mask", MASKS)
def test_single_precision(mask: str, layout: str, tmp_path: Path) -> None:
    run = stepping(decoder(tmp_path, mask, layout), torch.float32)
    for schedule in SCHEDULES.values():
        assert run.largest(schedule) < BOUNDS[torch.float32]


def test_no_head_is_expanded(tmp_path: Path) -> None:
    source = emit(accepted(decoder(tmp_path)))
    steps = source[source.index("    def step(") :]
    assert "self.kv_up(" in source[: source.index("    def step(")]
    assert "self.kv_up(" not in steps[: steps.index("\n\n\nclass ")]


@pytest.mark.parametrize("mask", MASKS)
def test_compiled_without_recompilation(mask: str, tmp_path: Path) -> None:
    run = stepping(decoder(tmp_path, mask))
    ids = run.tensor(run.inputs[run.fed])
    torch.compiler.reset()
    step = torch.compile(run.module.step, fullgraph=True, backend="aot_eager")
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        logits, cache = run.module.step(ids[:, :4], run.cache(TOTAL))
        for n in range(4, TOTAL):
            logits, cache = step(ids[:, n : n + 1], cache)
    for row in range(ROWS):
        torch.testing.assert_close(logits[row], run.tensor(run.wanted(row, TOTAL)), atol=1e-10, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    """As near to the exact logits as the full forward in the same precision."""
    run = stepping(decoder(tmp_path), dtype)
    exact = np.stack([run.wanted(row, TOTAL) for row in range(ROWS)])
    with torch.no_grad():
        full = run.module(run.tensor(run.inputs[run.fed]))[:, -1].double().numpy()
    assert run.largest([(TOTAL,) * ROWS]) < 3 * np.abs(full - exact).max()


@pytest.mark.parametrize("new", [1, 4])
def test_flops_of_the_step_are_those_that_torch_counts(new: int, tmp_path: Path) -> None:
    spec = decoder(tmp_path)
    made = cached(spec, {})
    assert made is not None
    run = stepping(spec)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run.module.step(run.tensor(run.inputs[run.fed])[:, :new], run.cache(TOTAL)._replace(longest=TOTAL - new))
    sizes = {"batch": ROWS, made.found.new.name: new, made.found.length.name: TOTAL}
    assert counter.get_total_flops() == flops(made.step).value(sizes)
    # Past positions cost two products a head, with key and latent; none is projected again.
    longer = flops(made.step).value({**sizes, made.found.length.name: TOTAL + 1}) - flops(made.step).value(sizes)
    assert longer == 2 * ROWS * new * 2 * 2 * (10 + 6)


MISTAKES = {
    "values of the rotated key": ("[..., :6]", "[..., 4:]"),
    "scale of latents": ("math.sqrt(12)", "math.sqrt(10)"),
    "keys for values": ("kv_up[:, 8:].transpose", "kv_up[:, :8].transpose"),
    "values for keys": ("kv_up[:, :8]", "kv_up[:, 8:]"),
    "features for heads": (
        "self.kv_up.weight.unflatten(0, (-1, 16))",
        "self.kv_up.weight.view(16, 2, 6).transpose(0, 1)",
    ),
    "the key is not rotated": (
        "torch.cat((x.transpose(1, 2), k), dim=3)",
        "torch.cat((x.transpose(1, 2), k_rotary), dim=3)",
    ),
    "latents without their norm": ("self.kv_norm(self.kv_down(x)).unflatten", "self.kv_down(x).unflatten"),
    "rotated before the latent": (
        "torch.cat((x.transpose(1, 2), k), dim=3)",
        "torch.cat((k, x.transpose(1, 2)), dim=3)",
    ),
    "another layer's": ("zip(self.layers, latent_caches)", "zip(self.layers, latent_caches.flip(0))"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_source_is_seen(mistake: str, tmp_path: Path) -> None:
    old, new = MISTAKES[mistake]
    spec = decoder(tmp_path)
    source = emit(accepted(spec))
    first = source.index("    def step(")
    assert old in source[first:]
    run = stepping(spec)
    changed = class_in(source[:first] + source[first:].replace(old, new), spec.name)().to(run.dtype).eval()
    changed.load_state_dict(run.module.state_dict())
    run.module = changed
    assert any(run.largest(schedule) > 1e-6 for schedule in (SCHEDULES["1"], RAGGED))
