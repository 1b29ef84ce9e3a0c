"""User-defined blocks: read and check `blocks:`, and make a block class of each."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping

from archspec.blocks.parts.block import Block
from archspec.blocks.registry import blocks
from archspec.diagnostics import Collector, Label, Span
from archspec.spec.build import NodeNames, checked
from archspec.spec.composite_block import RESERVED_FIELDS, block_of, check_default
from archspec.spec.composite_definition import Definition, Known
from archspec.spec.constants import report_circles
from archspec.spec.document import BlockFields
from archspec.spec.names import check_names
from archspec.spec.order import ordered
from archspec.text.expr import names
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

_SECTIONS = {"fields": "a field", "inputs": "an input", "graph": "a node"}


def define_blocks(tree: MapNode, findings: Collector) -> Known:
    """All blocks that nodes may name: those of the language, and those of the file without an error.

    Errors of definitions are collected, blocks that contain each other (E211) among them.
    """
    section = tree.get("blocks")
    # Another form of the section is an error of the document, which is read elsewhere and reports it.
    if not isinstance(section, MapNode):
        return blocks()
    own = {entry.key.value: entry for entry in section.entries if _can_name(entry.key, findings)}
    places = {name: entry.key.span for name, entry in own.items()}
    order = ordered({name: tuple(_words(entry.value)) for name, entry in own.items()})
    report_circles(order.circles, places, "blocks", findings)
    made: dict[str, type[Block]] = {}
    # A view, not a copy: each definition sees the blocks that were defined before it.
    known: Known = ChainMap(made, blocks())  # type: ignore[arg-type]
    for name in order.names:
        with findings.catching():
            definition = _define(own[name].key, own[name].value, known, tuple(own))
            made[name] = block_of(definition)
    return known


def _words(node: Node) -> Iterator[str]:
    """The names of all blocks used below a node, at any depth."""
    if isinstance(node, MapNode):
        for entry in node.entries:
            if entry.key.value == "block" and isinstance(entry.value, TextNode):
                yield entry.value.value
            yield from _words(entry.value)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _words(item)


def _define(key: TextNode, tree: Node, known: Known, own: Collection[str]) -> Definition:
    """Read and check the definition of a block. Raises SpecError with its errors."""
    findings = Collector()
    fields = BlockFields.read(tree)
    assert isinstance(tree, MapNode)
    places = check_names(tree, findings, _SECTIONS)
    _check_fields(fields, places, findings)
    _add_axes(fields, places, findings)
    # Raised before the body is read, in which the same errors would come again.
    findings.raise_if_errors()
    definition = Definition(
        name=key.value, span=key.span, fields=fields, tree=tree, places=places, known=known, own=own
    )
    _check_body(definition, findings)
    findings.raise_if_errors()
    return definition


def _can_name(key: TextNode, findings: Collector) -> bool:
    """Whether a key can name a block; E209 or E223 is collected if not."""
    if key.value in blocks():
        help = "choose another name"
        findings.error("E209", f"`{key.value}` is the name of a block of the language", key.span, help=help)
        return False
    # The name of a block becomes the name of a class in the emitted module.
    if not (key.value.isascii() and key.value.isidentifier()):
        help = "use letters, digits and `_`, a letter first"
        findings.error("E223", f"`{key.value}` cannot name a block", key.span, help=help)
        return False
    return True


def _check_fields(fields: BlockFields, places: Mapping[str, Span], findings: Collector) -> None:
    """Collect E210 for reserved names, E203 for missing sections, and errors of defaults."""
    for name in (*fields.fields, *fields.inputs):
        if name in RESERVED_FIELDS and name in places:
            message = f"`{name}` is a field of every block"
            findings.error("E210", message, places[name], help="choose another name")
    for one in fields.fields.values():
        if one.default is not None:
            with findings.catching():
                check_default(one.type, one.default)
    for what, section in (("inputs", fields.inputs), ("outputs", fields.outputs)):
        if not section:
            findings.error("E203", f"a block has {what}", fields.at, help=f"name at least one under `{what}`")


def _add_axes(fields: BlockFields, places: dict[str, Span], findings: Collector) -> None:
    """Add the axis names of the inputs to `places`.

    An axis that is a single name is bound by each call. E201 for a name that only occurs inside an expression, E209
    for one that names something else too.
    """
    alone = {axis.name: axis.span for syntax in fields.inputs.values() for axis in syntax.axes if hasattr(axis, "name")}
    for name, span in alone.items():
        if name in places and name not in fields.fields:
            labels = [Label(places[name], "the other")]
            findings.error("E209", f"`{name}` names an axis and something else", span, secondary=labels)
        places.setdefault(name, span)
    for syntax in fields.inputs.values():
        for name in (name for axis in syntax.axes for name in names(axis) if name not in places):
            help = "an axis that a call binds must appear alone at least once"
            findings.error("E201", f"unknown name `{name}`", syntax.span, help=help)


def _check_body(definition: Definition, findings: Collector) -> None:
    """Collect the errors of a body that do not depend on the call: node errors, unknown values, unused inputs."""
    # Errors that do not depend on the arguments are reported once, at the definition, and not at every call.
    nodes = definition.nodes(definition.samples())
    values = (*definition.fields.inputs, *(node.name for node in nodes))
    names = NodeNames(places=definition.places, values=values, failed=set())
    # Errors are collected as the generator runs; the nodes that it yields are not needed.
    for _ in checked(nodes, names, findings):
        pass
    used = {name for node in nodes for name in node.uses()}
    used |= {path.parts[0] for path in definition.outputs().values()}
    for name in definition.fields.inputs:
        if name not in used:
            findings.error("E213", f"nothing uses input `{name}`", definition.places[name], help="use it, or remove it")
    for path in definition.outputs().values():
        if path.parts[0] not in values:
            findings.error("E201", f"unknown value `{path.parts[0]}`", path.part_span(0))
