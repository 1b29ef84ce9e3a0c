"""The block `pool`."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.algebra.dim import compare
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.values import same_shape, valid_positions
from archspec.diagnostics import Diagnostic, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.gather_position import GatherPosition
from archspec.ops.shape.take import Take
from archspec.schema.findings import misplaced, missing, word
from archspec.schema.model import MAYBE
from archspec.schema.sorts import PredField, ValueField
from archspec.text.nodes import Node

_FIELDS: dict[str, tuple[str, ...]] = {
    "first": (),
    "last": ("valid",),
    "mean": ("valid",),
    "max": ("valid",),
    "at": ("index",),
}


class PoolBlock(Block):
    """One vector from all positions of a sequence, or from all of space of a feature map."""

    block: ClassVar[str] = "pool"

    input: ValueField = Field(description="float[batch, positions, features], or a map float[batch, channels, y, x]")
    kind: Literal["first", "last", "mean", "max", "at"] = Field(
        description="how the vector is made: first, last or indexed position, mean or maximum"
    )
    valid: Annotated[PredField | None, MAYBE] = Field(
        default=None, description="last, mean, max: positions that count; the result is zeros where none does"
    )
    index: ValueField | None = Field(default=None, description="at: the position, an integer for each row")

    @classmethod
    def _check(cls, node: Node, data: dict[str, Any]) -> Iterator[Diagnostic]:
        kind = word(data.get("kind"))
        # Removed before the check, so that `valid: none` is allowed for kinds to which `valid` does not apply.
        if word(data.get("valid")) == "none":
            del data["valid"]
        yield from misplaced(node, data, kind, _FIELDS)
        if kind == "at":
            yield from missing(node, data, "index", cls._field_help().get("index"))

    def build(self, cx: Context) -> Built:
        """Build the pooling. Raises SpecError E342 unless the input is a sequence or a map."""
        x = cx.value(self.input)
        if x.type.dtype != DType.FLOAT or x.type.rank not in (3, 4):
            message = f"pool takes float[batch, positions, features] or a map, got {x.type}"
            fail("E342", message, self.input.span, help="name another value")
        return Built(main=self._of_positions(cx, x) if x.type.rank == 3 else self._of_map(cx, x))

    def _of_positions(self, cx: Context, x: Value) -> Value:
        """The pooled vector [batch, features] of a sequence [batch, positions, features]."""
        if self.index is not None:
            return cx.leaf(GatherPosition(), x, self._index(cx, x))
        if self.kind in ("mean", "max", "last") and self.valid is not None:
            return cx.leaf(MaskedPool(kind=self.kind), x, valid_positions(cx, self.valid, x))
        if self.kind == "mean" or self.kind == "max":
            return cx.leaf(Reduce(kind=self.kind, axes=(1,)), x)
        return cx.leaf(Take(axis=1, index=0 if self.kind == "first" else -1), x)

    def _index(self, cx: Context, x: Value) -> Value:
        """The index [batch], checked. Raises SpecError E342, E347, or E343 if it may exceed the positions."""
        assert self.index is not None
        index = cx.value(self.index)
        if not index.type.dtype.is_integer:
            fail("E342", f"`index` takes an integer for every row, got {index.type}", self.index.span)
        same_shape(index, x.type.shape[:1], self.index.span, "`index`")
        bound, positions = index.type.bound, x.type.shape[1]
        if bound is not None and compare(bound, "<=", positions) is not True:
            fail("E343", f"the index reaches {bound} - 1, but there are {positions} positions", self.index.span)
        return index

    def _of_map(self, cx: Context, x: Value) -> Value:
        """The pooled vector [batch, channels] of a map. Raises SpecError E342, E241 for fields about positions."""
        if self.kind not in ("mean", "max"):
            fail("E342", f"`{self.kind}` pools positions, but the input is the map {x.type}", self.input.span)
        if self.valid is not None:
            fail("E241", "`valid` does not apply to a map", self.valid.span)
        return cx.leaf(Reduce(kind=self.kind, axes=(2, 3)), x)
