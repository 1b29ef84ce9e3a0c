"""Descriptions of attention for diagrams: its heads, positions and mask."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.ir.graph import Graph, Node
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.unnormalised_attention import UnnormalisedAttention
from archspec.ops.position.alibi import Alibi
from archspec.ops.position.relative_buckets import RelativeBuckets
from archspec.ops.position.relative_grid import RelativeGrid
from archspec.ops.position.rotary import Rotary
from archspec.ops.position.rotary_grid_table import RotaryGridTable
from archspec.ops.position.rotary_table import RotaryTable
from archspec.passes.scopes import Scopes
from archspec.views.cut_positions import sequence
from archspec.views.diagram.plan import DiagramPart, Thumb
from archspec.views.diagram.words import said
from archspec.views.example import Example
from archspec.views.mask_picture import drawn_mask
from archspec.views.sites import Site

_THUMB = 12


class AttentionWords:
    """Describes the attention nodes of one graph; `shown` gives the sizes and inputs at which masks are drawn."""

    def __init__(self, scopes: Scopes, shown: Example) -> None:
        self._scopes, self._shown = scopes, shown

    def module(self, kind: str, region: Graph) -> DiagramPart | None:
        """The part for a module that consists of one attention and its projections; None for any other module."""
        found = [node for node in region.nodes if isinstance(node.op, Attention)]
        projections = {node.name for node in region.nodes if node.parameters}
        if len(found) != 1 or "out" not in projections or any(node.regions for node in region.nodes):
            return None
        cross = kind.startswith("Cross")
        more = ["latent"] if any("down" in name for name in projections) else []
        # Latent attention has a norm of that name too, but on the compressed values.
        more += ["QK norm"] if not more and projections & {"q_norm", "k_norm"} else []
        return self._part("Cross-attention" if cross else "Self-attention", kind, found[0], region, more)

    def alone(self, node: Node) -> DiagramPart:
        """The part for an attention without projections."""
        assert isinstance(node.op, Attention)
        return self._part("Attention", node.op.name, node, None, [])

    def _part(self, title: str, kind: str, node: Node, region: Graph | None, more: list[str]) -> DiagramPart:
        op = node.op
        assert isinstance(op, Attention)
        site = Site(path="", layers=(), kind="", node=node, op=op, module=region)
        drawn = drawn_mask(site, self._shown, _THUMB)
        notes = [_heads(node), ", ".join([*more, *self._positions(node, region), *_options(op)])]
        if op.mask.kernel != "full" or sequence(site) is not None:
            notes.append(drawn.text)
        notes = [note for note in notes if note]
        return DiagramPart(role="attention", title=title, kind=kind, notes=tuple(notes), mask=Thumb(cells=drawn.cells))

    def _positions(self, node: Node, region: Graph | None) -> Iterator[str]:
        """Words for the position encodings of queries, keys and scores."""
        # Queries and keys are rotated by the same table, so the first rotation describes both.
        turned = [inner for inner in (region.nodes if region else ()) if isinstance(inner.op, Rotary)]
        if turned:
            table = self._scopes.origin(turned[0].inputs[1]).producer
            features = turned[0].inputs[0].type.shape[-1].constant
            op = None if table is None else table.op
            words = "rotary in a grid" if isinstance(op, RotaryGridTable) else "rotary"
            part = isinstance(op, RotaryTable | RotaryGridTable) and op.size != features
            yield f"partly {words}" if part else words
        # Operands after q, k and v and before the controls of the mask belong to the scores.
        for value in node.inputs[3 : getattr(node.op, "first", 3)]:
            maker = self._scopes.origin(value).producer
            match maker.op if maker is not None else None:
                case Alibi():
                    yield "ALiBi"
                case RelativeBuckets():
                    yield "relative positions"
                case RelativeGrid():
                    yield "relative grid"
                case _:
                    yield "external scores"


def _heads(node: Node) -> str:
    """The number of heads and their width, and the number of key heads if it differs."""
    queries, keys = node.inputs[0].type, node.inputs[1].type
    heads, kept = queries.shape[1], keys.shape[1]
    words = f"{heads} heads of {queries.shape[3]}" if heads != 1 else f"one head of {queries.shape[3]}"
    return words if heads == kept else f"{words}, {kept} for keys"


def _options(op: Attention) -> Iterator[str]:
    """Words for options of an attention: soft cap, sink, and the function used in place of softmax."""
    if op.softcap is not None:
        yield f"softcap {op.softcap.constant() or ''}".strip()
    if op.sink is not None:
        yield "sink"
    if isinstance(op, UnnormalisedAttention):
        yield said(op.kind)
