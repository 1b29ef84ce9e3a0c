"""A decoder in the form that ONNX Runtime GenAI runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.diagnostics import Collector
from archspec.engines.genai.layers import layers_of
from archspec.ir.graph import Graph, Node, Value
from archspec.ir.rewriter import Rewriter
from archspec.ir.types import DType, TensorType
from archspec.masks.leaf import Padding
from archspec.model.ports import Interface, Port
from archspec.ops.state.last_entry import LastEntry
from archspec.passes.base import run_passes
from archspec.passes.hoist_masks import HoistMasks
from archspec.passes.incremental.body import MASK
from archspec.passes.incremental.incremental import Incremental, incremental
from archspec.passes.last_position import LastPosition
from archspec.record import record
from archspec.spec import Spec

IDS, LOGITS = "input_ids", "logits"
PAST = {"key": "past_key_values.%d.key", "value": "past_key_values.%d.value"}
PRESENT = {"key": "present.%d.key", "value": "present.%d.value"}
"""Names of inputs and outputs, with a place for the number of a layer; `genai_config.json` declares them."""


@record
class Slot:
    """The keys or the values of one layer: number `layer` of the cache, `part` is `key` or `value`."""

    layer: int
    part: str

    @property
    def past(self) -> str:
        """The name of its input."""
        return PAST[self.part] % self.layer

    @property
    def present(self) -> str:
        """The name of its output."""
        return PRESENT[self.part] % self.layer


@record
class SlotStack:
    """An input of the step's module: the slots that it stacks along a first axis, or one slot as it is."""

    slots: tuple[Slot, ...]
    stacked: bool


@record(eq=False)
class GenaiForm:
    """A decoder as ONNX Runtime GenAI runs it.

    `step` is the graph to emit: it takes ids, the mask of past and new entries, and stacks of past keys and values; it
    returns logits [rows, vocab] at the last own position of each row, and the grown stacks. `interface` is that of the
    file: each layer's keys and values by name, logits [rows, 1, vocab].
    """

    step: Graph
    stacks: tuple[SlotStack, ...]
    interface: Interface

    @property
    def pasts(self) -> tuple[str, ...]:
        """The names of the inputs that hold past keys and values."""
        return tuple(name for name in self.interface.inputs if name not in (IDS, MASK))

    @property
    def layers(self) -> int:
        """How many layers keep keys and values."""
        return len(self.pasts) // 2


def genai_form(spec: Spec) -> GenaiForm:
    """Return a decoder in the form of ONNX Runtime GenAI.

    Raises SpecError: E627 for each thing that this runtime cannot hold, E748 where there is no decoding in steps.
    """
    problems = Collector()
    for reason in _unsupported(spec):
        problems.error("E627", f"ONNX Runtime GenAI cannot run `{spec.name}`: {reason}", None)
    problems.raise_if_errors()
    assert spec.decode is not None
    found = incremental(spec.graph, spec.decode.input, [spec.decode.output], grows=True)
    for reason in _unheld(found, spec.decode.input):
        problems.error("E627", f"ONNX Runtime GenAI cannot run `{spec.name}`: {reason}", None)
    problems.raise_if_errors()
    stacks = _stacks(found)
    return GenaiForm(step=_emitted(found, spec), stacks=stacks, interface=_interface(found, stacks))


def _unsupported(spec: Spec) -> Iterator[str]:
    """Yield what in a spec the runtime has no place for."""
    if spec.decode is None:
        yield "the spec has no `decode`, so it is unknown which output is fed back"
        return
    if spec.decode.ban:
        ids = ", ".join(map(str, spec.decode.ban[:3]))
        yield f"`ban` of `decode` lists ids ({ids}), but `genai_config.json` has no such list"
    if spec.inputs[spec.decode.input].type.shape[0].is_constant:
        yield f"the number of rows of `{spec.decode.input}` is fixed"


def _unheld(found: Incremental, fed: str) -> Iterator[str]:
    """Yield what a step takes or keeps in addition to the ids, their mask, and keys and values of past positions."""
    state = {one.name: one for one in found.state}
    for value in found.step.inputs:
        if value.name not in {fed, MASK, *state}:
            yield f"each step reads the input `{value.name}`, but the runtime feeds only ids"
    for one in found.state:
        if one.kind == "once":
            yield f"`{one.path}`, {one.type}, is computed once before the first step, as from an encoder"
    if found.has_prefix:
        yield "the mask has a prefix, which the first step would have to cover"
    if not state:
        yield "the step keeps no keys and values of past positions"
    yield from dict.fromkeys(filter(None, map(_unpaired, _by_module(found).values())))


def _by_module(found: Incremental) -> dict[str, dict[str, KeptValue]]:
    """What each module of each layer keeps of past positions, by path, the modules in the order of their paths."""
    made: dict[str, dict[str, KeptValue]] = {}
    for one in (one for one in found.state if one.kind == "whole"):
        for path in _paths(found, one):
            # One module makes the keys and the values of a layer: its path pairs them.
            made.setdefault(path.rpartition(".")[0], {})[path] = one
    return {owner: dict(sorted(made[owner].items())) for owner in sorted(made, key=_natural)}


def _paths(found: Incremental, one: KeptValue) -> list[str]:
    """The paths of the layers' parts of a value, in the order in which it stacks them."""
    return [one.path.replace("*", str(layer)) for layer in layers_of(found.step, one.name)] or [one.path]


def _unpaired(kept: Mapping[str, KeptValue]) -> str | None:
    """Return why what a module keeps is not keys and values: two of one type, [rows, heads, positions, size] each."""
    found = list(kept.values())
    if len(found) == 2 and found[0].type.shape == found[1].type.shape and all(map(_is_heads, found)):
        return None
    listed = ", ".join(f"`{one.path}` {_of_layer(one.type, one)}" for one in found)
    return (
        f"a layer keeps {listed}, but the runtime keeps a key and a value of one type, [rows, heads, positions, size]"
    )


def _is_heads(one: KeptValue) -> bool:
    """Whether a value is [rows, heads, positions, size] in each layer."""
    own = one.type.shape[one.layers :]
    return len(own) == 4 and one.axis == one.layers + 2 and own[1].is_constant and own[3].is_constant


def _stacks(found: Incremental) -> tuple[SlotStack, ...]:
    """Number the layers of the cache: one for each module that keeps something, keys before values."""
    slots = {
        path: Slot(layer=layer, part=part)
        for layer, kept in enumerate(_by_module(found).values())
        for path, part in zip(kept, PAST, strict=True)
    }
    return tuple(
        SlotStack(slots=tuple(slots[path] for path in _paths(found, one)), stacked=bool(one.layers))
        for one in found.state
    )


def _natural(path: str) -> list[tuple[int, str]]:
    """A sort key by which layer 10 follows layer 9."""
    # A part that is no number comes before all numbers, so that parts of both kinds compare.
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.split(".")]


def _emitted(found: Incremental, spec: Spec) -> Graph:
    """The step that computes logits at the last own position of each row alone, with its masks as values."""
    promises: dict[str, Padding] = {}
    graph = run_passes(found.step, (LastPosition(positions=found.new),)).graph
    return run_passes(_at_last(graph, found.new), (HoistMasks(promises=promises),)).graph


def _at_last(graph: Graph, new: Symbol) -> Graph:
    """The graph with the last own position of each row taken from the mask, in place of an input."""
    inputs = {value.name: value for value in graph.inputs}
    changed, op = Rewriter(graph), LastEntry(new=Dim.of(new))
    made = Value("last", op.infer(inputs[MASK].type)[0])
    # The runtime feeds no such input, and its mask says the same.
    changed.inputs.remove(inputs["last"])
    changed.insert_first(Node(op=op, inputs=(inputs[MASK],), outputs=(made,)))
    changed.replace_value(inputs["last"], made)
    return changed.finish()


def _interface(found: Incremental, stacks: Sequence[SlotStack]) -> Interface:
    """The inputs and outputs of the file."""
    ids, mask = found.step.inputs[:2]
    assert found.past is not None
    inputs, outputs = {IDS: ids.type, MASK: mask.type}, {LOGITS: _logits(found.step.outputs[0].type)}
    types = {value.name: value.type for value in found.step.inputs}
    grown = dict(zip(found.step.output_names, (value.type for value in found.step.outputs), strict=True))
    placed = [(slot, one) for stack, one in zip(stacks, found.state, strict=True) for slot in stack.slots]
    # Past and present ones in one order: steps pair them by place.
    for slot, one in sorted(placed, key=lambda pair: (pair[0].layer, pair[0].part)):
        assert one.update is not None
        inputs[slot.past] = _of_layer(types[one.name], one)
        outputs[slot.present] = _of_layer(grown[one.update], one)
    rows = {symbol.name: symbol for symbol in found.rows.symbols()}
    return Interface(
        dims={**rows, found.new.name: found.new, found.past.name: found.past},
        inputs={name: Port(name=name, type=type_) for name, type_ in inputs.items()},
        outputs={name: Port(name=name, type=type_) for name, type_ in outputs.items()},
    )


def _logits(type_: TensorType) -> TensorType:
    """Logits at one position of each row."""
    return TensorType.of(DType.FLOAT, type_.axes[0], 1, type_.axes[2])


def _of_layer(type_: TensorType, one: KeptValue) -> TensorType:
    """The type of one layer's part of a stack."""
    return TensorType(type_.dtype, type_.axes[one.layers :], type_.bound)
