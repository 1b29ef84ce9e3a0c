"""What differs at each step that corresponds, and which steps have come or gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from archspec.algebra.dim import Dim
from archspec.diff.flat import FlatBody, Step
from archspec.diff.matching import Region
from archspec.diff.numbering import ValueNumbers
from archspec.diff.places import StepPlace
from archspec.diff.predicates import read_by_masks
from archspec.diff.words import op_word, written
from archspec.ir.graph import Parameter
from archspec.ir.op import Op
from archspec.ir.repeat import Repeat
from archspec.ir.types import Axis
from archspec.record import field_names, record

Sort = Literal["size", "field", "op", "reads", "removed", "added", "training"]


@record
class StepChange:
    """One thing that differs at a place: `text` says it without the place; a size has both numbers besides."""

    sort: Sort
    place: StepPlace
    text: str
    before: str = ""
    after: str = ""


@record
class Sides:
    """The two specs whose steps are compared."""

    before: ValueNumbers
    after: ValueNumbers


def differences(region: Region, sides: Sides) -> Iterator[StepChange]:
    """Everything that differs in two bodies, and in the bodies of their layers; masks apart."""
    for found in region.walk():
        old, new = sides.before.inside(found.pairs.before), sides.after.inside(found.pairs.after)
        # A step whose value the other body has from another step is no loss: it was computed twice, or now is.
        gone = [step for step in found.pairs.removed if sides.before.known[step.outputs[0]] not in new]
        come = [step for step in found.pairs.added if sides.after.known[step.outputs[0]] not in old]
        # A predicate that masks alone read is told by them.
        before, after = read_by_masks(found.pairs.before), read_by_masks(found.pairs.after)
        yield from _gone(found, found.pairs.before, [step for step in gone if step not in before], "removed")
        yield from _gone(found, found.pairs.after, [step for step in come if step not in after], "added")
        for one, other in found.pairs.steps.items():
            if one not in before or other not in after:
                yield from _at(found, one, other, sides)


def _at(region: Region, one: Step, other: Step, sides: Sides) -> Iterator[StepChange]:
    place = region.place(other)
    if [sides.before.known[slot] for slot in one.outputs] != [sides.after.known[slot] for slot in other.outputs]:
        yield from _computed(region, place, one, other, sides)
    yield from _parameters(place, one, other, sides)


def _computed(region: Region, place: StepPlace, one: Step, other: Step, sides: Sides) -> Iterator[StepChange]:
    if isinstance(one.op, Repeat) and isinstance(other.op, Repeat):
        yield from _layers(place, one.op, other.op)
    elif type(one.op) is not type(other.op):
        yield StepChange(sort="op", place=place, text=f"{op_word(one)} -> {op_word(other)}")
    else:
        yield from _fields(place, one, other, sides)
    yield from _operands(region, place, one, other, sides)


def _layers(place: StepPlace, one: Repeat, other: Repeat) -> Iterator[StepChange]:
    if len(one.schedule) != len(other.schedule):
        before, after = str(len(one.schedule)), str(len(other.schedule))
        yield StepChange(sort="size", place=place, text=f"{before} -> {after} layers", before=before, after=after)
    if one.shared != other.shared:
        told = "layers share one set of parameters" if other.shared else "layers have parameters of their own"
        yield StepChange(sort="field", place=place, text=f"{told} now")


def _fields(place: StepPlace, one: Step, other: Step, sides: Sides) -> Iterator[StepChange]:
    op, now = sides.before.over(one.op), sides.after.over(other.op)
    for name in field_names(op):
        before, after = getattr(op, name), getattr(now, name)
        if before == after or name in ("mask", "module", "results"):
            continue
        if _is_size(one, op, name, before) and _is_size(other, now, name, after):
            yield from _sizes(place, before, after)
        elif not (name == "bias" and one.node.parameters.keys() != other.node.parameters.keys()):
            old, new = written(before), written(after)
            told = "" if name == "kind" else f"{one.op.name} `{name}` "
            yield StepChange(sort="field", place=place, text=f"{told}{old} -> {new}", before=old, after=new)


def _is_size(step: Step, op: Op, name: str, value: object) -> bool:
    """Whether a field gives the size of an axis of the result or of a parameter."""
    sizes = [_size(part) for part in (value if isinstance(value, tuple) else (value,))]
    result = step.node.outputs[0].type
    known = {*result.shape, *result.space}
    known.update(size for parameter in step.node.parameters.values() for size in parameter.type.shape)
    return name in op.sized or (bool(sizes) and all(size is not None and size in known for size in sizes))


def _size(part: object) -> Dim | None:
    # Whole numbers that are no sizes, such as strides, may equal one by chance.
    return part if isinstance(part, Dim) else part.size if isinstance(part, Axis) else None


def _sizes(place: StepPlace, before: object, after: object) -> Iterator[StepChange]:
    olds = before if isinstance(before, tuple) else (before,)
    news = after if isinstance(after, tuple) else (after,)
    if len(olds) != len(news):
        yield StepChange(sort="size", place=place, text=f"{written(olds)} -> {written(news)}")
        return
    for old, new in dict.fromkeys(zip(olds, news, strict=True)):
        if old != new:
            one, other = (str(old), str(new)) if str(old) != str(new) else (_by_factors(old), _by_factors(new))
            yield StepChange(sort="size", place=place, text=f"{one} -> {other}", before=one, after=other)


def _by_factors(size: object) -> str:
    """An axis by what it is made of: `12*64` for 12 heads of width 64."""
    return "*".join(map(str, size.factors)) if isinstance(size, Axis) else str(size)


def _is_told(region: Region, body: FlatBody, slot: int, sides: Sides) -> bool:
    """Whether the step that makes a value is told as one that has come or gone."""
    mine, its = (sides.before, sides.after) if body is region.pairs.before else (sides.after, sides.before)
    other = region.pairs.after if body is region.pairs.before else region.pairs.before
    return region.is_fresh(body, slot) and (slot not in body.makers or mine.known[slot] not in its.inside(other))


def _operands(region: Region, place: StepPlace, one: Step, other: Step, sides: Sides) -> Iterator[StepChange]:
    pairs = region.pairs
    if len(one.inputs) != len(other.inputs):
        # Those of a mask are told by the mask, and those of layers inside them.
        if getattr(other.op, "mask", None) is None and not other.bodies:
            count = f"{op_word(other)} reads {len(other.inputs)} values where it read {len(one.inputs)}"
            yield StepChange(sort="reads", place=place, text=count)
        return
    for mine, its in zip(one.inputs, other.inputs, strict=True):
        if sides.before.known[mine] == sides.after.known[its] or pairs.same(mine, its):
            continue
        # What reads a step that has come or gone is told by that step.
        if not (_is_told(region, pairs.before, mine, sides) or _is_told(region, pairs.after, its, sides)):
            reads, read = _value(region, pairs.after, its, place), _value(region, pairs.before, mine, place)
            told = f"{reads} where it read {read}" if reads != read else f"another {reads.removeprefix('the ')}"
            yield StepChange(sort="reads", place=place, text=f"{op_word(other)} reads {told}")


def _value(region: Region, body: FlatBody, slot: int, place: StepPlace) -> str:
    """A value, by the step that makes it; its place is left out where it is this one."""
    found = body.makers.get(slot)
    if found is None:
        names = [value.name for value, number in body.slots.items() if number == slot]
        return f"`{names[0]}`" if names else "another value"
    step, number = found
    where = "" if region.place(step) == place else f" in `{region.place(step)}`"
    told = f"`{region.place(step)}`" if step.node.name else f"the {op_word(step)}{where}"
    return told if number == 0 else f"output {number} of {told}"


def _parameters(place: StepPlace, one: Step, other: Step, sides: Sides) -> Iterator[StepChange]:
    mine, its = one.node.parameters, other.node.parameters
    for name in sorted(mine.keys() - its.keys()):
        yield StepChange(sort="field", place=place, text=f"has no {name} any more")
    for name in sorted(its.keys() - mine.keys()):
        yield StepChange(sort="field", place=place, text=f"has a {name} now")
    for name in sorted(mine.keys() & its.keys()):
        yield from _parameter(place, name, mine[name], its[name])
        old, new = name in one.node.owned, name in other.node.owned
        if old != new:
            told = f"`{name}` is its own" if new else f"`{name}` is tied to `{its[name].path}`"
            yield StepChange(sort="field", place=place, text=told)
        elif not old and sides.before.name(mine[name].path) != sides.after.name(its[name].path):
            told = f"`{name}` is tied to `{its[name].path}`, not to `{mine[name].path}`"
            yield StepChange(sort="field", place=place, text=told)


def _parameter(place: StepPlace, name: str, one: Parameter, other: Parameter) -> Iterator[StepChange]:
    if len(one.type.shape) == len(other.type.shape):
        yield from _sizes(place, one.type.shape, other.type.shape)
    if one.type.dtype != other.type.dtype:
        told = f"`{name}` is {other.type.dtype}, was {one.type.dtype}"
        yield StepChange(sort="field", place=place, text=told)
    if one.trainable != other.trainable:
        yield StepChange(sort="training", place=place, text="trains" if other.trainable else "is frozen")
    if one.init != other.init:
        yield StepChange(sort="training", place=place, text=f"`{name}` starts as {other.init}, was {one.init}")


def _gone(region: Region, body: FlatBody, steps: list[Step], sort: Literal["removed", "added"]) -> Iterator[StepChange]:
    """Steps without a partner; a module that has none at all is named as a whole."""
    left = set(steps)
    told: set[str] = set()
    for step in steps:
        whole = _whole(step, body, left)
        if whole is not None and whole not in told:
            told.add(whole)
            yield StepChange(sort=sort, place=StepPlace(whole, region.layers), text="")
        if whole is None:
            where = region.place(step)
            named = f"({op_word(step)})" if step.node.name else op_word(step)
            yield StepChange(sort=sort, place=where, text=named)


def _whole(step: Step, body: FlatBody, left: set[Step]) -> str | None:
    """The path of the outermost module around a step, of several steps, all of which are among these."""
    parts = step.place.split(".")
    for count in range(1, len(parts) + 1):
        path = ".".join(parts[:count])
        inside = [one for one in body.steps if f"{one.place}.".startswith(f"{path}.")]
        if len(inside) > 1 and left.issuperset(inside):
            return path
    return None
