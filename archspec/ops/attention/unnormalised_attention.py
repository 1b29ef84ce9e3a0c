"""Attention whose weights are elementwise functions of the scores, without normalisation over the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from archspec.ir.op import Emitter
from archspec.ir.types import TensorType
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.functions import RELU_SQUARED, SIGMOID, Function
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array

Kind = Literal["relu_squared", "sigmoid"]
_FUNCTIONS: Mapping[Kind, Function] = {"relu_squared": RELU_SQUARED, "sigmoid": SIGMOID}


@record
class UnnormalisedAttention(Attention):
    """`f(softcap(scale * q k^T)) v` per head, where f is squared ReLU or sigmoid; a masked key has weight 0.

    The operands are those of `attention`. The weights of a row do not sum to 1.
    Source: Hua et al. 2022, arXiv 2202.10447 (squared relu); Ramapuram et al. 2024, arXiv 2409.04431 (sigmoid).
    """

    name = "unnormalised_attention"
    reads_more = "ReLU is 0 for negative scores, and the reasons of `attention` apply"

    kind: Kind

    @property
    def is_explicit(self) -> bool:
        """Always true: no kernel computes such weights."""
        return True

    @property
    def is_sum(self) -> bool:
        """Always: the weights of a row are not normalised."""
        return True

    def loose(self, inputs: Sequence[TensorType]) -> Mapping[int, str]:
        """The values too, where a weight may be 0."""
        more = {2: self.reads_more} if self.kind == "relu_squared" else {}
        return {**super().loose(inputs), **more}

    def _weights(self, scores: Array, allowed: Array, parameters: Mapping[str, Array]) -> Array:
        """The function of the scores, and 0 where the mask hides a key."""
        import numpy as np

        return np.where(allowed, _FUNCTIONS[self.kind](scores), 0)

    def _softmax(self, e: Emitter, scores: str, parameters: Mapping[str, str]) -> str:
        """The weights. A masked key has the score minus infinity, for which both functions give 0."""
        return _FUNCTIONS[self.kind].emit(e, scores)
