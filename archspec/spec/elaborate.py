"""Elaborate the merged nodes of a file into a spec with its graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archspec.blocks.parts.block import Block
from archspec.blocks.registry import blocks
from archspec.diagnostics import Collector, Span, SpecError, in_order
from archspec.ir.graph import Value
from archspec.spec.decode import resolve_decode
from archspec.spec.definitions import Definitions, define
from archspec.spec.document import FileModel
from archspec.spec.graph import GraphBuilder
from archspec.spec.names import check_names
from archspec.spec.nodes import GraphNode, NodeReader
from archspec.spec.resolved import resolved
from archspec.spec.rule_axes import RulePositions, leading_dims
from archspec.spec.rules import Rule, resolve_rule
from archspec.spec.spec import Decode, Spec
from archspec.text.nodes import MapNode, Node


def elaborate(tree: MapNode, *, path: Path, reduced: bool = False, as_written: bool = True) -> Spec:
    """Build a spec from the merged nodes of its file.

    Args:
        tree: the nodes, with inheritance, overrides and reduction already applied.
        path: the file that was asked for.
        reduced: whether the tree is the small copy.
        as_written: whether the tree has the constants of the file; only then are declared counts compared.

    Returns the spec, with its warnings in the order of the file. Raises SpecError with every independent error.
    """
    findings = Collector()
    places = check_names(tree, findings)
    # Before the document: errors in nodes are reported even if a section of the file is missing.
    nodes = _read_nodes(tree, findings)
    document: FileModel | None = None
    with findings.catching():
        document = FileModel.read(tree)
    if document is None:
        raise SpecError(in_order(findings.diagnostics))
    definitions = define(document, tree, places, findings)
    graph = GraphBuilder(
        document=document,
        definitions=definitions,
        nodes=nodes,
        output_places=_key_places(tree, "outputs"),
        findings=findings,
        reduced=reduced,
    )
    outputs = graph.build()
    rules = _rules(document, definitions, graph, findings)
    decode = _decode(document, definitions, outputs, findings)
    if findings.has_errors:
        raise SpecError(in_order(findings.diagnostics))
    return Spec(
        name=document.name,
        about=document.about,
        path=path,
        tree=tree,
        resolved=resolved(tree, as_written=as_written),
        document=document,
        constants=definitions.constants,
        dims=definitions.dims,
        graph=graph.builder.finish(outputs, graph.values.names),
        inputs=definitions.inputs,
        outputs=outputs,
        rules=rules,
        counts=document.counts,
        decode=decode,
        weights=document.weights,
        values=graph.values.names,
        reduced=reduced,
        as_written=as_written,
        warnings=in_order(findings.diagnostics),
    )


def _read_nodes(tree: MapNode, findings: Collector) -> dict[str, GraphNode | None]:
    """The nodes of the graph in the written order; None for a node that cannot be read, whose errors are collected."""
    section, own = tree.get("graph"), tree.get("blocks")
    if not isinstance(section, MapNode):
        return {}
    raw: dict[str, Node] = {entry.key.value: entry.value for entry in section.entries}
    reader = NodeReader(raw, _known_blocks(tree, findings), own.keys() if isinstance(own, MapNode) else ())
    nodes: dict[str, GraphNode | None] = dict.fromkeys(raw)
    for entry in section.entries:
        with findings.catching():
            nodes[entry.key.value] = reader.read(entry.key.value, entry.key.span)
    return nodes


def _known_blocks(tree: MapNode, findings: Collector) -> Mapping[str, type[Block]]:
    """The blocks of the language and of the file; the code for user-defined blocks is only loaded if there are any."""
    if tree.get("blocks") is None:
        return blocks()
    from archspec.spec.composite import define_blocks

    return define_blocks(tree, findings)


def _key_places(tree: MapNode, section: str) -> dict[str, Span]:
    """Where each key of a section is written; empty if the section is missing or not a map."""
    found = tree.get(section)
    return {entry.key.value: entry.key.span for entry in found.entries} if isinstance(found, MapNode) else {}


def _rules(document: FileModel, definitions: Definitions, graph: GraphBuilder, findings: Collector) -> tuple[Rule, ...]:
    """The resolved rules; those that name a value that could not be built are skipped."""
    leading = leading_dims(one.type for one in definitions.inputs.values())
    positions = RulePositions(leading=leading, sequences=graph.values.sequences)
    rules: list[Rule] = []
    for item in document.rules:
        if not graph.poisoned(item.fields):
            with findings.catching():
                rules.append(resolve_rule(item.kind, item.fields, item.at, graph.root, positions))
    return tuple(rules)


def _decode(
    document: FileModel,
    definitions: Definitions,
    outputs: dict[str, Value],
    findings: Collector,
) -> Decode | None:
    """The resolved `decode`; None if there is none, or inputs or outputs have errors of their own."""
    decode: Decode | None = None
    # An error in an input or an output would be reported again here, as an unknown name.
    if document.decode is not None and set(outputs) >= set(document.outputs) and not definitions.failed:
        with findings.catching():
            decode = resolve_decode(document.decode, definitions.inputs, outputs, definitions.numbers)
    return decode
