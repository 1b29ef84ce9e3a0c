"""Rules that are asked of a file: the strongest that were seen to hold, and the next ones, which were seen to fail."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.yaml_fuzz.draft import Draft, Made, Size
from tests.yaml_fuzz.masks import Mask, Masker, Pred, either, negated, predicate
from tests.yaml_fuzz.observe import Change, Observed

Claim = Callable[[Change, tuple[int, ...]], NDArray]
"""Of a change and the shape of the output: where the rule promises that nothing moves."""
MOST_PAIRS = 4
MOST_EACH = 6


@dataclass(frozen=True)
class Question:
    """A rule as it is written, and what it promises."""

    text: str
    output: str
    source: str
    claim: Claim

    def broken_by(self, change: Change) -> bool:
        """Whether something moved that the rule promises not to."""
        if change.source != self.source:
            return False
        seen = change.moved[self.output]
        return bool((seen & self.claim(change, seen.shape)).any())

    def broken(self, observed: Observed) -> bool:
        return any(self.broken_by(change) for change in observed.changes)


@dataclass(frozen=True)
class Axes:
    """The axes of an output and of a source that a rule compares."""

    out: int
    source: int

    def field(self, draft: Draft, default: bool) -> str:
        if "axis" not in draft.words or default:
            return ""
        return f", axis: {self.out}" if self.out == self.source else f", axis: [{self.out}, {self.source}]"


def questions(draft: Draft, observed: Observed, inner: Sequence[Made], r: random.Random) -> list[Question]:
    """What to ask of a file; `inner` are the inner values that were changed."""
    sources = [value for name, value in draft.inputs.items() if name in draft.used]
    pairs = [(output, source) for output in draft.outputs() for source in sources]
    r.shuffle(pairs)
    within = [(output, value) for value in inner for output in draft.outputs() if _follows(output, value)]
    found = {one.text: one for one in _own(draft)}
    for output, source in pairs[:MOST_PAIRS] + within[:2]:
        known = [
            *_windows(draft, observed, output, source, r),
            *_masks(draft, output, source, r),
            *_hidden(draft, output, source, r),
        ]
        r.shuffle(known)
        found.update((one.text, one) for one in known[:MOST_EACH])
    return list(found.values())


def _own(draft: Draft) -> Iterator[Question]:
    """The rules that the file asks itself."""
    for asked in draft.asked:
        if asked.mask is not None:
            yield _within(draft, asked.output, asked.source, Axes(1, 1), asked.mask)
        if asked.where is not None:
            found = _ignores(draft, asked.output, asked.source, asked.where, 2)
            if found is not None:
                yield found


def _follows(output: Made, value: Made) -> bool:
    """Whether an output may depend on an inner value: node numbers rise."""
    numbers = [int(re.sub(r"\D.*", "", name[1:])) for name in (output.name, value.name)]
    return numbers[0] >= numbers[1]


# -- windows


def _comparable(draft: Draft, output: Made, source: Made) -> Iterator[Axes]:
    """Axes of one size; without `axis` in the language the second of both alone."""
    if "axis" not in draft.words:
        fits = min(len(output.axes), len(source.axes)) > 1 and max(len(output.axes), len(source.axes)) < 4
        if (
            fits
            and output.axes[1] == source.axes[1]
            and source.axes[0].text == "batch"
            and source.axes[1].constant is None
        ):
            yield Axes(1, 1)
        return
    for i, out in enumerate(output.axes):
        for j, axis in enumerate(source.axes):
            if out == axis and axis.text != "batch" and axis.constant is None:
                yield Axes(i, j)


def _windows(draft: Draft, observed: Observed, output: Made, source: Made, r: random.Random) -> Iterator[Question]:
    known = list(_comparable(draft, output, source))
    if not known:
        return
    axes = r.choice(known)
    back, ahead = _extent(observed, output, source, axes)
    b, a = max(back, 0), max(ahead, 0)
    wanted = {(b, a)}
    if back > 0:
        wanted.add((back - 1, a))
    if ahead > 0:
        wanted.add((b, ahead - 1))
    if r.random() < 0.2:
        wanted.add((b + 1, a + 1))
    for one in sorted(wanted):
        yield _window(draft, output, source, axes, *one)
    yield _compared(draft, output, source, axes, "causal", "", lambda ahead: ahead > 0)


def _window(draft: Draft, output: Made, source: Made, axes: Axes, back: int, ahead: int) -> Question:
    fields = f", back: {back}, ahead: {ahead}"
    return _compared(draft, output, source, axes, "window", fields, lambda step: (step > ahead) | (step < -back))


def _compared(
    draft: Draft, output: Made, source: Made, axes: Axes, kind: str, fields: str, promised: Callable[[NDArray], NDArray]
) -> Question:
    def claim(change: Change, shape: tuple[int, ...]) -> NDArray:
        i = np.arange(shape[axes.out])
        steps = [(place[axes.source] or 0) - i for place in change.places]
        return _along(np.logical_and.reduce([promised(step) for step in steps]), axes.out, len(shape))

    text = f"{kind}: {{output: {output.name}, input: {source.name}{fields}{axes.field(draft, False)}}}"
    return Question(text, output.name, source.name, claim)


def _along(row: NDArray, axis: int, rank: int) -> NDArray:
    return row.reshape(tuple(-1 if k == axis else 1 for k in range(rank)))


def _extent(observed: Observed, output: Made, source: Made, axes: Axes) -> tuple[int, int]:
    """The least window that holds all that was seen; (-1, -1) where nothing moved."""
    back = ahead = -1
    for change in observed.changes:
        if change.source != source.name or len(change.places) != 1:
            continue
        seen = change.moved[output.name]
        others = tuple(k for k in range(seen.ndim) if k != axes.out)
        for i in np.flatnonzero(seen.any(axis=others)):
            step = (change.places[0][axes.source] or 0) - int(i)
            back, ahead = max(back, -step), max(ahead, step)
    return back, ahead


# -- masks


def _masks(draft: Draft, output: Made, source: Made, r: random.Random) -> Iterator[Question]:
    fits = [axes for axes in _ranked(draft, output, source) if axes.source == 1]
    if not fits or source.axes[0].text != "batch":
        return
    axes = r.choice(fits)
    masker = Masker(draft, source.axes[0], output.axes[axes.out], source.axes[1], only_inputs=True)
    for _ in range(3):
        mask = _one_of(masker, r)
        if set(mask.names) <= draft.used:
            yield _within(draft, output, source, axes, mask)


def _one_of(masker: Masker, r: random.Random) -> Mask:
    """One with many parts, one that the file has, or any."""
    if r.random() < 0.05:
        return masker.many()
    known = masker.known()
    return r.choice(known) if known and r.random() < 0.5 else masker.mask()


def _ranked(draft: Draft, output: Made, source: Made) -> Iterator[Axes]:
    if "axis" in draft.words:
        yield from _comparable(draft, output, source)
    elif 1 < len(output.axes) < 4 and 1 < len(source.axes) < 4 and output.axes[0] == source.axes[0]:
        yield Axes(1, 1)


def _within(draft: Draft, output: Made, source: Made, axes: Axes, mask: Mask) -> Question:
    def claim(change: Change, shape: tuple[int, ...]) -> NDArray:
        row, queries, keys = change.places[0][0] or 0, shape[axes.out], change.after.shape[1]
        inputs = change.world.inputs
        allowed = np.zeros(queries, bool)
        # Pairs are allowed by what the controls are before the change, and by what they are after it.
        both = [mask.pairs(known, queries, keys) for known in (inputs, {**inputs, change.source: change.after})]
        pairs = np.logical_and(*(one[min(row, len(one) - 1)] for one in both))
        for place in change.places:
            allowed |= pairs[:, place[1] or 0]
        return _along(~allowed, axes.out, len(shape))

    text = f"within: {{output: {output.name}, input: {source.name}, mask: {mask.text}{axes.field(draft, False)}}}"
    return Question(text, output.name, source.name, claim)


# -- ignores and segments


def _hidden(draft: Draft, output: Made, source: Made, r: random.Random) -> Iterator[Question]:
    for rank in (3, 2):
        axes = source.axes[:rank]
        if len(axes) < rank or (rank == 3 and len(source.axes) != 3):
            continue
        controls = [v for dtype in ("bool", "int64") for v in draft.of(dtype, axes) if v.fed and v.name in draft.used]
        for _ in range(2 if controls else 0):
            pred = _pred(draft, controls, r)
            question = _ignores(draft, output, source, pred, rank)
            if question is not None:
                yield question
        segments = [v for v in controls if v.dtype == "int64"]
        if segments and output.axes[:rank] == axes and rank == 2:
            yield _segments(output, source, r.choice(segments))


def _pred(draft: Draft, controls: Sequence[Made], r: random.Random) -> Pred:
    """A predicate: rather one that a mask of the file reads, its contrary, or more than that."""
    names = {control.name for control in controls}
    known = [pred for pred in draft.preds if set(pred.names) <= names]
    fresh = predicate(draft, controls)
    assert fresh is not None
    if not known or r.random() < 0.3:
        return fresh
    pred = r.choice(known)
    return r.choice((pred, negated(pred), negated(pred), either(negated(pred), fresh)))


def _ignores(draft: Draft, output: Made, source: Made, pred: Pred, rank: int) -> Question | None:
    """None where the axes of the predicate could stand in more than one place of the output."""
    places = _spread(source.axes[:rank], output.axes)
    if places is None:
        return None

    def claim(change: Change, shape: tuple[int, ...]) -> NDArray:
        before, after = _both(pred.at, change)
        if not all(before[place[:rank]] and after[place[:rank]] for place in change.places):
            return np.zeros((1,) * len(shape), bool)
        if not places:
            return np.ones((1,) * len(shape), bool)
        promised = ~before & ~after
        return promised.reshape([promised.shape[places.index(k)] if k in places else 1 for k in range(len(shape))])

    text = f"ignores: {{output: {output.name}, input: {source.name}, where: {pred.text}}}"
    return Question(text, output.name, source.name, claim)


def _spread(part: Sequence[Size], whole: Sequence[Size]) -> tuple[int, ...] | None:
    """The axes of an output over which a predicate stands; () where it has none of them, None where that is open."""
    if tuple(whole[: len(part)]) == tuple(part):
        return tuple(range(len(part)))
    found = [[k for k, size in enumerate(whole) if size == one] for one in part]
    if any(one.constant is not None for one in part) or any(len(places) > 1 for places in found):
        return None
    if not all(found):
        return ()
    chosen = tuple(places[0] for places in found)
    return chosen if list(chosen) == sorted(chosen) else None


def _segments(output: Made, source: Made, by: Made) -> Question:
    def claim(change: Change, shape: tuple[int, ...]) -> NDArray:
        before, after = _both(lambda known: known[by.name], change)
        promised = np.ones(shape[:2], bool)
        for place in change.places:
            at = (place[0] or 0, place[1] or 0)
            promised &= (before != before[at]) | (after != after[at])
        return _leading(promised, len(shape))

    return Question(
        f"segments: {{output: {output.name}, input: {source.name}, by: {by.name}}}", output.name, source.name, claim
    )


def _both(at: Callable[[dict[str, NDArray]], NDArray], change: Change) -> tuple[NDArray, NDArray]:
    """A control before and after a change."""
    inputs = change.world.inputs
    return at(inputs), at({**inputs, change.source: change.after})


def _leading(array: NDArray, rank: int) -> NDArray:
    return array.reshape(array.shape + (1,) * (rank - array.ndim))


def batch_mixed(changes: Sequence[Change]) -> bool:
    """Whether another row 1 moved anything outside row 1."""
    return any(_strays(change) for change in changes)


def _strays(change: Change) -> bool:
    for seen in change.moved.values():
        if not seen.ndim or seen.shape[0] % 2 or seen.shape[0] == 0:
            if seen.any():
                return True
            continue
        if seen[: seen.shape[0] // 2].any():
            return True
    return False
