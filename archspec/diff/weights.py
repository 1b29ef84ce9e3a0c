"""Names of parameters that were exchanged, and layouts of published weights that map another way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from archspec.analyses.parameters import expand
from archspec.diagnostics import Collector
from archspec.diff.changes import Change, Loading
from archspec.diff.words import listed
from archspec.ir.graph import Graph
from archspec.layouts.bind import bind
from archspec.layouts.layout import collect_layout
from archspec.layouts.operations import Operation
from archspec.layouts.parameters import parameter_shapes
from archspec.layouts.read import layout_nodes
from archspec.record import field_names
from archspec.spec import Spec
from archspec.spec.inheritance import canonical
from archspec.text.nodes import Node


def crossed_names(found: Loading, before: Graph) -> Iterator[Change]:
    """Parameters that have the old name of another one: loaded by name, they would hold what is another's."""
    old = {parameter.path for parameter in expand(before).values()}
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

    `sources` gives the first spec's name of each parameter of the second, for when it is needed.
    """
    old, new = dict(layout_nodes(before)), dict(layout_nodes(after))
    for name in sorted(old.keys() - new.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is gone", effect="lost")
    for name in sorted(new.keys() - old.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is new", effect="gained")
    for name in sorted(old.keys() & new.keys()):
        if _written(before, old[name]) == _written(after, new[name]):
            continue
        names = sources()
        (one, *around), (other, *its) = _maps(before, name, old[name], {}), _maps(after, name, new[name], names)
        # What only one spec has is told elsewhere.
        if around != its or any(one[ours] != other[ours] for ours in one.keys() & other.keys()):
            told = f"weights layout {listed([name])} maps names another way"
            yield Change(kind="weights", places=(name,), text=told, effect="replaced")


def _written(spec: Spec, node: Node) -> object:
    """A layout as it is written, with the constants that it may use."""
    return canonical(node), {name: str(number) for name, number in spec.constants.items()}


def _maps(spec: Spec, name: str, node: Node, names: Mapping[str, str]) -> tuple[dict[str, object], *tuple[object, ...]]:
    """What each parameter is made of, under the first spec's names, and what is renamed and left out before."""
    found = Collector()
    layout = collect_layout(name, node, spec.constants, found)
    made: dict[str, object] = {}
    for binding in bind(layout, parameter_shapes(spec.graph), found):
        theirs = tuple(map(str, binding.theirs)), binding.indices, binding.rest
        for number, ours in enumerate(binding.ours):
            # A split gives several parameters, each of them another part.
            part = number if len(binding.ours) > 1 else 0
            made[names.get(ours, ours)] = (theirs, tuple(map(_told, binding.line.operations)), part)
    renames = [(str(one.old), str(one.new)) for one in layout.renames]
    ties = sorted((str(one.name), str(one.other)) for one in layout.tied.ties)
    return made, layout.prefixes, renames, ties, sorted(map(str, layout.skip)), [one.code for one in found.diagnostics]


def _told(operation: Operation) -> object:
    """An operation without the sizes that it is given, which follow from those of the parameters."""
    fields = ((name, getattr(operation, name)) for name in field_names(operation) if name not in ("span", "sizes"))
    return operation.word, tuple((name, str(value)) for name, value in fields)
