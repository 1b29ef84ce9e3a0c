"""What is compared of a spec: an input whose positions count, an output that depends on it, and sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NoReturn

from archspec.algebra.dim import Symbol
from archspec.analyses.field import ReceptiveFields
from archspec.checking.fields import position_axes
from archspec.diagnostics import Collector, did_you_mean, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.model.checked import Checked
from archspec.model.solving import admits
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.rule_axes import leading_dims


@record(eq=False)
class Compared:
    """A spec, with the input and output that the comparison is about.

    `source` is None where no input has positions; `axes` are those of it that number them, and `sizes` has all dims.
    """

    label: str
    checked: Checked
    source: Value | None
    output: str
    axes: Sequence[int]
    sizes: Mapping[str, int]
    fields: ReceptiveFields

    @property
    def spec(self) -> Spec:
        """The spec."""
        return self.checked.spec

    @property
    def unit(self) -> str:
        """What the positions of the input are called: `pixels` of an image [batch, channels, height, width]."""
        type_ = None if self.source is None else self.source.type
        return "pixels" if type_ is not None and type_.dtype is DType.FLOAT and type_.rank == 4 else "positions"

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """How many positions each of the axes has."""
        return () if self.source is None else tuple(self.source.type.shape[k].value(self.sizes) for k in self.axes)


def compared(
    label: str, checked: Checked, inputs: Sequence[str], outputs: Sequence[str], at: Mapping[str, int]
) -> Compared:
    """Choose what is compared of a spec.

    Args:
        label: the name of its column.
        checked: the accepted spec.
        inputs, outputs: names given by the user; those that the spec does not have are for others.
        at: sizes of dims given by the user; rows of a batch are 1 and other dims typical where it says nothing.

    Raises:
        SpecError: E755 where several inputs or outputs could be meant or nothing depends on the input, E716 or E717 for
            a size that the spec does not admit.
    """
    spec = checked.spec
    fields = ReceptiveFields(spec.graph)
    axes = _axes(spec)
    source = _source(spec, fields, axes, inputs)
    output = _output(spec, fields, source, axes, outputs)
    own = () if source is None else axes[source]
    sizes = sizes_at(spec, at)
    return Compared(label=label, checked=checked, source=source, output=output, axes=own, sizes=sizes, fields=fields)


def _axes(spec: Spec) -> dict[Value, Sequence[int]]:
    """The axes of inputs that number positions, but of bools, which are masks."""
    return {value: axes for value, axes in position_axes(spec).items() if value.type.dtype is not DType.BOOL}


def _reached(spec: Spec, fields: ReceptiveFields, source: Value, axis: int) -> list[str]:
    """The outputs that depend on an input."""
    return [name for name, value in spec.outputs.items() if fields.of(value, source, axis) is not None]


def _source(
    spec: Spec, fields: ReceptiveFields, axes: Mapping[Value, Sequence[int]], names: Iterable[str]
) -> Value | None:
    """The input that is compared; None where none has positions. Raises SpecError E755."""
    named = [value for value in spec.graph.inputs if value.name in names]
    for value in named:
        if value not in axes:
            fail("E755", f"the input `{value.name}` of {spec.name} has no positions to compare: {value.type}", None)
    # An input that may be left out is compared only where it is named.
    needed = [value for value in axes if spec.inputs[value.name].default is None]
    found = named or [value for value in needed if _reached(spec, fields, value, axes[value][0])]
    if len(found) > 1:
        _several(spec, "input", [value.name for value in found])
    if not found and needed:
        have = ", ".join(f"`{value.name}`" for value in needed)
        fail("E755", f"no output of {spec.name} depends on {have}", None, help="compare specs that compute from inputs")
    return found[0] if found else None


def _output(
    spec: Spec,
    fields: ReceptiveFields,
    source: Value | None,
    axes: Mapping[Value, Sequence[int]],
    names: Iterable[str],
) -> str:
    """The output that is compared. Raises SpecError E755."""
    every = list(spec.outputs)
    found = every if source is None else _reached(spec, fields, source, axes[source][0])
    named = [name for name in every if name in names]
    if source is not None:
        for name in named:
            if name not in found:
                fail("E755", f"the output `{name}` of {spec.name} does not depend on `{source.name}`", None)
    chosen = named or found
    if len(chosen) > 1:
        _several(spec, "output", chosen)
    if not chosen:
        # Without a source every output may be compared, and a spec has outputs.
        assert source is not None
        fail("E755", f"no output of {spec.name} depends on `{source.name}`", None)
    return chosen[0]


def _several(spec: Spec, kind: str, names: Sequence[str]) -> NoReturn:
    """Raise SpecError E755: several could be meant."""
    have = ", ".join(f"`{name}`" for name in names)
    help = f"choose one: `--{kind} {names[0]}`"
    fail("E755", f"{spec.name} has {len(names)} {kind}s that can be compared: {have}", None, help=help)


def check_names(specs: Sequence[Spec], inputs: Sequence[str], outputs: Sequence[str], dims: Iterable[str]) -> None:
    """Raise SpecError E755 for a name that no spec has."""
    kinds = (
        ("input", inputs, {name for spec in specs for name in spec.inputs}),
        ("output", outputs, {name for spec in specs for name in spec.outputs}),
        ("dim", dims, {name for spec in specs for name in spec.dims}),
    )
    for kind, given, known in kinds:
        for name in given:
            if name not in known:
                help = did_you_mean(name, known, kind=f"{kind}s")
                fail("E755", f"no spec has the {kind} `{name}`", None, help=help)


def check_weights(labels: Sequence[str], weights: Iterable[str]) -> None:
    """Raise SpecError E755 for weights of a spec that is not compared."""
    for name in weights:
        if name not in labels:
            help = did_you_mean(name, labels, kind="specs")
            fail("E755", f"weights are given for `{name}`, which is not compared", None, help=help)


def sizes_at(spec: Spec, at: Mapping[str, int]) -> dict[str, int]:
    """The size of every dim: as given, else one row of a batch and the typical size of others. Raises E716 or E717."""
    rows = {symbol.name for symbol in leading_dims(value.type for value in spec.graph.inputs)}
    return {
        name: _admitted(spec, symbol, at[name])
        if name in at
        else (max(symbol.min, symbol.multiple) if name in rows else symbol.typical)
        for name, symbol in spec.dims.items()
    }


def _admitted(spec: Spec, symbol: Symbol, size: int) -> int:
    """A size that a dim admits. Raises SpecError E716 or E717."""
    found = Collector()
    admits(symbol, size, f"the dim `{symbol.name}` of {spec.name} is {size}", found)
    found.raise_if_errors()
    return size
