"""The code of one class under construction: statements over tokens, which are named at the end.

A token is an identifier that no op writes: `__v3` is a variable, `__s1` a size, `__C2` a class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
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
    """The variable that a token stands for: its preferred name, and its type if it is a tensor of the graph."""

    hint: str = ""
    type: TensorType | None = None
    annotation: str = "Tensor"


def hint_of(node: Node, value: Value) -> str:
    """The preferred name of an output; "" if it is named after an inner part of a chain only (`logits.0`)."""
    is_part = node.name.rpartition(".")[2].isdigit() and value.name == node.name.replace(".", "_")
    return "" if is_part else value.name


@record
class Slots:
    """The places of new entries in what a step keeps: a ring of `ring` entries, or one place a position if None."""

    ring: int | None = None


@record
class Need:
    """Something that a body uses but cannot access.

    It is a size that none of its tensors has, another's parameter, or the places at which a step writes.
    """

    what: Symbol | Parameter | Slots

    @property
    def variable(self) -> Variable:
        """The argument of the method that passes it in."""
        if isinstance(self.what, Slots):
            return Variable(hint="slots" if self.what.ring is None else "ring_slots")
        if isinstance(self.what, Symbol):
            return Variable(hint=self.what.name, annotation="int")
        # Two parts of the path, since `weight` alone would not tell whose it is.
        return Variable(hint="_".join(self.what.path.split(".")[-2:]))


@record
class Assignment:
    """`targets = value`."""

    targets: tuple[str, ...]
    value: ast.expr

    def reads(self) -> Iterable[str]:
        """Names that are read, in the order of the text."""
        return names(self.value)


@record
class Default:
    """`if target is None: target = value`."""

    target: str
    value: ast.expr

    @property
    def targets(self) -> tuple[str, ...]:
        """None: the statement creates no variable."""
        return ()

    def reads(self) -> Iterable[str]:
        """Names that are read, the target first."""
        return chain([self.target], names(self.value))


@record
class Require:
    """`if test: raise value`, where both read the argument `target`."""

    target: str
    test: ast.expr
    value: ast.expr

    @property
    def targets(self) -> tuple[str, ...]:
        """None: the statement creates no variable."""
        return ()

    def reads(self) -> Iterable[str]:
        """Names that are read, those of the test first."""
        return chain(names(self.test), names(self.value))


@record
class Loop:
    """`for header in over: carried, *extra = value`, where `value` reads `carried`, which starts as `start`.

    `carried` is "" where an iteration hands nothing on to the next.
    `locals` are the tokens of the header. `collected` pairs the token of a list with the output that is appended to it
    in every iteration.
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
        """Variables that exist after the loop: the carried one, and the lists."""
        return (*([self.carried] if self.carried else []), *(found for found, _ in self.collected))

    def reads(self) -> Iterable[str]:
        """Names that are read from outside the loop, those of `start` first."""
        return chain(names(self.start), self.reads_inside())

    def reads_inside(self) -> Iterable[str]:
        """Names from outside that the header and the body read."""
        own = {self.carried, *self.locals, *self.extra}
        return (found for found in chain(names(self.over), names(self.value)) if found not in own)


@record
class Do:
    """`value` as a statement, for what it does."""

    value: ast.expr

    @property
    def targets(self) -> tuple[str, ...]:
        """None: the statement creates no variable."""
        return ()

    def reads(self) -> Iterable[str]:
        """Names that are read, in the order of the text."""
        return names(self.value)


Statement = Assignment | Default | Require | Loop | Do


@dataclass(kw_only=True)
class ClassCode:
    """One class: attributes, arguments of `forward` (by token), statements and results.

    `around` gives the kinds of the enclosing modules, outermost first. `inputs` are the numbers of the region's inputs
    that are arguments; the arguments of `needs` follow them. `optional` are the arguments that may be None. `variables`
    and `sizes` resolve the tokens; a size in `shared` is read off the axis that stands there, and `known` holds sources
    of sizes that need no tensor. `draws` has the nodes that draw random numbers in training, by the token that is
    assigned what they draw. `output_names` are set for the whole model only.
    """

    kind: str
    path: str
    around: tuple[str, ...] = ()
    attributes: Attributes
    variables: dict[str, Variable] = field(default_factory=dict)
    sizes: dict[str, Dim] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    needs: list[Need] = field(default_factory=list)
    optional: frozenset[str] = frozenset()
    known: dict[Dim, str] = field(default_factory=dict)
    draws: dict[str, Node] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    results: list[ast.expr] = field(default_factory=list)
    output_names: tuple[str, ...] = ()

    def variable(self, variable: Variable) -> str:
        """Add a variable; returns its token."""
        token = f"__v{len(self.variables)}"
        self.variables[token] = variable
        return token

    def size(self, dim: Dim, axis: int | None = None) -> str:
        """Source of a size: a literal, or a token that is resolved once the statement that contains it is known.

        Args:
            dim: the size.
            axis: where a constant is read off another tensor all the same, the axis that has it there.
        """
        if dim.constant is not None and axis is None:
            return str(dim.constant)
        token = f"__s{len(self.sizes)}"
        self.sizes[token] = dim
        if dim.constant is not None and axis is not None:
            self.shared[token] = axis
        return token

    def need(self, need: Need) -> str:
        """The token of the argument with which the caller passes a need; the argument is added on first use."""
        if need not in self.needs:
            self.needs.append(need)
            self.arguments.append(self.variable(need.variable))
        # The arguments of needs follow all others, in their order.
        return self.arguments[len(self.arguments) - len(self.needs) + self.needs.index(need)]
