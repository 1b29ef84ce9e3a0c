"""Random files: proved rules never move, violated ones are seen to, and every block and atom is tried."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from archspec.blocks.registry import blocks
from archspec.masks.registry import atoms
from tests.yaml_fuzz.judging import judge
from tests.yaml_fuzz.make import file_of
from tests.yaml_fuzz.tally import Tally, told

SEED = 0
FILES = 300
FEW = 120
PARTS = 3


def telling() -> list[int]:
    """The numbers of some files, and of those of the others that use a block or an atom which none before them does."""
    known, found = set[str](), list[int]()
    for number in range(FILES):
        text = file_of(SEED, number).text()
        used = set(re.findall(r"block: \w+", text)) | {atom for atom in atoms() if re.search(rf"\b{atom}\b", text)}
        if number < FEW or used - known:
            found.append(number)
        known |= used
    return found


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
@pytest.mark.parametrize("part", range(PARTS))
def test_random_files(part: int) -> None:
    judged(telling()[part::PARTS])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_the_other_random_files(part: int) -> None:
    known = telling()
    judged([number for number in range(FILES) if number not in known][part::PARTS])


def judged(numbers: Sequence[int]) -> None:
    tally = Tally()
    for number in numbers:
        tally.add(judge(SEED, number))
    print(f"\n{tally.summary()}")
    assert [told(SEED, outcome) for outcome in (*tally.wrong, *tally.crashed)] == []
    assert tally.refused <= len(numbers) // 10
    assert tally.exact > 0.6
