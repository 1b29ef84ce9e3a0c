"""Rows that are proved: the field of each stage, and how it moves with the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from archspec.analyses.field import ReceptiveField
from archspec.contract.shifted import Deviation
from archspec.record import record
from archspec.views.comparison.counted import Analysed, by_each
from archspec.views.comparison.measurement import ROUNDING
from archspec.views.comparison.motions import StageMotion
from archspec.views.comparison.stages import ModelStage
from archspec.views.comparison.table import NOTHING, Answer, Known, Question, Section, counted, ordinal


@record(eq=False)
class Staged:
    """A spec and one of its stages, with its number."""

    of: Analysed
    stage: ModelStage
    number: int

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """How far the stage was from where it should be under moves by multiples of its unit; empty if not measured."""
        measured = self.of.measured
        if measured is None:
            return ()
        last = measured.output if self.stage is self.of.last else ()
        unit = self.stage.motions[-1].unit
        return tuple(one for one in measured.stages.get(self.number, last) if one.by % unit == 0)

    def broken(self) -> Known:
        """How it is known that the stage does not move everywhere: a measured move shows it, or nothing does."""
        return "violated" if any(one.largest > ROUNDING for one in self.deviations) else "not proved"


def stage_rows(key: str, found: Sequence[Analysed], answer: Callable[[Staged], Answer]) -> list[Question]:
    """A row for each number of a stage; a spec with fewer stages leaves the last rows empty."""
    rows = []
    for number in range(max((len(one.stages) for one in found), default=0)):

        def told(one: Analysed, number: int = number) -> Answer:
            if number >= len(one.stages):
                return Answer(text="", known="none")
            return answer(Staged(of=one, stage=one.stages[number], number=number))

        rows.append(by_each(f"{key}_stage_{number + 1}", ordinal(number + 1), found, told))
    return rows


def field_section(found: Sequence[Analysed], unit: str) -> Section:
    """What part of the input one position of each stage depends on."""
    title = f"Field of one position of a stage, in {unit} of the input, not clipped at its borders"
    return Section(key="field", title=title, rows=tuple(stage_rows("field", found, _field)))


def _field(one: Staged) -> Answer:
    stage, fields = one.stage, list(one.stage.field.fields.values())
    value = {
        "stage": stage.name,
        "layers": stage.layers or None,
        "local": stage.is_local,
        "extent": [_number(field) for field in fields],
        "at_most": any(field.why for field in fields),
        "stride": [_stride(motion) for motion in stage.motions] if stage.has_places else None,
    }
    name = f"{stage.name} ({counted(stage.layers, 'layer')})" if stage.layers else stage.name
    if all(field.extent is None for field in fields):
        lost = next((field.lost for field in fields if field.lost is not None), None)
        text = f"{name}: global" if lost is None else f"{name}: global, by {lost.path or lost.op.name}"
        return Answer(text=text, known="proved", value=value)
    bound = "at most " if value["at_most"] else ""
    extents = " x ".join("all" if one.extent is None else str(one.extent) for one in fields)
    where = "local" if stage.is_local else "global along one axis"
    return Answer(text=f"{name}: {bound}{extents}{_strides(stage)}, {where}", known="proved", value=value)


def _number(field: ReceptiveField) -> int | str | None:
    """An extent for JSON: null is global."""
    return None if field.extent is None else field.extent.constant or str(field.extent)


def _stride(motion: StageMotion) -> str:
    assert motion.place is not None
    return str(Fraction(motion.place.span))


def _strides(stage: ModelStage) -> str:
    """The stride in words, once where it is the same along all axes."""
    if not stage.has_places:
        return ""
    known = [_stride(motion) for motion in stage.motions]
    return f", stride {' x '.join(dict.fromkeys(known) if len(set(known)) == 1 else known)}"


def move_section(found: Sequence[Analysed], unit: str) -> Section:
    """Whether stages move with the input, up to which border, and what breaks that."""
    rows = [
        by_each("moves_up_to", "moves up to", found, _up_to),
        by_each("broken_by", "broken by", found, _broken_by),
        *stage_rows("moves", found, _moves),
    ]
    title = f"Does a stage move by one position when the {unit} move by its stride, whatever the weights?"
    return Section(key="moves", title=title, rows=tuple(rows))


def _moving(stage: ModelStage) -> bool:
    """Whether a stage is proved to move along all axes."""
    return all(motion.extent in ("inside", "everywhere") for motion in stage.motions)


def _up_to(one: Analysed) -> Answer:
    """The last stage that is proved to move with the input."""
    if one.subject.source is None:
        return NOTHING
    moving = [stage for stage in one.stages if _moving(stage)]
    if not moving:
        known = Staged(of=one, stage=one.stages[0], number=0).broken() if one.stages else "not proved"
        return Answer(text="no stage", known=known, value=None)
    last, border = moving[-1], _border(moving[-1])
    seen = [stage for stage in moving if _has_two(stage, one.subject.sizes)]
    here = seen[-1].name if seen else None
    value = {"stage": last.name, "by": [motion.unit for motion in last.motions], "border": border, "at_size": here}
    text = f"{last.name}, by {_units(last, one.subject.unit)}"
    if here == last.name:
        return Answer(text=f"{text}, {border}", known="proved", value=value)
    place = "" if border == "everywhere" else " inside the border"
    at = f"{_border(seen[-1])} up to {here}" if seen else f"no stage has two positions{place}"
    return Answer(text=f"{text}; at this size {at}", known="proved", value=value)


def _border(stage: ModelStage) -> str:
    """Where a moving stage does: inside the border if it is so along any axis."""
    where = {motion.extent for motion in stage.motions}
    return "everywhere" if where == {"everywhere"} else "inside the border"


def _has_two(stage: ModelStage, sizes: Mapping[str, int]) -> bool:
    """Whether at some sizes two positions on each axis are such that one may move to the other, or none is counted."""
    return all((count := motion.comparable(sizes)) is None or count > 1 for motion in stage.motions)


def _units(stage: ModelStage, unit: str) -> str:
    """The move of the input in words: `32 pixels`."""
    known = [motion.unit for motion in stage.motions]
    count = " x ".join(map(str, known[:1] if len(set(known)) == 1 else known))
    return f"{count} {unit.removesuffix('s') if count == '1' else unit}"


def _broken_by(one: Analysed) -> Answer:
    """The first node that keeps a stage from moving, inside or at the border."""
    if one.subject.source is None:
        return NOTHING
    staged = [Staged(of=one, stage=stage, number=number) for number, stage in enumerate(one.stages)]
    motions = [(stage, motion) for stage in staged for motion in stage.stage.motions]
    first = next((pair for pair in motions if pair[1].extent == "broken" and pair[1].place is not None), None)
    first = first or next((pair for pair in motions if pair[1].reason), None)
    if first is None:
        return Answer(text="nothing", known="proved", value=None)
    stage, motion = first
    border = " at the border" if motion.extent == "inside" else ""
    value = {"node": motion.node or None, "reason": motion.reason, "only_at_border": bool(border)}
    return Answer(text=f"{motion.node}{border}: {motion.reason}", known=stage.broken(), value=value)


def _moves(one: Staged) -> Answer:
    """How one stage moves, by axis where the axes differ."""
    told = list(dict.fromkeys(_motion(one, motion) for motion in one.stage.motions))
    value = {
        "stage": one.stage.name,
        "axes": [
            {
                "axis": motion.axis,
                "by": motion.unit,
                "where": motion.extent,
                "broken_by": motion.node or None,
                "reason": motion.reason or None,
            }
            for motion in one.stage.motions
        ],
    }
    is_proved = all(motion.extent != "broken" for motion in one.stage.motions)
    known: Known = "proved" if is_proved else one.broken()
    text = f"{one.stage.name}: {'; '.join(told)}"
    return Answer(text=text, known=known, value=value)


def _motion(one: Staged, motion: StageMotion) -> str:
    """The motion along one axis in words."""
    match motion.extent:
        case "everywhere":
            return f"by {motion.unit}, everywhere"
        case "still":
            return f"stays the same, by {motion.unit}"
        case "inside":
            counts = motion.inside(one.of.subject.sizes)
            return f"by {motion.unit}, inside" + ("" if counts is None else f": {counts[0]} of {counts[1]} per axis")
    return f"broken by {motion.node}" if motion.node else "not known"
