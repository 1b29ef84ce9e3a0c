"""The reference page of the language, generated from its models and from the docstrings of primitives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from archspec.blocks.parts.block import Block
from archspec.blocks.parts.norm_fields import DefaultNorm
from archspec.blocks.registry import blocks
from archspec.diagnostics import CODES
from archspec.ir.op import Primitive
from archspec.layouts import layout, line
from archspec.ops.registry import all_primitives
from archspec.schema.model import Model
from archspec.schema.words import AxisText, Word
from archspec.spec.document import FileModel, LayoutField, NodeField
from archspec.spec.rule_item import RuleField
from archspec.spec.rules import RuleWord, rule_words
from archspec.text import expr, value
from archspec.text.expr import Expr
from archspec.text.mask import MaskSyntax
from archspec.text.nodes import TextNode
from archspec.text.path import Path
from archspec.text.pred import PredExpr
from archspec.text.rearrange import RearrangePattern
from archspec.text.reserved import RESERVED
from archspec.text.types import TypeSyntax
from archspec.text.value import ValueExpr

_HEAD = """\
# Reference

Every section, block and field of the language, and every primitive of which blocks are made. `tools/reference` writes
this page from the code; [the language](language.md) explains the ideas.

The column *holds* gives the type of a field: an *expr* is arithmetic over constants and dims; a *value* is a node, an
input or elementwise arithmetic on them; the page on the language describes *pred*, *mask*, *axis*, *path*, *type* and
*node*. The description gives the form of a field that holds *any*. A field that holds a map of fields can be written as
its main word if all others have their defaults: `residual: pre`. The column *left out* gives the default. Where it is
empty, the field is off when it is left out, or the description gives the default.
"""
_RULES = """\
## Rules

A rule is one line under `rules`, such as `- causal: {output: logits, input: ids}`. `output` and `input` may be any
values, including inner ones. `axis` takes a number, negative from the end, or the name of a dim or constant whose size
occurs once in the type of the value; `axis: A` applies to both values, `axis: [A, B]` to the output and to the input.
Left out, it is the one axis that holds a dim other than those that lead inputs, else axis 1 of a value with two axes or
of the output of a sequence block; otherwise it is an error, E424, which lists the axes. `at` limits an upper rule to
the output positions where a predicate holds.
"""
_PRIMITIVES = """\
## Primitives

The operations of which blocks are made, as `archspec show --ir` prints them. *Over ranks* tells how several devices
share an operation: by which axes they may be split, or in terms, where each has one term of a sum.
"""
_WEIGHTS = """\
## Weights

`weights` holds layouts by name, each a map or the name of a file with one; `none` removes a layout of the parent. A
layout maps tensors of a published checkpoint (theirs) to those of the architecture (ours): `ours: theirs` under `map`.

- Our names are those of the state dict of the module. The name of a module stands for all its parameters and buffers. A
  tied parameter has one name, under the node that owns it; a reused node adds no names. With `share: true`, the weights
  that layers share have one name, under the number of the first layer that uses them:
  `states.layers.0.attention.q.weight`. `archspec weights SPEC` lists all names, with `*` for layer numbers.
- `*` is a number, the same on both sides unless `index` is given; an additional `*` on their side needs `stack`.
- `(q k v)` is a group. The groups of both sides pair in order and have equally many names. An additional group on our
  side takes the parts of `split`, an additional one on theirs needs `concat` or `stack`.
- A line is a name, or a map with `from` and operations, which run in the written order. Each operation has an inverse:
  `{from: qkv.weight, split: 0}` gives its parts to `(q k v).weight`, `{from: [a.weight, b.weight], concat: 0}` joins
  two tensors, and `{from: q.weight, rearrange: "h r i -> (h r) i", sizes: {h: heads}}` merges two axes.

Every tensor of either side is mapped once, tied or skipped. `archspec check` checks all layouts. Without `--layout` or
`--weights-layout`, the layout under which all names of the file match is selected; a file with the names of the module
needs none. The prefixes `module.` and `_orig_mod.`, which wrappers add, are ignored. fp8 tensors are multiplied by
their scales (`NAME_scale_inv` or `NAME_scale`), and values that are not finite are refused.
"""
_SORTS: Mapping[Any, str] = {
    Expr: "expr",
    ValueExpr: "value",
    PredExpr: "pred",
    MaskSyntax: "mask",
    Path: "path",
    TypeSyntax: "type",
    AxisText: "axis",
    Word: "name",
    DefaultNorm: "`true`",
    TextNode: "number, `true` or `false`",
    RearrangePattern: "pattern",
    # `Expr` is a union, which becomes a part of a larger one where a field takes other text too.
    **dict.fromkeys(get_args(Expr), "expr"),
    frozenset[str]: "`true`, `false` or list of names",
    Any: "any",
    bool: "`true` or `false`",
    int: "whole number",
    Decimal: "number",
    str: "text",
    NoneType: "`none`",
}
# Types that are read later than the file, so that their annotation says nothing.
_READ_LATER: Sequence[tuple[Any, str]] = ((NodeField, "node"), (RuleField, "rule"), (LayoutField, "layout"))


def reference() -> str:
    """The reference page as Markdown.

    Tables come from the fields of the models that parse a file, and texts from their docstrings, so that the page
    cannot differ from the language. A test compares it with `docs/reference.md`.
    """
    parts = list(_parts())
    sections = (
        _HEAD,
        "## The file\n",
        _fields(FileModel),
        "## Blocks\n\nAny block also takes:\n",
        _fields(Block),
        *(_block(word, block) for word, block in blocks().items()),
        _expressions(),
        _RULES,
        *(_rule(word, kind) for word, kind in rule_words().items()),
        _WEIGHTS,
        "### Layout\n",
        _keys(layout.FIELDS),
        "### Line of a map\n",
        _keys(line.FIELDS),
        "## Parts\n",
        *(_part(model) for model in parts),
        _PRIMITIVES,
        *(_primitive(name, primitive) for name, primitive in all_primitives().items()),
        "## Diagnostics\n\n`archspec explain CODE` explains one.\n",
        "\n".join(["| code | title |", "|---|---|", *(f"| {code} | {found.title} |" for code, found in CODES.items())]),
    )
    return "\n".join(section.rstrip() + "\n" for section in sections)


def _keys(fields: Mapping[str, tuple[str, str]]) -> str:
    rows = [f"| `{key}` | {holds} | {what} |" for key, (holds, what) in fields.items()]
    return "\n".join(["| key | holds | what |", "|---|---|---|", *rows])


def _expressions() -> str:
    """The section on functions in expressions, the values of `axis`, and reserved words."""
    return f"""\
## Expressions and reserved words

| where | functions |
|---|---|
| expr | {_listed(expr.FUNCTIONS)} |
| value | {_listed(value.FUNCTIONS)} |

A field `axis` takes a number, negative from the end, or the name of a dim or constant whose size occurs once in the
type of the value. These words are reserved and cannot name a constant, dim, input or node: {_listed(RESERVED)};
the atoms of masks are reserved too.
"""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


def _block(word: str, block: type[Block]) -> str:
    return f"### `{word}`\n\n{_docs(block)}\n\n{_fields(block, besides=Block)}"


def _rule(word: str, kind: RuleWord) -> str:
    return f"### `{word}` (rule)\n\n{_docs(type(kind))}\n\n{_fields(kind.fields)}"


def _part(model: type[Model]) -> str:
    return f"### {_title(model)}\n\n{_docs(model)}\n\n{_fields(model)}"


def _primitive(name: str, primitive: type[Primitive]) -> str:
    ways = (primitive.shardings.__doc__ or "").strip().splitlines()[0]
    ranks = "whole on every one." if primitive.shardings is Primitive.shardings else f"{ways[0].lower()}{ways[1:]}"
    return f"### {name}\n\n`{primitive.signature}`\n\n{_docs(primitive)}\n\nOver ranks: {ranks}"


def _docs(model: type) -> str:
    """The docstring of a class; lines that start with `Parameters:` or `Source:` become separate paragraphs."""
    return re.sub(r"(?<!\n)\n(Parameters|Source):", r"\n\n\1:", cleandoc(model.__doc__ or ""))


def _fields(model: type[Model], *, besides: type[Model] = Model) -> str:
    """The table of the fields of a model, without those that `besides` has with the same description."""
    rows = [
        _row(name, field)
        for name, field in model.model_fields.items()
        if name not in besides.model_fields or field.description != besides.model_fields[name].description
    ]
    return "\n".join(["| field | holds | left out | what |", "|---|---|---|---|", *rows]) if rows else ""


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`{field.alias or name}`", _holds(field.annotation), _left_out(field), _what(field))
    # A bar would end the cell, even inside code.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _what(field: FieldInfo) -> str:
    """The first line of the field's description, or else of the docstring of the first model in its type."""
    text = field.description or next((model.__doc__ or "" for model in _models(field.annotation)), "")
    return text.split("\n", 1)[0]


def _left_out(field: FieldInfo) -> str:
    """The cell with the default of a field, or that it is required."""
    if field.is_required():
        return "**required**"
    if field.default is None or field.default_factory is not None:
        return ""
    return f"`{str(field.default).lower()}`" if isinstance(field.default, bool) else f"`{field.default}`"


def _holds(annotation: Any) -> str:
    """The cell with the type of a field, in the words of the language. Raises KeyError for a type without a word."""
    named = next((word for alias, word in _READ_LATER if annotation == alias), None)
    if named is not None:
        return named
    if annotation in _SORTS:
        return _SORTS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _holds(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin in (dict, Mapping):
        return f"map of names to {_holds(arguments[1])}"
    if origin in (list, tuple):
        return f"list of {_holds(arguments[0])}"
    if origin in (Union, UnionType):
        # That a field may be left out is said in a column of its own.
        return " or ".join(dict.fromkeys(_holds(one) for one in arguments if one is not NoneType))
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return f"[{_title(annotation)}](#{_title(annotation).lower().replace(' ', '-')})"
    raise KeyError(annotation)


def _title(model: type[Model]) -> str:
    """The heading of a model: `FeedForwardFields` is "Feed forward fields"."""
    return re.sub(r"(?<=.)([A-Z])", r" \1", model.__name__).capitalize()


def _parts() -> Iterator[type[Model]]:
    """Models in the fields of the file and of blocks, each once, in breadth-first order."""
    waiting: list[type[Model]] = [FileModel, *blocks().values()]
    met = set(waiting)
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            for model in _models(field.annotation):
                if model not in met:
                    met.add(model)
                    waiting.append(model)
                    yield model


def _models(annotation: Any) -> Iterator[type[Model]]:
    """The models in a type, inside unions, lists and maps too."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
