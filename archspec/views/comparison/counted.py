"""Rows that are counted from the graph: inputs, parameters, FLOPs, memory, depth, and the share of each mixing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from archspec.algebra.dim import Dim
from archspec.analyses.depth import depth
from archspec.analyses.figures import scaled
from archspec.analyses.memory import in_words
from archspec.analyses.mixing import KINDS, Mixing, MixingKind
from archspec.ir.graph import Node
from archspec.record import record
from archspec.views.comparison.measurement import Measurement
from archspec.views.comparison.stages import ModelStage
from archspec.views.comparison.subject import Compared
from archspec.views.comparison.table import NOTHING, Answer, Question, Section, counted, ordinal

WORDS: Mapping[MixingKind, str] = {
    "static": "static",
    "maximum": "maximum",
    "dynamic": "input-dependent",
    "unknown": "unknown",
}
"""The kinds of mixing as the table calls them."""


@record(eq=False)
class Analysed:
    """A spec that is compared, with its stages, the mixing of its nodes, and what was measured of it, if anything."""

    subject: Compared
    kinds: Mapping[Node, Mixing]
    stages: tuple[ModelStage, ...]
    measured: Measurement | None = None

    @property
    def last(self) -> ModelStage | None:
        """The stage that is the output; None where the output is no stage's value, such as a product of two."""
        output = self.subject.spec.outputs[self.subject.output]
        return next((stage for stage in self.stages[-1:] if stage.value is output), None)

    def at(self, size: Dim) -> int:
        """A formula at the sizes of the comparison."""
        # FLOPs inside repeated layers may name the number of the layer.
        return size.value({"layer": 0, **self.subject.sizes})


def by_each(key: str, text: str, found: Sequence[Analysed], answer: Callable[[Analysed], Answer]) -> Question:
    """A row with what a function gives for each spec."""
    return Question(key=key, text=text, answers=tuple(answer(one) for one in found))


def size_section(found: Sequence[Analysed]) -> Section:
    """What each spec is and costs."""
    rows = (
        by_each("input", "input", found, _input),
        by_each("output", "output", found, _output),
        by_each("parameters", "parameters", found, _parameters),
        by_each("flops", "FLOPs", found, _flops),
        by_each("weights_memory", "memory: weights", found, _weights),
        by_each("activations_memory", "memory: values", found, _activations),
        by_each("depth", "depth", found, _depth),
    )
    return Section(key="cost", title="What it is and costs", rows=rows)


def _input(one: Analysed) -> Answer:
    source, subject = one.subject.source, one.subject
    if source is None:
        return Answer(text="no input has positions", known="counted")
    lengths = " x ".join(map(str, subject.lengths))
    value = {"name": source.name, "positions": list(subject.lengths), "unit": subject.unit}
    unit = subject.unit.removesuffix("s") if subject.lengths == (1,) else subject.unit
    return Answer(text=f"{source.name}: {lengths} {unit}", known="counted", value=value)


def _output(one: Analysed) -> Answer:
    type_ = one.subject.spec.outputs[one.subject.output].type
    shape = [one.at(size) for size in type_.shape]
    text = f"{one.subject.output}: {' x '.join(map(str, shape))}"
    return Answer(text=text, known="counted", value={"name": one.subject.output, "shape": shape})


def _parameters(one: Analysed) -> Answer:
    count = one.subject.checked.cost.parameters
    return Answer(text=f"{count:,}", known="counted", value=count)


def _flops(one: Analysed) -> Answer:
    total = one.at(one.subject.checked.cost.flops)
    sizes = one.subject.sizes
    at = ", ".join(f"{name} {size}" for name, size in sizes.items())
    told = scaled(total, "FLOP")
    text = f"{told} at {at}" if at else told
    return Answer(text=text, known="counted", value={"flops": total, "sizes": dict(sizes)})


def _weights(one: Analysed) -> Answer:
    size = one.subject.checked.cost.weight_bytes
    return Answer(text=f"{in_words(size)} in float32", known="counted", value=size)


def _activations(one: Analysed) -> Answer:
    size = max(one.at(formula) for formula in one.subject.checked.cost.peak_activations)
    return Answer(text=f"{in_words(size)} at once, in float32", known="counted", value=size)


def _depth(one: Analysed) -> Answer:
    graph = one.subject.spec.graph
    count = depth(graph, one.subject.spec.outputs[one.subject.output])
    return Answer(text=f"{counted(count, 'layer')} with weights in a row", known="counted", value=count)


def mixing_section(found: Sequence[Analysed]) -> Section:
    """With which coefficients positions are brought together, in all and by stage."""
    rows = [by_each(f"mixing_{kind}", WORDS[kind], found, partial(_all, kind=kind)) for kind in KINDS[:3]]
    most = max((len(one.stages) for one in found), default=0)
    for number in range(most):
        text = ordinal(number + 1)
        rows.append(by_each(f"mixing_stage_{number + 1}", text, found, partial(_stage, number=number)))
    title = "Mixing of positions, with static or input-dependent coefficients, and its share of all FLOPs"
    return Section(key="mixing", title=title, rows=tuple(rows))


def _all(one: Analysed, kind: MixingKind) -> Answer:
    """How much of a spec is mixing of one kind."""
    if one.subject.source is None:
        return NOTHING
    parts = [mixing.flops[kind] for mixing in one.kinds.values() if kind in mixing.flops]
    total, flops = one.at(one.subject.checked.cost.flops), sum(one.at(part) for part in parts)
    value = {"present": bool(parts), "flops": flops, "share": flops / total if total else 0.0}
    if not parts:
        return Answer(text="none", known="proved", value=value)
    text = f"{percent(flops, total)} of FLOPs: {scaled(flops, 'FLOP')}" if flops else "yes, without multiply-adds"
    return Answer(text=text, known="proved", value=value)


def _stage(one: Analysed, number: int) -> Answer:
    """The kinds of mixing in a stage, with their shares of the FLOPs of the spec."""
    if number >= len(one.stages):
        return Answer(text="", known="none")
    stage, total = one.stages[number], one.at(one.subject.checked.cost.flops)
    parts = {kind: one.at(flops) for kind, flops in stage.mixed.items()}
    told = (f"{WORDS[kind]} {percent(flops, total)}" if flops else WORDS[kind] for kind, flops in parts.items())
    value = {"stage": stage.name, "flops": dict(parts)}
    return Answer(text=f"{stage.name}: {', '.join(told) or 'none'}", known="proved", value=value)


def percent(part: float, whole: float) -> str:
    """A share in percent, to two digits below 10."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "<0.1%"
    return f"{share:.1f}%" if share < 10 else f"{share:.0f}%"
