"""Counterexamples to an entailment: one pair of positions that the first mask allows and the second forbids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product

from archspec.algebra.dim import Dim
from archspec.masks.leaf import Fact, Leaf
from archspec.masks.mask import Mask
from archspec.masks.walk import fold, leaves

_MOST_FACTS = 8
_Answers = Mapping[Leaf, bool | Fact]


def refuted(left: Mask, right: Mask) -> bool:
    """Whether some pair, at some admitted sizes and values of the controls, is only in `left`.

    The pairs that are tried lie at the edges of all windows and prefixes, so that few are needed. False does not prove
    the entailment.
    """
    found = dict.fromkeys((*leaves(left), *leaves(right)))
    for sizes in _sizes(found):
        for i, j in _pairs(found, sizes):
            # Leaves that read data answer with the fact that decides, and every combination of facts is tried.
            answers = {leaf: leaf.holds(i, j, sizes) for leaf in found}
            for held in _worlds(answers):
                if _allows(left, answers, held) and not _allows(right, answers, held):
                    return True
    return False


def _worlds(answers: _Answers) -> Iterator[frozenset[Fact]]:
    """Every set of facts about data that may hold at one pair; none where there are too many to try."""
    facts = list(dict.fromkeys(answer for answer in answers.values() if not isinstance(answer, bool)))
    # Too many facts are not tried at all: nothing is then refuted, which is sound.
    if len(facts) <= _MOST_FACTS:
        for count in range(len(facts) + 1):
            yield from map(frozenset, combinations(facts, count))


def _sizes(found: Mapping[Leaf, None]) -> Iterator[dict[str, int]]:
    """Every combination of least and greatest sizes."""
    dims: Iterator[Dim] = (dim for leaf in found for dim in leaf.sizes())
    symbols = sorted({s for dim in dims for s in dim.symbols()}, key=lambda symbol: symbol.name)
    for ends in product(*((symbol.min, symbol.max) for symbol in symbols)):
        yield dict(zip((symbol.name for symbol in symbols), ends, strict=True))


def _pairs(found: Mapping[Leaf, None], sizes: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Pairs at and next to the edges of the masks' sizes, in both directions."""
    edges = {0, *(dim.value(sizes) for leaf in found for dim in leaf.sizes())}
    near = sorted({edge + step for edge in edges for step in (-1, 0, 1)})
    for ahead in {sign * distance for distance in near for sign in (1, -1)}:
        for j in near:
            if j >= 0 and j - ahead >= 0:
                yield j - ahead, j
        # The pair with this distance that is nearest to the start of the row.
        yield max(0, -ahead), max(0, ahead)


def _allows(mask: Mask, answers: _Answers, held: frozenset[Fact]) -> bool:
    """Whether a mask allows the pair when the facts in `held` are true and all others are false."""

    def of_leaf(leaf: Leaf) -> bool:
        answer = answers[leaf]
        return answer if isinstance(answer, bool) else answer in held

    return fold(mask, of_leaf, all, any)
