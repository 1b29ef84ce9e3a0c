"""Check that the layouts of a spec can be read and map every parameter once; no checkpoint is needed."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import product

from archspec.analyses.parameters import Group, numbered, owned_groups
from archspec.diagnostics import Collector, Diagnostic, SpecError
from archspec.layouts.bind import bind
from archspec.layouts.layout import Layout, collect_layout
from archspec.layouts.operations import Shape
from archspec.layouts.parameters import mapped_shapes, shape_of
from archspec.layouts.read import layout_nodes
from archspec.layouts.their_names import check_taken_once, check_ties
from archspec.spec import Spec
from archspec.text.nodes import Node


def layout_diagnostics(spec: Spec) -> tuple[Diagnostic, ...]:
    """Return everything that is wrong in the `weights` section of a spec, over all its layouts.

    Codes are E202 to E204 for keys and values of the wrong kind, E510 and E511 for names and operations that do not
    parse or pair, E512 for a line that names no parameter, E515 for parameters that no line maps, E516 for a name that
    two lines map, E525 for a tie that belongs to no line or that lines map on both sides. The result is empty if all is
    well. Loads neither torch nor NumPy.
    """
    found = Collector()
    groups = tuple(owned_groups(spec.graph))
    for name, node in layout_nodes(spec):
        with found.catching():
            _check(name, node, spec, groups, found)
    return found.diagnostics


def _check(name: str, node: Node, spec: Spec, groups: Sequence[Group], found: Collector) -> None:
    """Check one layout: on sampled layers, and on all if those show an error or the layout has an `index`."""
    here = Collector()
    layout = collect_layout(name, node, spec.constants, here)
    readable = not here.has_errors
    # An `index` treats layers differently, so samples of layers say nothing about the others.
    if any(line.numberings for line in layout.lines) or not _fits(layout, groups):
        _bind(layout, mapped_shapes(spec.graph), here)
    for one in here.diagnostics:
        # It is unknown what a line that cannot be read would have mapped.
        if readable or one.code not in ("E515", "E525"):
            found.add(one)


def check_layouts(spec: Spec) -> None:
    """Raise SpecError with `layout_diagnostics` if there are any."""
    found = layout_diagnostics(spec)
    if found:
        raise SpecError(found)


def _fits(layout: Layout, groups: Sequence[Group]) -> bool:
    """Whether a layout maps every parameter once.

    Judged at one layer of each kind: a `*` treats all layers alike that hold the same parameters.
    """
    found = Collector()
    _bind(layout, _samples(groups, _numbers(layout)), found)
    return not found.diagnostics


def _bind(layout: Layout, ours: Mapping[str, Shape], found: Collector) -> None:
    """Add what is wrong when a layout is bound to these parameters."""
    bindings = bind(layout, ours, found)
    check_taken_once(bindings, found)
    check_ties(layout.tied, bindings, found)


def _samples(groups: Sequence[Group], written: AbstractSet[int]) -> dict[str, Shape]:
    """Return parameters at one layer of each kind that the layout can distinguish.

    Layers differ if the layout writes the number of one (`written`), or if they hold different parameters.
    """
    sets = [set(layers) for layers in dict.fromkeys(layers for group in groups for layers in group.layers)]
    kinds: dict[Hashable, int] = {}
    for layer in sorted(set[int]().union(*sets)):
        kinds.setdefault(layer if layer in written else tuple(layer in layers for layers in sets), layer)
    kept = set(kinds.values())
    samples: dict[str, Shape] = {}
    for group in groups:
        shape = shape_of(group.parameter.type)
        for indices in product(*([layer for layer in layers if layer in kept] for layers in group.layers)):
            samples[numbered(group.pattern, indices)] = shape
    return samples


def _numbers(layout: Layout) -> set[int]:
    """Return the numbers written in our names, such as the 0 of `layers.0`."""
    texts = (str(line.ours) for line in layout.lines)
    # Numbers that are not those of layers, such as the 2 of `w2`, only add samples.
    return {int(number) for text in texts for number in re.findall(r"[0-9]+", text)}
