"""The block `rearrange`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema

from archspec.algebra.dim import Dim, compare, product
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.diagnostics import fail
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import axis
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.split import Split
from archspec.ops.shape.take import Take
from archspec.ops.shape.transpose import Transpose
from archspec.schema.plain import Plain
from archspec.schema.sizes import SizesField
from archspec.schema.sorts import ValueField, text_of
from archspec.text.rearrange import RearrangePattern, parse_rearrange


def _pattern(node: Any) -> RearrangePattern:
    return parse_rearrange(text_of(node, "a pattern, such as `b c h w -> b (h w) c`"))


PatternField = Annotated[RearrangePattern, Plain(_pattern), WithJsonSchema({"type": "string"})]


class RearrangeBlock(Block):
    """Split, reorder and merge axes: `b c h w -> b (h w) c`."""

    block: ClassVar[str] = "rearrange"

    input: ValueField = Field(description="any value")
    pattern: PatternField = Field(description="the axes before and after, such as `b c h w -> b (h w) c`")
    sizes: SizesField = Field(default_factory=dict, description="sizes of axes that are split, by name")

    def build(self, cx: Context) -> Built:
        """Build the steps; the last one has the name of the node. Raises SpecError E347, E202 or E203."""
        x = cx.value(self.input)
        sizes = self._sizes(cx, x)
        steps = list(self._steps(sizes))
        for step in steps[:-1]:
            x = cx.builder.add(step, x)
        return Built(main=cx.leaf(steps[-1], x) if steps else x)

    def _sizes(self, cx: Context, x: Value) -> dict[str, Dim]:
        """The size of every name of the pattern.

        Raises SpecError E347 if the pattern does not fit the axes of x, E202 for a size of an unknown name, E203 for a
        missing size.
        """
        left = self.pattern.left
        if len(left) != x.type.rank:
            fail("E347", f"the pattern has {len(left)} axes, but the input is {x.type}", self.pattern.span)
        for name, expr in self.sizes.items():
            if name not in self.pattern.names:
                fail("E202", f"the pattern has no axis `{name}`", expr.span)
        sizes = {name: cx.size(expr) for name, expr in self.sizes.items()}
        for names, size in zip(left, x.type.shape, strict=True):
            unknown = [name for name in names if name not in sizes]
            if len(unknown) > 1:
                fail("E203", f"missing size of `{unknown[0]}`", self.pattern.span, help="give it under `sizes`")
            given = product(sizes[name] for name in names if name in sizes)
            if compare(size % given, "==", 0) is not True:
                fail("E347", f"an axis of size {size} is not divisible by {given}", self.pattern.span)
            if unknown:
                sizes[unknown[0]] = size // given
            elif compare(size, "==", given) is not True:
                fail("E347", f"the pattern gives the size {given} for an axis of size {size}", self.pattern.span)
        return sizes

    def _steps(self, sizes: Mapping[str, Dim]) -> Iterator[Op]:
        """The ops in order: remove axes of size 1, split axes, move them, merge them, and add axes of size 1."""
        left, right = self.pattern.left, self.pattern.right
        # From the last axis to the first, so that the numbers of axes that are still to come do not change.
        for place in reversed(range(len(left))):
            if not left[place]:
                yield Take(axis=place, index=0)
        groups = [names for names in left if names]
        for place in reversed(range(len(groups))):
            if len(groups[place]) > 1:
                yield Split(axis=place, sizes=tuple(axis(sizes[name]) for name in groups[place]))
        before = [name for names in groups for name in names]
        after = [name for names in right for name in names]
        if before != after:
            yield Transpose(order=tuple(before.index(name) for name in after))
        groups = [names for names in right if names]
        for place in reversed(range(len(groups))):
            if len(groups[place]) > 1:
                start = sum(len(names) for names in groups[:place])
                yield Merge(axis=start, count=len(groups[place]))
        yield from self._ones(sizes)

    def _ones(self, sizes: Mapping[str, Dim]) -> Iterator[Op]:
        """The splits that add the axes of size 1 of the right side, each from the axis after it, or before it."""
        made: list[Dim] = [product(sizes[name] for name in names) for names in self.pattern.right if names]
        for place, names in enumerate(self.pattern.right):
            if not names and place < len(made):
                yield Split(axis=place, sizes=(axis(1), axis(made[place])))
                made.insert(place, Dim.of(1))
            elif not names:
                yield Split(axis=place - 1, sizes=(axis(made[place - 1]), axis(1)))
                made.append(Dim.of(1))
