"""POSITIONS in attention: the fields of the kinds that act on queries, keys and scores."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.diagnostics import Diagnostic
from archspec.schema.findings import kind_of, misplaced, missing
from archspec.schema.model import MAYBE, TWO, Model
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField
from archspec.text.nodes import Node

_FIELDS = {
    "rotary": ("layout", "base", "size", "scaling", "ids"),
    "rotary_grid": ("grid", "layout", "coordinates", "frequencies", "base", "size"),
    "alibi": ("slopes",),
    "relative_buckets": ("buckets", "max_distance", "bidirectional", "share"),
    "relative_grid": ("rows", "columns", "share"),
    "added": ("query", "key"),
}
_NEEDED = {
    "rotary": ("layout",),
    "rotary_grid": ("grid", "layout", "coordinates"),
    "relative_buckets": ("buckets", "max_distance", "bidirectional", "share"),
    "relative_grid": ("share",),
}
_SCALING = {
    "linear": ("factor",),
    "llama3": ("factor", "low", "high", "original"),
    "yarn": ("factor", "original", "fast", "slow", "truncate", "magnitude"),
    "dynamic": ("factor", "original"),
    "longrope": ("short", "long", "original", "magnitude"),
}
# The defaults are those of transformers; `fast`, `slow` and `magnitude` come from the paper (arXiv 2309.00071).
_OPTIONAL = {"yarn": ("fast", "slow", "truncate", "magnitude")}


class ScalingFields(Model):
    """A change of rotary frequencies for sequences longer than those of training."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Literal["linear", "llama3", "yarn", "dynamic", "longrope"] = Field(
        description="linear divides all frequencies, llama3 and yarn only low ones, each with its own blend in "
        "between; beyond `original` positions dynamic lets the base grow with the length, longrope has other divisors"
    )
    factor: ExprField | None = Field(
        default=None, description="divisor of frequencies; dynamic: how fast the base grows; required but for longrope"
    )
    low: ExprField | None = Field(
        default=None, description="llama3: turns within `original` below which a frequency is divided"
    )
    high: ExprField | None = Field(
        default=None, description="llama3: turns within `original` above which a frequency is kept"
    )
    original: ExprField | None = Field(
        default=None, description="llama3, yarn, dynamic, longrope: the length of sequences in training"
    )
    short: list[ExprField] | None = Field(
        default=None, description="longrope: a divisor for each frequency, up to `original` positions", min_length=1
    )
    long: list[ExprField] | None = Field(
        default=None, description="longrope: a divisor for each frequency, beyond `original` positions", min_length=1
    )
    fast: ExprField | None = Field(
        default=None, description="yarn: turns above which a frequency is kept; 32 when left out"
    )
    slow: ExprField | None = Field(
        default=None, description="yarn: turns below which a frequency is divided; 1 when left out"
    )

    truncate: BoolField = Field(
        default=True, description="yarn: whether the ends of the blend are rounded to whole indices of frequencies"
    )
    magnitude: ExprField | None = Field(
        default=None,
        description="yarn, longrope: factor on the cosines and sines; for yarn 0.1 ln(factor) + 1 when left out, "
        "1 where factor <= 1; required for longrope",
    )

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = kind_of(data.get("kind"))
        yield from misplaced(node, data, kind, _SCALING)
        for field in _SCALING.get(kind or "", ()):
            if field not in _OPTIONAL.get(kind or "", ()):
                yield from missing(node, data, field, cls._field_help().get(field))


class AttentionPositionsFields(Model):
    """Positions inside attention."""

    shorthand: ClassVar[str | None] = "kind"

    kind: Literal["rotary", "rotary_grid", "alibi", "relative_buckets", "relative_grid", "added"] = Field(
        description="which positions"
    )
    layout: Literal["half", "interleaved"] | None = Field(
        default=None,
        description="rotary, rotary_grid: pairs of features: half i and i + size/2, interleaved 2i and 2i + 1; "
        "required",
    )
    base: ExprField | None = Field(
        default=None, description="rotary, rotary_grid: longest wavelength over 2 pi; 10000 when left out"
    )
    size: SizeField | None = Field(
        default=None,
        description="rotary, rotary_grid: number of features of a head that rotate; head_dim when left out",
    )
    grid: Annotated[list[SizeField], TWO] | None = Field(
        default=None,
        description="rotary_grid: rows and columns of patches, row by row; tokens in front of them are not rotated; "
        "required",
    )
    coordinates: Literal["index", "centred"] | None = Field(
        default=None,
        description="rotary_grid: numbers of rows and columns, or the centres of patches that fill -1 to 1, times "
        "2 pi; required",
    )
    frequencies: Literal["shared", "alternating"] = Field(
        default="shared",
        description="rotary_grid: whether rows and columns, of half the features each, have the same frequencies or "
        "every other one",
    )
    scaling: Annotated[ScalingFields | None, MAYBE] = Field(
        default=None, description="rotary: how frequencies change for longer sequences"
    )
    ids: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="rotary: the position of each element; its index when left out"
    )
    slopes: Literal["powers", "learned"] = Field(
        default="powers", description="alibi: powers of two as in the paper, or a learned slope per head"
    )
    buckets: SizeField | None = Field(default=None, description="relative_buckets: number of buckets; required")
    max_distance: SizeField | None = Field(
        default=None, description="relative_buckets: the distance from which all share one bucket; required"
    )
    bidirectional: BoolField | None = Field(
        default=None, description="relative_buckets: whether keys after the query have separate buckets; required"
    )
    share: BoolField | None = Field(
        default=None, description="relative_buckets, relative_grid: whether all layers share one table; required"
    )
    rows: SizeField | None = Field(
        default=None,
        description="relative_grid: number of rows of patches; those of a window, or of the image that they come from",
    )
    columns: SizeField | None = Field(default=None, description="relative_grid: number of columns of patches, likewise")
    query: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="added: a value added to the input of the queries, in every layer"
    )
    key: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="added: a value added to the input of the keys, in every layer"
    )

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = kind_of(data.get("kind"))
        yield from misplaced(node, data, kind, _FIELDS)
        for field in _NEEDED.get(kind or "", ()):
            yield from missing(node, data, field, cls._field_help().get(field))
