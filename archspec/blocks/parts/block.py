"""The base class of all blocks."""

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field

from archspec.blocks.parts.context import Built, Context
from archspec.schema.init import InitFields
from archspec.schema.model import MAYBE, Model
from archspec.schema.sorts import BoolField, ExprField, TextField
from archspec.text.value import ValueExpr


class Block(Model):
    """A block of the language: its fields, and how it is built from primitives.

    `block` is the word that names it; `feeds` is the field that a chain or a repeat feeds, if it has one.
    `shares` says that the field `share` means layers of the block itself, so that it needs no `repeat`.
    `makes_sequence` says that an output of rank 3 has the axes batch, positions, features: what rules compare by it.
    `makes_map` says that the output has the axes batch, channels, space; `keeps_axes` that it has those of what is fed,
    in their order.
    """

    block: ClassVar[str]
    feeds: ClassVar[str | None] = "input"
    shares: ClassVar[bool] = False
    makes_sequence: ClassVar[bool] = False
    makes_map: ClassVar[bool] = False
    keeps_axes: ClassVar[bool] = False

    about: TextField | None = Field(default=None, description="what the node is for")
    repeat: ExprField | None = Field(default=None, description="number of times the block runs; its output is fed back")
    share: BoolField = Field(default=False, description="whether repeats use one set of weights")
    frozen: BoolField = Field(default=False, description="whether parameters are excluded from training")
    init: Annotated[InitFields | None, MAYBE] = Field(default=None, description="initial values of weights and tables")

    @property
    def fed(self) -> ValueExpr:
        """The expression in the field that a chain or a repeat feeds; only for blocks with such a field."""
        assert self.feeds is not None
        found: ValueExpr = getattr(self, self.feeds)
        return found

    @abstractmethod
    def build(self, cx: Context) -> Built:
        """Build the block from primitives, through `cx.leaf` or `cx.module`.

        Raises SpecError at a field that does not fit.
        """
