"""Controls named by what they compute: two values that compute the same from the graph's inputs have one term.

Guards, prefixes and segments of a relation name terms, so that a mask in layer 40, in a module of its own, is known to
read the same input as the one in layer 2, and `not padded` to be the opposite of `padded`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from archspec.algebra.scalar import Scalar
from archspec.ir.call import Call
from archspec.ir.graph import Graph, Value
from archspec.ir.op import Primitive
from archspec.ir.repeat import Repeat
from archspec.ir.types import DType, TensorType
from archspec.ops.elementwise.compare import Compare
from archspec.ops.elementwise.logical import Logical
from archspec.record import record


@record(kw_only=False, eq=False)
class Term:
    """What a value computes. Equal terms are one object, so identity decides. `op` is None for an input.

    `text` is for display; `number` distinguishes the term from all others of its graph, which may have the same text.
    """

    text: str
    type: TensorType
    op: Primitive | None = None
    operands: tuple[Term, ...] = ()
    output: int = 0
    number: int = 0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.number}: {self.text}>"

    def leaves(self) -> Iterator[Term]:
        """The inputs that the term is computed from."""
        if not self.operands:
            yield self
        for operand in self.operands:
            yield from operand.leaves()

    @property
    def is_fixed(self) -> bool:
        """Whether no input decides it, but sizes alone."""
        return all(leaf.op is not None for leaf in self.leaves())

    @property
    def reads_floats(self) -> bool:
        """Whether the term is computed from a float input."""
        return any(leaf.op is None and leaf.type.dtype is DType.FLOAT for leaf in self.leaves())

    def depends_on(self, other: Term, fixed: Callable[[Term], bool] | None = None) -> bool:
        """Whether the term is computed from another one, other than through terms that are held fixed."""
        if fixed is not None and fixed(self):
            return False
        return self is other or any(operand.depends_on(other, fixed) for operand in self.operands)


class Literal(NamedTuple):
    """A bool term, or its negation."""

    term: Term
    negated: bool

    def __str__(self) -> str:
        if not self.negated:
            return self.term.text
        return f"not ({self.term.text})" if " " in self.term.text else f"not {self.term.text}"


class Terms:
    """The terms of one graph's values, made on demand."""

    def __init__(self, graph: Graph) -> None:
        self._outside: Mapping[Value, Value | None] = dict(_outside(graph))
        self._inputs = frozenset(graph.inputs)
        self._of: dict[Value, Term | None] = {}
        self._table: dict[tuple[object, ...], Term] = {}

    def __iter__(self) -> Iterator[Term]:
        """All terms made so far."""
        return iter(tuple(self._table.values()))

    def of(self, value: Value) -> Term | None:
        """The term of a value; None where it depends on parameters or on a value that layers carry."""
        if value not in self._of:
            self._of[value] = self._make(value)
        return self._of[value]

    def literals(self, value: Value, negated: bool = False) -> tuple[Literal, ...] | None:
        """Literals whose conjunction is a bool value, or its negation.

        Returns None where the value, or a part of it, has no term. A value that is no conjunction is one literal: its
        own term.
        """
        value = self.source(value) or value
        node = value.producer
        if node is not None and isinstance(node.op, Logical):
            if node.op.kind == "not":
                return self.literals(node.inputs[0], not negated)
            # By De Morgan a negated `or` is a conjunction too. Operands that are broadcast have other axes than the
            # value.
            joins = "or" if negated else "and"
            if node.op.kind == joins and all(x.type.axes == value.type.axes for x in node.inputs):
                # A part without a term loses the whole: fewer literals would not be the value.
                parts = [self.literals(x, negated) for x in node.inputs]
                return tuple(literal for part in parts if part for literal in part) if all(parts) else None
        if node is not None and isinstance(node.op, Compare):
            operand = None if _differs_by_layer(node.op) else self.of(node.inputs[0])
            return None if operand is None else (self.comparison(operand, node.op.kind, node.op.number, negated),)
        term = self.of(value)
        return None if term is None else (Literal(term, negated),)

    def comparison(self, operand: Term, kind: str, number: Scalar, negated: bool = False) -> Literal:
        """A comparison reduced to `==`, `<` or, for a number that is not a size, `<=`.

        The other comparisons are negations of these, so that a predicate and its contrary have one term.
        """
        opposite = {"!=": "==", ">=": "<", ">": "<="}
        if kind in opposite:
            return self.comparison(operand, opposite[kind], number, not negated)
        if kind == "<=" and number.as_dim() is not None:
            # Integers only: `x <= n` is `x < n + 1`, so that both forms are one term.
            kind, number = "<", number + 1
        op = Compare(kind=kind, number=number)  # type: ignore[arg-type]
        return Literal(self._applied(op, (operand,), op.infer(operand.type)[0]), negated)

    def source(self, value: Value) -> Value | None:
        """The value outside all modules that a value stands for; None for what a layer carries."""
        found: Value | None = value
        while found is not None:
            if found in self._outside:
                found = self._outside[found]
            elif found.producer is not None and isinstance(found.producer.op, Call):
                found = found.producer.regions[0].outputs[found.index]
            else:
                return found
        return None

    def _make(self, value: Value) -> Term | None:
        """The term of a value that is its own source; equal computations give the same term."""
        found = self.source(value)
        if found is None:
            return None
        if found is not value:
            return self.of(found)
        node = value.producer
        if node is None:
            return self._input(value) if value in self._inputs else None
        if not isinstance(node.op, Primitive) or node.parameters or _differs_by_layer(node.op):
            return None
        inputs = () if node.op.unread else node.inputs
        operands = [self.of(operand) for operand in inputs]
        known = tuple(operand for operand in operands if operand is not None)
        if len(known) < len(operands):
            return None
        if isinstance(node.op, Compare):
            literal = self.comparison(known[0], node.op.kind, node.op.number)
            return literal.term if not literal.negated else self._applied(_NOT, (literal.term,), value.type)
        return self._applied(node.op, known, value.type, value.index)

    def _input(self, value: Value) -> Term:
        """The term of an input of the graph."""
        return self._interned((value.name,), Term(value.name, value.type, number=len(self._table)))

    def _applied(self, op: Primitive, operands: tuple[Term, ...], type_: TensorType, output: int = 0) -> Term:
        """The term of an op on terms."""
        term = Term(_text(op, operands), type_, op, operands, output, len(self._table))
        # Operands are interned already, so that identity is equality; the op is compared by its attributes.
        return self._interned((op, output, *(id(operand) for operand in operands)), term)

    def _interned(self, key: tuple[object, ...], term: Term) -> Term:
        """The first term that was made with this key."""
        return self._table.setdefault(key, term)


_NOT = Logical(kind="not")


def _differs_by_layer(op: Primitive) -> bool:
    """Whether a number of the op depends on the index of a repeated layer, so that one node computes many values."""
    numbers = (number for number in vars(op).values() if isinstance(number, Scalar))
    return any(symbol.name == "layer" for number in numbers for symbol in number.symbols())


def _outside(graph: Graph) -> Iterator[tuple[Value, Value | None]]:
    """For every input of a region its operand; None for what layers carry."""
    for node in graph.walk():
        for region in node.regions:
            yield from zip(region.inputs, node.inputs, strict=True)
            if isinstance(node.op, Repeat):
                yield region.inputs[0], None


def _text(op: Primitive, operands: tuple[Term, ...]) -> str:
    """The text of an op on terms, as the language would write it."""
    words = [operand.text for operand in operands]
    match op:
        case Compare(kind=kind, number=number):
            return f"{words[0]} {kind} {number}"
        case Logical(kind="not"):
            return f"not {words[0]}"
        case Logical(kind=kind):
            return f" {kind} ".join(f"({word})" if " " in word else word for word in words)
        case _:
            return f"{op.name}({', '.join(words)})"
