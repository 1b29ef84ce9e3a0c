"""The cache that `check` reports is the one that the published architectures have."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.analyses.cache import CacheSize
from archspec.checking.decoding_cache import decoding_cache
from archspec.cli.check_command import cache_data, cache_lines
from archspec.spec import load
from tests.decoding import specs


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
