"""Two operands of one sort joined by an operator: what the sorts `pred` and `mask` share."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar, Generic, TypeVar

from archspec.diagnostics.source import Span
from archspec.record import record
from archspec.text.arithmetic import infix_text
from archspec.text.lexer import Token
from archspec.text.pratt import Infix

E = TypeVar("E", bound=Any)


@record
class Junction(Generic[E]):
    """`left op right`; each operator has a class of its own, with the power with which it binds."""

    op: ClassVar[str]
    power: ClassVar[int]

    left: E
    right: E
    span: Span = field(compare=False, repr=False)

    def __str__(self) -> str:
        return infix_text(self.left, self.op, self.right, self.power)

    @classmethod
    def infix(cls) -> Infix[E]:
        """The operator, for a grammar."""
        return Infix(power=cls.power, build=cls._of)

    @classmethod
    def _of(cls, left: E, token: Token, right: E) -> Any:
        return cls(left=left, right=right, span=left.span.to(right.span))
