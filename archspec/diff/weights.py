"""Names of parameters that were exchanged, and layouts of published weights that map another way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product

from archspec.analyses.parameters import numbered, owned_groups
from archspec.diagnostics import Collector
from archspec.diff.changes import Change, Loading
from archspec.diff.words import listed
from archspec.ir.graph import Graph
from archspec.layouts.bind import bind
from archspec.layouts.layout import Layout, collect_layout
from archspec.layouts.operations import Operation, Shape
from archspec.layouts.parameters import shape_of
from archspec.layouts.read import layout_nodes
from archspec.record import field_names
from archspec.spec import Spec
from archspec.spec.inheritance import canonical
from archspec.text.nodes import MapNode, Node, TextNode


def crossed_names(found: Loading, before: Graph) -> Iterator[Change]:
    """Parameters that have the old name of another one: loaded by name, they would hold what is another's."""
    old = {group.pattern for group in owned_groups(before)} if found.moves else set()
    crossed = [(one, other) for one, other in found.moves if other in old]
    if crossed:
        told = ", ".join(f"`{other}` is what `{one}` was" for one, other in crossed)
        yield Change(
            kind="weights",
            places=tuple(other for _, other in crossed),
            text=f"names of parameters are exchanged: {told}",
            effect="exchanged",
        )


def layout_changes(before: Spec, after: Spec, sources: Callable[[], Mapping[str, str]]) -> Iterator[Change]:
    """Layouts that have come or gone, and those that make some parameter of other tensors.

    `sources` gives the first spec's path of each parameter of the second, for when it is needed.
    """
    old, new = dict(layout_nodes(before)), dict(layout_nodes(after))
    for name in sorted(old.keys() - new.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is gone", effect="lost")
    for name in sorted(new.keys() - old.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is new", effect="gained")
    for name in sorted(old.keys() & new.keys()):
        if _written(before, old[name]) == _written(after, new[name]):
            continue
        (one, around), (other, its) = _maps(before, name, old[name], {}), _maps(after, name, new[name], sources())
        # What only one spec has is told elsewhere.
        if around != its or any(one[ours] != other[ours] for ours in one.keys() & other.keys()):
            told = f"weights layout {listed([name])} maps names another way"
            yield Change(kind="weights", places=(name,), text=told, effect="replaced")


def _written(spec: Spec, node: Node) -> object:
    """A layout as it is written, with the constants that it uses."""
    words = {word for text in _numbers(node) for word in re.findall(r"\w+", text)}
    return canonical(node), {name: number for name, number in spec.constants.items() if name in words}


def _numbers(node: Node, *, is_number: bool = False) -> Iterator[str]:
    """The texts of a layout that may read constants: all others are names."""
    if isinstance(node, MapNode):
        for entry in node.entries:
            yield from _numbers(entry.value, is_number=is_number or entry.key.value in ("sizes", "index"))
    elif isinstance(node, TextNode) and is_number:
        yield node.value


Ours = tuple[str, tuple[int, ...]]
"""A parameter by its path in the first spec, and the numbers of its layers."""


def _maps(spec: Spec, name: str, node: Node, sources: Mapping[str, str]) -> tuple[dict[Ours, object], object]:
    """What each parameter is made of, under the first spec's paths, and what is renamed and left out before."""
    # What cannot be bound is for `check` to tell.
    unused = Collector()
    layout = collect_layout(name, node, spec.constants, unused)
    shapes: dict[str, Shape] = {}
    ours: dict[str, Ours] = {}
    for group in owned_groups(spec.graph):
        for layers in product(*(_chosen(layout, found) for found in group.layers)):
            own = numbered(group.pattern, layers)
            shapes[own] = shape_of(group.parameter.type)
            ours[own] = sources.get(group.pattern, group.pattern), layers
    made: dict[Ours, object] = {}
    for binding in bind(layout, shapes, unused):
        theirs = tuple(map(str, binding.theirs)), binding.indices, binding.rest
        for number, own in enumerate(binding.ours):
            # A split gives several parameters, each of them another part.
            made[ours[own]] = (theirs, tuple(map(_told, binding.line.operations)), number)
    renames = [(str(one.old), str(one.new)) for one in layout.renames]
    ties = sorted((str(one.name), str(one.other)) for one in layout.tied.ties)
    return made, (layout.prefixes, renames, ties, sorted(map(str, layout.skip)))


def _chosen(layout: Layout, layers: tuple[int, ...]) -> list[int]:
    """The layers that tell what a layout does with all: every one where numbers are computed, else a few."""
    if any(line.numberings for line in layout.lines):
        return list(layers)
    # A `*` is the same for every layer; one that a line names is not.
    named = {int(number) for line in layout.lines for number in re.findall(r"\d+", str(line.ours))}
    return [layer for layer in layers if layer in named or layer in layers[:2]]


def _told(operation: Operation) -> object:
    """An operation without the sizes that it is given, which follow from those of the parameters."""
    fields = ((name, getattr(operation, name)) for name in field_names(operation) if name not in ("span", "sizes"))
    return operation.word, tuple((name, str(value)) for name, value in fields)
