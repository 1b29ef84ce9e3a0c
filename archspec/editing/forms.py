"""What may stand in a field, told from the annotations that read files and give the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo

from archspec.blocks.parts.norm_fields import DefaultNorm
from archspec.record import record
from archspec.schema.model import MAYBE, Model
from archspec.schema.plain import Before, Plain
from archspec.schema.reading import Reader, reader
from archspec.schema.sorts import ExprField
from archspec.schema.words import AxisText, Word
from archspec.text.expr import Expr, Name
from archspec.text.mask import MaskCall
from archspec.text.nodes import TextNode
from archspec.text.path import Path
from archspec.text.pred import PredPath
from archspec.text.types import TypeSyntax
from archspec.text.value import ValueCall

_SORTS: Mapping[Any, str] = {
    Name: "expr",
    ValueCall: "value",
    PredPath: "pred",
    MaskCall: "mask",
    TypeSyntax: "type",
    AxisText: "axis",
    Word: "word",
    bool: "bool",
}


@record(eq=False)
class Form:
    """The type of a field with its metadata, and what its description says. `default` is shown as a file writes it."""

    annotation: Any = Any
    metadata: tuple[Any, ...] = ()
    about: str = ""
    required: bool = False
    default: str = ""

    @staticmethod
    def of(field: FieldInfo) -> Form:
        """The form of a field of a model."""
        shown = "" if field.default is None or field.is_required() or field.default_factory else _shown(field.default)
        return Form(
            annotation=field.annotation,
            metadata=tuple(field.metadata),
            about=field.description or _first_line(field.annotation),
            required=field.is_required(),
            default=shown,
        )

    @cached_property
    def choices(self) -> tuple[Any, ...]:
        """The types that may stand here, unions taken apart; a text with a reader of its own counts as one."""
        whole = Annotated[self.annotation, *self.metadata] if self.metadata else self.annotation
        return tuple(dict.fromkeys(_flat(whole)))

    @cached_property
    def models(self) -> tuple[type[Model], ...]:
        """The models among the choices."""
        return tuple(one for one in self.choices if isinstance(one, type) and issubclass(one, Model))

    @cached_property
    def values(self) -> Form | None:
        """The form of the values, where this is a map by names."""
        found = next((one for one in map(_bare, self.choices) if get_origin(one) in (dict, Mapping)), None)
        if found is None:
            return None
        inner = get_args(found)[1]
        # A map of sizes is read as a whole, so that its values have no reader of their own.
        return Form(annotation=ExprField if inner == Expr else inner, about=self.about)

    @cached_property
    def items(self) -> Form | None:
        """The form of the items, where this is a list."""
        found = next((one for one in map(_bare, self.choices) if get_origin(one) is list), None)
        if found is not None:
            return Form(annotation=get_args(found)[0], about=self.about)
        if any(get_origin(one) is frozenset for one in map(_bare, self.choices)):
            return self
        # A list in place of a map of fields holds what its first field holds: the range of a dim, a pattern of kinds.
        first = next((form for model in self.models for form in field_forms(model).values()), None)
        return None if first is None else first.items or first

    @cached_property
    def sorts(self) -> frozenset[str]:
        """The sorts of text that may stand here: `expr`, `value`, `pred`, `mask`, `path`, `type`, `axis`, `bool`."""
        types = {part for one in self.choices for part in (one, _bare(one), *_parts(_bare(one)))}
        found = {_SORTS[part] for part in types if part in _SORTS}
        for model in self.models:
            if model.shorthand is not None:
                found |= Form.of(model.model_fields[model.shorthand]).sorts
        if self.items is not None and any(isinstance(one, Before) for one in self.metadata):
            # A text in place of a list is each of its items.
            found |= self.items.sorts
        return frozenset(found | ({"path"} if Path in types and "value" not in found else set()))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The fixed words that may stand here, those of a model's shorthand and `none` included."""
        found = [word for one in self.choices for word in _words(one)]
        bare = {_bare(one) for one in self.choices}
        if bare & {bool, TextNode, DefaultNorm} or "bool" in self.sorts:
            found += ["true"]
        if bare & {bool, TextNode} or "bool" in self.sorts:
            found += ["false"]
        for off in (one.off for one in self.metadata if hasattr(one, "off")):
            found += off
        return tuple(dict.fromkeys(found))

    @cached_property
    def read(self) -> Reader:
        """Reads a text, a list or a map of this form. It raises SpecError."""
        return reader(self.annotation, self.metadata)


@cache
def field_forms(model: type[Model]) -> Mapping[str, Form]:
    """The forms of the fields of a model, by the keys that a file writes."""
    fields = {one.alias or name: one for name, one in model.model_fields.items()}
    known = model.keys()
    return {key: Form.of(fields[key]) for key in known if key in fields}


def _flat(annotation: Any) -> Iterator[Any]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_text = any(isinstance(one, Plain) for one in inner[1:])
        schemas = [one for one in inner[1:] if isinstance(one, WithJsonSchema)]
        if is_text or schemas:
            yield annotation
        if not is_text:
            yield from _flat(inner[0])
        if MAYBE in inner[1:]:
            yield Literal["none"]
    elif origin in (Union, UnionType):
        for one in inner:
            yield from _flat(one)
    elif annotation is not NoneType:
        yield annotation


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Model) and annotation.shorthand is not None:
        field = annotation.model_fields[annotation.shorthand]
        yield from Form.of(field).words
    elif get_origin(annotation) is Annotated:
        for one in get_args(annotation)[1:]:
            if isinstance(one, WithJsonSchema):
                yield from _written_words(one.json_schema)


def _written_words(schema: Any) -> Iterator[str]:
    """The words that a JSON Schema lists."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "const" and isinstance(value, str):
                yield value
            elif key == "enum":
                yield from (word for word in value if isinstance(word, str))
            else:
                yield from _written_words(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _written_words(one)


def _shown(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else "" if default == [] else str(default)


def _first_line(annotation: Any) -> str:
    found = next((one for one in _flat(annotation) if isinstance(one, type) and issubclass(one, Model)), None)
    return "" if found is None else (found.__doc__ or "").partition("\n")[0]
