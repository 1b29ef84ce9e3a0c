"""The code of one class while it is made: statements over tokens, which get their names last.

A token is an identifier that no op writes: `__v3` a variable, `__s1` a size, `__C2` a class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from archspec.algebra.dim import Dim, Symbol
from archspec.ir.graph import Node, Parameter, Value
from archspec.ir.types import TensorType
from archspec.lower.attributes import Attributes
from archspec.lower.syntax import names
from archspec.record import record


@record
class Variable:
    """What a token stands for: the name that is wanted, and the type where it is a tensor of the graph."""

    hint: str = ""
    type: TensorType | None = None
    annotation: str = "Tensor"


def hint_of(node: Node, value: Value) -> str:
    """The name that an output asks for: none if it only has that of an inner part of a chain (`logits.0`)."""
    is_part = node.name.rpartition(".")[2].isdigit() and value.name == node.name.replace(".", "_")
    return "" if is_part else value.name


@record
class Need:
    """What a body uses and does not have: a size that no tensor in it tells, or a parameter held elsewhere."""

    what: Symbol | Parameter

    @property
    def variable(self) -> Variable:
        """The argument that brings it in."""
        if isinstance(self.what, Symbol):
            return Variable(hint=self.what.name, annotation="int")
        return Variable(hint="_".join(self.what.path.split(".")[-2:]))


@record
class Assignment:
    """`targets = value`."""

    targets: tuple[str, ...]
    value: ast.expr

    def reads(self) -> Iterator[str]:
        """Names read, in the order of the text."""
        return names(self.value)


@record
class Default:
    """`if target is None: target = value`."""

    target: str
    value: ast.expr

    @property
    def targets(self) -> tuple[str, ...]:
        """Nothing new is made."""
        return ()

    def reads(self) -> Iterator[str]:
        """Names read."""
        return chain([self.target], names(self.value))


@record
class Require:
    """`if test: raise value`, where both read the argument `target`."""

    target: str
    test: ast.expr
    value: ast.expr

    @property
    def targets(self) -> tuple[str, ...]:
        """Nothing new is made."""
        return ()

    def reads(self) -> Iterator[str]:
        """Names read."""
        return chain(names(self.test), names(self.value))


@record
class Loop:
    """`for header in over: carried, *extra = value`, where `value` reads `carried`, which starts as `start`.

    `locals` are the tokens of the header; `collected` pairs a list with the output that it collects, layer by layer.
    """

    carried: str
    start: ast.expr
    header: ast.expr
    over: ast.expr
    value: ast.expr
    locals: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    collected: tuple[tuple[str, str], ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """What exists after the loop."""
        return (self.carried, *(found for found, _ in self.collected))

    def reads(self) -> Iterator[str]:
        """Names read from outside, those of the start first."""
        return chain(names(self.start), self.reads_inside())

    def reads_inside(self) -> Iterator[str]:
        """Names read in every turn."""
        own = {self.carried, *self.locals, *self.extra}
        return (found for found in chain(names(self.over), names(self.value)) if found not in own)


Statement = Assignment | Default | Require | Loop


@dataclass(kw_only=True)
class ClassCode:
    """One class: attributes, arguments of `forward` (by token), statements and results.

    `around` gives the kinds of the modules around it, outermost first. `inputs` are the numbers of the region's inputs
    that are arguments; `needs` follow them.
    """

    kind: str
    path: str
    around: tuple[str, ...] = ()
    attributes: Attributes
    variables: dict[str, Variable] = field(default_factory=dict)
    sizes: dict[str, Dim] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    needs: list[Need] = field(default_factory=list)
    optional: frozenset[str] = frozenset()
    statements: list[Statement] = field(default_factory=list)
    results: list[ast.expr] = field(default_factory=list)
    output_names: tuple[str, ...] = ()

    def variable(self, variable: Variable) -> str:
        """A new variable's token."""
        token = f"__v{len(self.variables)}"
        self.variables[token] = variable
        return token

    def size(self, dim: Dim) -> str:
        """Source of a size: a literal, or a token that is resolved when the statement around it is known."""
        if dim.constant is not None:
            return str(dim.constant)
        token = f"__s{len(self.sizes)}"
        self.sizes[token] = dim
        return token

    def need(self, need: Need) -> str:
        """The argument's token for something that the caller has to bring."""
        if need not in self.needs:
            self.needs.append(need)
            self.arguments.append(self.variable(need.variable))
        return self.arguments[len(self.arguments) - len(self.needs) + self.needs.index(need)]
