"""The emitted module of a decoder that has a cached step, as generation calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from archspec.algebra.dim import Symbol
from archspec.decoding.parts import loaded
from archspec.diagnostics import Diagnostic, SpecError
from archspec.ir.graph import Value
from archspec.ir.types import TensorType
from archspec.lower.cached import Cached
from archspec.lower.defaults import Number
from archspec.lower.emission import cached, emit_graph, with_masks
from archspec.lower.modules import class_in
from archspec.model.checked import Checked
from archspec.passes.incremental.incremental import incremental
from archspec.record import record


@record(eq=False)
class StepModule:
    """A module with the methods `new_cache` and `step`.

    `given` are the arguments of `new_cache` after its first two, and `fed` those of `step` before the cache, by the
    names of the spec's inputs; `given_too` and `fed_too` are keywords, which have defaults. `types` are those of the
    fed inputs, with `new` for the number of new positions and `length` for that of the entries that a step reads.
    `axes` are the axes of rows by the field of
    the cache; `selects` says that rows can be taken out of every field. `once` are the fields that no step changes.
    """

    module: Any
    given: tuple[str, ...]
    given_too: Mapping[str, str]
    fed: tuple[str, ...]
    fed_too: Mapping[str, str]
    types: Mapping[str, TensorType]
    new: str
    length: Symbol
    axes: Mapping[str, int]
    selects: bool
    once: frozenset[str]

    def new_cache(self, rows: int, capacity: int, tensors: Mapping[str, Tensor]) -> Any:
        """An empty cache for rows of at most `capacity` positions, from the inputs that are given once, by name."""
        more = {own: tensors[name] for name, own in self.given_too.items()}
        return self.module.new_cache(rows, capacity, *(tensors[name] for name in self.given), **more)

    def sizes(self, cache: Any, new: int) -> dict[str, int]:
        """The sizes of the dims of positions at a step of `new` positions."""
        return {self.new: new, self.length.name: cache.length(new)}

    def step(self, tensors: Mapping[str, Tensor], cache: Any, counts: Tensor) -> tuple[Tensor, Any]:
        """Logits [rows, vocab] at each row's last new position, and the cache after it.

        Args:
            tensors: the fed inputs by name, [rows, new, ...].
            cache: what earlier steps kept; its buffers are written in place.
            counts: int64 [rows], how many of the new positions are the row's own, the first ones.
        """
        more = {own: tensors[name] for name, own in self.fed_too.items()}
        found: tuple[Tensor, Any] = self.module.step(*(tensors[name] for name in self.fed), cache, counts, **more)
        return found

    def selected(self, cache: Any, places: Tensor) -> Any:
        """The cache of some of its rows, by their places."""
        return cache._replace(
            **{field: getattr(cache, field).index_select(axis, places) for field, axis in self.axes.items()}
        )

    def at(self, cache: Any, past: Sequence[int]) -> Any:
        """The cache with another number of positions that each row has had: 0 for a row that begins anew.

        What a row kept behind that number is never read.
        """
        return cache._replace(past=torch.tensor(past, device=cache.past.device), longest=max(past))

    def entered(self, cache: Any, part: Any, rows: Sequence[int]) -> Any:
        """The cache whose `rows` have what was made once for the first rows of another cache, written in place."""
        places = torch.tensor(rows, device=cache.past.device)
        for field in self.once & self.axes.keys():
            axis = self.axes[field]
            getattr(cache, field).index_copy_(axis, places, getattr(part, field).narrow(axis, 0, len(rows)))
        return cache


def step_module(checked: Checked, tensors: Mapping[str, Tensor]) -> StepModule | Diagnostic:
    """The module in eval mode, or why the spec has no cached step.

    Args:
        checked: a spec with a `decode` section.
        tensors: parameters and buffers by the names of the spec, which are shared and not copied; others are ignored.

    Raises:
        SpecError: E501, E502 or E503 if the module cannot be made, E607 if a parameter is missing or has another shape.
    """
    spec = checked.spec
    defaults = {name: one.default for name, one in spec.inputs.items() if one.default is not None}
    made = cached(spec, defaults)
    if made is None:
        return _refusal(checked)
    # No memory for parameters: `loaded` puts the given tensors in their place.
    with torch.device("meta"):
        module: Any = class_in(emit_graph(with_masks(spec), spec.name, checked, defaults, made), spec.name)()
    given, given_too = _parted(made.given, defaults)
    fed, fed_too = _parted(made.fed, defaults)
    axes = _axes(made)
    return StepModule(
        module=loaded(module, spec.name, tensors, _needed(made)),
        given=given,
        given_too=_keywords(module.new_cache, given_too),
        fed=fed,
        fed_too=_keywords(module.step, fed_too),
        types={value.name: value.type for value in made.fed},
        new=made.found.new.name,
        length=made.found.length,
        axes={field: axis for field, axis in axes.items() if axis is not None},
        selects=None not in axes.values() and not made.found.rows.is_constant,
        once=frozenset(
            [made.field_of(value) for value in made.held]
            + [made.fields[one.name] for one in made.found.state if one.kind == "once"]
        ),
    )


def _refusal(checked: Checked) -> Diagnostic:
    """Why a spec has no cached step: the diagnostic of E748."""
    decode = checked.spec.decode
    assert decode is not None
    try:
        incremental(checked.spec.graph, decode.input, [decode.output])
    except SpecError as error:
        return error.diagnostics[0]
    raise AssertionError(f"`{checked.spec.name}` has a cached step that is not emitted")


def _needed(made: Cached) -> frozenset[str]:
    """Paths of the parameters that the methods use, with `*` for the number of a layer."""
    nodes = (node for graph in made.graphs.values() for node in graph.walk())
    return frozenset(parameter.path for node in nodes for parameter in node.parameters.values())


def _parted(values: Iterable[Value], defaults: Mapping[str, Number]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of inputs without a default, and of those with one, each in order."""
    names = [value.name for value in values]
    required = tuple(name for name in names if name not in defaults)
    return required, tuple(name for name in names if name in defaults)


def _keywords(method: Callable[..., Any], names: Sequence[str]) -> dict[str, str]:
    """The keywords of a method, its last arguments, by the names of inputs, which may differ from them."""
    last = list(signature(method).parameters)
    return dict(zip(names, last[len(last) - len(names) :], strict=True))


def _axes(made: Cached) -> dict[str, int | None]:
    """The axis of rows of each field of the cache that has one; None where it is not an axis of its own."""
    rows = made.found.rows
    fields = {made.field_of(value): (value.type, 0) for value in made.held}
    fields |= {made.fields[one.name]: (one.type, one.layers) for one in made.found.state}
    found: dict[str, int | None] = {"past": 0}
    for field, (type, first) in fields.items():
        axes = [axis for axis, size in enumerate(type.shape) if size.symbols() & rows.symbols()]
        if axes:
            # Axes before `first` count layers.
            found[field] = axes[0] if len(axes) == 1 and type.shape[axes[0]] == rows and axes[0] >= first else None
    return found
