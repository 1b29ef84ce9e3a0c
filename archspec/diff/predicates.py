"""Predicates in one form: conjunctions and alternatives without order, and comparisons that are `==`, `<` or `<=`.

Two predicates that logic alone shows to be equal have one number, and what a mask reads is taken apart as far as that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import reduce
from typing import Literal

from archspec.algebra.scalar import Scalar
from archspec.diff.flat import FlatBody, Slot, Step
from archspec.masks.leaf import Leaf
from archspec.masks.mask import Mask, both, either
from archspec.masks.walk import replaced
from archspec.ops.elementwise.compare import Compare, Kind
from archspec.ops.elementwise.logical import Logical
from archspec.record import record

Number = int
Word = Literal["and", "or", "not"]
_OPPOSITE: dict[Kind, Kind] = {"!=": "==", ">=": "<", ">": "<="}
_CONTRARY = {"==": "!=", "<": ">=", "<=": ">"}


@record(kw_only=False)
class _Joined:
    """Predicates joined by `and` or `or`, or one that is negated."""

    word: Word
    parts: tuple[Number, ...]


@record(kw_only=False)
class _Compared:
    """An integer value compared with a number."""

    value: Number
    kind: Kind
    number: Scalar


class Predicates:
    """The predicates among numbered values; `number` gives the number of anything that can be hashed."""

    def __init__(self, number: Callable[[Hashable], Number]) -> None:
        self._number = number
        self._known: dict[Number, _Joined | _Compared] = {}
        self.names: dict[Number, str] = {}

    def of(self, op: Compare | Logical, operands: tuple[Number, ...]) -> Number:
        """The number of what an op makes of values."""
        if isinstance(op, Compare):
            return self._compared(operands[0], op.kind, op.number)
        return self._not(operands[0]) if op.kind == "not" else self._joined(op.kind, operands)

    def _compared(self, value: Number, kind: Kind, number: Scalar) -> Number:
        if kind in _OPPOSITE:
            return self._not(self._compared(value, _OPPOSITE[kind], number))
        if kind == "<=" and number.as_dim() is not None:
            # Of integers, `x <= n` is `x < n + 1`.
            kind, number = "<", number + 1
        return self._made(_Compared(value, kind, number))

    def _not(self, part: Number) -> Number:
        match self._known.get(part):
            case _Joined("not", (inner,)):
                return inner
            case _Joined("and", parts):
                return self._joined("or", map(self._not, parts))
            case _Joined("or", parts):
                return self._joined("and", map(self._not, parts))
        return self._made(_Joined("not", (part,)))

    def _joined(self, word: Word, parts: Iterable[Number]) -> Number:
        flat = {one for part in parts for one in self._parts(part, word)}
        return min(flat) if len(flat) == 1 else self._made(_Joined(word, tuple(sorted(flat))))

    def _parts(self, number: Number, word: Word) -> tuple[Number, ...]:
        known = self._known.get(number)
        return known.parts if isinstance(known, _Joined) and known.word == word else (number,)

    def _made(self, predicate: _Joined | _Compared) -> Number:
        number = self._number(predicate)
        self._known[number] = predicate
        return number

    def apart(self, mask: Mask) -> Mask:
        """A mask over numbers with an atom for each part of a predicate: `key_valid(a) & key_valid(b)`."""
        return replaced(mask, self._leaf)

    def _leaf(self, leaf: Leaf) -> Mask:
        read = leaf.controls()
        known = self._known.get(read[0]) if len(read) == 1 else None
        if not isinstance(known, _Joined) or known.word == "not" or not _is_pointwise(leaf):
            return leaf
        parts = [self._leaf(leaf.renumbered({read[0]: part})) for part in known.parts]
        return reduce(both if known.word == "and" else either, parts)

    def are_free(self, numbers: Iterable[Number]) -> bool:
        """Whether predicates may have any values at once: no two of them are computed from one value."""
        sources = [self._sources(number) for number in dict.fromkeys(numbers)]
        return sum(map(len, sources)) == len(frozenset().union(*sources))

    def _sources(self, number: Number) -> frozenset[Number]:
        match self._known.get(number):
            case _Joined(parts=parts):
                return frozenset().union(*map(self._sources, parts))
            case _Compared(value=value):
                return frozenset({value})
        return frozenset({number})

    def text(self, number: Number) -> str:
        """A predicate as a file would write it."""
        match self._known.get(number):
            case _Compared(value, kind, bound):
                return f"{self.text(value)} {kind} {bound}"
            case _Joined("not", (part,)):
                compared = self._known.get(part)
                if isinstance(compared, _Compared):
                    return f"{self.text(compared.value)} {_CONTRARY[compared.kind]} {compared.number}"
                return f"not {self._inner(part)}"
            case _Joined(word, parts):
                return f" {word} ".join(map(self._inner, parts))
        return self.names.get(number, "a value")

    def _inner(self, number: Number) -> str:
        text = self.text(number)
        known = self._known.get(number)
        return f"({text})" if isinstance(known, _Joined) and known.word != "not" else text


def _is_pointwise(leaf: Leaf) -> bool:
    """Whether a leaf allows a pair exactly where its predicate is true at one of the two positions."""
    fact = None if leaf.sizes() else leaf.holds(0, 0, {})
    return isinstance(fact, tuple) and fact[0] == "valid"


def read_by_masks(body: FlatBody) -> frozenset[Step]:
    """The steps that make predicates of which masks alone are made."""
    steps = (step for step in body.steps if isinstance(step.op, Compare | Logical))
    return frozenset(step for step in steps if _masks_alone(body, step.outputs[0]))


def _masks_alone(body: FlatBody, slot: Slot) -> bool:
    uses = body.uses(slot)
    return bool(uses) and slot not in body.outputs and all(_is_mask(body, *use) for use in uses)


def _is_mask(body: FlatBody, step: Step, number: int) -> bool:
    """Whether an operand of a step is one of its mask, also in layers, or makes such a one."""
    if step.bodies:
        inner = [inside for inside in step.bodies if inside.uses(inside.inputs[number])]
        return number > 0 and all(_masks_alone(inside, inside.inputs[number]) for inside in inner)
    if isinstance(step.op, Compare | Logical):
        return _masks_alone(body, step.outputs[0])
    return isinstance(getattr(step.op, "mask", None), Mask) and number >= int(getattr(step.op, "first", 0))
