"""Mistakes in masks, and in what reads a predicate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.algebra.dim import Dim
from archspec.algebra.scalar import Scalar
from archspec.ir.coordinates import aligned
from archspec.ir.graph import Node, Value
from archspec.ir.op import Emitter, Primitive, Reads
from archspec.ir.types import DType, TensorType
from archspec.masks.atoms.all import All
from archspec.masks.atoms.causal import Causal
from archspec.masks.atoms.key_valid import KeyValid
from archspec.masks.atoms.last import Last
from archspec.masks.atoms.prefix import Prefix
from archspec.masks.atoms.within import Within
from archspec.masks.empty_rows import may_leave_row_empty
from archspec.masks.mask import And, Mask, Or, both, either
from archspec.masks.walk import controls, leaves, renumbered
from archspec.ops.attention.attention import Attention
from archspec.ops.elementwise.logical import Logical
from archspec.ops.elementwise.where import Where
from archspec.ops.elementwise.with_number import WithNumber
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.shape.take import Take
from archspec.record import record
from tests.mutation.edit import Change, Edit
from tests.mutation.operators import Setting

if TYPE_CHECKING:
    from archspec.ir.op import Array


def attention_of(node: Node) -> Attention | None:
    return node.op if isinstance(node.op, Attention) else None


def masked(mask: Mask) -> Change:
    """The same attention under another mask over its controls, without those that nothing reads any more."""

    def change(edit: Edit) -> Sequence[Value]:
        op = attention_of(edit.node)
        assert op is not None
        used = controls(mask)
        own = edit.inputs[op.first :]
        inputs = (*edit.inputs[: op.first], *(own[number] for number in used))
        return edit.same(replace(op, mask=renumbered(mask, {old: new for new, old in enumerate(used)})), inputs)

    return change


def drop_mask(node: Node, setting: Setting) -> Iterator[Change]:
    """Every key is open."""
    op = attention_of(node)
    if op is not None and not isinstance(op.mask, All):
        yield masked(All())


def drop_term(node: Node, setting: Setting) -> Iterator[Change]:
    """One of several conditions is lost: a prefix, a segment, padding, causality."""
    op = attention_of(node)
    if op is not None and isinstance(op.mask, And | Or):
        join = both if isinstance(op.mask, And) else either
        for lost in op.mask.terms:
            left = [term for term in op.mask.terms if term != lost]
            mask = left[0]
            for term in left[1:]:
                mask = join(mask, term)
            yield masked(mask)


def swap_and_or(node: Node, setting: Setting) -> Iterator[Change]:
    op = attention_of(node)
    if op is not None and isinstance(op.mask, And | Or):
        yield masked(Or(op.mask.terms) if isinstance(op.mask, And) else And(op.mask.terms))


def with_leaf(mask: Mask, change: Callable[[Mask], Mask | None]) -> Iterator[Mask]:
    """The mask with one leaf changed, for each that changes."""
    if isinstance(mask, And | Or):
        for number, term in enumerate(mask.terms):
            for found in with_leaf(term, change):
                yield replace(mask, terms=(*mask.terms[:number], found, *mask.terms[number + 1 :]))
        return
    found = change(mask)
    if found is not None:
        yield found


def of_leaves(change: Callable[[Mask], Mask | None]) -> Callable[[Node, Setting], Iterator[Change]]:
    """An operator that changes one leaf of a mask."""

    def changes(node: Node, setting: Setting) -> Iterator[Change]:
        op = attention_of(node)
        if op is not None:
            yield from map(masked, with_leaf(op.mask, change))

    return changes


def see_one_ahead(leaf: Mask) -> Mask | None:
    """`j <= i + 1`."""
    return Or((leaf, Within(Dim.of(1)))) if isinstance(leaf, Causal | Last) else None


def widen(leaf: Mask) -> Mask | None:
    match leaf:
        case Last(count=count):
            return Last(count + 1)
        case Within(distance=distance):
            return Within(distance + 1)
        case Prefix(length=Dim() as length):
            return Prefix(length=length + 1)
    return None


def narrow(leaf: Mask) -> Mask | None:
    match leaf:
        case Last(count=count) if count.minimum() > 1:
            return Last(count - 1)
        case Within(distance=distance) if distance.minimum() > 0:
            return Within(distance - 1)
        case Prefix(length=Dim() as length) if length.minimum() > 0:
            return Prefix(length=length - 1)
    return None


def _computed(numbers: Sequence[int], op: Primitive) -> Change:
    """The attention, some of whose controls are first changed by an op."""

    def change(edit: Edit) -> Sequence[Value]:
        inputs = list(edit.inputs)
        for number in numbers:
            inputs[number] = edit.add(op, inputs[number])
        return edit.same(inputs=inputs)

    return change


def shift_prefix(node: Node, setting: Setting) -> Iterator[Change]:
    """A prefix that data gives is one longer, or one shorter."""
    op = attention_of(node)
    for leaf in leaves(op.mask) if op is not None else ():
        if isinstance(leaf, Prefix) and leaf.control is not None:
            for kind in ("add", "subtract"):
                yield _computed([op.first + leaf.control], WithNumber(kind=kind, number=Scalar.of(1)))


def invert_predicate(node: Node, setting: Setting) -> Iterator[Change]:
    """Padding is read and the rest is hidden: in masks, in pools, in choices between two values."""
    op = node.op
    if isinstance(op, Attention):
        for leaf in leaves(op.mask):
            if isinstance(leaf, KeyValid):
                yield _computed([op.first + leaf.control], Logical(kind="not"))
    if isinstance(op, MaskedPool):
        yield _computed([1], Logical(kind="not"))
    if isinstance(op, Where):
        yield _computed([0], Logical(kind="not"))


def pool_all(node: Node, setting: Setting) -> Iterator[Change]:
    """A pool that padding has a part in."""
    if isinstance(node.op, MaskedPool):
        kind = node.op.kind
        plain = Take(axis=1, index=-1) if kind == "last" else Reduce(kind=kind, axes=(1,))
        yield lambda edit: [edit.add(plain, edit.inputs[0])]


def drop_condition(node: Node, setting: Setting) -> Iterator[Change]:
    """One side of a choice, always."""
    if isinstance(node.op, Where):
        for number in (1, 2):
            if node.inputs[number].type.matches(node.outputs[0].type):
                yield lambda edit, number=number: [edit.inputs[number]]


@record
class OpenRows(Primitive):
    """A predicate that holds everywhere in rows where it held nowhere: what a lost guard of empty rows amounts to."""

    name = "open_rows"
    signature = "... -> ..."

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        assert inputs[0].dtype is DType.BOOL
        return (inputs[0],)

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        return ((aligned(outputs[0], inputs[0], [(k, k) for k in range(inputs[0].rank - 1)]),),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        return (inputs[0] | ~inputs[0].any(-1, keepdims=True),)

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        return (f"{inputs[0]} | ~{inputs[0]}.any(-1, keepdim=True)",)


def drop_keep(node: Node, setting: Setting) -> Iterator[Change]:
    """A row without a key attends everywhere, as it does where its guard is lost."""
    op = attention_of(node)
    if op is not None and isinstance(op.mask, KeyValid):
        given = setting.spec.inputs.get(node.inputs[op.first].name)
        promise = given.padding if given is not None and given.padding != "any" else None
        if may_leave_row_empty(op.mask, [promise]):
            yield _computed([op.first], OpenRows())
