"""The cache that `check` reports is the one that the published architectures have."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.algebra.dim import Dim
from archspec.analyses.cache import CacheSize
from archspec.checking.decoding_cache import cache_bytes, decoding_cache
from archspec.cli.check_command import cache_data, cache_lines
from archspec.spec import load
from tests.decoding import specs
from tests.mutation.operators import mutants
from tests.mutation.table import OPERATORS


def size_of(name: str) -> tuple[CacheSize, int]:
    found = decoding_cache(load(name))
    assert found is not None
    assert found.size is not None
    return found.size, found.most


# Keys and values of 4 bytes an element: layers, key heads, features of a head.
@pytest.mark.parametrize(
    ("name", "layers", "heads", "features", "length"),
    [
        ("gpt2", 12, 12, 64, 1024),
        ("llama-3-8b", 32, 8, 128, 8192),
        ("smollm2-135m", 30, 3, 64, 8192),
        ("qwen3-0.6b", 28, 8, 128, 40960),
    ],
)
def test_every_position_is_kept_with_its_key_heads(
    name: str, layers: int, heads: int, features: int, length: int
) -> None:
    size, most = size_of(name)
    position = 2 * layers * heads * features * 4
    assert (size.position, size.row, most) == (position, 0, position * length)


@pytest.mark.parametrize("name", ["t5-small", "gemma-2-2b", "deepseek-v3"])
def test_the_bytes_alone_are_those_of_the_step(name: str) -> None:
    assert cache_bytes(load(name)) == size_of(name)[0]


def test_a_window_keeps_one_position_fewer_than_it_sees() -> None:
    size, most = size_of("mistral-7b")
    row = 2 * 32 * 8 * 128 * 4 * 4095
    assert (size.position, size.row, most) == (0, row, row)


def test_alternating_layers_keep_what_each_kind_needs() -> None:
    size, _ = size_of("gemma-2-2b")
    layer = 2 * 4 * 256 * 4
    assert (size.position, size.row) == (13 * layer, 13 * layer * 4095)


def test_the_memory_is_kept_once() -> None:
    size, most = size_of("t5-small")
    position = 2 * 6 * 512 * 4
    assert size.position == position
    assert str(size.row) == f"{position}*src"
    assert most == 2 * position * 512


# 512 features of the latent and 64 rotated ones, whether there are 128 heads or 16.
@pytest.mark.parametrize("heads", [16, 128])
def test_latents_are_kept_once_for_all_heads(heads: int, tmp_path: Path) -> None:
    latent = "head_dim: 192, value_dim: 128, latent: {query: 1536, key_value: 512, rotary: 64}, bias: false"
    attention = f", {latent}, positions: {{kind: rotary, layout: interleaved}}"
    constants = ("constants.layers=61", "constants.d_model=7168", f"constants.heads={heads}")
    cache = decoding_cache(specs.decoder(tmp_path, source="", attention=attention, set=constants))
    assert cache is not None
    assert cache.size == CacheSize(position=Dim.of(61 * (512 + 64) * 4), row=Dim.of(0))
    assert cache_lines(cache) == [
        "  cache in float32: 141 kB per position and row; 3.37 MB per row at length 24",
        "  cache keeps latents of `states.layers.*.attention`",
    ]
    latents = {"path": "states.layers.*.attention", "kept": True, "reason": None}
    assert (cache_data(cache) or {})["latents"] == [latents]


def test_heads_that_are_kept_in_place_of_latents_are_said(tmp_path: Path) -> None:
    attention = f", {specs.LATENTS.replace('[out]', '[k]')}"
    cache = decoding_cache(specs.decoder(tmp_path, source="", attention=attention))
    # Two heads with 8 features of each key and 12 of each value, and 4 rotated features, in two layers.
    assert cache is not None
    assert cache.size == CacheSize(position=Dim.of(2 * (2 * (8 + 12) + 4) * 4), row=Dim.of(0))
    reason = "`kv_up` has a bias"
    assert cache_lines(cache)[1:] == [
        f"  cache keeps keys and values of heads of `states.layers.*.attention`: {reason}"
    ]
    latents = {"path": "states.layers.*.attention", "kept": False, "reason": reason}
    assert (cache_data(cache) or {})["latents"] == [latents]


def test_lines_and_data(tmp_path: Path) -> None:
    cache = decoding_cache(load("gpt2"))
    assert cache_lines(cache) == ["  cache in float32: 73.7 kB per position and row; 75.5 MB per row at length 1024"]
    assert cache_data(cache) == {"position_bytes": "73728", "row_bytes": "0", "most_row_bytes": 75497472}
    assert cache_lines(decoding_cache(load("bert-base"))) == []
    barred = decoding_cache(specs.decoder(tmp_path, attention=", scale: 1/length"))
    (line,) = cache_lines(barred)
    assert line.startswith("  no cache: `states.layers.*.attention`: `scale` of `attention` is computed from `length`,")
    data = cache_data(barred)
    assert data is not None
    assert data["refused"]["code"] == "E748"  # type: ignore[index]


def test_a_bias_that_was_turned_is_refused_and_not_a_fault() -> None:
    """Its rows are then the past positions and its columns the new ones, of which a step has no positions a row."""
    spec = load("bloom-560m", reduced=True)
    turned = [one for one in mutants(spec, OPERATORS) if one.operator.name == "reverse distances"]
    assert turned
    for mutant in turned:
        found = decoding_cache(mutant.spec)
        assert found is not None and found.refused is not None
        assert found.refused.code == "E748"
        assert "cannot run on only the new positions" in found.refused.message
        assert cache_bytes(mutant.spec) == found.refused
