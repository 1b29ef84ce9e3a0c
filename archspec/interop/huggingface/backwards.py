"""A spec as the configuration of a model type: the table of keys read backwards."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from archspec.interop.huggingface.model_type import ModelType
from archspec.interop.huggingface.told import Told
from archspec.ir.printer import print_graph
from archspec.spec import Spec


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
    """The first lines in which the graphs of two specs differ; None where they are one."""
    ours, theirs = (print_graph(one.graph).splitlines() for one in (spec, other))
    for left, right in zip_longest(ours, theirs, fillvalue=""):
        if left != right:
            return f"`{left.strip()}`, expected `{right.strip()}`"
    return None
