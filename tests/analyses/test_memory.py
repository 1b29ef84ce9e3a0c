"""What cannot be held is refused with its size, and nothing of it is allocated before."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import torch

import archspec
from archspec.algebra.symbol import Symbol
from archspec.analyses import memory
from archspec.bundle import build
from archspec.diagnostics import SpecError
from archspec.model.ports import interface_of
from archspec.model.samples import generate, sample
from archspec.model.sizes import odd
from archspec.spec import load
from archspec.spec.claims import load_claims
from tests.spec.example import spec_of

HUGE = "constants: {d: 8, vocab: 10000000000000}\ninputs:\n  x: int64[batch, length] < vocab\n"
HUGE += "graph:\n  y: {block: token_embedding, ids: x, vocab: vocab, dim: d}\n"
LONG = "dims: {batch: [1, 2, 4], length: [10000000000000, 10000000000000, 10000000000000]}"


def refusal(raised: pytest.ExceptionInfo[SpecError]) -> str:
    (found,) = raised.value.diagnostics
    assert found.code == "E504"
    return found.message


def test_parameters_that_no_memory_holds_are_refused_with_their_size(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, HUGE)
    tracemalloc.start()
    with pytest.raises(SpecError) as raised:
        archspec.compile(spec)
    assert refusal(raised).startswith("`example` has 80,000,000,000,000 parameters (320 TB), but only ")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    with torch.device("meta"):
        (table,) = archspec.compile(spec).parameters()
    assert table.shape == (10**13, 8)


def test_not_even_the_meta_device_counts_more_than_a_tensor_can(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, HUGE.replace("10000000000000}", "5000000000000000000}"))
    with torch.device("meta"), pytest.raises(SpecError) as raised:
        archspec.compile(spec)
    assert refusal(raised).endswith("parameters, more than a tensor can hold")


def test_a_build_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        build(spec_of(tmp_path, HUGE), tmp_path / "out", targets=["onnx"])
    assert "320 TB" in refusal(raised)
    assert not (tmp_path / "out").exists()


def test_what_there_is_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load("gpt2", reduced=True)
    needed = 4 * sum(parameter.numel() for parameter in archspec.compile(spec).parameters())
    monkeypatch.setattr(memory, "available", lambda: needed)
    archspec.compile(spec)
    monkeypatch.setattr(memory, "available", lambda: needed - 1)
    with pytest.raises(SpecError):
        archspec.compile(spec)
    monkeypatch.setattr(memory, "available", lambda: None)
    archspec.compile(spec)


def test_mixtral_needs_what_its_parameters_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 16_000_000_000)
    with pytest.raises(SpecError) as raised:
        archspec.compile("mixtral-8x7b")
    assert refusal(raised) == "`mixtral-8x7b` has 46,702,792,704 parameters (187 GB), but only 16 GB of memory is free"


def test_inputs_at_sizes_that_no_memory_holds_are_refused(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, LONG)
    sizes = {symbol.name: symbol.min for symbol in spec.dims.values()}
    for make in (
        lambda: sample(interface_of(spec), sizes, 0),
        lambda: generate(load_claims(tmp_path / "spec.yaml"), sizes, "whole", 0),
    ):
        with pytest.raises(SpecError) as raised:
            make()
        assert refusal(raised).startswith(
            "`x` is float[batch, length, 8] at batch = 1, length = 10,000,000,000,000 (320 TB), but only "
        )


def test_odd_sizes_of_huge_ranges_are_found_at_once() -> None:
    assert odd([Symbol("a", 10**12, 10**12, 10**13)]) == {"a": 10**12}
    assert odd([Symbol("a", 1, 8, 64), Symbol("b", 32, 64, 320, 32)]) == {"a": 3, "b": 160}


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (999, "999 bytes"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (4_100_000_000_000, "4.1 TB"),
        (10**18, "1 EB"),
        (5 * 10**22, "50,000 EB"),
    ],
)
def test_sizes_in_words(size: int, said: str) -> None:
    assert memory.in_words(size) == said


def test_the_least_of_what_the_system_and_its_groups_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 60 kB\nSwapFree: 4 kB\n")
    (tmp_path / "max").write_text("50000\n")
    (tmp_path / "used").write_text("20000\n")
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUPS", ())
    assert memory.available() == 64 * 1024
    monkeypatch.setattr(memory, "_GROUPS", ((str(tmp_path / "max"), str(tmp_path / "used")),))
    assert memory.available() == 30_000
    (tmp_path / "max").write_text("max\n")
    assert memory.available() == 64 * 1024
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "nothing")
    assert memory.available() is None
