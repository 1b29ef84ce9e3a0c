"""File N of seed S: always the same text."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from archspec import SpecError
from archspec.blocks.registry import blocks
from archspec.diagnostics import Source
from archspec.masks.registry import atoms
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.yaml_fuzz import composites, maps, moves, sequences, stacks
from tests.yaml_fuzz.draft import VOCAB, WIDTH, Draft, Made, Size
from tests.yaml_fuzz.situations import situated

SITUATED = (3, 7)
"""The last digits of the numbers whose files are built around one situation, each in turn."""
LATER, LAST = 100, (6, 9)
"""From this number on, files with these last digits draw blocks that the language has not always had, too.

All files before are what they were, and with them the numbers of the first ones that find a fault.
"""
Step = Callable[[Draft], Made | None]
_SEQUENCE: tuple[tuple[int, Step], ...] = (
    (9, stacks.stack),
    (5, sequences.attend),
    (4, sequences.moved),
    (3, sequences.pointwise),
    (4, sequences.elementwise),
    (5, moves.shift),
    (4, moves.cut),
    (4, moves.concat),
    (2, moves.concat_controls),
    (2, sequences.select),
    (3, sequences.pool),
    (2, sequences.spread),
    (6, moves.split),
    (4, sequences.convolve),
    (2, sequences.product),
    (1, sequences.best),
    (5, sequences.embed),
    (1, sequences.add_positions),
    (1, sequences.head),
    (1, sequences.over_positions),
    (2, moves.rearranged_control),
    (5, composites.composite),
    (3, composites.reuse),
    (1, composites.chain),
)
_IMAGE: tuple[tuple[int, Step], ...] = (
    (5, maps.convolve),
    (3, maps.window),
    (4, maps.move),
    (5, maps.flatten),
    (2, maps.patches),
    (2, maps.unflatten),
    (1, maps.summary),
)
_LATER_SEQUENCE: tuple[tuple[int, Step], ...] = (
    (60, sequences.sublayer),
    (20, sequences.merge),
    (20, sequences.rotated),
    (15, sequences.around),
    (15, sequences.waves),
)
_LATER_IMAGE: tuple[tuple[int, Step], ...] = ((150, maps.enlarge), (60, maps.around))


_HEAD = """archspec: 1
name: probe
dims: {batch: [1, 2, 3], n: [2, 3, 4]}
inputs: {p: "bool[batch, n]", x: "float[batch, n, 4]"}
"""
_PROBES = {
    "concat bool": """graph: {y: {block: concat, inputs: [p, p], axis: 1}, z: x * 2}
outputs: {y: "bool[batch, n + n]", z: "float[batch, n, 4]"}
""",
    "constant bool": """graph:
  y: {block: constant, shape: [batch, n], value: true}
  z: {block: pool, input: x, kind: mean, valid: p}
outputs: {y: "bool[batch, n]", z: "float[batch, 4]"}
""",
    "axis": """graph: {y: {block: pool, input: x, kind: mean, valid: p}, z: x * 2}
outputs: {y: "float[batch, 4]", z: "float[batch, n, 4]"}
rules: [{causal: {output: z, input: x, axis: 1}}]
""",
    "at": """graph: {y: {block: pool, input: x, kind: mean, valid: p}, z: x * 2}
outputs: {y: "float[batch, 4]", z: "float[batch, n, 4]"}
rules: [{causal: {output: z, input: x, at: p}}]
""",
}
"""Files that load where the language has a word that it has not always had."""


@cache
def words() -> frozenset[str]:
    """What the language has today: blocks, mask atoms, and words of the probes."""
    return frozenset({*blocks(), *atoms(), *(word for word, text in _PROBES.items() if _loads(_HEAD + text))})


def _loads(text: str) -> bool:
    try:
        elaborate(read(Source("probe.yaml", text)), path=Path("probe.yaml"))
    except SpecError:
        return False
    return True


def file_of(seed: int, number: int) -> Draft:
    """The random file of a number."""
    draft = Draft(random.Random(f"{seed}/{number}"), words())
    if number % 10 in SITUATED:
        situated(draft, number // 10 * len(SITUATED) + SITUATED.index(number % 10))
        return draft
    draft.norm = draft.r.choice(("layer_norm", "layer_norm", "rms_norm"))
    pictures = draft.r.random() < 0.25
    _inputs(draft, pictures)
    for _ in range(draft.r.choice((2, 2, 3, 3, 4, 5, 6))):
        known = [*_SEQUENCE] if draft.sequences() else []
        if pictures:
            known += [(3 * weight, step) for weight, step in _IMAGE]
        if number >= LATER and number % 10 in LAST:
            known += _LATER_SEQUENCE if draft.sequences() else ()
            known += _LATER_IMAGE if pictures else ()
        embeds = draft.ranked(2, "int64") and not draft.sequences()
        if embeds:
            known = [(1, sequences.embed), *known]
        (step,) = draft.r.choices([step for _, step in known], [weight for weight, _ in known])
        step(draft)
    if not draft.outputs():
        draft.expression(f"{draft.values[0].name} * 2", draft.values[0], [draft.values[0]])
    return draft


def _inputs(draft: Draft, pictures: bool) -> None:
    r = draft.r
    batch = draft.dim(1, 2, 3, leads=True, name="batch")
    lengths = [_length(draft)]
    if r.random() < 0.3:
        lengths.append(_length(draft))
    grid = _grid(draft) if pictures else None
    draft.fix()
    batch = draft.size(batch.text)
    lengths = [draft.size(one.text) for one in lengths]
    if grid is not None:
        h, w = (draft.size(one.text) for one in grid)
        draft.feed("image", (batch, draft.size(WIDTH), h, w))
    if grid is None or r.random() < 0.3:
        for k, n in enumerate(lengths):
            _sequence(draft, batch, n, "" if k == 0 else str(k + 1))


def _length(draft: Draft) -> Size:
    k = draft.r.choice((1, 1, 2, 2, 3, 4))
    if k > 1:
        most = max(2 * k, 6 // k * k)
        return draft.dim(k, most, most, multiple=k)
    least = draft.r.choice((1, 1, 2, 3))
    return draft.dim(least, 5, draft.r.choice((5, 6)))


def _grid(draft: Draft) -> tuple[Size, Size]:
    r = draft.r
    if r.random() < 0.3:
        return Size(str(r.choice((2, 3, 4))), ()), Size(str(r.choice((2, 3, 4))), ())
    if r.random() < 0.5:
        return draft.dim(2, 4, 4, multiple=2, name="rows"), draft.dim(2, 2, 4, multiple=2, name="columns")
    return draft.dim(1, 3, 3, name="rows"), draft.dim(r.choice((1, 2)), 3, 4, name="columns")


def _sequence(draft: Draft, batch: Size, n: Size, end: str) -> None:
    """The inputs over one length: a sequence, ids, and what may control them."""
    r = draft.r
    axes = (batch, n)
    if r.random() < 0.75 or end:
        draft.feed(f"x{end}", (*axes, draft.size(WIDTH)))
    if not draft.sequences() or r.random() < 0.3:
        draft.feed(f"ids{end}", axes, "int64", bound=VOCAB)
    if r.random() < 0.75:
        draft.feed(
            f"valid{end}", axes if r.random() < 0.9 else (n,), "bool", padding=r.choice(("any", "any", "right", "left"))
        )
    if r.random() < 0.4:
        draft.feed(f"segment{end}", axes, "int64", sorted=r.random() < 0.4)
    if r.random() < 0.2:
        draft.feed(f"length{end}", (batch,), "int64", bound=max(2, min(n.values)))
    if r.random() < 0.15:
        draft.feed(f"scores{end}", (n, n))
    if r.random() < 0.15:
        draft.feed(f"places{end}", (n, draft.size(WIDTH)))
    if not draft.sequences():
        sequences.embed(draft)
