"""Replace the products of an attention that reads a cache under causality by TensorRT's own attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorrt_rtx as trt

from archspec.engines.rtx.settings import kept
from archspec.engines.rtx.wiring import LiveWiring
from archspec.record import record

_MOVES = ("SHUFFLE", "UNSQUEEZE", "SQUEEZE", "SLICE")
"""Layers between a cache and the product that reads it: they move axes, and repeat heads for groups of queries."""
_RESHAPED = ("SHUFFLE", "SELECT", "CAST", "IDENTITY")
"""Layers between the softmax and the product with values: the second guards rows without keys."""


@record(eq=False)
class _Found:
    """The parts of an attention: its last product, queries, factors of the keys, and the caches it reads."""

    product: Any
    query: Any
    factors: tuple[Any, ...]
    keys: str
    values: str


class CachedAttention:
    """The attentions of a network that read caches.

    Args:
        wiring: the network before it was changed.
        sources: by input of the state, what was written before the change.
        updated: by input of the state, the cache after it is written.
        causal: the inputs of the state that are keys of attentions under causality alone.
        lengths: how many entries each row has, int32 [b].
    """

    def __init__(
        self,
        wiring: LiveWiring,
        sources: Mapping[str, Any],
        updated: Mapping[str, Any],
        causal: Iterable[str],
        lengths: Any,
    ) -> None:
        self.wiring, self.updated, self.causal, self.lengths = wiring, updated, frozenset(causal), lengths
        # Tensors of TensorRT are told apart by their Python objects alone.
        self.names = {id(tensor): name for name, tensor in (*sources.items(), *updated.items())}

    def place(self) -> None:
        """Change the network. An attention of another form keeps its products and its mask, which say the same."""
        for softmax in self.wiring.of_kind("SOFTMAX"):
            found = self._found(softmax)
            if found is not None and found.keys in self.causal:
                self._place(found)

    def _place(self, found: _Found) -> None:
        query, network = found.query, self.wiring.network
        for factor in found.factors:
            query = network.add_elementwise(query, factor, trt.ElementWiseOperation.PROD).get_output(0)
        # Queries are the last positions of each row: causality counts from the end of its entries.
        kind, norm = trt.CausalMaskKind.LOWER_RIGHT, trt.AttentionNormalizationOp.SOFTMAX
        made = network.add_attention_v2(query, self.updated[found.keys], self.updated[found.values], norm, kind)
        made.key_value_lengths = self.lengths
        # Where no single kernel computes it, as in float32, TensorRT may divide it.
        made.decomposable = True
        made.name = f"{found.product.name}.attention"
        kept("causality of an attention", made.causal_kind, kind)
        kept("lengths of an attention", made.key_value_lengths.name, self.lengths.name)
        kept("division of an attention", made.decomposable, True)
        kept("mask of an attention", made.mask, None)
        self.wiring.replace(found.product.get_output(0), made.get_output(0))

    def _found(self, softmax: Any) -> _Found | None:
        """Return the attention with this softmax, None for one of another form."""
        scores = self._scores(softmax.get_input(0))
        product = self._product(softmax.get_output(0))
        if scores is None or product is None:
            return None
        keys, factors = self._source(scores.get_input(1))
        values, scaled = self._source(product.get_input(1))
        if keys is None or values is None or scaled:
            return None
        return _Found(product=product, query=scores.get_input(0), factors=factors, keys=keys, values=values)

    def _scores(self, tensor: Any) -> Any | None:
        """Return the product of queries and keys to which a mask was added."""
        kind, layer = self.wiring.maker(tensor)
        if kind != "ELEMENTWISE" or layer.op != trt.ElementWiseOperation.SUM:
            return None
        kind, layer = self.wiring.maker(layer.get_input(0))
        return layer if kind == "MATRIX_MULTIPLY" else None

    def _product(self, tensor: Any) -> Any | None:
        """Return the product of weights and values."""
        for kind, layer in self.wiring.readers(tensor):
            if kind == "MATRIX_MULTIPLY":
                return layer
            if kind in _RESHAPED:
                found = self._product(layer.get_output(0))
                if found is not None:
                    return found
        return None

    def _source(self, tensor: Any) -> tuple[str | None, tuple[Any, ...]]:
        """Return the state that a tensor was made from by moving axes, and what it was multiplied with."""
        factors: list[Any] = []
        while id(tensor) not in self.names:
            kind, layer = self.wiring.maker(tensor)
            if kind == "ELEMENTWISE" and layer.op == trt.ElementWiseOperation.PROD:
                factors.append(layer.get_input(1))
            elif kind not in _MOVES:
                return None, ()
            tensor = layer.get_input(0)
        return self.names[id(tensor)], tuple(factors)
