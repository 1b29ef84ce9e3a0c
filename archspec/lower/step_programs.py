"""The programs of a decoder's cached step, which engines build: plain modules whose state goes in and comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from archspec.algebra.dim import Dim, Symbol
from archspec.analyses.cache import KeptValue
from archspec.analyses.causal_reads import causal_keys
from archspec.ir.graph import Graph
from archspec.ir.types import DType, TensorType
from archspec.lower.cached import Cached
from archspec.lower.emission import cached, header_of
from archspec.lower.errors import LoweringError
from archspec.lower.flat import FlatPort, flat_file, layer_name
from archspec.lower.naming import class_name
from archspec.model.checked import Checked
from archspec.model.ports import Interface, Port
from archspec.passes.base import run_passes
from archspec.passes.fuse_attention import FuseAttention
from archspec.passes.incremental.incremental import Incremental
from archspec.record import record

StepPart = Literal["step", "once"]


@record(eq=False)
class StepProgram:
    """One program: the text of its file, the name of its class, and its interface.

    A value of the state that is stacked over layers is one input a layer, with the number of the layer in its name.
    """

    part: StepPart
    text: str
    module: str
    interface: Interface


@record(eq=False)
class StepPrograms:
    """The step of a decoder, and what is computed once before the first step, if anything is.

    The step takes the new entries of the `fed` inputs, `past` int64 [rows], `last` int64 [rows] (which of the new
    positions of each row its output is at), `count` int64 [rows] where a ring is kept, the inputs that are `held`, and
    the state. It returns `output` [rows, ...] and what replaces the state.
    """

    step: StepProgram
    once: StepProgram | None
    found: Incremental
    fed: tuple[str, ...]
    held: tuple[str, ...]
    given: tuple[str, ...]
    output: str

    @property
    def all(self) -> tuple[StepProgram, ...]:
        """The programs, the step first."""
        return (self.step,) if self.once is None else (self.step, self.once)

    @property
    def axes(self) -> Mapping[str, int | None]:
        """The axis of the rows of each value of the state and each held input that has rows.

        It is that of the whole value, over all layers, but for what is made once, which has one input a layer. None
        where the rows are not an axis of their own.
        """
        rows, found = self.found.rows, dict[str, int | None]()
        for one in self.found.state:
            axis = row_axis(one.type, rows, one.layers)
            if one.kind == "once":
                # The part of each layer is an input by itself, without the axis of layers.
                axis = [None if n is None else n - one.layers for n in axis]
                found |= {port: axis[0] for port in ports_of(one, one.name) if axis}
            elif axis:
                found[one.name] = axis[0]
        for name in self.held:
            axis = row_axis(self.step.interface.inputs[name].type, rows, 0)
            if axis:
                found[name] = axis[0]
        return found

    @property
    def updates(self) -> Mapping[str, str]:
        """The output that replaces each input of the state that changes."""
        return {
            old: new
            for one in self.found.state
            if one.update is not None
            for old, new in zip(ports_of(one, one.name), ports_of(one, one.update), strict=True)
        }

    @property
    def buffers(self) -> tuple[str, ...]:
        """The inputs of the state of the form [b h length d], in which the entry of position p stands at index p."""
        ports = self.step.interface.inputs
        kept = (one for one in self.found.state if one.kind == "whole")
        names = (name for one in kept for name in ports_of(one, one.name) if one.axis == one.layers + 2)
        floats = (name for name in names if ports[name].type.dtype is DType.FLOAT)
        return tuple(name for name in floats if ports[name].type.rank == 4 and self._leads(ports[name].type))

    @property
    def causal(self) -> tuple[str, ...]:
        """Those of `buffers` that are keys of attentions that have no mask but causality."""
        keys = causal_keys(self.found.step)
        ports = {port for one in self.found.state if one.name in keys for port in ports_of(one, one.name)}
        return tuple(name for name in self.buffers if name in ports)

    def _leads(self, type_: TensorType) -> bool:
        return row_axis(type_, self.found.rows, 0) == [0]


def row_axis(type_: TensorType, rows: Dim, first: int) -> list[int | None]:
    """The axis of the rows of a type, from the axis `first` on; [None] where rows are part of another, [] without."""
    axes = [axis for axis, size in enumerate(type_.shape) if size.symbols() & rows.symbols()]
    if not axes:
        return []
    return [axes[0] if len(axes) == 1 and type_.shape[axes[0]] == rows and axes[0] >= first else None]


def ports_of(kept: KeptValue, name: str) -> tuple[str, ...]:
    """The inputs or outputs of a program for one value of the state: one a layer, if it is stacked over layers."""
    if not kept.layers:
        return (name,)
    count = kept.type.shape[0].constant
    assert count is not None
    return tuple(layer_name(name, layer) for layer in range(count))


def step_programs(checked: Checked) -> StepPrograms | None:
    """The programs of a spec's cached step; None where it does not decode in steps.

    Raises:
        SpecError: E501 or E502 if a module cannot express the step.
    """
    made = cached(checked.spec, {})
    if made is None:
        return None
    step = run_passes(made.step, (FuseAttention(),)).graph if _has_rows(made.found) else made.step
    return StepPrograms(
        step=_program(checked, made, "step", step),
        once=None if made.once is None else _program(checked, made, "once", made.once),
        found=made.found,
        fed=tuple(value.name for value in made.fed),
        held=tuple(value.name for value in made.held),
        given=tuple(value.name for value in made.given),
        output=made.step.output_names[0],
    )


def _has_rows(found: Incremental) -> bool:
    """Whether steps take any number of rows, and what they keep has an axis of rows, so that they can be run apart."""
    kept = (row_axis(one.type, found.rows, one.layers) for one in found.state)
    return not found.rows.is_constant and not any(None in axes for axes in kept)


def _program(checked: Checked, made: Cached, part: StepPart, graph: Graph) -> StepProgram:
    name = f"{checked.spec.name}-{part}"
    try:
        flat = flat_file(graph, header_of(checked, name), made.found.new, made.found.length)
    except LoweringError as error:
        error.refuse()
    symbols = {symbol.name: symbol for symbol in (*checked.spec.dims.values(), made.found.new)}
    inputs = {one.name: _port(checked, one) for one in flat.inputs}
    outputs = {one.name: Port(name=one.name, type=one.type) for one in flat.outputs}
    dims = _used(symbols, [*inputs.values(), *outputs.values()])
    interface = Interface(dims=dims, inputs=inputs, outputs=outputs)
    return StepProgram(part=part, text=flat.text, module=class_name(name), interface=interface)


def _port(checked: Checked, one: FlatPort) -> Port:
    """An input, with the promises of the spec's input that it is."""
    given = checked.spec.inputs.get(one.name)
    if given is None:
        return Port(name=one.name, type=one.type)
    return Port(name=one.name, type=one.type, default=given.default, padding=given.padding, sorted=given.sorted)


def _used(symbols: Mapping[str, Symbol], ports: list[Port]) -> dict[str, Symbol]:
    """The dims that occur in ports, in the declared order."""
    used = {symbol.name for port in ports for size in port.type.shape for symbol in size.symbols()}
    used |= {symbol.name for port in ports if port.type.bound is not None for symbol in port.type.bound.symbols()}
    return {name: symbol for name, symbol in symbols.items() if name in used}
