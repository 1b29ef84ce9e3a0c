"""Which masks are made, in which body, and their names on the way to the attention that uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from archspec.algebra.dim import Dim
from archspec.diagnostics import Span
from archspec.ir.graph import Node, Value
from archspec.ir.types import DType, TensorType
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.entail import normal
from archspec.masks.given import Given
from archspec.masks.leaf import Padding
from archspec.masks.mask import Mask
from archspec.masks.walk import controls, differs_by_query, leaves, renumbered
from archspec.ops.attention.attention import Attention
from archspec.ops.attention.make_mask import MakeMask
from archspec.passes.scopes import Scope, Scopes
from archspec.record import record

_DEVICE = TensorType.of(DType.BOOL)
"""A placeholder for the operand that provides the device, where only types are needed."""


@record
class MadeMask:
    """One mask: its expression over `controls`, which are values of the body in which it is made.

    `queries` and `keys` are the lengths of its axes, `keep` whether the rows that have a key are an output as well.
    Two masks that differ only in their span are one.
    """

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
        """Types of the mask [batch or 1, 1, queries or 1, keys] and, with `keep`, of the rows to keep."""
        return self.op.infer(_DEVICE, *(value.type for value in self.controls))


class MaskPlan:
    """The mask of each attention node that is to take one as an operand, and the masks that bodies and nodes need."""

    def __init__(self, attention: Mapping[Node, MadeMask], scopes: Scopes) -> None:
        self.attention = attention
        self._reads: dict[Scope, dict[Node, list[MadeMask]]] = {}
        self._passed: dict[Scope, list[MadeMask]] = {}
        self._wanted: dict[Scope, set[MadeMask]] = {}
        self._homes = {mask: _home(scopes, mask.controls) for mask in attention.values()}
        self._collect(scopes.root)

    def _collect(self, scope: Scope) -> list[MadeMask]:
        """Fill the tables for a body and all bodies inside it; returns the masks that it takes from outside."""
        reads: dict[Node, list[MadeMask]] = {}
        for node in scope.graph.nodes:
            found = [self.attention[node]] if node in self.attention else []
            for inner in scope.inner.get(node, ()):
                found += self._collect(inner)
            reads[node] = list(dict.fromkeys(found))
        self._wanted[scope] = {mask for masks in reads.values() for mask in masks}
        for inners in scope.inner.values():
            # The bodies of one repeat have the same operands, so each takes the masks of all.
            union = list(dict.fromkeys(mask for inner in inners for mask in self._passed[inner]))
            self._passed.update(dict.fromkeys(inners, union))
        self._reads[scope] = reads
        everything = dict.fromkeys(mask for masks in reads.values() for mask in masks)
        self._passed[scope] = [mask for mask in everything if self._homes[mask] is not scope]
        return self._passed[scope]

    def read_by(self, scope: Scope, node: Node) -> list[MadeMask]:
        """Masks that a node of a body reads, directly or in its regions, and that are not made in those regions."""
        return self._reads[scope][node]

    def passed(self, scope: Scope) -> dict[MadeMask, str]:
        """Masks that a body takes from outside, with their names in it."""
        return {mask: self.name(scope, mask) for mask in self._passed[scope]}

    def name(self, scope: Scope, mask: MadeMask) -> str:
        """The name of a mask in a body: `mask` if it is the only one there.

        Otherwise it is named after a node or a kind of layer that reads only this mask, or as in the body inside; where
        two masks would get the same name, after its atoms.
        """
        masks = dict.fromkeys(found for read in self._reads[scope].values() for found in read)
        if set(masks) <= {mask}:
            return "mask"
        names = {found: self._after_reader(scope, found) for found in masks}
        if list(names.values()).count(names.get(mask, "")) == 1:
            return names[mask]
        words = dict.fromkeys(leaf.hint for leaf in leaves(mask.mask))
        return "_".join([*words, "mask"])

    def _after_reader(self, scope: Scope, mask: MadeMask) -> str:
        readers = {node: masks for node, masks in self._reads[scope].items() if mask in masks}
        alone = next((node.name for node, masks in readers.items() if len(masks) == 1 and node.name), "")
        if alone:
            return f"{alone}_mask"
        node = next(iter(readers))
        inside = [(number, one) for number, one in enumerate(scope.inner.get(node, ())) if mask in self._wanted[one]]
        if not inside:
            return "mask"
        number, one = inside[0]
        name = self.name(one, mask)
        return f"{_kind(node, number)}{name}" if len(inside) == 1 else name


def _kind(node: Node, number: int) -> str:
    """The part of a kind's name that differs from the other kinds, as a prefix: `local_` of `LocalDecoderLayer`."""
    kinds = getattr(node.op, "kinds", ())
    words = [re.findall(r"[A-Z][^A-Z]*", kind) for kind in kinds]
    if len(kinds) < 2 or not all(words):
        return ""
    while len({found[-1] for found in words}) == 1 and all(len(found) > 1 for found in words):
        words = [found[:-1] for found in words]
    return "".join(f"{word.lower()}_" for word in words[number])


def plan_masks(scopes: Scopes, promises: Mapping[str, Padding]) -> MaskPlan:
    """Find the attention nodes whose masks are to be made, and where each mask is made.

    `promises` gives the padding that inputs of the graph promise, by name.
    """
    found = list(_attention(scopes))
    made: dict[Node, MadeMask] = {}
    for group in _alike(found).values():
        masks = {node: _mask(scopes, node, promises) for _, node in group}
        styles = {_style(node) for _, node in group}
        if len(styles) == 1 and None not in styles:
            continue
        # One emitted class serves the whole group, so all of it takes the same operands.
        keep = any(mask.keep for mask in masks.values())
        made |= {node: replace(mask, keep=keep) for node, mask in masks.items()}
    return MaskPlan(made, scopes)


def _attention(scopes: Scopes) -> Iterator[tuple[Scope, Node]]:
    for scope in scopes.root.walk():
        for node in scope.graph.nodes:
            if isinstance(node.op, Attention) and not isinstance(node.op.mask, Given):
                yield scope, node


def _alike(found: list[tuple[Scope, Node]]) -> dict[tuple[str, int], list[tuple[Scope, Node]]]:
    """Attention nodes at one place of one module path: a module called again, or layers of one stack."""
    groups: dict[tuple[str, int], list[tuple[Scope, Node]]] = {}
    for scope, node in found:
        groups.setdefault((scope.module, scope.graph.nodes.index(node)), []).append((scope, node))
    return groups


def _style(node: Node) -> Mask | None:
    """The mask, where a kernel computes it without an operand (`all`, `causal`); None where it must be made."""
    assert isinstance(node.op, Attention)
    # Scores that are written out or have a bias are masked explicitly, so `causal` must be made as well.
    explicit = node.op.is_explicit or node.op.bias
    mask = normal(node.op.mask)
    return mask if mask.kernel in (("full",) if explicit else ("full", "causal")) else None


def _mask(scopes: Scopes, node: Node, promises: Mapping[str, Padding]) -> MadeMask:
    """The mask of an attention node over the values that it is made of, as far out as all of them are visible."""
    assert isinstance(node.op, Attention)
    mask = normal(node.op.mask)
    values = {number: node.inputs[node.op.first + number] for number in controls(mask)}
    # A predicate that a module computes is known in it alone: there the other controls go by their names inside.
    home = _home(scopes, tuple(map(scopes.origin, values.values())))
    visible = {number: scopes.origin(value, home) for number, value in values.items()}
    read = tuple(dict.fromkeys(visible.values()))
    mask = renumbered(mask, {number: read.index(value) for number, value in visible.items()})
    inputs, origins = scopes.root.graph.inputs, map(scopes.origin, read)
    given = [promises.get(value.name) if value in inputs else None for value in origins]
    keys = node.inputs[1].type.shape[2]
    # A mask that does not depend on the query has one row, so that queries of any length share it.
    queries = node.inputs[0].type.shape[2] if differs_by_query(mask) else keys
    keep = may_leave_row_empty(mask, given)
    return MadeMask(mask=mask, controls=read, queries=queries, keys=keys, keep=keep, span=node.span)


def _home(scopes: Scopes, read: tuple[Value, ...]) -> Scope:
    """The innermost of the bodies in which these values are made; the root for a mask that reads none."""
    return max((scopes.homes[value] for value in read), key=lambda scope: scope.depth, default=scopes.root)
