"""ATTENTION: the fields of an attention sublayer."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from archspec.blocks.parts.attention_positions import AttentionPositionsFields
from archspec.blocks.parts.norm_fields import NormNeeded, NormSwitch
from archspec.blocks.parts.windows import WindowsFields
from archspec.masks.field import MaskField
from archspec.schema.model import MAYBE, Model
from archspec.schema.plain import Around
from archspec.schema.sorts import BoolField, ExprField, SizeField, ValueField, text_of
from archspec.schema.words import check_word
from archspec.text.scalars import parse_bool

PROJECTIONS = ("q", "k", "v", "out")


def _biases(node: Any, handler: Any) -> Any:
    """The projections with a bias, from a bool or a list of names; None if the field is not given."""
    if node is None or isinstance(node, frozenset):
        return node
    if not isinstance(node, list):
        return frozenset(PROJECTIONS if parse_bool(text_of(node, "true, false or a list")) else ())
    for item in node:
        check_word(text_of(item, "a projection"), PROJECTIONS)
    return frozenset(item.value for item in node)


BiasField = Annotated[
    frozenset[str] | None,
    Around(_biases),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"enum": list(PROJECTIONS)}}]}),
]
"""The projections that have a bias: a bool for all, or a list."""


class QkNormFields(Model):
    """Norms of queries and keys before the scores."""

    norm: NormNeeded = Field(description="the norm")
    over: Literal["head", "all"] = Field(description="over the features of each head, or of all heads together")


class LatentFields(Model):
    """Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434)."""

    query: Annotated[SizeField | None, MAYBE] = Field(
        default=None, description="size of the latent query; none: queries have no latent"
    )
    key_value: SizeField = Field(description="size of the latent from which keys and values are made")
    rotary: SizeField = Field(description="number of features of a head that rotate, the last of head_dim")


class AttentionOptions(Model):
    """The fields of an attention, in a stack or as a block of its own."""

    heads: SizeField = Field(description="number of heads")
    kv_heads: SizeField | None = Field(
        default=None, description="number of heads of keys and values, which must divide `heads`; `heads` when left out"
    )
    head_dim: SizeField | None = Field(
        default=None, description="size of a head; features // heads when left out, which must divide"
    )
    value_dim: SizeField | None = Field(
        default=None, description="size of the values of a head; head_dim when left out"
    )
    mask: MaskField = Field(description="which keys a query may attend to; `all` when nothing is masked")
    scale: ExprField | None = Field(default=None, description="factor on the scores; 1/sqrt(head_dim) when left out")
    softcap: Annotated[ExprField | None, MAYBE] = Field(
        default=None, description="scores become softcap * tanh(scores / softcap)"
    )
    dropout: ExprField | None = Field(default=None, description="dropout rate of attention weights; 0 when left out")
    bias: BiasField = Field(
        default=None,
        description="whether projections have a bias, or a list of q, k, v and out; defaults.bias when left out",
    )
    qk_norm: Annotated[QkNormFields | None, MAYBE] = Field(default=None, description="norms of queries and keys")
    sink: Annotated[Literal["learned", "zero"] | None, MAYBE] = Field(
        default=None, description="an extra score in the softmax of each query that belongs to no key"
    )
    positions: Annotated[AttentionPositionsFields | None, MAYBE] = Field(
        default=None, description="positions inside attention"
    )
    add_to_scores: Annotated[ValueField | None, MAYBE] = Field(default=None, description="a value added to the scores")
    multiply_scores: Annotated[ValueField | None, MAYBE] = Field(
        default=None, description="a value that multiplies the scores"
    )
    latent: Annotated[LatentFields | None, MAYBE] = Field(default=None, description="latent attention (MLA)")
    windows: Annotated[WindowsFields | None, MAYBE] = Field(
        default=None, description="positions are a grid, and see those of their own window; met with the mask"
    )


class AttentionFields(AttentionOptions):
    """Attention among the positions of one sequence."""

    pre_norm: BoolField = Field(default=True, description="false drops the norm before this sublayer")


class CrossAttentionFields(AttentionFields):
    """Attention from one sequence to another."""

    memory: ValueField = Field(description="the other sequence, float[batch, positions, features]")
    memory_norm: NormSwitch = Field(default=None, description="a norm of the memory; `true`: defaults.norm")
