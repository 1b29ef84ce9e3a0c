"""Whether a graph's results depend on the number of positions, or on where the first valid one is."""

from __future__ import annotations

from archspec.algebra.dim import Symbol
from archspec.analyses.size_use import NONE, sizes_in
from archspec.ir.graph import Graph, Value
from archspec.ir.op import Op
from archspec.masks.walk import leaves
from archspec.ops.attention.attention import Attention
from archspec.ops.position.counted_positions import CountedPositions
from archspec.passes.scopes import Scopes
from archspec.record import field_names

_MOVE_ALONG = frozenset(
    {
        *("activation", "affine", "alibi", "attention", "binary", "call", "clamp", "compare", "counted_positions"),
        *("drop_path", "dropout", "embedding", "experts", "layer_norm", "linear", "logical", "merge"),
        *("relative_buckets", "repeat", "rms_norm", "rotary", "rotary_table", "routing", "select", "softcap", "split"),
        *("transpose", "unary", "unnormalised_attention", "with_number"),
    }
)
"""Ops that compute the same at every position, or depend only on distances; rotary tables are used in pairs."""


def counts_positions(graph: Graph, size: Symbol) -> bool:
    """Whether a value or offset in a graph, other than a shape, is computed from the number of positions.

    If none is, and the graph is causal, the result at a position does not depend on how many positions follow.
    """
    return any(size in _meant(node.op) for node in graph.walk())


def _meant(op: Op) -> frozenset[Symbol]:
    """The dims that an op's fields read, except those that only give the shape of a result."""
    return NONE.union(*(sizes_in(getattr(op, name)) for name in field_names(op) if name not in op.sized))


def moves_along(graph: Graph, valid: Value) -> bool:
    """Whether shifting sequences to the right shifts the results with them, given that `valid` marks their positions.

    False if this is not known: for positions counted from anything but `valid`, for masks with absolute positions, and
    for ops that are not known to depend on relative positions only.
    """
    scopes = Scopes(graph)
    return all(
        node.op.name in _MOVE_ALONG
        and not (isinstance(node.op, CountedPositions) and scopes.origin(node.inputs[0]) is not valid)
        and not (isinstance(node.op, Attention) and any(leaf.absolute for leaf in leaves(node.op.mask)))
        for node in graph.walk()
    )
