"""Names of parameters that were exchanged, and layouts of published weights that differ."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.analyses.parameters import expand
from archspec.diff.changes import Change, Checkpoint
from archspec.diff.renames import PathNames
from archspec.diff.words import listed
from archspec.ir.graph import Graph
from archspec.spec import Spec
from archspec.text.nodes import MapNode, Node, TextNode


def crossed_names(found: Checkpoint, before: Graph) -> Iterator[Change]:
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


def layout_changes(before: Spec, after: Spec, paths: PathNames) -> Iterator[Change]:
    """Layouts that have come or gone, and those that map another way; names that are only renamed change nothing."""
    for name in sorted(before.weights.keys() - after.weights.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is gone", effect="lost")
    for name in sorted(after.weights.keys() - before.weights.keys()):
        yield Change(kind="weights", places=(name,), text=f"weights layout {listed([name])} is new", effect="gained")
    for name in sorted(before.weights.keys() & after.weights.keys()):
        if _plain(before.weights[name], None) != _plain(after.weights[name], paths):
            told = f"weights layout {listed([name])} maps names another way"
            yield Change(kind="weights", places=(name,), text=told, effect="replaced")


def _plain(node: Node, paths: PathNames | None, *, ours: bool = False) -> object:
    """A layout as data without comments and order, under the first spec's names of parameters."""
    if isinstance(node, TextNode):
        return node.value
    if not isinstance(node, MapNode):
        return [_plain(item, paths) for item in node.items]
    found = {}
    for entry in node.entries:
        key = entry.key.value
        if key != "about":
            named = paths.before(key) if paths is not None and ours else key
            found[named] = _plain(entry.value, paths, ours=key in ("map", "tie"))
    return found
