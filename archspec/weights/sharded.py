"""Load a checkpoint into a module of which each rank holds a part: each reads its own part, and all report alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import Collector, fail
from archspec.layouts.deferred import Box, Deferred
from archspec.layouts.report import also, and_more
from archspec.spec import Spec
from archspec.weights.agreement import on_any_rank, on_every_rank
from archspec.weights.apply import check_ties_equal, take_step
from archspec.weights.into_module import check_names, check_range, held_tensors, is_in_range, own_shapes, put_parts
from archspec.weights.load import MatchedWeights, WeightsReport, check_floats, matched_weights
from archspec.weights.match import Equal, MatchStep
from archspec.weights.parts import device_of, is_distributed, read_part
from archspec.weights.quantised import Dequantised
from archspec.weights.transfer import deferred
from archspec.weights.values import difference, is_finite

if TYPE_CHECKING:
    from torch import Tensor, nn


def is_sharded(module: nn.Module) -> bool:
    """Whether a module has parameters or buffers that are DTensors."""
    return any(is_distributed(tensor) for tensor in module.state_dict(keep_vars=True).values())


def load_sharded(
    module: nn.Module, spec: Spec, weights: str | Path | Mapping[str, Tensor], layout: str | None = None
) -> WeightsReport:
    """Load a checkpoint into a module whose parameters are DTensors, all of it on every rank or nothing on any.

    Every rank of the default process group calls it, with the same checkpoint. A rank reads what it holds, and of a
    stage of a pipeline its own tensors; from mapped files only that. A tensor in fp8 or of a GGUF file is read whole,
    one at a time. A module on the meta device gets memory on the devices of its mesh.
    Raises SpecError as on one process, E940 where another rank failed alone.
    """
    device = device_of(module.state_dict(keep_vars=True).values())
    with ExitStack() as stack:
        with on_every_rank(device):
            found = stack.enter_context(matched_weights(spec, weights, layout))
            ours = own_shapes(module, found.ours)
            actual, held = held_tensors(module, ours)
            check_names(held, ours)
            _check_placements(held)
            parts, wrong = _read(found, held)
            check_floats(spec.graph, parts)
        _report_wrong(found, held, on_any_rank(wrong, device))
        put_parts(module, {actual[name]: (held[name], part) for name, part in parts.items()})
        return replace(found.report(), tensors=len(ours))


class _Stored(Deferred):
    """A tensor of a checkpoint; what is read of it is compared with the tensors that must equal it."""

    def __init__(self, name: str, tensors: Dequantised, others: Iterable[str]) -> None:
        super().__init__(tensors.shapes[name])
        self._name, self._tensors, self._others = name, tensors, tuple(others)
        self.is_right = all(tensors.shapes[other] == self.shape for other in self._others)

    def read(self, box: Box) -> Tensor:
        """Read a box; note values that are not finite, or not those of another tensor that must equal this one."""
        part = self._tensors.part(self._name, box)
        if self.is_right:
            others = (self._tensors.part(other, box) for other in self._others)
            self.is_right = is_finite(part) and all(difference(part, other) is None for other in others)
        return part


def _check_placements(held: Mapping[str, Tensor]) -> None:
    """Raise E607 for parameters that are stored as terms: which rank is to hold the value is not known."""
    terms = [
        name
        for name, one in held.items()
        if is_distributed(one) and any(placement.is_partial() for placement in one.placements)
    ]
    if terms:
        help = "distribute it as `Replicate` or `Shard`"
        fail("E607", f"`{terms[0]}`{and_more(terms)} is partial on its mesh", None, notes=also(terms), help=help)


def _read(weights: MatchedWeights, held: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[bool]]:
    """Return what this rank holds of each tensor of ours, and for each step whether something in it is wrong."""
    others: dict[str, list[str]] = defaultdict(list)
    for equal in weights.match.equal:
        others[equal.taken].append(equal.other)
    parts: dict[str, Tensor] = {}
    wrong = []
    for step in weights.match.steps:
        stored = {name: _Stored(name, weights.tensors, others[name]) for name in step.names}
        rows: list[list[Deferred]] = [[stored[name] for name in row] for row in step.theirs]
        made = deferred(step.operations, rows, [weights.ours[name] for name in step.ours])
        read = {name: read_part(one, held[name]) for name, one in zip(step.ours, made, strict=True) if name in held}
        is_held = all(is_in_range(part, held[name].dtype) for name, part in read.items())
        wrong.append(not (is_held and all(one.is_right for one in stored.values())))
        parts |= read
    return {name: parts[name] for name in weights.ours if name in parts}, wrong


def _report_wrong(weights: MatchedWeights, held: Mapping[str, Tensor], wrong: Sequence[bool]) -> None:
    """Raise E526 and E527 for the steps that some rank found wrong: every rank reads those whole, and says the same."""
    steps = [step for step, is_wrong in zip(weights.match.steps, wrong, strict=True) if is_wrong]
    found = Collector()
    made: dict[str, Tensor] = {}
    for step in steps:
        made |= take_step(step, weights.ours, weights.tensors, found)
    check_ties_equal(_equals(weights, steps), weights.tensors, found)
    found.raise_if_errors()
    for name in weights.ours:
        if name in made and name in held:
            check_range(name, made[name], held[name], found)
    found.raise_if_errors()


def _equals(weights: MatchedWeights, steps: Sequence[MatchStep]) -> list[Equal]:
    """Return the ties of the tensors that some steps take."""
    names = {name for step in steps for name in step.names}
    return [equal for equal in weights.match.equal if equal.taken in names]
