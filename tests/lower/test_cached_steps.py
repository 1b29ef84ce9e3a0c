"""The cached step of an emitted module gives what the full run gives, whatever the chunks, for each row alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archspec.checking import accepted
from archspec.diagnostics import SpecError
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.spec import Spec, load
from tests.decoding import specs
from tests.lower.stepping import BOUNDS, ModuleStepping
from tests.passes.stepping import Counts
from tests.passes.test_incremental import DECODERS, GROWN, MASKS, OPTIONS, PREFIXES, RAGGED, SCHEDULES

ROWS, TOTAL = 3, 11
ONE_BY_ONE = SCHEDULES["1"]


def stepping(spec: Spec, dtype: torch.dtype = torch.float64) -> ModuleStepping:
    return ModuleStepping(spec, rows=ROWS, total=TOTAL, dtype=dtype)


def check(run: ModuleStepping) -> None:
    for schedule in SCHEDULES.values():
        assert run.largest(schedule) < BOUNDS[run.dtype]


@pytest.mark.parametrize("name", DECODERS)
def test_shipped_decoders(name: str) -> None:
    check(stepping(load(name, reduced=True)))


@pytest.mark.parametrize("name", ["gpt2", "gemma-2-2b", "t5-small"])
def test_shipped_decoders_in_single_precision(name: str) -> None:
    run = stepping(load(name, reduced=True), torch.float32)
    # Logits are as large as some tens, and their bound is relative to that.
    assert run.largest(RAGGED) < BOUNDS[torch.float32] * 10


FAST = {"window"}


@pytest.mark.parametrize("mask", [one if one in FAST else pytest.param(one, marks=pytest.mark.slow) for one in MASKS])
@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_attention(option: str, mask: str, tmp_path: Path) -> None:
    source = "" if "positions" in OPTIONS[option] else specs.LEARNED
    check(stepping(specs.decoder(tmp_path, source=source, attention=f", {OPTIONS[option]}", mask=MASKS[mask])))


@pytest.mark.parametrize("case", GROWN)
def test_other_inputs_that_grow(case: str, tmp_path: Path) -> None:
    check(stepping(specs.decoder(tmp_path, **GROWN[case])))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_that_the_first_chunk_covers(prefix: str, tmp_path: Path) -> None:
    run = stepping(specs.decoder(tmp_path, mask=PREFIXES[prefix]))
    assert run.largest([(4, 5, 7), (1, 1, 1), (3, 2, 0)]) < 1e-10


def test_a_table_that_only_the_source_embeds(tmp_path: Path) -> None:
    path = tmp_path / "two-tables.yaml"
    path.write_text(specs.TWO_TABLES, encoding="utf-8")
    check(stepping(load(path)))


# A chunk is filled up beyond the capacity; rows without new positions; more positions than are left.
CROWDED: list[Counts] = [(8, 3, 5), (3, 0, 1), (0, 7, 4), (0, 1, 1)]


@pytest.mark.parametrize("mask", ["causal", "last(3)"])
def test_a_chunk_that_is_filled_up_beyond_the_capacity(mask: str, tmp_path: Path) -> None:
    assert stepping(specs.decoder(tmp_path, mask=mask)).largest(CROWDED) < 1e-10


@pytest.mark.parametrize("name", ["gpt2", "mistral-7b", "gemma-2-2b"])
def test_a_slot_is_used_again(name: str) -> None:
    """A row that enters where another one ended sees nothing of it: only its count of positions starts again."""
    run = stepping(load(name, reduced=True))
    rows = [run.inputs["ids"][row] for row in range(ROWS)]
    with torch.no_grad():
        cache = run.cache(TOTAL)
        _, cache = run.module.step(run.tensor(np.stack([row[:6] for row in rows])), cache)
        cache = cache._replace(past=torch.tensor([6, 0, 6]))
        for n in range(5):
            ids = torch.tensor([[rows[0][6 + n]], [rows[1][n]], [rows[2][6 + n]]])
            logits, cache = run.module.step(ids, cache)
            for row, length in enumerate((7 + n, 1 + n, 7 + n)):
                wanted = run.tensor(run.wanted(row, length))
                torch.testing.assert_close(logits[row], wanted, atol=1e-10, rtol=0)


def test_buffers_are_written_in_place_and_hold_no_gradients() -> None:
    run = stepping(load("gemma-2-2b", reduced=True))
    cache = run.module.new_cache(2, 8)
    places = [one.data_ptr() for one in cache if isinstance(one, Tensor)][1:]
    for _ in range(3):
        logits, cache = run.module.step(torch.tensor([[1, 2], [3, 4]]), cache)
        assert logits.requires_grad
        assert not any(one.requires_grad for one in cache if isinstance(one, Tensor))
    assert [one.data_ptr() for one in cache if isinstance(one, Tensor)][1:] == places
    assert (cache.longest, cache.past.tolist()) == (6, [6, 6])


def test_a_step_reads_the_buffers_up_to_the_longest_row(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stepping(load("gpt2", reduced=True))
    seen: list[int] = []
    attend = nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        nn.functional,
        "scaled_dot_product_attention",
        lambda q, k, v, **more: (seen.append(k.shape[2]), attend(q, k, v, **more))[1],
    )
    cache = run.module.new_cache(2, 24)
    for size in (3, 1, 4):
        _, cache = run.module.step(torch.zeros(2, size, dtype=torch.int64), cache)
    assert seen == [3, 3, 4, 4, 8, 8]


def test_logits_are_computed_at_one_position_a_row(tmp_path: Path) -> None:
    run = stepping(load("gpt2", reduced=True))
    logits, _ = run.module.step(torch.zeros(2, 5, dtype=torch.int64), run.module.new_cache(2, 8))
    assert logits.shape == (2, 97)
    source = emit(accepted(load("gpt2", reduced=True)))
    assert source.index("states[torch.arange") < source.rindex("F.linear(")


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "mistral-7b", "t5-small")]


@pytest.mark.parametrize("name", ["gemma-2-2b", *SLOW])
def test_compiled_without_recompilation(name: str) -> None:
    run = stepping(load(name, reduced=True))
    ids = run.tensor(run.inputs[run.fed])
    torch.compiler.reset()
    step = torch.compile(run.module.step, fullgraph=True, backend="aot_eager")
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        logits, cache = run.module.step(ids[:, :4], run.cache(TOTAL))
        for n in range(4, TOTAL - 1):
            logits, cache = step(ids[:, n : n + 1], cache)
        # Eager steps go on where compiled ones stopped.
        logits, cache = run.module.step(ids[:, TOTAL - 1 :], cache)
    for row in range(ROWS):
        torch.testing.assert_close(logits[row], run.tensor(run.wanted(row, TOTAL)), atol=1e-10, rtol=0)


class Step(nn.Module):
    """The step as a module, which `torch.export` asks for."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, ids: Tensor, cache: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        found: tuple[Tensor, tuple[Tensor, ...]] = self.module.step(ids, cache)
        return found


@pytest.mark.parametrize("name", ["gemma-2-2b", "t5-small"])
def test_exported(name: str) -> None:
    run = stepping(load(name, reduced=True))
    ids = run.tensor(run.inputs[run.fed])
    with torch.no_grad():
        cache = run.cache(TOTAL)._replace(longest=TOTAL)
        step = torch.export.export(Step(run.module), (ids[:, :1], cache)).module()
        for n in range(TOTAL):
            logits, cache = step(ids[:, n : n + 1], cache)
    for row in range(ROWS):
        torch.testing.assert_close(logits[row], run.tensor(run.wanted(row, TOTAL)), atol=1e-10, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["llama-3-8b", "gemma-2-2b", "t5-small"])
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    """As near to the exact logits as the full forward in the same precision."""
    run = stepping(load(name, reduced=True), dtype)
    exact = np.stack([run.wanted(row, TOTAL) for row in range(ROWS)])
    given = {name: run.tensor(array) for name, array in run.inputs.items()}
    with torch.no_grad():
        full = run.module(**given)[:, -1].double().numpy()
    assert run.largest([(TOTAL,) * ROWS]) < 3 * np.abs(full - exact).max()
    assert run.largest(ONE_BY_ONE[:3]) < 3 * np.abs(full - exact).max()


MISTAKES = {
    "index off by one": ("(past[:, None] + entries).clamp", "(past[:, None] + entries + 1).clamp", "gpt2"),
    "index without the past": ("(past[:, None] + entries).clamp", "entries.expand(len(past), -1).clamp", "gpt2"),
    "upper left causality": ("positions = past[:, None] +", "positions = 0 * past[:, None] +", "gpt2"),
    "length before the new ones": ("min(self.longest + new, self", "min(self.longest + 1, self", "gpt2"),
    "position not advanced": ("past=past + counts", "past=past + 0 * counts", "gpt2"),
    "counts left out": ("past=past + counts", "past=past + ids.shape[1]", "gpt2"),
    "stale slot": ("ring.clamp(min=-1)", "ring.clamp(min=0)", "mistral-7b"),
    "place in the ring": (") % size\n", " + 1) % size\n", "mistral-7b"),
    "mask off by one": (" < 3)", " < 2)", "mistral-7b"),
    "ring written before it is read": ("- torch.arange(kept", "- 1 - torch.arange(kept", "mistral-7b"),
    "cache of the wrong layer": ("zip(self.layers, k_caches", "zip(self.layers, k_caches.flip(0)", "gpt2"),
    "keys for values": ("write(v_cache, v, slots, 2)", "write(v_cache, k, slots, 2)", "gpt2"),
    "memory of all padding": ("src_valid = cache.src_valid", "src_valid = ~cache.src_valid", "t5-small"),
    "logits of the last entry": ("last = counts - 1", "last = counts * 0 - 1", "gpt2"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_source_is_seen(mistake: str) -> None:
    old, new, name = MISTAKES[mistake]
    spec = load(name, reduced=True)
    source = emit(accepted(spec))
    assert old in source
    run = stepping(spec)
    changed = class_in(source.replace(old, new), spec.name)().to(run.dtype).eval()
    changed.load_state_dict(run.module.state_dict())
    run.module = changed
    assert any(differs(run, schedule) for schedule in (ONE_BY_ONE, RAGGED))


def differs(run: ModuleStepping, schedule: list[Counts]) -> bool:
    try:
        return run.largest(schedule) > 1e-6
    except ValueError as error:
        # Rows that are counted too far have no room left.
        return "but its cache takes" in str(error)


def test_what_is_not_bool_is_refused(tmp_path: Path) -> None:
    run = stepping(specs.decoder(tmp_path, **GROWN["key-valid"]))
    with pytest.raises(TypeError, match=r"`valid` must be torch\.bool, not torch\.int64"):
        run.module.step(torch.zeros(1, 1, dtype=torch.int64), run.module.new_cache(1, 4), valid=torch.ones(1, 1).long())


def test_the_name_of_a_method_is_refused(tmp_path: Path) -> None:
    spec = specs.decoder(tmp_path, nodes="\n  step: {block: linear, input: source, dim: d_model}\n  back: step * 2")
    with pytest.raises(SpecError) as caught:
        emit(accepted(spec))
    (found,) = caught.value.diagnostics
    assert (found.code, found.message) == ("E501", "`step` is a method of the modules of a decoder")


@pytest.mark.parametrize("option", [", scale: 1/length", ""])
def test_specs_that_do_not_decode_in_steps_have_none(option: str, tmp_path: Path) -> None:
    source = emit(accepted(specs.decoder(tmp_path, attention=option)))
    assert ("def step(" in source) is (not option)
    assert ("class Cache(" in source) is (not option)
