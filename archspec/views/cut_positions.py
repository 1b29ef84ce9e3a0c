"""Attention within parts of a sequence that are rows of its batch: which positions of the sequence those are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.ir.graph import Value
from archspec.ir.op import Primitive
from archspec.views.sites import Site

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def sequence(site: Site) -> Value | None:
    """The input of the module [batch, positions, features] that it cut into rows of a batch; None if it did not."""
    found = site.module.inputs[0] if site.module is not None and site.module.inputs else None
    (batch, _, positions, _) = site.node.inputs[1].type.shape
    if found is None or found.type.rank != 3 or found.type.shape[1] == positions:
        return None
    return found if found.type.shape[0] * found.type.shape[1] == batch * positions else None


def positions(site: Site, sizes: Mapping[str, int]) -> Array | None:
    """The position of the sequence that each one of a row is, [rows, positions], for one row of the batch.

    None where the module did not cut the sequence.
    """
    import numpy as np

    cut = sequence(site)
    if cut is None or site.module is None:
        return None
    count = cut.type.shape[1].value(sizes)
    known = {cut: np.arange(count).reshape(1, count, 1)}
    # Of one row of the batch, as in `known`.
    sizes = {**sizes, **{symbol.name: 1 for symbol in cut.type.shape[0].symbols()}}
    found, width = None, site.node.inputs[1].type.shape[2].value(sizes)
    for node in site.module.nodes:
        # Ops that only move entries take all of their operand's axes but the last one as they are.
        if isinstance(node.op, Primitive) and len(node.inputs) == 1 and node.inputs[0] in known and not node.parameters:
            (moved,) = node.op.reference([known[node.inputs[0]]], {}, sizes)
            known[node.outputs[0]] = moved
            found = moved[..., 0] if moved.ndim == 3 and moved.shape[1] == width else found
    return found


def lengths(site: Site) -> tuple[Dim, Dim]:
    """The numbers of queries and of keys: those of the sequence, also where it was cut."""
    cut = sequence(site)
    if cut is not None:
        return cut.type.shape[1], cut.type.shape[1]
    # Axis 2 of q [b h s d] and of k [b g t d].
    return site.node.inputs[0].type.shape[2], site.node.inputs[1].type.shape[2]


def sides(site: Site) -> str:
    """The sides of a part, as `7 x 7`."""
    return " x ".join(map(str, site.node.inputs[1].type.axes[2].factors))
