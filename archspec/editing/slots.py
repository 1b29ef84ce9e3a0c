"""Every place of a spec with what may stand there: the walk that hover, completion and renaming share.

It follows the models that read files, and goes on where a part is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import cleandoc

from archspec.blocks.parts.block import Block
from archspec.editing.forms import Form, field_forms
from archspec.layouts import layout, line
from archspec.record import record
from archspec.schema.sorts import ExprField
from archspec.spec.composite_block import SORTS
from archspec.spec.document import FileModel
from archspec.spec.rules import rule_words
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

Trail = tuple[str | int, ...]
"""The keys and numbers that lead to a node from the top of a file."""
FILE = Form(annotation=FileModel)
BLOCK = Form(about="the block that the node is made of", required=True)
REUSE = Form(about="the node whose module runs again, with other inputs")
NODE = Form(about="a block, a chain of nodes, a reuse, or an expression over values")
RULE = Form(about="one rule: its kind and its fields")
LAYOUT = Form(about="names and shapes of a published checkpoint, or the name of a file with them")
LINES = Form(about="our names, each with what it is made from")
LINE = Form(about="what one of our tensors or modules is made from")
SIZES = Form(annotation=dict[str, ExprField], about=line.FIELDS["sizes"][1])
INDEX = Form(annotation=ExprField, about=line.FIELDS["index"][1])
OTHER = Form()
_MOST_DEEP = 64


@record(eq=False)
class TreeSlot:
    """A node at `trail`, its key (None for an item of a list) and its form; `holder` is the map or list that holds it.

    `scope` is the user-defined block whose body it is in, empty outside of them.
    """

    trail: Trail
    node: Node
    key: TextNode | None
    form: Form
    scope: str = ""
    holder: Node | None = None


@record(eq=False)
class Walk:
    """Walks over the nodes of a file.

    `known` are the blocks that nodes may name. `merged` is the file merged over those that it extends: it tells the
    block of a node that leaves it out.
    """

    known: Mapping[str, type[Block]]
    merged: MapNode

    def slots(self, tree: MapNode) -> Iterator[TreeSlot]:
        """Every slot of a file, a map or a list before what it holds."""
        return self._below(TreeSlot(trail=(), node=tree, key=None, form=FILE))

    def _below(self, slot: TreeSlot) -> Iterator[TreeSlot]:
        yield slot
        if len(slot.trail) > _MOST_DEEP:
            return
        node = slot.node
        if isinstance(node, MapNode):
            fields, names = self.fields(slot), self._names(slot)
            for entry in node.entries:
                form = names or fields.get(entry.key.value, OTHER)
                if entry.key.value == "default" and slot.trail[2:3] == ("fields",):
                    form = _default(node)
                yield from self._below(self._inner(slot, entry.key.value, entry.value, entry.key, form))
        elif isinstance(node, ListNode):
            form = NODE if slot.form is NODE else slot.form.items or OTHER
            for number, item in enumerate(node.items):
                inner = RULE if slot.trail == ("rules",) else form
                yield from self._below(self._inner(slot, number, item, None, inner))

    def _inner(self, slot: TreeSlot, step: str | int, node: Node, key: TextNode | None, form: Form) -> TreeSlot:
        trail = (*slot.trail, step)
        scope = str(step) if slot.trail == ("blocks",) else slot.scope
        return TreeSlot(trail=trail, node=node, key=key, form=form, scope=scope, holder=slot.node)

    def _names(self, slot: TreeSlot) -> Form | None:
        """The form of the values of a map whose keys are names; None for a map of fields."""
        match slot.trail:
            case ("graph",) | ("blocks", _, "graph"):
                return NODE
            case ("weights",):
                return LAYOUT
            case _ if slot.form is LINES:
                return LINE
            case _:
                return slot.form.values

    def fields(self, slot: TreeSlot) -> Mapping[str, Form]:
        """The forms of the fields that a map at this slot may have; empty where its keys are names."""
        if slot.form is NODE:
            return self._of_node(slot)
        if slot.form is RULE:
            return {
                word: Form(annotation=kind.fields, about=cleandoc(type(kind).__doc__ or "").partition("\n\n")[0])
                for word, kind in rule_words().items()
            }
        if slot.form is LAYOUT:
            told = {key: Form(about=what) for key, (_, what) in layout.FIELDS.items()}
            return {**told, "map": LINES}
        if slot.form is LINE:
            told = {key: Form(about=what) for key, (_, what) in line.FIELDS.items()}
            return {**told, "map": LINES, "sizes": SIZES, "index": INDEX}
        return {key: form for model in slot.form.models for key, form in field_forms(model).items()}

    def _of_node(self, slot: TreeSlot) -> Mapping[str, Form]:
        node = slot.node
        is_reuse = isinstance(node, MapNode) and node.get("reuse") is not None
        kind = self.block_of(slot)
        own = field_forms(Block if kind is None else kind)
        if is_reuse:
            return {"reuse": REUSE, **own}
        return {"block": BLOCK, **own} if kind is not None else {"block": BLOCK, "reuse": REUSE, **own}

    def block_of(self, slot: TreeSlot) -> type[Block] | None:
        """The block of a node, or of the node that it reuses; None where it is not known."""
        word = self.block_word(slot.node, slot.trail)
        return None if word is None else self.known.get(word.value)

    def block_word(self, node: Node, trail: Trail) -> TextNode | None:
        """The word that names the block of a node, also of one that it reuses or extends."""
        graph, seen = self.graph(str(trail[1]) if trail[0] == "blocks" else ""), set[str]()
        while isinstance(node, MapNode):
            word, again = node.get("block"), node.get("reuse")
            if isinstance(word, TextNode):
                return word
            if isinstance(again, TextNode) and again.value not in seen and graph is not None:
                seen.add(again.value)
                found = graph.get(again.value)
            elif not seen and graph is not None:
                # A file that extends another gives only what it changes.
                seen.add(name := str(trail[3] if trail[0] == "blocks" else trail[1]))
                found = graph.get(name)
            else:
                return None
            if found is None:
                return None
            node = found
        return None

    def graph(self, scope: str) -> MapNode | None:
        """The nodes of the file, or of the body of a block."""
        holder: Node | None = self.merged
        for step in ("blocks", scope) if scope else ():
            holder = holder.get(step) if isinstance(holder, MapNode) else None
        found = holder.get("graph") if isinstance(holder, MapNode) else None
        return found if isinstance(found, MapNode) else None


def _default(field: MapNode) -> Form:
    """The form of the default of a field of a block, by the sort of the field."""
    sort = field.get("type")
    found = SORTS.get(sort.value) if isinstance(sort, TextNode) else None
    return OTHER if found is None else Form(annotation=found, about="value of the field where a call leaves it out")
