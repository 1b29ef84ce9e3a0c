"""A cache takes the bytes that `check` prints, and steps take no more memory however many there are."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.checking.decoding_cache import decoding_cache
from archspec.model.samples import generate
from archspec.passes.incremental.incremental import incremental
from archspec.spec import Spec, load
from archspec.spec.claims import claims_of
from tests.decoding import specs
from tests.passes.test_incremental import DECODERS

ROWS, CAPACITY = 3, 7


@pytest.mark.parametrize("name", DECODERS)
def test_a_cache_takes_the_bytes_that_check_prints(name: str) -> None:
    check(load(name, reduced=True))


@pytest.mark.parametrize("mask", ["causal", "last(5)"])
@pytest.mark.parametrize("bias", ["[out]", "[v]"], ids=["latents", "heads"])
def test_latents_take_the_bytes_that_check_prints(bias: str, mask: str, tmp_path: Path) -> None:
    attention = f", {specs.LATENTS.replace('[out]', bias)}"
    check(specs.decoder(tmp_path, source="", attention=attention, mask=mask))


def check(spec: Spec) -> None:
    assert spec.decode is not None
    found = incremental(spec.graph, spec.decode.input, [spec.decode.output])
    sizes = {symbol.name: symbol.typical for symbol in spec.dims.values()}
    sizes |= {symbol.name: ROWS for symbol in found.rows.symbols()} | {found.length.name: CAPACITY}
    inputs = generate(claims_of(spec), sizes, "whole", 0)
    names = {value.name for value in (*(found.once.inputs if found.once else ()), *found.step.inputs)}
    given = {
        name: torch.from_numpy(inputs[name])
        for name in inputs
        if name in names and found.length not in {s for size in spec.inputs[name].type.shape for s in size.symbols()}
    }
    with torch.no_grad():
        cache = archspec.compile(spec).eval().new_cache(ROWS, CAPACITY, **given)
    buffers = cache[len(cache) - len(found.state) :]
    said = decoding_cache(spec)
    assert said is not None
    assert said.size is not None
    wanted = ROWS * (CAPACITY * said.size.position.value(sizes) + said.size.row.value(sizes))
    assert sum(one.untyped_storage().nbytes() for one in buffers) == wanted
    assert sum(one.numel() * one.element_size() for one in buffers) == wanted


def resident() -> int:
    """Bytes of memory that the process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096


def live() -> tuple[int, int]:
    """How many tensors there are, and the bytes of their storages."""
    gc.collect()
    # Plain tensors alone: traces of other tests leave fake ones, which have no storage.
    found = [one for one in gc.get_objects() if type(one) in (Tensor, nn.Parameter) and one.device.type == "cpu"]
    return len(found), sum({one.data_ptr(): one.untyped_storage().nbytes() for one in found}.values())


@pytest.mark.parametrize("mask", ["causal", "last(5)"])
def test_five_hundred_steps_take_no_more_memory(mask: str, tmp_path: Path) -> None:
    # A process of its own: the memory of one that other tests share grows and shrinks with theirs.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        early, late = alone.submit(measured, mask, tmp_path).result()
    assert late[0] == early[0]
    assert late[1] - early[1] < 4 << 20


def measured(mask: str, folder: Path) -> tuple[tuple[tuple[int, int], int], ...]:
    """The live tensors and the memory of the process after 100 and after 500 steps."""
    spec = specs.decoder(folder, source="", attention=specs.ROTARY, mask=mask, length="[1, 6, 600]")
    module = archspec.compile(spec).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 41, (2, 501)))
    seen = []
    with torch.inference_mode():
        cache = module.new_cache(2, 512)
        places = [one.data_ptr() for one in cache[1:] if isinstance(one, Tensor)]
        for step in range(501):
            logits, cache = module.step(ids[:, step : step + 1], cache)
            if step in (100, 500):
                seen.append((live(), resident()))
    assert cache.past.tolist() == [501, 501]
    assert [one.data_ptr() for one in cache[1:] if isinstance(one, Tensor)] == places
    assert logits.isfinite().all()
    return tuple(seen)
