"""The options of the language, and the tests that try them.

An option is a field that may hold anything (`attention.scale`), or a word that a field may hold
(`attention.sink=learned`, `lm_head.bias=true`, `attention.qk_norm=none`); a field that some kinds of a section have is
one for each (`norm.eps@rms_norm`). `models` and `options` find them all by walking the models.

A test that tries some against something independent says so:

    @option("experts.scores={scores}", "experts.shared")

where `{scores}` is a parameter of the test. What the test reads is recorded, and a marked option that no spec of the
test held fails it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import WithJsonSchema

from archspec.blocks.parts.norm_fields import DefaultNorm, MaybeNorm
from archspec.blocks.registry import blocks
from archspec.diagnostics import Source
from archspec.layouts import layout, line
from archspec.masks.registry import atoms
from archspec.schema.model import MAYBE, Model
from archspec.spec.document import FileModel
from archspec.spec.rules import rule_words
from archspec.text import expr, mask, pred, types, value
from archspec.text.nodes import MapNode
from archspec.text.reader import read

ROOT = Path(__file__).resolve().parent.parent
USED = pytest.StashKey[set[str]]()

option = pytest.mark.option

_SORTS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "expr": (expr.Expr, (*expr.FUNCTIONS, "layer", "+", "-", "*", "/", "//", "%")),
    "value": (value.ValueExpr, (*value.FUNCTIONS, "+", "-", "*", "/")),
    "pred": (pred.PredExpr, (*pred.WORDS, "==", "!=", "<", "<=", ">", ">=")),
    "mask": (mask.MaskSyntax, (*atoms(), "&", "|")),
    "type": (types.TypeSyntax, types.DTYPES),
}
"""Words inside texts of a sort, which are options too."""
_LAYOUT = frozenset({*layout.KEYS, *line.KEYS})
"""Keys of layouts of weights, which no model declares."""


def models() -> list[type[Model]]:
    """Every model that a file may hold."""
    found: list[type[Model]] = []
    waiting: list[type[Model]] = [FileModel, *(blocks()[word] for word in blocks())]
    waiting += [kind.fields for kind in rule_words().values()]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found.append(model)
            for field in model.model_fields.values():
                waiting += (one for one in _parts(field.annotation, field.metadata) if isinstance(one, type))
    return found


@cache
def options() -> frozenset[str]:
    """Every option of the language."""
    found = {f"{owner}.{word}" for owner, (_, words) in _SORTS.items() for word in words}
    found |= {f"layout.{word}" for word in _LAYOUT}
    found |= {f"rule.{word}" for word in rule_words()}
    for model in models():
        for name, (key, words) in _fields(model).items():
            found |= {
                f"{owner_of(model, name)}.{key}={word}" if word else f"{owner_of(model, name)}.{key}" for word in words
            }
        found |= {f"{owner_of(model, name)}.{name}@{kind}" for name, kinds in _by_kind(model).items() for kind in kinds}
    return frozenset(found)


@cache
def _by_kind(model: type[Model]) -> dict[str, list[str]]:
    """The fields that several kinds of a section have, where kinds differ in their fields, and those kinds."""
    field = model.model_fields.get("kind")
    kinds = [] if field is None else [one for one in _parts(field.annotation) if isinstance(one, str)]
    found = {
        name: [kind for kind in kinds if not _is_misplaced(model, kind, name)]
        for name in _fields(model)
        if name not in ("kind", "input", "axis") and owner_of(model, name) != "block"
    }
    tells = any(len(having) < len(kinds) for having in found.values())
    return {name: having for name, having in found.items() if len(having) > 1} if tells else {}


def _is_misplaced(model: type[Model], kind: str, name: str) -> bool:
    text = read(Source("kind", f"kind: {kind}\n{name}: 1\n"))
    data: dict[str, Any] = {entry.key.value: entry.value for entry in text.entries}
    return any(found.code == "E241" and f"`{name}`" in found.message for found in model._check(text, data))


def named(owner: str, fields: str) -> list[str]:
    """The options that fields written on one line are, as `kernel: 3, padding: same`."""
    known, found = options(), []
    for part in re.findall(r"\w+: (?:\{[^}]*\}|\[[^\]]*\]|[^,]+)", fields.strip("{} ,")):
        name, _, word = part.partition(": ")
        found += [one for one in (f"{owner}.{name}={word}", f"{owner}.{name}") if one in known][:1]
    return found


def trying(owner: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Rows of parameters of a test, each marked with the fields of a block that its first item gives."""
    return [pytest.param(*row, marks=option(*named(owner, row[0]))) for row in rows]


@cache
def owner_of(model: type[Model], name: str) -> str:
    """The word of the block or section that a field belongs to: where it is declared, below the last whole block."""
    lineage = [one for one in model.__mro__ if issubclass(one, Model)]
    declares = next(one for one in lineage if name in one.__annotations__)
    owner = model if vars(declares).get("block") else declares
    word = vars(owner).get("block")
    return (
        word or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.sub(r"(Fields|Options|Item|Model)$", "", owner.__name__)).lower()
    )


class Words(frozenset[str]):
    """The words of a field, "" for anything else; `off` says that the field left out is off."""

    off: bool = False


@cache
def _fields(model: type[Model]) -> dict[str, tuple[str, Words]]:
    """For every field its key and its words."""
    known = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key in set(model.keys()):
            metadata = [*field.metadata, *getattr(field.annotation, "__metadata__", ())]
            words = Words(one if isinstance(one, str) else "" for one in _parts(field.annotation, field.metadata))
            # `norm` left out may be the default one.
            words.off = any(one is MAYBE or (isinstance(one, MaybeNorm) and "false" in one.off) for one in metadata)
            known[name] = (key, words)
    return known


def _parts(annotation: Any, metadata: Sequence[Any] = ()) -> Iterator[Any]:
    """Words and models that an annotation may hold, and None for anything else."""
    origin, inner = get_origin(annotation), get_args(annotation)
    for item in metadata:
        if item is MAYBE:
            yield "none"
        elif isinstance(item, MaybeNorm):
            yield from item.off[-1:]
        elif isinstance(item, WithJsonSchema):
            yield from _words(item.json_schema)
    if origin is Annotated:
        yield from _parts(inner[0], inner[1:])
    elif origin is Literal:
        yield from inner
    elif origin in (Union, UnionType):
        for one in inner:
            yield from _parts(one)
    elif origin in (list, dict, Mapping):
        yield from _parts(inner[-1])
    elif annotation is bool:
        yield from ("true", "false")
    elif isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    elif annotation not in (NoneType, DefaultNorm) and origin is not frozenset:
        yield None


def _words(schema: Any) -> Iterator[str]:
    """The words in a piece of JSON Schema that a field gives by hand."""
    if isinstance(schema, list):
        for one in schema:
            yield from _words(one)
    elif isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        yield from ("true", "false") if schema.get("type") == "boolean" else ()
        yield from ("true",) if schema.get("const") is True else ()
        for one in (schema.get("anyOf"), schema.get("items")):
            yield from _words(one)


@contextmanager
def recording() -> Iterator[set[str]]:
    """The options that specs hold which are read meanwhile."""
    used: set[str] = set()
    own = vars(Model).get("model_construct")
    construct = Model.model_construct.__func__  # type: ignore[attr-defined]

    def spy(model: type[Model], _fields_set: set[str] | None = None, **values: Any) -> Model:
        made: Model = construct(model, _fields_set, **values)
        used.update(_held(made))
        return made

    Model.model_construct = classmethod(spy)  # type: ignore[assignment, method-assign]
    try:
        yield used
    finally:
        if own is None:
            del Model.model_construct
        else:
            Model.model_construct = own  # type: ignore[method-assign]


def _held(model: Model) -> Iterator[str]:
    kind = next(one for one in type(model).__mro__ if one.__module__.startswith("archspec"))
    for name, (key, words) in _fields(kind).items():
        held = getattr(model, name)
        given = name in model.given
        if given or isinstance(held, bool) or (held is None and words.off):
            path = f"{owner_of(kind, name)}.{key}"
            if given and len(_by_kind(kind).get(name, ())) > 1:
                yield f"{path}@{getattr(model, 'kind', None)}"
            held_words = set(_held_words(held)) & words
            yield from (f"{path}={word}" if word else path for word in held_words)
        yield from _inside(held)
    if isinstance(model, FileModel):
        yield from (f"rule.{item.kind}" for item in model.rules)
        for node in model.weights.values():
            yield from (f"layout.{key}" for key in _keys(node) if key in _LAYOUT)


def _keys(node: Any) -> Iterator[str]:
    """All keys of a map and of the maps inside it."""
    if isinstance(node, MapNode):
        for entry in node.entries:
            yield entry.key.value
            yield from _keys(entry.value)


def _held_words(held: Any) -> Iterator[str]:
    if held is None:
        yield from ("none", "false")
    elif isinstance(held, bool):
        yield str(held).lower()
    elif isinstance(held, str):
        yield from (held, "")
    elif isinstance(held, DefaultNorm):
        yield "true"
    elif isinstance(held, frozenset):
        yield from ("true", *held) if len(held) == 4 else held or ("false",)
    else:
        yield ""


def _inside(held: Any) -> Iterator[str]:
    """Words of the texts that a field holds."""
    if isinstance(held, (list, tuple, frozenset)):
        for one in held:
            yield from _inside(one)
    elif isinstance(held, Mapping):
        yield from _inside(list(held.values()))
    for owner, (kind, words) in _SORTS.items():
        if isinstance(held, kind):
            text = re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?|\w+|//|[=!<>]=|[^\w\s]", str(held))
            yield from (f"{owner}.{word}" for word in words if word in text)


def marked(item: pytest.Item) -> set[str]:
    """The options that a test is marked with, the values of its parameters put in."""
    given = getattr(getattr(item, "callspec", None), "params", {})
    words = {
        name: {None: "none"}.get(one, str(one).lower() if isinstance(one, bool) else one)
        for name, one in given.items()
        if _hashable(one)
    }
    return {name.format(**words) for mark in item.iter_markers("option") for name in mark.args}


def _hashable(one: Any) -> bool:
    return isinstance(one, (str, int, float, bool, NoneType))


class Collected:
    """Keeps the tests that pytest finds."""

    def __init__(self) -> None:
        self.marks: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.marks = {item.nodeid: sorted(marked(item)) for item in items if marked(item)}


def main() -> None:
    """Print the marks of all tests, by their ids, as JSON."""
    files = [str(path) for path in (ROOT / "tests").rglob("test_*.py") if "option(" in path.read_text("utf-8")]
    found, said = Collected(), StringIO()
    with redirect_stdout(said):
        status = pytest.main(
            ["--collect-only", "-q", "-m", "slow or not slow", "-p", "no:cacheprovider", *files], [found]
        )
    if status:
        sys.exit(said.getvalue())
    print(json.dumps(found.marks))


if __name__ == "__main__":
    main()
