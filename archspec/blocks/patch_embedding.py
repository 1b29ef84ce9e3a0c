"""The block `patch_embedding`."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from archspec.algebra.dim import Dim, compare
from archspec.blocks.parts.block import Block
from archspec.blocks.parts.context import Built, Context
from archspec.blocks.parts.norm import norm_of
from archspec.blocks.parts.norm_fields import NormField
from archspec.blocks.parts.numbers import fixed, rate, whole
from archspec.blocks.parts.per_axis import PerAxisField, per_axis
from archspec.blocks.parts.positions import PatchGrid, Positions, PositionsFields, plan_positions
from archspec.blocks.parts.values import same_shape
from archspec.blocks.token_embedding import finish
from archspec.diagnostics import fail
from archspec.ir.builder import Body, Builder
from archspec.ir.graph import Value
from archspec.ir.op import Op
from archspec.ir.types import Axis, DType, axis
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.elementwise.where import Where
from archspec.ops.linear.learned import Learned
from archspec.ops.shape.concat import Concat
from archspec.ops.shape.merge import Merge
from archspec.ops.shape.slice import Slice
from archspec.ops.shape.split import Split
from archspec.ops.shape.transpose import Transpose
from archspec.record import record
from archspec.schema.model import MAYBE, TWO
from archspec.schema.plain import Before
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField
from archspec.text.nodes import TextNode


def _patch(node: Any) -> Any:
    """A single side stands for a square patch."""
    return [node, node] if isinstance(node, TextNode) else node


class PatchEmbeddingBlock(Block):
    """A linear map of each patch of an image, class tokens in front, positions, registers, norm, dropout.

    Registers are placed after the class tokens and get no position.

    Parameters: `weight` [dim, channels, height, width],
    `bias` [dim], `class_token`, `distillation_token` [1, 1, dim], `registers` [1, count, dim], `positions` [rows, dim],
    `norm`.
    """

    block: ClassVar[str] = "patch_embedding"
    makes_sequence = True

    input: ValueField = Field(description="an image, float[batch, channels, height, width]")
    patch: Annotated[list[SizeField], TWO, Before(_patch)] = Field(
        description="side of a patch in pixels, or [height, width]; it must divide the image"
    )
    stride: PerAxisField | None = Field(
        default=None,
        description="pixels from a patch to the next, or a list with those of each axis; the patch when left out; "
        "smaller: patches overlap, and pixels at the end that fill no patch are left out",
    )
    dim: SizeField = Field(description="features of a patch")
    bias: BoolField | None = Field(default=None, description="a bias of the map; defaults.bias when left out")
    class_token: BoolField = Field(default=False, description="a learned token in front")
    distillation_token: BoolField = Field(default=False, description="a second learned token behind the class token")
    registers: ExprField | None = Field(default=None, description="number of learned tokens without position; 0")
    mask_token: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="a bool value [batch, patches]; where true, a learned token replaces the patch"
    )
    positions: Annotated[PositionsFields | None, MAYBE] = Field(default=None, description="positions that are added")
    norm: NormField = Field(default=None, description="a norm of all tokens")
    dropout: ExprField | None = Field(default=None, description="dropout rate; defaults.dropout when left out")

    def build(self, cx: Context) -> Built:
        """Build the embedding of an image [batch, channels, height, width]; the result is [batch, tokens, dim].

        Raises SpecError E342 for an input that is not an image, E349 for patches that do not divide it, those of
        positions and of the norm.
        """
        image = cx.value(self.input)
        if image.type.dtype != DType.FLOAT or image.type.rank != 4:
            wanted = "float[batch, channels, height, width]"
            fail("E342", f"patch_embedding takes {wanted}, got {image.type}", self.input.span)
        patch = [fixed(cx, expr, "patch") for expr in self.patch]
        stride = patch if self.stride is None else per_axis(cx, self.stride, 2, fixed, "stride")
        rows, columns = (self._count(k, image.type.shape[2 + k], patch[k], stride[k]) for k in range(2))
        width = fixed(cx, self.dim, "dim")
        bias = cx.defaults.bias if self.bias is None else self.bias
        tokens = [name for name in ("class_token", "distillation_token") if getattr(self, name)]
        mask = self._mask(cx, image, rows * columns)
        plan = _Patches(
            project=_projection(width, patch, stride, bias),
            width=width,
            tokens=tokens,
            registers=0 if self.registers is None else whole(cx, self.registers, "registers"),
            positions=self._positions(cx, image, PatchGrid(rows=rows, columns=columns, tokens=len(tokens)), width),
            norm=norm_of(cx, self.norm),
            dropout=rate(cx, self.dropout, cx.defaults.dropout),
        )
        inputs = {"image": image} if mask is None else {"image": image, "mask": mask}
        (x,) = cx.module("PatchEmbedding", plan.body(cx.builder), inputs)
        return Built(main=x)

    def _mask(self, cx: Context, image: Value, patches: Dim) -> Value | None:
        """The mask of patches, checked to be bool [batch, patches]; None if not given. Raises SpecError."""
        if self.mask_token is None:
            return None
        mask = cx.value(self.mask_token)
        if mask.type.dtype != DType.BOOL:
            fail("E342", f"`mask_token` takes a bool for every patch, got {mask.type}", self.mask_token.span)
        same_shape(mask, (image.type.shape[0], patches), self.mask_token.span, "`mask_token`")
        return mask

    def _count(self, k: int, size: Dim, patch: int, stride: int) -> Dim:
        """The number of patches along axis `k` of the image.

        Raises SpecError E244 for a stride that leaves pixels out between patches, E349 for patches that do not fill the
        axis or, if they overlap, may not fit.
        """
        expr, own = self.patch[k], self.stride
        if own is not None and stride > patch:
            place = own[k].span if isinstance(own, list) else own.span
            fail("E244", f"`stride` is {stride} and the patch side is {patch}", place, help="choose at most the patch")
        # Overlapping patches leave a rest of pixels out, as a convolution with a stride does; nothing need divide.
        if stride < patch:
            if compare(size, ">=", patch) is not True:
                fail("E349", f"an image side of {size} may be smaller than the patch side {patch}", expr.span)
            return (size - patch) // stride + 1
        if compare(size % patch, "==", 0) is not True:
            fail(
                "E349",
                f"an image side of {size} is not divisible by the patch side {patch}",
                expr.span,
                help=f"give the dim `multiple: {patch}`" if size.symbols() else "choose a patch that divides the image",
            )
        return size // patch

    def _positions(self, cx: Context, image: Value, grid: PatchGrid, width: int) -> Positions | None:
        """The positions of tokens and patches; None if none are given."""
        fields = self.positions
        if fields is None:
            return None
        shape = (image.type.shape[0], grid.rows * grid.columns + grid.tokens)
        return plan_positions(cx, fields, shape, width, grid)


def _projection(width: int, patch: Sequence[int], stride: Sequence[int], bias: bool) -> Op:
    """The map of each patch, as a convolution whose kernel is the patch."""
    # ViT's checkpoints store the map as a kernel [dim, channels, height, width].
    return Convolution(
        channels=Dim.of(width),
        kernel=tuple(patch),
        stride=tuple(stride),
        padding=(0, 0),
        dilation=(1, 1),
        groups=1,
        bias=bias,
    )


@record
class _Patches:
    """The parts of a patch embedding, their numbers evaluated."""

    project: Op
    width: int
    tokens: Sequence[str]
    registers: int
    positions: Positions | None
    norm: Op | None
    dropout: float

    def body(self, b: Builder) -> Body:
        """The body of the module, a function of the image [batch, channels, height, width] and of the patch mask."""

        def embed(image: Value, mask: Value | None = None) -> Value:
            patches = b.add(Merge(axis=2), b.add(self.project, image))
            x = b.add(Transpose(order=(0, 2, 1)), patches, result="x")
            if mask is not None:
                x = self._masked(b, x, mask)
            # Positions of patches only are added before the tokens are put in front.
            if self.positions is not None and self.positions.patches_alone:
                x = self.positions.add(b, x)
            of_tokens = self.positions is not None and not self.positions.patches_alone
            front = dict.fromkeys(self.tokens, 1)
            # Registers have no position: where tokens have one, they are put in after it was added.
            if self.registers and not of_tokens:
                front["registers"] = self.registers
            if front:
                x = b.add(Concat(axis=1), *(self._learned(b, x, *one) for one in front.items()), x, result="x")
            if self.positions is not None and of_tokens:
                x = self.positions.add(b, x)
                x = self._with_registers(b, x) if self.registers else x
            return finish(b, x, self.norm, self.dropout)

        return embed

    def _masked(self, b: Builder, x: Value, mask: Value) -> Value:
        """`x` [batch, patches, features] with a learned token in place of the masked patches."""
        op = Learned(axes=(axis(1), axis(1), axis(self.width)), static=(True, True, True))
        token = b.add(op, x, rename={"value": "mask_token"})
        # The mask has no axis for the features, over which `Where` broadcasts.
        column = b.add(Split(axis=1, sizes=(mask.type.axes[1], axis(1))), mask)
        return b.add(Where(), column, token, x, result="x")

    def _learned(self, b: Builder, x: Value, name: str, count: int) -> Value:
        """Learned tokens [batch, count, features], the same for every image."""
        # The batch is an axis of the value, not of the parameter, which is repeated over it.
        axes: tuple[Axis, ...] = (x.type.axes[0], axis(count), axis(self.width))
        return b.add(Learned(axes=axes, static=(False, True, True)), x, rename={"value": name}, result=name)

    def _with_registers(self, b: Builder, x: Value) -> Value:
        """`x` with learned registers after the tokens in front."""
        registers = self._learned(b, x, "registers", self.registers)
        if not self.tokens:
            return b.add(Concat(axis=1), registers, x, result="x")
        # Cut and joined again, since positions were added while tokens and patches were together.
        count = Dim.of(len(self.tokens))
        front = b.add(Slice(axis=1, start=Dim.of(0), stop=count), x)
        rest = b.add(Slice(axis=1, start=count), x)
        return b.add(Concat(axis=1), front, registers, rest, result="x")
