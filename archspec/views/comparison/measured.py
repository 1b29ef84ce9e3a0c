"""What is measured of a spec that is compared: how far moved inputs lead, and where gradients come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.analyses.memory import require
from archspec.contract.shifted import Followed, apart_from, coloured, deviations
from archspec.ir.motion import Moves
from archspec.lower.modules import compile
from archspec.model.exposing import exposed
from archspec.model.samples import OPEN, generate
from archspec.spec.claims import Claims, claims_of
from archspec.views.comparison.counted import Analysed
from archspec.views.comparison.measurement import EffectiveField, Measurement
from archspec.views.comparison.stages import ModelStage

if TYPE_CHECKING:
    from archspec.contract.torch_module import TorchRunner
    from archspec.model.runner import Arrays

MOVES = (*range(1, 9), 10, 12, 14, 15, 16, 17, 20, 24, 28, 30, 31, 32)
"""The moves that are measured, in positions: the first ones, and those around the usual strides."""
FEW = (1, 2, 4, 8, 16, 32)
"""The moves of a spec of which one run costs much."""
_MOST_FLOPS = 1_500_000_000_000
# How far the seed of the other input is from that of the first.
_OTHER = 1000


def measure(found: Analysed, weights: Path | None, seed: int) -> Measurement:
    """Compile a spec and measure it on random inputs.

    Args:
        found: the spec, of which an input has positions.
        weights: a checkpoint; fresh parameters if None.
        seed: of the parameters and inputs.

    Raises:
        SpecError: E504 where memory is short, E510 to E528 for weights that do not fit, E731 where the module fails.
    """
    subject = found.subject
    assert subject.source is not None
    names = {k: stage.path.replace(".", "_") for k, stage in enumerate(found.stages) if stage.has_places}
    runner = _runner(found, [found.stages[k].path for k in names], weights, seed)
    declared, axis = claims_of(subject.spec), subject.axes[-1]
    arrays, another = (_inputs(found, declared, seed + more) for more in (0, _OTHER))
    followed = [_followed(subject.output, found.last)]
    followed += [_followed(name, found.stages[k]) for k, name in names.items()]
    own, *others = deviations(
        runner, arrays, (subject.source.name, axis), _moves(found, followed), followed, subject.sizes
    )
    return Measurement(
        axis=axis,
        output=tuple(own),
        another=apart_from(runner, arrays, another, subject.output),
        stages={k: tuple(one) for k, one in zip(names, others, strict=True)},
        effective=_effective(found, runner, arrays, names, seed),
        weights="" if weights is None else str(weights),
    )


def _inputs(found: Analysed, declared: Claims, seed: int) -> Arrays:
    """Random inputs; an image is noise with the spectrum of natural images, of which one pixel resembles the next."""
    subject = found.subject
    arrays = generate(declared, subject.sizes, OPEN, seed)
    if subject.source is None or subject.unit != "pixels":
        return arrays
    return {**arrays, subject.source.name: coloured(arrays[subject.source.name], subject.axes)}


def _runner(found: Analysed, paths: Sequence[str], weights: Path | None, seed: int) -> TorchRunner:
    """The compiled module in evaluation mode, with stages as outputs."""
    import torch

    from archspec.contract.torch_module import TorchRunner
    from archspec.weights import load as load_weights

    checked = found.subject.checked
    count = checked.cost.parameters
    help = "leave out what is measured with `--proved`, or compare the small copies with `--reduced`"
    require(checked.cost.weight_bytes, f"`{checked.spec.name}` has {count:,} parameters", help)
    # The random state of the caller stays as it is.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = compile(checked, expose=paths)
    if weights is not None:
        module.load_state_dict(load_weights(checked.spec, weights), strict=True)
    # Gradients are taken of inputs alone.
    module.eval().requires_grad_(False)
    return TorchRunner(module, checked.spec.inputs, exposed(checked.spec, paths).outputs)


def _followed(output: str, stage: ModelStage | None) -> Followed:
    """A stage under moves along the last axis; what has no positions in known places should stay as it is."""
    if stage is None:
        return Followed(output=output)
    motion = stage.motions[-1]
    return Followed(output=output, place=motion.place if stage.has_places else None, bounded=motion.has_field)


def _moves(found: Analysed, followed: Sequence[Followed]) -> list[int]:
    """The moves to try, shorter than the axis: all, or a few where a run costs much, and the unit of each stage."""
    length = found.subject.lengths[-1]
    cost = found.at(found.subject.checked.cost.flops)
    tried = {*(MOVES if cost * len(MOVES) <= _MOST_FLOPS else FEW), *(one.unit for one in followed)}
    return sorted(by for by in tried if by < length)


def _effective(
    found: Analysed, runner: TorchRunner, arrays: Arrays, names: Mapping[int, str], seed: int
) -> EffectiveField | None:
    """The effective field of the middle position of the last stage with positions; None where there is none."""
    from archspec.contract.effective_field import gradient_energy, within

    subject = found.subject
    assert subject.source is not None
    if not names:
        return None
    last = max(names)
    place = middle(found, found.stages[last])
    if place is None:
        return None
    at, centre = place
    energy = gradient_energy(runner, arrays, (subject.source.name, subject.axes), names[last], at, seed)
    if energy is None:
        return None
    return EffectiveField(
        stage=found.stages[last],
        position=tuple(at.values()),
        centre=centre,
        energy=energy,
        shares=within(energy, centre),
    )


def middle(found: Analysed, stage: ModelStage) -> tuple[dict[int, int], tuple[float, ...]] | None:
    """The middle position of a stage, by axis of its value, and the middle of its field in positions of the input."""
    sizes = found.subject.sizes
    wanted: dict[int, set[int]] = {}
    centre = []
    for motion in stage.motions:
        place = motion.place
        assert place is not None
        m = place.size.value(sizes) // 2
        positions = range(stage.value.type.shape[place.axis].value(sizes))
        fits = {p for p in positions if number_at(place, p, len(positions), sizes) == m}
        # Two axes of an image may lie on one axis of the tokens.
        wanted[place.axis] = wanted.get(place.axis, fits) & fits
        centre.append(float(place.span * m + _offset(place)))
    if not all(wanted.values()):
        return None
    return {axis: min(found) for axis, found in wanted.items()}, tuple(centre)


def _offset(place: Moves) -> float:
    """How far the centre is from the position: the middle of the field.

    It is the position itself for what looks to one side alone, as a decoder does: how much it uses of what is near
    could not be compared between a decoder with a window and one without.
    """
    is_one_sided = place.span == 1 and 0 in (place.low, place.high)
    return 0.0 if is_one_sided else float(place.low + place.high) / 2


def number_at(place: Moves, position: int, length: int, sizes: Mapping[str, int]) -> int | None:
    """Which of those that move stands at a position of an axis of some length; None for one beside them."""
    front, back = place.front.value(sizes), place.back.value(sizes)
    if not front <= position < length - back:
        return None
    return (position - front) // place.inner.value(sizes) % place.size.value(sizes)
