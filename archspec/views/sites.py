"""All attention nodes of a spec, with the paths that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from archspec.diagnostics import did_you_mean, fail
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.repeat import Repeat
from archspec.ops.attention.attention import Attention
from archspec.record import record
from archspec.spec import Spec


@record
class Site:
    """An attention node. `path` has a `*` for each layer index, and `layers` the indices that each `*` stands for.

    `kind` is the word for the kind of layer that contains it, "" if all layers are of one kind. `module` is the body of
    the module that contains it; None outside of all modules.
    """

    path: str
    layers: tuple[tuple[int, ...], ...]
    kind: str
    node: Node
    op: Attention
    module: Graph | None = None

    def __str__(self) -> str:
        """The path with the kind of layer: `states.layers.*.attention (local)`."""
        return f"{self.path} ({self.kind})" if self.kind else self.path

    @property
    def is_cross(self) -> bool:
        """Whether it is a cross-attention, by its name."""
        return self.path.endswith("cross_attention")

    def at(self, *layers: int) -> str:
        """The path with the given layer indices; without any, with the last ones."""
        numbers = iter(layers or [of_star[-1] for of_star in self.layers])
        return re.sub(r"\*", lambda _: str(next(numbers)), self.path)

    def named_by(self, words: Sequence[str]) -> tuple[int, ...] | None:
        """The layer indices that a path gives for the first stars; None if it does not name this attention.

        A path may name a node that contains the attention, leave out layer indices, and contain the kind of layer.
        """
        parts, found, star, place = self.path.split("."), [], 0, 0
        for word in words:
            # Before a star, a word that is neither the stack nor the kind skips the stack's name and its index.
            if place + 1 < len(parts) and parts[place + 1] == "*" and word not in (parts[place], self.kind):
                place, star = place + 2, star + 1
            if place < len(parts) and parts[place] == "*":
                if not word.isdecimal() or int(word) not in self.layers[star]:
                    return None
                found.append(int(word))
                star += 1
            elif self.kind and word == self.kind:
                continue
            elif place >= len(parts) or word != parts[place]:
                return None
            place += 1
        return tuple(found)


def sites(spec: Spec) -> tuple[Site, ...]:
    """All attention nodes of a spec, in the order of the graph; those with the same path and kind are listed once."""
    found: dict[tuple[str, str], Site] = {}
    for site in _sites(spec.graph, (), ""):
        named = site if site.path else replace(site, path=_named_by_its_value(site.node, spec))
        found.setdefault((named.path, named.kind), named)
    return tuple(found.values())


def _named_by_its_value(node: Node, spec: Spec) -> str:
    """The name of the first named value computed from an attention outside of all modules (block `attend`)."""
    names = {value: name for name, value in spec.values.items()}
    reached = set(node.outputs)
    for later in spec.graph.nodes:
        if not reached.isdisjoint(later.inputs):
            reached.update(later.outputs)
            if later.outputs[0] in names:
                return names[later.outputs[0]]
    raise ValueError(f"the result of {node.op.name} has no name in {spec.path}")


def sites_at(spec: Spec, path: str) -> tuple[Site, ...]:
    """The attention nodes that a path names: a node, a part of one, or a kind of layers.

    Raises SpecError E751 if there are none.
    """
    known = sites(spec)
    words = path.removesuffix(".weights").split(".")
    found = tuple(site for site in known if site.named_by(words) is not None)
    if not found:
        nothing_at(path, known)
    return found


def nothing_at(path: str, known: Sequence[Site]) -> NoReturn:
    """Raise SpecError E751 for a path that names no attention, with similar or all available names."""
    names = {name for site in known for name in (site.path, site.kind, site.at(), site.path.split(".")[0]) if name}
    listed = "available attention: " + ", ".join(f"`{site}`" for site in known)
    # A name with `*` is that of several, which cannot be given.
    near = did_you_mean(str(path), {name for name in names if "*" not in name}, limit=0)
    notes = [listed] if known and near else []
    help = near or (listed if known else "this spec has no attention")
    fail("E751", f"`{path}` is not an attention", None, notes=notes, help=help)


def _sites(
    graph: Graph, layers: tuple[tuple[int, ...], ...], kind: str, around: str = "", module: Graph | None = None
) -> Iterator[Site]:
    """The attention nodes of a graph and of all regions inside it.

    Args:
        graph: the graph, or a region of one.
        layers: the layer indices of the repeats around it, outermost first.
        kind: the word for the kind of layer around it, "" outside of layers of several kinds.
        around: the class of the module around it, whose name is removed from those of its kinds of layers.
        module: the graph, where it is the body of a module.
    """
    for node in graph.nodes:
        if isinstance(node.op, Attention):
            yield Site(path=node.path, layers=layers, kind=kind, node=node, op=node.op, module=module)
        elif isinstance(node.op, Repeat):
            for number, region in enumerate(node.regions):
                own = (*layers, tuple(node.op.schedule.layers(number)))
                word = kind_word(node.op.kinds[number], around) if len(node.regions) > 1 else kind
                yield from _sites(region, own, word, around)
        elif isinstance(node.op, Call):
            yield from _sites(node.regions[0], layers, kind, node.op.kind, node.regions[0])


def kind_word(name: str, stack: str) -> str:
    """The word for a kind of layers, from the name of its class: `LocalDecoderLayer` in a `Decoder` gives `local`."""
    word = name.removesuffix("Layer").removesuffix(stack) or name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
