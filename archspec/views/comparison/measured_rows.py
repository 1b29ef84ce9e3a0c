"""Rows that are measured: how far moved inputs lead, and the effective field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isinf, isnan

from archspec.contract.shifted import Deviation
from archspec.views.comparison.counted import Analysed, by_each, percent
from archspec.views.comparison.measurement import EffectiveField
from archspec.views.comparison.proved import Staged, stage_rows
from archspec.views.comparison.table import NOTHING, Answer, Section

MOVES = (1, 2, 4, 8, 16, 32)
RADII = (4, 8, 16, 32, 64, 128)
_PARTS = ((0.5, "half"), (0.95, "95%"))


def shift_section(found: Sequence[Analysed], unit: str) -> Section:
    """How far stages and the output are from where they should be when the input is moved."""
    rows = [
        *stage_rows("shift", found, _stage),
        *(by_each(f"shift_output_{by}", f"output, by {by}", found, partial(_output, by=by)) for by in MOVES),
        by_each("shift_largest", "largest", found, _largest),
        by_each("shift_another", "another input", found, _another),
    ]
    title = f"Moved by 1 to 32 {unit} along the last axis, cyclically: largest change / largest value"
    return Section(key="shift", title=title, rows=tuple(rows))


def _stage(one: Staged) -> Answer:
    """The largest deviation of a stage that has positions, under moves by multiples of its stride."""
    unit = one.stage.motions[-1].unit
    if one.of.measured is None or not one.deviations or one.number not in one.of.measured.stages:
        where = "see the output" if one.stage is one.of.last else "no known positions"
        return Answer(text=f"{one.stage.name}: {where}", known="none")
    largest = max(deviation.largest for deviation in one.deviations)
    inside = [deviation.inside for deviation in one.deviations if deviation.inside is not None]
    value = {
        "stage": one.stage.name,
        "by": unit,
        "largest": _data(largest),
        "inside": _data(max(inside)) if inside else None,
    }
    parts = [f"{figure(max(inside))} inside"] if inside else []
    text = f"{one.stage.name}, by {unit}: {', '.join([*parts, f'{figure(largest)} in all'])}"
    return Answer(text=text, known="measured", value=value)


def _output(one: Analysed, by: int) -> Answer:
    """How far the output is from where it should be after one move."""
    if one.measured is None:
        return NOTHING
    known = next((deviation for deviation in one.measured.output if deviation.by == by), None)
    if known is None:
        is_long = by >= one.subject.lengths[-1]
        return Answer(text="a whole turn" if is_long else "no whole position", known="none")
    return Answer(text=figure(known.largest), known="measured", value=_data(known.largest))


def _largest(one: Analysed) -> Answer:
    """The move after which the output is farthest from where it should be, with all that were measured."""
    if one.measured is None or not one.measured.output:
        return NOTHING
    worst = max(one.measured.output, key=_order)
    curve = [{"by": deviation.by, "largest": _data(deviation.largest)} for deviation in one.measured.output]
    value = {"by": worst.by, "largest": _data(worst.largest), "curve": curve}
    return Answer(text=f"{figure(worst.largest)}, by {worst.by}", known="measured", value=value)


def _order(deviation: Deviation) -> float:
    """NaN is no largest value."""
    return -1.0 if isnan(deviation.largest) else deviation.largest


def _another(one: Analysed) -> Answer:
    if one.measured is None:
        return NOTHING
    return Answer(text=figure(one.measured.another), known="measured", value=_data(one.measured.another))


def effective_section(found: Sequence[Analysed], unit: str) -> Section:
    """Where the gradient of the middle position of the last stage with positions comes from."""
    longest = max((max(one.subject.lengths, default=0) for one in found), default=0)
    radii = [radius for radius in RADII if radius < longest]
    rows = [
        by_each("effective_of", "of", found, _of),
        *(by_each(f"effective_{radius}", f"r = {radius}", found, partial(_within, radius=radius)) for radius in radii),
        *(
            by_each(f"effective_{word.rstrip('%')}", f"{word} within", found, partial(_radius, share=share))
            for share, word in _PARTS
        ),
    ]
    title = f"Effective field: share of the gradient's energy within r {unit} of the centre, along every axis"
    return Section(key="effective_field", title=title, rows=tuple(rows))


def _field(one: Analysed) -> EffectiveField | None:
    return None if one.measured is None else one.measured.effective


def _of(one: Analysed) -> Answer:
    """Which position it is the field of."""
    field = _field(one)
    if field is None:
        placed = any(stage.has_places for stage in one.stages)
        text = "no gradient reaches the input" if placed else "no stage has known positions"
        return Answer(text=text, known="none")
    position, centre = ", ".join(map(str, field.position)), ", ".join(f"{place:g}" for place in field.centre)
    value = {"stage": field.stage.name, "position": list(field.position), "centre": list(field.centre)}
    text = f"{field.stage.name}[{position}], around [{centre}]"
    return Answer(text=text, known="measured", value=value)


def _within(one: Analysed, radius: int) -> Answer:
    """The share of the energy within a radius."""
    field = _field(one)
    if field is None:
        return NOTHING
    share = float(field.shares[min(radius, len(field.shares) - 1)])
    return Answer(text=percent(share, 1.0), known="measured", value=round(share, 6))


def _radius(one: Analysed, share: float) -> Answer:
    """The radius within which a share of the energy is; of half of it with the shares of all radii."""
    field = _field(one)
    if field is None:
        return NOTHING
    radius = field.radius(share)
    value = {"radius": radius, "shares": [round(float(part), 6) for part in field.shares]}
    unit = one.subject.unit.removesuffix("s") if radius == 1 else one.subject.unit
    return Answer(text=f"{radius} {unit}", known="measured", value=value)


def figure(value: float) -> str:
    """A deviation to two digits."""
    if isnan(value):
        return "all values are 0"
    if isinf(value):
        return "not finite"
    return "0" if value == 0 else f"{value:.2g}" if value >= 1e-3 else f"{value:.0e}"


def _data(value: float) -> float | None:
    """A deviation for JSON, which has neither NaN nor infinity."""
    return None if isnan(value) or isinf(value) else float(f"{value:.6g}")
