"""A spec as the configuration of a model type: the table of keys read backwards."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from archspec.interop.huggingface.model_type import ModelType
from archspec.interop.huggingface.told import APART, Told
from archspec.ir.printer import print_graph
from archspec.spec import Spec
from archspec.text.nodes import ListNode, Node, TextNode


def values_of(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """Return the configuration that a spec would have as a model type, with the defaults of the type.

    `architecture` is the class of transformers. Whether the spec is of the type is not judged: the caller imports the
    result and compares it, with `difference`.
    """
    return {**kind.defaults, **told_by(spec, kind, architecture)}


def told_by(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """Return the type, the class, and the values that the spec tells itself; all other keys are at their defaults."""
    named = {"model_type": kind.word, "architectures": [architecture]}
    return {**named, **kind.table(kind.architectures[architecture]).told(Told(spec))}


def difference(spec: Spec, other: Spec) -> str | None:
    """The first path at which two specs differ, where their graphs do; None where the graphs are one."""
    if (lines := _lines(spec, other)) is None:
        return None
    return next(iter(differences(spec, other)), lines)


def differences(spec: Spec, other: Spec) -> list[str]:
    """The paths of the documents that differ in what is computed, with both values, sizes as numbers."""
    ours, theirs = (dict(_leaves(Told(one), one.tree, "")) for one in (spec, other))
    paths = dict.fromkeys((*ours, *theirs))
    return [
        f"`{path}` is {ours.get(path, 'not given')}, expected {theirs.get(path, 'nothing')}"
        for path in paths
        if ours.get(path) != theirs.get(path)
    ]


def _leaves(told: Told, node: Node, path: str) -> Iterator[tuple[str, str]]:
    """The texts below a node by path; constants are not among them, as whoever names them has their number."""
    if isinstance(node, TextNode):
        number = told.number(path)
        yield path, f"`{node.value if number is None else number}`"
    elif isinstance(node, ListNode):
        for at, item in enumerate(node.items):
            yield from _leaves(told, item, f"{path}.{at}" if path else f"{at}")
    else:
        for entry in node.entries:
            key = entry.key.value
            if path or key not in (*APART, "name", "archspec", "constants", "dims"):
                yield from _leaves(told, entry.value, f"{path}.{key}" if path else key)


def _lines(spec: Spec, other: Spec) -> str | None:
    """The first lines in which the graphs of two specs differ; None where they are one."""
    ours, theirs = (print_graph(one.graph).splitlines() for one in (spec, other))
    for left, right in zip_longest(ours, theirs, fillvalue=""):
        if left != right:
            return f"`{left.strip()}`, expected `{right.strip()}`"
    return None
