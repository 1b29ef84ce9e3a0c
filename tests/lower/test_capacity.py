"""A step refuses a row with more positions than its cache takes, in whatever form it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.spec import load
from tests.decoding import specs
from tests.lower.stepping import BOUNDS, ModuleStepping

COMPILED = "a row has more positions than its cache takes"


@pytest.fixture(scope="module", params=["gpt2", "mistral-7b", "gemma-2-2b"])
def decoder(request: pytest.FixtureRequest) -> tuple[Any, int]:
    """A module whose cache is whole, of rings alone, or both; and how many positions it has at most."""
    spec = load(request.param, reduced=True)
    return archspec.compile(spec).eval(), spec.dims["length"].max


def ids(new: int = 1, rows: int = 2) -> Tensor:
    return torch.zeros(rows, new, dtype=torch.int64)


def fed(step: Callable[..., Any], cache: Any, count: int) -> Any:
    """The cache after single positions."""
    for _ in range(count):
        _, cache = step(ids(), cache)
    return cache


@pytest.mark.parametrize("new", [1, 3])
def test_the_message_names_both_numbers(decoder: tuple[Any, int], new: int) -> None:
    module, most = decoder
    cache = fed(module.step, module.new_cache(2, most), most)
    before = [one.clone() for one in cache if isinstance(one, Tensor)]
    with pytest.raises(ValueError, match=rf"^a row has {most + new} positions, but its cache takes {most}$"):
        module.step(ids(new), cache)
    assert all(map(torch.equal, before, [one for one in cache if isinstance(one, Tensor)]))


def test_each_row_counts(decoder: tuple[Any, int]) -> None:
    """What fills up chunks is no position, and the longest row decides."""
    module, most = decoder
    cache = module.new_cache(2, most)
    _, cache = module.step(ids(most - 2), cache, torch.tensor([most - 2, 1]))
    # Three new places each, of which the first row has room for two.
    _, cache = module.step(ids(3), cache, torch.tensor([2, 3]))
    assert cache.past.tolist() == [most, 4]
    _, cache = module.step(ids(3), cache, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=f"{most + 1} positions"):
        module.step(ids(3), cache, torch.tensor([1, 0]))
    # A row that begins anew has room again, and the other one still has none.
    cache = cache._replace(past=torch.tensor([0, 7]))
    _, cache = module.step(ids(), cache)
    assert cache.past.tolist() == [1, 8]


MORE = "a row has more new positions than there are"
WRONG = [[4, 1], [1, -1], [3], [[1, 1], [1, 1]], 1]


@pytest.mark.parametrize("counts", WRONG, ids=str)
def test_counts_are_numbers_of_new_positions(decoder: tuple[Any, int], counts: Any) -> None:
    module, most = decoder
    cache = fed(module.step, module.new_cache(2, most), 2)
    before = [one.clone() for one in cache if isinstance(one, Tensor)]
    with pytest.raises(ValueError, match=r"^counts must be from 0 to 3 for each row, not ") as raised:
        module.step(ids(3), cache, torch.tensor(counts))
    assert str(raised.value).endswith(f" {counts}")
    assert all(map(torch.equal, before, [one for one in cache if isinstance(one, Tensor)]))
    _, cache = module.step(ids(3), cache, torch.tensor([3, 0]))
    assert cache.past.tolist() == [5, 2]


@pytest.mark.parametrize("mask", ["causal", "last(3)", "last(1)"])
def test_what_fills_up_a_row_at_its_last_position_is_not_read(mask: str, tmp_path: Path) -> None:
    run = ModuleStepping(specs.decoder(tmp_path, mask=mask, set=("context=11",)), rows=3, total=11)
    assert run.largest([(10, 1, 8), (1, 4, 3), (0, 6, 0)]) < BOUNDS[torch.float64]


def test_whole_buffers_end_at_their_capacity() -> None:
    module = archspec.compile(load("gpt2", reduced=True)).eval()
    cache = fed(module.step, module.new_cache(2, 4), 4)
    with pytest.raises(ValueError, match="a row has 5 positions, but its cache takes 4"):
        module.step(ids(), cache)


def test_no_cache_is_larger_than_the_dim(decoder: tuple[Any, int]) -> None:
    module, most = decoder
    with pytest.raises(ValueError, match=f"capacity must be at most {most}, not {most + 1}"):
        module.new_cache(2, most + 1)


def test_compiled(decoder: tuple[Any, int], backend: str = "aot_eager") -> None:
    module, most = decoder
    torch.compiler.reset()
    step = torch.compile(module.step, fullgraph=True, backend=backend)
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        cache = fed(step, module.new_cache(2, most), most)
        with pytest.raises(RuntimeError, match=COMPILED):
            step(ids(), cache)


def test_counts_compiled(decoder: tuple[Any, int], backend: str = "aot_eager") -> None:
    module, most = decoder
    torch.compiler.reset()
    step = torch.compile(module.step, fullgraph=True, backend=backend)
    with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=True):
        _, cache = step(ids(3), module.new_cache(2, most), torch.tensor([3, 0]))
        for counts in ([4, 1], [1, -1]):
            with pytest.raises(RuntimeError, match=MORE):
                step(ids(3), cache, torch.tensor(counts))


@pytest.mark.slow
def test_counts_compiled_by_inductor() -> None:
    test_counts_compiled((archspec.compile(load("gpt2", reduced=True)).eval(), 8), "inductor")


@pytest.mark.slow
def test_compiled_by_inductor() -> None:
    test_compiled((archspec.compile(load("gpt2", reduced=True)).eval(), 4), "inductor")


class Step(nn.Module):
    """The step of tensors alone, as engines take it."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module
        self.made = type(module.new_cache(1, 1))

    def forward(self, ids: Tensor, past: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, cache = self.module.step(ids, self.made(past, 0, *state))
        return (logits, cache.past, *cache[2:])


class Counted(Step):
    """The same with counts."""

    def forward(self, ids: Tensor, past: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        *state, counts = state
        logits, cache = self.module.step(ids, self.made(past, 0, *state), counts)
        return (logits, cache.past, *cache[2:])


def overrun(step: Callable[..., Any], module: Any, most: int) -> None:
    cache = module.new_cache(2, most)
    state = [cache.past, *cache[2:]]
    for _ in range(most):
        _, *state = step(ids(), *state)
    with pytest.raises(RuntimeError, match=COMPILED):
        step(ids(), *state)


def exported(module: Any, most: int) -> torch.export.ExportedProgram:
    cache = module.new_cache(2, most)
    with torch.no_grad():
        return torch.export.export(Step(module), (ids(), cache.past, *cache[2:]))


def test_exported(decoder: tuple[Any, int]) -> None:
    module, most = decoder
    program = exported(module, most)
    overrun(program.module(), module, most)
    overrun(program.run_decompositions().module(), module, most)


def test_counts_exported(decoder: tuple[Any, int]) -> None:
    module, most = decoder
    cache = module.new_cache(2, most)
    state = [cache.past, *cache[2:]]
    with torch.no_grad():
        program = torch.export.export(Counted(module), (ids(3), *state, torch.tensor([3, 0])))
    step = program.run_decompositions().module()
    assert step(ids(3), *state, torch.tensor([1, 2]))[1].tolist() == [1, 2]
    for counts in ([4, 1], [1, -1]):
        with pytest.raises(RuntimeError, match=MORE):
            step(ids(3), *state, torch.tensor(counts))


@pytest.mark.slow
def test_compiled_ahead_of_time(tmp_path: Path) -> None:
    # Each layer is compiled on its own, and takes seconds.
    module = archspec.compile(load("gpt2", reduced=True, set=["layers=1"])).eval()
    package = str(tmp_path / "step.pt2")
    torch._inductor.aoti_compile_and_package(exported(module, 4), package_path=package)
    overrun(torch._inductor.aoti_load_package(package), module, 4)
