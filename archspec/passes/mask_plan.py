"""Which masks are made, where, and what they are called on the way to the attention that uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from archspec.diagnostics import Span
from archspec.ir.dim import Dim
from archspec.ir.graph import Node, Value
from archspec.ir.types import DType, TensorType
from archspec.masks.empty_rows import Padding, may_leave_row_empty
from archspec.masks.entail import normal
from archspec.masks.mask import All, Causal, Given, Mask
from archspec.masks.walk import compares_positions, controls, renumbered
from archspec.ops.attention import Attention
from archspec.ops.make_mask import MakeMask
from archspec.passes.scopes import Scope, Scopes

_DEVICE = TensorType.of(DType.BOOL)
"""Stands for the operand that gives the device where only types are asked."""


@dataclass(frozen=True, kw_only=True)
class MadeMask:
    """One mask: its expression over `controls`, values of the body that it is made in."""

    mask: Mask
    controls: tuple[Value, ...]
    queries: Dim
    keys: Dim
    keep: bool
    span: Span | None = field(compare=False, default=None)

    @property
    def op(self) -> MakeMask:
        """The op that makes it."""
        return MakeMask(mask=self.mask, queries=self.queries, keys=self.keys, keep=self.keep)

    def types(self) -> tuple[TensorType, ...]:
        """Types of the mask and, where rows may be empty, of the rows to keep."""
        return self.op.infer(_DEVICE, *(value.type for value in self.controls))


class MaskPlan:
    """The mask of each attention node that is given one, and which masks each body and each node needs."""

    def __init__(self, attention: Mapping[Node, MadeMask], scopes: Scopes) -> None:
        self.attention = attention
        self._reads: dict[Scope, dict[Node, list[MadeMask]]] = {}
        self._passed: dict[Scope, list[MadeMask]] = {}
        self._homes = {mask: _home(scopes, mask.controls) for mask in attention.values()}
        self._collect(scopes.root)

    def _collect(self, scope: Scope) -> list[MadeMask]:
        """Fill the tables for a body and all inside; returns the masks that it takes from outside."""
        reads: dict[Node, list[MadeMask]] = {}
        for node in scope.graph.nodes:
            found = [self.attention[node]] if node in self.attention else []
            for inner in scope.inner.get(node, ()):
                found += self._collect(inner)
            reads[node] = list(dict.fromkeys(found))
        for inners in scope.inner.values():
            union = list(dict.fromkeys(mask for inner in inners for mask in self._passed[inner]))
            self._passed.update(dict.fromkeys(inners, union))
        self._reads[scope] = reads
        wanted = dict.fromkeys(mask for masks in reads.values() for mask in masks)
        self._passed[scope] = [mask for mask in wanted if self._homes[mask] is not scope]
        return self._passed[scope]

    def read_by(self, scope: Scope, node: Node) -> list[MadeMask]:
        """Masks that a node of a body reads, itself or inside, and that are not made inside."""
        return self._reads[scope][node]

    def passed(self, scope: Scope) -> dict[MadeMask, str]:
        """Masks that a body takes from outside, with their names in it."""
        return {mask: self.name(scope, mask) for mask in self._passed[scope]}

    def name(self, scope: Scope, mask: MadeMask) -> str:
        """What a mask is called in a body: `mask` if it is the only one, else after the node that reads it first."""
        reads = self._reads[scope]
        if {found for masks in reads.values() for found in masks} <= {mask}:
            return "mask"
        for node, masks in reads.items():
            if mask in masks and len(masks) == 1 and node.name:
                return f"{node.name}_mask"
        inner = next((scope.inner[node][0] for node, masks in reads.items() if mask in masks and node.regions), None)
        return self.name(inner, mask) if inner is not None else "mask"


def plan_masks(scopes: Scopes, promises: Mapping[str, Padding]) -> MaskPlan:
    """Find the attention whose masks are to be made, and where."""
    found = list(_attention(scopes))
    made: dict[Node, MadeMask] = {}
    for group in _alike(found).values():
        masks = {node: _mask(scopes, node, promises) for _, node in group}
        if all(_is_plain(node) for _, node in group):
            continue
        keep = any(mask.keep for mask in masks.values())
        made |= {node: replace(mask, keep=keep) for node, mask in masks.items()}
    return MaskPlan(made, scopes)


def _attention(scopes: Scopes) -> Iterator[tuple[Scope, Node]]:
    for scope in scopes.root.walk():
        for node in scope.graph.nodes:
            if isinstance(node.op, Attention) and not isinstance(node.op.mask, Given):
                yield scope, node


def _alike(found: list[tuple[Scope, Node]]) -> dict[tuple[str, int], list[tuple[Scope, Node]]]:
    """Attention that stands at one place of one module: called again, or in layers of several kinds."""
    groups: dict[tuple[str, int], list[tuple[Scope, Node]]] = {}
    for scope, node in found:
        groups.setdefault((scope.module, scope.graph.nodes.index(node)), []).append((scope, node))
    return groups


def _is_plain(node: Node) -> bool:
    """Whether a kernel needs no mask for it."""
    assert isinstance(node.op, Attention)
    explicit = node.op.weights or node.op.softcap is not None
    return isinstance(normal(node.op.mask), All if explicit else All | Causal)


def _mask(scopes: Scopes, node: Node, promises: Mapping[str, Padding]) -> MadeMask:
    assert isinstance(node.op, Attention)
    mask = normal(node.op.mask)
    origins = {number: scopes.origin(node.inputs[3 + number]) for number in controls(mask)}
    read = tuple(dict.fromkeys(origins.values()))
    mask = renumbered(mask, {number: read.index(value) for number, value in origins.items()})
    given = [promises.get(value.name) if value in scopes.root.graph.inputs else None for value in read]
    keys = node.inputs[1].type.shape[2]
    queries = node.inputs[0].type.shape[2] if compares_positions(mask) else keys
    keep = may_leave_row_empty(mask, given)
    return MadeMask(mask=mask, controls=read, queries=queries, keys=keys, keep=keep, span=node.span)


def _home(scopes: Scopes, read: tuple[Value, ...]) -> Scope:
    """The innermost of the bodies in which the values are made."""
    return max((scopes.homes[value] for value in read), key=lambda scope: scope.depth, default=scopes.root)
