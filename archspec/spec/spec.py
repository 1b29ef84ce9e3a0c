"""A loaded spec: the document, the meaning of its names, and the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path

from archspec.algebra.dim import Symbol
from archspec.algebra.scalar import Scalar
from archspec.diagnostics import Diagnostic
from archspec.ir.graph import Graph, Value
from archspec.record import record
from archspec.spec.document import CountsFields, FileModel
from archspec.spec.inputs import InputSpec
from archspec.spec.rules import Rule
from archspec.text.nodes import MapNode, Node


@record
class Decode:
    """What generation feeds back: the names of an input and an output.

    `start` is the id before every prompt, None for no such id; `end` are the ids that end a row; `ban` are the ids that
    are never chosen.
    """

    input: str
    output: str
    start: int | None = None
    end: tuple[int, ...] = ()
    ban: tuple[int, ...] = ()


@record(eq=False)
class Spec:
    """A spec as it was loaded, with the overrides and the reduction that were asked for.

    `tree` holds the merged nodes and `resolved` the self-contained document, which is what a bundle holds; `values` are
    all values that a path may name; `weights` are the raw nodes of the layouts; `as_written` is false under `--set` and
    `reduced`.
    """

    name: str
    about: str | None
    path: Path
    tree: MapNode
    resolved: MapNode
    document: FileModel
    constants: Mapping[str, Scalar]
    dims: Mapping[str, Symbol]
    graph: Graph
    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, Value]
    rules: tuple[Rule, ...]
    counts: CountsFields | None
    decode: Decode | None
    weights: Mapping[str, Node]
    values: Mapping[str, Value]
    reduced: bool = False
    as_written: bool = True
    warnings: tuple[Diagnostic, ...] = field(default=())

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the resolved document, in hex."""
        # Emission and bundles read it, and a check does not.
        from archspec.spec.digest import digest

        return digest(self.resolved)
