"""The claims about a model (sizes, inputs, outputs and rules), taken from a spec or from a file without a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from archspec.algebra.dim import Dim, Symbol
from archspec.blocks.parts.context import Defaults
from archspec.diagnostics import Collector, Label, Source, Span, SpecError
from archspec.ir.builder import Builder
from archspec.ir.graph import Value
from archspec.record import record
from archspec.spec.context import NodeContext, Surroundings
from archspec.spec.definitions import Definitions, define
from archspec.spec.document import FileModel
from archspec.spec.elaborate import elaborate
from archspec.spec.files import locate
from archspec.spec.indexed import indexed
from archspec.spec.inheritance import inherited
from archspec.spec.inputs import InputSpec
from archspec.spec.names import check_names
from archspec.spec.overrides import Override, apply_overrides, parse_overrides
from archspec.spec.reduced import reduced as shrunk
from archspec.spec.rule_axes import RulePositions, leading_dims
from archspec.spec.rules import Rule, resolve_rule
from archspec.spec.spec import Spec
from archspec.spec.values import Values
from archspec.text.nodes import Entry, MapNode, TextNode
from archspec.text.reader import read

_OF_A_GRAPH = ("defaults", "blocks", "counts", "decode", "weights")


@record(eq=False)
class Claims:
    """What must hold for a model independently of how it is built; `spec` is its architecture, None if not known."""

    name: str
    dims: Mapping[str, Symbol]
    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, Value]
    rules: tuple[Rule, ...]
    spec: Spec | None = None

    @cached_property
    def indexed(self) -> Mapping[str, tuple[Dim, ...]]:
        """By input name, the sizes of the tables and axes that integer inputs index; empty without an architecture."""
        return {} if self.spec is None else indexed(self.spec.graph)


def claims_of(spec: Spec) -> Claims:
    """The claims of a spec."""
    return Claims(name=spec.name, dims=spec.dims, inputs=spec.inputs, outputs=spec.outputs, rules=spec.rules, spec=spec)


def load_claims(source: str | Path, *, set: Mapping[str, str] | Sequence[str] = (), reduced: bool = False) -> Claims:
    """Read the claims of a file or of a shipped spec; the file may leave out `graph`.

    `source`, `set` and `reduced` are those of `load`. Raises SpecError with every independent error.
    """
    path = locate(source)
    return _read(inherited(path), path, parse_overrides(set), reduced)


def read_claims(text: str, name: str = "<rules>") -> Claims:
    """Read the claims of a YAML text; `name` is shown in diagnostics. Raises SpecError with every independent error."""
    return _read(read(Source(name, text)), Path(name), parse_overrides(()), reduced=False)


def _read(tree: MapNode, path: Path, overrides: Sequence[Override], reduced: bool) -> Claims:
    """The claims of a merged file, with or without a graph. Raises SpecError with every independent error."""
    changed = apply_overrides(tree, overrides)
    # The overrides are applied again because the reduced constants would replace theirs.
    if reduced:
        changed = apply_overrides(shrunk(changed), overrides)
    if changed.get("graph") is None:
        return _without_graph(changed)
    written = not reduced and not overrides
    return claims_of(elaborate(changed, path=path, reduced=reduced, as_written=written))


def _without_graph(tree: MapNode) -> Claims:
    """The claims of a file without a graph: its outputs have declared types only."""
    findings = Collector()
    _refuse_sections(tree, findings)
    places = check_names(tree, findings)
    document: FileModel | None = None
    with findings.catching():
        document = FileModel.read(_with_empty_graph(tree))
    if document is None:
        raise SpecError(findings.diagnostics)
    definitions = define(document, tree, places, findings)
    values = Values(places)
    # Without a graph, inputs and outputs are bare values of their declared types, to which rules refer by name.
    for name, spec in definitions.inputs.items():
        values.define(name, Value(name, spec.type))
    outputs = _outputs(tree, document, definitions, findings)
    for name, value in outputs.items():
        values.define(name, value)
    rules = _rules(document, definitions, values, findings)
    findings.raise_if_errors()
    return Claims(name=document.name, dims=definitions.dims, inputs=definitions.inputs, outputs=outputs, rules=rules)


def _refuse_sections(tree: MapNode, findings: Collector) -> None:
    """Collect E229 for each section that needs a graph."""
    for name in _OF_A_GRAPH:
        key = tree.key(name)
        if key is not None:
            findings.error("E229", f"`{name}` needs a graph, but the file has none", key.span, help="remove it")


def _with_empty_graph(tree: MapNode) -> MapNode:
    # The model of a file requires a graph, so an empty one is added.
    key = TextNode(value="graph", span=tree.span)
    kept = tuple(entry for entry in tree.entries if entry.key.value not in _OF_A_GRAPH)
    return replace(tree, entries=(*kept, Entry(key=key, value=MapNode(entries=(), span=tree.span))))


def _outputs(tree: MapNode, document: FileModel, definitions: Definitions, findings: Collector) -> dict[str, Value]:
    """The outputs by name, with their declared types; errors are collected."""
    outputs: dict[str, Value] = {}
    for name, place in _keys(tree.get("outputs")):
        fields = document.outputs[name]
        if fields.source is not None:
            findings.error("E229", "`from` names a value of a graph, but the file has none", fields.source.span)
        elif name in definitions.places:
            # With a graph an output may have the name of its node, but here there are no nodes.
            message = f"`{name}` is the name of an output and of something else"
            findings.error("E209", message, place, secondary=[Label(definitions.places[name])])
        else:
            with findings.catching():
                outputs[name] = Value(name, definitions.numbers.type(fields.type))
    return outputs


def _keys(section: object) -> Iterable[tuple[str, Span]]:
    """The keys of a section with their spans; none if the section is missing or not a map."""
    entries = section.entries if isinstance(section, MapNode) else ()
    return [(entry.key.value, entry.key.span) for entry in entries]


def _rules(document: FileModel, definitions: Definitions, values: Values, findings: Collector) -> tuple[Rule, ...]:
    """The resolved rules of a file without a graph; errors are collected."""
    # The builder holds predicates that rules compute from inputs; its graph is not used.
    around = Surroundings(
        builder=Builder(document.name, frozenset()),
        defaults=Defaults(),
        numbers=definitions.numbers,
        values=values,
        findings=findings,
    )
    context = NodeContext(around=around, name="", owner="", result="")
    positions = RulePositions(leading=leading_dims(one.type for one in definitions.inputs.values()))
    rules: list[Rule] = []
    for item in document.rules:
        with findings.catching():
            rules.append(resolve_rule(item.kind, item.fields, item.at, context, positions))
    return tuple(rules)
