"""Random files: proved rules never move, violated ones are seen to, and every block and atom is tried."""

from __future__ import annotations

import re

import pytest

from archspec.blocks.registry import blocks
from archspec.masks.registry import atoms
from tests.yaml_fuzz.judging import judge
from tests.yaml_fuzz.make import file_of
from tests.yaml_fuzz.tally import Tally, told

SEED = 0
FILES = 300
EACH = 50


def test_a_file_is_always_the_same() -> None:
    texts = [file_of(SEED, number).text() for number in range(50)]
    assert texts == [file_of(SEED, number).text() for number in range(50)]
    assert len(set(texts)) > 45


def test_every_block_and_mask_atom_is_tried() -> None:
    text = "".join(file_of(SEED, number).text() for number in range(FILES))
    assert set(blocks()) - set(re.findall(r"block: (\w+)", text)) == set()
    assert {atom for atom in atoms() if not re.search(rf"\b{atom}\b", text)} == set()


def test_options_that_no_block_has_alone_are_tried() -> None:
    nodes = [line for number in range(2 * FILES) for line in file_of(SEED, number).text().splitlines()]
    for words in (("rotary_grid",), ("padding: circular", "stride: "), ("windows: {grid:",)):
        assert any(all(word in line for word in words) for line in nodes), words


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, FILES, EACH))
def test_random_files(start: int) -> None:
    tally = Tally()
    for number in range(start, start + EACH):
        tally.add(judge(SEED, number))
    print(f"\n{tally.summary()}")
    assert [told(SEED, outcome) for outcome in (*tally.wrong, *tally.crashed)] == []
    assert tally.refused <= EACH // 10
    assert tally.exact > 0.6
