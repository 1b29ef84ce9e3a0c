"""What a printed witness says, tried on the module, and on exact wiring where the module shows nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from archspec.ir.graph import Node, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.rules.verdict import Verdict
from archspec.spec import Spec
from tests.rules.brute import Brute, State
from tests.yaml_fuzz.observe import Change, Subject, World, places_of
from tests.yaml_fuzz.questions import Question

_TRIES = 6


def again(subject: Subject, question: Question, change: Change) -> bool:
    """Whether a rule is broken in runs of the two inputs alone, too, under some parameters."""
    generator = np.random.default_rng(0)
    for _ in range(_TRIES):
        subject.fill(generator)
        value = subject.value(change.source)
        alone = [Change(change.world, change.source, change.places, change.after)]
        if not value.fed:
            alone = subject.changes(change.world, value, generator)
        if subject.watch(change.world, alone) and any(question.broken_by(one) for one in alone):
            return True
    return False


def told(question: Question, change: Change) -> str:
    """A change that breaks a rule, in a few words."""
    seen = change.moved[question.output]
    wrong = np.argwhere(seen & question.claim(change, seen.shape))[0].tolist()
    place = change.places[0]
    controls = {k: v.tolist() for k, v in change.world.inputs.items() if v.dtype.kind != "f"}
    moves = f"{question.output} at {wrong} moves with {question.source} at {list(place)}"
    return f"{moves}; sizes {change.world.sizes}; {controls}"


def replayed(
    question: Question, verdict: Verdict, subject: Subject, spec: Spec, generator: np.random.Generator
) -> tuple[str, str]:
    """`broken` where the module moves as the printed witness says, `wired` where exact wiring does, else `false`."""
    notes = [note for found in verdict.diagnostics for note in found.notes]
    sizes = _sizes(notes, subject)
    if sizes is None:
        return "false", "no witness is printed"
    printed = dict(_controls(notes))
    for world in _worlds(subject, sizes, printed, generator):
        value = subject.value(question.source)
        changes = subject.changes(world, value, generator)
        subject.watch(world, changes)
        if any(question.broken_by(change) for change in changes if change.moved):
            return "broken", ""
    if question.source in subject.inner.values:
        return "wired", ""
    for _ in range(4 * _TRIES):
        world = World(sizes, _put(subject.draw(sizes, generator), printed))
        if wired(question, subject, spec, world):
            return "wired", ""
    return "false", f"sizes {sizes}; { ({k: v.tolist() for k, v in printed.items()}) }"


def _sizes(notes: list[str], subject: Subject) -> dict[str, int] | None:
    for note in notes:
        if note.startswith("sizes: "):
            return {name: int(size) for name, size in re.findall(r"(\w+) = (\d+)", note)}
    return {} if not subject.draft.dims else None


def _controls(notes: list[str]) -> Iterator[tuple[str, NDArray]]:
    for note in notes:
        found = re.fullmatch(r"`(\w+)` is (.*)", note)
        if found:
            yield found[1], np.asarray(json.loads(found[2]))


def _worlds(
    subject: Subject, sizes: dict[str, int], printed: dict[str, NDArray], generator: np.random.Generator
) -> Iterator[World]:
    """The printed world under other parameters and other values of what is not printed; each row of it alone first."""
    for attempt in range(_TRIES):
        subject.fill(generator)
        inputs = _put(subject.draw(sizes, generator), printed)
        rows = sizes.get("batch", 1)
        if attempt % 2 == 0 or rows == 1:
            yield World(sizes, inputs)
            continue
        for row in range(rows):
            alone = {
                name: array[row : row + 1] if subject.draft.inputs[name].axes[0].text == "batch" else array
                for name, array in inputs.items()
            }
            yield World({**sizes, "batch": 1}, alone)


def _put(inputs: dict[str, NDArray], printed: dict[str, NDArray]) -> dict[str, NDArray]:
    """The inputs with those that are printed in their places."""
    given = {
        name: array.astype(inputs[name].dtype).reshape(inputs[name].shape)
        for name, array in printed.items()
        if name in inputs
    }
    return {**inputs, **given}


class _Wiring(Brute):
    """Matrices where a float chooses integers, too: those restrict nothing."""

    def _array(self, op: Primitive, value: Value, operands: Sequence[State], number: int) -> NDArray | None:
        if any(operand.array is None for operand in operands):
            return None
        return super()._array(op, value, operands, number)

    def _node(self, node: Node, operands: Sequence[State]) -> list[State]:
        if not isinstance(node.op, Repeat):
            return super()._node(node, operands)
        carried, taken = operands[0], {}
        for layer, body in enumerate(node.op.schedule):
            results = self._region(node.regions[body], [carried, *operands[1:]])
            carried = results[0]
            taken.update({(layer, number): result for number, result in enumerate(results)})
        return [carried, *(taken[tap.layer, tap.output] for tap in node.op.taps)]


def wired(question: Question, subject: Subject, spec: Spec, world: World) -> bool:
    """Whether boolean matrices, node by node, show what the rule promises not to be."""
    controls = {name: array for name, array in world.inputs.items() if array.dtype.kind != "f"}
    value = subject.draft.inputs[question.source]
    try:
        states = _Wiring(spec.graph, controls, world.sizes).states
    except KeyError:
        return True  # a control that floats choose: wiring cannot tell
    state = states[spec.graph.output_names.index(question.output)]
    if question.source not in state.reads:
        return False
    output = spec.graph.outputs[spec.graph.output_names.index(question.output)]
    shape = tuple(size.value(world.sizes) for size in output.type.shape)
    own = world.inputs[value.name].shape
    matrix = state.reads[question.source].reshape(*shape, *own)
    # Positions alone count here: what a predicate fixes of a value does not.
    for place in places_of(value, own):
        change = Change(world, value.name, (place,), world.inputs[value.name])
        seen = np.zeros(shape, bool)
        for place in change.places:
            index = tuple(slice(None) if k is None else k for k in place)
            part = matrix[(..., *index)]
            seen |= part.reshape(*shape, -1).any(axis=-1)
        change.moved = {question.output: seen}
        if question.broken_by(change):
            return True
    return False
