"""Build the graph of a spec node by node; an error in one node does not hide those of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from archspec.blocks.parts.context import Defaults
from archspec.blocks.parts.numbers import rate
from archspec.diagnostics import Collector, Span
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.record import record
from archspec.spec.build import NodeNames, build_nodes
from archspec.spec.context import NodeContext, Surroundings
from archspec.spec.definitions import Definitions
from archspec.spec.document import FileModel, OutputFields
from archspec.spec.nodes import GraphNode
from archspec.spec.outputs import output_value
from archspec.spec.places import placed
from archspec.spec.rule_fields import RuleFields
from archspec.spec.syntax import paths, syntaxes
from archspec.spec.values import Values
from archspec.text.path import Path

_MISNAMED = {"E201", "E218", "E219"}
"""Codes of wrong names: the name that was meant is then probably among the unused ones."""


@record(eq=False)
class GraphBuilder:
    """Builds the nodes that can be built; the others are added to `definitions.failed`.

    `nodes` are in the written order, None for a node that could not be read; `output_places` are the spans of the
    names of outputs.
    """

    document: FileModel
    definitions: Definitions
    nodes: Mapping[str, GraphNode | None]
    output_places: Mapping[str, Span]
    findings: Collector
    reduced: bool

    def build(self) -> dict[str, Value]:
        """Build the inputs, the nodes and the outputs; returns the outputs by name. Errors are collected."""
        failed = self.definitions.failed
        failed |= {name for name, node in self.nodes.items() if node is None}
        for name, spec in self.definitions.inputs.items():
            self.values.define(name, self.builder.input(name, spec.type))
        with self.findings.catching(), self.builder.settings(init=self._init()):
            build_nodes(self._read(), self.root.around, self._names())
        outputs = self._outputs()
        self._check_use()
        return outputs

    @cached_property
    def values(self) -> Values:
        """The values by name and path, filled while the graph is built."""
        return Values(self.definitions.places)

    @cached_property
    def builder(self) -> Builder:
        """The graph under construction."""
        return Builder(self.document.name, frozenset(self._wanted()))

    @cached_property
    def root(self) -> NodeContext:
        """The context outside all nodes, with the defaults of the file."""
        # The default rate of dropout is evaluated in a context that has no defaults yet.
        plain = self._context(Defaults())
        fields, dropout = self.document.defaults, 0.0
        with self.findings.catching():
            dropout = rate(plain, fields.dropout)
        return self._context(Defaults(norm=fields.norm, bias=fields.bias, dropout=dropout))

    def poisoned(self, thing: Any) -> bool:
        """Whether a model names a value that could not be built; its own errors would then only be consequences."""
        return any(path.parts[0] in self.definitions.failed for one in syntaxes(thing) for path in paths(one))

    def _context(self, defaults: Defaults) -> NodeContext:
        around = Surroundings(
            builder=self.builder,
            defaults=defaults,
            numbers=self.definitions.numbers,
            values=self.values,
            findings=self.findings,
            reduced=self.reduced,
        )
        return NodeContext(around=around, name="", owner="", result="")

    def _names(self) -> NodeNames:
        return NodeNames(
            places=self.definitions.places,
            values=(*self.document.inputs, *self.nodes),
            failed=self.definitions.failed,
        )

    def _init(self) -> Any:
        init = self.document.defaults.init
        return None if init is None else init.resolve(self.definitions.numbers.constant)

    def _wanted(self) -> Iterator[str]:
        """The inner paths that the file names; one into a module is repeated for every use of it: they share code."""
        parts = [part for node in self._read() for part in node.parts]
        modules = {part.name: part.module for part in parts}
        uses: dict[str, list[str]] = {}
        for part in parts:
            uses.setdefault(part.module, []).append(part.name)
        for path in self._inner_paths():
            written = str(path)
            yield written
            owner = next((name for name in modules if written.startswith(f"{name}.")), None)
            if owner is not None:
                yield from (use + written[len(owner) :] for use in uses[modules[owner]])

    def _inner_paths(self) -> Iterator[Path]:
        """Paths into nodes, whose values must become visible at the top of the graph."""
        for node in self._read():
            yield from (path for path in node.paths() if len(path.parts) > 1)
        for fields in self.document.outputs.values():
            if fields.source is not None:
                yield fields.source
        for item in self.document.rules:
            yield from (path for one in syntaxes(item.fields) for path in paths(one) if len(path.parts) > 1)

    def _read(self) -> Iterator[GraphNode]:
        return (node for node in self.nodes.values() if node is not None)

    def _outputs(self) -> dict[str, Value]:
        """The outputs by name, then the exposed values, whose names are their paths with `_` for dots."""
        outputs: dict[str, Value] = {}
        for name, fields, path in self._output_sources():
            # The error of a failed node was reported: its output would only repeat it.
            if path.parts[0] not in self.definitions.failed:
                with self.findings.catching(), placed(self.definitions.numbers, self.values):
                    outputs[name] = output_value(name, fields, path, self.values, self.definitions.numbers)
        self._name_outputs(outputs)
        return outputs

    def _name_outputs(self, outputs: Mapping[str, Value]) -> None:
        """Define the names of outputs that no node has, so that rules may use them; outputs not built are failed."""
        for name in self.document.outputs:
            if name not in self.definitions.places and name in outputs:
                self.values.define(name, outputs[name])
            elif name not in self.definitions.places:
                self.definitions.failed.add(name)

    def _output_sources(self) -> Iterator[tuple[str, OutputFields, Path]]:
        """Each output with the path of its value: its `from`, otherwise the node with its name."""
        for name, fields in self.document.outputs.items():
            yield name, fields, fields.source or Path(parts=(name,), span=self.output_places[name])

    def _check_use(self) -> None:
        """Collect E213 for each unused input and W201 for each unused node.

        A value that a rule judges or reads is used: its node is analysed but not emitted. The `input` of a rule does
        not count, because a rule about a value that leads to nothing has no content.
        """
        # A misspelt name elsewhere probably meant one of the unused names: reporting both would repeat the error.
        misnamed = any(found.code in _MISNAMED for found in self.findings.diagnostics)
        if misnamed or any(node is None for node in self.nodes.values()):
            return
        used = {name for node in self._read() for name in node.uses()}
        used |= {path.parts[0] for _, _, path in self._output_sources()}
        for name, spec in self.definitions.inputs.items():
            if name not in used:
                self.findings.error("E213", f"nothing uses input `{name}`", spec.span, help="use it, or remove it")
        used |= set(self._judged())
        for node in self._read():
            if node.name not in used:
                help = "use it, remove it, or make it an output"
                self.findings.warn("W201", f"nothing uses node `{node.name}`", node.span, help=help)

    def _judged(self) -> Iterator[str]:
        """The names that rules use, and the names that those nodes use in turn."""
        nodes = {node.name: node for node in self._read()}
        waiting = [path.parts[0] for item in self.document.rules for path in _named_by_rule(item.fields)]
        met: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in met:
                met.add(name)
                yield name
                waiting += nodes[name].uses() if name in nodes else ()


def _named_by_rule(fields: RuleFields) -> Iterator[Path]:
    """The paths in all fields of a rule except its `input`."""
    for name in type(fields).model_fields:
        if name != "input":
            yield from (path for one in syntaxes(getattr(fields, name)) for path in paths(one))
